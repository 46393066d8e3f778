package consult

import (
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// source is what Fold asks of a thread, which a [ledger.Thread] answers.
type source interface {
	ID() ledger.ThreadID
	Entries() []*ledger.Entry // in display order
	InForce(*ledger.Entry) bool
	Members() *ledger.Members
	MembersAt(*ledger.Entry) *ledger.Members
}

// item is one entry in one run of Fold.
type item struct {
	e         *ledger.Entry
	k         *known
	force     bool
	body      any // pointer to its body type; nil if erased or unreadable
	unknown   bool
	edited    *item // the acting edit of a message
	retracted bool
	limited   bool                 // beyond its author's role, as attested
	assignees *[]identity.PersonID // as its author knew, once that is asked
}

// acts reports whether an entry may have an effect.
func (it *item) acts() bool { return it.force && it.body != nil && !it.limited }

// fold is one run of Fold. Its lists hold entries in force whose body can be
// read, in display order.
type fold struct {
	t     source
	s     *State
	m     *Memory
	ranks map[identity.PersonID]ledger.Rank // as they are now
	items []*item                           // every entry
	of    map[ledger.Kind][]*item

	request   *item
	assigns   []*item            // those that count
	acting    []*item            // the causally maximal of them
	openers   map[uint64][]*item // of rounds from 2
	voices    []*item            // accepts, declines and reports
	stances   map[identity.PersonID]stance
	opinions  []*opinion
	opinionOf map[ledger.EntryID]*opinion
	priority  Priority
	locked    bool // by a wrong patient that no new round has settled
	roles     func(identity.PersonID) Attested
}

// Fold returns the case as the entries of a thread say it stands. It never
// fails: an entry that cannot be read or must not count is shown without effect.
func Fold(t *ledger.Thread) *State { return new(Memory).Fold(t) }

// Fold is [Fold] with what is remembered of earlier runs over the same thread,
// and with roles if there are any.
func (m *Memory) Fold(t *ledger.Thread) *State {
	s := m.fold(t, nil)
	if m.Roles == nil {
		return s
	}
	view := m.fold(t, m.Roles)
	view.whole = s // which all members share
	return view
}

func (m *Memory) fold(t source, roles func(identity.PersonID) Attested) *State {
	entries := t.Entries()
	if m.of == nil {
		m.of = make(map[ledger.EntryID]*known, len(entries))
	}
	f := &fold{
		t: t, s: &State{Case: t.ID()}, m: m, ranks: t.Members().Ranks, items: make([]*item, 0, len(entries)),
		of: map[ledger.Kind][]*item{}, openers: map[uint64][]*item{}, opinionOf: map[ledger.EntryID]*opinion{}, roles: roles,
	}
	for _, e := range entries {
		f.add(e)
	}
	f.foldMessages()
	f.foldRequest()
	f.foldRounds()
	f.foldAssigns()
	f.foldGrants()
	f.foldReports()
	f.foldStances()
	f.foldReads()
	f.foldDrafts()
	f.foldMarks()
	f.foldCriticals()
	f.foldAsks()
	f.foldWrongPatient()
	f.foldReceipts()
	f.foldMembers()
	f.foldPosts()
	f.foldTimes()
	f.conclude()
	return f.s
}

func (f *fold) add(e *ledger.Entry) {
	k := f.m.learn(e)
	it := &item{e: e, k: k, force: f.t.InForce(e)}
	k.it = it
	if e.Body != nil { // else erased here
		it.body, it.unknown = k.body, k.unknown
	}
	f.items = append(f.items, it)
	it.limited = f.roles != nil && it.body != nil && f.roles(e.Person).limits(e.Kind, it.body)
	if it.acts() {
		f.of[e.Kind] = append(f.of[e.Kind], it)
	}
}

// find returns an entry of the thread, nil if it is not here.
func (f *fold) find(id ledger.EntryID) *item {
	if k := f.m.of[id]; k != nil {
		return k.it
	}
	return nil
}

// rankOf returns the rank that an author had, as far as the author knew. A
// removal that the entry did not know of is the ledger's to judge.
func (f *fold) rankOf(it *item) ledger.Rank {
	if !it.k.ranked {
		it.k.rank, it.k.ranked = f.t.MembersAt(it.e).Ranks[it.e.Person], true
	}
	return it.k.rank
}

// each calls fn for the entries of a kind that count, with their body.
func each[B any](f *fold, k ledger.Kind, fn func(it *item, b *B)) {
	for _, it := range f.of[k] {
		if b, ok := it.body.(*B); ok {
			fn(it, b)
		}
	}
}

// foldMessages finds acting edits and retractions. A retracted message has no
// acting edit: its texts are to be erased, and who erased them and who did not
// must see one state.
func (f *fold) foldMessages() {
	each(f, ledger.Retract, func(it *item, b *RetractBody) {
		m := f.find(b.Message)
		if m == nil {
			return
		}
		own := m.e.Person == it.e.Person
		switch m.e.Kind {
		case ledger.Message:
			m.retracted = m.retracted || own || f.rankOf(it) >= ledger.RankAdmin
		case ledger.Ask:
			m.retracted = m.retracted || own
		default:
		}
	})
	each(f, ledger.Edit, func(it *item, b *EditBody) {
		m := f.find(b.Message)
		own := m != nil && (m.e.Person == it.e.Person || f.m.broken.anyoneEdits)
		if own && m.e.Kind == ledger.Message && !m.retracted {
			m.edited = it // the last in display order is the highest (lamport, EntryID)
		}
	})
}

// foldRequest takes the latest request by an owner, and the priority: what
// triage said since, the higher one where two did not know of each other.
func (f *fold) foldRequest() {
	var voices []*item
	each(f, ledger.Request, func(it *item, b *RequestBody) {
		if f.rankOf(it) == ledger.RankFounder {
			f.request = it
		}
	})
	if f.request == nil {
		return
	}
	b := f.request.body.(*RequestBody)
	ctx, err := DecodeContext(b.Context)
	if err != nil { // checked with the body
		ctx = Context{}
	}
	e := f.request.e
	f.s.Request = &Request{
		Entry: e.ID, Author: e.Person, TimeMS: e.ClaimedMS, Question: b.Question, Priority: b.Priority, Consent: b.Consent, Context: ctx,
	}
	f.s.Title, f.s.NeededByMS = title(b.Question), b.NeededByMS
	each(f, ledger.Triage, func(it *item, _ *TriageBody) {
		if f.rankOf(it) >= ledger.RankAdmin {
			voices = append(voices, it)
		}
	})
	voices = append(voices, f.request)
	slices.SortFunc(voices, inDisplayOrder)
	for _, it := range maximal(voices) {
		switch b := it.body.(type) {
		case *RequestBody:
			f.priority = max(f.priority, b.Priority)
		case *TriageBody:
			f.priority = max(f.priority, b.Priority)
		}
	}
	f.s.Priority = f.priority.String()
}

// foldGrants takes, per lineage, the versions by the author of its first grant.
// An owner's grant comes before one of others that it did not know of, so that
// no writer takes a lineage over by a grant that pretends to have seen less.
func (f *fold) foldGrants() {
	owner := map[[16]byte]*item{}
	each(f, ledger.Grant, func(it *item, b *GrantBody) {
		has := owner[b.Lineage]
		if has == nil || f.rankOf(has) < ledger.RankFounder && f.rankOf(it) == ledger.RankFounder && !precedes(has, it) {
			owner[b.Lineage] = it
		}
	})
	newest, at := map[[16]byte]*item{}, map[[16]byte]int{}
	each(f, ledger.Grant, func(it *item, b *GrantBody) {
		if owner[b.Lineage].e.Person != it.e.Person {
			return
		}
		g := f.grant(it, b)
		f.s.AllGrants = append(f.s.AllGrants, g)
		has := newest[b.Lineage]
		switch {
		case has == nil:
			at[b.Lineage] = len(f.s.Grants)
			f.s.Grants = append(f.s.Grants, g)
		case has.body.(*GrantBody).Version > b.Version:
			return
		default:
			f.s.Grants[at[b.Lineage]] = g
		}
		newest[b.Lineage] = it
	})
}

func (f *fold) grant(it *item, b *GrantBody) Grant {
	g := Grant{
		Lineage: b.Lineage, Entry: it.e.ID, Version: b.Version, Manifest: b.Manifest, Mode: b.Mode,
		Series: b.Counts.Series, Instances: b.Counts.Instances, Bytes: b.Counts.Bytes, Author: it.e.Person,
	}
	if f.s.Request != nil {
		g.Prior = slices.Contains(f.s.Request.Context.Priors, b.Lineage)
	}
	each(f, ledger.WrongPatient, func(_ *item, w *WrongPatientBody) {
		g.Quarantined = g.Quarantined || w.Lineage == b.Lineage
	})
	return g
}

// inDisplayOrder compares by (lamport, EntryID).
func inDisplayOrder(a, b *item) int { return compareEntries(a.e, b.e) }
