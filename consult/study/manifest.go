package study

import (
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Modes of a manifest.
const (
	ModeIdentified    = 1
	ModePseudonymised = 2
)

// Bases of a Complete: who says how many instances there should be.
const (
	BasisNone   = 1 // nobody
	BasisSource = 2 // a count by the source system
	BasisMedia  = 3 // a media directory
	BasisPerson = 4 // a person
)

// States of a Complete.
const (
	StateOpen             = 1
	StateComplete         = 2
	StateClosedIncomplete = 3
)

// Flags of a manifest row.
const (
	FlagWithdrawn    = 1
	FlagRedacted     = 2
	FlagNotSplit     = 4
	FlagFailedChecks = 8
)

// What a Deid says of pixels and dates.
const (
	PixelsUnchecked = 1
	PixelsClean     = 2
	PixelsRedacted  = 3

	DatesKept    = 1
	DatesShifted = 2
	DatesRemoved = 3
)

// Manifest is what a grant opens: a study with the references and keys of all
// its blobs (FORMATS.md §3.5). Encode and DecodeManifest check every rule.
type Manifest struct {
	Format    uint64           `cbor:"1,keyasint"` // 1
	Lineage   [16]byte         `cbor:"2,keyasint"` // random; the same in all versions
	Version   uint64           `cbor:"3,keyasint"` // from 1
	Previous  *blob.ID         `cbor:"4,keyasint,omitempty"`
	Mode      uint64           `cbor:"5,keyasint"`
	Study     ManifestStudy    `cbor:"6,keyasint"`
	Series    []ManifestSeries `cbor:"7,keyasint"`
	Complete  Complete         `cbor:"8,keyasint"`
	Preview   *blob.Ref        `cbor:"9,keyasint,omitempty"`
	CreatedMS int64            `cbor:"10,keyasint"`
	Deid      *Deid            `cbor:"11,keyasint,omitempty"` // iff mode 2
}

// ManifestStudy is the study of a manifest.
type ManifestStudy struct {
	UID         string           `cbor:"1,keyasint"`
	Date        string           `cbor:"2,keyasint,omitempty"` // DA as written
	Time        string           `cbor:"3,keyasint,omitempty"` // TM as written
	Description string           `cbor:"4,keyasint,omitempty"`
	Modalities  []string         `cbor:"5,keyasint,omitempty"`
	BodyPart    string           `cbor:"6,keyasint,omitempty"`
	Accession   string           `cbor:"7,keyasint,omitempty"` // mode 1 only
	Patient     *ManifestPatient `cbor:"8,keyasint,omitempty"` // mode 1 only
	Pseudonym   string           `cbor:"9,keyasint,omitempty"`
	Age         string           `cbor:"10,keyasint,omitempty"`
	Sex         string           `cbor:"11,keyasint,omitempty"`
}

// ManifestPatient identifies the patient in a mode 1 manifest.
type ManifestPatient struct {
	Name      string `cbor:"1,keyasint"`
	ID        string `cbor:"2,keyasint,omitempty"`
	Issuer    string `cbor:"3,keyasint,omitempty"`
	BirthDate string `cbor:"4,keyasint,omitempty"`
}

// ManifestSeries is one series, its instances in reading order.
type ManifestSeries struct {
	UID         string             `cbor:"1,keyasint"`
	Modality    string             `cbor:"2,keyasint"`
	Number      int64              `cbor:"3,keyasint,omitempty"`
	Description string             `cbor:"4,keyasint,omitempty"`
	BodyPart    string             `cbor:"5,keyasint,omitempty"`
	Complete    Complete           `cbor:"6,keyasint"`
	Instances   []ManifestInstance `cbor:"7,keyasint"`
}

// Complete says how much of a study or series is listed, and who says how much
// there should be.
type Complete struct {
	Listed         uint64 `cbor:"1,keyasint"`
	Expected       uint64 `cbor:"2,keyasint,omitempty"`
	ExpectedSeries uint64 `cbor:"3,keyasint,omitempty"`
	Basis          uint64 `cbor:"4,keyasint"`
	State          uint64 `cbor:"5,keyasint"`
}

// Whole reports whether a series may be shown as complete, provided that each
// of its blobs is here and verified: state 2, basis above 1, listed = expected.
func (c Complete) Whole() bool {
	return c.State == StateComplete && c.Basis > BasisNone && c.Listed == c.Expected
}

// ManifestInstance is one row, about 305 bytes.
type ManifestInstance struct {
	_              struct{} `cbor:",toarray"`
	UID            string
	SOPClass       string
	TransferSyntax string
	Number         int64
	Rows           uint64
	Cols           uint64
	Frames         uint64
	Head           HeadRef
	Off            uint64 // where the bulk goes in the head
	Bulk           BulkRef
	Codec          uint64
	BulkLen        uint64 // unpacked
	SHA256         [32]byte
	FileSize       uint64
	Flags          uint64
}

// HeadRef is a blob, or a slice of a head pack: BlobRef / [BlobRef, offset, length].
type HeadRef struct {
	Ref    blob.Ref
	Pack   bool   // Ref is a head pack, and the head is the slice of it
	Offset uint64 // within the unpacked head pack
	Length uint64
}

// Len is the length of the head.
func (h HeadRef) Len() uint64 {
	if h.Pack {
		return h.Length
	}
	return h.Ref.Len
}

// packSlice is the second form of a HeadRef.
type packSlice struct {
	_      struct{} `cbor:",toarray"`
	Ref    blob.Ref
	Offset uint64
	Length uint64
}

// MarshalCBOR writes one of the two forms.
func (h HeadRef) MarshalCBOR() ([]byte, error) {
	if h.Pack {
		return wire.Marshal(packSlice{Ref: h.Ref, Offset: h.Offset, Length: h.Length})
	}
	return wire.Marshal(h.Ref)
}

// UnmarshalCBOR reads either form: a BlobRef begins with a byte string, the
// slice of a pack with an array.
func (h *HeadRef) UnmarshalCBOR(b []byte) error {
	*h = HeadRef{}
	const array = 4 // CBOR major type
	if len(b) > 1 && b[1]>>5 == array {
		var s packSlice
		if err := wire.Unmarshal(b, &s); err != nil {
			return err
		}
		*h = HeadRef{Ref: s.Ref, Pack: true, Offset: s.Offset, Length: s.Length}
		return nil
	}
	return wire.Unmarshal(b, &h.Ref)
}

// BulkRef is a blob, or nothing when the instance is all head.
type BulkRef struct{ Ref *blob.Ref }

// MarshalCBOR writes a BlobRef or [].
func (r BulkRef) MarshalCBOR() ([]byte, error) {
	if r.Ref == nil {
		return []byte{0x80}, nil
	}
	return wire.Marshal(*r.Ref)
}

// UnmarshalCBOR reads what MarshalCBOR writes.
func (r *BulkRef) UnmarshalCBOR(b []byte) error {
	r.Ref = nil
	if len(b) == 1 && b[0] == 0x80 {
		return nil
	}
	ref := new(blob.Ref)
	if err := wire.Unmarshal(b, ref); err != nil {
		return err
	}
	r.Ref = ref
	return nil
}

// Deid says how a pseudonymised study was made.
type Deid struct {
	Profile string   `cbor:"1,keyasint"`
	Options []string `cbor:"2,keyasint"`
	Pixels  uint64   `cbor:"3,keyasint"` // 1 not checked, 2 checked clean, 3 some redacted
	Dates   uint64   `cbor:"4,keyasint"` // 1 kept, 2 shifted, 3 removed
}
