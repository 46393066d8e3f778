package relay

import (
	"sync"
	"time"

	"github.com/curbside-p2p/curbside/protocol/identity"
)

// rates slows peers down that move more than their share through the mailbox: whoever
// floods it waits, and the others are served.
type rates struct {
	perSecond int64
	now       func() time.Time

	mu    sync.Mutex                    // guards peers
	peers map[identity.PeerID]time.Time // when what a peer moved is paid for
}

func newRates(perSecond int64, now func() time.Time) *rates {
	return &rates{perSecond: perSecond, now: now, peers: map[identity.PeerID]time.Time{}}
}

// spend counts bytes, at least requestCost, and says how long to wait.
func (r *rates) spend(p identity.PeerID, bytes int) time.Duration {
	if r.perSecond <= 0 {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if len(r.peers) >= ratesMax {
		for q, paid := range r.peers {
			if paid.Before(now) {
				delete(r.peers, q)
			}
		}
	}
	paid := r.peers[p]
	if paid.Before(now) {
		paid = now
	}
	paid = paid.Add(time.Duration(float64(max(bytes, requestCost)) / float64(r.perSecond) * float64(time.Second)))
	r.peers[p] = paid
	return max(paid.Sub(now)-rateBurst, 0)
}
