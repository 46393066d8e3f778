package wire

import (
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/vectest"
)

var update = flag.Bool("update", false, "write the vectors")

// sample has a field of every type the formats use. Vectors are of this type:
// {1: uint, 2: bstr, 3: x32, ?4: text, ?5: [uint], ?6: {?-1: int}, ?7: int, ?8: bool true, ?9: [uint, bstr], ?10: any item}.
type sample struct {
	Uint  uint64      `cbor:"1,keyasint"`
	Bytes []byte      `cbor:"2,keyasint"`
	X32   [32]byte    `cbor:"3,keyasint"`
	Text  string      `cbor:"4,keyasint,omitempty"`
	Array []uint64    `cbor:"5,keyasint,omitempty"`
	Map   *sampleMap  `cbor:"6,keyasint,omitempty"`
	Int   int64       `cbor:"7,keyasint,omitempty"`
	Bool  bool        `cbor:"8,keyasint,omitempty"`
	Tuple *samplePair `cbor:"9,keyasint,omitempty"`
	Any   Raw         `cbor:"10,keyasint,omitempty"`
}

type sampleMap struct {
	Minus int64 `cbor:"-1,keyasint,omitempty"`
}

type samplePair struct {
	_ struct{} `cbor:",toarray"`
	N uint64
	B []byte
}

// classes name the errors of this package in vectors.
var classes = []struct {
	name string
	err  error
}{
	{"truncated", ErrTruncated},
	{"trailing", ErrTrailing},
	{"long", ErrLong},
	{"indefinite", ErrIndefinite},
	{"tag", ErrTag},
	{"simple", ErrSimple},
	{"utf8", ErrUTF8},
	{"key-type", ErrKeyType},
	{"unsorted", ErrUnsorted},
	{"duplicate", ErrDuplicate},
	{"depth", ErrDepth},
	{"array", ErrArray},
	{"map", ErrMap},
	{"unknown-key", ErrUnknownKey},
	{"shape", ErrShape},
	{"reencode", ErrReencode},
}

func classOf(err error) string {
	if err == nil {
		return vectest.OK
	}
	for _, c := range classes {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	return err.Error()
}

const zeros32 = "5820" + "0000000000000000000000000000000000000000000000000000000000000000"

// base is {1: 7, 2: h”, 3: 32 zeros} without its head byte a3.
const base = "0107" + "0240" + "03" + zeros32

func repeat(s string, n int) (out string) {
	for range n {
		out += s
	}
	return out
}

func cborVectors(t *testing.T) []vectest.Vector {
	t.Helper()
	full := sample{
		Uint: 1 << 40, Bytes: []byte{1, 2, 3}, Text: "hélène", Array: []uint64{0, 23, 24, 255, 256, 65535, 65536, 1 << 32},
		Map: &sampleMap{Minus: -300}, Int: -1, Bool: true, Tuple: &samplePair{N: 5, B: []byte{9}}, Any: Raw{0x82, 0x01, 0x41, 0xff},
	}
	list := []struct{ name, expect, comment, hex string }{
		{"every-type", "ok", "every type once", hex.EncodeToString(MustMarshal(full))},
		{"least", "ok", "no optional field", "a3" + base},
		{"deepest", "ok", "containers nested 8 deep", "a4" + base + "0a" + repeat("81", 7) + "00"},
		{"array-4096", "ok", "the longest array", "a4" + base + "05991000" + repeat("00", 4096)},
		{"unsorted", "unsorted", "key 2 before key 1", "a3" + "0240" + "0107" + "03" + zeros32},
		{"duplicate", "duplicate", "key 1 twice", "a4" + "0107" + base},
		{"long-integer", "long", "7 in two bytes", "a3" + "011807" + "0240" + "03" + zeros32},
		{"long-length", "long", "an empty byte string with a length of two bytes", "a3" + "0107" + "025800" + "03" + zeros32},
		{"long-key", "long", "key 1 in two bytes", "a3" + "180107" + "0240" + "03" + zeros32},
		{"indefinite-bytes", "indefinite", "byte string in chunks", "a3" + "0107" + "025f4100ff" + "03" + zeros32},
		{"indefinite-map", "indefinite", "map with a break", "bf" + base + "ff"},
		{"indefinite-array", "indefinite", "array with a break", "a4" + base + "059f00ff"},
		{"float", "simple", "7.0 as a half float", "a3" + "01f94700" + "0240" + "03" + zeros32},
		{"null", "simple", "null for a field", "a4" + base + "04f6"},
		{"undefined", "simple", "undefined for a field", "a4" + base + "04f7"},
		{"simple", "simple", "simple value 16", "a4" + base + "08f0"},
		{"tag", "tag", "tag 0 on a text", "a4" + base + "04c06161"},
		{"bignum", "tag", "7 as a bignum", "a3" + "01c24107" + "0240" + "03" + zeros32},
		{"empty-text", "reencode", "an optional text that is empty", "a4" + base + "0460"},
		{"empty-array", "reencode", "an optional array that is empty", "a4" + base + "0580"},
		{"zero-int", "reencode", "an optional integer that is zero", "a4" + base + "0700"},
		{"false", "reencode", "an optional bool that is false", "a4" + base + "08f4"},
		{"missing", "reencode", "field 3 is missing", "a2" + "0107" + "0240"},
		{"x32-short", "reencode", "31 bytes where 32 belong", "a3" + "0107" + "0240" + "03581f" + repeat("00", 31)},
		{"x32-long", "reencode", "33 bytes where 32 belong", "a3" + "0107" + "0240" + "035821" + repeat("00", 33)},
		{"unknown-key", "unknown-key", "key 11 is unknown", "a4" + base + "0b00"},
		{"text-key", "key-type", "a text as key", "a4" + base + "616100"},
		{"bad-utf8", "utf8", "a lone continuation byte", "a4" + base + "046180"},
		{"surrogate", "utf8", "an encoded surrogate", "a4" + base + "0463eda080"},
		{"trailing", "trailing", "one byte too many", "a3" + base + "00"},
		{"truncated", "truncated", "last byte missing", "a3" + base[:len(base)-2]},
		{"length-lie", "truncated", "a byte string said to have 2^63 bytes", "a4" + base + "045b8000000000000000"},
		{"too-deep", "depth", "containers nested 9 deep", "a4" + base + "0a" + repeat("81", 8) + "00"},
		{"array-4097", "array", "one element too many", "a4" + base + "05991001" + repeat("00", 4097)},
		{"map-65", "map", "65 pairs", "b841" + base},
		{"wrong-type", "shape", "a text where an integer belongs", "a3" + "016137" + "0240" + "03" + zeros32},
		{"bytes-for-text", "shape", "a byte string where a text belongs", "a4" + base + "044161"},
		{"negative", "shape", "-1 where an unsigned integer belongs", "a3" + "0120" + "0240" + "03" + zeros32},
		{"reserved", "shape", "additional information 28", "1c"},
		{"empty", "truncated", "no bytes at all", ""},
	}
	out := make([]vectest.Vector, len(list))
	for i, l := range list {
		body, err := hex.DecodeString(l.hex)
		if err != nil {
			t.Fatalf("%s: %v", l.name, err)
		}
		out[i] = vectest.Vector{Name: l.name, Expect: l.expect, Comment: l.comment, Body: body}
	}
	return out
}

func TestVectors(t *testing.T) {
	const dir = "testdata/vectors/cbor"
	var write func(string, []byte) error
	if *update {
		write = func(name string, text []byte) error {
			return os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
	}
	vectest.Run(t, os.DirFS(dir), cborVectors(t), write, func(_ testing.TB, v vectest.Vector) string {
		var s sample
		err := Unmarshal(v.Body, &s)
		if err == nil && hex.EncodeToString(MustMarshal(s)) != hex.EncodeToString(v.Body) {
			return "changed"
		}
		if err != nil && !errors.Is(err, ErrCanonical) {
			return "not ErrCanonical"
		}
		return classOf(err)
	})
}
