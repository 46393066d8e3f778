package ledger

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Row is the head of one chain. A thread's rows are its version vector; two
// rows of one chain are a fork.
type Row struct {
	_      struct{} `cbor:",toarray"`
	Device [16]byte
	Chain  Chain
	Seq    uint64
	Entry  [8]byte
}

// Need is what a thread lacks to go on, FORMATS §8 type 7 without its tag.
type Need struct {
	Entries []EntryID
	Chains  []ChainNeed
	Seals   []SealNeed
}

// ChainNeed asks for a device's chain from a number on.
type ChainNeed struct {
	_      struct{} `cbor:",toarray"`
	Device identity.DeviceID
	Chain  Chain
	From   uint64
}

// SealNeed asks for a packet sealed to a key.
type SealNeed struct {
	_     struct{} `cbor:",toarray"`
	Epoch EpochID
	Key   [32]byte
}

func (e *Entry) row() Row {
	return Row{Device: [16]byte(e.Device[:16]), Chain: e.Chain, Seq: e.Seq, Entry: [8]byte(e.ID[:8])}
}

// compareRows is the order of their encodings.
func compareRows(a, b Row) int {
	return cmp.Or(bytes.Compare(a.Device[:], b.Device[:]), cmp.Compare(a.Chain, b.Chain),
		cmp.Compare(a.Seq, b.Seq), bytes.Compare(a.Entry[:], b.Entry[:]))
}

// Rows returns the heads of all chains, sorted, at most two for each: a device
// that forks its chain a thousand times must not silence the thread.
func (t *Thread) Rows() []Row {
	rows := make([]Row, 0, len(t.leaves))
	for _, leaves := range t.leaves {
		rows = append(rows, rowsOf(leaves)...)
	}
	slices.SortFunc(rows, compareRows)
	return slices.Compact(rows)
}

// rowsOf are the rows of one chain's heads. Of more than two the highest stands,
// and all together in the place of the next, which no entry is likely to match.
func rowsOf(leaves []*Entry) []Row {
	rows := make([]Row, 0, len(leaves))
	for _, e := range leaves {
		rows = append(rows, e.row())
	}
	if len(rows) <= rowsPerChain {
		return rows
	}
	slices.SortFunc(rows, compareRows)
	ids := make([]EntryID, 0, len(leaves))
	for _, e := range leaves {
		ids = append(ids, e.ID)
	}
	slices.SortFunc(ids, compareEntryID)
	all := wire.Hash("rows/forks", wire.MustMarshal(ids))
	rows = rows[len(rows)-rowsPerChain:]
	rows[0].Entry = [8]byte(all[:8])
	return rows
}

// Root is the hash of Rows. Equal roots end an exchange.
func (t *Thread) Root() [32]byte { return RootOf(t.Rows()) }

// RootOf is H("rows", rows).
func RootOf(rows []Row) [32]byte {
	if rows == nil {
		rows = []Row{}
	}
	return wire.Hash("rows", wire.MustMarshal(rows))
}

// Missing returns what a peer with these rows lacks: packets, control, content,
// each in causal order. Who sent no rows gets everything: a new member finds
// the secret of the newest epoch in its packet, and the older ones in back.
func (t *Thread) Missing(theirs []Row) []Item {
	has := t.held(theirs)
	var lacking []*Entry
	for _, e := range t.Entries() {
		if !has[e.ID] {
			lacking = append(lacking, e)
		}
	}
	return items(lacking)
}

// items sorts entries as an exchange sends them; they are in display order,
// which is causal.
func items(entries []*Entry) []Item {
	out := make([]Item, 0, len(entries))
	for pass := range 3 {
		for _, e := range entries {
			if e.pass() == pass {
				out = append(out, Item{Entry: e.ID, Sealed: e.sealed})
			}
		}
	}
	return out
}

func (e *Entry) pass() int {
	switch {
	case e.sealed[0] == typePacket:
		return 0
	case e.Chain == Control:
		return 1
	default:
		return 2
	}
}

// held returns the entries that a peer with these rows has: those it names and
// everything they rest on, since nothing is admitted before that. A row that is
// not known here and is further than all of ours means that the peer is ahead
// on this chain, and has what we have of it; if that is wrong, the chain is
// forked, and the next rows show it.
func (t *Thread) held(theirs []Row) map[EntryID]bool {
	has := map[EntryID]bool{}
	var todo []*Entry
	take := func(e *Entry) {
		if !has[e.ID] {
			has[e.ID] = true
			todo = append(todo, e)
		}
	}
	ours := t.byRow()
	for _, r := range theirs {
		leaves := ours.leaves[rowKey{r.Device, r.Chain}]
		ahead := !slices.ContainsFunc(leaves, func(e *Entry) bool { return e.Seq >= r.Seq })
		if known := ours.at(t, r); known != nil {
			take(known)
		} else if ahead || len(leaves) > rowsPerChain && slices.Contains(rowsOf(leaves), r) {
			for _, e := range leaves {
				take(e)
			}
		}
	}
	for len(todo) > 0 {
		e := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for id := range e.refs {
			take(t.entries[id])
		}
	}
	return has
}

type rowKey struct {
	device [16]byte
	chain  Chain
}

// rowIndex finds chains by the short names of rows.
type rowIndex struct {
	leaves map[rowKey][]*Entry
	chains map[rowKey][]chainKey
}

func (t *Thread) byRow() rowIndex {
	x := rowIndex{map[rowKey][]*Entry{}, map[rowKey][]chainKey{}}
	for k, leaves := range t.leaves {
		short := rowKey{[16]byte(k.device[:16]), k.chain}
		x.leaves[short] = append(x.leaves[short], leaves...)
		x.chains[short] = append(x.chains[short], k)
	}
	return x
}

// at returns the entry that a row names, nil if it is not here.
func (x rowIndex) at(t *Thread, r Row) *Entry {
	for _, k := range x.chains[rowKey{r.Device, r.Chain}] {
		for _, e := range t.chains[k][r.Seq] {
			if e.row() == r {
				return e
			}
		}
	}
	return nil
}

// ByID returns the items of entries that are here.
func (t *Thread) ByID(ids []EntryID) []Item {
	var list []*Entry
	for _, id := range ids {
		if e := t.entries[id]; e != nil {
			list = append(list, e)
		}
	}
	return sortedItems(list)
}

// From returns a device's chain from a number on, with all branches.
func (t *Thread) From(device identity.DeviceID, chain Chain, seq uint64) []Item {
	return sortedItems(t.after(chainKey{device, chain}, seq))
}

func (t *Thread) after(k chainKey, seq uint64) (list []*Entry) {
	for at, entries := range t.chains[k] {
		if at >= seq {
			list = append(list, entries...)
		}
	}
	return list
}

func sortedItems(list []*Entry) []Item {
	slices.SortFunc(list, compareEntries)
	return items(slices.Compact(list))
}

// Need returns what is missing, nil if nothing is. Parents are asked for by
// name, and where a chain has a gap, the whole rest of the chain.
func (t *Thread) Need() *Need {
	n := &Need{Entries: []EntryID{}}
	chains := map[chainKey]bool{}
	for id := range t.waiting.on {
		if t.waiting.orphans[id] == nil {
			n.Entries = append(n.Entries, id)
		}
	}
	for _, p := range t.waiting.orphans {
		if p.Prev != nil && t.entries[*p.Prev] == nil && t.waiting.orphans[*p.Prev] == nil {
			chains[chainKey{p.Device, p.Chain}] = true
		}
	}
	for k := range chains {
		n.Chains = append(n.Chains, ChainNeed{Device: k.device, Chain: k.chain, From: t.last(k) + 1})
	}
	closed := map[EpochID]bool{}
	for id := range t.waiting.packets {
		closed[id] = true
	}
	for id := range t.epochs {
		if _, known := t.keys.secrets[id]; !known {
			closed[id] = true
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(closed), func(a, b EpochID) int { return bytes.Compare(a[:], b[:]) }) {
		n.Seals = append(n.Seals, t.sealNeeds(id)...)
	}
	if len(n.Entries) == 0 && len(n.Chains) == 0 && len(n.Seals) == 0 {
		return nil
	}
	slices.SortFunc(n.Entries, compareEntryID)
	slices.SortFunc(n.Chains, func(a, b ChainNeed) int {
		return cmp.Or(bytes.Compare(a.Device[:], b.Device[:]), cmp.Compare(a.Chain, b.Chain))
	})
	n.Entries = n.Entries[:min(len(n.Entries), NeedMax)]
	n.Chains = n.Chains[:min(len(n.Chains), NeedMax)]
	n.Seals = n.Seals[:min(len(n.Seals), NeedMax)]
	return n
}

// last is the highest number of a chain that is here.
func (t *Thread) last(k chainKey) (seq uint64) {
	for _, e := range t.leaves[k] {
		seq = max(seq, e.Seq)
	}
	return seq
}

// sealNeeds asks for an epoch for the local devices that may open it, as far as
// is known here: for all before the first entry is admitted.
func (t *Thread) sealNeeds(epoch EpochID) []SealNeed {
	var out []SealNeed
	for device, key := range t.waiting.asking {
		_, in := t.now().devices[device]
		if len(t.entries) == 0 || in && (t.epochs[epoch] == nil || t.reaches(device, epoch)) {
			out = append(out, SealNeed{Epoch: epoch, Key: key})
		}
	}
	slices.SortFunc(out, func(a, b SealNeed) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return out
}

// Answer returns what a peer needs, as far as it is here and may be sent.
func (t *Thread) Answer(n Need, cards Cards) []Item {
	var list []*Entry
	for _, id := range n.Entries {
		if e := t.entries[id]; e != nil {
			list = append(list, e)
		}
	}
	from := map[chainKey]uint64{} // a peer may ask for one chain a thousand times
	for _, c := range n.Chains {
		k := chainKey{c.Device, c.Chain}
		if at, asked := from[k]; !asked || c.From < at {
			from[k] = c.From
		}
	}
	for k, at := range from {
		list = append(list, t.after(k, at)...)
	}
	return append(t.answerSeals(n.Seals, cards), sortedItems(list)...)
}

func (t *Thread) answerSeals(needs []SealNeed, cards Cards) []Item {
	if len(needs) == 0 || cards == nil {
		return nil
	}
	var out []Item
	byKey := map[[32]byte]*identity.Card{}
	for device := range t.now().devices {
		if c := cards.Card(device); c != nil {
			byKey[c.KeyID()] = c
		}
	}
	for _, n := range needs[:min(len(needs), SealsMax)] { // each costs a KEM operation
		if c := byKey[n.Key]; c != nil {
			if it, err := t.Reseal(n.Epoch, c.Device, c); err == nil {
				out = append(out, it)
			}
		}
	}
	return out
}

// reaches reports whether an epoch lists a device, or one that follows it does,
// whose back tells its secret.
func (t *Thread) reaches(device identity.DeviceID, epoch EpochID) bool {
	var at set
	for _, e := range t.epochs[epoch].entries {
		at = at.add(e.place)
	}
	for id, s := range t.epochs {
		if id != epoch && !slices.ContainsFunc(s.entries, func(e *Entry) bool { return e.past.meets(at) }) {
			continue
		}
		if slices.Contains(s.body.hdr.deviceIDs(), device) {
			return true
		}
	}
	return false
}

// Reseal makes a new packet of an epoch for one device of the device set (R3)
// that may open it. The entry in it is the same, so that this repairs and adds
// nobody.
func (t *Thread) Reseal(epoch EpochID, device identity.DeviceID, card *identity.Card) (Item, error) {
	s, es := t.epochs[epoch], t.keys.secrets[epoch]
	if _, known := t.keys.secrets[epoch]; s == nil || !known {
		return Item{}, ErrUnknown
	}
	if _, in := t.now().devices[device]; !in || card == nil || card.Device != device || !t.reaches(device, epoch) {
		return Item{}, ErrNotMember
	}
	e := s.entries[0]
	box, err := seal.SealTo(card.KEM, sealInfo(epoch, device, card.KeyID()), es)
	if err != nil {
		return Item{}, err
	}
	sealed, err := sealPacket(epoch, es, [][]byte{box}, e.encode())
	if err != nil {
		return Item{}, err
	}
	return Item{Entry: e.ID, Sealed: sealed}, nil
}
