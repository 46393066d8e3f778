package ledger

import "slices"

// oracle is the rules of FORMATS §6 written a second time, slowly and close to
// the text, over numbers and maps. It shares nothing with graph.
type oracle struct{ h *history }

type oracleState struct {
	rank   map[int]Rank
	valid  map[int]bool
	cut    map[int]*event
	closed map[int]bool
}

func (o oracle) all() map[int]bool {
	s := map[int]bool{}
	for id := range o.h.events {
		s[id] = true
	}
	return s
}

func (o oracle) pastOf(ids ...int) map[int]bool {
	s := map[int]bool{}
	for _, id := range ids {
		s[id] = true
		for q := range o.h.past[id] {
			s[q] = true
		}
	}
	return s
}

func (o oracle) void(s oracleState, e *event) bool {
	c := s.cut[e.device]
	if c == nil || e.kind == Create || e.kind == Revoke {
		return false
	}
	if e.seq > c.cseq {
		return true
	}
	if c.cid < 0 || !s.closed[c.cid] {
		return false
	}
	for at := c.cid; at >= 0; at = o.h.events[at].prev {
		if at == e.id {
			return false
		}
	}
	return true
}

func (o oracle) cuts(set map[int]bool) map[int]*event {
	out := map[int]*event{}
	for id := range set {
		e := o.h.events[id]
		if e.kind != Revoke {
			continue
		}
		old := out[e.tdev]
		x, y := idOf(e.id), EntryID{}
		if old != nil {
			y = idOf(old.id)
		}
		if old == nil || e.serial > old.serial || e.serial == old.serial && string(x[:]) > string(y[:]) {
			out[e.tdev] = e
		}
	}
	return out
}

func (o oracle) resolve(set map[int]bool) oracleState {
	s := oracleState{valid: map[int]bool{}, cut: o.cuts(set), closed: set}
	founders := o.h.events[0].founders
	isFounder := func(p int) bool { return slices.Contains(founders, p) && set[0] }
	for id := range set {
		e := o.h.events[id]
		switch {
		case e.kind == Create || e.kind == Revoke:
			s.valid[id] = true
		case isFounder(e.person) && !o.void(s, e):
			if e.kind == Admit || e.kind == Role && !isFounder(e.target) && e.rank <= RankAdmin {
				s.valid[id] = true
			}
		}
	}
	for id := range len(o.h.events) { // numbers are a topological order
		e := o.h.events[id]
		if !set[id] || isFounder(e.person) || e.kind == Create || e.kind == Revoke || o.void(s, e) {
			continue
		}
		past := map[int]bool{}
		for q := range o.h.past[id] {
			past[q] = s.valid[q]
		}
		st := o.fold(past, isFounder)
		leaving := e.kind == Role && e.target == e.person && e.rank == RankNone
		if leaving {
			if st[e.person] >= RankReader {
				s.valid[id] = true
			}
			continue
		}
		ok := st[e.person] >= RankAdmin
		if e.kind == Role {
			ok = ok && st[e.target] < st[e.person] && e.rank < st[e.person]
		}
		for f := range set { // strong removal
			d := o.h.events[f]
			if s.valid[f] && d.kind == Role && isFounder(d.person) && d.target == e.person && d.rank < RankAdmin &&
				f != id && !o.h.past[f][id] && !o.h.past[id][f] {
				ok = false
			}
		}
		if ok {
			s.valid[id] = true
		}
	}
	s.rank = o.fold(s.valid, isFounder)
	return s
}

func (o oracle) fold(valid map[int]bool, isFounder func(int) bool) map[int]Rank {
	rank := map[int]Rank{}
	for a, ok := range valid {
		x := o.h.events[a]
		if !ok || x.kind != Role {
			continue
		}
		maximal := true
		for b, ok := range valid {
			if y := o.h.events[b]; ok && y.kind == Role && y.target == x.target && o.h.past[b][a] {
				maximal = false
			}
		}
		if old, known := rank[x.target]; maximal && (!known || x.rank < old) {
			rank[x.target] = x.rank
		}
	}
	if valid[0] {
		for p := range o.h.people {
			if isFounder(p) {
				rank[p] = RankFounder
			}
		}
	}
	return rank
}

// judge returns authorized and in force of a content entry that needs rank 2.
func (o oracle) judge(p probe) (bool, bool) {
	past := o.pastOf(p.auth...)
	at := o.resolve(past)
	introduced := false
	for id := range past {
		e := o.h.events[id]
		introduced = introduced || e.kind == Role && e.target == p.person || e.kind == Create && slices.Contains(e.founders, p.person)
	}
	if at.rank[p.person] < RankWriter || at.cut[p.device] != nil || !introduced {
		return false, false
	}
	now := o.resolve(o.all())
	if c := now.cut[p.device]; c != nil && p.seq > c.xseq {
		return true, false
	}
	own, others, hit := 0, 0, [2]bool{}
	for id := range now.valid {
		e := o.h.events[id]
		if e.kind == Role && e.target == p.person && e.rank < RankWriter && !past[id] {
			if e.person == p.person {
				hit[0], own = true, max(own, e.cut[p.device])
			} else {
				hit[1], others = true, max(others, e.cut[p.device])
			}
		}
	}
	if !hit[0] && !hit[1] {
		return true, true
	}
	limit := others
	if !hit[1] {
		limit = own
	}
	for id := range now.valid {
		if e := o.h.events[id]; e.kind == Admit && e.tdev == p.device && e.person != p.person {
			limit = max(limit, e.xseq)
		}
	}
	return true, p.seq <= limit
}
