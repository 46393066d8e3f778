package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

// The anchors of FORMATS §14; another implementation computed them.
func TestAnchors(t *testing.T) {
	h := Hash("test")
	if got, want := hex.EncodeToString(h[:]), "42e1e202aad0ec98454683515e2ff311aa18efca784542bfe53b420a72fb170d"; got != want {
		t.Errorf("H: got %s, want %s", got, want)
	}
	k := KDF([32]byte{}, "test", nil, 32)
	if got, want := hex.EncodeToString(k), "526beec40c0dbaeead4d2d494a15e56cf79bf8552359d6a2bd51b57ca43a586d"; got != want {
		t.Errorf("KDF: got %s, want %s", got, want)
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	var s Secret
	for i := range s {
		s[i] = 0xab
	}
	holder := struct {
		S Secret
		P *Secret
		L []Secret
		M map[string]Secret
	}{s, &s, []Secret{s}, map[string]Secret{"k": s}}
	var logged bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&logged, nil))
	log.Info("x", slog.Any("secret", s), slog.Any("holder", holder))
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", slog.Any("secret", s), slog.Any("holder", holder))
	js, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	out := logged.String() + string(js)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%08b", "%t"} {
		out += fmt.Sprintf(verb+" "+verb+"\n", s, holder)
	}
	for _, leak := range []string{"abab", "ABAB", "171", "10101011", "0xab", "253"} {
		if strings.Contains(out, leak) {
			t.Errorf("%q leaks in:\n%s", leak, out)
		}
	}
	b := MustMarshal(s)
	var back Secret
	if err := Unmarshal(b, &back); err != nil || !back.Equal(s) || hex.EncodeToString(b[:2]) != "5820" {
		t.Errorf("CBOR: got %x, %v, want the bytes", b[:2], err)
	}
}

func TestGCM(t *testing.T) {
	key, other := [32]byte{1}, [32]byte{2}
	box := GCMSeal(key, []byte("place"), []byte("value"))
	if len(box) != GCMOverhead+5 {
		t.Errorf("got %d bytes, want %d", len(box), GCMOverhead+5)
	}
	if p, err := GCMOpen(key, []byte("place"), box); err != nil || string(p) != "value" {
		t.Errorf("got %q, %v", p, err)
	}
	if _, err := GCMOpen(other, []byte("place"), box); !errors.Is(err, ErrBox) {
		t.Errorf("other key: got %v, want ErrBox", err)
	}
	if _, err := GCMOpen(key, []byte("elsewhere"), box); !errors.Is(err, ErrBox) {
		t.Errorf("other place: got %v, want ErrBox", err)
	}
	for i := range box {
		bad := bytes.Clone(box)
		bad[i] ^= 1
		if _, err := GCMOpen(key, []byte("place"), bad); !errors.Is(err, ErrBox) {
			t.Errorf("byte %d flipped: got %v, want ErrBox", i, err)
		}
		if _, err := GCMOpen(key, []byte("place"), box[:i]); !errors.Is(err, ErrBox) {
			t.Errorf("cut at %d: got %v, want ErrBox", i, err)
		}
	}
	if bytes.Equal(box, GCMSeal(key, []byte("place"), []byte("value"))) {
		t.Error("two boxes with one nonce")
	}
}

func TestMarshalRefuses(t *testing.T) {
	for name, v := range map[string]any{
		"nil pointer": struct {
			_ struct{} `cbor:",toarray"`
			P *uint64
		}{},
		"float":    1.5,
		"text key": map[string]int{"a": 1},
		"bad text": "\xff",
		"too deep": [][][][][][][][][]int{{{{{{{{{1}}}}}}}}},
		"bad raw":  []Raw{{0x18, 0x01}},
	} {
		if b, err := Marshal(v); err == nil {
			t.Errorf("%s: got %x, want an error", name, b)
		}
	}
}

func TestAscending(t *testing.T) {
	key := func(x *[2]byte) []byte { return x[:] }
	for _, c := range []struct {
		xs   [][2]byte
		want bool
	}{
		{nil, true},
		{[][2]byte{{1, 2}}, true},
		{[][2]byte{{1, 2}, {1, 3}, {2, 0}}, true},
		{[][2]byte{{1, 2}, {1, 2}}, false},
		{[][2]byte{{2, 0}, {1, 2}}, false},
	} {
		if got := Ascending(c.xs, key); got != c.want {
			t.Errorf("%v: got %v, want %v", c.xs, got, c.want)
		}
	}
}

// Any change of one bit of a canonical item is refused or gives another value:
// no two byte strings mean the same.
func TestBitFlips(t *testing.T) {
	b := MustMarshal(sample{Uint: 300, Bytes: []byte{1}, Text: "añ", Array: []uint64{1, 500}, Map: &sampleMap{-30}, Int: 24})
	var want sample
	if err := Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	for i := range len(b) * 8 {
		bad := bytes.Clone(b)
		bad[i/8] ^= 1 << (i % 8)
		var got sample
		if err := Unmarshal(bad, &got); err == nil && reflect.DeepEqual(got, want) {
			t.Errorf("bit %d flipped: same value", i)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, v := range cborVectors(&testing.T{}) {
		f.Add(v.Body)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s sample
		err := Unmarshal(b, &s)
		if err != nil {
			if !errors.Is(err, ErrCanonical) {
				t.Errorf("got %v, want ErrCanonical", err)
			}
			return
		}
		if again := MustMarshal(s); !bytes.Equal(again, b) {
			t.Errorf("accepted %x, wrote %x", b, again)
		}
	})
}

// The scanner alone must accept exactly what a generic decoder accepts and
// encodes the same; it is what checks Raw items, whose type nobody knows yet.
func FuzzScan(f *testing.F) {
	for _, v := range cborVectors(&testing.T{}) {
		f.Add(v.Body)
	}
	f.Add(MustMarshal(map[int]any{-1: "x", 3: []any{uint64(1), int64(-5), true}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		accepted := scan(b, ArrayMax) == nil
		var v any
		if decMode.Unmarshal(b, &v) != nil {
			if accepted {
				t.Errorf("scan accepts %x, the decoder does not", b)
			}
			return
		}
		again, err := encMode.Marshal(v)
		same := err == nil && bytes.Equal(b, again)
		if accepted && !same {
			t.Errorf("scan accepts %x, which is written %x", b, again)
		}
	})
}

func BenchmarkUnmarshal(b *testing.B) {
	item := MustMarshal(sample{Uint: 300, Bytes: make([]byte, 300), Text: "text", Array: []uint64{1, 500}, Map: &sampleMap{-30}})
	b.SetBytes(int64(len(item)))
	b.ReportAllocs()
	for b.Loop() {
		var s sample
		if err := Unmarshal(item, &s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKDF(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		KDF32([32]byte{}, "bench", nil)
	}
}
