package ledger

import (
	"bytes"
	"slices"
	"strconv"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/vectest"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// stage is a thread that vectors are made on: a founder, a coordinator, a
// writer, an observer and some posts.
type stage struct {
	*cast
	t                             *Thread
	anna, cora, ben, olga, nobody *actor
	story                         [][]byte
	out                           []vectest.Vector
}

func newStage(tb testing.TB) *stage {
	tb.Helper()
	s := &stage{cast: newCast(tb)}
	s.anna, s.cora, s.ben, s.olga, s.nobody = s.person(2), s.person(1), s.person(1), s.person(1), s.person(1)
	s.anna.certs = s.anna.certs[:1]
	s.t, _ = s.found(s.anna)
	s.say(s.t, s.anna.local(), "first")
	s.role(s.t, s.anna.local(), s.cora.join(RankAdmin))
	s.role(s.t, s.anna.local(), s.ben.join(RankWriter))
	s.role(s.t, s.cora.local(), s.olga.join(RankReader))
	s.say(s.t, s.anna.local(), "second")
	s.say(s.t, s.ben.local(), "third")
	for _, e := range s.t.Entries() {
		s.story = append(s.story, e.encode())
	}
	s.out = append(s.out, vector("story", vectest.OK, "a founder, a coordinator, a writer, an observer, three messages", "story", wire.MustMarshal(s.story)))
	return s
}

func (s *stage) entry(name, expect, comment string, b []byte) {
	s.out = append(s.out, vector(name, expect, comment, "entry", b, vectest.Field{Name: "after", Value: strconv.Itoa(len(s.story))}))
}

// raw signs a header without the checks of parseEntry.
func (s *stage) raw(l Local, kind Kind, body any, change func(*header), also func(*record)) []byte {
	s.tb.Helper()
	salted, err := saltedBody(body)
	must(s.tb, err)
	h := s.t.place(l, kind, s.tick())
	if h.Chain == Content {
		epoch, _ := s.t.writingEpoch(s.nowMS, false)
		h.Epoch = &epoch
	}
	h.Version, h.Device, h.BodyHash, h.BodyLen = 1, l.Device.ID(), wire.Hash("body", salted), uint64(len(salted))
	if change != nil {
		change(&h)
	}
	raw, err := wire.Marshal(h)
	must(s.tb, err)
	r := record{Header: raw, Sigs: l.Device.Sign(labelEntry, raw, algs(h.Kind)...), Body: salted}
	if also != nil {
		also(&r)
	}
	return wire.MustMarshal(r)
}

func ledgerVectors(tb testing.TB) []vectest.Vector {
	tb.Helper()
	s := newStage(tb)
	l := s.anna.local()
	for k := Request; k <= Archived; k++ {
		s.entry("content-"+k.String(), vectest.OK, "content kind "+strconv.Itoa(int(k)), s.raw(l, k, note{"x"}, nil, nil))
	}
	s.entry("content-unknown", vectest.OK, "a kind of the future needs rank 2 and is kept", s.raw(l, 1000, note{"x"}, nil, nil))
	opaque := append(make([]byte, saltSize), 0xff)
	s.entry("content-not-cbor", vectest.OK, "content bodies are opaque", s.raw(l, Message, note{"x"}, func(h *header) {
		h.BodyHash, h.BodyLen = wire.Hash("body", opaque), uint64(len(opaque))
	}, func(r *record) { r.Body = opaque }))
	s.entry("detached", vectest.OK, "a content entry without its body", s.raw(l, Message, note{"x"}, nil, func(r *record) { r.Body = nil }))
	s.entry("observer-receipt", vectest.OK, "rank 1 posts receipts", s.raw(s.olga.local(), Receipt, note{"x"}, nil, nil))
	s.controlVectors()
	s.headerVectors()
	s.bodyVectors()
	s.rightVectors()
	s.out = append(s.out, vector("control-create", vectest.OK, "a create entry", "entry", s.story[0], vectest.Field{Name: "after", Value: "0"}))
	two := CreateBody{Suite: 2, Founders: []identity.Person{s.anna.root.Person()}, Certs: raws(s.anna.certs)}
	s.out = append(s.out, vector("reject-suite", "suite", "a thread of suite 2 stays closed", "entry", s.raw(l, Create, two, asCreate, nil), vectest.Field{Name: "after", Value: "0"}))
	return s.out
}

func (s *stage) controlVectors() {
	s.tb.Helper()
	l, a := s.anna.local(), s.t.chains[chainKey{s.anna.local().Device.ID(), Content}][1][0]
	s.entry("control-role", vectest.OK, "a coordinator adds a writer", s.raw(s.cora.local(), Role, s.nobody.join(RankWriter), nil, nil))
	s.entry("control-role-cut", vectest.OK, "a coordinator removes a writer, naming what was seen",
		s.raw(s.cora.local(), Role, RoleBody{Person: s.ben.id(), Cut: s.t.seen(s.ben.id())}, nil, nil))
	s.entry("control-role-leave", vectest.OK, "an observer leaves", s.raw(s.olga.local(), Role, RoleBody{Person: s.olga.id()}, nil, nil))
	second, err := s.anna.root.CertifyDevice(s.anna.devices[1].Device.Public(), "", 2, s.anna.prev, 1)
	must(s.tb, err)
	s.entry("control-device", vectest.OK, "a device introduces itself", s.raw(s.anna.devices[1], Device, DeviceBody{Certs: raws([][]byte{second})}, nil, nil))
	cut, err := s.ben.root.Cut(s.ben.local().Device.ID(), s.t.id, 1, nil, nil, 5)
	must(s.tb, err)
	revoke, err := s.ben.root.RevokeDevice(s.ben.local().Device.ID(), identity.Lost, 2, s.ben.prev, 5)
	must(s.tb, err)
	s.entry("control-revoke", vectest.OK, "an observer carries a root's cut", s.raw(s.olga.local(), Revoke, RevokeBody{Cut: cut, Revoke: revoke}, nil, nil))
	s.entry("control-admit", vectest.OK, "a coordinator raises a cut", s.raw(s.cora.local(), Admit, AdmitBody{Device: a.Device, Seq: 1, Entry: a.ID}, nil, nil))
	x, err := parseEntry(s.raw(s.ben.local(), Message, note{"one"}, nil, nil))
	must(s.tb, err)
	y, err := parseEntry(s.raw(s.ben.local(), Message, note{"two"}, nil, nil))
	must(s.tb, err)
	s.entry("control-fork", vectest.OK, "an observer proves a fork", s.raw(s.olga.local(), Fork, ForkBody{A: x.Signed(), B: y.Signed()}, nil, nil))
	s.entry("reject-fork-same", "fork", "both headers are one entry", s.raw(l, Fork, ForkBody{A: x.Signed(), B: x.Signed()}, nil, nil))
	wrong := y.Signed()
	wrong.Sigs = x.Signed().Sigs
	s.entry("reject-fork-signature", "signature", "a header the device did not sign", s.raw(l, Fork, ForkBody{A: x.Signed(), B: wrong}, nil, nil))
	ep, _, _, err := s.t.draftEpoch(l, s.tick(), s)
	must(s.tb, err)
	s.entry("control-epoch", vectest.OK, "an epoch with one parent", ep.encode())
	revoke2, err := s.ben.root.RevokeDevice(s.olga.local().Device.ID(), identity.Lost, 2, s.ben.prev, 5)
	must(s.tb, err)
	s.entry("reject-revoke-mismatch", "field", "cut and revocation name different devices", s.raw(l, Revoke, RevokeBody{Cut: cut, Revoke: revoke2}, nil, nil))
	other, err := s.ben.root.Cut(s.ben.local().Device.ID(), [32]byte{1}, 1, nil, nil, 5)
	must(s.tb, err)
	s.entry("reject-revoke-thread", "thread", "a cut for another thread", s.raw(l, Revoke, RevokeBody{Cut: other, Revoke: revoke}, nil, nil))
}

func (s *stage) headerVectors() {
	l := s.anna.local()
	first := s.t.chains[chainKey{l.Device.ID(), Content}][1][0]
	create := EntryID(s.t.id)
	old := s.t.Entries()[0].ID
	reject := func(name, expect, comment string, change func(*header)) {
		s.entry("reject-"+name, expect, comment, s.raw(l, Message, note{"x"}, change, nil))
	}
	reject("prev-skips", "prev", "prev is not the entry before", func(h *header) { h.Prev = &first.ID })
	reject("prev-absent", "prev", "seq 3 without prev", func(h *header) { h.Prev = nil })
	reject("prev-other-chain", "prev", "prev is a control entry", func(h *header) { h.Prev, h.Seq = &create, 2 })
	reject("seq", "prev", "seq skips a number", func(h *header) { h.Seq++ })
	reject("seq-zero", "field", "seq counts from 1", func(h *header) { h.Seq = 0 })
	reject("parent-control", "parent", "a content entry with a control parent", func(h *header) { h.Parents = []EntryID{create} })
	reject("parents-unsorted", "order", "parents are sorted", func(h *header) { h.Parents = []EntryID{{9}, {1}} })
	reject("parents-many", "too-many", "17 parents", func(h *header) { h.Parents = many(17) })
	reject("auth-many", "too-many", "17 auth heads", func(h *header) { h.Auth = many(17) })
	reject("auth-absent", "auth", "content without auth heads", func(h *header) { h.Auth = nil })
	reject("auth-content", "auth", "an auth head is a content entry", func(h *header) { h.Auth = []EntryID{first.ID} })
	reject("auth-back", "auth-back", "auth heads before those of prev", func(h *header) { h.Auth = []EntryID{old} })
	reject("lamport-high", "lamport", "lamport jumps", func(h *header) { h.Lamport++ })
	reject("lamport-low", "lamport", "lamport stays behind", func(h *header) { h.Lamport-- })
	reject("lamport-zero", "lamport", "lamport counts from 1", func(h *header) { h.Lamport = 0 })
	reject("chain", "chain", "a message on the control chain", func(h *header) { h.Chain, h.Auth, h.Epoch = Control, nil, nil })
	reject("chain-unknown", "chain", "chain 3", func(h *header) { h.Chain = 3 })
	reject("kind", "kind", "kinds 8 to 31 do not exist", func(h *header) { h.Kind = 8 })
	reject("version", "version", "header version 2", func(h *header) { h.Version = 2 })
	reject("time", "field", "a time before 1970", func(h *header) { h.ClaimedMS = -1 })
	reject("epoch-unknown", "epoch", "an epoch that is not in the past", func(h *header) { h.Epoch = &EpochID{1} })
	reject("epoch-old", "epoch", "an epoch for an earlier device set (R4)", func(h *header) { e := firstEpoch(s.t); h.Epoch = &e })
	reject("epoch-absent", "auth", "content without epoch", func(h *header) { h.Epoch = nil })
	reject("thread", "thread", "an entry of another thread", func(h *header) { h.Thread = &ThreadID{1} })
	reject("thread-absent", "thread", "only create lacks the thread", func(h *header) { h.Thread = nil })
	b := s.raw(l, Message, note{"x"}, nil, nil)
	s.entry("reject-trailing", "canonical", "a byte after the entry", append(bytes.Clone(b), 0))
}

func many(n int) (ids []EntryID) {
	for i := range n {
		ids = append(ids, EntryID{byte(i)})
	}
	return ids
}

func (s *stage) bodyVectors() {
	l := s.anna.local()
	one := func(r *record) { r.Sigs = r.Sigs[:1] }
	wrong := func(r *record) { r.Sigs[0].Bytes = bytes.Repeat([]byte{1}, 64) }
	swap := func(r *record) { r.Sigs[0], r.Sigs[1] = r.Sigs[1], r.Sigs[0] }
	both := func(r *record) {
		r.Sigs = l.Device.Sign(labelEntry, r.Header, identity.AlgEd25519, identity.AlgMLDSA65)
	}
	s.entry("reject-alg2-missing", "signature", "a report with alg 1 alone", s.raw(l, Report, note{"x"}, nil, one))
	s.entry("reject-alg2-extra", "signature", "a message with both algs", s.raw(l, Message, note{"x"}, nil, both))
	s.entry("reject-algs-swapped", "signature", "algs do not ascend", s.raw(l, Report, note{"x"}, nil, swap))
	s.entry("reject-signature", "signature", "a wrong signature", s.raw(l, Message, note{"x"}, nil, wrong))
	s.entry("reject-signature-none", "signature", "no signature", s.raw(l, Message, note{"x"}, nil, func(r *record) { r.Sigs = identity.Sigs{} }))
	s.entry("reject-body-hash", "body", "another body", s.raw(l, Message, note{"x"}, nil, func(r *record) { r.Body[saltSize] ^= 1 }))
	s.entry("reject-body-length", "body", "the header says another length", s.raw(l, Message, note{"x"}, func(h *header) { h.BodyLen++ }, nil))
	s.entry("reject-body-short", "field", "a body of salt alone", s.raw(l, Message, note{"x"}, func(h *header) { h.BodyLen = saltSize }, nil))
	s.entry("reject-control-bare", "no-body", "a control entry without its body",
		s.raw(l, Role, s.nobody.join(RankReader), nil, func(r *record) { r.Body = nil }))
	s.entry("reject-oversize", "too-long", "more than 64 KiB", s.raw(l, Message, note{string(make([]byte, EntryMax))}, nil, nil))
	s.entry("reject-oversize-detached", "too-long", "more than 64 KiB with its erased body",
		s.raw(l, Message, note{string(make([]byte, EntryMax))}, nil, func(r *record) { r.Body = nil }))
	s.entry("reject-role-rank", "field", "rank 4 is for founders", s.raw(l, Role, RoleBody{Person: s.ben.id(), Rank: RankFounder}, nil, nil))
	s.entry("reject-role-record", "wrong-person", "the record of another person",
		s.raw(l, Role, func() RoleBody { b := s.nobody.join(RankReader); b.Person = s.ben.id(); return b }(), nil, nil))
}

func (s *stage) rightVectors() {
	l := s.anna.local()
	reject := func(name, expect, comment string, by *actor, kind Kind, body any) {
		s.entry("reject-"+name, expect, comment, s.raw(by.local(), kind, body, nil, nil))
	}
	reject("stranger", "device", "an author nobody introduced", s.nobody, Message, note{"x"})
	reject("stranger-device", "person", "a stranger introduces a device", s.nobody, Device, DeviceBody{Certs: raws(s.nobody.certs)})
	reject("observer-message", "unauthorized", "rank 1 posts a message", s.olga, Message, note{"x"})
	reject("writer-triage", "unauthorized", "rank 2 triages", s.ben, Triage, note{"x"})
	reject("writer-adds", "unauthorized", "rank 2 adds a person", s.ben, Role, s.nobody.join(RankReader))
	reject("writer-admits", "unauthorized", "rank 2 raises a cut", s.ben, Admit, AdmitBody{Device: l.Device.ID(), Seq: 1})
	reject("coordinator-equal", "unauthorized", "rank 3 makes a coordinator", s.cora, Role, s.nobody.join(RankAdmin))
	reject("founder-leaves", "unauthorized", "a founder leaves", s.anna, Role, RoleBody{Person: s.anna.id()})
	reject("founder-removed", "unauthorized", "a coordinator removes a founder", s.cora, Role, RoleBody{Person: s.anna.id()})
	reject("unknown-person", "person", "a person without a record", s.anna, Role, RoleBody{Person: s.nobody.id(), Rank: RankReader})
}

func sortDevices(d []epochDevice) {
	slices.SortFunc(d, func(a, b epochDevice) int { return bytes.Compare(a.Device[:], b.Device[:]) })
}

func epochVectors(tb testing.TB) []vectest.Vector {
	tb.Helper()
	s := newStage(tb)
	s.packetVectors()
	s.epochEntryVectors()
	s.boxVectors()
	return s.out
}

// packetFor makes a packet of an epoch for n devices; only the reader's has a
// card that somebody could use.
func (s *stage) packetFor(n int, change func(*epochHeader), sealTo func(EpochID, *seal.KEM, *identity.Device, wire.Secret) []byte) ([]byte, []vectest.Field) {
	s.tb.Helper()
	device, kem, es := s.fresh(), s.fresh(), s.fresh()
	d, k := identity.NewDevice(s.ben.id(), device), seal.KEMFromSeed(kem)
	h := s.t.place(s.anna.local(), Epoch, s.tick())
	hdr := epochHeader{Version: 1, Thread: s.t.id, Heads: controlHeads(&Entry{Prev: h.Prev, Parents: h.Parents}), Commit: commitment(es, s.t.id), History: 1}
	hdr.Devices = []epochDevice{{Device: d.ID(), Key: k.ID()}}
	for i := range n - 1 {
		hdr.Devices = append(hdr.Devices, epochDevice{Device: identity.DeviceID{31: byte(i)}})
	}
	sortDevices(hdr.Devices)
	if change != nil {
		change(&hdr)
	}
	body, err := saltedBody(epochBody{Header: wire.MustMarshal(hdr)})
	must(s.tb, err)
	p, err := sign(s.anna.local().Device, h, body)
	must(s.tb, err)
	id := p.control.epoch.id
	var seals [][]byte
	for _, x := range hdr.Devices {
		if x.Device == d.ID() {
			seals = append(seals, sealTo(id, k, d, es))
		} else {
			seals = append(seals, make([]byte, seal.ToSize))
		}
	}
	b, err := sealPacket(id, es, seals, p.encode())
	must(s.tb, err)
	person := s.ben.id()
	return b, []vectest.Field{vectest.Hex("person", person[:]), secretHex("device", device), secretHex("kem", kem)}
}

func (s *stage) packetVectors() {
	s.tb.Helper()
	right := func(id EpochID, k *seal.KEM, d *identity.Device, es wire.Secret) []byte {
		b, err := seal.SealTo(k.Public(), sealInfo(id, d.ID(), k.ID()), es)
		must(s.tb, err)
		return b
	}
	for _, n := range []int{1, 2, 5, 128} {
		b, f := s.packetFor(n, nil, right)
		s.out = append(s.out, vector("packet-"+strconv.Itoa(n), vectest.OK, strconv.Itoa(n)+" devices", "packet", b, f...))
	}
	b, f := s.packetFor(2, func(h *epochHeader) { h.Commit[0] ^= 1 }, right)
	s.out = append(s.out, vector("reject-commit", "commit", "the secret is not the one committed to", "packet", b, f...))
	b, f = s.packetFor(2, nil, func(id EpochID, k *seal.KEM, _ *identity.Device, es wire.Secret) []byte {
		x, err := seal.SealTo(k.Public(), sealInfo(id, identity.DeviceID{1}, k.ID()), es)
		must(s.tb, err)
		return x
	})
	s.out = append(s.out, vector("reject-seal-device", "seal", "the seal names another device", "packet", b, f...))
	b, f = s.packetFor(2, nil, func(_ EpochID, k *seal.KEM, d *identity.Device, es wire.Secret) []byte {
		return right(EpochID{1}, k, d, es)
	})
	s.out = append(s.out, vector("reject-seal-epoch", "seal", "the seal of another epoch", "packet", b, f...))
	b, f = s.packetFor(2, nil, func(id EpochID, k *seal.KEM, d *identity.Device, _ wire.Secret) []byte {
		return right(id, k, d, s.fresh())
	})
	s.out = append(s.out, vector("reject-secret", "packet", "the sealed secret does not open the packet", "packet", b, f...))
	b, f = s.packetFor(2, nil, right)
	s.out = append(s.out, vector("reject-cut", "packet", "cut by a byte", "packet", b[:len(b)-1], f...))
	s.out = append(s.out, vector("reject-seals-missing", "packet", "shorter than its seals", "packet", b[:packetHead+100], f...))
	count := bytes.Clone(b)
	count[1] = SealsMax + 1
	s.out = append(s.out, vector("reject-seals-many", "too-many", "129 seals", "packet", count, f...))
	flip := bytes.Clone(b)
	for i := range 2 { // in the seal that is not the reader's: all are bound together
		if at := packetHead + i*seal.ToSize; flip[at] == 0 && flip[at+1] == 0 {
			flip[at] ^= 1
		}
	}
	s.out = append(s.out, vector("reject-other-seal", "packet", "a seal of somebody else altered", "packet", flip, f...))
}

func (s *stage) epochEntryVectors() {
	s.tb.Helper()
	l := s.anna.local()
	add := func(name, expect, comment string, author Local, change func(*epochHeader, *[]byte)) {
		p, _, _, err := s.t.draftEpoch(l, s.tick(), s)
		must(s.tb, err)
		hdr, back := p.control.epoch.hdr, p.control.epoch.Back
		if change != nil {
			change(&hdr, &back)
		}
		s.entry(name, expect, comment, s.raw(author, Epoch, epochBody{Header: wire.MustMarshal(hdr), Back: back}, nil, nil))
	}
	add("epoch", vectest.OK, "an epoch with one parent", l, nil)
	add("reject-device-missing", "epoch-devices", "a member's device is left out", l, func(h *epochHeader, _ *[]byte) { h.Devices = h.Devices[1:] })
	add("reject-device-extra", "epoch-devices", "a device that is no member's", l, func(h *epochHeader, _ *[]byte) {
		h.Devices = append(h.Devices, epochDevice{Device: identity.DeviceID{255, 255, 255, 255}})
		sortDevices(h.Devices)
	})
	add("reject-devices-unsorted", "order", "devices are sorted", l, func(h *epochHeader, _ *[]byte) { h.Devices[0], h.Devices[1] = h.Devices[1], h.Devices[0] })
	add("reject-heads", "epoch-heads", "other control heads than the entry's", l, func(h *epochHeader, _ *[]byte) { h.Heads = []EntryID{{1}} })
	add("reject-parent-unknown", "epoch-parents", "a parent epoch that is not in the past", l, func(h *epochHeader, _ *[]byte) { h.Parents = []EpochID{{1}} })
	add("reject-back-absent", "back", "parents without back", l, func(h *epochHeader, b *[]byte) { *b = nil })
	add("reject-back-hash", "back", "back is not the one of the header", l, func(h *epochHeader, b *[]byte) { h.Back = &[32]byte{1} })
	add("reject-history", "field", "history 2 is for later", l, func(h *epochHeader, _ *[]byte) { h.History = 2 })
	add("reject-header-thread", "thread", "the header of another thread", l, func(h *epochHeader, _ *[]byte) { h.Thread = ThreadID{1} })
	// By an observer on the same heads: the header must fit its own entry.
	h := s.t.place(s.olga.local(), Epoch, s.tick())
	add("reject-observer", "unauthorized", "rank 1 makes an epoch", s.olga.local(), func(x *epochHeader, _ *[]byte) {
		x.Heads = controlHeads(&Entry{Prev: h.Prev, Parents: h.Parents})
	})
}

func (s *stage) boxVectors() {
	s.tb.Helper()
	es := s.fresh()
	parents := []wire.Secret{s.fresh(), s.fresh()}
	type made struct {
		_       struct{} `cbor:",toarray"`
		Header  []byte
		Back    []byte
		Parents [][]byte
	}
	back := func(name, expect, comment string, opened wire.Secret, change func([]backSecret)) {
		var m made
		var list []backSecret
		hdr := epochHeader{Version: 1, Thread: s.t.id, Heads: []EntryID{{1}}, Devices: []epochDevice{{}}, Commit: commitment(es, s.t.id), History: 1}
		for _, p := range parents {
			x := epochHeader{Version: 1, Thread: s.t.id, Heads: []EntryID{{1}}, Devices: []epochDevice{{}}, Commit: commitment(p, s.t.id), History: 1}
			raw := wire.MustMarshal(x)
			m.Parents = append(m.Parents, raw)
			list = append(list, backSecret{Epoch: EpochID(wire.Hash("epoch", raw)), Kind: secretES, Secret: p})
		}
		if bytes.Compare(list[0].Epoch[:], list[1].Epoch[:]) > 0 {
			list[0], list[1], m.Parents[0], m.Parents[1] = list[1], list[0], m.Parents[1], m.Parents[0]
		}
		hdr.Parents = []EpochID{list[0].Epoch, list[1].Epoch}
		if change != nil {
			change(list)
		}
		m.Back = sealBack(es, s.t.id, list)
		sum := wire.Hash("back", m.Back)
		hdr.Back = &sum
		m.Header = wire.MustMarshal(hdr)
		s.out = append(s.out, vector(name, expect, comment, "back", wire.MustMarshal(m), secretHex("es", opened)))
	}
	back("back-two", vectest.OK, "two parents", es, nil)
	back("reject-back-secret", "commit", "a secret that is not the parent's", es, func(l []backSecret) { l[1].Secret[0] ^= 1 })
	back("reject-back-order", "back", "not in the order of the header", es, func(l []backSecret) { l[0], l[1] = l[1], l[0] })
	back("reject-back-kind", "back", "kind 2 is reserved", es, func(l []backSecret) { l[0].Kind = 2 })
	back("reject-back-key", "back", "opened with another secret", s.fresh(), nil)

	for name, x := range map[string]struct {
		expect  string
		comment string
		body    []byte
	}{
		"pad-empty":                {vectest.OK, "nothing", pad(nil)},
		"pad-252":                  {vectest.OK, "fills 256 bytes", pad(make([]byte, 252))},
		"pad-253":                  {vectest.OK, "one more", pad(make([]byte, 253))},
		"pad-8188":                 {vectest.OK, "the largest of the small", pad(make([]byte, 8188))},
		"pad-8189":                 {vectest.OK, "the smallest of the large", pad(make([]byte, 8189))},
		"reject-padding-nonzero":   {"padding", "padding is zeros", append(pad(nil)[:255], 1)},
		"reject-padding-long":      {"padding", "a block more than needed", append(pad(nil), make([]byte, 256)...)},
		"reject-padding-short":     {"padding", "the length exceeds the block", append([]byte{0, 0, 0, 253}, make([]byte, 252)...)},
		"reject-padding-truncated": {"padding", "not even a length", []byte{0, 0, 0}},
		"reject-padding-huge":      {"too-long", "more than an entry may have", []byte{255, 255, 255, 255}},
	} {
		s.out = append(s.out, vector(name, x.expect, x.comment, "padding", x.body))
	}
	s.envelopeVectors(es)
}

func (s *stage) envelopeVectors(es wire.Secret) {
	s.tb.Helper()
	epoch := EpochID{7}
	pair := boxes(s.t.id, epoch, es)
	fields := []vectest.Field{vectest.Hex("thread", s.t.id[:]), vectest.Hex("epoch", epoch[:]), secretHex("es", es)}
	add := func(name, expect, comment string, b []byte) {
		s.out = append(s.out, vector(name, expect, comment, "envelope", b, fields...))
	}
	content := s.raw(s.anna.local(), Message, note{"x"}, nil, nil)
	sealed := pair[1].seal(content)
	add("envelope-control", vectest.OK, "a control entry", pair[0].seal(s.story[0]))
	add("envelope-content", vectest.OK, "a content entry", sealed)
	add("reject-envelope-chain", "chain", "content under the control secret", pair[0].seal(content))
	flip := bytes.Clone(sealed)
	flip[len(flip)-1] ^= 1
	add("reject-envelope-flip", "envelope", "the last byte altered", flip)
	tag := bytes.Clone(sealed)
	tag[1] ^= 1
	add("reject-envelope-tag", "envelope", "an unknown tag", tag)
	add("reject-envelope-cut", "envelope", "cut", sealed[:40])
	other := boxes(s.t.id, EpochID{8}, es)
	add("reject-envelope-epoch", "envelope", "sealed in another epoch with one secret", other[1].seal(content))
}
