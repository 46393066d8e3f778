package desk

import (
	"bytes"
	"cmp"
	"context"
	"image/jpeg"
	"log/slog"
	"slices"
	"time"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/deid"
	"github.com/curbside-p2p/curbside/consult/form"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

const previewQuality = 60

// Request opens a case: it seals the manifests of the studies and posts members, request, grants
// and assignment in one durable step.
func (d *Desk) Request(ctx context.Context, req control.NewCase) (control.CaseRef, error) {
	var none control.CaseRef
	plan, err := hold(d, func() (*newCase, error) { return d.planRequest(ctx, req) })
	if err != nil {
		return none, err
	}
	if plan.was != "" {
		return control.CaseRef{Case: plan.was, Warnings: plan.warnings}, nil
	}
	if plan.cast != nil {
		return d.requestCast(ctx, plan, req.Check)
	}
	if req.Check {
		return control.CaseRef{Warnings: plan.warnings}, nil
	}
	for _, h := range plan.holdings {
		if err := d.seal(ctx, plan.p, h); err != nil {
			return none, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.openCase(plan)
}

// requestCast opens a case with studies under pseudonyms.
func (d *Desk) requestCast(ctx context.Context, plan *newCase, check bool) (control.CaseRef, error) {
	d.importing.Lock() // the studies must not change while they are cast
	defer d.importing.Unlock()
	if err := d.castAll(ctx, plan, check); err != nil || check {
		return control.CaseRef{Warnings: plan.warnings}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.openCase(plan)
}

// newCase is a request whose every word was checked.
type newCase struct {
	p        *person
	to       []identity.PersonID
	holdings []*holding // studies, then priors
	priors   int        // how many of them; one that was named as a study too is a study
	body     consult.RequestBody
	warnings []string
	key      string   // the caller's, for a request that is made once
	digest   [32]byte // of the request, where there is a key
	was      string   // the case that the key made before
	differs  string   // why studies of differing patients are in one case
	form     *form.Filled
	replyTo  string
	routed   *routed // the draft that is sent, if one is

	cast    *deid.Case // nil for an identified request
	profile string
	choices map[string]choiceRow
	release bool // all that a person must decide about
	shares  []*share
}

func (d *Desk) planRequest(ctx context.Context, req control.NewCase) (*newCase, error) {
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	plan := &newCase{p: p}
	if req.Draft != "" {
		if err := d.useDraft(plan, &req); err != nil {
			return nil, err
		}
	}
	if len(req.Studies) == 0 || len(req.To) == 0 {
		return nil, control.Errorf(control.Usage, "a request needs at least one study and one recipient")
	}
	if done, err := d.requestBefore(plan, req); done || err != nil {
		return plan, err
	}
	if plan.routed != nil {
		if err := d.waiting(plan.routed); err != nil {
			return nil, err
		}
	}
	if err := plan.decideCase(req); err != nil {
		return nil, err
	}
	if plan.to, err = d.recipients(p, req.To); err != nil {
		return nil, err
	}
	if err := d.attach(plan, req.Studies); err != nil {
		return nil, err
	}
	studies := len(plan.holdings)
	if err := d.attach(plan, req.Priors); err != nil {
		return nil, err
	}
	plan.priors = len(plan.holdings) - studies
	if err := plan.onePatient(req.OtherPatient); err != nil {
		return nil, err
	}
	if err := plan.question(req, d.setting("consent")); err != nil {
		return nil, err
	}
	return plan, d.lint(plan, req)
}

// recipients finds whom to send to, each once: known, trusted enough, not blocked (FIELD §4.3, G1).
func (d *Desk) recipients(p *person, to []string) ([]identity.PersonID, error) {
	var out []identity.PersonID
	for _, said := range to {
		id, err := d.findContact(p, said)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, id) {
			continue
		}
		if err := d.mayReceive(p, id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

func (d *Desk) mayReceive(p *person, id identity.PersonID) error {
	trust := d.trustOf(p, id)
	switch {
	case id == p.id:
		return control.Errorf(control.Refused, "a case cannot be sent to yourself")
	case trust == trustPending:
		return control.Errorf(control.Refused, "this contact is pending: its keys are not known yet").
			WithHint("it becomes a contact once both nodes have met, or by exchanging Join and Accept files")
	case trust == trustBlocked:
		return control.Errorf(control.Refused, "sending to this contact is blocked").
			WithHint("verify it again (contact verify), by a new invite, or remove it")
	case rankOfTrust(trust) < rankOfTrust(d.trustMin()):
		return control.Errorf(control.Refused, "this contact is %s, and the setting trust asks for %s", trust, d.trustMin()).
			WithHint("compare the safety number: curbside contact verify P --number NUMBER")
	}
	if d.cardOf(id) == nil {
		return control.Errorf(control.Refused, "this contact's key card is not known yet").WithHint("it comes when both nodes meet")
	}
	return nil
}

// attach finds the studies.
func (d *Desk) attach(plan *newCase, said []string) error {
	for _, s := range said {
		h, err := d.findStudy(plan.p, s)
		if err != nil {
			return err
		}
		if h.row == nil || h.key.owner != plan.p.id {
			return control.Errorf(control.Refused, "this study was received, not imported here").
				WithHint("invite the other person into the case it came with: curbside case invite")
		}
		if h.absent > 0 {
			return control.Errorf(control.Refused, "images of this study are missing on disk").WithHint("see: curbside study verify")
		}
		if slices.Contains(plan.holdings, h) {
			continue
		}
		plan.holdings = append(plan.holdings, h)
	}
	return nil
}

// question makes the body. What the form file says for the request itself counts where nothing else
// does.
func (plan *newCase) question(req control.NewCase, setting string) error {
	var err error
	if plan.form, err = parseForm(req.Form, form.Request); err != nil {
		return err
	}
	held := map[string]string{}
	if plan.form != nil {
		held = plan.form.Held()
	}
	var draft routedRow
	if plan.routed != nil {
		draft = plan.routed.row
	}
	priority, ok := consult.ParsePriority(cmp.Or(req.Priority, held["priority"], draft.Priority, consult.PriorityRoutine.String()))
	if !ok {
		return control.Errorf(control.Usage, "priority is stat, urgent or routine")
	}
	said := cmp.Or(req.Consent, held["consent"], setting)
	if said == "" {
		return control.Errorf(control.Refused, "on what basis the case is shared is not said (consent)").
			WithHint("say it with --consent treatment, patient, emergency, law or other, or keep one: config set consent treatment")
	}
	consent, ok := consult.ParseConsent(said)
	if !ok {
		return control.Errorf(control.Usage, "consent is treatment, patient, emergency, law or other")
	}
	plan.replyTo = held["reply_to"]
	raw, err := plan.context(held).Encode()
	if err != nil {
		return control.Errorf(control.Usage, "the form cannot be used: %v", err)
	}
	plan.body = consult.RequestBody{Question: cmp.Or(req.Question, held["question"], draft.Question), Priority: priority, Consent: consent, Context: raw}
	if req.Deadline == nil && held["needed_by"] != "" {
		at, err := time.Parse(time.RFC3339, held["needed_by"])
		if err != nil {
			return control.Errorf(control.Usage, "the form's needed_by is no time")
		}
		req.Deadline = &at
	}
	if req.Deadline != nil {
		plan.body.NeededByMS = req.Deadline.UnixMilli()
	}
	return nil
}

func (plan *newCase) context(held map[string]string) consult.Context {
	c := consult.Context{ReplyTo: held["reply_to"], ConsentNote: held["consent_note"]}
	for _, h := range plan.holdings[len(plan.holdings)-plan.priors:] {
		c.Priors = append(c.Priors, plan.lineage(h))
	}
	slices.SortFunc(c.Priors, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	if plan.form != nil {
		c.Form = plan.form.Context()
	}
	if plan.differs != "" {
		if c.Form == nil {
			c.Form = map[string]string{}
		}
		c.Form[fieldSamePatient] = plan.differs
	}
	return c
}

// openCase posts a checked request. The lock is held.
func (d *Desk) openCase(plan *newCase) (control.CaseRef, error) {
	var none control.CaseRef
	p, now := plan.p, d.nowMS()
	if plan.routed != nil { // another command may have sent it meanwhile
		if err := d.waiting(plan.routed); err != nil {
			return none, err
		}
	}
	for _, id := range plan.to { // sealing took a while: somebody may have been blocked meanwhile
		if err := d.mayReceive(p, id); err != nil {
			return none, err
		}
	}
	for _, h := range plan.holdings {
		if err := d.recordBefore(p, actionGrant, "study", h.key.lineage[:]); err != nil {
			return none, err
		}
	}
	lt, items, err := ledger.Found(p.local(), []identity.Person{p.profile.Person}, certsOf(p.profile), now, d)
	if err != nil {
		return none, ledgerError(err)
	}
	t := d.newThread(lt.ID())
	t.ledger = lt
	if err := consult.Authorize(t.fold(), p.id, ledger.Request, plan.body); err != nil {
		return none, refusal(err)
	}
	steps := []func() ([]ledger.Item, error){}
	for _, id := range plan.to {
		steps = append(steps, func() ([]ledger.Item, error) { return d.addMember(t, p, id, ledger.RankWriter) })
	}
	content := func(kind ledger.Kind, body any) {
		steps = append(steps, func() ([]ledger.Item, error) { return lt.Append(p.local(), kind, body, now, d) })
	}
	content(ledger.Request, plan.body)
	for i, h := range plan.holdings {
		if plan.cast != nil {
			content(ledger.Grant, plan.shares[i].grant())
			continue
		}
		content(ledger.Grant, h.grant())
	}
	content(ledger.Assign, consult.AssignBody{Persons: plan.to})
	for _, step := range steps {
		more, err := step()
		if err != nil {
			return none, ledgerError(err)
		}
		items = append(items, more...)
	}
	if plan.key != "" {
		if err := d.keepOnce(p, plan.key, onceRow{Digest: plan.digest, Thread: lt.ID()}); err != nil {
			return none, err
		}
	}
	if err := d.keepShares(p, plan.shares, lt.ID()); err != nil {
		return none, err
	}
	// Nothing of the case exists before this: it appears whole or not at all.
	if err := d.keepItems(t, items); err != nil {
		return none, err
	}
	t.changed()
	d.threads[lt.ID()] = t
	d.follow(t)
	d.announce(t, items)
	d.tell(func(n Network) { n.Renew() })
	return control.CaseRef{Case: lt.ID().String(), Warnings: plan.warnings}, nil
}

// addMember gives a person a rank, introducing them where the case does not know them.
func (d *Desk) addMember(t *thread, p *person, id identity.PersonID, rank ledger.Rank) ([]ledger.Item, error) {
	prof := d.profiles[id]
	if o := d.personOf(id); o != nil {
		prof = o.profile
	}
	body := ledger.RoleBody{Person: id, Rank: rank}
	if _, known := t.ledger.Members().Persons[id]; !known && prof != nil {
		body.Record = &prof.Person
		for _, c := range certsOf(prof) {
			body.Certs = append(body.Certs, wire.Raw(c))
		}
	}
	return t.ledger.Role(p.local(), body, d.nowMS(), d)
}

func certsOf(prof *identity.Profile) [][]byte {
	var out [][]byte
	for _, c := range prof.Devices {
		if c.Revoked == 0 {
			out = append(out, c.Bytes)
		}
	}
	slices.SortFunc(out, bytes.Compare)
	return out
}

func (h *holding) grant() consult.GrantBody {
	return grantOf(h.key.lineage, *h.row.Shared, h.manifest)
}

// seal makes a version of a study's manifest that says what the study holds now, with previews,
// unless the newest one does.
func (d *Desk) seal(ctx context.Context, p *person, h *holding) error {
	d.importing.Lock() // the study must not change while it is listed
	defer d.importing.Unlock()
	d.mu.Lock()
	if h.row == nil {
		d.mu.Unlock()
		return control.Errorf(control.NotFound, "no such study")
	}
	m := *h.manifest
	shared := h.row.Shared
	d.mu.Unlock()
	digest := digestOf(&m)
	if shared != nil && shared.Digest == digest && d.blobs.Has(shared.Ref.ID) {
		return nil
	}
	batch := d.blobs.NewBatch()
	defer batch.Abort()
	m.Version, m.Previous, m.CreatedMS = 1, nil, d.nowMS()
	if shared != nil {
		m.Version, m.Previous = shared.Version+1, &shared.Ref.ID
	}
	m.Preview = nil
	if pack := d.previews(ctx, &m); pack != nil {
		sealed, ref, leaves := seal.BlobRandom(seal.Preview, pack)
		if err := batch.Put(ref.ID, sealed, leaves); err != nil {
			return internal("keep previews", err)
		}
		m.Preview = &ref
	}
	b, err := m.Encode()
	if err != nil {
		return internal("list study", err)
	}
	sealed, ref, leaves := seal.BlobRandom(seal.Manifest, b)
	if err := batch.Put(ref.ID, sealed, leaves); err != nil {
		return internal("keep manifest", err)
	}
	if err := batch.Commit(); err != nil {
		return internal("keep manifest", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	row := *h.row
	row.Shared = &sharedRow{Version: m.Version, Ref: ref, Digest: digest}
	value, err := wire.Marshal(row)
	if err != nil {
		return internal("list study", err)
	}
	if err := p.vault.Put(tableStudy, string(h.key.lineage[:]), value); err != nil {
		return internal("keep study", err)
	}
	h.row, h.manifestID = &row, ref.ID
	return nil
}

// digestOf tells whether a study lists other instances than when it was shared last.
func digestOf(m *study.Manifest) [32]byte {
	var rows []byte
	for i := range m.Series {
		for n := range m.Series[i].Instances {
			rows = append(rows, m.Series[i].Instances[n].SHA256[:]...)
		}
	}
	return wire.Hash("local/study", rows)
}

// previews draws the middle image of each series. What cannot be drawn has no preview.
func (d *Desk) previews(ctx context.Context, m *study.Manifest) []byte {
	pack := study.Preview{Format: 1}
	size := 0
	for i := range m.Series {
		s := &m.Series[i]
		n := len(s.Instances) / 2
		row := &s.Instances[n]
		if row.Rows == 0 || row.Cols == 0 || ctx.Err() != nil {
			continue
		}
		k := int(row.Frames) / 2
		native, in, err := d.readFrame(ctx, row, k)
		if err != nil {
			continue
		}
		f, err := render.New(native, in.Pixel.Frame(k))
		if err != nil {
			continue
		}
		img := f.Preview(render.Options{}, study.PreviewSideMax)
		var buf bytes.Buffer
		if jpeg.Encode(&buf, img, &jpeg.Options{Quality: previewQuality}) != nil || size+buf.Len() > study.PreviewLenMax/2 {
			continue
		}
		size += buf.Len()
		b := img.Bounds()
		pack.Images = append(pack.Images, study.PreviewImage{
			Series: uint64(i), Instance: uint64(n), Frame: uint64(k), Format: study.PreviewJPEG,
			Width: uint64(b.Dx()), Height: uint64(b.Dy()), Bytes: buf.Bytes(),
		})
	}
	if len(pack.Images) == 0 {
		return nil
	}
	b, err := pack.Encode()
	if err != nil {
		d.log.WarnContext(ctx, "previews not made", slog.Any("error", err))
		return nil
	}
	return b
}

// regrant sends what came late to own studies to the open cases that have them, as a new version.
// It asks what the cases were granted, not what was just imported: where an import was committed
// and the node ended before it was granted, the next import or start makes up for it. The importing
// lock may be held by the caller: the work is done when that is released, also if ctx has ended then.
func (d *Desk) regrant(ctx context.Context) {
	again := map[*holding]*person{}
	var late []*share
	d.mu.Lock()
	for _, h := range d.studies.held {
		if p := d.personOf(h.key.owner); p != nil && h.row != nil && d.behind(h) {
			again[h] = p
		}
	}
	for _, s := range d.shares {
		if h, t := d.studies.held[s.original], d.threads[s.row.Thread]; h != nil && h.row != nil && t != nil && openState(t.fold().State) && s.row.Shared.Digest != digestOf(h.manifest) {
			late = append(late, s)
		}
	}
	d.mu.Unlock()
	if len(again)+len(late) == 0 {
		return
	}
	d.loops.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), regrantTimeout)
		defer cancel()
		for h, p := range again {
			if err := d.seal(ctx, p, h); err != nil {
				d.log.WarnContext(ctx, "late images not listed", slog.Any("error", err))
				continue
			}
			d.grantAgain(p, h)
		}
		for _, s := range late {
			if err := d.recast(ctx, s); err != nil {
				d.log.WarnContext(ctx, "late images not shared", slog.Any("error", err))
			}
		}
	})
}

const regrantTimeout = time.Minute

// behind reports whether an open case was granted an older version of an own study than there is.
func (d *Desk) behind(h *holding) bool {
	fresh := h.row.Shared == nil || h.row.Shared.Digest != digestOf(h.manifest)
	for id := range h.threads {
		if g := d.ownGrant(id, h); g != nil && (fresh || g.Version < h.row.Shared.Version) {
			return true
		}
	}
	return false
}

// ownGrant is the newest grant of an own study in an open case.
func (d *Desk) ownGrant(id ledger.ThreadID, h *holding) *consult.Grant {
	t := d.threads[id]
	if t == nil || !openState(t.fold().State) {
		return nil
	}
	for _, g := range t.fold().Grants {
		if g.Lineage == h.key.lineage && g.Author == h.key.owner {
			return &g
		}
	}
	return nil
}

func (d *Desk) grantAgain(p *person, h *holding) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if h.row == nil {
		return // removed meanwhile
	}
	for id := range h.threads {
		g := d.ownGrant(id, h)
		if g == nil || g.Version >= h.row.Shared.Version {
			continue
		}
		t, body := d.threads[id], h.grant()
		body.Supersedes = &g.Entry
		if _, err := d.append(t, p, ledger.Grant, body); err != nil {
			d.log.Warn("late images not granted", slog.String("case", id.String()), slog.Any("error", err))
			continue
		}
		d.follow(t)
	}
}
