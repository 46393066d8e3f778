package report

import (
	"errors"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

func sample() *Document {
	return &Document{
		Format: Format, Text: "No.\n\nUnchanged since 2024.", Status: Final, Case: [32]byte{1}, Round: 1, Question: "Is the nodule new?",
		Name: "Ben", Author: [32]byte{2}, SignedMS: 1_700_000_000_000,
		Images: []Image{{Manifest: [32]byte{3}, Version: 1, Label: "CT chest, 2026-01-31", Listed: 60, Seen: 60, Expected: new(uint64(60))}},
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(d *Document, l *Later)
		want   []string
		not    []string
	}{
		{"final", func(*Document, *Later) {}, []string{"FINAL REPORT\n", "60 of 60 images\n", Footer, "Signed by Ben (02000000), 2023-11-14 22:13 UTC"}, []string{"INCOMPLETE", "SUPERSEDED", "unknown"}},
		{"preliminary", func(d *Document, _ *Later) { d.Status = Preliminary }, []string{"PRELIMINARY OPINION, not a final report"}, []string{"FINAL"}},
		{"part", func(d *Document, _ *Later) { d.Images[0].Seen = 54 }, []string{"54 of 60 images, INCOMPLETE"}, nil},
		{"unknown number", func(d *Document, _ *Later) { d.Images[0].Expected = nil }, []string{"60 images; number of images unknown"}, nil},
		{"part of unknown number", func(d *Document, _ *Later) { d.Images[0].Expected, d.Images[0].Seen = nil, 3 }, []string{"3 of 60 listed images, INCOMPLETE; number of images unknown"}, nil},
		{"fewer expected than listed", func(d *Document, _ *Later) { d.Images[0].Expected, d.Images[0].Seen = new(uint64(50)), 55 }, []string{"55 of 60 images, INCOMPLETE"}, nil},
		{"none", func(d *Document, _ *Later) { d.Images = nil }, []string{"Images reviewed\n  none"}, nil},
		{"prior", func(d *Document, _ *Later) { d.Images[0].Prior = 1 }, []string{"2026-01-31 (prior): 60"}, nil},
		{"later", func(_ *Document, l *Later) {
			*l = Later{Superseded: true, Stale: true, NotInForce: true, Addenda: []Addendum{{Correction: true, Text: "left"}, {Text: "also"}}}
		}, []string{"SUPERSEDED", "STALE", "NOT IN FORCE", "Correction, 1970", "Addendum, 1970"}, nil},
		{"hostile", func(d *Document, _ *Later) { d.Text, d.Name = "\x1b[2Ja\u202eb", "x\ny" }, []string{"[2Jab", "Signed by x y"}, []string{"\x1b", "\u202e"}},
		{"co-signed", func(d *Document, _ *Later) { d.DraftedBy, d.Credentials = "Tina, trainee", "MD" }, []string{"Ben, MD", "Drafted by Tina, trainee"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, l := sample(), Later{}
			tt.change(d, &l)
			got := Text(d, l)
			for _, s := range tt.want {
				if !strings.Contains(got, s) {
					t.Errorf("%q is not in:\n%s", s, got)
				}
			}
			for _, s := range tt.not {
				if strings.Contains(got, s) {
					t.Errorf("%q is in:\n%s", s, got)
				}
			}
		})
	}
}

func TestImagesLine(t *testing.T) {
	a := Image{Listed: 60, Seen: 60, Expected: new(uint64(60))}
	b := Image{Listed: 10, Seen: 4, Expected: new(uint64(10))}
	c := Image{Listed: 5, Seen: 5}
	for _, tt := range []struct {
		images []Image
		want   string
	}{
		{nil, "no images"},
		{[]Image{a}, "60 of 60 images"},
		{[]Image{a, b}, "64 of 70 images, INCOMPLETE"},
		{[]Image{a, c}, "65 images; number of images unknown"},
		{[]Image{a, b, c}, "69 of 75 listed images, INCOMPLETE; number of images unknown"},
	} {
		if got := ImagesLine(tt.images); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	long := strings.Repeat("x", TextMax+1)
	for _, tt := range []struct {
		name   string
		change func(d *Document)
		want   error
	}{
		{"format", func(d *Document) { d.Format = 2 }, ErrFormat},
		{"status", func(d *Document) { d.Status = 3 }, ErrField},
		{"round", func(d *Document) { d.Round = 0 }, ErrField},
		{"time", func(d *Document) { d.SignedMS = -1 }, ErrField},
		{"no text", func(d *Document) { d.Text = "" }, ErrText},
		{"long text", func(d *Document) { d.Text = long }, ErrText},
		{"long question", func(d *Document) { d.Question = long }, ErrText},
		{"long name", func(d *Document) { d.Name = long }, ErrText},
		{"many images", func(d *Document) { d.Images = make([]Image, ImagesMax+1) }, ErrMany},
		{"image version", func(d *Document) { d.Images[0].Version = 0 }, ErrField},
		{"more seen than listed", func(d *Document) { d.Images[0].Seen = 61 }, ErrField},
		{"form not sorted", func(d *Document) { d.Form = []Field{{Name: "b"}, {Name: "a"}} }, ErrMany},
		{"form without a name", func(d *Document) { d.Form = []Field{{Value: "a"}} }, ErrText},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := sample()
			tt.change(d)
			if _, err := Encode(d); !errors.Is(err, tt.want) {
				t.Errorf("encode: %v, want %v", err, tt.want)
			}
			if _, err := Decode(wire.MustMarshal(d)); !errors.Is(err, tt.want) {
				t.Errorf("decode: %v, want %v", err, tt.want)
			}
		})
	}
}

func TestExcerpt(t *testing.T) {
	if got := Excerpt("short"); got != "short" {
		t.Error(got)
	}
	long := Excerpt(strings.Repeat("ä", QuestionMax))
	if len(long) > QuestionMax || !strings.HasSuffix(long, "ä…") || strings.ContainsRune(long, '\ufffd') {
		t.Errorf("%d bytes, ends %q", len(long), long[len(long)-8:])
	}
}

func FuzzDecode(f *testing.F) {
	b, err := Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(b))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Encode(d)
		if err != nil || string(again) != string(b) {
			t.Fatalf("encodes to other bytes: %v", err)
		}
		Text(d, Later{})
		ImagesLine(d.Images)
	})
}
