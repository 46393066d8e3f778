package peering

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/net/ipv4"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// The beacon finds peers where a switch drops multicast and with it mDNS (NETWORK §5). Each
// interface of a node says by multicast and by directed broadcast who it is and where:
//
//	packet  = CBOR [1, body, signature]
//	body    = CBOR {1: PeerID, 2: number, 3: [binary multiaddr]}
//	signature = the node key's, over H("beacon", body)
//
// Numbers of a node rise. Nothing answers a beacon: who is found is dialled, and proves itself there.
var (
	beaconGroup = net.IPv4(239, 255, 40, 2)
	beaconSoon  = []time.Duration{time.Second, 2 * time.Second, 6 * time.Second}

	errBeacon = errors.New("no beacon")
)

type beaconPacket struct {
	_         struct{} `cbor:",toarray"`
	Version   uint64
	Body      []byte
	Signature []byte
}

type beaconBody struct {
	PeerID identity.PeerID `cbor:"1,keyasint"`
	Number uint64          `cbor:"2,keyasint"`
	Addrs  [][]byte        `cbor:"3,keyasint"`
}

// encodeBeacon leaves out the last addresses if they do not fit.
func encodeBeacon(key crypto.PrivKey, id peer.ID, number uint64, as []ma.Multiaddr) ([]byte, error) {
	body := beaconBody{PeerID: identity.PeerID(id), Number: number, Addrs: [][]byte{}}
	for _, a := range as {
		body.Addrs = append(body.Addrs, a.Bytes())
	}
	for {
		b, err := wire.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("beacon: %w", err)
		}
		h := wire.Hash("beacon", b)
		sig, err := key.Sign(h[:])
		if err != nil {
			return nil, fmt.Errorf("sign beacon: %w", err)
		}
		p, err := wire.Marshal(beaconPacket{Version: 1, Body: b, Signature: sig})
		if err != nil {
			return nil, fmt.Errorf("beacon: %w", err)
		}
		if len(p) <= beaconMax || len(body.Addrs) == 0 {
			return p, nil
		}
		body.Addrs = body.Addrs[:len(body.Addrs)-1]
	}
}

// openBeacon reads a packet as far as costs nothing; check verifies it.
func openBeacon(p []byte) (b beaconBody, check func() error, err error) {
	var packet beaconPacket
	if len(p) > beaconMax || wire.Unmarshal(p, &packet) != nil || packet.Version != 1 {
		return b, nil, errBeacon
	}
	if wire.Unmarshal(packet.Body, &b) != nil || len(b.Addrs) > foundMax {
		return b, nil, errBeacon
	}
	return b, func() error {
		key, err := peer.ID(b.PeerID).ExtractPublicKey()
		if err != nil {
			return errBeacon
		}
		h := wire.Hash("beacon", packet.Body)
		if ok, err := key.Verify(h[:], packet.Signature); err != nil || !ok {
			return errBeacon
		}
		return nil
	}, nil
}

// addrs are those of a beacon that can be on this link: a beacon leads nowhere else.
func (b beaconBody) addrs() []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, x := range b.Addrs {
		a, err := ma.NewMultiaddrBytes(x)
		if err == nil && onLAN(a) && !manet.IsIPLoopback(a) {
			out = append(out, a)
		}
	}
	return out
}

// beacon sends and hears beacons on the interfaces there are.
type beacon struct {
	n     *Node
	h     host.Host
	conn  *ipv4.PacketConn
	heard hearing

	mu     sync.Mutex // guards all below
	number uint64
	joined map[int]bool // interfaces, by index
}

// hearing says which packets are worth a verification. One goroutine uses it.
type hearing struct {
	tokens float64
	at     time.Time
	last   map[peer.ID]lastBeacon // of peers that are wanted
}

type lastBeacon struct {
	number uint64
	at     time.Time
}

// allow takes one of the few a second that are handled.
func (r *hearing) allow(now time.Time) bool {
	r.tokens = min(beaconRate, r.tokens+now.Sub(r.at).Seconds()*beaconRate)
	r.at = now
	if r.tokens < 1 {
		return false
	}
	r.tokens--
	return true
}

// fresh says whether a beacon is no copy of one heard. After a silence any number is taken: a
// clock that was put back must not make a node deaf to it.
func (r *hearing) fresh(id peer.ID, number uint64, now time.Time) bool {
	l, ok := r.last[id]
	return !ok || number > l.number || now.Sub(l.at) > beaconForget
}

func (r *hearing) note(id peer.ID, number uint64, now time.Time) {
	if _, ok := r.last[id]; !ok && len(r.last) >= targetsMax {
		clear(r.last)
	}
	r.last[id] = lastBeacon{number, now}
}

// newBeacon listens for beacons and sends the first ones. It runs until ctx ends.
func (n *Node) newBeacon(ctx context.Context, h host.Host) (*beacon, error) {
	lc := net.ListenConfig{Control: shareAddr}
	c, err := lc.ListenPacket(ctx, "udp4", fmt.Sprintf("0.0.0.0:%d", beaconPort))
	if err != nil {
		return nil, fmt.Errorf("listen for beacons: %w", err)
	}
	b := &beacon{
		n: n, h: h, conn: ipv4.NewPacketConn(c), joined: map[int]bool{},
		heard: hearing{last: map[peer.ID]lastBeacon{}, at: time.Now()},
	}
	_ = b.conn.SetMulticastTTL(1)
	_ = b.conn.SetMulticastLoopback(true) // two nodes on one machine
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	n.work.Go(func() {
		defer stop()
		b.listen(ctx, c)
	})
	b.send()
	return b, nil
}

// listen hears beacons until the socket is closed.
func (b *beacon) listen(ctx context.Context, c net.PacketConn) {
	buf := make([]byte, beaconMax+1)
	for ctx.Err() == nil {
		k, _, err := c.ReadFrom(buf)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			pause(ctx, backoffMin) // such as a network that goes down
			continue
		}
		b.hear(buf[:k], time.Now()) //nolint:contextcheck // a dial lives by Node.ctx, which this is
	}
}

// hear takes a packet. What cannot matter is dropped before it costs anything.
func (b *beacon) hear(p []byte, now time.Time) {
	body, check, err := openBeacon(p)
	id := peer.ID(body.PeerID)
	if err != nil || id == b.n.id || !b.n.minds(id) || !b.heard.fresh(id, body.Number, now) {
		return
	}
	if !b.heard.allow(now) || check() != nil {
		return
	}
	b.heard.note(id, body.Number, now)
	if as := body.addrs(); len(as) > 0 {
		b.n.lanFound(b.h, peer.AddrInfo{ID: id, Addrs: as})
	}
}

// send says on each interface who is here and at which of its addresses.
func (b *beacon) send() {
	b.mu.Lock()
	defer b.mu.Unlock()
	ifs, err := net.Interfaces()
	if err != nil {
		return
	}
	b.number = max(b.number+1, uint64(time.Now().UnixMilli()))
	listen := b.h.Network().ListenAddresses()
	for i := range ifs {
		ps := prefixesOf(&ifs[i])
		as := addrsAt(listen, ps)
		if ifs[i].Flags&net.FlagUp == 0 || ifs[i].Flags&net.FlagLoopback != 0 || isBridge(ifs[i].Name) || len(as) == 0 {
			continue
		}
		packet, err := encodeBeacon(b.n.key, b.n.id, b.number, as)
		if err != nil {
			continue
		}
		b.sendOn(&ifs[i], ps, packet)
	}
}

// sendOn sends by multicast and by broadcast: switches drop the one more often than the other.
// What does not go out is of no interest: the next one may.
func (b *beacon) sendOn(i *net.Interface, ps []netip.Prefix, packet []byte) {
	group := &net.UDPAddr{IP: beaconGroup, Port: beaconPort}
	if !b.joined[i.Index] && b.conn.JoinGroup(i, group) == nil {
		b.joined[i.Index] = true
	}
	if b.conn.SetMulticastInterface(i) == nil {
		_, _ = b.conn.WriteTo(packet, nil, group)
	}
	for _, p := range ps {
		if to, ok := broadcastOf(p); ok {
			_, _ = b.conn.WriteTo(packet, nil, &net.UDPAddr{IP: to.AsSlice(), Port: beaconPort})
		}
	}
}

// again sends after the interfaces have changed. Groups are joined anew: an interface that was
// taken out may be back under its old number.
func (b *beacon) again() {
	b.mu.Lock()
	group := &net.UDPAddr{IP: beaconGroup}
	for index := range b.joined {
		_ = b.conn.LeaveGroup(&net.Interface{Index: index}, group)
	}
	clear(b.joined)
	b.mu.Unlock()
	b.send()
}

// broadcastOf is the directed broadcast of an IPv4 network; a /31 or /32 has none.
func broadcastOf(p netip.Prefix) (netip.Addr, bool) {
	if !p.Addr().Is4() || p.Bits() > 30 || p.Addr().IsLoopback() {
		return netip.Addr{}, false
	}
	a := p.Masked().Addr().As4()
	for i := range 32 - p.Bits() {
		a[3-i/8] |= 1 << (i % 8)
	}
	return netip.AddrFrom4(a), true
}

// prefixesOf are the addresses of an interface with their networks.
func prefixesOf(i *net.Interface) []netip.Prefix {
	as, err := i.Addrs()
	if err != nil {
		return nil
	}
	var out []netip.Prefix
	for _, a := range as {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// addrsAt are the addresses that listeners have at an interface: libp2p's own list of them is up
// to a minute old.
func addrsAt(listen []ma.Multiaddr, ps []netip.Prefix) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, p := range ps {
		ip := p.Addr()
		if ip.Is6() && ip.IsLinkLocalUnicast() {
			continue // of no use without the name that the interface has over there
		}
		at, err := manet.FromIP(ip.AsSlice())
		if err != nil {
			continue
		}
		for _, l := range listen {
			first, rest := ma.SplitFirst(l)
			if first == nil || first.Protocol().Code != at[0].Protocol().Code {
				continue
			}
			if manet.IsIPUnspecified(l) || slices.Equal(first.RawValue(), at[0].RawValue()) {
				out = append(out, at.Encapsulate(rest))
			}
		}
	}
	return out
}
