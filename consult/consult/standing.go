package consult

import (
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// conclude says how the case stands.
func (f *fold) conclude() {
	s := f.s
	s.clinical = f.standing()
	s.State = s.clinical
	if s.State == StateAsked {
		s.State = f.arrived()
	}
	s.Crossed = f.crossed()
	s.WithdrawnAfter = s.State == StateWithdrawn && slices.ContainsFunc(f.opinions, func(o *opinion) bool { return o.counts && o.body.Round == s.Round })
	s.Conflict = s.Conflict || f.finalsConflict()
	for _, x := range []struct {
		flag string
		set  bool
	}{
		{FlagAmended, f.amended()},
		{FlagConflict, s.Conflict},
		{FlagCritical, len(s.OpenCriticals()) > 0},
		{FlagCrossed, s.Crossed},
		{FlagStale, f.anyStale()},
	} {
		if x.set {
			s.Flags = append(s.Flags, x.flag)
		}
	}
	s.entries = f.entryRows()
}

// standing is the largest stage of the acting round (FORMATS §7, kind 40): a
// final report counts as stage 4, and a withdrawal that did not know of it does
// not outrank it.
func (f *fold) standing() string {
	finals := f.finals()
	switch {
	case f.request == nil:
		return StateDraft
	case f.locked:
		return StateQuarantined
	case f.withdrawn(finals):
		return StateWithdrawn
	case len(f.staged(StageClosed)) > 0:
		return StateClosed
	case len(finals) > 0 && f.allTaken(finals):
		return StateAcknowledged
	case len(finals) > 0:
		return StateAnswered
	default:
		return f.underway()
	}
}

func (f *fold) withdrawn(finals []*opinion) bool {
	return slices.ContainsFunc(f.staged(StageWithdrawn), func(w *item) bool {
		return !slices.ContainsFunc(finals, func(o *opinion) bool { return !precedes(o.it, w) })
	})
}

func (f *fold) allTaken(finals []*opinion) bool {
	return !slices.ContainsFunc(finals, func(o *opinion) bool { return !f.acknowledged(o.last()) })
}

// underway is the state before there is a final report.
func (f *fold) underway() string {
	state := StateAsked
	able := f.able()
	left := 0
	for _, p := range able {
		switch f.stances[p] {
		case reading:
			state = StateReading
		case accepted:
			if state == StateAsked {
				state = StateAccepted
			}
		case declined:
			continue
		case silent:
		}
		left++
	}
	if len(f.ofType(ReportOpinion)) > 0 {
		state = StatePreliminary
	}
	switch {
	case state == StateAsked && left == 0 && f.anyDeclined():
		return StateDeclined
	case state != StateAsked && f.asking():
		return StateQuestion
	default:
		return state
	}
}

func (f *fold) anyDeclined() bool {
	return slices.ContainsFunc(f.s.Assigned, func(p identity.PersonID) bool { return f.stances[p] == declined })
}

// arrived tells asked, delivered and seen apart, by the receipts of assignees
// who have not declined.
func (f *fold) arrived() string {
	asking := append([]*item{f.request}, f.openers[f.s.Round]...)
	state := StateAsked
	for _, p := range f.able() {
		if f.stances[p] == declined {
			continue
		}
		all := func(read bool) bool {
			return !slices.ContainsFunc(asking, func(it *item) bool { return !f.s.got(p, it, read) })
		}
		if all(true) {
			return StateSeen
		}
		if all(false) {
			state = StateDelivered
		}
	}
	return state
}

// crossed reports whether a withdrawal, a close or a new round and a final
// report did not know of each other.
func (f *fold) crossed() bool {
	ends := slices.Concat(f.staged(StageWithdrawn), f.staged(StageClosed), f.openers[f.s.Round])
	for _, o := range f.opinions {
		if !o.counts || !o.final() || o.body.Round+1 < f.s.Round {
			continue
		}
		if slices.ContainsFunc(ends, func(it *item) bool { return concurrent(it, o.it) }) {
			return true
		}
	}
	return false
}

// finalsConflict reports whether two finals that did not know of each other
// stand, until owners acknowledged both.
func (f *fold) finalsConflict() bool {
	var open []*opinion
	finals := f.finals()
	for _, o := range finals {
		if o.current() {
			open = append(open, o)
		}
	}
	if f.allTaken(finals) {
		return false
	}
	for i, x := range open {
		if slices.ContainsFunc(open[i+1:], func(y *opinion) bool { return concurrent(x.it, y.it) }) {
			return true
		}
	}
	return false
}

// amended reports whether a final report of the acting round was added to,
// corrected or replaced.
func (f *fold) amended() bool {
	return slices.ContainsFunc(f.finals(), func(o *opinion) bool { return o.by != nil && o.by.final() || len(o.addenda) > 0 })
}

// anyStale looks at the finals that stand, or at the preliminary ones while
// there is no final.
func (f *fold) anyStale() bool {
	of := f.finals()
	if len(of) == 0 {
		of = f.ofType(ReportOpinion)
	}
	return slices.ContainsFunc(of, func(o *opinion) bool { return o.current() && f.stale(o) })
}

// foldMembers lists members, founders first, then by their first role entry.
func (f *fold) foldMembers() {
	order := slices.Clone(f.t.Members().Founders)
	for _, it := range f.items {
		if b := roleBody(it.e); b != nil && !slices.Contains(order, b.Person) {
			order = append(order, b.Person)
		}
	}
	primary, able := f.primary(), f.able()
	for _, p := range order {
		rank, ok := f.ranks[p]
		if !ok {
			continue
		}
		assigned := slices.Contains(able, p)
		f.s.Members = append(f.s.Members, Member{
			Person: p, Rank: rank, Role: RoleName(rank), Primary: primary != nil && *primary == p,
			Assigned: assigned, Accepted: assigned && f.stances[p] >= accepted, Declined: assigned && f.stances[p] == declined,
			Reading: assigned && f.stances[p] == reading, Attested: f.attested(p),
		})
	}
}

// primary is the first assignee who can act and has not declined.
func (f *fold) primary() *identity.PersonID {
	for _, p := range f.able() {
		if f.stances[p] != declined {
			return &p
		}
	}
	return nil
}

// RoleName names a rank as scripts do.
func RoleName(r ledger.Rank) string {
	switch r {
	case ledger.RankFounder:
		return RoleRequester
	case ledger.RankAdmin:
		return RoleCoordinator
	case ledger.RankWriter:
		return RoleConsultant
	case ledger.RankReader:
		return RoleObserver
	default:
		return RoleRemoved
	}
}

// RankOf returns the rank of a role that members are given.
func RankOf(role string) (ledger.Rank, bool) {
	for _, r := range []ledger.Rank{ledger.RankNone, ledger.RankReader, ledger.RankWriter, ledger.RankAdmin} {
		if RoleName(r) == role {
			return r, true
		}
	}
	return 0, false
}
