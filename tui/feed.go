package tui

import (
	"context"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// eventsMsg is what changed since the last one; the same thing once.
type eventsMsg []control.Event

// feed reads the node's event stream and hands it on in batches. It is the one
// goroutine of the interface; Run waits for it.
type feed struct {
	client *control.Client
	mu     sync.Mutex
	wait   []control.Event // guarded by mu
	seen   map[control.Event]bool
	wake   chan struct{}
}

func newFeed(c *control.Client) *feed {
	return &feed{client: c, seen: map[control.Event]bool{}, wake: make(chan struct{}, 1)}
}

// run follows the stream, and follows it again when it breaks, until ctx ends.
func (f *feed) run(ctx context.Context) {
	for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, 15*time.Second) {
		err := control.Events.Call(ctx, f.client, control.None{}, func(e control.Event) error {
			f.add(e)
			pause = time.Second
			return nil
		})
		if err == nil || ctx.Err() != nil {
			return
		}
		f.add(control.Event{Event: "status"}) // the node went away: the bar must say so
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (f *feed) add(e control.Event) {
	e.Time = time.Time{} // progress keeps the last value: what it is does not matter, that it changed does
	clean(&e)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[e] {
		return
	}
	if len(f.wait) >= eventsBuffer {
		f.wait = append(f.wait[:0], control.Event{Event: "case"}, control.Event{Event: "status"})
		clear(f.seen)
	}
	f.seen[e] = true
	f.wait = append(f.wait, e)
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *feed) take() []control.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.wait
	f.wait = nil
	clear(f.seen)
	return out
}

// next waits for something, lets more of it gather, and hands it over.
func (f *feed) next(ctx context.Context) tea.Cmd {
	return func() tea.Msg {
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(eventsEvery):
		}
		return eventsMsg(f.take())
	}
}
