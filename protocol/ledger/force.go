package ledger

import "slices"

// post is a content entry as the rules see it.
type post struct {
	author owner
	need   Rank
	past   set
}

// authorized reports whether a post may be written by one who knows what v
// resolved: the rank its kind needs, from a device of the device set. R4 comes
// on top.
func (v *view) authorized(p post) bool {
	person, ok := v.devices[p.author.device]
	return ok && person == p.author.person && v.ranks[person] >= p.need
}

// inForce is the second half of FORMATS §6: v resolves the full set, and before
// says whether the post lies at or before an entry of its chain.
//
// A cut that a person sets by leaving does not count against the word of
// others, nor do the admits a person gives itself: else the removed would lift
// their own quarantine, by a backdated leave or an admit kept for the day.
func (g *graph) inForce(v *view, p post, before func(seq uint64, id EntryID) bool) bool {
	if c, ok := v.cuts[p.author]; ok && (c.Content == nil || !before(c.Content.Seq, c.Content.Entry)) {
		return false
	}
	lowered := g.lowerings(v, p)
	if len(lowered) == 0 || g.rules.noContentCut {
		return true
	}
	raised := func(i int) bool {
		for _, c := range g.acts[i].cuts {
			if c.Device == p.author.device && before(c.Seq, c.Entry) {
				return true
			}
		}
		return false
	}
	if slices.ContainsFunc(lowered, raised) {
		return true
	}
	for _, i := range v.admits[p.author.device] {
		if g.acts[i].author.person != p.author.person && raised(i) {
			return true
		}
	}
	return g.rules.readdClears && v.authorized(p)
}

// lowerings returns the valid role entries that the post does not know of and
// that lower its author below what it needs; those of others, if there are any.
func (g *graph) lowerings(v *view, p post) []int {
	var own, others []int
	for _, i := range g.on[p.author.person] {
		a := &g.acts[i]
		if a.rank >= p.need || p.past.has(i) || !v.valid.has(i) || v.founders[a.target] {
			continue
		}
		if a.author.person == p.author.person {
			own = append(own, i)
		} else {
			others = append(others, i)
		}
	}
	if len(others) > 0 {
		return others
	}
	return own
}
