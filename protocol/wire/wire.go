// Package wire holds what every format of curbside is made of: canonical CBOR,
// labelled hashing and key derivation, secrets that do not print, and the small
// AES-GCM box of the vault.
//
//	Hash(l, x)       = SHA-256("curbside/v1/" || l || 0x00 || x)
//	KDF(k, l, x, n)  = HKDF-Expand-SHA256(prk = k, info = "curbside/v1/" || l || 0x00 || x, n)
//	GCM(k, aad, p)   = nonce 12 random || AES-256-GCM ciphertext || tag 16
//
// CBOR is RFC 8949 §4.2.1 core deterministic encoding, narrowed: integer map
// keys, definite lengths, no tags, floats, null or undefined, and an optional
// field is absent, never empty or zero. Unmarshal accepts exactly what Marshal
// writes: it checks the bytes first, decodes them strictly, encodes the result
// again and compares. Verdicts on signed bytes therefore agree between
// implementations. Hash and verify the stored bytes, never a re-encoding.
//
// The labels, the encoding and the limits are version 1 of the format and do
// not change; a new suite is a new version. See protocol/README.md.
package wire

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// Prefix starts every label, so that no hash, key or signature of curbside
// means anything to another protocol.
const Prefix = "curbside/v1/"

// Hash is H(label, x): SHA-256 of the labelled concatenation of the parts.
// Parts are not delimited; callers use fixed lengths or one variable part.
func Hash(label string, x ...[]byte) [32]byte {
	h := sha256.New()
	h.Write([]byte(Prefix + label + "\x00"))
	for _, part := range x {
		h.Write(part)
	}
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}

// KDF derives n bytes from a uniformly random key, HKDF-Expand of RFC 5869 §2.3.
// It panics if n is outside 0..8160, which only a mistake in the caller can cause.
func KDF(k [32]byte, label string, x []byte, n int) []byte {
	out, err := hkdf.Expand(sha256.New, k[:], Prefix+label+"\x00"+string(x), n)
	if err != nil {
		panic("wire: derived key length out of range")
	}
	return out
}

// KDF32 derives a 32-byte secret.
func KDF32(k [32]byte, label string, x []byte) Secret {
	return Secret(KDF(k, label, x, 32))
}
