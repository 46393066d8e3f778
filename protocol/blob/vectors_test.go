package blob

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/vectest"
)

var update = flag.Bool("update", false, "write the vectors")

// A vector is a range of a blob whose bytes are vectest.Pattern(length), with
// the edit applied to the bytes of the range: "flip N" the lowest bit of byte
// N, "cut N" bytes from the end, "swap" its first two leaves.
func rangeVector(name, expect, comment string, length uint64, a, z int, edit string, change func(*rangeCase)) vectest.Vector {
	leaves := Leaves(vectest.Pattern(int(length)))
	c := rangeCase{id: IDOf(length, leaves), length: length, a: a, z: z, proof: Prove(leaves, a, z)}
	if change != nil {
		change(&c)
	}
	var flat []byte
	for _, h := range c.proof {
		flat = append(flat, h[:]...)
	}
	return vectest.Vector{Name: name, Expect: expect, Comment: comment, Body: flat, Fields: []vectest.Field{
		{Name: "content", Value: strconv.FormatUint(length, 10)},
		{Name: "id", Value: c.id.String()},
		{Name: "length", Value: strconv.FormatUint(c.length, 10)},
		{Name: "first", Value: strconv.Itoa(c.a)},
		{Name: "end", Value: strconv.Itoa(c.z)},
		{Name: "edit", Value: edit},
	}}
}

type rangeCase struct {
	id     ID
	length uint64
	a, z   int
	proof  [][32]byte
}

func vectors() []vectest.Vector {
	const nine = HeaderSize + 7*LeafSize + 1000
	var out []vectest.Vector
	for _, n := range []uint64{0, 1, 16383, 16384, 16385, 65535, 65536, 65537, 1 << 20} {
		sealed := SealedLen(n)
		out = append(out, rangeVector(fmt.Sprintf("whole-%d", n), "ok", "all leaves of a blob of that content length", sealed, 0, LeafCount(sealed), "", nil))
	}
	one := func(name, expect, comment, edit string, change func(*rangeCase)) {
		out = append(out, rangeVector(name, expect, comment, nine, 3, 5, edit, change))
	}
	one("middle", "ok", "leaves 3 and 4 of 9", "", nil)
	one("flip-first", "corrupt", "first byte of the range changed", "flip 0", nil)
	one("flip-last", "corrupt", "last byte of the range changed", "flip 131199", nil)
	one("cut-byte", "corrupt", "range one byte short", "cut 1", nil)
	one("cut-leaf", "corrupt", "range one leaf short", "cut 65600", nil)
	one("cut-chunk", "corrupt", "range one sealed chunk short", "cut 16400", nil)
	one("swapped-leaves", "corrupt", "leaves 3 and 4 in each other's place", "swap", nil)
	one("proof-short", "corrupt", "last hash of the proof missing", "", func(c *rangeCase) { c.proof = c.proof[:len(c.proof)-1] })
	one("proof-long", "corrupt", "a hash too many", "", func(c *rangeCase) { c.proof = append(slices.Clone(c.proof), [32]byte{}) })
	one("proof-reordered", "corrupt", "first two hashes swapped", "", func(c *rangeCase) { c.proof[0], c.proof[1] = c.proof[1], c.proof[0] })
	one("proof-flipped", "corrupt", "a bit of a hash changed", "", func(c *rangeCase) { c.proof[1][0] ^= 1 })
	one("wrong-id", "corrupt", "another blob", "", func(c *rangeCase) { c.id[31] ^= 1 })
	one("wrong-length", "corrupt", "length one byte more", "", func(c *rangeCase) { c.length++ })
	one("wrong-place", "corrupt", "said to be leaves 4 and 5", "", func(c *rangeCase) { c.a++; c.z++ })
	one("impossible-length", "corrupt", "a length no sealing has: last chunk full", "", func(c *rangeCase) { c.length = 56 + 28*16400 })
	return append(out, everyRange())
}

// everyRange stands for all proofs of 70 leaves by a hash.
func everyRange() vectest.Vector {
	return vectest.Vector{
		Name: "every-range-of-70", Expect: "ok",
		Comment: "SHA-256 over all proofs for [a,b) of 70 leaves, a rising, then b; leaf i is SHA-256(0x00 || byte i)",
		Fields:  []vectest.Field{vectest.Hex("sum", allProofs())},
	}
}

func allProofs() []byte {
	leaves := make([][32]byte, 70)
	for i := range leaves {
		leaves[i] = LeafHash([]byte{byte(i)})
	}
	sum := sha256.New()
	for a := range leaves {
		for z := a + 1; z <= len(leaves); z++ {
			for _, h := range Prove(leaves, a, z) {
				sum.Write(h[:])
			}
		}
	}
	return sum.Sum(nil)
}

func TestVectors(t *testing.T) {
	const dir = "testdata/vectors/range"
	var write func(string, []byte) error
	if *update {
		write = func(name string, text []byte) error {
			return os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
	}
	vectest.Run(t, os.DirFS(dir), vectors(), write, judge)
}

func judge(tb testing.TB, v vectest.Vector) string {
	tb.Helper()
	if sum := v.Get("sum"); sum != "" {
		if fmt.Sprintf("%x", allProofs()) != sum {
			return "wrong sum"
		}
		return vectest.OK
	}
	content, length := number(tb, v, "content"), number(tb, v, "length")
	a, z := int(number(tb, v, "first")), int(number(tb, v, "end"))
	id, err := ParseID(v.Get("id"))
	if err != nil {
		tb.Fatal(err)
	}
	var proof [][32]byte
	for h := range slices.Chunk(v.Body, 32) {
		proof = append(proof, [32]byte(h))
	}
	off, n := RangeSpan(content, a, z)
	data := edit(tb, vectest.Pattern(int(content))[off:off+n], v.Get("edit"))
	_, err = Verify(id, length, a, z, data, proof)
	switch {
	case err == nil:
		return vectest.OK
	case errors.Is(err, ErrCorrupt):
		return "corrupt"
	}
	return err.Error()
}

func number(tb testing.TB, v vectest.Vector, name string) uint64 {
	tb.Helper()
	n, err := strconv.ParseUint(v.Get(name), 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func edit(tb testing.TB, b []byte, how string) []byte {
	tb.Helper()
	b = bytes.Clone(b)
	var verb string
	var n int
	_, _ = fmt.Sscan(how, &verb, &n)
	switch verb {
	case "":
		return b
	case "flip":
		b[n] ^= 1
		return b
	case "cut":
		return b[:len(b)-n]
	case "swap":
		return slices.Concat(b[LeafSize:2*LeafSize], b[:LeafSize], b[2*LeafSize:])
	}
	tb.Fatalf("edit %q", how)
	return nil
}
