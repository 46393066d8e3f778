package ledger

import (
	"bytes"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Rekey makes a new epoch, after a report of compromise (R5).
func (t *Thread) Rekey(author Local, nowMS int64, cards Cards) ([]Item, error) {
	return t.mergeEpochs(author, nowMS, cards)
}

// mergeEpochs makes a new epoch, and more if there are more control heads than
// one entry can name: the last one rests on all of them.
func (t *Thread) mergeEpochs(author Local, nowMS int64, cards Cards) ([]Item, error) {
	var out []Item
	if err := t.maySign(author); err != nil {
		return nil, err
	}
	if t.now().ranks[author.Device.Person()] < RankWriter {
		return nil, ErrNoEpoch
	}
	for {
		it, err := t.newEpoch(author, nowMS, cards)
		if err != nil {
			return out, err
		}
		out = append(out, it)
		if len(t.heads[Control]) == 1 {
			return out, nil
		}
	}
}

// writingEpoch returns the epoch that the next content goes under: the highest
// (lamport, EpochID) of those that no later epoch replaced and that are for
// exactly the device set. If strict, it must not be old either (R5). R4 would
// allow an older epoch for the same devices, but its secret is known to
// whoever came and went since.
func (t *Thread) writingEpoch(nowMS int64, strict bool) (EpochID, bool) {
	if t.g.rules.anyEpoch {
		return t.newestEpoch()
	}
	v := t.now()
	tips := t.tips(func(EpochID) bool { return true })
	var best *Entry
	for _, e := range tips {
		s := t.epochs[e.own]
		if _, known := t.keys.secrets[e.own]; !known || !t.trusted(e, v) || strict && t.worn(s, nowMS) {
			continue
		}
		if best == nil || newer(e, best) {
			best = e
		}
	}
	if best == nil {
		return EpochID{}, false
	}
	return best.own, true
}

func newer(a, b *Entry) bool {
	if a.Lamport != b.Lamport {
		return a.Lamport > b.Lamport
	}
	return bytes.Compare(a.own[:], b.own[:]) > 0
}

// trusted reports whether an epoch is for exactly the device set of v and made
// by a device of it, which no cut has voided: the secret of one that a stolen
// device made on the way out is the thief's.
func (t *Thread) trusted(e *Entry, v *view) bool {
	_, in := v.devices[e.Device]
	return in && t.epochs[e.own].body.hdr.lists(v.list) && t.InForce(e)
}

// worn is the SHOULD of R5.
func (t *Thread) worn(s *epochKnown, nowMS int64) bool {
	return s.posts >= EpochEntriesMax || nowMS-s.entries[0].ClaimedMS > EpochAgeMaxMS
}

// epochTips are the tips among the epochs with a known secret.
func (t *Thread) epochTips() []*Entry {
	return t.tips(func(id EpochID) bool { _, known := t.keys.secrets[id]; return known })
}

// tips are the epochs of a kind that no other of them has in its past, sorted
// by EpochID, one entry each.
func (t *Thread) tips(of func(EpochID) bool) []*Entry {
	var list []*Entry
	var below set
	for id, s := range t.epochs {
		if of(id) {
			list = append(list, s.entries[0])
			for _, e := range s.entries {
				below = below.join(e.past)
			}
		}
	}
	list = slices.DeleteFunc(list, func(e *Entry) bool { return below.has(e.place) })
	slices.SortFunc(list, func(a, b *Entry) int { return bytes.Compare(a.own[:], b.own[:]) })
	return list
}

// newestEpoch is what control entries are sealed under (R7).
func (t *Thread) newestEpoch() (EpochID, bool) {
	var best *Entry
	for _, e := range t.epochTips() {
		if best == nil || newer(e, best) {
			best = e
		}
	}
	if best == nil {
		return EpochID{}, false
	}
	return best.own, true
}

// newEpoch makes an epoch for the device set at its own heads.
func (t *Thread) newEpoch(author Local, nowMS int64, cards Cards) (Item, error) {
	p, es, keys, err := t.draftEpoch(author, nowMS, cards)
	if err != nil {
		return Item{}, err
	}
	return t.postEpoch(p, es, keys)
}

// draftEpoch signs an epoch entry and returns its secret and the keys to seal
// it to.
func (t *Thread) draftEpoch(author Local, nowMS int64, cards Cards) (*parsed, wire.Secret, map[identity.DeviceID][]byte, error) {
	h := t.place(author, Epoch, nowMS)
	e := Entry{Chain: Control, Prev: h.Prev, Parents: h.Parents}
	past, es := t.pastOf(&e), wire.NewSecret()
	hdr := epochHeader{Version: 1, Thread: t.id, Heads: controlHeads(&e), Commit: commitment(es, t.id), History: historyShared}
	var back []byte
	if hdr.Parents, back = t.backTo(es, past); back != nil {
		sum := wire.Hash("back", back)
		hdr.Back = &sum
	}
	list := t.g.view(past).list
	if last, ok := t.newestEpoch(); ok && t.g.rules.oldDevices {
		list = t.epochs[last].body.hdr.deviceIDs()
	}
	keys := map[identity.DeviceID][]byte{}
	for _, id := range list {
		d := epochDevice{Device: id}
		if key := kemOf(id, author, cards); key != nil {
			keys[id], d.Key = key, seal.KeyID(key)
		}
		hdr.Devices = append(hdr.Devices, d)
	}
	raw, err := wire.Marshal(hdr)
	if err != nil {
		return nil, es, nil, wrapped("epoch header", err)
	}
	body, err := saltedBody(epochBody{Header: raw, Back: back})
	if err != nil {
		return nil, es, nil, err
	}
	p, err := sign(author.Device, h, body)
	return p, es, keys, err
}

// postEpoch seals an epoch to its devices and admits it.
func (t *Thread) postEpoch(p *parsed, es wire.Secret, keys map[identity.DeviceID][]byte) (Item, error) {
	b := p.control.epoch
	var seals [][]byte
	for _, d := range b.hdr.Devices {
		if keys[d.Device] == nil {
			continue // no card is known: the device asks (R3)
		}
		s, err := seal.SealTo(keys[d.Device], sealInfo(b.id, d.Device, d.Key), es)
		if err != nil {
			continue // a key that cannot be sealed to must not stop the others
		}
		seals = append(seals, s)
	}
	sealed, err := sealPacket(b.id, es, seals, p.encode())
	if err != nil {
		return Item{}, err
	}
	if err := t.accept(p, sealed); err != nil {
		return Item{}, err
	}
	var r Result
	t.confirm(b, &es, &r)
	return Item{Entry: p.ID, Sealed: sealed}, nil
}

// kemOf returns the newest known KEM key of a device.
func kemOf(id identity.DeviceID, author Local, cards Cards) []byte {
	if id == author.Device.ID() && len(author.KEMs) > 0 {
		return author.KEMs[0].Public()
	}
	if cards == nil {
		return nil
	}
	if c := cards.Card(id); c != nil && c.Device == id {
		return c.KEM
	}
	return nil
}

// backTo seals the secrets of the epochs that a new one follows: all of its
// past that no other of them leads back to. What leads back is what back really
// holds, not what is in the past: else an epoch without parents would hide the
// history before it from all who join later.
func (t *Thread) backTo(es wire.Secret, past set) ([]EpochID, []byte) {
	covered := t.covered(past)
	var list []backSecret
	for id, s := range t.epochs {
		known, ok := t.keys.secrets[id]
		if ok && !covered[id] && s.within(past) {
			list = append(list, backSecret{Epoch: id, Kind: secretES, Secret: known})
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	slices.SortFunc(list, func(a, b backSecret) int { return bytes.Compare(a.Epoch[:], b.Epoch[:]) })
	var parents []EpochID
	for _, s := range list {
		parents = append(parents, s.Epoch)
	}
	return parents, sealBack(es, t.id, list)
}

// within reports whether an epoch is of a past.
func (s *epochKnown) within(past set) bool {
	return slices.ContainsFunc(s.entries, func(e *Entry) bool { return past.has(e.place) })
}

// covered are the epochs whose secret another one of a past holds in its back,
// truly.
func (t *Thread) covered(past set) map[EpochID]bool {
	out := map[EpochID]bool{}
	for id, s := range t.epochs {
		es, known := t.keys.secrets[id]
		if !known || !s.within(past) {
			continue
		}
		list, err := s.body.openBack(es)
		if err != nil {
			continue
		}
		for _, p := range list {
			if own, known := t.keys.secrets[p.Epoch]; known && own.Equal(p.Secret) {
				out[p.Epoch] = true
			}
		}
	}
	return out
}
