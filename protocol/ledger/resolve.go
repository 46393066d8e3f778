package ledger

import (
	"bytes"
	"maps"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
)

// owner is a device with its person. A cut counts only for a device of the
// person whose root signed it.
type owner struct {
	device identity.DeviceID
	person identity.PersonID
}

// cut is a verified DeviceCut with the RecordID that breaks ties.
type cut struct {
	*identity.DeviceCut
	record [32]byte
}

// beats is the order of cuts of one device: the highest (serial, RecordID) counts.
func (c cut) beats(o cut) bool {
	if c.Serial != o.Serial {
		return c.Serial > o.Serial
	}
	return bytes.Compare(c.record[:], o.record[:]) > 0
}

// act is what the rules know of a control entry.
type act struct {
	id       EntryID
	author   owner
	seq      uint64
	prev     int // place of prev in the graph, -1 if none
	kind     Kind
	past     set                 // all it reaches, without itself
	founders []identity.PersonID // create
	target   identity.PersonID   // role
	rank     Rank                // role
	cuts     []ContentCut        // role and admit
	intro    []owner             // devices that create, role and device entries introduce
	cut      *cut                // revoke
}

// rules switches rules off, for tests that prove that each is needed. It is
// zero outside of tests.
type rules struct {
	noStrong     bool // no strong removal
	highestRank  bool // highest rank wins instead of the lowest
	ignoreCuts   bool // void entries count
	foldVoid     bool // entries that are not valid count in the past of others
	arrival      bool // ties are broken by arrival
	onFounders   bool // role entries on founders count
	equalRank    bool // <= for < on ranks
	noContentCut bool // lowering a rank quarantines nothing
	readdClears  bool // a later grant lifts the quarantine
	noAuthBack   bool // auth heads may go back
	anyEpoch     bool // R4 off: whatever epoch is the newest
	oldDevices   bool // R1 off: sealed to the last epoch's devices
}

// graph holds the control entries of a thread in the order they were admitted,
// which is one of many topological orders. Nothing that it computes depends on
// which, and histories in tests arrive in many.
type graph struct {
	acts  []act
	place map[EntryID]int
	on    map[identity.PersonID][]int // role entries by target, ascending
	onSet map[identity.PersonID]set   // the same
	rules rules
	views map[string]*view
}

func newGraph() *graph {
	return &graph{place: map[EntryID]int{}, on: map[identity.PersonID][]int{}, onSet: map[identity.PersonID]set{}, views: map[string]*view{}}
}

// add appends an act whose past is in the graph.
func (g *graph) add(a act) int {
	i := len(g.acts)
	g.acts = append(g.acts, a)
	g.place[a.id] = i
	if a.kind == Role {
		g.on[a.target] = append(g.on[a.target], i)
		g.onSet[a.target] = g.onSet[a.target].add(i)
	}
	return i
}

// concurrent reports whether neither of two acts is in the past of the other.
func (g *graph) concurrent(i, j int) bool {
	return i != j && !g.acts[i].past.has(j) && !g.acts[j].past.has(i)
}

// view is what Resolve says of a causally closed set.
type view struct {
	set      set
	valid    set
	founders map[identity.PersonID]bool
	ranks    map[identity.PersonID]Rank // RankNone is absent
	cuts     map[owner]cut
	genuine  map[owner]set               // chain that ends in a cut's control entry, if it is in the set
	strong   map[identity.PersonID][]int // valid founders' entries that lower below admin
	devices  map[identity.DeviceID]identity.PersonID
	list     []identity.DeviceID // of devices, sorted
	admits   map[identity.DeviceID][]int
}

// view resolves a causally closed set; the result is shared and not changed.
func (g *graph) view(s set) *view {
	key := s.key()
	if v := g.views[key]; v != nil {
		return v
	}
	if len(g.views) >= viewsMax {
		clear(g.views)
	}
	v := g.resolve(s.clone())
	g.views[key] = v
	return v
}

// resolve is Resolve of FORMATS §6: a function of a causally closed set of
// control entries and of nothing else.
func (g *graph) resolve(s set) *view {
	v := &view{
		set: s, founders: map[identity.PersonID]bool{}, ranks: map[identity.PersonID]Rank{},
		cuts: map[owner]cut{}, genuine: map[owner]set{}, strong: map[identity.PersonID][]int{},
		devices: map[identity.DeviceID]identity.PersonID{}, admits: map[identity.DeviceID][]int{},
	}
	g.takeCuts(v)
	g.takeFounders(v)
	g.takeOthers(v)
	g.fold(v)
	g.deviceSet(v)
	return v
}

// takeCuts is step 1, cuts. Who posted a revoke, and where, does not matter.
func (g *graph) takeCuts(v *view) {
	for i := range v.set.all() {
		a := &g.acts[i]
		if a.kind != Revoke {
			continue
		}
		v.valid = v.valid.add(i)
		o := owner{a.cut.Device, a.cut.Person}
		if old, ok := v.cuts[o]; !ok || a.cut.beats(old) {
			v.cuts[o] = *a.cut
		}
	}
	for o, c := range v.cuts {
		if c.Control == nil {
			continue
		}
		if i, ok := g.place[c.Control.Entry]; ok && v.set.has(i) {
			v.genuine[o] = g.chain(i)
		}
	}
}

// chain returns an act and all before it on its chain.
func (g *graph) chain(i int) set {
	var s set
	for ; i >= 0; i = g.acts[i].prev {
		s = s.add(i)
	}
	return s
}

// void reports whether a cut voids an act; i is its place, -1 if it is not
// (yet) in the graph and thus on no chain that ends in an act of the set.
func (g *graph) void(v *view, a *act, i int) bool {
	if g.rules.ignoreCuts || a.kind == Create || a.kind == Revoke {
		return false
	}
	c, ok := v.cuts[a.author]
	if !ok {
		return false
	}
	if c.Control == nil || a.seq > c.Control.Seq {
		return true
	}
	genuine, known := v.genuine[a.author]
	return known && (i < 0 || !genuine.has(i))
}

// takeFounders is step 2: founders' entries count whatever others do.
func (g *graph) takeFounders(v *view) {
	for i := range v.set.all() {
		if a := &g.acts[i]; a.kind == Create {
			v.valid = v.valid.add(i)
			for _, f := range a.founders {
				v.founders[f] = true
			}
		}
	}
	for i := range v.set.all() {
		a := &g.acts[i]
		if !v.founders[a.author.person] || !g.founderMay(v, a) || g.void(v, a, i) {
			continue
		}
		v.valid = v.valid.add(i)
		if a.kind == Role && a.rank < RankAdmin {
			v.strong[a.target] = append(v.strong[a.target], i)
		}
	}
}

func (g *graph) founderMay(v *view, a *act) bool {
	switch a.kind {
	case Admit:
		return true
	case Role:
		return a.rank < RankFounder && (!v.founders[a.target] || g.rules.onFounders)
	default:
		return false
	}
}

// takeOthers is step 3. Places are a topological order.
func (g *graph) takeOthers(v *view) {
	for i := range v.set.all() {
		a := &g.acts[i]
		if a.kind != Role && a.kind != Admit || v.founders[a.author.person] || g.void(v, a, i) {
			continue
		}
		st := func(p identity.PersonID) Rank { return g.rankIn(v, p, a.past) }
		if g.mayOther(a, st) && (a.leaves() || !g.removed(v, i)) {
			v.valid = v.valid.add(i)
		}
	}
}

// leaves reports whether the author leaves by this entry.
func (a *act) leaves() bool {
	return a.kind == Role && a.target == a.author.person && a.rank == RankNone
}

// mayOther is the rule for the roles and admits of everyone but founders.
func (g *graph) mayOther(a *act, st func(identity.PersonID) Rank) bool {
	r := st(a.author.person)
	switch {
	case a.leaves():
		return r > RankNone
	case a.kind == Admit:
		return r >= RankAdmin
	case g.rules.equalRank:
		return r >= RankAdmin && st(a.target) < r && a.rank <= r
	default:
		return r >= RankAdmin && st(a.target) < r && a.rank < r
	}
}

// removed is strong removal: a founder lowered the author below admin,
// concurrently with this entry.
func (g *graph) removed(v *view, i int) bool {
	if g.rules.noStrong {
		return false
	}
	return slices.ContainsFunc(v.strong[g.acts[i].author.person], func(d int) bool { return g.concurrent(d, i) })
}

// rankIn is step 4, the fold, over the valid entries within a causally closed
// part of the set: the lowest among the causally maximal ones.
func (g *graph) rankIn(v *view, p identity.PersonID, within set) Rank {
	if v.founders[p] && !g.rules.onFounders {
		return g.founderRank(within)
	}
	counts := v.valid
	if g.rules.foldVoid {
		counts = v.set
	}
	rank, found := RankNone, false
	// What reaches an act has a higher place, so the highest of those that are
	// left is maximal, and what it reaches is not.
	left := g.onSet[p].clone().meet(within).meet(counts)
	for i := left.top(); i >= 0; i = left.top() {
		left = left.without(g.acts[i].past)
		left[i>>6] &^= 1 << (i & 63)
		if r := g.acts[i].rank; !found || g.prefer(r, rank) {
			rank, found = r, true
		}
	}
	if !found && v.founders[p] {
		return g.founderRank(within)
	}
	return rank
}

// prefer reports whether rank r beats the one chosen so far.
func (g *graph) prefer(r, chosen Rank) bool {
	switch {
	case g.rules.arrival:
		return false
	case g.rules.highestRank:
		return r > chosen
	default:
		return r < chosen
	}
}

func (g *graph) founderRank(within set) Rank {
	if within.has(0) { // the create entry is the first of every graph
		return RankFounder
	}
	return RankNone
}

func (g *graph) fold(v *view) {
	for p := range v.founders {
		v.ranks[p] = RankFounder
	}
	for p := range g.on {
		if r := g.rankIn(v, p, v.set); r > RankNone {
			v.ranks[p] = r
		} else {
			delete(v.ranks, p)
		}
	}
}

// deviceSet is step 5. Introductions count whether or not the entry is valid:
// certificates carry their own signature.
func (g *graph) deviceSet(v *view) {
	for i := range v.set.all() {
		a := &g.acts[i]
		for _, o := range a.intro {
			if _, isCut := v.cuts[o]; !isCut && v.ranks[o.person] > RankNone {
				v.devices[o.device] = o.person
			}
		}
		if a.kind == Admit && v.valid.has(i) {
			for _, c := range a.cuts {
				v.admits[c.Device] = append(v.admits[c.Device], i)
			}
		}
	}
	v.list = slices.SortedFunc(maps.Keys(v.devices), func(a, b identity.DeviceID) int { return bytes.Compare(a[:], b[:]) })
}
