package peering

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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
	n.mu.Lock()
	d, lan, boot := n.dht, n.lan, n.boot
	n.mu.Unlock()
	out := []Finding{n.checkAddrs(), n.checkPeers(), n.checkClock()}
	if n.cfg.MDNS {
		out = append(out, Finding{
			Name: "lan discovery", OK: lan.mdns == "" || lan.beacon == "" || lan.mdns == onlyLoopback,
			Detail: "mDNS: " + orElse(lan.mdns, "running") + "; beacon: " + orElse(lan.beacon, "running") + fmt.Sprintf("; %d peers connected on the LAN", n.onPath("lan")),
			Hint:   hintIf(lan.mdns != "" && lan.beacon != "", "peers on the LAN are found by their addresses only: exchange them by invite, or name one with --bootstrap"),
		})
	}
	if len(n.cfg.Bootstrap) > 0 {
		up := connected(h.Network(), boot)
		out = append(out, Finding{
			Name: "bootstrap", OK: up > 0 || len(boot) == 0, Detail: fmt.Sprintf("%d of %d nodes connected", up, len(boot)),
			Hint: hintIf(up == 0 && len(boot) > 0, "no bootstrap node answers; contacts are dialled at their last addresses"),
		})
	}
	switch {
	case len(n.cfg.Relays) > 0 && !n.cfg.LANOnly:
		out = append(out, n.checkRelays())
	case !n.cfg.LANOnly:
		out = append(out, Finding{Name: "relays", OK: true, Detail: "none named", Hint: "behind a router that forwards no port nobody reaches this node from outside: curbside serve --relay ADDR"})
	}
	if d == nil {
		return append(out, Finding{Name: "dht", OK: true, Detail: "off (--no-dht)"})
	}
	size := d.RoutingTable().Size()
	return append(out, Finding{
		Name: "dht", OK: true, Detail: fmt.Sprintf("%d peers in the table", size),
		Hint: hintIf(size == 0, "it comes to life with the first connection to any node that is in it, or with --bootstrap ADDR"),
	})
}

// checkAddrs says where the node listens and is reached.
func (n *Node) checkAddrs() Finding {
	addrs := n.Self().Addrs
	f := Finding{
		Name: "addresses", OK: len(addrs) > 0, Detail: strings.Join(addrs, " "),
		Hint: hintIf(len(addrs) == 0, "no address is up; plug in a network"),
	}
	if n.auto && len(addrs) > 0 && !strings.Contains(addrs[0], fmt.Sprintf("/%d", defaultPort)) {
		f.Hint = fmt.Sprintf("port %d was taken, so another is used, that changes at each start: a router or a firewall cannot let it through; give one with --listen", defaultPort)
	}
	return f
}

// checkPeers says who is reached how, and of the others why not.
func (n *Node) checkPeers() Finding {
	absent := n.Absent()
	n.mu.Lock()
	wanted := len(n.keepers)
	n.mu.Unlock()
	f := Finding{Name: "peers", OK: true, Detail: fmt.Sprintf("%d of %d connected: %d lan, %d direct, %d relay",
		wanted-len(absent), wanted, n.onPath("lan"), n.onPath("direct"), n.onPath("relay"))}
	why := map[string]int{}
	for _, a := range absent {
		if a.Why != "" {
			why[a.Why]++
		}
	}
	for _, w := range slices.Sorted(maps.Keys(why)) {
		f.Detail += fmt.Sprintf("; %d: %s", why[w], w)
	}
	f.Hint = hintIf(len(absent) > 0, "who is missing, and why: curbside peers")
	return f
}

// checkClock compares the clock with those of the peers that are connected. Where most of them
// agree with each other and not with this node, it is this one that is off.
func (n *Node) checkClock() Finding {
	var skews []time.Duration
	for _, p := range n.Peers() {
		if p.Skew != 0 {
			skews = append(skews, p.Skew)
		}
	}
	if len(skews) == 0 {
		return Finding{Name: "clock", OK: true, Detail: "no peer is connected to compare with"}
	}
	slices.Sort(skews)
	mid := skews[len(skews)/2].Round(time.Second)
	f := Finding{Name: "clock", OK: mid.Abs() < skewBad, Detail: fmt.Sprintf("%d peers compared, theirs ahead of this one by %v in the middle", len(skews), mid)}
	f.Hint = hintIf(!f.OK, "set this computer's clock, or have the network set it: times of reports and of what is due go by it")
	return f
}

// onPath counts the peers reached by a path.
func (n *Node) onPath(path string) (count int) {
	for _, p := range n.Peers() {
		if p.Path == path {
			count++
		}
	}
	return count
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
