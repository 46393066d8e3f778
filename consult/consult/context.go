package consult

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Context is what a request says beside the question, field 4 of kind 32:
//
//	Context = { 1: 1, ?2: [lineage 16] sorted, ?3: reply-to, ?4: [[field, value]] sorted, ?5: consent in words, ?6: [PersonID] sorted }
//
// Priors are the lineages sent for comparison only. Form is the request form by
// field name.
type Context struct {
	Priors      [][16]byte
	ReplyTo     string // call-back contact with its hours and zone
	Form        map[string]string
	ConsentNote string
	Delegates   []identity.PersonID // who may take reports for the requester
}

type contextBody struct {
	Format      uint64      `cbor:"1,keyasint"`
	Priors      [][16]byte  `cbor:"2,keyasint,omitempty"`
	ReplyTo     string      `cbor:"3,keyasint,omitempty"`
	Form        []formField `cbor:"4,keyasint,omitempty"`
	ConsentNote string      `cbor:"5,keyasint,omitempty"`

	Delegates []identity.PersonID `cbor:"6,keyasint,omitempty"`
}

type formField struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Value string
}

// Empty reports whether there is nothing to say.
func (c Context) Empty() bool {
	return len(c.Priors) == 0 && c.ReplyTo == "" && len(c.Form) == 0 && c.ConsentNote == "" && len(c.Delegates) == 0
}

// Encode returns the context for a RequestBody: nil if it is empty, which
// leaves the field out.
func (c Context) Encode() (wire.Raw, error) {
	if c.Empty() {
		return nil, nil
	}
	b := contextBody{Format: 1, Priors: slices.Clone(c.Priors), ReplyTo: c.ReplyTo, ConsentNote: c.ConsentNote}
	slices.SortFunc(b.Priors, func(x, y [16]byte) int { return bytes.Compare(x[:], y[:]) })
	b.Priors = slices.Compact(b.Priors)
	b.Delegates = slices.Clone(c.Delegates)
	slices.SortFunc(b.Delegates, func(x, y identity.PersonID) int { return bytes.Compare(x[:], y[:]) })
	b.Delegates = slices.Compact(b.Delegates)
	for _, name := range slices.Sorted(maps.Keys(c.Form)) {
		b.Form = append(b.Form, formField{Name: name, Value: c.Form[name]})
	}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("context: %w", err)
	}
	return wire.Marshal(b)
}

// DecodeContext reads what Encode writes; nothing is an empty context.
func DecodeContext(raw wire.Raw) (Context, error) {
	if len(raw) == 0 {
		return Context{}, nil
	}
	var b contextBody
	if err := wire.Unmarshal(raw, &b); err != nil {
		return Context{}, fmt.Errorf("context: %w", err)
	}
	if err := b.check(); err != nil {
		return Context{}, fmt.Errorf("context: %w", err)
	}
	c := Context{Priors: b.Priors, ReplyTo: b.ReplyTo, ConsentNote: b.ConsentNote, Delegates: b.Delegates}
	if len(b.Form) > 0 {
		c.Form = map[string]string{}
	}
	for _, f := range b.Form {
		c.Form[f.Name] = f.Value
	}
	return c, nil
}

func (b *contextBody) check() error {
	switch {
	case b.Format != 1:
		return ErrField
	case len(b.Priors) > PriorsMax, len(b.Form) > FormMax, len(b.Delegates) > DelegatesMax:
		return ErrMany
	case !wire.Ascending(b.Priors, func(x *[16]byte) []byte { return x[:] }),
		!wire.Ascending(b.Delegates, func(x *identity.PersonID) []byte { return x[:] }):
		return ErrMany
	case len(b.ReplyTo) > TextMax, len(b.ConsentNote) > TextMax:
		return ErrText
	}
	for i, f := range b.Form {
		if f.Name == "" || len(f.Name) > NameMax || len(f.Value) > TextMax {
			return ErrText
		}
		if i > 0 && cmp.Compare(b.Form[i-1].Name, f.Name) >= 0 {
			return ErrMany
		}
	}
	return nil
}
