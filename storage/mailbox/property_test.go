package mailbox_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/mailbox"
	"github.com/curbside-p2p/curbside/protocol/wire"
	store "github.com/curbside-p2p/curbside/storage/mailbox"
)

// model is what a mailbox has to do, in a few lines.
type model struct {
	key   *mailbox.Key
	owner identity.PeerID
	seen  time.Time
	items []modelItem
}

type modelItem struct {
	text string
	at   time.Time
}

func (m *model) expire(now time.Time) {
	for len(m.items) > 0 && now.Sub(m.items[0].at) > mailbox.ItemAge {
		m.items = m.items[1:]
	}
}

func (m *model) has(text string) bool {
	for _, it := range m.items {
		if it.text == text {
			return true
		}
	}
	return false
}

func (m *model) texts() (out []string) {
	for _, it := range m.items {
		out = append(out, it.text)
	}
	return out
}

// TestHistories holds the mailbox, over its protocol, to the model through random
// histories of deposits (fresh, repeated, with wrong secrets), collecting, acknowledging
// parts, days that pass, sweeps and restarts: an item that was kept comes to its box's
// owner once, in order, until it is acknowledged or 30 days old, and to nobody else.
//
// Shown to fail with: the MAC not compared; the MAC without T, in TestReplay; acknowledging
// one too many; no dedupe; no expiry; the box of the address instead of the proven one.
func TestHistories(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			d := newDesk(t, store.Limits{})
			var boxes []*model
			for i := range 3 {
				who := identity.PeerID(fmt.Sprint("owner", i))
				boxes = append(boxes, &model{key: d.opened(who), owner: who, seen: d.now})
			}
			for step := range 80 {
				m := boxes[r.IntN(len(boxes))]
				act(t, d, r, m, step)
			}
			for _, m := range boxes {
				if m.expire(d.now); d.now.Sub(m.seen) <= mailbox.BoxAge {
					if got := d.collect(m.owner, m.key, false); !same(got, m.texts()) {
						t.Errorf("at the end: got %q, want %q", got, m.texts())
					}
				}
			}
		})
	}
}

func act(t *testing.T, d *desk, r *rand.Rand, m *model, step int) {
	t.Helper()
	if d.now.Sub(m.seen) > mailbox.BoxAge {
		return // it may be gone or not, as a sweep came
	}
	switch r.IntN(9) {
	case 0, 1, 2:
		text := fmt.Sprint("\x01", r.IntN(20))
		kept, err := d.deposit("friend", m.key.Address(), text)
		if kept != 1 || err != nil {
			t.Fatalf("step %d: kept %d, %v", step, kept, err)
		}
		if m.expire(d.now); !m.has(text) {
			m.items = append(m.items, modelItem{text, d.now})
		}
	case 3:
		bad := m.key.Address()
		bad.Deposit[r.IntN(32)] ^= 1 << r.IntN(8)
		if kept, err := d.deposit("eve", bad, fmt.Sprint("\x01evil", step)); kept != 0 || !errors.Is(err, mailbox.ErrRefused) {
			t.Fatalf("step %d: a wrong secret: %d, %v", step, kept, err)
		}
	case 4, 5:
		m.expire(d.now)
		collectSome(t, d, r, m, step)
		m.seen = d.now
	case 6:
		d.pass(time.Duration(r.IntN(25*24)) * time.Hour)
	case 7:
		d.restart()
	case 8:
		d.Sweep()
		m.expire(d.now)
	}
}

// collectSome looks at all and acknowledges a part.
func collectSome(t *testing.T, d *desk, r *rand.Rand, m *model, step int) {
	t.Helper()
	err := d.visit(m.owner, func(c *mailbox.Client) error {
		items, _, err := c.Collect(m.key, 0)
		if err != nil {
			return err
		}
		var got []string
		for _, it := range items {
			got = append(got, string(it.Item))
		}
		if !same(got, m.texts()) {
			t.Fatalf("step %d: got %q, want %q", step, got, m.texts())
		}
		n := r.IntN(len(items) + 1)
		if n == 0 {
			return nil
		}
		m.items = m.items[n:]
		return c.Acknowledge(items[n-1].Cursor)
	})
	if err != nil {
		t.Fatalf("step %d: %v", step, err)
	}
}

// TestStrangersSeeNothing: a key pair that has no box here, or another's, collects nothing.
func TestStrangersSeeNothing(t *testing.T) {
	d := newDesk(t, store.Limits{})
	k := d.opened("owner")
	_, _ = d.deposit("friend", k.Address(), "\x01hers")
	err := d.visit("eve", func(c *mailbox.Client) error {
		_, _, err := c.Collect(mailbox.NewKey(wire.NewSecret()), 0)
		return err
	})
	if !errors.Is(err, mailbox.ErrAbsent) {
		t.Errorf("got %v, want ErrAbsent", err)
	}
}
