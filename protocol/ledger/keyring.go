package ledger

import (
	"slices"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// keyring holds the secrets of epochs. A confirmed one matches the commitment
// of its header, whether or not the epoch is admitted: it may open envelopes,
// but nothing counts before (R7). Candidates come out of back, before the
// header they belong to is here.
type keyring struct {
	thread     ThreadID
	secrets    map[EpochID]wire.Secret
	candidates map[EpochID][]wire.Secret
	boxes      map[[tagSize]byte][]box
	bodies     map[EpochID]*epochBody // all epoch headers seen
}

func newKeyring(thread ThreadID) keyring {
	return keyring{
		thread: thread, secrets: map[EpochID]wire.Secret{}, candidates: map[EpochID][]wire.Secret{},
		boxes: map[[tagSize]byte][]box{}, bodies: map[EpochID]*epochBody{},
	}
}

// add confirms a secret and returns the tags that it opens.
func (k *keyring) add(id EpochID, es wire.Secret) [2]box {
	k.secrets[id] = es
	delete(k.candidates, id)
	pair := boxes(k.thread, id, es)
	for _, b := range pair {
		// Honest epochs never share a secret. Those of liars are as many as
		// SecretsMax allows, and must not displace an honest one.
		k.boxes[b.tag] = append(k.boxes[b.tag], b)
	}
	return pair
}

// drop forgets a secret that contradicts its commitment.
func (k *keyring) drop(id EpochID) {
	for _, b := range boxes(k.thread, id, k.secrets[id]) {
		k.boxes[b.tag] = slices.DeleteFunc(k.boxes[b.tag], func(o box) bool { return o.epoch == id })
	}
	delete(k.secrets, id)
}

// box returns the key that seals under an epoch, if its secret is known.
func (k *keyring) box(id EpochID, chain Chain) (box, bool) {
	es, ok := k.secrets[id]
	if !ok {
		return box{}, false
	}
	pair := boxes(k.thread, id, es)
	if chain == Control {
		return pair[0], true
	}
	return pair[1], true
}

// Restore gives back the secrets a thread had, before its items are received
// again.
func (t *Thread) Restore(secrets map[EpochID]wire.Secret) {
	for id, es := range secrets {
		if _, known := t.keys.secrets[id]; !known {
			t.keys.add(id, es)
		}
	}
}

// note keeps the header of an epoch entry, admitted or not, and sees which
// secrets match it. Header and back are what EpochID and its hash name, so
// nobody can put something else in their place.
func (t *Thread) note(b *epochBody, r *Result) {
	if t.keys.bodies[b.id] != nil || len(t.keys.bodies) > len(t.epochs)+SecretsMax {
		return
	}
	t.keys.bodies[b.id] = b
	if es, ok := t.keys.secrets[b.id]; ok {
		if commitment(es, t.id) == b.hdr.Commit {
			t.openParents(b, es, r)
			return
		}
		t.keys.drop(b.id)
		r.report("epoch", b.id.String(), ErrCommit)
	}
	for _, es := range t.keys.candidates[b.id] {
		if commitment(es, t.id) == b.hdr.Commit {
			t.learn(b.id, es, r)
		} else {
			r.report("epoch", b.id.String(), ErrCommit)
		}
	}
	delete(t.keys.candidates, b.id)
}

// learn takes a confirmed secret: what it opens is put on the way, and so are
// the secrets of the parent epochs.
func (t *Thread) learn(id EpochID, es wire.Secret, r *Result) {
	if len(t.keys.secrets) <= len(t.epochs)+SecretsMax {
		t.learnNow(id, es, r)
	}
}

// confirm is note and learn for an admitted epoch, which no flood of others
// keeps out.
func (t *Thread) confirm(b *epochBody, es *wire.Secret, r *Result) {
	if t.keys.bodies[b.id] == nil {
		t.keys.bodies[b.id] = b
	}
	if es != nil {
		t.learnNow(b.id, *es, r)
	}
}

func (t *Thread) learnNow(id EpochID, es wire.Secret, r *Result) {
	if _, known := t.keys.secrets[id]; known {
		return
	}
	for _, b := range t.keys.add(id, es) {
		t.waiting.unlockTag(b.tag)
	}
	t.waiting.unlockPackets(id)
	if b := t.keys.bodies[id]; b != nil {
		t.openParents(b, es, r)
	}
}

// openParents learns the secrets in back. A lie about them is reported; it
// does not touch the epoch itself.
func (t *Thread) openParents(b *epochBody, es wire.Secret, r *Result) {
	list, err := b.openBack(es)
	if err != nil {
		r.report("epoch", b.id.String(), err)
		return
	}
	for _, s := range list {
		t.suggest(s.Epoch, s.Secret, r)
	}
}

// suggest takes a secret of an epoch that another epoch vouches for.
func (t *Thread) suggest(id EpochID, es wire.Secret, r *Result) {
	known, ok := t.keys.secrets[id]
	body, list := t.keys.bodies[id], t.keys.candidates[id]
	switch {
	case ok && !known.Equal(es) && body == nil: // a restored one, not compared yet
		if len(list) < CandidatesMax {
			t.keys.candidates[id] = append(list, es)
		}
	case ok && !known.Equal(es):
		r.report("back to epoch", id.String(), ErrCommit)
	case ok:
	case body != nil && commitment(es, t.id) == body.hdr.Commit:
		t.learn(id, es, r)
	case body != nil:
		r.report("back to epoch", id.String(), ErrCommit)
	case len(list) < CandidatesMax && len(t.keys.candidates) < SecretsMax && !slices.Contains(list, es):
		t.keys.candidates[id] = append(list, es)
		t.waiting.unlockPackets(id)
	}
}
