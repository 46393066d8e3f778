package desk

import (
	"sync"
	"time"

	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// Who fetches the same study is told what is here by now, after a time or a number of bytes,
// whichever comes first (NETWORK §9).
const (
	haveEvery = 250 * time.Millisecond
	haveBytes = 1 << 20
	// haveLeast keeps a fast network from talking about nothing else.
	haveLeast = 50 * time.Millisecond
)

// freshHaves gathers cases of which more blobs are here than members were told.
type freshHaves struct {
	mu    sync.Mutex // guards all below
	cases map[ledger.ThreadID]bool
	bytes uint64
	told  time.Time
	timer *time.Timer
	ended bool
}

func newFreshHaves() *freshHaves { return &freshHaves{cases: map[ledger.ThreadID]bool{}} }

// add notes a case and has tell called in time, by another goroutine.
func (f *freshHaves) add(id ledger.ThreadID, bytes uint64, tell func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return
	}
	f.cases[id] = true
	f.bytes += bytes
	wait := haveEvery
	if f.bytes >= haveBytes {
		wait = haveLeast - time.Since(f.told)
	}
	switch {
	case f.timer == nil:
		f.timer = time.AfterFunc(max(wait, 0), tell)
	case f.bytes >= haveBytes && f.timer.Stop():
		f.timer = time.AfterFunc(max(wait, 0), tell)
	}
}

func (f *freshHaves) take() map[ledger.ThreadID]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.cases
	f.cases, f.bytes, f.timer, f.told = map[ledger.ThreadID]bool{}, 0, nil, time.Now()
	return out
}

func (f *freshHaves) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	if f.timer != nil {
		f.timer.Stop()
	}
}

// news has members of a case told what is here of its studies. The lock is held.
func (d *Desk) news(id ledger.ThreadID, bytes uint64) {
	if d.net != nil {
		d.fresh.add(id, bytes, d.tellHaves)
	}
}

func (d *Desk) tellHaves() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.fresh.take() {
		d.tell(func(n Network) { n.Held(id) })
	}
}
