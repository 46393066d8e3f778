package peering

import (
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/curbside-p2p/curbside/protocol/identity"
)

// Absence is a peer that is wanted and not there.
type Absence struct {
	PeerID identity.PeerID
	Why    string    // in our words; empty before the first try has ended
	Tried  time.Time // zero before that
	Next   time.Time // when the next try is due, unless a sign of life comes before
}

// Absent lists the peers that are wanted and not connected, in no order.
func (n *Node) Absent() []Absence {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []Absence
	for id, k := range n.keepers {
		if n.live[id] == nil {
			out = append(out, Absence{PeerID: identity.PeerID(id), Why: k.why, Tried: k.tried, Next: k.next})
		}
	}
	return out
}

// note keeps why a try came to nothing, or where one did not.
func (k *keeper) note(why string, good ma.Multiaddr) {
	k.n.mu.Lock()
	defer k.n.mu.Unlock()
	k.why, k.tried = why, time.Now()
	if good != nil {
		k.good = good
	}
}

// whyNot says why a peer was not reached, in words for whoever has to do something about it.
func whyNot(err error, known int, lanOnly bool) string {
	switch {
	case errors.Is(err, errNoStream):
		return "their node is reached but takes no session"
	case known == 0 || errors.Is(err, swarm.ErrNoAddresses):
		return "no address is known, and nobody on this network answers to that name"
	case errors.Is(err, swarm.ErrNoGoodAddresses) && lanOnly:
		return "all known addresses are beyond this network, and --lan-only is set"
	case errors.Is(err, swarm.ErrNoGoodAddresses):
		return "none of the known addresses can be used from here"
	}
	return fmt.Sprintf("no answer at the %d known addresses", known)
}
