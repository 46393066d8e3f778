// Package blob names sealed bytes and proves parts of them.
//
// A blob is the ciphertext of one head, bulk, manifest, preview, document or
// head pack. Whoever carries it needs no key to check it: its name is the root
// of a Merkle tree over the ciphertext, and any run of leaves verifies alone.
//
//	blob   = header 56 || leaf 1 || leaf 2 || ...     leaves of 65,600 bytes (four sealed chunks), the last may be shorter
//	leaf   = SHA-256(0x00 || bytes), leaf 0 is the header
//	node   = SHA-256(0x01 || left || right), left the largest power of two below the count (RFC 6962 §2.1)
//	BlobID = H("blob", u64 length || root)
//
// Leaf hashes are kept beside the blob (0.05 %). The format is version 1 and
// does not change.
package blob

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// ErrCorrupt is the class of all errors that say: these bytes are not the blob
// they claim to be. It is apart from I/O errors, for a store quarantines what
// is corrupt and retries what could not be read.
var ErrCorrupt = errors.New("blob is corrupt")

// ID names a blob by its ciphertext.
type ID [32]byte

// String returns the ID in lower case hex.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText returns the ID in lower case hex.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (id *ID) UnmarshalText(b []byte) error {
	got, err := ParseID(string(b))
	if err == nil {
		*id = got
	}
	return err
}

// ParseID reads an ID from 64 lower case hex digits.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != hex.EncodedLen(len(id)) {
		return ID{}, errors.New("blob id is not 64 hex digits")
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil || id.String() != s {
		return ID{}, errors.New("blob id is not 64 lower case hex digits")
	}
	return id, nil
}

// Ref is all one needs to open a blob: its name, the length of its content and
// its key. BlobRef = [ BlobID, len, x32 k ].
type Ref struct {
	_   struct{} `cbor:",toarray"`
	ID  ID
	Len uint64 // of the plaintext, in bytes
	Key wire.Secret
}

// SealedLen is the length of the blob itself.
func (r Ref) SealedLen() uint64 { return SealedLen(r.Len) }

// Check reports whether the length is within limits, before anything is
// computed from it.
func (r Ref) Check() error {
	if r.Len > LenMax {
		return fmt.Errorf("blob of %d bytes: %w", r.Len, ErrTooLong)
	}
	return nil
}

// CheckLen reports whether a sealed length that a peer names is possible, before
// anything is computed from it.
func CheckLen(sealed uint64) error {
	if n, ok := PlainLen(sealed); !ok || n > LenMax {
		return fmt.Errorf("length %d: %w", sealed, ErrCorrupt)
	}
	return nil
}
