package consult

import (
	"bytes"
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// papers is how many histories TestConverge plays; 100,000 are the promise of
// issue 4: go test -run TestConverge -papers 100000 ./consult/consult
var papers = flag.Int("papers", 1000, "random histories over 5 members, on paper")

// paper is a thread without keys and signatures, so that a hundred thousand
// histories can be played: entries by causality, and the ledger's rules of
// ranks and cuts as far as one founder and one coordinator go.
type paper struct {
	entries []*ledger.Entry
	past    map[ledger.EntryID]map[ledger.EntryID]bool // shared by all replicas, as the next two
	known   map[ledger.EntryID]map[identity.PersonID]ledger.Rank
	bodies  map[ledger.EntryID]*ledger.RoleBody
	founder identity.PersonID
}

// paperRole is a role entry.
type paperRole struct {
	Person identity.PersonID `cbor:"1,keyasint"`
	Rank   ledger.Rank       `cbor:"2,keyasint"`
}

func (p *paper) ID() ledger.ThreadID { return ledger.ThreadID{7} }

func (p *paper) Entries() []*ledger.Entry { return p.entries }

func (p *paper) has(id ledger.EntryID) bool {
	return slices.ContainsFunc(p.entries, func(e *ledger.Entry) bool { return e.ID == id })
}

// add puts an entry in its place of the display order.
func (p *paper) add(e *ledger.Entry) {
	i, found := slices.BinarySearchFunc(p.entries, e, compareEntries)
	if !found {
		p.entries = slices.Insert(p.entries, i, e)
	}
}

// ranks are those of a set of entries: the lowest of the causally maximal role
// entries on a person, FORMATS §6.
func (p *paper) ranks(in func(ledger.EntryID) bool) map[identity.PersonID]ledger.Rank {
	var roles []*ledger.Entry
	for _, e := range p.entries {
		if e.Kind == ledger.Role && in(e.ID) {
			roles = append(roles, e)
		}
	}
	out := map[identity.PersonID]ledger.Rank{p.founder: ledger.RankFounder}
	for _, e := range roles {
		b := p.bodies[e.ID]
		later := slices.ContainsFunc(roles, func(x *ledger.Entry) bool { return p.bodies[x.ID].Person == b.Person && p.past[x.ID][e.ID] })
		if later {
			continue
		}
		if has, ok := out[b.Person]; !ok || b.Rank < has {
			out[b.Person] = b.Rank
		}
	}
	return out
}

func (p *paper) Members() *ledger.Members {
	return &ledger.Members{Ranks: p.ranks(func(ledger.EntryID) bool { return true }), Founders: []identity.PersonID{p.founder}}
}

func (p *paper) MembersAt(e *ledger.Entry) *ledger.Members {
	return &ledger.Members{Ranks: p.known[e.ID]}
}

// InForce: what its author's rank allowed, unless a removal that the author had
// not heard of came before the remover had seen it.
func (p *paper) InForce(e *ledger.Entry) bool {
	if e.Chain == ledger.Control {
		return true
	}
	need := ledger.RankNeeded(e.Kind)
	if p.MembersAt(e).Ranks[e.Person] < need {
		return false
	}
	return !slices.ContainsFunc(p.entries, func(r *ledger.Entry) bool {
		if r.Kind != ledger.Role || p.past[e.ID][r.ID] || p.past[r.ID][e.ID] {
			return false
		}
		b := p.bodies[r.ID]
		return b.Person == e.Person && b.Rank < need
	})
}

// pen is a member with a replica on paper.
type pen struct {
	n       int
	paper   *paper
	memory  *Memory
	state   *State
	counter *uint64
	last    map[ledger.Chain]*ledger.Entry
	nowMS   *int64
	skewMS  int64
}

func (a *pen) id() identity.PersonID     { return identity.PersonID{byte(a.n + 1)} }
func (a *pen) device() identity.DeviceID { return identity.DeviceID{byte(a.n + 1)} }

func (a *pen) fold() *State {
	if a.state == nil {
		a.state = a.memory.fold(a.paper, nil)
	}
	return a.state
}

func (a *pen) sign(status uint64, text string, supersedes ...ledger.EntryID) *ReportBody {
	b, err := signed(a.fold(), a.id(), "N. N.", *a.nowMS, status, text, supersedes...)
	if err != nil {
		panic(err)
	}
	return b
}

// post writes an entry with all that the member knows in its past.
func (a *pen) post(kind ledger.Kind, body any) *ledger.Entry {
	*a.counter++
	*a.nowMS += 1000
	e := &ledger.Entry{
		Thread: a.paper.ID(), Device: a.device(), Person: a.id(), Chain: kind.Chain(), Seq: 1, Kind: kind, Body: wire.MustMarshal(body),
		ClaimedMS: *a.nowMS + a.skewMS, Lamport: 1,
	}
	e.ID = wire.Hash("paper", binary.BigEndian.AppendUint64(nil, *a.counter), e.Body)
	past := map[ledger.EntryID]bool{}
	for _, x := range a.paper.entries {
		past[x.ID] = true
		e.Lamport = max(e.Lamport, x.Lamport+1)
	}
	if last := a.last[e.Chain]; last != nil {
		e.Prev, e.Seq = &last.ID, last.Seq+1
	}
	e.Parents = a.paper.heads(e.Chain)
	a.paper.past[e.ID] = past
	a.paper.known[e.ID] = a.paper.ranks(func(id ledger.EntryID) bool { return past[id] })
	a.paper.bodies[e.ID] = roleBody(e)
	a.paper.add(e)
	a.last[e.Chain], a.state = e, nil
	return e
}

// heads are the entries of a chain that no other of it rests on: chains are
// apart in a thread.
func (p *paper) heads(chain ledger.Chain) []ledger.EntryID {
	var out []ledger.EntryID
	for _, e := range p.entries {
		if e.Chain == chain && !slices.ContainsFunc(p.entries, func(x *ledger.Entry) bool { return x.Chain == chain && p.past[x.ID][e.ID] }) {
			out = append(out, e.ID)
		}
	}
	slices.SortFunc(out, func(x, y ledger.EntryID) int { return bytes.Compare(x[:], y[:]) })
	return out
}

// meet levels two replicas.
func meet(a, b *pen) {
	for _, pair := range [][2]*pen{{a, b}, {b, a}} {
		for _, e := range pair[0].paper.entries {
			if !pair[1].paper.has(e.ID) {
				pair[1].paper.add(e)
				pair[1].state = nil
			}
		}
	}
}

// newPapers are five members of one case: the requester, a coordinator, two
// consultants and an observer; asked, with a study and the first three assigned.
func newPapers(missing broken) []*pen {
	shared := paper{
		past: map[ledger.EntryID]map[ledger.EntryID]bool{}, known: map[ledger.EntryID]map[identity.PersonID]ledger.Rank{},
		bodies: map[ledger.EntryID]*ledger.RoleBody{}, founder: identity.PersonID{1},
	}
	counter, now := new(uint64), new(int64(1_700_000_000_000))
	var all []*pen
	for n := range 5 {
		a := &pen{n: n, memory: &Memory{broken: missing}, counter: counter, nowMS: now, last: map[ledger.Chain]*ledger.Entry{}}
		own := shared
		a.paper = &own
		all = append(all, a)
	}
	anna := all[0]
	for n, rank := range []ledger.Rank{ledger.RankAdmin, ledger.RankWriter, ledger.RankWriter, ledger.RankReader} {
		anna.post(ledger.Role, paperRole{Person: all[n+1].id(), Rank: rank})
	}
	anna.post(ledger.Request, goodRequest)
	anna.post(ledger.Grant, grantBody(1, 1))
	anna.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{all[2].id(), all[3].id(), all[1].id()}})
	for _, a := range all[1:] {
		meet(anna, a)
	}
	return all
}

// history plays random steps between members who meet now and then, folds on
// the way, and levels all at the end.
func history(r *rand.Rand, steps int, missing broken) []*pen {
	all := newPapers(missing)
	h := newBodies(r)
	for _, a := range all {
		h.all = append(h.all, a)
	}
	apart := r.IntN(3) // 0: now and then, else a partition for most of it
	for n := range steps {
		a := all[r.IntN(len(all))]
		switch x := r.IntN(12); {
		case x < 4:
			if b := all[r.IntN(len(all))]; apart == 0 || n > steps*3/4 || a.n%2 == b.n%2 {
				meet(a, b)
			}
		case x == 4:
			a.fold()
		case x == 5 && r.IntN(3) == 0:
			all[0].post(ledger.Role, paperRole{Person: all[1+r.IntN(4)].id(), Rank: ledger.Rank(r.IntN(4))})
		default:
			kind, body := h.body(a)
			if a.paper.Members().Ranks[a.id()] >= ledger.RankNeeded(kind) {
				h.posted(kind, a.post(kind, body).ID)
			}
		}
	}
	for range 2 {
		for _, a := range all {
			for _, b := range all {
				if a != b {
					meet(a, b)
				}
			}
		}
	}
	return all
}

// diverges plays one history and names what members disagree about.
func diverges(seed uint64, missing broken) string {
	all := history(rand.New(rand.NewPCG(seed, 23)), 40, missing)
	fresh := (&Memory{broken: missing}).fold(all[0].paper, nil)
	for _, a := range all {
		switch got := a.fold(); {
		case got.Hash() != fresh.Hash():
			return "hash"
		case got.State != fresh.State || !slices.Equal(got.Flags, fresh.Flags):
			return "state"
		case !reflect.DeepEqual(got, fresh):
			return "something"
		}
	}
	return ""
}

// TestConverge plays random histories over five members with partitions: all
// who have the same entries see the same case, however they came to them. With
// a tie broken by arrival it must fail.
func TestConverge(t *testing.T) {
	all := *papers
	if testing.Short() {
		all /= 10
	}
	states := map[string]int{}
	const lanes = 8
	found := make(chan map[string]int, lanes)
	for lane := range lanes {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			seen := map[string]int{}
			for seed := lane; seed < all; seed += lanes {
				if what := diverges(uint64(seed), broken{}); what != "" {
					t.Fatalf("seed %d: members differ in %s", seed, what)
				}
				if seed%50 == lane {
					seen[history(rand.New(rand.NewPCG(uint64(seed), 23)), 40, broken{})[0].fold().State]++
				}
			}
			found <- seen
		})
	}
	t.Cleanup(func() {
		close(found)
		for seen := range found {
			for s, n := range seen {
				states[s] += n
			}
		}
		t.Logf("%d histories; states of a sample: %v", all, states)
	})
}

func TestConvergeNoticesArrival(t *testing.T) {
	for seed := range uint64(5000) {
		if diverges(seed, broken{arrival: true}) != "" {
			return
		}
	}
	t.Fatal("nobody noticed that ties are broken by arrival")
}
