package node_test

import (
	"testing"

	"github.com/curbside-p2p/curbside/node/control"
)

// TestMoved: a contact whose address has changed while nobody could be told is found by the private
// DHT, through a bootstrap node that is nobody's contact.
func TestMoved(t *testing.T) {
	t.Parallel()
	boot := found(t, "Boot")
	boot.config.NoDHT, boot.config.LANOnly = false, true
	boot.down() // it was opened with other settings
	boot.serve()
	at := call(boot, control.GetCard, control.CardRequest{NoInvite: true}).Addresses[0]

	a, c := found(t, "Ask"), found(t, "Answer")
	for _, p := range []*clinic{a, c} {
		p.config.NoDHT, p.config.LANOnly, p.config.Bootstrap = false, true, []string{at}
		p.down()
		p.serve()
	}
	befriend(a, c)
	id := a.ask(a.take(small(14)), "what is it?", "Answer")
	c.complete(id)
	// Both move: neither's card says where they are now, and mDNS is off.
	was := [2]string{a.port(), c.port()}
	a.down()
	c.down()
	a.saysOffline(id, "written while moving")
	a.serve()
	c.serve()
	if a.port() == was[0] && c.port() == was[1] {
		t.Skip("SKIP the system gave the same ports again")
	}
	c.reads(id, "written while moving")
	agree(id, a, c)
}

// saysOffline posts with no node running.
func (p *clinic) saysOffline(id, text string) {
	p.t.Helper()
	p.open()
	p.says(id, text)
	p.down()
}
