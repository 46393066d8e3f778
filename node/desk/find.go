package desk

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/directory"
	"github.com/curbside-p2p/curbside/node/peering"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/storage/vault"
)

// findNotice is said before the first search of a home (NETWORK §4.2, what leaks).
const findNotice = "a search shows this node's address and what is looked for to the nodes that it asks, never a patient or a case; --no-dht asks the local network only"

// ContactFind streams people of the directory: who is known here at once, then what the network
// says, as it comes.
func (d *Desk) ContactFind(ctx context.Context, req control.FindRequest, emit func(control.FindEvent) error) error {
	q, err := findQuery(req)
	if err != nil {
		return err
	}
	net, err := d.network()
	if err != nil {
		return err
	}
	d.mu.Lock()
	p, err := d.acting(ctx)
	if err != nil {
		d.mu.Unlock()
		return err
	}
	cache := d.cached()
	notice := d.findNotice(p)
	sub := make(chan directory.Taken, 1024)
	d.finders[sub] = struct{}{}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.finders, sub)
		d.mu.Unlock()
	}()
	if notice != "" {
		if err := emit(control.FindEvent{Notice: notice}); err != nil {
			return err
		}
	}
	f := &search{d: d, p: p, q: q, req: req, emit: emit, shown: map[identity.PersonID]bool{}}
	if err := f.cached(cache); err != nil {
		return err
	}
	if req.Timeout < 0 {
		return emit(control.FindEvent{Done: &control.FindResult{}})
	}
	return f.network(ctx, net, sub)
}

func findQuery(req control.FindRequest) (directory.Query, error) {
	var q directory.Query
	for _, f := range []struct {
		name string
		said string
		to   *string
	}{{"specialty", req.Specialty, &q.Specialty}, {"language", req.Language, &q.Language}, {"species", req.Species, &q.Species}} {
		if f.said == "" {
			continue
		}
		code, ok := Code(f.said)
		if !ok {
			return q, control.Errorf(control.Usage, "%s %q cannot be a code", f.name, f.said).WithHint("letters, digits, dots and dashes, such as neuroradiology, pt-br or dog")
		}
		*f.to = code
	}
	return q, nil
}

// findNotice gives the notice once a home.
func (d *Desk) findNotice(p *person) string {
	if _, told := p.vault.Get(tableOwn, "told"); told {
		return ""
	}
	if err := p.vault.Batch([]vault.Row{{Table: tableOwn, Key: "told", Value: []byte{1}}}); err != nil {
		d.log.Warn("notice will be said again")
	}
	return findNotice
}

// search is one search under way.
type search struct {
	d     *Desk
	p     *person
	q     directory.Query
	req   control.FindRequest
	emit  func(control.FindEvent) error
	shown map[identity.PersonID]bool
}

// cached shows who is known here.
func (f *search) cached(c *directory.Cache) error {
	if c == nil {
		return nil
	}
	entries := c.Search(f.q, f.d.nowMS())
	f.d.mu.Lock()
	slices.SortStableFunc(entries, func(a, b directory.Entry) int { return f.d.compareFound(&a, &b) })
	f.d.mu.Unlock()
	for i := range entries {
		e, served, ok := c.Get(entries[i].Person, f.d.nowMS())
		if !ok {
			continue
		}
		if err := f.show(&e, served.Vouches, "cache"); err != nil {
			return err
		}
	}
	return nil
}

// show emits somebody who matches, once, or again after a change if that is wished.
func (f *search) show(e *directory.Entry, vouches []directory.Vouch, source string) error {
	d := f.d
	d.mu.Lock()
	wanted := f.q.Matches(e.Listing) && (!f.req.Awake || d.awake(e)) && (!f.shown[e.Person] || f.req.Updates) && e.Person != f.p.id
	var row control.Found
	if wanted {
		row = d.foundRow(f.p, e, vouches)
	}
	d.mu.Unlock()
	if !wanted {
		return nil
	}
	f.shown[e.Person] = true
	row.Source = source
	return f.emit(control.FindEvent{Found: &row})
}

// network asks the network and shows what comes until all were asked.
func (f *search) network(ctx context.Context, net Network, sub <-chan directory.Taken) error {
	ask, cancel := context.WithTimeout(ctx, cmp.Or(f.req.Timeout, findTime))
	defer cancel()
	type outcome struct {
		peering.Search
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		s, err := net.Find(ask, f.q.Topics())
		done <- outcome{s, err}
	}()
	for {
		select {
		case t := <-sub:
			if err := f.take(t); err != nil {
				cancel()
				<-done
				return err
			}
		case o := <-done:
			for len(sub) > 0 {
				if err := f.take(<-sub); err != nil {
					return err
				}
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			return f.emit(control.FindEvent{Done: f.result(o.Search, o.err)})
		}
	}
}

func (f *search) take(t directory.Taken) error {
	if !t.Changed && f.shown[t.Entry.Person] {
		return nil
	}
	return f.show(&t.Entry, t.Vouches, "network")
}

func (f *search) result(s peering.Search, err error) *control.FindResult {
	r := &control.FindResult{Asked: s.LAN + s.Found + s.Gone + s.Lied, Gone: s.Gone, Lied: s.Lied}
	switch {
	case errors.Is(err, peering.ErrNoDHT):
		r.Warning = "no node of the directory is connected: this is what is known here; name one with: curbside serve --bootstrap ADDR"
	case errors.Is(err, context.DeadlineExceeded):
		r.Warning = "there may be more: not everybody had answered yet; wait longer with --timeout"
	case err != nil:
		r.Warning = "the network could not be asked"
	case f.q.Specialty == "":
		r.Warning = "without --specialty only the local network was asked"
	}
	return r
}

// foundRow is somebody of the directory as they are shown.
func (d *Desk) foundRow(p *person, e *directory.Entry, served []directory.Vouch) control.Found {
	l := e.Listing
	_, isContact := d.contact(p, e.Person)
	list := d.vouches.of[e.Person]
	for _, v := range d.vouchesRead(e.Person, served) {
		if !slices.ContainsFunc(list, func(o *vouch) bool { return string(o.bytes) == string(v.bytes) }) {
			list = append(slices.Clone(list), v)
		}
	}
	row := control.Found{
		Contact: control.Contact{
			Person: e.Person.String(), Name: text.Line(l.Name), Kind: "clinician", Specialties: shown(l.Specialties),
			Trust: d.trustOf(p, e.Person), Online: e.State != 0 && d.nowMS()-e.SaidMS < saidMS || d.isOnline(e.Person),
			Attestations: d.vouchLines(p, list), Pinned: d.pinned(p, e.Person), SafetyNumber: identity.SafetyNumber(e.Person),
		},
		Languages: shown(l.Languages), Species: shown(l.Species), Country: known(l.Country),
		Vouched: slices.ContainsFunc(list, func(v *vouch) bool { return d.counts(p, v) }), IsContact: isContact, Until: instant(l.UntilMS),
	}
	if l.Kind == identity.RoleClinic {
		row.Kind = "clinic"
	}
	if row.Vouched && row.Trust == trustUnverified {
		row.Trust = trustVouched // as it will be once they are a contact
	}
	row.Hours, _, row.OpensAt = d.availability(l.Hours)
	row.Accepting = d.awake(e)
	row.Verified = row.Trust == trustVerified
	if c, ok := d.contact(p, e.Person); ok && row.Verified {
		row.VerifiedHow = &c.How
	}
	return row
}

func shown(codes []string) []string {
	out := []string{}
	for _, c := range codes {
		out = append(out, text.Line(c))
	}
	return out
}

// ContactListing says what strangers are told about the acting person.
func (d *Desk) ContactListing(ctx context.Context, _ control.None) (control.Listing, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return control.Listing{}, err
	}
	d.refreshListings()
	l, problem := d.wantedListing(p)
	out := control.Listing{
		Name: l.Name, Kind: p.kind(), Specialties: shown(l.Specialties), Languages: shown(l.Languages), Species: shown(l.Species),
		Country: known(l.Country), Topics: len(l.Specialties) * (1 + len(l.Languages)), Problem: known(problem),
	}
	out.Hours, out.Accepting, _ = d.availability(l.Hours)
	switch own := d.own[p.id]; {
	case own != nil && own.bytes != nil:
		out.Listed = true
		until := instant(own.listing.UntilMS)
		out.Until = &until
	case own != nil:
		out.Problem = known(own.problem)
	case problem == "" && d.setting("listed") == "true" && d.net == nil:
		out.Problem = known("no node is running: curbside serve")
	case d.setting("listed") != "true":
		out.Problem = nil
	}
	return out, nil
}

// addFound makes a contact of somebody of the directory, or of a member of a case that waits here,
// by their id. It is unverified: nothing is sent there until words or number say who they are, or
// an issuer that counts here vouches for them.
func (d *Desk) addFound(ctx context.Context, said string) (control.Contact, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return control.Contact{}, err
	}
	prof, served, peers, err := d.foundBy(p, said)
	if err != nil {
		return control.Contact{}, err
	}
	if prof.ID == p.id {
		return control.Contact{}, control.Errorf(control.Refused, "that is you")
	}
	if _, ok := d.contact(p, prof.ID); !ok {
		if err := d.befriendAs(p, prof, contactRow{Trust: trustUnverified, SinceMS: d.nowMS(), Peers: peers}); err != nil {
			return control.Contact{}, err
		}
		d.learn(served, false)
		// Their node may have told its records when they were nobody here.
		d.tell(func(n Network) { n.Restart() })
	}
	c := d.contactRowOf(p, prof.ID)
	if rankOfTrust(c.Trust) < rankOfTrust(d.trustMin()) {
		c.Warning = "unverified: anybody can take this name, so nothing is sent there yet; compare words on the phone: curbside contact verify " + c.Person[:shortID] + " --live"
	}
	return c, nil
}

// foundBy finds somebody who is no contact by id or its beginning.
func (d *Desk) foundBy(p *person, said string) (*identity.Profile, [][]byte, []identity.PeerAddrs, error) {
	ids := map[identity.PersonID]bool{}
	c := d.cached()
	now := d.nowMS()
	if c != nil {
		for _, e := range c.Search(directory.Query{}, now) {
			if idMatches(e.Person.String(), said) {
				ids[e.Person] = true
			}
		}
	}
	for id := range d.profiles {
		if _, ok := d.contact(p, id); idMatches(id.String(), said) && (ok || d.fellow(p.id, id)) {
			ids[id] = true
		}
	}
	if len(ids) != 1 {
		e := control.Errorf(control.NotFound, "nobody of the directory or of a case has this id")
		if len(ids) > 1 {
			e = control.Errorf(control.Refused, "several people have an id that begins so")
		}
		return nil, nil, nil, e.WithHint("look for them with: curbside contact find --specialty S; or ask them for an invite link")
	}
	for id := range ids {
		if c != nil {
			if e, f, ok := c.Get(id, now); ok {
				prof, err := identity.LoadProfile(f.Records)
				if err != nil {
					break
				}
				records := f.Records
				for _, v := range f.Vouches {
					records = append(records, v.Attest)
					if v.RevList != nil {
						records = append(records, v.RevList)
					}
				}
				return prof, records, e.Listing.Addrs, nil
			}
		}
		if prof := d.profiles[id]; prof != nil {
			return prof, nil, nil, nil
		}
	}
	return nil, nil, nil, control.Errorf(control.NotFound, "their listing is over").WithHint("look for them again with: curbside contact find")
}
