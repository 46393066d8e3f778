package ledger

import (
	"fmt"
	"maps"
	"os"
	"strconv"
	"testing"
)

// runs is how many histories a property is tried on: every mutation is caught
// within the first hundreds. A nightly run asks for the 20,000 of FORMATS §14.
var runs = func() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("CURBSIDE_RUNS"), 10, 32); err == nil {
		return n
	}
	return 1000
}()

// A property takes one history of a seed and says what is wrong.
type property func(seed uint64, rules rules) error

// TestProperties tries the properties of FORMATS §14. Each seed is one history;
// a failing seed is all it takes to see it again.
func TestProperties(t *testing.T) {
	t.Parallel()
	for name, p := range properties {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range runs {
				if err := p(seed+1, rules{}); err != nil {
					t.Fatalf("seed %d: %v", seed+1, err)
				}
			}
		})
	}
}

// TestMutations shows that each property has teeth: with a rule broken, it fails.
func TestMutations(t *testing.T) {
	t.Parallel()
	for _, m := range []struct {
		name, property string
		rules          rules
	}{
		{"tie-break by arrival", "converge", rules{arrival: true}},
		{"role entries on founders", "founders", rules{onFounders: true}},
		{"rank <= for rank <", "founders", rules{equalRank: true}},
		{"no strong removal", "removal sticks", rules{noStrong: true}},
		{"highest rank wins", "removal wins", rules{highestRank: true}},
		{"ignore cuts", "stolen device", rules{ignoreCuts: true}},
		{"fold over void entries", "stolen device", rules{foldVoid: true}},
		{"no content cuts", "content cut", rules{noContentCut: true}},
		{"re-add clears cuts", "content cut", rules{readdClears: true}},
		{"no strong removal", "oracle", rules{noStrong: true}},
		{"highest rank wins", "oracle", rules{highestRank: true}},
		{"ignore cuts", "oracle", rules{ignoreCuts: true}},
		{"tie-break by arrival", "oracle", rules{arrival: true}},
		{"no content cuts", "oracle", rules{noContentCut: true}},
		{"fold over void entries", "oracle", rules{foldVoid: true}},
	} {
		t.Run(m.name+" against "+m.property, func(t *testing.T) {
			t.Parallel()
			for seed := range runs {
				if properties[m.property](seed+1, m.rules) != nil {
					return
				}
			}
			t.Fatalf("not caught in %d histories", runs)
		})
	}
}

var properties = map[string]property{
	"converge":       converge,
	"oracle":         agree,
	"founders":       foundersStay,
	"removal sticks": removalSticks,
	"removal wins":   removalWins,
	"stolen device":  stolenDevice,
	"content cut":    contentCut,
}

func steps(h *history) int { return 1 + h.r.IntN(22) }

// converge: the same entries in any order, the same ranks, verdicts, devices.
func converge(seed uint64, rules rules) error {
	h := newHistory(seed)
	h.grow(steps(h))
	a, b := h.graph(seed*2, rules), h.graph(seed*2+1, rules)
	va, vb := a.view(firstN(len(a.acts))), b.view(firstN(len(b.acts)))
	if !maps.Equal(va.ranks, vb.ranks) || !maps.Equal(va.devices, vb.devices) {
		return fmt.Errorf("ranks or devices differ")
	}
	for _, e := range h.events {
		if id := idOf(e.id); va.valid.has(a.place[id]) != vb.valid.has(b.place[id]) {
			return fmt.Errorf("validity of %d differs", e.id)
		}
	}
	for range 3 {
		p := h.probe()
		okA, inA := h.judge(a, p)
		okB, inB := h.judge(b, p)
		if okA != okB || inA != inB {
			return fmt.Errorf("verdicts on %+v differ", p)
		}
	}
	return nil
}

// agree: the rules written twice say the same.
func agree(seed uint64, rules rules) error {
	h := newHistory(seed)
	h.grow(steps(h))
	g, o := h.graph(seed, rules), oracle{h}
	v, want := g.view(firstN(len(g.acts))), o.resolve(o.all())
	for p := range h.people {
		if got := v.ranks[personOf(p)]; got != want.rank[p] {
			return fmt.Errorf("person %d: got rank %d, want %d", p, got, want.rank[p])
		}
	}
	for _, e := range h.events {
		if got := v.valid.has(g.place[idOf(e.id)]); got != want.valid[e.id] {
			return fmt.Errorf("event %d: got valid %v, want %v", e.id, got, want.valid[e.id])
		}
	}
	p := h.probe()
	ok, in := h.judge(g, p)
	wantOK, wantIn := o.judge(p)
	if ok != wantOK || in != wantIn {
		return fmt.Errorf("%+v: got %v %v, want %v %v", p, ok, in, wantOK, wantIn)
	}
	return nil
}

// foundersStay: founders are never lost or gained; only founders make coordinators.
func foundersStay(seed uint64, rules rules) error {
	h := newHistory(seed)
	h.grow(steps(h))
	g := h.graph(seed, rules)
	v := g.view(firstN(len(g.acts)))
	founder, made := map[int]bool{}, map[int]bool{}
	for _, f := range h.events[0].founders {
		founder[f] = true
	}
	for _, e := range h.events {
		if e.kind == Role && founder[e.person] && e.rank == RankAdmin {
			made[e.target] = true
		}
	}
	for p := range h.people {
		switch r := v.ranks[personOf(p)]; {
		case founder[p] != (r == RankFounder):
			return fmt.Errorf("person %d has rank %d", p, r)
		case r == RankAdmin && !made[p]:
			return fmt.Errorf("person %d is a coordinator whom no founder made", p)
		}
	}
	return nil
}

// removalSticks: a founder who has seen everything removes everybody; nobody is
// left, and backdating or forking brings nobody back and removes nobody else.
func removalSticks(seed uint64, rules rules) error {
	h := newHistory(seed)
	h.grow(steps(h))
	founders, heads, n := len(h.events[0].founders), h.heads(), len(h.events)
	for p := founders; p < h.people; p++ {
		h.add(&event{device: 100, kind: Role, target: p}, heads)
	}
	kept := h.people
	h.add(&event{device: 100, kind: Role, target: kept, rank: RankWriter}, nil)
	for i := range 8 {
		p := founders + i%(h.people-founders)
		e := &event{person: p, device: 50 + p, kind: Role, target: founders + h.r.IntN(h.people-founders+1), rank: Rank(h.r.IntN(4))}
		h.add(e, []int{h.r.IntN(n)})
		for _, o := range h.events[:n] { // and over again what they once decided
			if o.person == p && o.kind == Role && h.r.IntN(2) == 0 {
				h.fork(&event{person: p, device: o.device, kind: Role, target: o.target, rank: RankWriter}, o)
				break
			}
		}
	}
	h.people++
	g := h.graph(seed, rules)
	v := g.view(firstN(len(g.acts)))
	for p := founders; p < kept; p++ {
		if r := v.ranks[personOf(p)]; r != RankNone {
			return fmt.Errorf("person %d came back with rank %d", p, r)
		}
	}
	if r := v.ranks[personOf(kept)]; r != RankWriter {
		return fmt.Errorf("the kept person has rank %d", r)
	}
	return nil
}

// removalWins: removal beats a concurrent grant, and a later re-add works.
func removalWins(seed uint64, rules rules) error {
	h := newHistory(seed)
	h.grow(steps(h))
	heads, p := h.heads(), h.people-1
	a := h.add(&event{device: 101, kind: Role, target: p, rank: RankWriter}, heads)
	b := h.add(&event{device: 102, kind: Role, target: p}, heads)
	g := h.graph(seed, rules)
	if r := g.view(firstN(len(g.acts))).ranks[personOf(p)]; r != RankNone {
		return fmt.Errorf("a grant beat the removal beside it: rank %d", r)
	}
	h.add(&event{device: 101, kind: Role, target: p, rank: RankWriter}, []int{a.id, b.id})
	g = h.graph(seed, rules)
	if r := g.view(firstN(len(g.acts))).ranks[personOf(p)]; r != RankWriter {
		return fmt.Errorf("re-adding gave rank %d", r)
	}
	return nil
}

// stolenDevice: past a root's cut nothing has effect, transitively, whoever
// posts the cut and wherever it hangs.
func stolenDevice(seed uint64, rules rules) error {
	h := newHistory(seed)
	h.grow(steps(h))
	const dev = 103
	p, x, y := h.people-1, h.people, h.people+1
	last := h.add(&event{device: dev, kind: Role, target: p, rank: RankReader}, h.heads())
	one := h.add(&event{device: dev, kind: Role, target: x, rank: RankAdmin}, []int{last.id})
	two := h.add(&event{person: x, device: 2 * x, kind: Role, target: y, rank: RankWriter}, []int{one.id})
	h.add(&event{device: dev, kind: Role, target: p}, []int{two.id})
	h.people += 2
	cut := &event{person: p, device: 50 + p, kind: Revoke, tdev: dev, serial: 999, cseq: last.seq, cid: last.id, target: -1}
	h.add(cut, []int{h.r.IntN(last.id + 1)})
	g := h.graph(seed, rules)
	v := g.view(firstN(len(g.acts)))
	switch {
	case v.ranks[personOf(x)] != RankNone || v.ranks[personOf(y)] != RankNone:
		return fmt.Errorf("what the thief granted survived")
	case v.ranks[personOf(p)] != RankReader:
		return fmt.Errorf("what was done before the cut is lost")
	}
	return nil
}

// contentCut: a post past the cut of a removal stays quarantined after a
// re-add, until it is admitted; one before it counts.
func contentCut(seed uint64, rules rules) error {
	h := newHistory(seed)
	h.grow(steps(h))
	p := h.people // nobody has touched this person
	h.people++
	in := h.add(&event{device: 100, kind: Role, target: p, rank: RankWriter}, h.heads())
	limit := 1 + h.r.IntN(5)
	out := h.add(&event{device: 100, kind: Role, target: p, cut: map[int]int{2 * p: limit}}, nil)
	early := probe{p, 2 * p, limit, []int{in.id}}
	late := probe{p, 2 * p, limit + 1, []int{in.id}}
	want := func(when string, x probe, inForce bool) error {
		if ok, in := h.judge(h.graph(seed, rules), x); !ok || in != inForce {
			return fmt.Errorf("%s: seq %d of cut %d: authorized %v, in force %v", when, x.seq, limit, ok, in)
		}
		return nil
	}
	if err := want("removed", early, true); err != nil {
		return err
	}
	if err := want("removed", late, false); err != nil {
		return err
	}
	// The removed raises its own cut, by a leave made to look older.
	leave := h.add(&event{person: p, device: 2*p + 1, kind: Role, target: p, cut: map[int]int{2 * p: 99}}, []int{in.id})
	if err := want("backdated leave", late, false); err != nil {
		return err
	}
	again := h.add(&event{device: 100, kind: Role, target: p, rank: RankWriter}, []int{out.id, leave.id})
	if err := want("added again", late, false); err != nil {
		return err
	}
	if err := want("written after", probe{p, 2 * p, 50, []int{again.id}}, true); err != nil {
		return err
	}
	h.add(&event{device: 100, kind: Admit, tdev: 2 * p, xseq: limit + 1, target: -1}, nil)
	return want("admitted", late, true)
}
