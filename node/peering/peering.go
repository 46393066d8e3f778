// Package peering is the libp2p host of a node: it finds peers, keeps a
// connection to each that is wanted and runs one exchange session with it
// (NETWORK.md). Nothing outside this package (and node/relay) knows libp2p.
//
// PeerIDs are raw here, as in cards and invites; Text renders one.
package peering

import (
	"context"
	"log/slog"
	"time"

	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// Config is what a node is made of.
type Config struct {
	Key       []byte   // from NewKey
	Listen    []string // multiaddrs, or HOST:PORT for TCP and QUIC; none: the default port on every address
	LANOnly   bool     // no public address is dialled or accepted
	MDNS      bool     // look for peers on the LAN
	NoDHT     bool
	Bootstrap []string // multiaddrs with /p2p/; they also switch the DHT on
	Relays    []string // multiaddrs with /p2p/
	Software  string

	Local exchange.Local
	// Targets are the peers wanted: contacts, case members, their cards' addresses. Called
	// often; it must be cheap.
	Targets func() []identity.PeerAddrs
	Log     *slog.Logger
}

// Node is a running host.
type Node struct{}

// New makes a node. It listens only once it runs.
func New(cfg Config) (*Node, error) { return nil, nil }

// Run listens, calls ready, and works until ctx is cancelled. It leaves no goroutine.
func (n *Node) Run(ctx context.Context, ready func()) error { return nil }

// ID is the node's PeerID as text; Self the raw PeerID with the addresses of the
// moment, as cards and invites carry them; Addrs the same as full multiaddrs.
func (n *Node) ID() string               { return "" }
func (n *Node) Self() identity.PeerAddrs { return identity.PeerAddrs{} }
func (n *Node) Addrs() []string          { return nil }

// Changed tells every session that a thread has new entries, other members or
// more of its blobs.
func (n *Node) Changed(t ledger.ThreadID) {}

// Wanted tells every session that Local.Wants may have something new.
func (n *Node) Wanted() {}

// Renew says that targets, contacts, cards or records changed. Peers out of reach
// are tried again at once.
func (n *Node) Renew() {}

// Restart ends all sessions and makes new ones: the local devices are others now.
func (n *Node) Restart() {}

// Join sends an invite's Join to the first of the peers that answers.
func (n *Node) Join(ctx context.Context, peers []identity.PeerAddrs, join []byte) (accept []byte, err error) {
	return nil, nil
}

// PeerInfo is a peer with a session.
type PeerInfo struct {
	Peer    string // as text
	Devices []identity.DeviceID
	Path    string // direct, relay, lan
	Addr    string
	RTT     time.Duration
	Since   time.Time
	Stats   exchange.Stats
}

// Peers lists the peers with a session.
func (n *Node) Peers() []PeerInfo { return nil }

// NewKey makes a node key; PeerOf gives its PeerID, raw.
func NewKey() ([]byte, error)           { return nil, nil }
func PeerOf(key []byte) (string, error) { return "", nil }

// Text renders a raw PeerID, and ParsePeer reads one.
func Text(peer identity.PeerID) string               { return "" }
func ParsePeer(text string) (identity.PeerID, error) { return "", nil }
