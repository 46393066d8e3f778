package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/curbside-p2p/curbside/protocol/vectest"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

func TestLengths(t *testing.T) {
	for _, c := range []struct {
		plain, sealed uint64
		leaves        int
	}{
		{0, 72, 2},
		{1, 73, 2},
		{16383, 56 + 16383 + 16, 2},
		{16384, 56 + 16384 + 32, 2},
		{65535, 56 + 65535 + 64, 2},
		{65536, 65672, 3}, // an anchor of FORMATS §14: the empty fifth chunk begins a leaf
		{65537, 65673, 3},
		{1 << 20, 56 + 1<<20 + 65*16, 18},
		{LenMax, 56 + LenMax + 16*(LenMax/16384+1), 1 + LenMax/65536 + 1},
	} {
		if got := SealedLen(c.plain); got != c.sealed {
			t.Errorf("SealedLen(%d): got %d, want %d", c.plain, got, c.sealed)
		}
		if got, ok := PlainLen(c.sealed); !ok || got != c.plain {
			t.Errorf("PlainLen(%d): got %d, %v, want %d", c.sealed, got, ok, c.plain)
		}
		if got := LeafCount(c.sealed); got != c.leaves {
			t.Errorf("LeafCount(%d): got %d, want %d", c.sealed, got, c.leaves)
		}
	}
	// Each length has one inverse, and lengths between have none.
	var valid int
	for n := range uint64(70000) {
		if plain, ok := PlainLen(n); ok {
			valid++
			if SealedLen(plain) != n {
				t.Fatalf("PlainLen(%d) = %d, sealed %d", n, plain, SealedLen(plain))
			}
		}
	}
	var want int
	for n := uint64(0); SealedLen(n) < 70000; n++ {
		want++
	}
	if valid != want {
		t.Errorf("got %d valid lengths, want %d", valid, want)
	}
}

func TestSpansTile(t *testing.T) {
	for _, n := range []uint64{0, 1, 55, 56, 57, 72, 65656, 65657, 65672, 131256, 1 << 20} {
		var at int64
		for i := range LeafCount(n) {
			off, size := LeafSpan(n, i)
			if off != at || size < 0 || size > LeafSize {
				t.Errorf("length %d leaf %d: got %d+%d, want offset %d", n, i, off, size, at)
			}
			at += size
		}
		if at != int64(n) {
			t.Errorf("length %d: leaves end at %d", n, at)
		}
	}
}

// A second implementation of RFC 6962 must agree on roots.
func TestRootAgainstTlog(t *testing.T) {
	var stored, leaves []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, x := range at {
			out[i] = stored[x]
		}
		return out, nil
	})
	for n := range 300 {
		data := fmt.Appendf(nil, "leaf %d", n)
		hashes, err := tlog.StoredHashes(int64(n), data, read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		leaves = append(leaves, LeafHash(data))
		want, err := tlog.TreeHash(int64(n+1), read)
		if err != nil {
			t.Fatal(err)
		}
		mine := make([][32]byte, len(leaves))
		for i, l := range leaves {
			mine[i] = l
		}
		if got := (hasher{sha256.New()}).root(mine); tlog.Hash(got) != want {
			t.Fatalf("%d leaves: got %x, want %x", n+1, got, want)
		}
	}
}

// testBlob is bytes of a valid sealed length with the given leaf count.
func testBlob(leaves int) ([]byte, [][32]byte, ID) {
	b := vectest.Pattern(HeaderSize + (leaves-2)*LeafSize + 1000)
	h := Leaves(b)
	return b, h, IDOf(uint64(len(b)), h)
}

// Every range of 70 leaves verifies, with as few hashes as promised and none to
// spare, and no range verifies with another's proof.
func TestEveryRange(t *testing.T) {
	b, leaves, id := testBlob(70)
	n := uint64(len(b))
	for a := range 70 {
		for z := a + 1; z <= 70; z++ {
			proof := Prove(leaves, a, z)
			if len(proof) > 2*7 { // 2*ceil(log2 70)
				t.Errorf("[%d,%d): %d hashes", a, z, len(proof))
			}
			if z-a > 3 && (a*70+z)%7 != 0 {
				continue // hashing 2,485 ranges takes too long; lengths vary enough
			}
			off, size := RangeSpan(n, a, z)
			got, err := Verify(id, n, a, z, b[off:off+size], proof)
			if err != nil || !slices.Equal(got, leaves[a:z]) {
				t.Fatalf("[%d,%d): %v", a, z, err)
			}
		}
	}
}

// Whatever is wrong with a range, it does not verify.
func TestVerifyRefuses(t *testing.T) {
	b, leaves, id := testBlob(9)
	n := uint64(len(b))
	const a, z = 3, 5
	off, size := RangeSpan(n, a, z)
	data, proof := b[off:off+size], Prove(leaves, a, z)
	if len(proof) < 3 {
		t.Fatalf("proof of %d hashes is too short to test", len(proof))
	}
	reordered := slices.Clone(proof)
	reordered[0], reordered[1] = reordered[1], reordered[0]
	flipped := slices.Clone(proof)
	flipped[2][31] ^= 1
	swapped := slices.Concat(data[LeafSize:], data[:LeafSize])
	bit := bytes.Clone(data)
	bit[LeafSize] ^= 0x80
	other := id
	other[0] ^= 1
	for _, c := range []struct {
		name   string
		id     ID
		length uint64
		a, z   int
		data   []byte
		proof  [][32]byte
	}{
		{"other id", other, n, a, z, data, proof},
		{"length one more", id, n + 1, a, z, data, proof},
		{"length no sealing has", id, 56 + 16400, 0, 1, b[:56], nil},
		{"length zero", id, 0, 0, 1, nil, nil},
		{"length enormous", id, 1 << 63, a, z, data, proof},
		{"empty range", id, n, a, a, nil, proof},
		{"backward range", id, n, z, a, data, proof},
		{"negative", id, n, -1, 1, data, proof},
		{"beyond the end", id, n, 8, 10, data, proof},
		{"other leaves", id, n, a + 1, z + 1, data, proof},
		{"data short", id, n, a, z, data[:len(data)-1], proof},
		{"data long", id, n, a, z, append(bytes.Clone(data), 0), proof},
		{"leaves swapped", id, n, a, z, swapped, proof},
		{"bit flipped", id, n, a, z, bit, proof},
		{"proof missing", id, n, a, z, data, nil},
		{"proof short", id, n, a, z, data, proof[:len(proof)-1]},
		{"proof long", id, n, a, z, data, append(slices.Clone(proof), leaves[0])},
		{"proof reordered", id, n, a, z, data, reordered},
		{"proof flipped", id, n, a, z, data, flipped},
	} {
		if got, err := Verify(c.id, c.length, c.a, c.z, c.data, c.proof); !errors.Is(err, ErrCorrupt) || got != nil {
			t.Errorf("%s: got %v, want ErrCorrupt", c.name, err)
		}
	}
}

func TestProveRefuses(t *testing.T) {
	_, leaves, _ := testBlob(3)
	for _, r := range [][2]int{{-1, 1}, {1, 1}, {2, 1}, {0, 4}} {
		if p := Prove(leaves, r[0], r[1]); p != nil {
			t.Errorf("%v: got %d hashes, want none", r, len(p))
		}
	}
	if IDOf(0, nil) != (ID{}) {
		t.Error("no leaves have an id")
	}
}

func TestIDText(t *testing.T) {
	_, _, id := testBlob(2)
	back, err := ParseID(id.String())
	if err != nil || back != id {
		t.Errorf("got %s, %v, want %s", back, err, id)
	}
	js, err := json.Marshal(map[ID]ID{id: id})
	if err != nil {
		t.Fatal(err)
	}
	var m map[ID]ID
	if err := json.Unmarshal(js, &m); err != nil || m[id] != id {
		t.Errorf("got %v, %v", m, err)
	}
	for _, bad := range []string{"", "zz", id.String() + "0", id.String()[:63], "A" + id.String()[1:], "g" + id.String()[1:]} {
		if _, err := ParseID(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestRefEncoding(t *testing.T) {
	ref := Ref{ID: ID{1}, Len: 5, Key: wire.Secret{2}}
	b := wire.MustMarshal(ref)
	var back Ref
	if err := wire.Unmarshal(b, &back); err != nil || back != ref || b[0] != 0x83 {
		t.Errorf("got %v, %v", back, err)
	}
	if err := (Ref{Len: LenMax + 1}).Check(); !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v, want ErrTooLong", err)
	}
	if ref.SealedLen() != 77 {
		t.Errorf("got %d, want 77", ref.SealedLen())
	}
}

func FuzzVerify(f *testing.F) {
	b, leaves, id := testBlob(4)
	n := uint64(len(b))
	for _, r := range [][2]int{{0, 1}, {0, 4}, {1, 2}, {3, 4}} {
		var flat []byte
		for _, h := range Prove(leaves, r[0], r[1]) {
			flat = append(flat, h[:]...)
		}
		off, size := RangeSpan(n, r[0], r[1])
		f.Add(n, r[0], r[1], b[off:off+min(size, 4096)], flat)
	}
	f.Fuzz(func(t *testing.T, length uint64, a, z int, data, flat []byte) {
		var proof [][32]byte
		for c := range slices.Chunk(flat, 32) {
			if len(c) == 32 {
				proof = append(proof, [32]byte(c))
			}
		}
		got, err := Verify(id, length, a, z, data, proof)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v, want ErrCorrupt", err)
			}
			return
		}
		off, size := RangeSpan(n, a, z)
		if length != n || !bytes.Equal(data, b[off:off+size]) || len(got) != z-a {
			t.Error("accepted what is not in the blob")
		}
	})
}

func BenchmarkLeaves(b *testing.B) {
	data := vectest.Pattern(512 << 10)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		Leaves(data)
	}
}

func BenchmarkVerify16(b *testing.B) {
	blob, leaves, id := testBlob(70)
	n := uint64(len(blob))
	off, size := RangeSpan(n, 16, 32)
	proof := Prove(leaves, 16, 32)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(id, n, 16, 32, blob[off:off+size], proof); err != nil {
			b.Fatal(err)
		}
	}
}

// Random trees of random sizes: any range verifies, any other range's bytes do not.
func TestRandomRanges(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 30 {
		b, leaves, id := testBlob(2 + rng.IntN(20))
		n := uint64(len(b))
		a := rng.IntN(len(leaves))
		z := a + 1 + rng.IntN(len(leaves)-a)
		off, size := RangeSpan(n, a, z)
		data := bytes.Clone(b[off : off+size])
		if _, err := Verify(id, n, a, z, data, Prove(leaves, a, z)); err != nil {
			t.Fatalf("seed %d: [%d,%d) of %d: %v", seed, a, z, len(leaves), err)
		}
		data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
		if _, err := Verify(id, n, a, z, data, Prove(leaves, a, z)); err == nil {
			t.Fatalf("seed %d: [%d,%d) of %d: accepted a flipped bit", seed, a, z, len(leaves))
		}
	}
}
