package exchange

import (
	"encoding/binary"

	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// needBody asks for what a copy rests on and lacks.
type needBody struct {
	Tag     tag                `cbor:"1,keyasint"`
	Entries []ledger.EntryID   `cbor:"2,keyasint,omitempty"`
	Chains  []ledger.ChainNeed `cbor:"3,keyasint,omitempty"`
	Seals   []ledger.SealNeed  `cbor:"4,keyasint,omitempty"`
}

// askedMax bounds the needs remembered; past it nothing more is asked in the session.
const askedMax = 16 * needMax

// ask counts how often one thing was asked for and says whether to ask again.
func (s *Session) ask(key [48]byte) bool {
	n, ok := s.asked[key]
	if n >= needAsks || (!ok && len(s.asked) >= askedMax) {
		return false
	}
	s.asked[key] = n + 1
	return true
}

// sendNeed asks for what is missing, each thing at most needAsks times.
func (s *Session) sendNeed(t *thread, need ledger.Need) error {
	body := needBody{Tag: t.tag}
	for _, e := range need.Entries {
		var k [48]byte
		copy(k[:], e[:])
		if len(body.Entries) < needMax && s.ask(k) {
			body.Entries = append(body.Entries, e)
		}
	}
	for _, c := range need.Chains {
		var k [48]byte
		copy(k[:], c.Device[:])
		binary.BigEndian.PutUint64(k[32:], uint64(c.Chain))
		binary.BigEndian.PutUint64(k[40:], c.From)
		if len(body.Chains) < needMax && s.ask(k) {
			body.Chains = append(body.Chains, c)
		}
	}
	for _, x := range need.Seals {
		var k [48]byte
		copy(k[:], x.Epoch[:])
		copy(k[32:], x.Key[:16])
		if len(body.Seals) < needMax && s.ask(k) {
			body.Seals = append(body.Seals, x)
		}
	}
	if len(body.Entries)+len(body.Chains)+len(body.Seals) == 0 {
		return nil
	}
	return s.send(frameNeed, body)
}

// takeNeed answers a need, unless too many answers wait: the peer asks again.
func (s *Session) takeNeed(b []byte) error {
	n, err := decodeNeed(b)
	if err != nil {
		return err
	}
	s.tmu.Lock()
	t, ok := s.threads[n.Tag]
	if !ok || !t.known || !t.shared {
		s.tmu.Unlock()
		return nil // it may have been removed a moment ago
	}
	id := t.id
	s.tmu.Unlock()
	items := s.cfg.Local.Answer(s.Peer(), id, ledger.Need{Entries: n.Entries, Chains: n.Chains, Seals: n.Seals})
	if len(items) > 0 {
		s.out.answer(&entriesJob{thread: t, items: items})
	}
	return nil
}
