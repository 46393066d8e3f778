package desk

import (
	"crypto/rand"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/vault"
)

// studyKey tells studies apart: by UID, and by patient, since two patients under one Study
// Instance UID must never be shown as one (IMAGING §2.3).
func studyKey(in *study.Instance) string { return in.StudyUID + "\x00" + patientKey(in) }

func patientKey(in *study.Instance) string {
	if in.Patient.ID != "" {
		return in.Patient.Issuer + "\x00" + in.Patient.ID
	}
	return "\x00\x00" + in.Patient.Name
}

// home finds or begins the study of an instance. A new one exists only in the runs at work until
// its first batch is committed.
func (r *importRun) home(in *study.Instance) *holding {
	key := studyKey(in)
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.drafts[key]; h != nil {
		return h
	}
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	for _, h := range r.d.studies.held {
		if h.row != nil && h.key.owner == r.p.id && h.manifest.Study.UID == in.StudyUID && h.row.Patient == patientKey(in) {
			r.drafts[key] = h
			return h
		}
	}
	begun := draftKey{r.p.id, key}
	if h := r.d.drafts[begun]; h != nil {
		r.drafts[key] = h
		return h
	}
	var lineage [16]byte
	_, _ = rand.Read(lineage[:]) // never fails
	h := newHolding(holdingKey{lineage, r.p.id})
	h.row = &studyRow{
		Format: 1, HS: wire.NewSecret(), BS: wire.NewSecret(), Patient: patientKey(in), AddedMS: r.d.nowMS(), Origin: r.origin,
	}
	r.drafts[key], r.d.drafts[begun] = h, h
	return h
}

// draftKey names a study that is begun and not committed yet.
type draftKey struct {
	owner identity.PersonID
	study string
}

// held reports whether the very file is held already, in its place or kept apart as a conflict.
func (r *importRun) held(f *sealedFile) bool {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	for _, h := range r.d.holders(f.in.SOPUID) {
		if h.row == nil || h.key.owner != r.p.id {
			continue
		}
		if row := h.at(h.places[f.in.SOPUID]); row.SHA256 == f.in.SHA256 {
			return true
		}
	}
	return false
}

// commit makes a batch durable, blobs first, then shows it.
func (r *importRun) commit(files []*sealedFile, res *control.ImportResult, tally map[*holding]*control.ImportedStudy) error {
	r.putting.Lock()
	batch := r.batch
	r.batch = r.d.blobs.NewBatch()
	r.putting.Unlock()
	// Every file that was handed over had its blobs added before, so they are in this batch or one
	// that is committed already.
	if err := batch.Commit(); err != nil {
		return internal("keep blobs", err)
	}
	if len(files) == 0 {
		return nil
	}
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	edits := map[*holding]*edit{}
	for _, f := range files {
		r.place(f, edits, res, tally)
	}
	var rows []vault.Row
	for h, e := range edits {
		row, err := e.finish(h)
		if err != nil {
			return internal("list study", err)
		}
		rows = append(rows, row)
	}
	if err := r.p.vault.Batch(rows); err != nil {
		return internal("keep study", err)
	}
	for h, e := range edits {
		h.row = e.row
		delete(r.d.drafts, draftKey{h.key.owner, e.manifest.Study.UID + "\x00" + e.row.Patient})
		r.d.studies.put(h, e.manifest, r.d.blobs.Has)
		r.d.indexStudy(h)
		r.d.publish(control.Event{Event: "study", Study: h.id()})
	}
	return nil
}

// edit is a study as it will be after the batch; the study itself stays as it is until then.
type edit struct {
	row      *studyRow
	manifest *study.Manifest
	byUID    map[string][32]byte // what was added here, by SOP Instance UID
	touched  map[string]bool     // series that something was added to
}

func (r *importRun) place(f *sealedFile, edits map[*holding]*edit, res *control.ImportResult, tally map[*holding]*control.ImportedStudy) {
	h := f.h
	conflictIn := h
	known, sum := false, [32]byte{}
	for _, o := range r.d.holders(f.in.SOPUID) {
		if o.row != nil && o.key.owner == r.p.id {
			known, sum, conflictIn = true, o.at(o.places[f.in.SOPUID]).SHA256, o
		}
	}
	for o, e := range edits {
		if s, ok := e.byUID[f.in.SOPUID]; ok && !known {
			known, sum, conflictIn = true, s, o
		}
	}
	if known {
		h = conflictIn
	}
	f.h = h
	t := tally[h]
	if t == nil {
		t = &control.ImportedStudy{Study: h.id(), StudyUID: f.in.StudyUID, Modality: f.in.Modality}
		tally[h] = t
	}
	t.Bytes += f.in.Size
	switch {
	case !known:
		e := r.edit(h, edits, f.in)
		e.add(f)
		t.New++
		f.as = TakenNew
	case sum == f.in.SHA256:
		t.Duplicate++
		f.as = TakenDuplicate
	default:
		f.as = TakenConflict
		res.Refused = append(res.Refused, control.RefusedFile{
			Path: f.src.path, Reason: study.Conflict,
			Detail: "another instance with this SOP Instance UID is held; both are kept, this one apart",
		})
		e := r.edit(h, edits, f.in)
		e.conflict(f)
	}
}

func (r *importRun) edit(h *holding, edits map[*holding]*edit, in *study.Instance) *edit {
	if e := edits[h]; e != nil {
		return e
	}
	row := *h.row
	e := &edit{row: &row, byUID: map[string][32]byte{}, touched: map[string]bool{}}
	if h.manifest != nil {
		m := *h.manifest
		m.Series = nil
		for _, s := range h.manifest.Series {
			s.Instances = slices.Clone(s.Instances)
			m.Series = append(m.Series, s)
		}
		e.manifest = &m
		e.row.Order = nil
		for _, o := range h.row.Order {
			e.row.Order = append(e.row.Order, slices.Clone(o))
		}
	} else {
		e.manifest = newManifest(h, in, r.d.nowMS())
	}
	edits[h] = e
	return e
}

func newManifest(h *holding, in *study.Instance, nowMS int64) *study.Manifest {
	open := study.Complete{Basis: study.BasisNone, State: study.StateOpen}
	m := &study.Manifest{
		Format: 1, Lineage: h.key.lineage, Version: 1, Mode: study.ModeIdentified, Complete: open, CreatedMS: nowMS,
		Study: study.ManifestStudy{
			UID: in.StudyUID, Date: cut(in.StudyDate), Time: cut(in.StudyTime), Description: cut(in.StudyDescription),
			BodyPart: cut(in.BodyPart), Accession: cut(in.Accession), Age: cut(in.Patient.Age), Sex: cut(in.Patient.Sex),
		},
	}
	if in.Patient.Name != "" || in.Patient.ID != "" {
		m.Study.Patient = &study.ManifestPatient{
			Name: cut(in.Patient.Name), ID: cut(in.Patient.ID), Issuer: cut(in.Patient.Issuer), BirthDate: cut(in.Patient.BirthDate),
		}
	}
	return m
}

// cut keeps a text of the head within what a manifest may hold, on a rune's border.
func cut(s string) string {
	if len(s) <= study.ManifestTextMax {
		return s
	}
	return strings.ToValidUTF8(s[:study.ManifestTextMax], "")
}

// add lists an instance in its series.
func (e *edit) add(f *sealedFile) {
	in := f.in
	i := slices.IndexFunc(e.manifest.Series, func(s study.ManifestSeries) bool { return s.UID == in.SeriesUID })
	if i < 0 {
		i = len(e.manifest.Series)
		s := study.ManifestSeries{
			UID: in.SeriesUID, Modality: cut(in.Modality), Description: cut(in.SeriesDescription), BodyPart: cut(in.BodyPart),
			Complete: study.Complete{Basis: study.BasisNone, State: study.StateOpen},
		}
		if in.SeriesNumber != nil {
			s.Number = *in.SeriesNumber
		}
		e.manifest.Series = append(e.manifest.Series, s)
		e.row.Order = append(e.row.Order, nil)
		if in.Modality != "" && !slices.Contains(e.manifest.Study.Modalities, cut(in.Modality)) {
			e.manifest.Study.Modalities = append(e.manifest.Study.Modalities, cut(in.Modality))
		}
	}
	e.manifest.Series[i].Instances = append(e.manifest.Series[i].Instances, f.row)
	e.row.Order[i] = append(e.row.Order[i], sliceRowOf(in))
	e.byUID[in.SOPUID] = in.SHA256
	e.touched[in.SeriesUID] = true
}

// conflict keeps an instance apart, once.
func (e *edit) conflict(f *sealedFile) {
	for i := range e.row.Conflicts {
		if e.row.Conflicts[i].SHA256 == f.row.SHA256 {
			return
		}
	}
	e.row.Conflicts = append(e.row.Conflicts, f.row)
}

// finish sorts and counts, and gives the row to be kept.
func (e *edit) finish(h *holding) (vault.Row, error) {
	m := e.manifest
	total := uint64(0)
	for i := range m.Series {
		if e.touched[m.Series[i].UID] {
			sortSeries(m.Series[i].Instances, e.row.Order[i])
		}
		n := uint64(len(m.Series[i].Instances))
		m.Series[i].Complete.Listed = n
		total += n
	}
	m.Complete.Listed = total
	sortStudy(m.Series, e.row.Order)
	var err error
	if e.row.Manifest, err = m.Encode(); err != nil {
		return vault.Row{}, err
	}
	value, err := wire.Marshal(*e.row)
	if err != nil {
		return vault.Row{}, err
	}
	return vault.Row{Table: tableStudy, Key: string(h.key.lineage[:]), Value: value}, nil
}
