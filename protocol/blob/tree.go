package blob

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

const (
	// HeaderSize is the length of salt and commitment, leaf 0.
	HeaderSize = 24 + 32
	// ChunkSize is the plaintext of one sealed chunk.
	ChunkSize = 16 << 10
	// TagSize is what sealing adds to a chunk.
	TagSize = 16
	// LeafSize is the length of all other leaves but the last.
	LeafSize = 4 * (ChunkSize + TagSize)
)

// SealedLen is the length of a sealed content of n bytes. The last chunk is
// always shorter than ChunkSize and may be empty.
func SealedLen(n uint64) uint64 { return HeaderSize + n + TagSize*(n/ChunkSize+1) }

// PlainLen inverts SealedLen. It reports false for lengths no sealing gives.
func PlainLen(sealed uint64) (uint64, bool) {
	if sealed < HeaderSize+TagSize {
		return 0, false
	}
	body := sealed - HeaderSize
	full, last := body/(ChunkSize+TagSize), body%(ChunkSize+TagSize)
	if last < TagSize {
		return 0, false // cut at a chunk, or within a tag
	}
	return full*ChunkSize + last - TagSize, true
}

// LeafCount is the number of leaves of a sealed blob.
func LeafCount(sealed uint64) int {
	if sealed <= HeaderSize {
		return 1
	}
	return 1 + int((sealed-HeaderSize-1)/LeafSize) + 1
}

// LeafSpan is where a leaf lies in a sealed blob. A leaf outside the blob has
// no bytes.
func LeafSpan(sealed uint64, leaf int) (off, n int64) {
	if leaf < 0 || leaf >= LeafCount(sealed) {
		return int64(sealed), 0
	}
	if leaf == 0 {
		return 0, int64(min(sealed, HeaderSize))
	}
	off = HeaderSize + int64(leaf-1)*LeafSize
	return off, min(LeafSize, int64(sealed)-off)
}

// RangeSpan is where the leaves [a,b) lie in a sealed blob.
func RangeSpan(sealed uint64, a, b int) (off, n int64) {
	if a >= b {
		return 0, 0
	}
	off, _ = LeafSpan(sealed, a)
	last, size := LeafSpan(sealed, b-1)
	return off, last + size - off
}

// LeafHash is the hash of one leaf's bytes.
func LeafHash(leaf []byte) [32]byte {
	return hasher{sha256.New()}.leaf(leaf)
}

// Leaves hashes a whole sealed blob.
func Leaves(sealed []byte) [][32]byte {
	h := hasher{sha256.New()}
	out := make([][32]byte, LeafCount(uint64(len(sealed))))
	for i := range out {
		off, n := LeafSpan(uint64(len(sealed)), i)
		out[i] = h.leaf(sealed[off : off+n])
	}
	return out
}

// IDOf names a blob of the given sealed length by its leaf hashes. Without
// leaves it returns the zero ID, which names nothing.
func IDOf(length uint64, leaves [][32]byte) ID {
	if len(leaves) == 0 {
		return ID{}
	}
	return idOf(length, hasher{sha256.New()}.root(leaves))
}

func idOf(length uint64, root [32]byte) ID {
	var u [8]byte
	binary.BigEndian.PutUint64(u[:], length)
	return ID(wire.Hash("blob", u[:], root[:]))
}

// hasher reuses one SHA-256 state; a node costs no allocation.
type hasher struct{ h hash.Hash }

func (h hasher) leaf(b []byte) [32]byte { return h.sum(0x00, b, nil) }

func (h hasher) node(l, r [32]byte) [32]byte { return h.sum(0x01, l[:], r[:]) }

func (h hasher) sum(prefix byte, a, b []byte) (out [32]byte) {
	h.h.Reset()
	h.h.Write([]byte{prefix})
	h.h.Write(a)
	h.h.Write(b)
	h.h.Sum(out[:0])
	return out
}

func (h hasher) root(leaves [][32]byte) [32]byte {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := split(len(leaves))
	return h.node(h.root(leaves[:k]), h.root(leaves[k:]))
}

// split is the largest power of two below n (RFC 6962 §2.1), n > 1.
func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

// Prove returns the hashes that, with the leaves [a,b), lead to the root. It
// returns nil if [a,b) is empty or not within the leaves.
func Prove(leaves [][32]byte, a, b int) [][32]byte {
	if a < 0 || a >= b || b > len(leaves) {
		return nil
	}
	p := prover{h: hasher{sha256.New()}, leaves: leaves, a: a, b: b}
	p.walk(0, len(leaves))
	return p.proof
}

type prover struct {
	h      hasher
	leaves [][32]byte
	a, b   int
	proof  [][32]byte
}

func (p *prover) walk(lo, hi int) {
	switch {
	case hi <= p.a || p.b <= lo:
		p.proof = append(p.proof, p.h.root(p.leaves[lo:hi]))
	case within(lo, hi, p.a, p.b):
	default:
		mid := lo + split(hi-lo)
		p.walk(lo, mid)
		p.walk(mid, hi)
	}
}

func within(lo, hi, a, b int) bool { return hi-lo == 1 || a <= lo && hi <= b }

// Verify checks data, the bytes of the leaves [a,b) of a blob of the given
// sealed length, against its name. It returns the hashes of these leaves; to
// keep them beside the data is what resuming needs. All its errors are
// ErrCorrupt, as its input comes from a peer.
func Verify(id ID, length uint64, a, b int, data []byte, proof [][32]byte) ([][32]byte, error) {
	if err := CheckLen(length); err != nil {
		return nil, err
	}
	if a < 0 || a >= b || b > LeafCount(length) {
		return nil, fmt.Errorf("leaves %d to %d: %w", a, b, ErrCorrupt)
	}
	start, n := RangeSpan(length, a, b)
	if int64(len(data)) != n {
		return nil, fmt.Errorf("range of %d bytes instead of %d: %w", len(data), n, ErrCorrupt)
	}
	v := verifier{h: hasher{sha256.New()}, a: a, b: b, proof: proof, leaves: make([][32]byte, 0, b-a)}
	for i := a; i < b; i++ {
		off, n := LeafSpan(length, i)
		v.leaves = append(v.leaves, v.h.leaf(data[off-start:off-start+n]))
	}
	root, ok := v.walk(0, LeafCount(length))
	if !ok || len(v.proof) != 0 {
		return nil, fmt.Errorf("proof has the wrong length: %w", ErrCorrupt)
	}
	if idOf(length, root) != id {
		return nil, fmt.Errorf("range does not lead to the blob id: %w", ErrCorrupt)
	}
	return v.leaves, nil
}

// verifier runs the recursion of the prover over what came. Its depth is at
// most log2 of the leaf count, 25 at LenMax.
type verifier struct {
	h      hasher
	a, b   int
	leaves [][32]byte
	proof  [][32]byte
}

func (v *verifier) walk(lo, hi int) (root [32]byte, ok bool) {
	switch {
	case hi <= v.a || v.b <= lo:
		if len(v.proof) == 0 {
			return root, false
		}
		root, v.proof = v.proof[0], v.proof[1:]
		return root, true
	case within(lo, hi, v.a, v.b):
		return v.h.root(v.leaves[lo-v.a : hi-v.a]), true
	}
	mid := lo + split(hi-lo)
	left, ok := v.walk(lo, mid)
	if !ok {
		return root, false
	}
	right, ok := v.walk(mid, hi)
	if !ok {
		return root, false
	}
	return v.h.node(left, right), true
}
