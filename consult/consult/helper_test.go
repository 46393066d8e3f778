package consult

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// world is a case with one replica per member, levelled when a test says so.
type world struct {
	testing.TB
	cards map[identity.DeviceID]*identity.Card
	seed  int
	nowMS int64
	id    ledger.ThreadID
	all   []*actor
	one   bool // everybody works on one replica: for what needs no crossing
}

// actor is a person with one device and a replica.
type actor struct {
	w     *world
	name  string
	root  *identity.Root
	local ledger.Local
	cert  []byte
	t     *ledger.Thread
	skew  int64 // by how much the clock of this actor is wrong
}

func (w *world) Card(id identity.DeviceID) *identity.Card { return w.cards[id] }

func (w *world) tick() int64 { w.nowMS += 1000; return w.nowMS }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// people are made once, the n-th of every test the same: keys take longer than
// all else here.
var people sync.Map

func (w *world) person(name string) *actor {
	w.seed++
	seed := func(what string) wire.Secret { return wire.Hash("test/seed", fmt.Append(nil, what, w.seed)) }
	made, ok := people.Load(w.seed)
	if !ok {
		a := &actor{root: identity.RootFromSeed(seed("root"))}
		d := identity.NewDevice(a.root.ID(), seed("device"))
		a.local = ledger.Local{Device: d, KEMs: []*seal.KEM{seal.KEMFromSeed(seed("kem"))}}
		cert, err := a.root.CertifyDevice(d.Public(), "", 1, nil, 1)
		w.must(err)
		a.cert = cert
		made, _ = people.LoadOrStore(w.seed, a)
	}
	a := *made.(*actor)
	a.w, a.name = w, name
	id := a.local.Device.ID()
	w.cards[id] = &identity.Card{Version: 1, Device: id, Number: 1, KEM: a.local.KEMs[0].Public()}
	return &a
}

func (a *actor) id() identity.PersonID { return a.root.ID() }

// newWorld starts a case of anna's with ben and cleo as consultants, dora as
// coordinator and otto as observer. Nothing is asked yet.
func newWorld(tb testing.TB, one bool) (w *world, anna, ben, cleo, dora, otto *actor) {
	tb.Helper()
	w = &world{TB: tb, cards: map[identity.DeviceID]*identity.Card{}, nowMS: 1_700_000_000_000, one: one}
	anna, ben, cleo, dora, otto = w.person("anna"), w.person("ben"), w.person("cleo"), w.person("dora"), w.person("otto")
	t, _, err := ledger.Found(anna.local, []identity.Person{anna.root.Person()}, [][]byte{anna.cert}, w.tick(), w)
	w.must(err)
	anna.t, w.id, w.all = t, t.ID(), []*actor{anna}
	anna.invite(dora, ledger.RankAdmin)
	anna.invite(ben, ledger.RankWriter)
	anna.invite(cleo, ledger.RankWriter)
	anna.invite(otto, ledger.RankReader)
	w.level()
	return w, anna, ben, cleo, dora, otto
}

// asked is newWorld with a request, a grant and ben and cleo assigned.
func asked(tb testing.TB, one bool) (w *world, anna, ben, cleo, dora, otto *actor) {
	tb.Helper()
	w, anna, ben, cleo, dora, otto = newWorld(tb, one)
	anna.post(ledger.Request, RequestBody{Question: "Is the nodule new?", Priority: PriorityRoutine, Consent: ConsentTreatment})
	anna.post(ledger.Grant, grantBody(1, 1))
	anna.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{ben.id(), cleo.id()}})
	w.level()
	return w, anna, ben, cleo, dora, otto
}

func grantBody(lineage byte, version uint64) GrantBody {
	return GrantBody{
		Lineage: [16]byte{lineage}, Version: version, Mode: 1, Counts: Counts{Series: 1, Instances: 60, Bytes: 1 << 20},
		Manifest: blob.Ref{ID: blob.ID{lineage, byte(version)}, Len: 100},
	}
}

func (a *actor) invite(b *actor, rank ledger.Rank) {
	a.w.Helper()
	body := ledger.RoleBody{Person: b.id(), Rank: rank}
	if !slices.Contains(a.w.all, b) {
		p := b.root.Person()
		body.Record, body.Certs = &p, []wire.Raw{b.cert}
		if b.t = a.t; !a.w.one {
			b.t = ledger.NewThread(a.w.id)
		}
		a.w.all = append(a.w.all, b)
	}
	_, err := a.t.Role(a.local, body, a.w.tick(), a.w)
	a.w.must(err)
}

// post writes an entry on the author's own replica, whatever Authorize says.
func (a *actor) post(kind ledger.Kind, body any) ledger.EntryID {
	a.w.Helper()
	items, err := a.t.Append(a.local, kind, body, a.w.tick()+a.skew, a.w)
	a.w.must(err)
	return items[len(items)-1].Entry
}

// fold is how the case stands on the actor's replica.
func (a *actor) fold() *State { return Fold(a.t) }

// may asks Authorize.
func (a *actor) may(kind ledger.Kind, body any) error {
	return Authorize(a.fold(), a.id(), kind, body)
}

// level exchanges between some actors, all if none is named, until they agree.
func (w *world) level(some ...*actor) {
	w.Helper()
	if w.one {
		return
	}
	if len(some) == 0 {
		some = w.all
	}
	for range 4 {
		for i, a := range some {
			for _, b := range some[i+1:] {
				w.give(a, b)
				w.give(b, a)
			}
		}
	}
}

func (w *world) give(a, b *actor) {
	w.Helper()
	rows := b.t.Rows()
	for _, it := range a.t.Missing(rows) {
		_, err := b.t.Receive(it.Sealed, []ledger.Local{b.local})
		w.must(err)
	}
}

// sign makes a report over all grants that the actor knows.
func (a *actor) sign(status uint64, text string, supersedes ...ledger.EntryID) *ReportBody {
	a.w.Helper()
	b, err := signed(a.fold(), a.id(), a.name, a.w.nowMS, status, text, supersedes...)
	a.w.must(err)
	return b
}

func signed(s *State, by identity.PersonID, name string, nowMS int64, status uint64, text string, supersedes ...ledger.EntryID) (*ReportBody, error) {
	d := &report.Document{
		Format: report.Format, Text: text, Status: status, Case: s.Case, Round: max(s.Round, 1), Name: name, Author: by, SignedMS: nowMS,
	}
	for _, g := range s.Grants {
		n := g.Instances
		d.Images = append(d.Images, report.Image{Manifest: g.Manifest.ID, Version: g.Version, Listed: n, Seen: n, Expected: &n})
	}
	return NewReport(d, supersedes, nil)
}

func (a *actor) final(text string, supersedes ...ledger.EntryID) ledger.EntryID {
	a.w.Helper()
	return a.post(ledger.Report, a.sign(report.Final, text, supersedes...))
}

func (a *actor) opine(text string) ledger.EntryID {
	a.w.Helper()
	return a.post(ledger.Report, a.sign(report.Preliminary, text))
}

func (a *actor) stage(round uint64, s Stage) ledger.EntryID {
	a.w.Helper()
	return a.post(ledger.Status, StatusBody{Round: round, Stage: s})
}

func (a *actor) receipt(typ uint64) bool {
	a.w.Helper()
	b, ok := NewReceipt(a.fold(), a.t, a.local.Device.ID(), typ)
	if !ok {
		return false
	}
	_, err := a.t.Append(a.local, ledger.Receipt, b, a.w.tick()+a.skew, a.w)
	if errors.Is(err, ledger.ErrNoEpoch) {
		return false // an observer waits for a writer's epoch
	}
	a.w.must(err)
	return true
}

// want levels, and compares state and flags on every replica.
func (w *world) want(state string, flags ...string) {
	w.Helper()
	w.level()
	first := w.all[0].fold()
	if first.State != state || !slices.Equal(first.Flags, flags) {
		w.Fatalf("state %s %v, want %s %v", first.State, first.Flags, state, flags)
	}
	for _, a := range w.all[1:] {
		if s := a.fold(); s.Hash() != first.Hash() || s.State != first.State {
			w.Fatalf("%s sees %s, anna %s", a.name, s.State, first.State)
		}
	}
}
