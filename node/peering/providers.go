package peering

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ipfs/go-cid"
	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-msgio"
	"google.golang.org/protobuf/proto"
)

// kadID is the DHT's protocol, as dhtPrefix makes it.
const kadID = protocol.ID(dhtPrefix + "/kad/1.0.0")

// providers names the providers of a key, those first that most nodes near the key agree on.
//
// kad-dht's own FindProviders takes what the first nodes say and stops when it has enough: one
// node that makes up sixty-four ends every look-up that meets it. A genuine record is at about
// twenty nodes, so each of those has a say: who is named by two goes out at once, who by one
// alone when all have spoken, a few of each node's in turn.
func (l *lister) providers(ctx context.Context, key cid.Cid, out func(peer.AddrInfo)) (asked int, err error) {
	near, err := l.dht.GetClosestPeers(ctx, string(key.Hash()))
	if err != nil && len(near) == 0 {
		return 0, fmt.Errorf("find the nodes of a topic: %w", err)
	}
	t := newTally(out)
	if own, err := l.dht.ProviderStore().GetProviders(ctx, key.Hash()); err == nil {
		t.add(own)
	}
	answers := make(chan []peer.AddrInfo, len(near))
	slots := make(chan struct{}, findDials)
	for _, p := range near {
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ask, cancel := context.WithTimeout(ctx, askTime)
			defer cancel()
			found, err := l.providersOf(ask, p, key.Hash())
			if err != nil {
				found = nil
			}
			answers <- found
		}()
	}
	late := time.NewTimer(askTime / 2)
	defer late.Stop()
	for range near {
		select {
		case found := <-answers:
			t.add(found)
		case <-late.C:
			t.rest() // who has not answered by now holds up nobody
			t.add(<-answers)
		}
	}
	t.rest()
	return len(near), ctx.Err()
}

// tally counts how many nodes name a provider.
type tally struct {
	out     func(peer.AddrInfo)
	said    map[peer.ID]bool // given out
	once    map[peer.ID]peer.AddrInfo
	sources [][]peer.ID // what each node named, in random order
	given   int
}

func newTally(out func(peer.AddrInfo)) *tally {
	return &tally{out: out, said: map[peer.ID]bool{}, once: map[peer.ID]peer.AddrInfo{}}
}

func (t *tally) add(found []peer.AddrInfo) {
	//nolint:gosec // an even choice among addresses, no secret
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	found = found[:min(len(found), namedMax)]
	var source []peer.ID
	seen := map[peer.ID]bool{}
	for _, p := range found {
		if seen[p.ID] || t.said[p.ID] {
			continue
		}
		seen[p.ID] = true
		if before, ok := t.once[p.ID]; ok {
			p.Addrs = append(slices.Clone(before.Addrs), p.Addrs...)
			t.give(p)
			continue
		}
		t.once[p.ID] = p
		source = append(source, p.ID)
	}
	t.sources = append(t.sources, source)
}

func (t *tally) give(p peer.AddrInfo) {
	if t.said[p.ID] || t.given >= findProviders {
		return
	}
	t.said[p.ID] = true
	t.given++
	p.Addrs = p.Addrs[:min(len(p.Addrs), foundMax)]
	t.out(p)
}

// rest gives out who is named by one node alone: one of each node in turn.
func (t *tally) rest() {
	for i := 0; t.given < findProviders; i++ {
		more := false
		for _, s := range t.sources {
			if i < len(s) {
				more = true
				t.give(t.once[s[i]])
			}
		}
		if !more {
			return
		}
	}
}

// errKad says that a node of the DHT did not answer as one.
var errKad = errors.New("no answer of the dht")

// providersOf asks one node of the DHT.
func (l *lister) providersOf(ctx context.Context, p peer.ID, key []byte) ([]peer.AddrInfo, error) {
	s, err := l.h.NewStream(network.WithAllowLimitedConn(ctx, "directory"), p, kadID)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	defer s.Reset() //nolint:errcheck // after Close it does nothing
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	b, err := proto.Marshal(pb.NewMessage(pb.Message_GET_PROVIDERS, key, 0))
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	if err := msgio.NewVarintWriter(s).WriteMsg(b); err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	r := msgio.NewVarintReaderSize(s, kadAnswerMax)
	answer, err := r.ReadMsg()
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", errors.Join(errKad, err, io.ErrUnexpectedEOF))
	}
	var m pb.Message
	if err := proto.Unmarshal(answer, &m); err != nil {
		return nil, fmt.Errorf("read answer: %w", errKad)
	}
	var out []peer.AddrInfo
	for _, i := range pb.PBPeersToPeerInfos(m.GetProviderPeers()) {
		if i.ID.Validate() == nil {
			out = append(out, peer.AddrInfo{ID: i.ID, Addrs: filter(i.Addrs)})
		}
	}
	return out, nil
}
