package ledger

import (
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Found starts a thread: its create entry and first epoch. The author is a
// device of the first founder; certs certify devices of the founders, the
// author's among them. The packet comes first.
func Found(author Local, founders []identity.Person, certs [][]byte, nowMS int64, cards Cards) (*Thread, []Item, error) {
	b := CreateBody{Suite: suite1, Founders: founders, Certs: raws(certs)}
	_, _ = rand.Read(b.Nonce[:]) // never fails since Go 1.24
	body, err := saltedBody(b)
	if err != nil {
		return nil, nil, err
	}
	p, err := sign(author.Device, header{Chain: Control, Seq: 1, Lamport: 1, ClaimedMS: nowMS, Kind: Create}, body)
	if err != nil {
		return nil, nil, err
	}
	t := NewThread(p.Thread)
	if err := t.accept(p, nil); err != nil {
		return nil, nil, err
	}
	packet, err := t.newEpoch(author, nowMS, cards)
	if err != nil {
		return nil, nil, err
	}
	create := t.entries[EntryID(t.id)]
	if err := t.envelop(create, t.entries[packet.Entry].own); err != nil {
		return nil, nil, err
	}
	return t, []Item{packet, {Entry: create.ID, Sealed: create.sealed}}, nil
}

func raws(records [][]byte) []wire.Raw {
	var out []wire.Raw
	for _, r := range records {
		out = append(out, r)
	}
	return out
}

// accept admits an own entry by the rules for everybody's.
func (t *Thread) accept(p *parsed, sealed []byte) error {
	if err := t.check(p); err != nil {
		return wrapped(p.Kind.String(), err)
	}
	e := t.insert(p, sealed)
	if sealed != nil {
		t.waiting.seen[sha256.Sum256(sealed)] = true
	}
	t.waiting.release(e.ID)
	return nil
}

// Append writes a content entry, and a new epoch before it if the device set
// changed or the epoch is old (R4, R5). The items go to the journal before
// anything else is done with the thread; even those that come with an error.
func (t *Thread) Append(author Local, kind Kind, body any, nowMS int64, cards Cards) ([]Item, error) {
	if kind.Chain() != Content {
		return nil, ErrKind
	}
	salted, err := t.mayAppend(author, kind, body)
	if err != nil {
		return nil, err
	}
	var out []Item
	epoch, fits := t.writingEpoch(nowMS, t.now().ranks[author.Device.Person()] >= RankWriter)
	if !fits || len(t.heads[Control]) > AuthMax {
		out, err = t.mergeEpochs(author, nowMS, cards)
		if err != nil {
			return out, err
		}
		if epoch, fits = t.writingEpoch(nowMS, false); !fits {
			return out, ErrNoEpoch
		}
	}
	p, err := t.draft(author, kind, salted, nowMS, &epoch)
	if err != nil {
		return out, err
	}
	it, err := t.post(p, epoch)
	if err != nil {
		return out, err
	}
	return append(out, it), nil
}

// mayAppend refuses early, before an epoch is made for nothing.
func (t *Thread) mayAppend(author Local, kind Kind, body any) ([]byte, error) {
	if err := t.maySign(author); err != nil {
		return nil, err
	}
	if !t.now().authorized(post{author: owner{author.Device.ID(), author.Device.Person()}, need: RankNeeded(kind)}) {
		return nil, ErrUnauthorized
	}
	salted, err := saltedBody(body)
	if err != nil {
		return nil, err
	}
	if len(salted) > EntryMax-entryOverhead {
		return nil, wrapped("body", ErrTooLong)
	}
	return salted, nil
}

// maySign refuses those who are not members, and a device whose chain has two
// branches: signing on would only feed the confusion.
func (t *Thread) maySign(author Local) error {
	switch {
	case t.now().ranks[author.Device.Person()] == RankNone:
		return ErrNotMember
	case t.forked[author.Device.ID()]:
		return ErrForked
	default:
		return nil
	}
}

// entryOverhead is more than the header with all its lists and both signatures.
const entryOverhead = 6 << 10

// draft signs an entry on top of everything that is here.
func (t *Thread) draft(author Local, kind Kind, body []byte, nowMS int64, epoch *EpochID) (*parsed, error) {
	h := t.place(author, kind, nowMS)
	h.Epoch = epoch
	return sign(author.Device, h, body)
}

// place fills in where an author's next entry stands.
func (t *Thread) place(author Local, kind Kind, nowMS int64) header {
	h := header{Thread: &t.id, Device: author.Device.ID(), Chain: kind.Chain(), Seq: 1, ClaimedMS: max(nowMS, 0), Kind: kind}
	heads := maps.Clone(t.heads[h.Chain])
	if leaves := t.leaves[chainKey{h.Device, h.Chain}]; len(leaves) > 0 {
		prev := leaves[0]
		h.Prev, h.Seq = &prev.ID, prev.Seq+1
		delete(heads, prev.ID)
	}
	h.Parents = top(heads, ParentsMax)
	if h.Chain == Content {
		h.Auth = top(t.heads[Control], AuthMax)
	}
	h.Lamport = t.lamportAfter(&Entry{Prev: h.Prev, Parents: h.Parents, Auth: h.Auth})
	return h
}

// top returns the names of the highest lamports, sorted by name.
func top(heads map[EntryID]*Entry, n int) []EntryID {
	list := slices.SortedFunc(maps.Values(heads), func(a, b *Entry) int { return compareEntries(b, a) })
	var ids []EntryID
	for _, e := range list[:min(n, len(list))] {
		ids = append(ids, e.ID)
	}
	slices.SortFunc(ids, compareEntryID)
	return ids
}

// post admits an own entry and seals it under an epoch.
func (t *Thread) post(p *parsed, epoch EpochID) (Item, error) {
	box, ok := t.keys.box(epoch, p.Chain)
	if !ok {
		return Item{}, ErrNoEpoch
	}
	sealed := box.seal(p.encode())
	if err := t.accept(p, sealed); err != nil {
		return Item{}, err
	}
	return Item{Entry: p.ID, Sealed: sealed}, nil
}

// envelop seals an admitted entry.
func (t *Thread) envelop(e *Entry, epoch EpochID) error {
	box, ok := t.keys.box(epoch, e.Chain)
	if !ok {
		return ErrNoEpoch
	}
	e.sealed = box.seal(e.encode())
	return nil
}

// control writes a control entry and, if the device set has changed, a new epoch.
func (t *Thread) control(author Local, kind Kind, body any, nowMS int64, cards Cards) ([]Item, error) {
	if err := t.maySign(author); err != nil {
		return nil, err
	}
	epoch, ok := t.newestEpoch()
	if !ok {
		return nil, ErrNoEpoch
	}
	salted, err := saltedBody(body)
	if err != nil {
		return nil, err
	}
	p, err := t.draft(author, kind, salted, nowMS, nil)
	if err != nil {
		return nil, err
	}
	before := t.now().list
	it, err := t.post(p, epoch)
	if err != nil {
		return nil, err
	}
	out := []Item{it}
	v, person := t.now(), author.Device.Person()
	if slices.Equal(before, v.list) || v.ranks[person] < RankWriter || v.devices[author.Device.ID()] != person {
		return out, nil // nothing to do, or a writer's to do before the next entry
	}
	more, _ := t.mergeEpochs(author, nowMS, cards) // else the next Append makes it, or says why not
	return append(out, more...), nil
}

// Role sets a person's rank. Record and Certs are needed for whoever is new;
// Cut is filled in with all that was seen here when a rank is lowered.
func (t *Thread) Role(author Local, body RoleBody, nowMS int64, cards Cards) ([]Item, error) {
	if body.Cut == nil && body.Rank < t.now().ranks[body.Person] {
		body.Cut = t.seen(body.Person)
	}
	return t.control(author, Role, body, nowMS, cards)
}

// seen returns the content heads of a person's devices, of every branch.
func (t *Thread) seen(p identity.PersonID) []ContentCut {
	var cuts []ContentCut
	for id, k := range t.devices {
		if k.cert.Person != p {
			continue
		}
		for _, e := range t.leaves[chainKey{id, Content}] {
			cuts = append(cuts, ContentCut{Device: id, Seq: e.Seq, Entry: e.ID})
		}
	}
	slices.SortFunc(cuts, func(a, b ContentCut) int { return compareEntryID(a.Entry, b.Entry) })
	return cuts[:min(len(cuts), CutsMax)]
}

// AddDevices introduces devices of members.
func (t *Thread) AddDevices(author Local, certs [][]byte, nowMS int64, cards Cards) ([]Item, error) {
	return t.control(author, Device, DeviceBody{Certs: raws(certs)}, nowMS, cards)
}

// Revoke carries a root's cut of a device, a DeviceCut and a DeviceRevoke.
func (t *Thread) Revoke(author Local, cut, revoke []byte, nowMS int64, cards Cards) ([]Item, error) {
	return t.control(author, Revoke, RevokeBody{Cut: cut, Revoke: revoke}, nowMS, cards)
}

// LastOf returns the last entries of a device's chains that are here, for a
// DeviceCut; of a forked chain the highest.
func (t *Thread) LastOf(device identity.DeviceID) (control, content *identity.Point) {
	point := func(c Chain) *identity.Point {
		leaves := t.leaves[chainKey{device, c}]
		if len(leaves) == 0 {
			return nil
		}
		e := slices.MaxFunc(leaves, func(a, b *Entry) int { return compareRows(a.row(), b.row()) })
		return &identity.Point{Seq: e.Seq, Entry: e.ID}
	}
	return point(Control), point(Content)
}

// Admit raises a content cut: what was quarantined up to there counts.
func (t *Thread) Admit(author Local, body AdmitBody, nowMS int64, cards Cards) ([]Item, error) {
	return t.control(author, Admit, body, nowMS, cards)
}

// ReportFork posts proof that a device signed two entries with one number.
func (t *Thread) ReportFork(author Local, a, b EntryID, nowMS int64, cards Cards) ([]Item, error) {
	x, y := t.entries[a], t.entries[b]
	if x == nil || y == nil {
		return nil, ErrUnknown
	}
	return t.control(author, Fork, ForkBody{A: x.Signed(), B: y.Signed()}, nowMS, cards)
}

// Erase forgets the body of a content entry, for good here, and returns the
// item that replaces the old one in the journal.
func (t *Thread) Erase(id EntryID) (Item, error) {
	e := t.entries[id]
	if e == nil || e.Chain != Content {
		return Item{}, ErrUnknown
	}
	t.erased[id] = true
	e.salted, e.Body = nil, nil
	if err := t.envelop(e, e.Epoch); err != nil {
		return Item{}, err
	}
	return Item{Entry: id, Sealed: e.sealed}, nil
}
