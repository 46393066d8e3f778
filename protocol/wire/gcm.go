package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
)

// GCMOverhead is what a box adds to its content: nonce 12 and tag 16.
const GCMOverhead = 28

// ErrBox says that a GCM box did not open: wrong key, wrong place or altered
// bytes. The vault decides by it between a bad passphrase and a damaged file.
var ErrBox = errors.New("box does not open")

// GCMSeal boxes p under key with a random nonce. Every row has a key of its
// own, so the bound on random nonces under one key is never near.
func GCMSeal(key [32]byte, aad, p []byte) []byte {
	return newGCM(key).Seal(nil, nil, p, aad) //nolint:gosec // nil asks for a random nonce
}

// GCMOpen opens a box of GCMSeal.
func GCMOpen(key [32]byte, aad, c []byte) ([]byte, error) {
	if len(c) < GCMOverhead {
		return nil, ErrBox
	}
	p, err := newGCM(key).Open(nil, nil, c, aad)
	if err != nil {
		return nil, ErrBox
	}
	return p, nil
}

func newGCM(key [32]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("wire: AES refused a 32-byte key")
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("wire: GCM refused AES")
	}
	return aead
}
