package ledger

import (
	"bytes"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

func FuzzEntry(f *testing.F) {
	s := newStage(f)
	for _, b := range s.story {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parseEntry(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.encode(), b) {
			t.Fatal("accepted bytes encode otherwise")
		}
	})
}

// FuzzControlBody goes around the hash that keeps FuzzEntry out of bodies.
func FuzzControlBody(f *testing.F) {
	s := newStage(f)
	for _, e := range s.t.Entries() {
		if e.Chain == Control {
			f.Add(uint8(e.Kind), e.Body)
		}
	}
	p, err := parseEntry(s.story[0])
	must(f, err)
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		q := *p
		q.Kind, q.Body = Kind(kind%8), b
		c, err := parseControl(&q)
		if err != nil || c == nil {
			return
		}
		again := wire.MustMarshal([]any{nil, c.create, c.role, c.device, c.revoke, c.epoch, c.admit, c.fork}[q.Kind])
		if !bytes.Equal(again, b) {
			t.Fatal("accepted bytes encode otherwise")
		}
	})
}

func FuzzEpochHeader(f *testing.F) {
	s := newStage(f)
	for _, k := range s.t.epochs {
		f.Add(k.body.Header, k.body.Back)
	}
	e := s.t.epochTips()[0]
	f.Fuzz(func(_ *testing.T, h, back []byte) {
		b := epochBody{Header: h, Back: back}
		if b.check(&parsed{Entry: *e}) == nil {
			_, _ = b.openBack(wire.Secret{})
		}
	})
}

// FuzzBack opens fuzzed lists that a member with the secret could have sealed.
func FuzzBack(f *testing.F) {
	es := wire.Secret{1}
	f.Add(wire.MustMarshal([]backSecret{{Epoch: EpochID{1}, Kind: 1, Secret: wire.Secret{2}}}))
	f.Fuzz(func(t *testing.T, list []byte) {
		b := epochBody{Back: seal.Seal(wire.KDF32(es, "epoch/back", nil), "back\x00"+string(make([]byte, 32)), list), hdr: epochHeader{Parents: []EpochID{{1}}}}
		out, err := b.openBack(es)
		if err == nil && (len(out) != 1 || out[0].Epoch != EpochID{1}) {
			t.Fatal("another list")
		}
	})
}

func FuzzPacket(f *testing.F) {
	s := newStage(f)
	for _, it := range s.t.Missing(nil) {
		if it.Sealed[0] == typePacket {
			f.Add(it.Sealed)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parsePacket(b)
		if err != nil {
			return
		}
		if 1+1+32+len(k.seals)+len(k.box) != len(b) {
			t.Fatal("bytes are lost")
		}
		if len(k.seals) <= 3*1168 { // the time goes into KEMs
			_, _ = s.t.Receive(b, []Local{s.ben.local()})
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	s := newStage(f)
	for _, it := range s.t.Missing(nil) {
		f.Add(it.Sealed)
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		if len(b) > 0 && b[0] != typePacket {
			_, _ = s.t.Receive(b, nil)
		}
	})
}

func FuzzPadding(f *testing.F) {
	f.Add(pad([]byte("x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := unpad(b); err == nil && !bytes.Equal(pad(x), b) {
			t.Fatal("accepted bytes pad otherwise")
		}
	})
}

// FuzzReceive is a lying member: fuzzed entries, in packets and envelopes it
// can seal, signed by its own key. Whatever it sends, nobody's rank rises and a
// replica that gets the same in another order agrees.
func FuzzReceive(f *testing.F) {
	s := newStage(f)
	start := s.t.Missing(nil)
	for i, b := range s.story {
		var r record
		must(f, wire.Unmarshal(b, &r))
		f.Add(uint8(i), r.Header, r.Body)
	}
	h := s.t.place(s.ben.local(), Message, 5)
	epoch := s.t.epochTips()[0].own
	h.Epoch, h.Version, h.Device = &epoch, 1, s.ben.local().Device.ID()
	body := append(make([]byte, saltSize), wire.MustMarshal(note{"x"})...)
	h.BodyHash, h.BodyLen = wire.Hash("body", body), uint64(len(body))
	f.Add(uint8(0), wire.MustMarshal(h), body)
	boxes := [2]box{}
	boxes[0], _ = s.t.keys.box(epoch, Control)
	boxes[1], _ = s.t.keys.box(epoch, Content)
	f.Fuzz(func(t *testing.T, mode uint8, header, body []byte) {
		th := NewThread(s.t.id)
		th.Restore(s.t.Secrets())
		for _, it := range start {
			if _, err := th.Receive(it.Sealed, nil); err != nil {
				t.Fatal(err)
			}
		}
		ranks := th.Members().Ranks
		var h ledgerHeader
		if wire.Unmarshal(header, &h) == nil { // fix what fuzzing cannot guess
			h.BodyHash, h.BodyLen = wire.Hash("body", body), uint64(len(body))
			h.Device = s.ben.local().Device.ID()
			header = wire.MustMarshal(h)
		}
		r := record{Header: header, Sigs: s.ben.local().Device.Sign(labelEntry, header, identity.AlgEd25519), Body: body}
		sealed := boxes[mode%2].seal(wire.MustMarshal(r))
		if len(sealed) > EnvelopeMax {
			return
		}
		_, _ = th.Receive(sealed, nil)
		for p, rank := range th.Members().Ranks {
			if rank > ranks[p] || rank < ranks[p] && p != s.ben.id() {
				t.Fatalf("rank %d became %d", ranks[p], rank)
			}
		}
		again := NewThread(s.t.id)
		again.Restore(s.t.Secrets())
		_, _ = again.Receive(sealed, nil)
		for i := range start {
			_, _ = again.Receive(start[len(start)-1-i].Sealed, nil)
		}
		if again.Root() != th.Root() {
			t.Fatal("order matters")
		}
	})
}

// ledgerHeader is header where that name is taken.
type ledgerHeader = header
