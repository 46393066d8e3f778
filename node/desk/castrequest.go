package desk

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/deid"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/vault"
)

// profileOf finds a profile; none is the default one.
func profileOf(name string) (string, deid.Options, error) {
	if name == "" {
		name = deid.ProfileDefault
	}
	o, ok := deid.ProfileOptions(name)
	if !ok {
		return name, o, control.Errorf(control.Usage, "there is no such profile").WithHint("profiles: %s", strings.Join(deid.Profiles(), ", "))
	}
	return name, o, nil
}

// readChoices reads what a person decided. Each instance is decided about once.
func readChoices(said control.Choices) (rows map[string]choiceRow, all bool, err error) {
	rows = map[string]choiceRow{}
	add := func(uid string, decided uint64) error {
		if was, twice := rows[uid]; twice && was.Decided != decided {
			return control.Errorf(control.Usage, "two things were decided about one instance").WithHint("each is released, blackened or left out")
		}
		if !study.ValidUID(uid) {
			return control.Errorf(control.Usage, "a decision names an instance by its SOP Instance UID").WithHint("see them with: curbside deid preview")
		}
		r := rows[uid]
		r.UID, r.Decided = uid, decided
		rows[uid] = r
		return nil
	}
	for _, uid := range said.Release {
		if uid == "all" {
			all = true
			continue
		}
		if err := add(uid, decidedRelease); err != nil {
			return nil, false, err
		}
	}
	for _, b := range said.Blacken {
		if err := add(b.SOPUID, decidedBlacken); err != nil {
			return nil, false, err
		}
		if b.X < 0 || b.Y < 0 || b.W < 1 || b.H < 1 {
			return nil, false, control.Errorf(control.Usage, "a rectangle to blacken is x,y,width,height in pixels")
		}
		r := rows[b.SOPUID]
		r.Rects = append(r.Rects, deid.Rect{X: uint64(b.X), Y: uint64(b.Y), W: uint64(b.W), H: uint64(b.H)})
		rows[b.SOPUID] = r
	}
	for _, uid := range said.LeaveOut {
		if err := add(uid, decidedLeave); err != nil {
			return nil, false, err
		}
	}
	return rows, all, nil
}

// DeidPreview says what a pseudonymous share of a study would take away, keep, and ask a person about.
func (d *Desk) DeidPreview(ctx context.Context, req control.DeidRequest) (control.Deid, error) {
	var none control.Deid
	name, options, err := profileOf(req.Profile)
	if err != nil {
		return none, err
	}
	x, err := hold(d, func() (*casting, error) {
		p, err := d.acting(ctx)
		if err != nil {
			return nil, err
		}
		h, err := d.findStudy(p, req.Study)
		if err != nil {
			return nil, err
		}
		if h.row == nil || h.key.owner != p.id {
			return nil, control.Errorf(control.Refused, "this study was received, not imported here").WithHint("who imported it decides how it is shared")
		}
		if h.absent > 0 {
			return nil, control.Errorf(control.Refused, "images of this study are missing on disk").WithHint("see: curbside study verify")
		}
		return d.newCasting(h, h.manifest, h.row, &deid.Case{Key: wire.NewSecret(), Options: options}), nil
	})
	if err != nil {
		return none, err
	}
	if err := x.run(ctx); err != nil {
		return none, err
	}
	out := control.Deid{
		Profile: name, Options: options.Codes(), Changes: []control.DeidChange{}, Kept: []control.DeidChange{},
		Risky: append([]control.DeidRisky{}, x.risky...), Excluded: append([]control.DeidExcluded{}, x.out...),
		Images: int(x.m.Complete.Listed), Ready: len(x.rows), Warnings: x.warnings(true),
	}
	for ch, n := range x.changes {
		row := control.DeidChange{Tag: ch.Tag.String(), Name: text.Line(deid.NameOf(ch.Tag)), Action: ch.Action, Count: n}
		if ch.Action == "kept" {
			out.Kept = append(out.Kept, row)
		} else {
			out.Changes = append(out.Changes, row)
		}
	}
	byTag := func(a, b control.DeidChange) int { return strings.Compare(a.Tag+a.Action, b.Tag+b.Action) }
	slices.SortFunc(out.Changes, byTag)
	slices.SortFunc(out.Kept, byTag)
	return out, nil
}

// warnings say what a share cannot promise.
func (x *casting) warnings(preview bool) []string {
	var out []string
	if x.face {
		out = append(out, "a volume of a head: a face can be made of it again, and nothing here takes it away")
	}
	if x.c.Options.FullDates {
		out = append(out, "the dates stay as they are: with them a patient is often found again")
	}
	if n := len(x.left); n > 0 && !preview {
		out = append(out, fmt.Sprintf("%d of %d images are left out, and count as missing", n, x.m.Complete.Listed))
	}
	return out
}

// decideCase is what a request says of how its studies go under pseudonyms.
func (plan *newCase) decideCase(req control.NewCase) error {
	if req.Identified {
		if req.Profile != "" || len(req.Release)+len(req.Blacken)+len(req.LeaveOut) > 0 {
			return control.Errorf(control.Usage, "an identified request sends everything as it is").WithHint("leave --identified away, or --profile, --release, --blacken and --leave-out")
		}
		return nil
	}
	name, options, err := profileOf(req.Profile)
	if err != nil {
		return err
	}
	plan.profile, plan.cast = name, &deid.Case{Key: wire.NewSecret(), Options: options}
	plan.choices, plan.release, err = readChoices(req.Choices)
	return err
}

// lineage is what a study is called in the case.
func (plan *newCase) lineage(h *holding) [16]byte {
	if plan.cast == nil {
		return h.key.lineage
	}
	return plan.cast.Lineage(h.key.lineage)
}

// castAll makes the shares of a request, or says what a person must decide first. The importing
// lock is held: no blob that is made here may be swept before the case names it.
func (d *Desk) castAll(ctx context.Context, plan *newCase, dry bool) error {
	used := map[string]bool{}
	var undecided []string
	var castings []*casting
	batch := d.blobs.NewBatch()
	defer batch.Abort()
	for _, h := range plan.holdings {
		x, err := hold(d, func() (*casting, error) {
			if h.row == nil {
				return nil, control.Errorf(control.NotFound, "no such study")
			}
			return d.newCasting(h, h.manifest, h.row, plan.cast), nil
		})
		if err != nil {
			return err
		}
		x.choices, x.all, x.hs = plan.choices, plan.release, wire.NewSecret()
		if !dry {
			x.batch = batch
		}
		if err := x.run(ctx); err != nil {
			return err
		}
		maps.Copy(used, x.used)
		undecided = append(undecided, x.undecided()...)
		castings = append(castings, x)
		plan.warnings = append(plan.warnings, x.warnings(false)...)
	}
	if len(undecided) > 0 {
		return undecidedError(plan, castings, undecided)
	}
	for uid := range plan.choices {
		if !used[uid] {
			if err := d.choiceOfNone(plan, uid); err != nil {
				return err
			}
		}
	}
	if dry {
		return nil
	}
	if err := batch.Commit(); err != nil {
		return internal("keep blobs", err)
	}
	for _, x := range castings {
		s, err := d.share(ctx, plan.p, x, plan.profile, nil)
		if err != nil {
			return err
		}
		plan.shares = append(plan.shares, s)
	}
	return nil
}

// choiceOfNone refuses a decision about what is not there: a typing error must not send an image.
func (d *Desk) choiceOfNone(plan *newCase, uid string) error {
	for _, h := range plan.holdings {
		if _, err := hold(d, func() (struct{}, error) {
			if h.manifest != nil && h.places[uid] != nil {
				return struct{}{}, nil
			}
			return struct{}{}, control.Errorf(control.NotFound, "no study of this request holds an instance that was decided about")
		}); err == nil {
			return nil
		}
	}
	return control.Errorf(control.NotFound, "no study of this request holds an instance that was decided about").WithHint("see them with: curbside deid preview STUDY")
}

func undecidedError(plan *newCase, castings []*casting, undecided []string) error {
	why := ""
	for _, x := range castings {
		for _, r := range x.risky {
			if r.SOPUID == undecided[0] {
				why = r.Reason
			}
		}
		for _, e := range x.out {
			if e.SOPUID == undecided[0] {
				why = e.Reason
			}
		}
	}
	what := fmt.Sprintf("a person must decide about %d instances first; the first is %s: %s", len(undecided), undecided[0], why)
	if len(undecided) == 1 {
		what = fmt.Sprintf("a person must decide about an instance first: %s: %s", undecided[0], why)
	}
	return control.Errorf(control.Refused, "%s", what).
		WithHint("look: curbside deid preview %s; then repeat the request with --release UID (or all), --blacken UID:x,y,w,h or --leave-out UID", plan.holdings[0].id()[:8])
}

// share makes manifest and row of what was cast; was is the version before, nil for the first.
func (d *Desk) share(ctx context.Context, p *person, x *casting, profile string, was *share) (*share, error) {
	m, err := x.manifest()
	if err != nil {
		return nil, err
	}
	m.Deid.Profile = profile
	m.Version, m.CreatedMS = 1, d.nowMS()
	if was != nil {
		m.Version, m.Previous = was.row.Shared.Version+1, &was.row.Shared.Ref.ID
	}
	batch := d.blobs.NewBatch()
	defer batch.Abort()
	if pack := d.previews(ctx, &m); pack != nil {
		sealed, ref, leaves := seal.BlobRandom(seal.Preview, pack)
		if err := batch.Put(ref.ID, sealed, leaves); err != nil {
			return nil, internal("keep previews", err)
		}
		m.Preview = &ref
	}
	b, err := m.Encode()
	if err != nil {
		return nil, internal("list study", err)
	}
	sealed, ref, leaves := seal.BlobRandom(seal.Manifest, b)
	if err := batch.Put(ref.ID, sealed, leaves); err != nil {
		return nil, internal("keep manifest", err)
	}
	if err := batch.Commit(); err != nil {
		return nil, internal("keep manifest", err)
	}
	row := &shareRow{
		Format: 1, HS: x.hs, Link: x.link(profile), Left: slices.Sorted(maps.Keys(x.left)),
		Shared: sharedRow{Version: m.Version, Ref: ref, Digest: digestOf(x.m)},
	}
	for _, uid := range slices.Sorted(maps.Keys(x.choices)) {
		row.Choices = append(row.Choices, x.choices[uid])
	}
	if was != nil {
		row.Thread = was.row.Thread
	}
	s := newShare(p, m.Lineage, row)
	s.manifest = &m
	return s, nil
}

func (x *casting) link(profile string) deid.Link {
	l := deid.Link{
		Format: 1, Edition: deid.Edition, Profile: profile, Key: x.c.Key, Days: int64(x.c.Shift()), Pseudonym: x.c.Pseudonym(x.patient),
		Original: x.m.Lineage, Patient: deid.LinkPatient{Sex: x.m.Study.Sex, Accession: x.m.Study.Accession},
	}
	if who := x.m.Study.Patient; who != nil {
		l.Patient.Name, l.Patient.ID, l.Patient.Issuer, l.Patient.BirthDate = who.Name, who.ID, who.Issuer, who.BirthDate
	}
	x.uids[x.m.Study.UID] = x.c.UID(x.m.Study.UID)
	for i := range x.m.Series {
		x.uids[x.m.Series[i].UID] = x.c.UID(x.m.Series[i].UID)
	}
	l.Add(x.uids)
	for _, k := range slices.Sorted(maps.Keys(x.removed)) {
		slices.Sort(x.removed[k].UIDs)
		l.Heads = append(l.Heads, *x.removed[k])
	}
	return l
}

// keepShares keeps the rows of shares for a case, before its entries say so. The lock is held.
func (d *Desk) keepShares(p *person, shares []*share, id ledger.ThreadID) error {
	rows := make([]vault.Row, 0, len(shares))
	for _, s := range shares {
		s.row.Thread = id
		value, err := wire.Marshal(*s.row)
		if err != nil {
			return internal("list share", err)
		}
		rows = append(rows, vault.Row{Table: tableShare, Key: string(s.key.lineage[:]), Value: value})
	}
	if err := p.vault.Batch(rows); err != nil {
		return internal("keep share", err)
	}
	for _, s := range shares {
		d.shares[s.key] = s
	}
	return nil
}

// grant is what a case is told of a share.
func (s *share) grant() consult.GrantBody {
	return grantOf(s.key.lineage, s.row.Shared, s.manifest)
}

func grantOf(lineage [16]byte, shared sharedRow, m *study.Manifest) consult.GrantBody {
	body := consult.GrantBody{Lineage: lineage, Version: shared.Version, Manifest: shared.Ref, Mode: m.Mode}
	body.Counts.Series = uint64(len(m.Series))
	body.Counts.Instances = m.Complete.Listed
	for _, s := range m.Series {
		for i := range s.Instances {
			body.Counts.Bytes += s.Instances[i].FileSize
		}
	}
	return body
}

// recast shares what came late to a study with the case that has it under a pseudonym, by the same
// profile. What a person would have to decide about stays out, and counts as missing.
func (d *Desk) recast(ctx context.Context, was *share) error {
	d.importing.Lock()
	defer d.importing.Unlock()
	x, err := hold(d, func() (*casting, error) {
		h, now := d.studies.held[was.original], d.studies.held[was.key]
		if h == nil || h.row == nil || now == nil || now.manifest == nil {
			return nil, control.Errorf(control.NotFound, "no such study")
		}
		options, ok := deid.ProfileOptions(was.row.Link.Profile)
		if !ok {
			return nil, control.Errorf(control.Refused, "the profile of a share is not known to this version")
		}
		x := d.newCasting(h, h.manifest, h.row, &deid.Case{Key: was.row.Link.Key, Options: options})
		x.hs = was.row.HS
		for _, c := range was.row.Choices {
			x.choices[c.UID] = c
		}
		for i := range now.manifest.Series {
			for _, row := range now.manifest.Series[i].Instances {
				x.before[row.UID] = row
			}
		}
		x.age = now.manifest.Study.Age
		for _, u := range was.row.Link.UIDs {
			x.uids[u.Original] = u.Surrogate
		}
		return x, nil
	})
	if err != nil {
		return err
	}
	batch := d.blobs.NewBatch()
	defer batch.Abort()
	x.batch = batch
	if err := x.run(ctx); err != nil {
		return err
	}
	if err := batch.Commit(); err != nil {
		return internal("keep blobs", err)
	}
	s, err := d.share(ctx, was.p, x, was.row.Link.Profile, was)
	if err != nil {
		return err
	}
	s.row.Link.Heads = append(slices.Clone(was.row.Link.Heads), s.row.Link.Heads...)
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.threads[s.row.Thread]
	if t == nil || !openState(t.fold().State) {
		return nil
	}
	body := s.grant()
	for _, g := range t.fold().Grants {
		if g.Lineage == s.key.lineage && g.Author == s.key.owner {
			body.Supersedes = &g.Entry
		}
	}
	if err := d.keepShares(s.p, []*share{s}, s.row.Thread); err != nil {
		return err
	}
	if _, err := d.append(t, s.p, ledger.Grant, body); err != nil {
		return err
	}
	d.follow(t)
	if n := len(x.left); n > len(was.row.Left) {
		d.log.InfoContext(ctx, "late images stay out of a pseudonymous case until somebody decides", slog.Int("images", n-len(was.row.Left)))
	}
	return nil
}
