package desk

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

const (
	// bundleFileMax is the longest file of a bundle unless another length is said: FAT32 takes 4 GiB less a byte.
	bundleFileMax = 4<<30 - 1<<20
	// bundleRange is how many leaves a range in a bundle has: 1 MiB, as on streams.
	bundleRange = 16
	// frameRoom is what a frame, and an item within one, take beside their bytes, at most.
	frameRoom = 64
)

// bundlePlan is what a bundle will hold.
type bundlePlan struct {
	p       *person
	to      []identity.PersonID
	devices []exchange.Recipient
	records [][]byte
	cases   []bundleCase
	blobs   []bundleBlob // manifests first, then previews and heads, then bulk in reading order
	first   int          // of them, how many are manifests
	warn    []string
}

type bundleCase struct {
	id    ledger.ThreadID
	rows  []ledger.Row
	items [][]byte
	haves []exchange.Have
}

type bundleBlob struct {
	id     blob.ID
	length uint64
}

// BundleWrite records what recipients lack of the cases shared with them into files.
func (d *Desk) BundleWrite(ctx context.Context, req control.BundleWriteRequest, emit func(control.BundleEvent) error) error {
	if !filepath.IsAbs(req.Out) {
		return control.Errorf(control.Usage, "paths must be absolute here")
	}
	plan, err := hold(d, func() (*bundlePlan, error) { return d.planBundle(ctx, req) })
	if err != nil {
		return err
	}
	parts, err := plan.split(uint64(req.Split))
	if err != nil {
		return err
	}
	for _, c := range plan.cases {
		if err := d.recordBefore(plan.p, actionSend, "case", c.id[:]); err != nil {
			return err
		}
	}
	w := bundleWriting{d: d, plan: plan, parts: parts, emit: emit}
	res, err := w.run(ctx, req.Out)
	if err != nil {
		return err
	}
	return emit(control.BundleEvent{Phase: "writing", Done: w.done, Total: w.total, Result: res})
}

// planBundle finds recipients, cases, and what they lack. The lock is held.
func (d *Desk) planBundle(ctx context.Context, req control.BundleWriteRequest) (*bundlePlan, error) {
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	plan := &bundlePlan{p: p}
	if len(req.To) == 0 {
		return nil, control.Errorf(control.Usage, "a bundle is for somebody: --to is missing")
	}
	if err := d.bundleRecipients(plan, req.To); err != nil {
		return nil, err
	}
	threads, err := d.bundleCases(plan, req.Cases)
	if err != nil {
		return nil, err
	}
	plan.records = d.bundleRecords(p, threads)
	later := [2][]bundleBlob{}
	seen := map[blob.ID]bool{}
	for _, t := range threads {
		c := bundleCase{id: t.ledger.ID(), rows: t.ledger.Rows()}
		for _, it := range plan.lacking(t, req.All) {
			c.items = append(c.items, it.Sealed)
		}
		if !req.NoStudies {
			c.haves = d.bundleStudies(plan, t, req.All, seen, &later)
		}
		plan.cases = append(plan.cases, c)
	}
	plan.first = len(plan.blobs)
	plan.blobs = append(append(plan.blobs, later[0]...), later[1]...)
	return plan, nil
}

func (d *Desk) bundleRecipients(plan *bundlePlan, to []string) error {
	var err error
	if plan.to, err = d.recipients(plan.p, to); err != nil {
		return err
	}
	for _, id := range plan.to {
		prof := d.profiles[id]
		if o := d.personOf(id); o != nil {
			prof = o.profile
		}
		for dev, card := range prof.Cards {
			if cert := prof.Devices[dev]; cert != nil && cert.Revoked == 0 {
				plan.devices = append(plan.devices, exchange.Recipient{Device: dev, KEM: card.KEM})
			}
		}
	}
	slices.SortFunc(plan.devices, func(a, b exchange.Recipient) int { return slices.Compare(a.Device[:], b.Device[:]) })
	return nil
}

// bundleCases finds the cases. All recipients must be in each: who is not must not even learn that there is one.
func (d *Desk) bundleCases(plan *bundlePlan, said []string) ([]*thread, error) {
	var out []*thread
	if len(said) > 0 {
		for _, s := range said {
			t, err := d.findCase(plan.p, s)
			if err != nil {
				return nil, err
			}
			if !plan.in(t, plan.p.id) {
				return nil, control.Errorf(control.Refused, "you are not a member of this case any more")
			}
			for _, id := range plan.to {
				if !plan.in(t, id) {
					return nil, control.Errorf(control.Refused, "a recipient is not a member of case %s", t.ledger.ID().String()[:shortID]).
						WithHint("write a bundle for the members, or invite them: curbside case invite")
				}
			}
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
		return out, nil
	}
	left := 0
	for _, t := range d.threads {
		if t.stranger || t.broken || !plan.in(t, plan.p.id) {
			continue
		}
		n := 0
		for _, id := range plan.to {
			if plan.in(t, id) {
				n++
			}
		}
		switch {
		case n == len(plan.to):
			out = append(out, t)
		case n > 0:
			left++
		}
	}
	if left > 0 {
		plan.warn = append(plan.warn, fmt.Sprintf("cases left out, as not every recipient is a member: %d; write a bundle for each recipient", left))
	}
	if len(out) == 0 {
		return nil, control.Errorf(control.Refused, "no case is shared with all of the recipients").WithHint("open one with: curbside request --to …; or write a bundle for each")
	}
	slices.SortFunc(out, func(a, b *thread) int {
		x, y := a.ledger.ID(), b.ledger.ID()
		return slices.Compare(x[:], y[:])
	})
	return out, nil
}

func (plan *bundlePlan) in(t *thread, id identity.PersonID) bool {
	return t.ledger.Members().Ranks[id] > ledger.RankNone
}

// bundleRecords are our records and those of the members, as a session greets with.
func (d *Desk) bundleRecords(p *person, threads []*thread) [][]byte {
	out := p.profile.Records()
	given := map[identity.PersonID]bool{p.id: true}
	for _, t := range threads {
		for id, rank := range t.ledger.Members().Ranks {
			prof := d.profiles[id]
			if o := d.personOf(id); o != nil {
				prof = o.profile
			}
			if rank > ledger.RankNone && prof != nil && !given[id] {
				given[id] = true
				out = append(out, prof.Records()...)
			}
		}
	}
	return out
}

// lacking is what any recipient is not known to have: not in the past of what they posted, nor
// named by their receipts.
func (plan *bundlePlan) lacking(t *thread, all bool) []ledger.Item {
	items := t.ledger.Missing(nil)
	if all {
		return items
	}
	lack := map[ledger.EntryID]bool{}
	for _, id := range plan.to {
		for _, it := range t.ledger.Missing(knownOf(t, id)) {
			lack[it.Entry] = true
		}
	}
	return slices.DeleteFunc(items, func(it ledger.Item) bool { return !lack[it.Entry] })
}

// knownOf are rows that a person certainly holds: those of their own entries, with all these rest
// on, and what their receipts name.
func knownOf(t *thread, id identity.PersonID) []ledger.Row {
	s := t.fold()
	var rows []ledger.Row
	for _, e := range t.ledger.Entries() {
		holds := e.Person == id
		for dev, reach := range s.Delivered {
			cert := t.ledger.Members().Certs[dev]
			holds = holds || cert != nil && cert.Person == id && e.Chain == ledger.Content && reach[e.Device] == e.Seq
		}
		if holds {
			rows = append(rows, ledger.Row{Device: [16]byte(e.Device[:16]), Chain: e.Chain, Seq: e.Seq, Entry: [8]byte(e.ID[:8])})
		}
	}
	return rows
}

// bundleStudies adds the blobs that the case's grants name, as far as they are here and a recipient
// may lack them.
func (d *Desk) bundleStudies(plan *bundlePlan, t *thread, all bool, seen map[blob.ID]bool, later *[2][]bundleBlob) []exchange.Have {
	for _, g := range t.fold().AllGrants {
		if !all && !slices.ContainsFunc(plan.to, func(id identity.PersonID) bool { return !studyKnown(t, id, g) }) {
			continue
		}
		if !d.addBlob(&plan.blobs, seen, g.Manifest) {
			continue
		}
		m, err := d.readManifest(g)
		if err != nil {
			continue // what cannot be used here is of no use there
		}
		if m.Preview != nil {
			d.addBlob(&later[0], seen, *m.Preview)
		}
		for s := range m.Series {
			for i := range m.Series[s].Instances {
				in := &m.Series[s].Instances[i]
				d.addBlob(&later[0], seen, in.Head.Ref)
				if in.Bulk.Ref != nil {
					d.addBlob(&later[1], seen, *in.Bulk.Ref)
				}
			}
		}
	}
	return d.haves(t)
}

// addBlob reports whether a blob is here; it is listed once.
func (d *Desk) addBlob(to *[]bundleBlob, seen map[blob.ID]bool, ref blob.Ref) bool {
	if ref.Check() != nil || !d.blobs.Has(ref.ID) {
		return false
	}
	if !seen[ref.ID] {
		seen[ref.ID] = true
		*to = append(*to, bundleBlob{ref.ID, ref.SealedLen()})
	}
	return true
}

// studyKnown says whether a person certainly holds a study: they granted it, or signed a report that
// says they had every image the manifest lists.
func studyKnown(t *thread, id identity.PersonID, g consult.Grant) bool {
	if g.Author == id {
		return true
	}
	return slices.ContainsFunc(t.fold().Reports, func(r consult.Report) bool {
		return r.Author == id && slices.ContainsFunc(r.Images, func(n consult.ImageCount) bool {
			return n.Manifest == g.Manifest.ID && n.Seen >= g.Instances
		})
	})
}

// bundlePart is what goes into one file beside what goes into each: ranges of blobs.
type bundlePart struct {
	ranges []exchange.Want
	bytes  uint64
}

// split lays the blobs out over files of a length. Each file has the records, the entries and, where
// they are small, the manifests, so that it can be read alone and in any order.
func (plan *bundlePlan) split(length uint64) ([]bundlePart, error) {
	if length == 0 {
		length = bundleFileMax
	}
	preamble := plan.preamble()
	over := exchange.BundleOverhead(len(plan.devices), length)
	least := preamble + over + largestRange(plan.blobs)
	if length < least {
		return nil, control.Errorf(control.Refused, "a file of %d bytes is too short for this bundle", length).
			WithHint("it takes --split %d at least", least)
	}
	room := length - over - preamble
	var shared []exchange.Want // in every part
	rest := plan.blobs
	if first := costOf(plan.blobs[:plan.first]); first <= room/4 {
		shared, rest = rangesOf(plan.blobs[:plan.first]), plan.blobs[plan.first:]
		room -= first
	}
	parts := []bundlePart{{ranges: slices.Clone(shared)}}
	for _, w := range rangesOf(rest) {
		last := &parts[len(parts)-1]
		if last.bytes+exchange.RangeCost(w) > room {
			parts = append(parts, bundlePart{ranges: slices.Clone(shared)})
			last = &parts[len(parts)-1]
		}
		last.ranges = append(last.ranges, w)
		last.bytes += exchange.RangeCost(w)
	}
	return parts, nil
}

// preamble is what every file holds before blobs, at most.
func (plan *bundlePlan) preamble() uint64 {
	n := uint64(frameRoom)
	add := func(items [][]byte) {
		for _, b := range items {
			n += uint64(len(b) + frameRoom)
		}
	}
	add(plan.records)
	for _, c := range plan.cases {
		add(c.items)
		n += uint64(frameRoom * (len(c.rows) + 4))
		for _, h := range c.haves {
			n += uint64(len(h.Bitmap) + 2*frameRoom)
		}
	}
	return n
}

func rangesOf(list []bundleBlob) []exchange.Want {
	var out []exchange.Want
	for _, b := range list {
		for at, n := 0, blob.LeafCount(b.length); at < n; at += bundleRange {
			out = append(out, exchange.Want{Blob: b.id, Length: b.length, First: at, N: min(bundleRange, n-at)})
		}
	}
	return out
}

func costOf(list []bundleBlob) (n uint64) {
	for _, w := range rangesOf(list) {
		n += exchange.RangeCost(w)
	}
	return n
}

func largestRange(list []bundleBlob) (n uint64) {
	for _, w := range rangesOf(list) {
		n = max(n, exchange.RangeCost(w))
	}
	return n
}
