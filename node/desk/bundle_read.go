package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// bundleFilesMax bounds the files of one reading.
const bundleFilesMax = 1024

// bundleReading is one reading of files at work.
type bundleReading struct {
	d       *Desk
	files   []*bundleFile
	emit    func(control.BundleEvent) error
	done    int64
	total   int64
	res     control.BundleResult
	threads map[[16]byte]ledger.ThreadID
	touched map[ledger.ThreadID]bool
	whole   []blob.ID
}

type bundleFile struct {
	name   string // as the user said it, without folders
	f      *os.File
	bundle *exchange.Bundle
}

// BundleRead takes in what is new in bundles. Every file is checked whole before anything of any is
// taken; then each entry and range goes through what a peer's would.
func (d *Desk) BundleRead(ctx context.Context, req control.BundleReadRequest, emit func(control.BundleEvent) error) error {
	p, err := hold(d, func() (*person, error) { return d.acting(ctx) })
	if err != nil {
		return err
	}
	if len(req.Files) == 0 || len(req.Files) > bundleFilesMax {
		return control.Errorf(control.Usage, "name the files of the bundle, at most %d", bundleFilesMax)
	}
	r := &bundleReading{d: d, emit: emit, touched: map[ledger.ThreadID]bool{}}
	defer r.close()
	if err := r.open(req.Files); err != nil {
		return err
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	if err := r.complete(req.Partial); err != nil {
		return err
	}
	if err := r.take(ctx); err != nil {
		return err
	}
	for id := range r.touched {
		d.record(p, actionReceive, "case", id[:])
	}
	return emit(control.BundleEvent{Phase: "taking", Done: r.done, Total: r.total, Result: &r.res})
}

func (r *bundleReading) close() {
	for _, f := range r.files {
		_ = f.f.Close() // only read from
	}
}

func (r *bundleReading) open(paths []string) error {
	keys, _ := hold(r.d, func() ([]exchange.BundleKey, error) { return r.d.bundleKeys(), nil })
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			return control.Errorf(control.Usage, "paths must be absolute here")
		}
		f, err := os.Open(path)
		if err != nil {
			return control.Errorf(control.Refused, "%s: %s", filepath.Base(path), ioDetail(err))
		}
		file := &bundleFile{name: filepath.Base(path), f: f}
		r.files = append(r.files, file)
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = fs.ErrInvalid
		}
		if err != nil {
			return control.Errorf(control.Refused, "%s is no file that can be read", file.name)
		}
		if file.bundle, err = exchange.OpenBundle(f, info.Size(), keys); err != nil {
			return file.fault(err)
		}
		r.total += 2 * file.bundle.Size()
	}
	return nil
}

// bundleKeys are the KEM keys of the persons here, the newest first.
func (d *Desk) bundleKeys() []exchange.BundleKey {
	var out []exchange.BundleKey
	for _, p := range d.persons {
		for _, k := range p.kems {
			out = append(out, exchange.BundleKey{Device: p.device.ID(), KEM: k})
		}
	}
	return out
}

// fault says in a line what is wrong with a file.
func (f *bundleFile) fault(err error) error {
	switch {
	case errors.Is(err, exchange.ErrNoBundle):
		return control.Errorf(control.Refused, "%s is no bundle", f.name).
			WithHint("studies are taken in by: curbside import; a Join or an Accept by: curbside contact add")
	case errors.Is(err, exchange.ErrNotForUs):
		return control.Errorf(control.Refused, "%s is for somebody else: no key here opens it", f.name).
			WithHint("ask for one that is written --to you, with the card you have now")
	case errors.Is(err, exchange.ErrDamaged):
		return control.Errorf(control.Refused, "%s is damaged or cut; nothing of it was taken", f.name).
			WithHint("copy it again, or ask for a new one")
	case errors.Is(err, context.Canceled):
		return err
	}
	return control.Errorf(control.Refused, "%s cannot be read: %s", f.name, ioDetail(err))
}

// check reads every file whole.
func (r *bundleReading) check(ctx context.Context) error {
	for _, f := range r.files {
		before := r.done
		if err := f.bundle.Check(ctx, r.progress("checking", before)); err != nil {
			if ctx.Err() != nil {
				return control.Errorf(control.Refused, "cancelled: nothing was taken")
			}
			return f.fault(err)
		}
		r.done = before + f.bundle.Size()
	}
	// Parts in their order: the first one may alone have what the others rest on.
	slices.SortStableFunc(r.files, func(a, b *bundleFile) int {
		x, y := a.bundle.Part, b.bundle.Part
		return cmp.Or(slices.Compare(x.Set[:], y.Set[:]), cmp.Compare(x.Number, y.Number))
	})
	return nil
}

func (r *bundleReading) progress(phase string, before int64) func(int64) {
	return func(done int64) {
		_ = r.emit(control.BundleEvent{Phase: phase, Done: before + done, Total: r.total}) // who is gone is noticed by ctx
	}
}

// complete refuses a writing of which parts are missing, or says so.
func (r *bundleReading) complete(partial bool) error {
	have := map[[16]byte]map[uint64]bool{}
	of := map[[16]byte]*bundleFile{}
	for _, f := range r.files {
		p := f.bundle.Part
		if have[p.Set] == nil {
			have[p.Set], of[p.Set] = map[uint64]bool{}, f
		}
		if first := of[p.Set].bundle.Part; first.Of != p.Of {
			return control.Errorf(control.Refused, "%s and %s are not of one bundle", of[p.Set].name, f.name)
		}
		have[p.Set][p.Number] = true
	}
	for set, numbers := range have {
		var missing []string
		total := of[set].bundle.Part.Of
		for n := uint64(1); n <= total; n++ {
			if !numbers[n] {
				missing = append(missing, fmt.Sprint(n))
			}
		}
		if len(missing) == 0 {
			continue
		}
		said := fmt.Sprintf("part %s of %d", strings.Join(missing, ", "), total)
		if !partial {
			return control.Errorf(control.Refused, "%s is missing", said).
				WithHint("name all parts in one command; or add --partial to take these now and the others from the next stick, in any order")
		}
		r.res.Warnings = append(r.res.Warnings, said+" is still to be read, if it was not yet")
	}
	return nil
}

// take goes through the files again and keeps what is new.
func (r *bundleReading) take(ctx context.Context) error {
	r.threads = map[[16]byte]ledger.ThreadID{}
	r.d.mu.Lock()
	for id := range r.d.threads {
		r.threads[exchange.BundleTag(id)] = id
	}
	r.d.mu.Unlock()
	for _, f := range r.files {
		before := r.done
		err := f.bundle.Take(ctx, exchange.BundleTaker{
			Records: r.records, Entries: r.entries, Range: r.leaves, Progress: r.progress("taking", before),
		})
		if err != nil {
			if ctx.Err() != nil {
				err = control.Errorf(control.Refused, "cancelled: what was taken by then is kept").WithHint("read it again to go on")
			} else if errors.Is(err, exchange.ErrDamaged) {
				err = f.fault(err)
			}
			return errors.Join(r.settle(), err)
		}
		r.done = before + f.bundle.Size()
	}
	r.res.Files = []string{}
	for _, f := range r.files {
		r.res.Files = append(r.res.Files, f.name)
	}
	return r.settle()
}

// bundlePeer is who a bundle comes from: nobody who has proven anything.
var bundlePeer = exchange.Peer{}

// records learns cards. Those of people whom only the entries make members wait for these.
func (r *bundleReading) records(records [][]byte) error {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	r.d.learn(records, true)
	return nil
}

func (r *bundleReading) entries(tag [16]byte, items [][]byte) error {
	var known *ledger.ThreadID
	if id, ok := r.threads[tag]; ok {
		known = &id
	}
	got := r.d.Receive(bundlePeer, known, items)
	if !got.Known || exchange.BundleTag(got.Thread) != tag {
		return nil // of a case that nobody here is in, or that is not to be had from a stranger
	}
	r.threads[tag] = got.Thread
	if !r.touched[got.Thread] {
		r.touched[got.Thread] = true
		r.res.Cases++
	}
	r.res.Entries += len(got.Rows)
	return nil
}

// leaves keeps a range that is wanted: whatever a case here was granted and is not here.
func (r *bundleReading) leaves(w exchange.Want, data []byte, hashes [][32]byte) error {
	var lacks bool
	if w.Priority, lacks = r.d.plan.Lacks(w); !lacks {
		return nil
	}
	whole, err := r.d.keepRange(bundlePeer, w, data, hashes)
	if err != nil {
		return err
	}
	r.res.Bytes += int64(len(data))
	if !whole {
		return nil
	}
	r.res.Blobs++
	if w.Priority > priorityManifest {
		r.whole = append(r.whole, w.Blob)
		return nil
	}
	// A manifest says what of the rest is wanted.
	if err := r.d.blobs.Flush(); err != nil {
		return err
	}
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	r.d.arrived(w.Blob)
	return nil
}

// settle makes what was taken durable, and does what a node does with what arrived.
func (r *bundleReading) settle() error {
	if err := r.d.blobs.Flush(); err != nil {
		return control.Errorf(control.Refused, "the disk does not keep what was taken: %s", ioDetail(err))
	}
	d := r.d
	d.mu.Lock()
	for _, id := range r.whole {
		d.arrived(id)
	}
	strange := 0
	for id := range r.touched {
		t := d.threads[id]
		if t == nil {
			continue
		}
		if t.stranger {
			strange++
		}
		if n := t.ledger.Need(); n != nil && len(n.Entries)+len(n.Chains) > 0 {
			r.res.Warnings = append(r.res.Warnings, "entries of case "+id.String()[:shortID]+" wait for others that are not here: ask for a bundle written with --all")
		}
		d.tell(func(n Network) { n.Changed(id) })
	}
	d.mu.Unlock()
	if strange > 0 {
		r.res.Warnings = append(r.res.Warnings, fmt.Sprintf("cases from nobody you know: %d; they wait apart, and no image of them was taken", strange))
	}
	d.postReceipts(r.touched)
	return nil
}
