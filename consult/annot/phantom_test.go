package annot

import (
	"bytes"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
)

// phantomFrame is the first frame of a file, as a viewer gets it.
func phantomFrame(t testing.TB, file []byte) *render.Frame {
	t.Helper()
	in, err := study.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := in.FrameOf(bytes.NewReader(file), in.Size, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := codec.Decode(in.FrameDesc(0), raw)
	if err != nil {
		t.Fatal(err)
	}
	f, err := render.New(n, in.Pixel.Frame(0))
	if err != nil {
		t.Fatal(err)
	}
	return f
}
