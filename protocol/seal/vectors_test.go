package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/vectest"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

var update = flag.Bool("update", false, "write the vectors")

// Vectors of small contents carry the sealed bytes as body. Those of large ones
// say "content: N", to be sealed from vectest.Pattern(N), and an edit of the
// sealed bytes: "flip N" the lowest bit of byte N, "cut N" bytes from the end,
// "swap I J" two whole chunks, "drop I" one.
func edit(tb testing.TB, sealed []byte, how string) []byte {
	tb.Helper()
	b := slices.Clone(sealed)
	chunk := func(i int) []byte { return b[headerSize+i*sealedChunk:][:sealedChunk] }
	var verb string
	var n, m int
	_, _ = fmt.Sscan(how, &verb, &n, &m)
	switch verb {
	case "":
	case "flip":
		b[n] ^= 1
	case "cut":
		b = b[:len(b)-n]
	case "swap":
		x := slices.Clone(chunk(n))
		copy(chunk(n), chunk(m))
		copy(chunk(m), x)
	case "drop":
		b = slices.Delete(b, headerSize+n*sealedChunk, headerSize+(n+1)*sealedChunk)
	default:
		tb.Fatalf("edit %q", how)
	}
	return b
}

func num(name string, n int) vectest.Field { return vectest.Field{Name: name, Value: strconv.Itoa(n)} }

func sealVectors() []vectest.Vector {
	key, salt := counting(0), [24]byte{1, 2, 3}
	small := func(name, expect, comment string, n int, key wire.Secret, context string, change func([]byte) []byte) vectest.Vector {
		sealed := SealWithSalt(counting(0), "vector", vectest.Pattern(n), salt)
		if change != nil {
			sealed = change(sealed)
		}
		return vectest.Vector{Name: name, Expect: expect, Comment: comment, Body: sealed, Fields: []vectest.Field{
			vectest.Hex("key", key[:]), {Name: "context", Value: context}, num("plaintext", n),
		}}
	}
	flip := func(i int) func([]byte) []byte { return func(b []byte) []byte { b[i] ^= 1; return b } }
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }
	other := counting(1)
	return []vectest.Vector{
		small("empty", "ok", "no content: one empty chunk", 0, key, "vector", nil),
		small("one-byte", "ok", "one byte", 1, key, "vector", nil),
		small("hundred", "ok", "100 bytes of the pattern", 100, key, "vector", nil),
		small("wrong-key", "open", "key of another message", 100, other, "vector", nil),
		small("wrong-context", "open", "context of another message", 100, key, "vectors", nil),
		small("flip-salt", "open", "a bit of the salt", 100, key, "vector", flip(0)),
		small("flip-commitment", "open", "a bit of the commitment", 100, key, "vector", flip(55)),
		small("flip-chunk", "open", "a bit of the chunk", 100, key, "vector", flip(56)),
		small("flip-tag", "open", "a bit of the tag", 100, key, "vector", flip(171)),
		small("cut-byte", "open", "last byte missing", 100, key, "vector", cut(1)),
		small("cut-tag", "open", "tag missing", 100, key, "vector", cut(16)),
		small("cut-chunk", "open", "chunk missing", 100, key, "vector", cut(116)),
		small("cut-header", "open", "header short", 100, key, "vector", cut(117)),
		small("trailing", "open", "a byte too many", 100, key, "vector", func(b []byte) []byte { return append(b, 0) }),
	}
}

func judgeSeal(tb testing.TB, v vectest.Vector) string {
	tb.Helper()
	n, err := strconv.Atoi(v.Get("plaintext"))
	if err != nil {
		tb.Fatal(err)
	}
	p, err := Open(wire.Secret(v.Hex(tb, "key")), v.Get("context"), v.Body)
	return judge(tb, p, n, err)
}

func judge(tb testing.TB, p []byte, n int, err error) string {
	tb.Helper()
	switch {
	case errors.Is(err, ErrOpen):
		return "open"
	case err != nil:
		return err.Error()
	case !bytes.Equal(p, vectest.Pattern(n)):
		return "other content"
	}
	return vectest.OK
}

// blobCase is how a blob is opened, which may differ from how it was sealed.
type blobCase struct {
	kind Kind
	ref  blob.Ref
}

func blobVectors() []vectest.Vector {
	secret := counting(9)
	make1 := func(name, expect, comment string, n int, kind Kind, edit string, change func(*blobCase)) vectest.Vector {
		_, ref, _ := Blob(secret, kind, vectest.Pattern(n))
		c := blobCase{kind: kind, ref: ref}
		if change != nil {
			change(&c)
		}
		return vectest.Vector{Name: name, Expect: expect, Comment: comment, Fields: []vectest.Field{
			vectest.Hex("secret", secret[:]), num("kind", int(kind)), num("content", n), vectest.Hex("id", ref.ID[:]),
			{Name: "edit", Value: edit},
			num("open-kind", int(c.kind)), num("open-length", int(c.ref.Len)), vectest.Hex("open-key", c.ref.Key[:]),
		}}
	}
	var out []vectest.Vector
	for _, n := range []int{0, 1, 16383, 16384, 16385, 65535, 65536, 65537, 1 << 20} {
		out = append(out,
			make1(fmt.Sprintf("head-%d", n), "ok", "a head of that length", n, Head, "", nil),
			make1(fmt.Sprintf("bulk-%d", n), "ok", "a bulk of that length", n, Bulk, "", nil))
	}
	one := func(name, comment, edit string, change func(*blobCase)) {
		out = append(out, make1(name, "open", comment, 50000, Bulk, edit, change))
	}
	one("flip-salt", "a bit of the salt", "flip 0", nil)
	one("flip-commitment", "a bit of the commitment", "flip 24", nil)
	one("flip-first-chunk", "a bit of the first chunk", "flip 56", nil)
	one("flip-last-chunk", "a bit of the last chunk", "flip 49256", nil)
	one("flip-last-tag", "a bit of the last tag", "flip 50119", nil)
	one("swapped-chunks", "first two chunks swapped", "swap 0 1", nil)
	one("dropped-chunk", "second chunk missing", "drop 1", nil)
	one("cut-at-chunk", "last chunk missing", "cut 864", nil)
	one("cut-byte", "last byte missing", "cut 1", nil)
	one("wrong-kind", "opened as a head", "", func(c *blobCase) { c.kind = Head })
	one("wrong-length", "opened as one byte shorter", "", func(c *blobCase) { c.ref.Len-- })
	one("wrong-key", "opened with another key", "", func(c *blobCase) { c.ref.Key[0] ^= 1 })
	// The length that fits what is left, so that only the context can tell.
	out = append(out, make1("cut-with-length", "open", "cut at a chunk, length to fit", 2*chunkSize, Bulk, "cut 16",
		func(c *blobCase) { c.ref.Len = chunkSize + chunkSize - 16 }))
	return out
}

func judgeBlob(tb testing.TB, v vectest.Vector) string {
	tb.Helper()
	field := func(name string) int {
		n, err := strconv.Atoi(v.Get(name))
		if err != nil {
			tb.Fatal(err)
		}
		return n
	}
	n := field("content")
	sealed, ref, _ := Blob(wire.Secret(v.Hex(tb, "secret")), Kind(field("kind")), vectest.Pattern(n))
	if ref.ID.String() != v.Get("id") {
		return "other id"
	}
	ref.Len, ref.Key = uint64(field("open-length")), wire.Secret(v.Hex(tb, "open-key"))
	p, err := OpenBlob(ref, Kind(field("open-kind")), edit(tb, sealed, v.Get("edit")))
	return judge(tb, p, n, err)
}

// circl holds what cloudflare/circl v1.6.5 sealed to the key of seed 00..1f,
// info "curbside/v1/test", the secret ff fe .. e0.
func circl(tb testing.TB) []byte {
	tb.Helper()
	text, err := os.ReadFile("testdata/circl-v1.6.5-xwing.hex")
	if err != nil {
		tb.Fatal(err)
	}
	b, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func sealToVectors(tb testing.TB) []vectest.Vector {
	tb.Helper()
	ct := circl(tb)
	seed := counting(0)
	one := func(name, expect, comment, info string, seed wire.Secret, body []byte) vectest.Vector {
		k := KEMFromSeed(seed)
		id := k.ID()
		var secret wire.Secret
		for i := range secret {
			secret[i] = byte(0xff - i)
		}
		return vectest.Vector{Name: name, Expect: expect, Comment: comment, Body: body, Fields: []vectest.Field{
			vectest.Hex("seed", seed[:]), vectest.Hex("key-id", id[:]), {Name: "info", Value: info}, vectest.Hex("secret", secret[:]),
		}}
	}
	flip := func(i int) []byte { b := slices.Clone(ct); b[i] ^= 1; return b }
	return []vectest.Vector{
		one("circl", "ok", "sealed by cloudflare/circl v1.6.5", "test", seed, ct),
		one("wrong-info", "open", "info of another message", "tests", seed, ct),
		one("wrong-key", "open", "key of another device", "test", counting(1), ct),
		one("flip-mlkem", "open", "a bit of the ML-KEM ciphertext", "test", seed, flip(0)),
		one("flip-x25519", "open", "a bit of the X25519 share", "test", seed, flip(1090)),
		one("flip-ct", "open", "a bit of the encrypted secret", "test", seed, flip(1120)),
		one("flip-tag", "open", "a bit of the tag", "test", seed, flip(1167)),
		one("short", "open", "last byte missing", "test", seed, ct[:1167]),
		one("long", "open", "a byte too many", "test", seed, append(slices.Clone(ct), 0)),
	}
}

func judgeSealTo(tb testing.TB, v vectest.Vector) string {
	tb.Helper()
	k := KEMFromSeed(wire.Secret(v.Hex(tb, "seed")))
	if id := k.ID(); !bytes.Equal(id[:], v.Hex(tb, "key-id")) {
		return "other key id"
	}
	s, err := OpenFrom(k, v.Get("info"), v.Body)
	switch {
	case errors.Is(err, ErrOpen):
		return "open"
	case err != nil:
		return err.Error()
	case !s.Equal(wire.Secret(v.Hex(tb, "secret"))):
		return "other secret"
	}
	return vectest.OK
}

func TestVectors(t *testing.T) {
	for _, set := range []struct {
		name  string
		made  []vectest.Vector
		judge func(testing.TB, vectest.Vector) string
	}{
		{"seal", sealVectors(), judgeSeal},
		{"blob", blobVectors(), judgeBlob},
		{"sealto", sealToVectors(t), judgeSealTo},
	} {
		t.Run(set.name, func(t *testing.T) {
			dir := filepath.Join("testdata/vectors", set.name)
			var write func(string, []byte) error
			if *update {
				write = func(name string, text []byte) error {
					return os.WriteFile(filepath.Join(dir, name), text, 0o644)
				}
			}
			vectest.Run(t, os.DirFS(dir), set.made, write, set.judge)
		})
	}
}
