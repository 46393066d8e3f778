package report

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/vectest"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

var update = flag.Bool("update", false, "write the vectors")

func judge(tb testing.TB, v vectest.Vector) string {
	tb.Helper()
	_, err := Decode(v.Body)
	for _, c := range []struct {
		name string
		err  error
	}{{"canonical", wire.ErrCanonical}, {"format", ErrFormat}, {"field", ErrField}, {"text", ErrText}, {"many", ErrMany}} {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	if err != nil {
		return err.Error()
	}
	return vectest.OK
}

func vectors() []vectest.Vector {
	one := func(name, expect, comment string, change func(d *Document)) vectest.Vector {
		d := sample()
		change(d)
		return vectest.Vector{Name: name, Expect: expect, Comment: comment, Body: wire.MustMarshal(d)}
	}
	return []vectest.Vector{
		one("final", "ok", "a final report on 60 of 60 images", func(*Document) {}),
		one("full", "ok", "every field", func(d *Document) {
			d.Status, d.Credentials, d.DraftedBy = Preliminary, "MD", "Tina"
			d.Images[0].Prior = 1
			d.Form = []Field{{Name: "confidence", Value: "probable"}, {Name: "recommendation", Value: "CT in 3 months"}}
		}),
		one("no-images", "ok", "no images", func(d *Document) { d.Images = []Image{} }),
		one("unknown-number", "ok", "nobody knows how many images there should be", func(d *Document) { d.Images[0].Expected = nil }),
		one("format", "format", "format 2", func(d *Document) { d.Format = 2 }),
		one("status", "field", "status 3", func(d *Document) { d.Status = 3 }),
		one("round", "field", "round 0", func(d *Document) { d.Round = 0 }),
		one("time", "field", "signed before 1970", func(d *Document) { d.SignedMS = -1 }),
		one("time-far", "field", "signed after the year 9999", func(d *Document) { d.SignedMS = signedMax + 1 }),
		one("no-text", "text", "no text", func(d *Document) { d.Text = "" }),
		one("long-text", "text", "a text of 32 KiB and a byte", func(d *Document) { d.Text = strings.Repeat("x", TextMax+1) }),
		one("long-question", "text", "a question of 4 KiB and a byte", func(d *Document) { d.Question = strings.Repeat("x", QuestionMax+1) }),
		one("long-name", "text", "a name of 1 KiB and a byte", func(d *Document) { d.Name = strings.Repeat("x", NameMax+1) }),
		one("image-version", "field", "an image of version 0", func(d *Document) { d.Images[0].Version = 0 }),
		one("image-seen", "field", "more seen than listed", func(d *Document) { d.Images[0].Seen = 61 }),
		one("image-count", "field", "more listed than there can be", func(d *Document) { d.Images[0].Listed = CountMax + 1 }),
		one("image-prior", "field", "prior 2", func(d *Document) { d.Images[0].Prior = 2 }),
		one("form-unsorted", "many", "form fields not sorted", func(d *Document) { d.Form = []Field{{Name: "b"}, {Name: "a"}} }),
		one("form-nameless", "text", "form field without a name", func(d *Document) { d.Form = []Field{{Value: "x"}} }),
		{Name: "empty", Expect: "canonical", Comment: "an empty map", Body: []byte{0xa0}},
		{Name: "trailing", Expect: "canonical", Comment: "a byte after the document", Body: append(wire.MustMarshal(sample()), 0)},
	}
}

func TestVectors(t *testing.T) {
	const dir = "testdata/vectors/document"
	var write func(string, []byte) error
	if *update {
		write = func(name string, text []byte) error {
			return os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
	}
	vectest.Run(t, os.DirFS(dir), vectors(), write, judge)
}
