package exchange

import (
	"sync"
	"time"
)

// Stats is a session at work.
type Stats struct {
	In, Out         uint64  // bytes of frames
	InRate, OutRate float64 // bytes a second, of late; 0 when quiet
	Wanted          int     // sealed bytes asked for and not here yet
	RTT             time.Duration
}

// rateTime is the span a rate is taken over.
const rateTime = time.Second

// meter counts bytes and their rate.
type meter struct {
	clock Clock
	mu    sync.Mutex // guards all below
	total uint64
	begun time.Time // of the span
	span  uint64    // bytes in it
	rate  float64   // of the span before
}

func (m *meter) add(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total += uint64(n)
	m.roll()
	m.span += uint64(n)
}

// roll ends a span that has lasted long enough.
func (m *meter) roll() {
	now := m.clock.Now()
	d := now.Sub(m.begun)
	switch {
	case m.begun.IsZero() || d >= 2*rateTime:
		m.rate = 0
		if !m.begun.IsZero() {
			m.rate = float64(m.span) / d.Seconds()
		}
	case d >= rateTime:
		m.rate = float64(m.span) / d.Seconds()
	default:
		return
	}
	m.begun, m.span = now, 0
}

func (m *meter) read() (total uint64, rate float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.roll()
	if m.rate == 0 {
		if d := m.clock.Now().Sub(m.begun); d > rateTime/20 {
			return m.total, float64(m.span) / d.Seconds()
		}
	}
	return m.total, m.rate
}
