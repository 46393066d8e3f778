package study

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Rules of §3.5 and §3.6, each an error of its own; all are ErrManifest, which
// is what a reader decides by: such a grant is refused and said aloud.
var (
	ErrManifest           = errors.New("manifest breaks a rule")
	ErrManifestSize       = rule("over the size limit")
	ErrManifestForm       = rule("not a manifest")
	ErrManifestFormat     = rule("unknown format number")
	ErrManifestLineage    = rule("lineage is zero")
	ErrManifestVersion    = rule("version is zero")
	ErrManifestPrevious   = rule("version and previous version disagree")
	ErrManifestMode       = rule("unknown mode")
	ErrManifestDeid       = rule("de-identification does not match the mode")
	ErrManifestIdentity   = rule("a pseudonymised study names its patient")
	ErrManifestPseudonym  = rule("an identified study has a pseudonym")
	ErrManifestSurrogate  = rule("a pseudonymised study has an original uid")
	ErrManifestUID        = rule("malformed uid")
	ErrManifestText       = rule("text over the limit")
	ErrManifestNoSeries   = rule("no series")
	ErrManifestNoInstance = rule("series without instances")
	ErrManifestInstances  = rule("too many instances")
	ErrManifestDuplicate  = rule("uid listed twice")
	ErrManifestListed     = rule("listed count is wrong")
	ErrManifestBasis      = rule("unknown basis")
	ErrManifestState      = rule("unknown state")
	ErrManifestComplete   = rule("complete without a matching expected count")
	ErrManifestHead       = rule("head over the limit")
	ErrManifestOff        = rule("bulk offset beyond the head")
	ErrManifestBulk       = rule("bulk, codec and length disagree")
	ErrManifestCodec      = rule("codec on an encapsulated bulk")
	ErrManifestFileSize   = rule("head and bulk do not add up to the file")
	ErrManifestShape      = rule("rows, columns or frames over the limit")
	ErrManifestFlags      = rule("unknown or contradicting flags")
	ErrManifestPreview    = rule("preview pack over the limit")
	ErrManifestCreated    = rule("creation time out of range")
	ErrManifestSlice      = rule("head slice beyond its pack")
	ErrManifestBlob       = rule("blob over the limit")
	ErrManifestRowDropped = rule("a row of the previous version is missing")
	ErrManifestRowChanged = rule("one uid has two different rows")
	ErrManifestNotNext    = rule("not the next version of this lineage")
)

func rule(s string) error { return fmt.Errorf("%w: %s", ErrManifest, s) }

// Encode checks every rule and returns the canonical bytes.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	b, err := wire.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	if len(b) > ManifestLenMax {
		return nil, ErrManifestSize
	}
	return b, nil
}

// DecodeManifest reads a manifest and checks every rule.
func DecodeManifest(b []byte) (*Manifest, error) {
	if len(b) > ManifestLenMax {
		return nil, ErrManifestSize
	}
	m := new(Manifest)
	if err := wire.UnmarshalLimit(b, m, wire.ManifestArrayMax); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifestForm, err)
	}
	return m, m.checked()
}

// Check reports the first rule that m breaks.
func (m *Manifest) Check() error { return m.checked() }

func (m *Manifest) checked() error {
	for _, check := range []func(*Manifest) error{checkHeader, checkMode, checkStudy, checkSeries, checkTotals} {
		if err := check(m); err != nil {
			return err
		}
	}
	return nil
}

func checkHeader(m *Manifest) error {
	switch {
	case m.Format != 1:
		return ErrManifestFormat
	case m.Lineage == [16]byte{}:
		return ErrManifestLineage
	case m.Version == 0:
		return ErrManifestVersion
	case (m.Version == 1) != (m.Previous == nil):
		return ErrManifestPrevious
	case m.CreatedMS < 0 || m.CreatedMS > timeMaxMS:
		return ErrManifestCreated
	case m.Preview != nil && m.Preview.Len > PreviewLenMax:
		return ErrManifestPreview
	}
	return nil
}

func checkMode(m *Manifest) error {
	switch m.Mode {
	case ModeIdentified:
		if m.Deid != nil {
			return ErrManifestDeid
		}
		if m.Study.Pseudonym != "" {
			return ErrManifestPseudonym
		}
	case ModePseudonymised:
		d := m.Deid
		if d == nil || d.Profile == "" || d.Pixels < 1 || d.Pixels > 3 || d.Dates < 1 || d.Dates > 3 || d.Options == nil {
			return ErrManifestDeid
		}
		if err := checkTexts(append([]string{d.Profile}, d.Options...)...); err != nil {
			return err
		}
		// FORMATS §3.6: no patient block, no accession number.
		if m.Study.Patient != nil || m.Study.Accession != "" {
			return ErrManifestIdentity
		}
	default:
		return ErrManifestMode
	}
	return nil
}

func checkStudy(m *Manifest) error {
	s := &m.Study
	if err := m.checkUID(s.UID); err != nil {
		return err
	}
	texts := append([]string{s.Date, s.Time, s.Description, s.BodyPart, s.Accession, s.Pseudonym, s.Age, s.Sex}, s.Modalities...)
	if p := s.Patient; p != nil {
		texts = append(texts, p.Name, p.ID, p.Issuer, p.BirthDate)
	}
	return checkTexts(texts...)
}

// checkUID checks a study, series or instance UID; a pseudonymised one is a
// UUID under 2.25 (FORMATS §3.6).
func (m *Manifest) checkUID(uid string) error {
	if !ValidUID(uid) {
		return ErrManifestUID
	}
	if m.Mode == ModePseudonymised && !isSurrogate(uid) {
		return ErrManifestSurrogate
	}
	return nil
}

func checkTexts(texts ...string) error {
	for _, t := range texts {
		if len(t) > ManifestTextMax {
			return ErrManifestText
		}
	}
	return nil
}

func checkSeries(m *Manifest) error {
	if len(m.Series) == 0 {
		return ErrManifestNoSeries
	}
	seen := map[string]bool{}
	total := 0
	for i := range m.Series {
		s := &m.Series[i]
		if len(s.Instances) == 0 {
			return ErrManifestNoInstance
		}
		if total += len(s.Instances); total > InstancesMax {
			return ErrManifestInstances
		}
		if err := m.checkUID(s.UID); err != nil {
			return err
		}
		if seen["s"+s.UID] {
			return ErrManifestDuplicate
		}
		seen["s"+s.UID] = true
		if err := checkTexts(s.Modality, s.Description, s.BodyPart); err != nil {
			return err
		}
		if err := m.checkInstances(s, seen); err != nil {
			return err
		}
		if err := s.Complete.check(uint64(len(s.Instances))); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manifest) checkInstances(s *ManifestSeries, seen map[string]bool) error {
	for i := range s.Instances {
		row := &s.Instances[i]
		if err := m.checkUID(row.UID); err != nil {
			return err
		}
		if seen["i"+row.UID] {
			return ErrManifestDuplicate
		}
		seen["i"+row.UID] = true
		if err := row.check(); err != nil {
			return err
		}
	}
	return nil
}

func (r *ManifestInstance) check() error {
	if !ValidUID(r.SOPClass) || !ValidUID(r.TransferSyntax) {
		return ErrManifestUID
	}
	if r.Rows > 65535 || r.Cols > 65535 || r.Frames > FramesMax {
		return ErrManifestShape
	}
	if r.Flags > 15 || r.Flags&FlagNotSplit != 0 && r.Bulk.Ref != nil {
		return ErrManifestFlags
	}
	if err := r.Head.check(); err != nil {
		return err
	}
	return r.checkBulk()
}

func (h *HeadRef) check() error {
	if h.Pack {
		if h.Ref.Len > blob.LenMax {
			return ErrManifestBlob
		}
		if h.Length > HeadLenMax || h.Offset > HeadLenMax*uint64(InstancesMax) {
			return ErrManifestSlice
		}
		return nil
	}
	if h.Ref.Len > HeadLenMax {
		return ErrManifestHead
	}
	return nil
}

func (r *ManifestInstance) checkBulk() error {
	if r.Off > r.Head.Len() {
		return ErrManifestOff
	}
	if r.Bulk.Ref == nil {
		if r.Codec != 0 || r.BulkLen != 0 {
			return ErrManifestBulk
		}
	} else {
		if r.Bulk.Ref.Len > blob.LenMax {
			return ErrManifestBlob
		}
		if r.BulkLen == 0 || r.Codec == 0 && r.BulkLen != r.Bulk.Ref.Len || r.BulkLen > InstanceBytesMax || r.Codec > 255 {
			return ErrManifestBulk
		}
		// FORMATS §3.2: codec 0 MUST be used for encapsulated transfer syntaxes.
		if s, known := SyntaxOf(r.TransferSyntax); r.Codec != 0 && known && s.Encapsulated {
			return ErrManifestCodec
		}
	}
	if sum, over := bits.Add64(r.Head.Len(), r.BulkLen, 0); over != 0 || sum != r.FileSize {
		return ErrManifestFileSize
	}
	return nil
}

func checkTotals(m *Manifest) error {
	var n uint64
	for i := range m.Series {
		n += uint64(len(m.Series[i].Instances))
	}
	return m.Complete.check(n)
}

func (c Complete) check(rows uint64) error {
	switch {
	case c.Listed != rows:
		return ErrManifestListed
	case c.Basis < BasisNone || c.Basis > BasisPerson:
		return ErrManifestBasis
	case c.State < StateOpen || c.State > StateClosedIncomplete:
		return ErrManifestState
	case c.State == StateComplete && (c.Basis == BasisNone || c.Expected != c.Listed):
		return ErrManifestComplete
	}
	return nil
}
