package desk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
)

// bundleWriting writes the files: all of them or none.
type bundleWriting struct {
	d     *Desk
	plan  *bundlePlan
	parts []bundlePart
	emit  func(control.BundleEvent) error
	done  int64
	total int64
	buf   []byte
}

func (w *bundleWriting) run(ctx context.Context, out string) (*control.BundleResult, error) {
	res := &control.BundleResult{Cases: len(w.plan.cases), Blobs: len(w.plan.blobs), Files: []string{}, Warnings: w.plan.warn}
	for _, c := range w.plan.cases {
		res.Entries += len(c.items)
	}
	for _, p := range w.parts {
		for _, r := range p.ranges {
			w.total += int64(r.Bytes())
		}
	}
	var set [16]byte
	_, _ = rand.Read(set[:]) // never fails since Go 1.24
	var written []string
	drop := func() {
		for _, f := range written {
			_ = os.Remove(f) // the error before says what is wrong
		}
	}
	for i := range w.parts {
		name, n, err := w.file(ctx, filepath.Dir(out), i, exchange.Part{Set: set, Number: uint64(i + 1), Of: uint64(len(w.parts))})
		if err != nil {
			drop()
			return nil, bundleError(ctx, err)
		}
		written = append(written, name)
		res.Bytes += n
	}
	for i, name := range written {
		to := partName(out, i, len(written))
		if err := os.Rename(name, to); err != nil {
			drop()
			return nil, control.Errorf(control.Refused, "cannot write: %s", ioDetail(err))
		}
		res.Files = append(res.Files, to)
	}
	return res, nil
}

// partName is where a part goes: F, or F.1, F.2, ….
func partName(out string, i, of int) string {
	if of == 1 {
		return out
	}
	return fmt.Sprintf("%s.%d", out, i+1)
}

func bundleError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return control.Errorf(control.Refused, "cancelled: nothing was written")
	case errors.Is(err, blob.ErrCorrupt):
		return control.Errorf(control.Refused, "a study is damaged on this disk").WithHint("see: curbside study verify")
	}
	if e, ok := errors.AsType[*control.Error](err); ok {
		return e
	}
	return control.Errorf(control.Refused, "cannot write: %s", ioDetail(err))
}

// file writes one part under a temporary name.
func (w *bundleWriting) file(ctx context.Context, dir string, i int, part exchange.Part) (name string, n int64, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", 0, err
	}
	f, err := os.CreateTemp(dir, ".curbside-*") // 0600
	if err != nil {
		return "", 0, err
	}
	if err = w.record(ctx, f, i, part); err == nil {
		err = f.Sync() // a stick is pulled out right after
	}
	if info, serr := f.Stat(); err == nil && serr == nil {
		n = info.Size()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name()) // the error before says what is wrong
		return "", 0, err
	}
	return f.Name(), n, nil
}

func (w *bundleWriting) record(ctx context.Context, f *os.File, i int, part exchange.Part) error {
	b, err := exchange.NewBundle(f, w.plan.devices)
	if err != nil {
		return err
	}
	if err := errors.Join(b.Part(part), b.Records(w.plan.records)); err != nil {
		return err
	}
	for _, c := range w.plan.cases {
		err := errors.Join(b.Rows(c.id, c.rows), b.Entries(c.id, c.items))
		for _, h := range c.haves {
			err = errors.Join(err, b.Have(c.id, h))
		}
		if err != nil {
			return err
		}
	}
	for _, r := range w.parts[i].ranges {
		if err := w.leaves(b, r); err != nil {
			return err
		}
		w.done += int64(r.Bytes())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := w.emit(control.BundleEvent{Phase: "writing", Done: w.done, Total: w.total}); err != nil {
			return err
		}
	}
	return b.Close()
}

func (w *bundleWriting) leaves(b *exchange.BundleWriter, r exchange.Want) error {
	f, err := w.d.blobs.Open(r.Blob)
	if err != nil {
		return err
	}
	defer f.Close()
	if w.buf == nil {
		w.buf = make([]byte, bundleRange*blob.LeafSize)
	}
	data, proof, err := f.ReadRange(r.First, r.N, w.buf)
	if err != nil {
		return err
	}
	return b.Range(r, data, proof)
}
