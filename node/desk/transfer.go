package desk

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/peering"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/storage/blobs"
)

// Priorities of FORMATS §8, the lowest number first.
const (
	priorityViewer   = 0
	priorityManifest = 1
	priorityHead     = 2
	priorityBulk     = 3
)

// follow wants what a case's grants name: manifests first, and what the manifests list once they
// are here. The lock is held.
func (d *Desk) follow(t *thread) {
	if t.stranger {
		return
	}
	id := t.ledger.ID()
	d.crowd(t)
	for _, g := range t.fold().AllGrants {
		d.allow(g.Manifest.ID, claim{id, g.Author})
		if d.blobs.Has(g.Manifest.ID) {
			d.openManifest(t, g)
			continue
		}
		d.want(exchange.Goal{Thread: id, Priority: priorityManifest}, g.Manifest)
	}
	d.tell(func(n Network) { n.Wanted() })
}

// crowd tells the plan who is in a case, so that members who fetch a study at once share its source.
func (d *Desk) crowd(t *thread) {
	var own, all []identity.DeviceID
	for dev, person := range t.ledger.Members().Devices {
		if d.revoked(dev) {
			continue
		}
		all = append(all, dev)
		if d.personOf(person) != nil {
			own = append(own, dev)
		}
	}
	d.plan.Members(t.ledger.ID(), own, all)
}

// claim says that a person granted a blob to a thread.
type claim struct {
	thread ledger.ThreadID
	by     identity.PersonID
}

// allow lets members of a thread have a blob, if it is the granter's to give: see mayHave.
func (d *Desk) allow(b blob.ID, c claim) {
	if !slices.Contains(d.grants[b], c) {
		d.grants[b] = append(d.grants[b], c)
	}
}

// want plans a blob; the goal says all but which.
func (d *Desk) want(g exchange.Goal, ref blob.Ref) {
	if ref.Check() != nil || d.blobs.Has(ref.ID) {
		return
	}
	g.Blob, g.Length = ref.ID, ref.SealedLen()
	if have, total := d.blobs.Progress(ref.ID); have > 0 {
		p, err := d.blobs.Partial(ref.ID, ref.SealedLen())
		if err != nil {
			d.log.Warn("partial blob not opened", slog.Any("error", err))
			return
		}
		g.Has = make([]bool, total)
		for i := range g.Has {
			g.Has[i] = p.Has(i, 1)
		}
	}
	d.plan.Add(g)
}

// openManifest reads a granted manifest that is here, lets members have its blobs, and wants those
// that are not here.
func (d *Desk) openManifest(t *thread, g consult.Grant) {
	id := t.ledger.ID()
	key := holdingKey{g.Lineage, g.Author}
	if p := d.personOf(g.Author); p != nil {
		if _, removed := p.vault.Get(tableRemoved, string(g.Lineage[:])); removed {
			return
		}
	}
	h := d.studies.held[key]
	if h != nil && h.opened[g.Manifest.ID] && h.threads[id] >= g.Version {
		return
	}
	if d.unusable[g.Manifest.ID] {
		return // it is asked at every entry of the case
	}
	m, err := d.readManifest(g)
	if err != nil {
		d.unusable[g.Manifest.ID] = true
		d.log.Warn("a granted manifest cannot be used", slog.String("case", id.String()), slog.Any("error", err))
		return
	}
	h = d.studies.receive(key, m, g.Manifest.ID, id, d.blobs.Has)
	wantAll, list := d.personOf(g.Author) == nil, blobsListed(m)
	if !wantAll {
		d.granted[g.Manifest.ID] = allListed(list)
	}
	for _, l := range list {
		d.allow(l.ref.ID, claim{id, g.Author})
		if wantAll {
			d.want(l.goal(id, g.Manifest.ID), l.ref)
		}
	}
	d.news(id, 0) // whoever fetches it too learns that we lack it
	d.indexStudy(h)
	d.publish(control.Event{Event: "study", Case: id.String(), Study: h.id()})
}

// listedBlob is a blob that a manifest lists, and its place there.
type listedBlob struct {
	ref      blob.Ref
	priority int
	bit      int // in a have
	order    int
	of       int
}

func (l listedBlob) goal(id ledger.ThreadID, manifest blob.ID) exchange.Goal {
	return exchange.Goal{Thread: id, Priority: l.priority, Order: uint64(l.order), Manifest: manifest, Bit: l.bit, Of: l.of}
}

// blobsListed lists the blobs of a manifest in the order they are wanted: preview, heads, bulk.
func blobsListed(m *study.Manifest) []listedBlob {
	var first, bulk []listedBlob
	if m.Preview != nil {
		first = append(first, listedBlob{ref: *m.Preview, priority: priorityManifest})
	}
	i := 0
	for _, s := range m.Series {
		for _, in := range s.Instances {
			first = append(first, listedBlob{ref: in.Head.Ref, priority: priorityHead, bit: 1 + 2*i})
			if in.Bulk.Ref != nil {
				bulk = append(bulk, listedBlob{ref: *in.Bulk.Ref, priority: priorityBulk, bit: 2 + 2*i})
			}
			i++
		}
	}
	all := append(first, bulk...)
	for i := range all {
		all[i].order, all[i].of = i, len(all)
	}
	return all
}

var errOtherManifest = errors.New("manifest is another than the grant says")

func (d *Desk) readManifest(g consult.Grant) (*study.Manifest, error) {
	sealed, err := d.blobs.Read(g.Manifest.ID, blob.SealedLen(study.ManifestLenMax))
	if err != nil {
		return nil, err
	}
	b, err := seal.OpenBlob(g.Manifest, seal.Manifest, sealed)
	if err != nil {
		return nil, err
	}
	m, err := study.DecodeManifest(b)
	if err != nil {
		return nil, err
	}
	if m.Lineage != g.Lineage || m.Version != g.Version || m.Mode != g.Mode {
		return nil, errOtherManifest
	}
	return m, nil
}

// blobWhole is told by the store that a blob has become whole. It must not block, and the desk's
// lock may be held, so another goroutine does what follows.
func (d *Desk) blobWhole(id blob.ID) { d.whole.put(id) }

// wholeLoop handles blobs that became whole.
func (d *Desk) wholeLoop() {
	for {
		ids, ok := d.whole.take()
		if !ok {
			return
		}
		d.mu.Lock()
		for _, id := range ids {
			d.arrived(id)
		}
		d.tell(func(n Network) { n.Wanted() })
		d.mu.Unlock()
	}
}

// lostPause keeps a full disk from fetching the same leaves again and again at full speed.
const lostPause = 5 * time.Second

// lostLoop wants blobs again of which the medium did not take what had come.
func (d *Desk) lostLoop() {
	for {
		ids, ok := d.lost.take()
		if !ok {
			return
		}
		d.log.Warn("leaves that came were not kept: the disk is full or bad", slog.Int("blobs", len(ids)))
		select {
		case <-d.closing:
			return
		case <-time.After(lostPause):
		}
		d.mu.Lock()
		for _, id := range ids {
			d.wantAgain(id)
		}
		d.tell(func(n Network) { n.Wanted() })
		d.mu.Unlock()
	}
}

// wantAgain plans a blob anew by what the disk has of it. The plan believes its leaves stored.
func (d *Desk) wantAgain(id blob.ID) {
	d.plan.Remove(id)
	for _, c := range d.grants[id] {
		t := d.threads[c.thread]
		if t == nil || t.stranger {
			continue
		}
		for _, g := range t.fold().AllGrants {
			if g.Author != c.by {
				continue
			}
			if g.Manifest.ID == id {
				d.want(exchange.Goal{Thread: c.thread, Priority: priorityManifest}, g.Manifest)
			} else if h := d.studies.held[holdingKey{g.Lineage, g.Author}]; h != nil && h.manifest != nil {
				for _, l := range blobsListed(h.manifest) {
					if l.ref.ID == id {
						d.want(l.goal(c.thread, h.manifestID), l.ref)
					}
				}
			}
		}
	}
}

func (d *Desk) arrived(id blob.ID) {
	for _, c := range d.grants[id] {
		t := d.threads[c.thread]
		if t == nil {
			continue
		}
		for _, g := range t.fold().AllGrants {
			if g.Manifest.ID == id {
				d.openManifest(t, g)
			}
		}
	}
	for _, h := range d.studies.blobHere(id) {
		whole := h.present() == h.listed()
		for tid := range h.threads {
			size, _ := d.blobs.Size(id)
			d.news(tid, size)
			d.publish(control.Event{Event: "transfer", Case: tid.String(), Study: h.id()})
			if whole {
				d.publish(control.Event{Event: "study", Case: tid.String(), Study: h.id(), Kind: "complete"})
			}
		}
	}
}

// Wants gives leaf ranges wanted from a peer.
func (d *Desk) Wants(peer exchange.Peer, ask exchange.Ask) []exchange.Want {
	d.mu.Lock()
	shared := map[ledger.ThreadID]bool{}
	for id, t := range d.threads {
		if d.member(t, peer.Devices) {
			shared[id] = true
		}
	}
	d.mu.Unlock()
	return d.plan.Wants(peer, func(id ledger.ThreadID) bool { return shared[id] }, ask)
}

// Store keeps a range that verified.
func (d *Desk) Store(peer exchange.Peer, w exchange.Want, data []byte, leaves [][32]byte) error {
	whole, err := d.keepRange(peer, w, data, leaves)
	// A manifest says what to want next, a viewer waits for its image, and after the last blob
	// nothing follows that could share its sync.
	if whole && (w.Priority <= priorityManifest || d.plan.Len() == 0) {
		d.blobs.Hurry()
	}
	return err
}

// keepRange writes a range and reports whether its blob is whole now.
func (d *Desk) keepRange(peer exchange.Peer, w exchange.Want, data []byte, leaves [][32]byte) (whole bool, err error) {
	p, err := d.blobs.Partial(w.Blob, w.Length)
	if err != nil {
		return false, err
	}
	if err := p.Write(w.First, data, leaves); err != nil {
		return false, err
	}
	return d.plan.Stored(peer.ID, w), nil
}

// Dropped takes back wants that will not be answered.
func (d *Desk) Dropped(peer exchange.Peer, wants []exchange.Want, why exchange.Reason) {
	if why == exchange.Corrupt {
		d.spoiled(peer)
	}
	d.plan.Dropped(peer, wants, why)
}

// spoiled notes that a peer served bytes that are not what they are said to be.
func (d *Desk) spoiled(peer exchange.Peer) {
	d.log.Warn("a peer served bytes that do not verify; it is not asked for that blob again", slog.String("peer", peering.Text(peer.ID)))
	d.mu.Lock()
	defer d.mu.Unlock()
	if o := d.online[peer.ID]; o != nil {
		o.spoiled++
	}
}

// Unwanted gives what was asked of a peer and came from another.
func (d *Desk) Unwanted(peer exchange.Peer) []exchange.Want { return d.plan.Unwanted(peer.ID) }

// Serve reads a range of a blob that was granted to a case of the peer's.
func (d *Desk) Serve(peer exchange.Peer, w exchange.Want, buf []byte) ([]byte, [][32]byte, error) {
	if !d.mayHave(peer, w.Blob) {
		return nil, nil, exchange.ErrNotAllowed
	}
	f, err := d.blobs.Open(w.Blob)
	if errors.Is(err, blobs.ErrAbsent) {
		return nil, nil, exchange.ErrAbsent
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if uint64(f.Size()) != w.Length {
		return nil, nil, exchange.ErrAbsent
	}
	if w.First < 0 || w.N < 1 || w.First+w.N > blob.LeafCount(w.Length) {
		return nil, nil, exchange.ErrAbsent
	}
	return f.ReadRange(w.First, w.N, buf)
}

// mayHave reports whether a blob was granted to a case of the peer's by the one whose blob it is.
// Anybody can grant anything to a case of their own, also what they only know the name of: else a
// contact could fetch from us, through a case with us, the images of a case they are not in.
func (d *Desk) mayHave(peer exchange.Peer, id blob.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	owner, ok := d.blobOwner(id)
	if !ok {
		return false
	}
	for _, c := range d.grants[id] {
		if t := d.threads[c.thread]; c.by == owner && t != nil && d.member(t, peer.Devices) {
			return true
		}
	}
	return false
}

// blobOwner says whose blob it is: whoever of this node imported or granted it, else the only one
// who granted it. Keys of blobs are random for each study, so two honest people never grant the
// same blob; where two did, only their own nodes give it.
func (d *Desk) blobOwner(id blob.ID) (identity.PersonID, bool) {
	if p, ok := d.studies.own[id]; ok {
		return p, true
	}
	var owner identity.PersonID
	for i, c := range d.grants[id] {
		if d.personOf(c.by) != nil {
			return c.by, true
		}
		if i > 0 && c.by != owner {
			return owner, false
		}
		owner = c.by
	}
	return owner, len(d.grants[id]) > 0
}

// Haves says which blobs of a case's studies are here, so that other members may fetch them.
func (d *Desk) Haves(_ exchange.Peer, id ledger.ThreadID) []exchange.Have {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.threads[id]; t != nil {
		return d.haves(t)
	}
	return nil
}

func (d *Desk) haves(t *thread) []exchange.Have {
	var out []exchange.Have
	for _, g := range t.fold().Grants {
		if bits := d.granted[g.Manifest.ID]; bits != nil {
			out = append(out, exchange.Have{Manifest: g.Manifest.ID, Bitmap: bits})
		} else if h := d.studies.held[holdingKey{g.Lineage, g.Author}]; h != nil && h.row == nil && h.manifestID == g.Manifest.ID {
			out = append(out, exchange.Have{Manifest: g.Manifest.ID, Bitmap: h.bitmap(d.blobs.Has)})
		}
	}
	return out
}

// allListed is the have of who holds all that a manifest lists, as who granted it does.
func allListed(list []listedBlob) []byte {
	last := 0
	for _, l := range list {
		last = max(last, l.bit)
	}
	bits := make([]byte, last/8+1)
	for _, l := range list {
		bits[l.bit/8] |= 0x80 >> (l.bit % 8)
	}
	return bits
}

// PeerHas hears that a peer has blobs now that it may not have had before.
func (d *Desk) PeerHas(peer exchange.Peer, id ledger.ThreadID, h exchange.Have) {
	d.peerHasStudy(peer, id, h)
	d.plan.Heard(peer, h, d.now())
}
