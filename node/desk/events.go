package desk

import (
	"context"
	"sync"

	"github.com/curbside-p2p/curbside/node/control"
)

// eventsBehindMax is how many events a reader may fall behind before the oldest are dropped: a
// reader that wants state reads state, events only say that it changed.
const eventsBehindMax = 1024

// bus hands events to whoever listens, and never waits for a listener.
type bus struct {
	mu        sync.Mutex // guards listeners
	listeners map[chan control.Event]bool
}

func newBus() *bus { return &bus{listeners: map[chan control.Event]bool{}} }

func (b *bus) publish(e control.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range b.listeners {
		select {
		case ch <- e:
		default:
			select {
			case <-ch:
			default:
			}
			select {
			case ch <- e:
			default:
			}
		}
	}
}

func (b *bus) listen() (events <-chan control.Event, stop func()) {
	ch := make(chan control.Event, eventsBehindMax)
	b.mu.Lock()
	b.listeners[ch] = true
	b.mu.Unlock()
	return ch, func() {
		b.mu.Lock()
		delete(b.listeners, ch)
		b.mu.Unlock()
	}
}

// Events streams what changes on the node.
func (d *Desk) Events(ctx context.Context, _ control.None, emit func(control.Event) error) error {
	return d.stream(ctx, func(control.Event) bool { return true }, emit)
}

func (d *Desk) stream(ctx context.Context, want func(control.Event) bool, emit func(control.Event) error) error {
	events, stop := d.events.listen()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			if !want(e) {
				continue
			}
			if err := emit(e); err != nil {
				return nil // the listener is gone
			}
		}
	}
}

func (d *Desk) publish(e control.Event) {
	e.Time = d.now().UTC()
	d.events.publish(e)
}
