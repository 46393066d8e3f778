package report

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Limits of a document. With all at their most it would not fit an entry, which
// the ledger refuses; each alone does.
const (
	// TextMax bounds the opinion, a text field of FORMATS §12.
	TextMax = 32 << 10
	// QuestionMax bounds the copy of the question: enough to know what was asked.
	QuestionMax = 4 << 10
	// NameMax bounds names, labels and credentials.
	NameMax = 1024
	// ImagesMax bounds the studies that a document lists.
	ImagesMax = 256
	// FormMax bounds the fields of an opinion form.
	FormMax = 128
	// roundMax is beyond any case.
	roundMax = 1 << 32
)

// Why a document is not one.
var (
	ErrFormat = errors.New("unknown document format")
	ErrField  = errors.New("field out of range")
	ErrText   = errors.New("text is empty or longer than its limit")
	ErrMany   = errors.New("list is longer than its limit or not sorted")
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
	case d.Status != Preliminary && d.Status != Final, d.Round == 0, d.Round > roundMax, d.SignedMS < 0:
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

func (i *Image) check() error {
	switch {
	case i.Version == 0, i.Seen > i.Listed, i.Prior > 1:
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
