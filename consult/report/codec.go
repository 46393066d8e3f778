package report

import (
	"fmt"
	"unicode/utf8"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Encode returns the canonical bytes of a document.
func Encode(d *Document) (wire.Raw, error) {
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("report document: %w", err)
	}
	c := *d
	if c.Images == nil {
		c.Images = []Image{}
	}
	return wire.Marshal(c)
}

// Decode reads a document.
func Decode(b []byte) (*Document, error) {
	d := &Document{}
	if err := wire.Unmarshal(b, d); err != nil {
		return nil, fmt.Errorf("report document: %w", err)
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("report document: %w", err)
	}
	return d, nil
}

func (d *Document) check() error {
	switch {
	case d.Format != Format:
		return ErrFormat
	case d.Status != Preliminary && d.Status != Final, d.Round == 0, d.Round > RoundMax, d.SignedMS < 0, d.SignedMS > signedMax:
		return ErrField
	case d.Text == "", len(d.Text) > TextMax, len(d.Question) > QuestionMax:
		return ErrText
	case len(d.Name) > NameMax, len(d.Credentials) > NameMax, len(d.DraftedBy) > NameMax:
		return ErrText
	case len(d.Images) > ImagesMax, len(d.Form) > FormMax:
		return ErrMany
	}
	for _, i := range d.Images {
		if err := i.check(); err != nil {
			return err
		}
	}
	for n, f := range d.Form {
		if f.Name == "" || len(f.Name) > NameMax || len(f.Value) > TextMax {
			return ErrText
		}
		if n > 0 && d.Form[n-1].Name >= f.Name {
			return ErrMany
		}
	}
	return nil
}

// signedMax is the year 9999, the last that prints.
const signedMax = 253402300799999

func (i *Image) check() error {
	switch {
	case i.Version == 0, i.Seen > i.Listed, i.Listed > CountMax, i.Prior > 1:
		return ErrField
	case i.Expected != nil && *i.Expected > CountMax:
		return ErrField
	case len(i.Label) > NameMax:
		return ErrText
	default:
		return nil
	}
}

// Excerpt cuts a question to what a document holds, at a character.
func Excerpt(question string) string {
	if len(question) <= QuestionMax {
		return question
	}
	const mark = "…"
	cut := QuestionMax - len(mark)
	for cut > 0 && !utf8.RuneStart(question[cut]) {
		cut--
	}
	return question[:cut] + mark
}
