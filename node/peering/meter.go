package peering

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// meter bounds the provider records that strangers leave here: how many a key, a peer and in all,
// and how fast they come from a peer and from its network. It knows no time but now's.
type meter struct {
	now func() time.Time

	mu    sync.Mutex // guards all below
	keys  map[string]map[peer.ID]time.Time
	peers map[peer.ID]map[string]struct{}
	all   int
	rates map[string]*bucket
	swept time.Time
}

// bucket is a token bucket.
type bucket struct {
	tokens float64
	at     time.Time
}

func newMeter(now func() time.Time) *meter {
	return &meter{
		now: now, keys: map[string]map[peer.ID]time.Time{}, peers: map[peer.ID]map[string]struct{}{},
		rates: map[string]*bucket{}, swept: now(),
	}
}

// allow says whether a record may be kept, and counts it. One that is there already is renewed.
func (m *meter) allow(key string, p peer.ID, subnet string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if now.Sub(m.swept) > meterSweep {
		m.sweep(now)
	}
	if !m.spend("p"+string(p), now) || subnet != "" && !m.spend("s"+subnet, now) {
		return false
	}
	if _, ok := m.keys[key][p]; !ok {
		if m.full(key, p) {
			m.sweep(now)
		}
		if m.full(key, p) {
			return false
		}
		m.add(key, p)
	}
	m.keys[key][p] = now
	return true
}

func (m *meter) full(key string, p peer.ID) bool {
	return len(m.keys[key]) >= providersPerKey || len(m.peers[p]) >= keysPerPeer || m.all >= providersMax
}

func (m *meter) add(key string, p peer.ID) {
	if m.keys[key] == nil {
		m.keys[key] = map[peer.ID]time.Time{}
	}
	if m.peers[p] == nil {
		m.peers[p] = map[string]struct{}{}
	}
	m.peers[p][key] = struct{}{}
	m.all++
}

// spend takes a token.
func (m *meter) spend(of string, now time.Time) bool {
	b := m.rates[of]
	if b == nil {
		if len(m.rates) >= ratesMax {
			return false // a flood from everywhere; sweep makes room
		}
		b = &bucket{tokens: provideBurst, at: now}
		m.rates[of] = b
	}
	b.tokens = min(provideBurst, b.tokens+now.Sub(b.at).Seconds()*provideRate)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// sweep forgets records that kad-dht has forgotten too, and buckets that are full again.
func (m *meter) sweep(now time.Time) {
	m.swept = now
	for key, ps := range m.keys {
		for p, at := range ps {
			if now.Sub(at) <= provideValid {
				continue
			}
			delete(ps, p)
			delete(m.peers[p], key)
			if len(m.peers[p]) == 0 {
				delete(m.peers, p)
			}
			m.all--
		}
		if len(ps) == 0 {
			delete(m.keys, key)
		}
	}
	for of, b := range m.rates {
		if b.tokens+now.Sub(b.at).Seconds()*provideRate >= provideBurst {
			delete(m.rates, of)
		}
	}
}

// subnetOf is the network whose rate counts: a /24 or /56. A LAN's peers count for themselves.
func subnetOf(a ma.Multiaddr) string {
	if a == nil || onLAN(a) {
		return ""
	}
	ip, err := manet.ToIP(a)
	if err != nil {
		return ""
	}
	if v4 := ip.To4(); v4 != nil {
		return string(v4[:3])
	}
	return string(ip[:7])
}
