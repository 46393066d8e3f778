package desk

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/seal"
)

var (
	errNotHere = errors.New("not here yet")
	errDiffers = errors.New("does not give the file back")
)

// open returns the content of a sealed blob that is here.
func (d *Desk) openBlob(ref blob.Ref, kind seal.Kind) ([]byte, error) {
	sealed, err := d.blobs.Read(ref.ID, ref.SealedLen())
	if err != nil {
		return nil, err
	}
	return seal.OpenBlob(ref, kind, sealed)
}

// head opens the head of an instance.
func (d *Desk) head(row *study.ManifestInstance) ([]byte, error) {
	if row.Head.Pack {
		return nil, errors.New("head packs are not read by this version")
	}
	return d.openBlob(row.Head.Ref, seal.Head)
}

// rebuild gives the file of an instance back and proves by its hash that it is the very file.
func (d *Desk) rebuild(row *study.ManifestInstance) ([]byte, error) {
	for _, id := range blobsOf(row) {
		if !d.blobs.Has(id) {
			return nil, errNotHere
		}
	}
	head, err := d.head(row)
	if err != nil {
		return nil, fmt.Errorf("open head: %w", err)
	}
	var bulk []byte
	if row.Bulk.Ref != nil {
		stored, err := d.openBlob(*row.Bulk.Ref, seal.Bulk)
		if err != nil {
			return nil, fmt.Errorf("open bulk: %w", err)
		}
		if bulk, err = codec.Unpack(byte(row.Codec), stored, row.BulkLen, nil); err != nil {
			return nil, fmt.Errorf("unpack bulk: %w", err)
		}
	}
	file := head
	if row.Bulk.Ref != nil {
		if file, err = study.Join(head, bulk, int64(row.Off)); err != nil {
			return nil, err
		}
	}
	if sha256.Sum256(file) != row.SHA256 {
		return nil, errDiffers
	}
	return file, nil
}

// StudyExport writes the files of a study, byte for byte as they were imported or shared.
func (d *Desk) StudyExport(ctx context.Context, req control.StudyExportRequest) (control.StudyExported, error) {
	var out control.StudyExported
	if !filepath.IsAbs(req.Out) {
		return out, control.Errorf(control.Usage, "the folder must be an absolute path here")
	}
	rows, names, p, h, err := d.exportRows(ctx, req.Study)
	if err != nil {
		return out, err
	}
	if _, err := hold(d, func() (struct{}, error) { return struct{}{}, d.quarantined(h) }); err != nil {
		return out, err
	}
	if err := os.MkdirAll(req.Out, 0o700); err != nil {
		return out, control.Errorf(control.Refused, "the folder cannot be made: %s", ioDetail(err))
	}
	if err := d.recordBefore(p, actionExport, "study", h.key.lineage[:]); err != nil {
		return out, err
	}
	var mu sync.Mutex
	err = d.forEach(ctx, len(rows), func(i int) error {
		file, err := d.rebuild(&rows[i])
		if errors.Is(err, errNotHere) {
			mu.Lock()
			out.Missing++
			mu.Unlock()
			return nil
		}
		if err != nil {
			return control.Errorf(control.Refused, "instance %s is damaged: %v", rows[i].UID, err).WithHint("see: curbside study verify")
		}
		if err := replaceFile(filepath.Join(req.Out, names[i]), file); err != nil {
			return control.Errorf(control.Refused, "cannot write: %s", ioDetail(err))
		}
		mu.Lock()
		out.Files++
		out.Bytes += int64(len(file))
		mu.Unlock()
		return nil
	})
	return out, err
}

// replaceFile writes a file whole or not at all. It does not wait for the disk: what is exported
// can be exported again.
func replaceFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".curbside-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error before says what is wrong
	}
	return err
}

func (d *Desk) exportRows(ctx context.Context, said string) (rows []study.ManifestInstance, names []string, p *person, h *holding, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p, err = d.acting(ctx); err != nil {
		return nil, nil, nil, nil, err
	}
	if h, err = d.findStudy(p, said); err != nil {
		return nil, nil, nil, nil, err
	}
	for _, s := range h.manifest.Series {
		for i := range s.Instances {
			rows = append(rows, s.Instances[i])
			names = append(names, s.Instances[i].UID+".dcm")
		}
	}
	if h.row != nil {
		n := map[string]int{}
		for _, c := range h.row.Conflicts {
			n[c.UID]++
			rows = append(rows, c)
			names = append(names, fmt.Sprintf("%s.conflict-%d.dcm", c.UID, n[c.UID]))
		}
	}
	return rows, names, p, h, nil
}

// forEach runs f for 0 to n-1 on all cores and returns the first error.
func (d *Desk) forEach(ctx context.Context, n int, f func(i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					cancel(err)
				}
			}
		})
	}
feed:
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// StudyVerify reads every byte of one study, or all, and checks it.
func (d *Desk) StudyVerify(ctx context.Context, req control.StudyVerifyRequest) (control.StudyVerified, error) {
	out := control.StudyVerified{Damaged: []control.DamagedInstance{}}
	items, err := hold(d, func() ([]heldInstance, error) { return d.heldInstances(ctx, req.Study) })
	if err != nil {
		return out, err
	}
	var mu sync.Mutex
	err = d.forEach(ctx, len(items), func(i int) error {
		file, err := d.rebuild(&items[i].row)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case errors.Is(err, errNotHere):
			// Not damaged: still on its way.
		case err != nil:
			out.Damaged = append(out.Damaged, control.DamagedInstance{Study: items[i].study, SOPUID: items[i].row.UID, Reason: err.Error()})
		default:
			out.CheckedInstances++
			out.CheckedBytes += int64(len(file))
		}
		return nil
	})
	return out, err
}

func (d *Desk) chosen(p *person, said string) ([]*holding, error) {
	if said != "" {
		h, err := d.findStudy(p, said)
		if err != nil {
			return nil, err
		}
		return []*holding{h}, nil
	}
	var out []*holding
	for _, h := range d.studies.held {
		if d.visible(p, h) {
			out = append(out, h)
		}
	}
	return out, nil
}

// heldInstance is one instance with its study's id.
type heldInstance struct {
	row   study.ManifestInstance
	study string
}

// heldInstances lists the instances of one study, or of all, with those kept apart.
func (d *Desk) heldInstances(ctx context.Context, said string) ([]heldInstance, error) {
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	hs, err := d.chosen(p, said)
	if err != nil {
		return nil, err
	}
	var out []heldInstance
	for _, h := range hs {
		for _, s := range h.manifest.Series {
			for i := range s.Instances {
				out = append(out, heldInstance{s.Instances[i], h.id()})
			}
		}
		if h.row != nil {
			for _, c := range h.row.Conflicts {
				out = append(out, heldInstance{c, h.id()})
			}
		}
	}
	return out, nil
}
