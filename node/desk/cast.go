package desk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/deid"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/blobs"
)

// What a person decided about an instance.
const (
	decidedRelease = 1
	decidedBlacken = 2
	decidedLeave   = 3
)

// casting makes the pseudonymous share of one study: it looks at every instance, rewrites its head,
// checks what came out, and seals it. Without a batch it only looks.
type casting struct {
	d       *Desk
	h       *holding
	m       *study.Manifest // of the original
	c       *deid.Case
	patient string // key of the patient
	hs, bs  wire.Secret
	choices map[string]choiceRow
	all     bool                              // everything risky or excluded is released
	before  map[string]study.ManifestInstance // rows of the version before, by surrogate
	batch   *blobs.Batch

	mu      sync.Mutex                        // guards all below
	rows    map[string]study.ManifestInstance // by original UID
	uids    map[string]string
	changes map[deid.Change]int
	removed map[string]*deid.LinkHead
	risky   []control.DeidRisky
	out     []control.DeidExcluded
	left    map[string]bool
	age     string
	face    bool
	used    map[string]bool // choices that were about something
}

func (d *Desk) newCasting(h *holding, m *study.Manifest, row *studyRow, c *deid.Case) *casting {
	return &casting{
		d: d, h: h, m: m, c: c, patient: row.Patient, bs: row.BS, choices: map[string]choiceRow{},
		rows: map[string]study.ManifestInstance{}, uids: map[string]string{}, changes: map[deid.Change]int{},
		removed: map[string]*deid.LinkHead{}, left: map[string]bool{}, used: map[string]bool{}, before: map[string]study.ManifestInstance{},
	}
}

// run looks at all instances.
func (x *casting) run(ctx context.Context) error {
	var rows []*study.ManifestInstance
	for i := range x.m.Series {
		for k := range x.m.Series[i].Instances {
			rows = append(rows, &x.m.Series[i].Instances[k])
		}
	}
	err := x.d.forEach(ctx, len(rows), func(i int) error { return x.instance(ctx, rows[i]) })
	place := map[string]int{}
	for i, r := range rows {
		place[r.UID] = i
	}
	slices.SortFunc(x.risky, func(a, b control.DeidRisky) int { return place[a.SOPUID] - place[b.SOPUID] })
	slices.SortFunc(x.out, func(a, b control.DeidExcluded) int { return place[a.SOPUID] - place[b.SOPUID] })
	return err
}

// opened is an instance as the share is made of it.
type opened struct {
	in      *study.Instance
	src     *deid.Source
	bulk    io.ReaderAt
	bulkLen int64
	fresh   []byte // a new bulk, where it is not the sealed one
	native  *deid.Native
	flags   uint64
}

func (x *casting) instance(ctx context.Context, row *study.ManifestInstance) error {
	surrogate := x.c.UID(row.UID)
	if was, ok := x.before[surrogate]; ok { // a version lists all that the one before did
		x.mu.Lock()
		defer x.mu.Unlock()
		x.rows[row.UID], x.uids[row.UID] = was, surrogate
		return nil
	}
	leave, err := x.d.frames.enter(ctx, row)
	if err != nil {
		return err
	}
	defer leave()
	o, done, err := x.open(row)
	if err != nil {
		return x.exclude(row.UID, deid.OutUncleaned+": "+cleanError(err), true)
	}
	defer done()
	c, goes, err := x.decide(ctx, row, o)
	if err != nil || !goes {
		return err
	}
	return x.make(row, o, c)
}

// open reads an instance; a deflated one is inflated, hidden places of its bulk are cleaned.
func (x *casting) open(row *study.ManifestInstance) (*opened, func(), error) {
	head, err := x.d.head(row)
	if err != nil {
		return nil, nil, err
	}
	done, off := func() {}, int64(row.Off)
	o := &opened{bulkLen: int64(row.BulkLen), bulk: bytesAt(nil)}
	if s, _ := study.SyntaxOf(row.TransferSyntax); s.Deflated {
		file, err := deid.Inflate(head)
		if err != nil {
			return nil, nil, err
		}
		in, err := study.Parse(file)
		if err != nil {
			return nil, nil, err
		}
		head, o.fresh = study.Split(file, in)
		o.bulk, o.bulkLen, off = bytesAt(o.fresh), int64(len(o.fresh)), in.Off
	} else if row.Bulk.Ref != nil {
		f, err := x.d.blobs.Open(row.Bulk.Ref.ID)
		if err != nil {
			return nil, nil, err
		}
		done = func() { _ = f.Close() }
		if o.bulk, err = openBulk(row, f); err != nil {
			done()
			return nil, nil, err
		}
	}
	if err := x.parse(o, head, off); err != nil {
		done()
		return nil, nil, err
	}
	return o, done, nil
}

// parse describes an instance and cleans its bulk.
func (x *casting) parse(o *opened, head []byte, off int64) error {
	for range 2 { // again after cleaning
		var err error
		if o.in, err = study.ParseJoined(head, off, o.bulk, o.bulkLen); err != nil {
			return err
		}
		if o.src, err = deid.Open(head, off, o.bulk, o.bulkLen); err != nil {
			return err
		}
		cleaned, err := deid.CleanBulk(o.in, o.src.Outline, o.bulk)
		if err != nil {
			return err
		}
		if cleaned == nil {
			return nil
		}
		o.fresh, o.bulk, o.bulkLen = cleaned.Bulk, bytesAt(cleaned.Bulk), int64(len(cleaned.Bulk))
		o.flags |= study.FlagRedacted
		if cleaned.Rebuilt {
			o.native = &deid.Native{Moved: true}
		}
	}
	return deid.ErrHidden
}

// decide asks what a person said where a person must look; goes is false where the instance stays.
func (x *casting) decide(ctx context.Context, row *study.ManifestInstance, o *opened) (c deid.Case, goes bool, err error) {
	c = *x.c
	why, frame, excluded := deid.Excluded(o.in.SOPClass), 0, true
	if why == "" {
		excluded = false
		why, frame = x.risk(ctx, o)
	}
	choice, said := x.choice(row.UID)
	if said && choice.Decided == decidedLeave {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.left[row.UID] = true
		x.list(row.UID, why, frame, excluded)
		return c, false, nil
	}
	if why != "" {
		x.mu.Lock()
		x.list(row.UID, why, frame, excluded)
		if !said {
			x.left[row.UID] = true
		}
		x.mu.Unlock()
		if !said {
			return c, false, nil
		}
	}
	c.Options.Content = excluded
	if said && choice.Decided == decidedBlacken {
		bulk, native, err := deid.Blacken(o.in, o.bulk, choice.Rects)
		if err != nil {
			return c, false, control.Errorf(control.Refused, "image %s cannot be blackened: %v", row.UID, err).WithHint("leave it out with --leave-out, or choose another rectangle")
		}
		o.fresh, o.native, o.bulk, o.bulkLen = bulk, native, bytesAt(bulk), int64(len(bulk))
		o.flags |= study.FlagRedacted
	}
	return c, true, nil
}

func (x *casting) list(uid, why string, frame int, excluded bool) {
	switch {
	case why == "":
	case excluded:
		x.out = append(x.out, control.DeidExcluded{SOPUID: uid, Reason: why})
	default:
		x.risky = append(x.risky, control.DeidRisky{SOPUID: uid, Frame: frame, Reason: why})
	}
}

func (x *casting) choice(uid string) (choiceRow, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c, ok := x.choices[uid]
	if ok {
		x.used[uid] = true
	} else if x.all {
		return choiceRow{UID: uid, Decided: decidedRelease}, true
	}
	return c, ok
}

// exclude leaves an instance out that cannot go at all.
func (x *casting) exclude(uid, why string, never bool) error {
	choice, said := x.choice(uid)
	if said && choice.Decided == decidedRelease && !never {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.out = append(x.out, control.DeidExcluded{SOPUID: uid, Reason: why, Never: never})
	x.left[uid] = true
	return nil
}

// cleanError says why something cannot be cleaned, without a value of it.
func cleanError(err error) string {
	if no, ok := errors.AsType[*study.Refusal](err); ok {
		return no.Rule
	}
	for _, known := range []error{deid.ErrHidden, deid.ErrPixels, deid.ErrInflate, deid.ErrDeflated} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "it cannot be read"
}

// risk says why a person must look at an image, and where.
func (x *casting) risk(ctx context.Context, o *opened) (string, int) {
	if why := deid.Risk(o.in, o.src.Outline); why != "" || o.in.Pixel.Rows == 0 {
		return why, 0
	}
	if deid.Face(o.in) {
		x.mu.Lock()
		x.face = true
		x.mu.Unlock()
	}
	for k := range max(o.in.Pixel.Frames, 1) {
		if ctx.Err() != nil {
			return "", 0
		}
		b, err := o.in.ReadFrame(o.bulk, k)
		if err != nil {
			return deid.RiskUnread, k
		}
		n, err := codec.Decode(o.in.FrameDesc(k), b)
		if err != nil {
			return deid.RiskUnread, k
		}
		if deid.Glyphs(n) {
			return deid.RiskGlyphs, k
		}
	}
	return "", 0
}

// make rewrites the head, checks it, and seals what is new.
func (x *casting) make(row *study.ManifestInstance, o *opened, c deid.Case) error {
	head, err := c.Head(o.src, x.patient, o.native)
	if err != nil {
		return x.exclude(row.UID, deid.OutUncleaned+": "+cleanError(err), true)
	}
	again, err := deid.Open(head.Bytes, head.Off, o.bulk, o.bulkLen)
	if err != nil {
		return x.exclude(row.UID, deid.OutUncleaned+": "+cleanError(err), true)
	}
	if hit := deid.NeedlesOf(o.src, c.Options).Check(again); hit != nil {
		choice, said := x.choice(row.UID)
		if !hit.Common || !said || choice.Decided == decidedLeave {
			return x.exclude(row.UID, fmt.Sprintf("%s: %s (%s)", deid.OutUncleaned, hit.Rule, hit.Tag), !hit.Common)
		}
	}
	shared, err := x.seal(row, o, head, again)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.rows[row.UID], x.uids[row.UID] = shared, shared.UID
	maps.Copy(x.uids, head.UIDs)
	if x.age == "" {
		x.age = head.Age
	}
	for _, ch := range head.Changes {
		n := ch.Count
		ch.Count = 0
		x.changes[ch] += n
	}
	x.linkHead(row.UID, head.Removed)
	return nil
}

func (x *casting) linkHead(uid string, tags []study.Tag) {
	var b []byte
	list := make([]uint32, 0, len(tags))
	for _, t := range tags {
		list = append(list, uint32(t))
		b = append(b, byte(t>>24), byte(t>>16), byte(t>>8), byte(t))
	}
	l := x.removed[string(b)]
	if l == nil {
		l = &deid.LinkHead{Tags: list}
		x.removed[string(b)] = l
	}
	l.UIDs = append(l.UIDs, uid)
}

// seal gives the row of the share, and keeps its blobs. The bulk is the sealed one, unless it is new.
func (x *casting) seal(row *study.ManifestInstance, o *opened, head *deid.Head, src *deid.Source) (study.ManifestInstance, error) {
	in, err := study.ParseJoined(head.Bytes, head.Off, o.bulk, o.bulkLen)
	if err != nil {
		return study.ManifestInstance{}, control.Errorf(control.Internal, "a rewritten head cannot be read again: %v", err)
	}
	out := *row
	out.UID, out.SOPClass, out.TransferSyntax = in.SOPUID, in.SOPClass, in.TransferSyntax
	out.Flags = row.Flags&^study.FlagNotSplit | o.flags
	out.Off, out.BulkLen, out.FileSize = 0, uint64(o.bulkLen), uint64(len(head.Bytes))+uint64(o.bulkLen)
	if o.bulkLen > 0 {
		out.Off = uint64(head.Off)
	}
	if out.SHA256, err = sumJoined(head, o); err != nil {
		return out, internal("read the image", err)
	}
	if x.batch == nil {
		return out, nil
	}
	sealed, ref, leaves := seal.Blob(x.hs, seal.Head, head.Bytes)
	out.Head = study.HeadRef{Ref: ref}
	// What was checked is what is sealed: a reader opens these very bytes.
	if b, err := seal.OpenBlob(ref, seal.Head, sealed); err != nil || !bytes.Equal(b, head.Bytes) {
		return out, control.Errorf(control.Internal, "a sealed head did not open to itself: this machine's memory is not sound")
	}
	if err := x.put(ref, sealed, leaves); err != nil {
		return out, err
	}
	if o.fresh == nil {
		return out, nil
	}
	in.Off, in.BulkLen = head.Off, o.bulkLen
	stored, how := codec.Pack(o.fresh, in.Layout(), each(len(o.fresh)))
	sealed, ref, leaves = seal.Blob(x.bs, seal.Bulk, stored)
	out.Bulk, out.Codec = study.BulkRef{Ref: &ref}, uint64(how)
	if len(o.fresh) == 0 {
		out.Bulk, out.Codec = study.BulkRef{}, 0
		return out, nil
	}
	return out, x.put(ref, sealed, leaves)
}

func (x *casting) put(ref blob.Ref, sealed []byte, leaves [][32]byte) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.batch.Put(ref.ID, sealed, leaves); err != nil {
		return internal("keep blob", err)
	}
	return nil
}

// sumJoined hashes the file as it is shared.
func sumJoined(head *deid.Head, o *opened) (sum [32]byte, err error) {
	h := sha256.New()
	h.Write(head.Bytes[:head.Off])
	if o.bulkLen > 0 {
		if _, err := io.CopyBuffer(h, io.NewSectionReader(o.bulk, 0, o.bulkLen), make([]byte, 1<<20)); err != nil {
			return sum, err
		}
	}
	h.Write(head.Bytes[head.Off:])
	return [32]byte(h.Sum(nil)), nil
}

// undecided are the instances that a person must still decide about.
func (x *casting) undecided() []string {
	var out []string
	for _, r := range x.risky {
		if _, said := x.choices[r.SOPUID]; !said && !x.all {
			out = append(out, r.SOPUID)
		}
	}
	for _, e := range x.out {
		c, said := x.choices[e.SOPUID]
		if said && (c.Decided == decidedLeave || !e.Never) || x.all {
			continue
		}
		out = append(out, e.SOPUID)
	}
	return out
}

// manifest lists what is shared, in the order of the original.
func (x *casting) manifest() (study.Manifest, error) {
	m := x.c.Manifest(x.m, x.patient, x.age)
	m.Deid = &study.Deid{Options: x.c.Options.Codes(), Pixels: study.PixelsClean, Dates: x.c.Options.Dates()}
	var series []study.ManifestSeries
	for i := range x.m.Series {
		s := m.Series[i]
		for k := range x.m.Series[i].Instances {
			if row, ok := x.rows[x.m.Series[i].Instances[k].UID]; ok {
				s.Instances = append(s.Instances, row)
				if row.Flags&study.FlagRedacted != 0 {
					m.Deid.Pixels = study.PixelsRedacted
				}
			}
		}
		if len(s.Instances) == 0 {
			continue
		}
		s.Complete = lacking(x.m.Series[i].Complete, len(s.Instances))
		series = append(series, s)
	}
	if len(series) == 0 {
		why := ""
		for _, e := range x.out {
			if e.Never {
				why = ": " + e.Reason
				break
			}
		}
		return m, control.Errorf(control.Refused, "nothing of the study is left to send%s", why)
	}
	m.Series = series
	n := 0
	for i := range series {
		n += len(series[i].Instances)
	}
	m.Complete = lacking(x.m.Complete, n)
	if len(series) < len(x.m.Series) {
		m.Complete.ExpectedSeries = uint64(len(x.m.Series))
	}
	return m, nil
}

// lacking counts what is left out as expected and missing (protocol/README.md §3.6).
func lacking(c study.Complete, listed int) study.Complete {
	was := c.Listed
	c.Listed = uint64(listed)
	if c.Listed == was {
		return c
	}
	c.Expected = max(c.Expected, was)
	if c.Basis == study.BasisNone {
		c.Basis = study.BasisPerson
	}
	if c.State == study.StateComplete {
		c.State = study.StateClosedIncomplete
	}
	return c
}
