package consult

import (
	"maps"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// SkewMin is from what on a clock is put right: less is delay, and is within
// what the format takes for a clock that goes (FORMATS §7, Time).
const SkewMin = 10 * minute

// clocks is what causality proves about the clocks of a case: behind[d][r] is
// by how much device d must be behind device r at least, for it wrote something
// at an earlier time than r had written what it knew then. Behind[r][d] is as
// much the other way round. Nothing is guessed: what was merely long under way
// proves nothing. What is proven lacks as much as the other took to answer.
type clocks struct {
	behind map[identity.DeviceID]map[identity.DeviceID]int64
}

// foldClocks goes through all entries with the newest time that each device
// claims in their past.
func (f *fold) foldClocks() {
	newest := map[ledger.EntryID]map[identity.DeviceID]int64{}
	proof := map[identity.DeviceID]map[identity.DeviceID]int64{}
	for _, it := range f.items {
		e := it.e
		var past map[identity.DeviceID]int64
		if e.Prev != nil {
			past = newest[*e.Prev]
		}
		for _, id := range e.Parents {
			past = later(past, newest[id])
		}
		for device, ms := range past {
			if by := ms - e.ClaimedMS; device != e.Device && by > SkewMin {
				if proof[e.Device] == nil {
					proof[e.Device] = map[identity.DeviceID]int64{}
				}
				proof[e.Device][device] = max(proof[e.Device][device], by)
			}
		}
		newest[e.ID] = later(past, map[identity.DeviceID]int64{e.Device: e.ClaimedMS})
	}
	f.s.clocks.behind = proof
}

// later joins two sets of times. It changes neither, and makes a new one only
// where it must.
func later(a, b map[identity.DeviceID]int64) map[identity.DeviceID]int64 {
	if covers(a, b) {
		return a
	}
	if covers(b, a) {
		return b
	}
	out := maps.Clone(a)
	for d, ms := range b {
		out[d] = max(out[d], ms)
	}
	return out
}

func covers(a, b map[identity.DeviceID]int64) bool {
	for d, ms := range b {
		if has, ok := a[d]; !ok || has < ms {
			return false
		}
	}
	return true
}

// at is when an entry was made, by the clock of the device that asks.
func (k clocks) at(x step, c Clock) int64 {
	ms, skew := x.ms, int64(0)
	if c.Skew != nil {
		skew = c.Skew(x.device)
	}
	if skew == 0 && x.device != c.Device {
		skew = k.behind[x.device][c.Device] - k.behind[c.Device][x.device]
	}
	ms += skew
	if c.Received != nil {
		if came := c.Received(x.entry); came > 0 {
			ms = min(ms, came)
		}
	}
	return ms
}

// moment is [clocks.at] for any entry of a state, 0 if it is not here.
func (k clocks) moment(s *State, id ledger.EntryID, c Clock) int64 {
	p, ok := s.Post(id)
	if !ok {
		return 0
	}
	return k.at(step{p.Entry, p.Device, p.TimeMS}, c)
}
