// Package seal encrypts: blobs, boxes of the ledger and secrets to devices.
//
// Seal is C2SP chunked-encryption v1 as Cobblestone-256 (HKDF-Expand-SHA512,
// AES-256-GCM), which commits to its key, shows truncation and opens at any
// place without reading the rest:
//
//	SEAL(k, c, p) = salt 24 || commitment 32 || chunk 0 || chunk 1 || ...
//	key 32 || base nonce 12 || commitment 32 =
//	    HKDF-Expand-SHA512(prk = k, info = "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM" || 0x00 || salt || "curbside/v1/" || c)
//	chunk i       = AES-256-GCM(key, base nonce XOR i, 16 KiB of p) || tag 16; the last one is shorter, maybe empty
//
// A blob is sealed under a key made from the owner's secret and the content
// itself, so that importing twice gives the same bytes, while nobody without
// the secret can confirm a guess:
//
//	h    = SHA-256(t)    k = KDF(S, "blob/key", u8 kind || h)    salt = KDF(S, "blob/salt", u8 kind || h, 24)
//	blob = SEAL(k, "blob\0" || u8 kind || u64 len(t), t)
//
// SealTo is HPKE Base (RFC 9180) with X-Wing (KEM 0x647a), HKDF-SHA256 and
// AES-256-GCM: enc 1120 || ct 48. It authenticates nobody.
//
// These formats are version 1 and do not change.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

const (
	saltSize    = 24
	chunkSize   = blob.ChunkSize
	tagSize     = blob.TagSize
	sealedChunk = chunkSize + tagSize
	headerSize  = blob.HeaderSize
	// suite starts the info of the key derivation, chunked-encryption "Key derivation".
	suite = "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
)

// ErrOpen says that sealed bytes do not open: another key or context, or bytes
// cut or altered. It is a blob.ErrCorrupt. Packets and invites decide by it
// whether to try the next key.
var ErrOpen = fmt.Errorf("seal does not open: %w", blob.ErrCorrupt)

// Seal encrypts p under key and context with a random salt.
func Seal(key wire.Secret, context string, p []byte) []byte {
	var salt [saltSize]byte
	_, _ = rand.Read(salt[:]) // never fails since Go 1.24
	return SealWithSalt(key, context, p, salt)
}

// SealWithSalt is Seal with a given salt, which MUST NOT repeat for a key and
// context unless the content is the same. Only blobs and tests have a reason.
func SealWithSalt(key wire.Secret, context string, p []byte, salt [24]byte) []byte { //nolint:revive // SEAL with a salt
	c, commitment := derive(key, context, salt[:])
	out := make([]byte, 0, blob.SealedLen(uint64(len(p))))
	out = append(append(out, salt[:]...), commitment[:]...)
	var i uint64
	for ; len(p) >= chunkSize; i++ {
		out = c.seal(out, i, p[:chunkSize])
		p = p[chunkSize:]
	}
	return c.seal(out, i, p)
}

// Open decrypts what Seal made. All its errors are ErrOpen.
func Open(key wire.Secret, context string, sealed []byte) ([]byte, error) {
	n, ok := blob.PlainLen(uint64(len(sealed)))
	if !ok {
		return nil, ErrOpen
	}
	c, err := opener(key, context, sealed[:headerSize])
	if err != nil {
		return nil, err
	}
	out, rest := make([]byte, 0, n), sealed[headerSize:]
	for i := uint64(0); len(rest) > 0; i++ {
		chunk := rest[:min(sealedChunk, len(rest))]
		if out, err = c.open(out, i, chunk); err != nil {
			return nil, err
		}
		rest = rest[len(chunk):]
	}
	return out, nil
}

// chunks seals and opens the chunks of one message. Safe for concurrent use.
type chunks struct {
	aead cipher.AEAD
	base [12]byte
}

// opener derives the keys a header calls for and checks its commitment, which
// comes before any chunk (chunked-encryption, "Key derivation").
func opener(key wire.Secret, context string, header []byte) (*chunks, error) {
	c, commitment := derive(key, context, header[:saltSize])
	if subtle.ConstantTimeCompare(commitment[:], header[saltSize:]) != 1 {
		return nil, ErrOpen
	}
	return c, nil
}

func derive(key wire.Secret, context string, salt []byte) (*chunks, [32]byte) {
	out, err := hkdf.Expand(sha512.New, key[:], suite+string(salt)+wire.Prefix+context, 32+12+32)
	if err != nil {
		panic("seal: HKDF refused a fixed length")
	}
	block, err := aes.NewCipher(out[:32])
	if err != nil {
		panic("seal: AES refused a 32-byte key")
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("seal: GCM refused AES")
	}
	return &chunks{aead: aead, base: [12]byte(out[32:44])}, [32]byte(out[44:])
}

// nonce is the base nonce XOR the chunk number, big-endian. Contents of at most
// blob.LenMax keep the number far below the 2^38 that the scheme allows.
func (c *chunks) nonce(i uint64) [12]byte {
	n := c.base
	binary.BigEndian.PutUint64(n[4:], binary.BigEndian.Uint64(n[4:])^i)
	return n
}

func (c *chunks) seal(dst []byte, i uint64, p []byte) []byte {
	n := c.nonce(i)
	return c.aead.Seal(dst, n[:], p, nil)
}

func (c *chunks) open(dst []byte, i uint64, sealed []byte) ([]byte, error) {
	n := c.nonce(i)
	out, err := c.aead.Open(dst, n[:], sealed, nil)
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}
