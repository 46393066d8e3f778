package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/vault"
)

// studyRow is what the owner of a study keeps in the vault: the secrets that never leave it, the
// manifest of what was imported, and what was shared of it last.
type studyRow struct {
	Format    uint64                   `cbor:"1,keyasint"` // 1
	HS        wire.Secret              `cbor:"2,keyasint"`
	BS        wire.Secret              `cbor:"3,keyasint"`
	Manifest  []byte                   `cbor:"4,keyasint"`
	Patient   string                   `cbor:"5,keyasint,omitempty"` // key that tells patients of one study apart
	Order     [][]sliceRow             `cbor:"6,keyasint,omitempty"` // of each instance of each series
	Shared    *sharedRow               `cbor:"7,keyasint,omitempty"`
	Conflicts []study.ManifestInstance `cbor:"8,keyasint,omitempty"`
	AddedMS   int64                    `cbor:"9,keyasint"`
	Origin    uint64                   `cbor:"10,keyasint,omitempty"`
}

// How an own study came.
const (
	originImported = 0
	originDicom    = 1
)

// sharedRow is the newest version of the manifest that any case was granted.
type sharedRow struct {
	Version uint64   `cbor:"1,keyasint"`
	Ref     blob.Ref `cbor:"2,keyasint"`
	Digest  [32]byte `cbor:"3,keyasint"` // of what it lists, to see whether there is more by now
}

// loadStudies reads own studies from the vaults and granted ones from the cases.
func (d *Desk) loadStudies() error {
	for _, p := range d.persons {
		err := p.vault.Each(tableStudy, func(_ string, value []byte) error {
			var row studyRow
			if err := wire.UnmarshalLimit(value, &row, study.InstancesMax); err != nil {
				return fmt.Errorf("read study row: %w", err)
			}
			m, err := study.DecodeManifest(row.Manifest)
			if err != nil {
				return fmt.Errorf("read study row: %w", err)
			}
			h := newHolding(holdingKey{m.Lineage, p.id})
			h.row = &row
			if row.Shared != nil {
				h.manifestID = row.Shared.Ref.ID
			}
			d.studies.put(h, m, d.blobs.Has)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := errors.Join(d.loadShares(), d.door.load()); err != nil {
		return err
	}
	for _, t := range d.threads {
		d.follow(t)
	}
	if d.index != nil && d.index.Fresh() {
		d.rebuildIndex(nil)
	}
	return nil
}

// visible reports whether a person may see a study: their own, or granted to a case of theirs.
func (d *Desk) visible(p *person, h *holding) bool {
	if h.manifest == nil {
		return false
	}
	if h.key.owner == p.id {
		s := d.shares[h.key] // its owner sees the original of a share instead
		return s == nil || d.studies.held[s.original] == nil
	}
	for id := range h.threads {
		if t := d.threads[id]; t != nil && t.ledger.Members().Ranks[p.id] > ledger.RankNone && !t.stranger {
			return true
		}
	}
	return false
}

// findStudy finds a study by id, prefix, or Study Instance UID where one study has it.
func (d *Desk) findStudy(p *person, said string) (*holding, error) {
	var found []*holding
	for _, h := range d.studies.held {
		if d.visible(p, h) && (idMatches(h.id(), said) || h.manifest.Study.UID == said) {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 0:
		return nil, control.Errorf(control.NotFound, "no such study").WithHint("list them with: curbside study list")
	case 1:
		return found[0], nil
	}
	return nil, control.Errorf(control.Refused, "several studies are named so").WithHint("use the study id from: curbside study list")
}

func (d *Desk) studyRowOf(h *holding) control.Study {
	m := h.manifest
	s := control.Study{
		Study: h.id(), StudyUID: m.Study.UID, Description: text.Line(m.Study.Description),
		Modality: text.Line(strings.Join(m.Study.Modalities, "\\")), Date: text.Line(m.Study.Date),
		Series: len(m.Series), Instances: h.listed(), Present: h.present(),
		Complete: m.Complete.Whole() && h.absent == 0, Expected: expected(m.Complete),
		Origin: "received", Mode: "identified", Age: text.Line(m.Study.Age), Sex: text.Line(m.Study.Sex),
	}
	if m.Mode == study.ModePseudonymised {
		s.Mode = "pseudonymised"
		s.PatientName = text.Line(m.Study.Pseudonym)
	}
	if p := m.Study.Patient; p != nil {
		s.PatientName, s.PatientID = text.Line(p.Name), text.Line(p.ID)
	}
	if h.row != nil {
		s.Origin = "imported"
		if h.row.Origin == originDicom {
			s.Origin = "dicom"
		}
		s.Arriving = d.door.arriving(h)
	}
	seen := map[blob.ID]bool{}
	for i := range m.Series {
		for n := range m.Series[i].Instances {
			row := &m.Series[i].Instances[n]
			s.Bytes += int64(row.FileSize)
			if !seen[row.Head.Ref.ID] {
				seen[row.Head.Ref.ID] = true
				s.StoredBytes += int64(row.Head.Ref.SealedLen())
			}
			if row.Bulk.Ref != nil && !seen[row.Bulk.Ref.ID] {
				seen[row.Bulk.Ref.ID] = true
				s.StoredBytes += int64(row.Bulk.Ref.SealedLen())
			}
		}
	}
	return s
}

func expected(c study.Complete) *int {
	if c.Basis <= study.BasisNone || c.Expected == 0 {
		return nil
	}
	n := int(c.Expected)
	return &n
}

// StudyList lists the studies of a person, newest first.
func (d *Desk) StudyList(ctx context.Context, _ control.None) ([]control.Study, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	out := []control.Study{}
	for _, h := range d.studies.held {
		if d.visible(p, h) {
			out = append(out, d.studyRowOf(h))
		}
	}
	slices.SortFunc(out, func(a, b control.Study) int {
		return strings.Compare(b.Date+"\x00"+b.Study, a.Date+"\x00"+a.Study)
	})
	return out, nil
}

// StudyShow shows one study with its series.
func (d *Desk) StudyShow(ctx context.Context, req control.StudyRequest) (control.StudyDetail, error) {
	var states []stateRow
	out, err := hold(d, func() (control.StudyDetail, error) {
		p, err := d.acting(ctx)
		if err != nil {
			return control.StudyDetail{}, err
		}
		h, err := d.findStudy(p, req.Study)
		if err != nil {
			return control.StudyDetail{}, err
		}
		states = h.states()
		return d.studyDetail(h), nil
	})
	if err == nil {
		out.Presentations, err = d.stateInfos(ctx, states, nil, 0)
	}
	return out, err
}

func (d *Desk) studyDetail(h *holding) control.StudyDetail {
	m := h.manifest
	out := control.StudyDetail{
		Study: d.studyRowOf(h), ManifestVersion: int(m.Version),
		Basis: basisNames[m.Complete.Basis], SeriesList: []control.Series{},
	}
	for i := range m.Series {
		out.SeriesList = append(out.SeriesList, h.seriesRow(i))
	}
	return out
}

var basisNames = map[uint64]string{
	study.BasisNone: "none", study.BasisSource: "source", study.BasisMedia: "media", study.BasisPerson: "person",
}

func (h *holding) seriesRow(i int) control.Series {
	s := &h.manifest.Series[i]
	row := control.Series{
		SeriesUID: s.UID, Modality: text.Line(s.Modality), Description: text.Line(s.Description),
		BodyPart: text.Line(s.BodyPart), Instances: len(s.Instances), Expected: expected(s.Complete),
	}
	if s.Number != 0 {
		row.Number = &s.Number
	}
	for n := range s.Instances {
		if h.places[s.Instances[n].UID].missing == 0 {
			row.Present++
		}
	}
	row.Complete = s.Complete.Whole() && row.Present == row.Instances
	return row
}

// SeriesShow lists the instances of a series in reading order.
func (d *Desk) SeriesShow(ctx context.Context, req control.SeriesRequest) ([]control.InstanceRow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	h, err := d.findStudy(p, req.Study)
	if err != nil {
		return nil, err
	}
	for i := range h.manifest.Series {
		s := &h.manifest.Series[i]
		if s.UID != req.SeriesUID {
			continue
		}
		out := make([]control.InstanceRow, 0, len(s.Instances))
		for n := range s.Instances {
			out = append(out, h.instanceRow(&s.Instances[n]))
		}
		return out, nil
	}
	return nil, control.Errorf(control.NotFound, "no such series in this study")
}

func (h *holding) instanceRow(in *study.ManifestInstance) control.InstanceRow {
	row := control.InstanceRow{
		SOPUID: in.UID, Number: in.Number,
		Rows: int(in.Rows), Cols: int(in.Cols), Frames: int(in.Frames),
		Present: h.places[in.UID].missing == 0, Displayable: true,
	}
	switch {
	case in.Rows == 0 || in.Cols == 0:
		row.Displayable, row.Reason = false, "holds no image"
	case !codec.Displayable(in.TransferSyntax):
		row.Displayable = false
		row.Reason = "this version cannot display " + syntaxName(in.TransferSyntax)
	}
	return row
}

func syntaxName(uid string) string {
	if s, ok := study.SyntaxOf(uid); ok {
		return s.Name
	}
	return uid
}

// StudyRemove removes an own study that no open case holds. Blobs that nothing else names go too.
func (d *Desk) StudyRemove(ctx context.Context, req control.StudyRequest) (control.StudyRemoved, error) {
	d.importing.Lock()
	defer d.importing.Unlock()
	d.removing.Lock()
	defer d.removing.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	var none control.StudyRemoved
	p, err := d.acting(ctx)
	if err != nil {
		return none, err
	}
	h, err := d.findStudy(p, req.Study)
	if err != nil {
		return none, err
	}
	for id := range d.casesWith(h) {
		if t := d.threads[id]; t != nil && openState(t.fold().State) {
			return none, control.Errorf(control.Refused, "an open case holds this study").
				WithHint("close the case first: curbside case close %s", id.String()[:8])
		}
	}
	if h.row == nil {
		return none, control.Errorf(control.Refused, "this study belongs to a case of somebody else").WithHint("only imported studies can be removed")
	}
	out := control.StudyRemoved{Instances: h.listed(), Bytes: d.studyRowOf(h).StoredBytes}
	gone := []*holding{h}
	rows := []vault.Row{
		{Table: tableStudy, Key: string(h.key.lineage[:]), Delete: true},
		{Table: tableRemoved, Key: string(h.key.lineage[:])},
		{Table: tableRouted, Key: string(h.key.lineage[:]), Delete: true},
		{Table: tableArriving, Key: string(h.key.lineage[:]), Delete: true},
	}
	for _, s := range d.shares { // what closed cases had of it goes too; their Links stay, for what was said of it
		if o := d.studies.held[s.key]; s.original == h.key && o != nil {
			gone = append(gone, o)
			rows = append(rows, vault.Row{Table: tableRemoved, Key: string(s.key.lineage[:])})
		}
	}
	if err = p.vault.Batch(rows); err != nil {
		return none, internal("remove study", err)
	}
	// Closed cases keep their words; the images go, also for their members.
	for _, o := range gone {
		d.studies.forget(o)
		for i := range o.manifest.Series {
			for n := range o.manifest.Series[i].Instances {
				for _, id := range blobsOf(&o.manifest.Series[i].Instances[n]) {
					delete(d.grants, id)
				}
			}
		}
	}
	if _, _, err := d.blobs.Sweep(d.referenced()); err != nil { //nolint:contextcheck // what began is finished
		d.log.WarnContext(ctx, "blobs not swept", slog.Any("error", err))
	}
	d.record(p, actionPurge, "study", h.key.lineage[:])
	d.publish(control.Event{Event: "study", Study: h.id()})
	return out, nil
}

func openState(state string) bool {
	return state != "closed" && state != "withdrawn" && state != "declined"
}

// referenced tells which blobs something names: own studies, or grants of cases held here.
func (d *Desk) referenced() func(blob.ID) bool {
	keep := map[blob.ID]bool{}
	for id := range d.grants {
		keep[id] = true
	}
	row := func(in *study.ManifestInstance) {
		for _, id := range blobsOf(in) {
			keep[id] = true
		}
	}
	for _, h := range d.studies.held {
		for i := range h.manifest.Series {
			for n := range h.manifest.Series[i].Instances {
				row(&h.manifest.Series[i].Instances[n])
			}
		}
		if h.manifest.Preview != nil {
			keep[h.manifest.Preview.ID] = true
		}
		if h.row != nil {
			for i := range h.row.Conflicts {
				row(&h.row.Conflicts[i])
			}
			if h.row.Shared != nil {
				keep[h.row.Shared.Ref.ID] = true
			}
		}
	}
	return func(id blob.ID) bool { return keep[id] }
}
