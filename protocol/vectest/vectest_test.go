package vectest

import (
	"bytes"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	for _, body := range [][]byte{nil, {1}, Pattern(32), Pattern(33)} {
		v := Vector{Name: "x", Expect: OK, Comment: "a: b", Fields: []Field{{"k", "v"}, Hex("h", []byte{1})}, Body: body}
		got, err := Parse("x.txt", v.Format())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Format(), v.Format()) || got.Get("k") != "v" || got.Hex(t, "h")[0] != 1 {
			t.Errorf("got %+v, want %+v", got, v)
		}
	}
}
