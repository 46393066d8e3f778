package exchange

import "time"

// pace estimates a path and says how much to keep wanted from it: NETWORK §9, 1.5
// times goodput times the shortest round trip, and a tenth of a second more so
// that a short path is not starved by scheduling. A larger window would only fill
// buffers that an urgent range must wait behind.
type pace struct {
	goodput float64 // bytes a second; 0 unknown
	rtt     time.Duration
	begun   time.Time // of the sample
	bytes   int       // of the sample
	samples int
	size    int // window
}

func newPace() pace { return pace{size: windowStart} }

// begin starts a sample when wants go out after none were open.
func (p *pace) begin(now time.Time) { p.begun, p.bytes = now, 0 }

// arrived counts a range, its round trip, and whether it was the last one open.
func (p *pace) arrived(n int, now time.Time, trip time.Duration, last bool) {
	p.trip(trip)
	p.bytes += n
	d := now.Sub(p.begun)
	// The first samples are short, so that a fast path is known soon.
	need := max(rangeTime, p.rtt)
	if p.samples < 8 {
		need = max(rangeTime/10, p.rtt)
	}
	if d < need {
		if last {
			// Too short to tell: what was wanted was less than the window.
			p.begin(now)
		}
		return
	}
	p.sample(float64(p.bytes) / d.Seconds())
	p.begin(now)
}

// trip notes a round trip; the shortest is nearest to what the path takes.
func (p *pace) trip(d time.Duration) {
	if d > 0 && (p.rtt == 0 || d < p.rtt) {
		p.rtt = d
	}
}

func (p *pace) sample(rate float64) {
	p.samples++
	if rate > p.goodput {
		p.goodput = rate
	} else {
		p.goodput += (rate - p.goodput) / 5
	}
	want := p.goodput * (1.5*p.rtt.Seconds() + rangeTime.Seconds())
	p.size = min(max(int(want), windowMin), windowMax)
}

func (p *pace) window() int { return p.size }

// leaves is how long a range may be: about rangeTime of the path.
func (p *pace) leaves() int {
	if p.goodput == 0 {
		return leavesMax / 4
	}
	return min(max(int(p.goodput*rangeTime.Seconds()/leafSize), 1), leavesMax)
}
