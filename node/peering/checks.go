package peering

import (
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Finding is one thing doctor looks at.
type Finding struct {
	Name   string
	OK     bool
	Detail string
	Hint   string // what to do, if anything
}

// SystemChecks looks at what the system gives to any node: congestion control and
// buffers. They are hints for speed; none fails.
func SystemChecks() []Finding { return systemChecks() }

// Checks looks at a running node: where it listens, and which ways to find peers work.
func (n *Node) Checks() []Finding {
	h, _, err := n.running()
	if err != nil {
		return []Finding{{Name: "network", Detail: err.Error(), Hint: "start it with: curbside serve"}}
	}
	addrs := n.Self().Addrs
	out := []Finding{{
		Name: "addresses", OK: len(addrs) > 0, Detail: strings.Join(addrs, " "),
		Hint: hintIf(len(addrs) == 0, "no address is up; plug in a network"),
	}}
	n.mu.Lock()
	wanted, live, d, lan := len(n.keepers), 0, n.dht, n.lan
	for id := range n.keepers {
		if n.live[id] != nil {
			live++
		}
	}
	boot := n.boot
	n.mu.Unlock()
	out = append(out, Finding{Name: "peers", OK: true, Detail: fmt.Sprintf("%d of %d connected", live, wanted)})
	if n.cfg.MDNS {
		out = append(out, Finding{
			Name: "lan discovery", OK: lan.mdns == "" || lan.beacon == "",
			Detail: "mDNS: " + orElse(lan.mdns, "running") + "; beacon: " + orElse(lan.beacon, "running"),
			Hint:   hintIf(lan.mdns != "" && lan.beacon != "", "peers on the LAN are found by their addresses only"),
		})
	}
	if len(n.cfg.Bootstrap) > 0 {
		up := connected(h.Network(), boot)
		out = append(out, Finding{
			Name: "bootstrap", OK: up > 0 || len(boot) == 0, Detail: fmt.Sprintf("%d of %d nodes connected", up, len(boot)),
			Hint: hintIf(up == 0 && len(boot) > 0, "no bootstrap node answers; contacts are dialled at their last addresses"),
		})
	}
	if len(n.cfg.Relays) > 0 {
		out = append(out, n.checkRelays())
	}
	if d != nil {
		out = append(out, Finding{Name: "dht", OK: true, Detail: fmt.Sprintf("%d peers in the table", d.RoutingTable().Size())})
	}
	return out
}

// checkRelays says at how many relays the node can be reached, and why not at the others.
func (n *Node) checkRelays() Finding {
	n.mu.Lock()
	defer n.mu.Unlock()
	up, why := 0, ""
	for _, l := range n.links {
		if l.up {
			up++
		} else {
			why = l.why
		}
	}
	f := Finding{Name: "relays", OK: up > 0, Detail: fmt.Sprintf("reachable through %d of %d", up, len(n.links))}
	if why != "" {
		f.Detail += ": " + why
	}
	f.Hint = hintIf(up == 0, "check the address of --relay, and ask its operator whether this node's peer id is allowed")
	return f
}

func connected(nw network.Network, peers []peer.AddrInfo) (up int) {
	for _, i := range peers {
		if nw.Connectedness(i.ID) == network.Connected {
			up++
		}
	}
	return up
}

func hintIf(bad bool, hint string) string {
	if bad {
		return hint
	}
	return ""
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
