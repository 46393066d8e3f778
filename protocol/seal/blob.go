package seal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Kind says what a blob holds; a blob of one kind does not open as another.
type Kind byte

// The kinds of blobs.
const (
	Head     Kind = 1 // an instance without its pixels
	Bulk     Kind = 2 // pixels, packed
	Manifest Kind = 3
	Preview  Kind = 4
	Document Kind = 5
	HeadPack Kind = 6
)

// Blob seals t, the exact bytes to keep (after packing), under the secret of a
// study. The same secret, kind and bytes give the same blob. Heads and bulk are
// sealed so; everything else by BlobRandom.
func Blob(s wire.Secret, kind Kind, t []byte) (sealed []byte, ref blob.Ref, leaves [][32]byte) {
	h := sha256.Sum256(t)
	x := append([]byte{byte(kind)}, h[:]...)
	key := wire.KDF32(s, "blob/key", x)
	salt := [saltSize]byte(wire.KDF(s, "blob/salt", x, saltSize))
	return sealBlob(key, salt, kind, t)
}

// BlobRandom seals t under a key of its own.
func BlobRandom(kind Kind, t []byte) (sealed []byte, ref blob.Ref, leaves [][32]byte) {
	salt := wire.NewSecret()
	return sealBlob(wire.NewSecret(), [saltSize]byte(salt[:saltSize]), kind, t)
}

func sealBlob(key wire.Secret, salt [saltSize]byte, kind Kind, t []byte) ([]byte, blob.Ref, [][32]byte) {
	sealed := SealWithSalt(key, blobContext(kind, uint64(len(t))), t, salt)
	leaves := blob.Leaves(sealed)
	return sealed, blob.Ref{ID: blob.IDOf(uint64(len(sealed)), leaves), Len: uint64(len(t)), Key: key}, leaves
}

// OpenBlob opens a whole blob whose ranges have been verified against its ID,
// or come from a store that did; the seal commits to key, kind and length.
func OpenBlob(ref blob.Ref, kind Kind, sealed []byte) ([]byte, error) {
	if err := ref.Check(); err != nil {
		return nil, err
	}
	if uint64(len(sealed)) != ref.SealedLen() {
		return nil, fmt.Errorf("blob %s has %d bytes instead of %d: %w", ref.ID, len(sealed), ref.SealedLen(), ErrOpen)
	}
	t, err := Open(ref.Key, blobContext(kind, ref.Len), sealed)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", ref.ID, err)
	}
	return t, nil
}

// BlobReader opens a blob for reading at any place. The commitment in its
// header vouches for the length, so a blob of which only some leaves are here
// can be read where they are.
func BlobReader(ref blob.Ref, kind Kind, src io.ReaderAt) (*Reader, error) {
	if err := ref.Check(); err != nil {
		return nil, err
	}
	r, err := newReader(ref.Key, blobContext(kind, ref.Len), src, int64(ref.SealedLen()))
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", ref.ID, err)
	}
	return r, nil
}

func blobContext(kind Kind, n uint64) string {
	return "blob\x00" + string(binary.BigEndian.AppendUint64([]byte{byte(kind)}, n))
}
