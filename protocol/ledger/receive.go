package ledger

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// item is a received item on its way.
type item struct {
	sealed []byte
	sum    [32]byte
	keys   int // of a packet: the round of local keys that was tried on its seals
}

// pending is an opened entry that waits for what it rests on.
type pending struct {
	*parsed
	item
}

// waiting is everything received that is not admitted.
type waiting struct {
	seen    map[[32]byte]bool // items admitted, waiting or locked
	done    map[[32]byte]bool // items dropped, for a while: true refused, false not needed
	refused map[EntryID]bool  // entries refused, for a while

	orphans map[EntryID]*pending   // by their own name
	on      map[EntryID][]*pending // by one entry each lacks
	ripe    []*pending             // what they lacked was admitted or refused

	tags    map[[tagSize]byte][]item // envelopes without a key
	packets map[EpochID][]item       // packets without a secret
	opened  []item                   // a secret came
	locked  int                      // of both
	// sealedOnly counts the packets among them.
	sealedOnly int
	bytes      int

	asking map[identity.DeviceID][32]byte // local devices with their newest key
	tried  map[[32]byte]bool              // local keys ever at hand
	keys   int                            // rises with each new one
	stale  bool                           // a locked packet was not tried with all of them
}

func newWaiting() waiting {
	return waiting{
		seen: map[[32]byte]bool{}, done: map[[32]byte]bool{}, refused: map[EntryID]bool{},
		orphans: map[EntryID]*pending{}, on: map[EntryID][]*pending{},
		tags: map[[tagSize]byte][]item{}, packets: map[EpochID][]item{},
		asking: map[identity.DeviceID][32]byte{}, tried: map[[32]byte]bool{},
	}
}

func (r *Result) report(what, id string, err error) {
	r.Reports = append(r.Reports, fmt.Errorf("%s %s: %w", what, id, err))
}

// Receive takes a packet or an envelope, from a peer or the journal: opens it,
// admits the entry and whatever waited for it. An error is the item's own
// fault: it is dropped, and nothing else changed. Its entry may still come in
// another item, if the fault was in the seal.
func (t *Thread) Receive(sealed []byte, locals []Local) (Result, error) {
	var r Result
	if len(sealed) > PacketMax {
		return r, wrapped("item", ErrTooLong)
	}
	it := item{sealed: sealed, sum: sha256.Sum256(sealed)}
	if t.waiting.seen[it.sum] {
		r.Duplicate = true
		return r, nil
	}
	if refused, known := t.waiting.done[it.sum]; refused {
		return r, ErrRefused
	} else if known {
		r.Duplicate = true
		return r, nil
	}
	t.waiting.meet(locals)
	it.sealed = bytes.Clone(sealed)
	err := t.take(it, locals, &r)
	t.settle(locals, &r)
	if err != nil && !errors.Is(err, ErrFull) && !errors.Is(err, ErrEnvelope) { // its key may yet come
		remember(t.waiting.done, it.sum, true)
	}
	return r, err
}

// Recognizes says whether an item is under an epoch whose secret is known here: which thread
// it is for, where the carrier does not say.
func (t *Thread) Recognizes(sealed []byte) bool {
	if len(sealed) > 0 && sealed[0] == typePacket {
		p, err := parsePacket(sealed)
		return err == nil && t.epochs[p.epoch] != nil
	}
	tag, err := envelopeTag(sealed)
	return err == nil && len(t.keys.boxes[tag]) > 0
}

// meet remembers who asks for seals, and tries locked packets again when a
// local key is new: the vault was locked, or another person came.
func (w *waiting) meet(locals []Local) {
	fresh := false
	for _, l := range locals {
		for _, k := range l.KEMs {
			fresh = fresh || !w.tried[k.ID()]
			w.tried[k.ID()] = true
		}
		if len(l.KEMs) > 0 {
			w.asking[l.Device.ID()] = l.KEMs[0].ID()
		}
	}
	if fresh {
		w.keys++
	}
	if len(locals) == 0 || !fresh && !w.stale {
		return
	}
	w.stale = false
	for id := range w.packets {
		w.unlockPackets(id)
	}
}

// settle goes on with what became ripe or opened until nothing is left.
func (t *Thread) settle(locals []Local, r *Result) {
	w := &t.waiting
	for len(w.ripe) > 0 || len(w.opened) > 0 {
		if len(w.ripe) > 0 {
			p := w.ripe[0]
			w.ripe = w.ripe[1:]
			var inner Result // that it goes on waiting is no news of this item
			if err := t.admit(p, &inner); err != nil {
				delete(w.seen, p.sum)
				r.report("entry", p.ID.String(), err)
			}
			r.Admitted = append(r.Admitted, inner.Admitted...)
			continue
		}
		it := w.opened[0]
		w.opened = w.opened[1:]
		var inner Result
		if err := t.take(it, locals, &inner); err != nil {
			r.Reports = append(r.Reports, err)
		}
		r.Admitted, r.Reports = append(r.Admitted, inner.Admitted...), append(r.Reports, inner.Reports...)
	}
}

func (t *Thread) take(it item, locals []Local, r *Result) error {
	if len(it.sealed) > 0 && it.sealed[0] == typePacket {
		return t.takePacket(it, locals, r)
	}
	return t.takeEnvelope(it, r)
}

func (t *Thread) takeEnvelope(it item, r *Result) error {
	tag, err := envelopeTag(it.sealed)
	if err != nil {
		return err
	}
	keys := t.keys.boxes[tag]
	if len(keys) == 0 {
		return t.waiting.lock(it, r, func() { t.waiting.tags[tag] = append(t.waiting.tags[tag], it) })
	}
	var raw []byte
	var chain Chain
	for i := range keys {
		if raw, err = keys[i].open(it.sealed); err == nil {
			chain = keys[i].chain
			break
		}
	}
	if err != nil {
		return err
	}
	p, err := parseEntry(raw)
	if err != nil {
		return err
	}
	if p.Chain != chain { // else content would be under the secret for control
		return ErrChain
	}
	return t.offer(p, it, r)
}

func (t *Thread) takePacket(it item, locals []Local, r *Result) error {
	k, err := parsePacket(it.sealed)
	if err != nil {
		return err
	}
	if len(locals) > 0 && it.keys == t.waiting.keys {
		locals = nil // tried before, and KEMs are slow; a secret may have come
	} else if len(locals) > 0 {
		it.keys = t.waiting.keys
	}
	p, es, err := t.openPacket(k, locals)
	if errors.Is(err, ErrSeal) {
		if errors.Is(err, ErrCommit) || errors.Is(err, ErrPacket) {
			r.report("epoch", k.epoch.String(), err)
		}
		r.Need = &Need{Seals: t.sealNeeds(k.epoch)}
		return t.waiting.lockPacket(k.epoch, it, r)
	}
	if err != nil {
		return err
	}
	if p.Thread != t.id {
		return ErrThread
	}
	p.es = &es
	t.note(p.control.epoch, r)
	if t.epochs[k.epoch] != nil {
		t.confirm(p.control.epoch, &es, r)
	} else {
		t.learn(k.epoch, es, r)
	}
	return t.offer(p, it, r)
}

// openPacket opens with a known secret, a candidate or a local key.
func (t *Thread) openPacket(k *packet, locals []Local) (*parsed, wire.Secret, error) {
	if es, ok := t.keys.secrets[k.epoch]; ok {
		p, err := k.open(es)
		if err == nil || t.keys.bodies[k.epoch] != nil {
			return p, es, err
		}
		// A restored secret, not compared before: perhaps it is what is wrong.
		p, es, err = k.unseal(locals)
		if err == nil {
			t.keys.drop(k.epoch)
		}
		return p, es, err
	}
	for _, es := range t.keys.candidates[k.epoch] {
		if p, err := k.open(es); err == nil {
			return p, es, nil
		}
	}
	return k.unseal(locals)
}

// offer takes an opened entry.
func (t *Thread) offer(p *parsed, it item, r *Result) error {
	if p.Thread != t.id {
		return ErrThread
	}
	if p.Kind == Epoch {
		t.note(p.control.epoch, r)
	}
	if e := t.entries[p.ID]; e != nil {
		t.again(e, p, it, r)
		return nil
	}
	if o := t.waiting.orphans[p.ID]; o != nil {
		if o.es == nil && p.es != nil { // its packet is worth more than an envelope
			t.waiting.exchange(o, it)
			o.es = p.es
		}
		r.Duplicate = true
		return nil
	}
	return t.admit(&pending{parsed: p, item: it}, r)
}

// again takes another item of an admitted entry: one with the body that was
// missing, or the packet of an epoch that came in an envelope.
func (t *Thread) again(e *Entry, p *parsed, it item, r *Result) {
	body := e.salted == nil && p.salted != nil && !t.erased[e.ID]
	pack := e.Kind == Epoch && e.sealed[0] != typePacket && it.sealed[0] == typePacket
	if !body && !pack {
		remember(t.waiting.done, it.sum, false)
		r.Duplicate = true
		return
	}
	if body {
		e.salted, e.Body = p.salted, p.Body
	}
	e.sealed = it.sealed
	t.waiting.seen[it.sum] = true
	r.Admitted = append(r.Admitted, Admitted{Entry: e, Item: Item{Entry: e.ID, Sealed: e.sealed}})
}

// admit admits an entry, lets it wait, or refuses it for good.
func (t *Thread) admit(p *pending, r *Result) error {
	w := &t.waiting
	if t.entries[p.ID] != nil { // it came in another item meanwhile
		return nil
	}
	var missing []EntryID
	for id := range p.refs {
		switch {
		case w.refused[id]:
			t.refuse(p.ID)
			return ErrRefused
		case t.entries[id] == nil:
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		if !w.await(p, missing[0]) {
			return ErrFull
		}
		r.Waiting = true
		r.Need = &Need{Entries: missing}
		return nil
	}
	if err := t.check(p.parsed); err != nil {
		t.refuse(p.ID)
		return err
	}
	e := t.insert(p.parsed, p.sealed)
	if e.Kind == Epoch {
		t.confirm(p.control.epoch, p.es, r)
	}
	w.seen[p.sum] = true
	w.release(e.ID)
	r.Admitted = append(r.Admitted, Admitted{Entry: e, Item: Item{Entry: e.ID, Sealed: e.sealed}})
	return nil
}

// refuse remembers a refused entry and lets those that wait for it fall.
func (t *Thread) refuse(id EntryID) {
	remember(t.waiting.refused, id, true)
	t.waiting.release(id)
}

// remember keeps a bounded set; forgetting costs work, not safety.
func remember[K comparable](m map[K]bool, k K, v bool) {
	if len(m) >= RefusedMax {
		clear(m)
	}
	m[k] = v
}

func (w *waiting) room(n int) bool { return w.bytes+n <= WaitingMaxBytes }

// await keeps an entry until another is admitted or refused.
func (w *waiting) await(p *pending, on EntryID) bool {
	if len(w.orphans) >= OrphansMax || !w.room(len(p.sealed)) {
		return false
	}
	w.orphans[p.ID] = p
	w.on[on] = append(w.on[on], p)
	w.seen[p.sum] = true
	w.bytes += len(p.sealed)
	return true
}

// exchange puts another item of a waiting entry in the place of the one it came in.
func (w *waiting) exchange(p *pending, it item) {
	delete(w.seen, p.sum)
	w.bytes += len(it.sealed) - len(p.sealed)
	p.item = it
	w.seen[it.sum] = true
}

// release makes ripe what waits for an entry.
func (w *waiting) release(id EntryID) {
	for _, p := range w.on[id] {
		delete(w.orphans, p.ID)
		w.bytes -= len(p.sealed)
		w.ripe = append(w.ripe, p)
	}
	delete(w.on, id)
}

// lock keeps an item that no known secret opens.
func (w *waiting) lock(it item, r *Result, keep func()) error {
	if w.locked >= LockedMax || !w.room(len(it.sealed)) {
		return ErrFull
	}
	keep()
	w.seen[it.sum] = true
	w.locked++
	w.bytes += len(it.sealed)
	r.Waiting = true
	return nil
}

// lockPacket keeps a packet that no local key opens. They are fewer than
// envelopes may be, as a new key is tried on all their seals.
func (w *waiting) lockPacket(epoch EpochID, it item, r *Result) error {
	if w.sealedOnly >= LockedPacketsMax {
		return ErrFull
	}
	return w.lock(it, r, func() {
		w.packets[epoch] = append(w.packets[epoch], it)
		w.sealedOnly++
		w.stale = w.stale || it.keys < w.keys
	})
}

func (w *waiting) unlockTag(tag [tagSize]byte) {
	w.unlock(w.tags[tag])
	delete(w.tags, tag)
}

func (w *waiting) unlockPackets(id EpochID) {
	w.unlock(w.packets[id])
	w.sealedOnly -= len(w.packets[id])
	delete(w.packets, id)
}

func (w *waiting) unlock(items []item) {
	for _, it := range items {
		delete(w.seen, it.sum)
		w.locked--
		w.bytes -= len(it.sealed)
	}
	w.opened = append(w.opened, items...)
}

// Forget drops everything that waits. The caller does so once a day, as what
// nobody completed in that time is not going to be (FORMATS §12); a peer that
// has it sends it again.
func (t *Thread) Forget() {
	w := &t.waiting
	for _, p := range w.orphans {
		delete(w.seen, p.sum)
	}
	for tag := range w.tags {
		w.unlockTag(tag)
	}
	for id := range w.packets {
		w.unlockPackets(id)
	}
	w.opened, w.bytes, w.stale = nil, 0, false
	clear(w.orphans)
	clear(w.on)
	clear(w.done)
}

// Unlock tries packets that no key opened with the keys of local persons that
// were not at hand when they came, and admits what follows.
func (t *Thread) Unlock(locals []Local) Result {
	var r Result
	t.waiting.meet(locals)
	t.settle(locals, &r)
	return r
}
