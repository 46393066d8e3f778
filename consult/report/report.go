// Package report is the document that a signer signs: the text of an opinion
// with the question it answers, who gives it and what images they had.
//
//	Document = { 1: 1, 2: text, 3: status (1 preliminary, 2 final), 4: ThreadID, 5: round, 6: question, 7: name, 8: PersonID, ?9: credentials,
//	             10: [Image], 11: signed_ms, ?12: [[field, value]] sorted, ?13: drafted by }
//	Image    = { 1: manifest BlobID, 2: version, 3: label, 4: listed, 5: seen, ?6: expected, ?7: prior (1) }
//
// It is canonical CBOR, field 3 of entry kind 42 (FORMATS §7), and stands alone:
// whoever holds the entry and the signer's certificate can check and print it
// without the case. Text renders it. A document never changes; a new form is a
// new number in field 1.
//
// A [Dossier] is a whole case for people and programs outside: [PDF], [JSON] and
// [FHIR] print it. [Templates] are where a report starts.
package report

import (
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// Format is the only form of documents so far.
const Format = 1

// Statuses of a document.
const (
	Preliminary = 1
	Final       = 2
)

// Document is what is signed.
type Document struct {
	Format      uint64            `cbor:"1,keyasint"`
	Text        string            `cbor:"2,keyasint"`
	Status      uint64            `cbor:"3,keyasint"`
	Case        ledger.ThreadID   `cbor:"4,keyasint"`
	Round       uint64            `cbor:"5,keyasint"`
	Question    string            `cbor:"6,keyasint"` // cut to [QuestionMax] bytes
	Name        string            `cbor:"7,keyasint"`
	Author      identity.PersonID `cbor:"8,keyasint"`
	Credentials string            `cbor:"9,keyasint,omitempty"`
	Images      []Image           `cbor:"10,keyasint"`
	SignedMS    int64             `cbor:"11,keyasint"`
	Form        []Field           `cbor:"12,keyasint,omitempty"`
	DraftedBy   string            `cbor:"13,keyasint,omitempty"`
}

// Image is what the signer had of one study.
type Image struct {
	Manifest blob.ID `cbor:"1,keyasint"`
	Version  uint64  `cbor:"2,keyasint"`
	Label    string  `cbor:"3,keyasint"` // such as "CT chest, 2026-01-31"
	Listed   uint64  `cbor:"4,keyasint"` // by the manifest
	Seen     uint64  `cbor:"5,keyasint"` // here and verified when it was signed
	Expected *uint64 `cbor:"6,keyasint,omitempty"`
	Prior    uint64  `cbor:"7,keyasint,omitempty"`
}

// Field is one field of an opinion form.
type Field struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Value string
}
