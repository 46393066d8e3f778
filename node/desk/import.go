package desk

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/digitize"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/blobs"
)

const (
	// memoryMax bounds the file bytes that are in work at one time. An instance costs about four
	// times its size on the way: file, packed, sealed, rebuilt.
	memoryMax = 96 << 20
	// A batch becomes durable and visible together.
	batchFilesMax = 512
	batchBytesMax = 256 << 20
	progressEvery = 100 * time.Millisecond

	metaMax      = 64 << 10 // File Meta Information is within the first 64 KiB
	guardedSize  = 4 << 20  // a larger file is guarded before it is read, a smaller one when it is parsed
	directoryMax = 64 << 20
)

// sealedFile is an instance that was packed, sealed, opened again and found to be the same.
type sealedFile struct {
	src  source
	in   *study.Instance
	row  study.ManifestInstance
	h    *holding
	same bool   // was held already, byte for byte; nothing was sealed
	as   string // new, duplicate or conflict: what became of it, once its batch is committed
}

// outcome is what a worker made of a file.
type outcome struct {
	path   string
	size   int64
	sealed *sealedFile
	made   []*sealedFile // of a picture, instead of sealed
	listed []string      // file ids of a DICOMDIR
	read   bool
	reason string // refused
	detail string
	err    error // the import cannot go on
}

// importRun is one import at work.
type importRun struct {
	buffers sync.Pool // of *[]byte: whole files, and what they are rebuilt to
	d       *Desk
	p       *person
	weight  *semaphore.Weighted
	files   chan source
	done    chan outcome
	putting sync.RWMutex // held for reading while a worker adds to the batch, for writing to end it
	batch   *blobs.Batch
	mu      sync.Mutex // guards the rest
	events  control.ImportEvent
	drafts  map[string]*holding // studies that this run met, by study key
	origin  uint64              // of the studies that it begins
	capture *capturing          // what is said of pictures; nil where these are refused
}

// Import takes files, folders, zip archives and media in. What is reported as done is durable.
func (d *Desk) Import(ctx context.Context, req control.ImportRequest, emit func(control.ImportEvent) error) error {
	return d.importFor(ctx, d.acting, req, emit)
}

// ImportWatched takes in what lies in a watched folder, for the person who gets what the hospital
// sends, and says what was refused.
func (d *Desk) ImportWatched(ctx context.Context, paths []string) ([]control.RefusedFile, error) {
	var refused []control.RefusedFile
	err := d.importFor(ctx, d.receiving, control.ImportRequest{Paths: paths}, func(e control.ImportEvent) error {
		if e.Result != nil {
			refused = e.Result.Refused
		}
		return nil
	})
	return refused, err
}

func (d *Desk) importFor(ctx context.Context, who func(context.Context) (*person, error), req control.ImportRequest, emit func(control.ImportEvent) error) error {
	d.importing.Lock()
	defer d.importing.Unlock()
	p, err := hold(d, func() (*person, error) { return who(ctx) })
	if err != nil {
		return err
	}
	if len(req.Paths) == 0 {
		return control.Errorf(control.Usage, "nothing to import was named")
	}
	for _, path := range req.Paths {
		if !filepath.IsAbs(path) {
			return control.Errorf(control.Usage, "paths must be absolute here")
		}
	}
	r := d.newImportRun(p, originImported)
	if r.capture, err = d.newCapturing(ctx, p, req.Capture); err != nil {
		return err
	}
	start := time.Now()
	res, err := r.run(ctx, req.Paths, emit)
	r.batch.Abort()
	if err != nil {
		return err
	}
	res.Seconds, res.Warnings = time.Since(start).Seconds(), r.capture.said()
	d.record(p, actionImport, "", nil)
	return emit(control.ImportEvent{
		Files: r.events.Files, Done: r.events.Done, Bytes: r.events.Bytes,
		BytesSeen: r.events.BytesSeen, TotalSeen: true, Result: res,
	})
}

func (d *Desk) newImportRun(p *person, origin uint64) *importRun {
	return &importRun{
		d: d, p: p, weight: semaphore.NewWeighted(memoryMax),
		files: make(chan source, 64), done: make(chan outcome, 64),
		drafts: map[string]*holding{}, batch: d.blobs.NewBatch(), origin: origin,
	}
}

func (r *importRun) run(ctx context.Context, paths []string, emit func(control.ImportEvent) error) (*control.ImportResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { r.find(ctx, paths) })
	workers := runtime.GOMAXPROCS(0)
	if r.capture != nil {
		workers = 1 // pictures are numbered as they were named, and decoded one at a time
	}
	for range workers {
		wg.Go(func() { r.work(ctx) })
	}
	go func() { wg.Wait(); close(r.done) }()
	res, err := r.collect(ctx, emit)
	if err != nil {
		cancel()
		for range r.done {
			continue // until the workers have ended
		}
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, control.Errorf(control.Refused, "import cancelled: what was finished is kept").WithHint("repeat it to go on")
	}
	return res, nil
}

func (r *importRun) find(ctx context.Context, paths []string) {
	defer close(r.files)
	refuse := func(path, reason, detail string) {
		select {
		case r.done <- outcome{path: path, reason: reason, detail: detail}:
		case <-ctx.Done():
		}
	}
	err := walk(ctx, paths, func(s source) error {
		r.mu.Lock()
		r.events.Files++
		r.events.BytesSeen += s.size
		r.mu.Unlock()
		select {
		case r.files <- s:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, refuse)
	if err != nil && ctx.Err() == nil {
		refuse(paths[0], study.Unreadable, ioDetail(err))
	}
	r.mu.Lock()
	r.events.TotalSeen = true
	r.mu.Unlock()
}

func (r *importRun) work(ctx context.Context) {
	for s := range r.files {
		w := min(max(s.size, 1), memoryMax)
		if r.weight.Acquire(ctx, w) != nil {
			return
		}
		out := r.take(s)
		r.weight.Release(w)
		select {
		case r.done <- out:
		case <-ctx.Done():
			return
		}
	}
}

// take guards, describes, packs and seals one file.
func (r *importRun) take(s source) outcome {
	out := outcome{path: s.path, size: s.size}
	refuse := func(reason, detail string) outcome {
		out.reason, out.detail = reason, detail
		return out
	}
	if s.size == 0 {
		return refuse(study.Empty, "the file is empty")
	}
	if s.size > fileMax {
		return refuse(study.OverLimit, "larger than 4 GiB")
	}
	f, err := s.open()
	if err != nil {
		return refuse(study.Unreadable, ioDetail(err))
	}
	defer f.Close()
	begin := make([]byte, min(s.size, metaMax))
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, s.size), begin); err != nil {
		return refuse(study.Unreadable, "changed or cut while it was read")
	}
	if format := digitize.Sniff(begin); format != "" {
		return r.digitize(s, f, format, out)
	}
	directory := study.IsDICOMDIR(begin)
	if directory && s.size > directoryMax {
		return refuse(study.OverLimit, "media directory larger than 64 MiB")
	}
	if !directory && s.size > guardedSize {
		// The guard reads headers only: what it refuses is never read whole.
		if _, err := study.Guard(f, s.size); err != nil {
			return refuse(refusalOf(err))
		}
	}
	file, done := r.borrow(s.size)
	defer done()
	n := copy(file, begin)
	if _, err := io.ReadFull(io.NewSectionReader(f, int64(n), s.size-int64(n)), file[n:]); err != nil {
		return refuse(study.Unreadable, "changed or cut while it was read")
	}
	if directory {
		ids, err := study.ReadDICOMDIR(file)
		if err != nil {
			return refuse(refusalOf(err))
		}
		out.read, out.listed = true, ids
		return out
	}
	in, err := study.Parse(file)
	if err != nil {
		return refuse(refusalOf(err))
	}
	if s.check != nil {
		if out.err = s.check(in); out.err != nil {
			return out
		}
	}
	out.sealed, out.err = r.seal(s, file, in)
	return out
}

// borrow gives a buffer and the way to give it back.
func (r *importRun) borrow(n int64) ([]byte, func()) {
	p, _ := r.buffers.Get().(*[]byte)
	if p == nil || int64(cap(*p)) < n {
		b := make([]byte, n)
		p = &b
	}
	return (*p)[:n], func() { r.buffers.Put(p) }
}

func refusalOf(err error) (reason, detail string) {
	if no, ok := errors.AsType[*study.Refusal](err); ok {
		return no.Reason, no.Rule
	}
	return study.Damaged, "cannot be read"
}

// seal packs and seals an instance and proves that what was sealed gives the file back.
func (r *importRun) seal(s source, file []byte, in *study.Instance) (*sealedFile, error) {
	out := &sealedFile{src: source{path: s.path, size: s.size}, in: in}
	out.h = r.home(in)
	if r.held(out) {
		out.same = true
		return out, nil
	}
	head, bulk := study.Split(file, in)
	stored, how := codec.Pack(bulk, in.Layout(), each(len(bulk)))
	out.row = rowOf(in, uint64(len(bulk)), how)
	if err := r.put(out, head, bulk, stored); err != nil {
		return nil, err
	}
	return out, nil
}

// put seals head and bulk, checks that they open to the very file, and adds them to the batch. A
// bulk that does not unpack to itself is stored as it is, and loudly reported.
func (r *importRun) put(out *sealedFile, head, bulk, stored []byte) error {
	in := out.in
	hs, bs := r.secrets(out.h)
	sealedHead, headRef, headLeaves := seal.Blob(hs, seal.Head, head)
	out.row.Head = study.HeadRef{Ref: headRef}
	var sealedBulk []byte
	var bulkLeaves [][32]byte
	if len(bulk) > 0 {
		var ref blob.Ref
		sealedBulk, ref, bulkLeaves = seal.Blob(bs, seal.Bulk, stored)
		out.row.Bulk = study.BulkRef{Ref: &ref}
	}
	if !r.opensTo(in, &out.row, sealedHead, sealedBulk) {
		if out.row.Codec == 0 {
			return control.Errorf(control.Internal, "a sealed instance did not open to itself: this machine's memory or disk is not sound")
		}
		r.d.log.Error("DEFECT: packing did not round-trip; stored unpacked", slog.String("syntax", in.TransferSyntax), slog.Uint64("codec", out.row.Codec))
		out.row.Codec = 0
		return r.put(out, head, bulk, bulk)
	}
	r.putting.RLock()
	defer r.putting.RUnlock()
	if err := r.batch.Put(headRef.ID, sealedHead, headLeaves); err != nil {
		return internal("keep blob", err)
	}
	if out.row.Bulk.Ref != nil {
		if err := r.batch.Put(out.row.Bulk.Ref.ID, sealedBulk, bulkLeaves); err != nil {
			return internal("keep blob", err)
		}
	}
	return nil
}

// secrets are what the blobs of a study are sealed under. Its row is replaced by whoever commits
// meanwhile, its secrets never change.
func (r *importRun) secrets(h *holding) (hs, bs wire.Secret) {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	return h.row.HS, h.row.BS
}

// opensTo reports whether the sealed blobs give back the file with the instance's hash.
func (r *importRun) opensTo(in *study.Instance, row *study.ManifestInstance, sealedHead, sealedBulk []byte) bool {
	head, err := seal.OpenBlob(row.Head.Ref, seal.Head, sealedHead)
	if err != nil {
		return false
	}
	var bulk []byte
	if row.Bulk.Ref != nil {
		stored, err := seal.OpenBlob(*row.Bulk.Ref, seal.Bulk, sealedBulk)
		if err != nil {
			return false
		}
		buf, done := r.borrow(int64(row.BulkLen))
		defer done()
		if bulk, err = codec.UnpackTo(buf, byte(row.Codec), stored, row.BulkLen, each(int(row.BulkLen))); err != nil {
			return false
		}
	}
	off := min(row.Off, uint64(len(head)))
	h := sha256.New()
	h.Write(head[:off])
	h.Write(bulk)
	h.Write(head[off:])
	return [32]byte(h.Sum(nil)) == in.SHA256
}

// eachWorth is how many bytes make several goroutines for one instance worth it; smaller ones are
// parallel by instance.
const eachWorth = 16 << 20

func each(bytes int) codec.Each {
	if bytes < eachWorth {
		return nil
	}
	return func(n int, do func(i int)) {
		var wg sync.WaitGroup
		next := make(chan int)
		for range min(n, runtime.GOMAXPROCS(0)) {
			wg.Go(func() {
				for i := range next {
					do(i)
				}
			})
		}
		for i := range n {
			next <- i
		}
		close(next)
		wg.Wait()
	}
}

func rowOf(in *study.Instance, bulkLen uint64, how byte) study.ManifestInstance {
	row := study.ManifestInstance{
		UID: in.SOPUID, SOPClass: in.SOPClass, TransferSyntax: in.TransferSyntax,
		Rows: uint64(max(in.Pixel.Rows, 0)), Cols: uint64(max(in.Pixel.Cols, 0)), Frames: uint64(max(in.Pixel.Frames, 0)),
		Codec: uint64(how), BulkLen: bulkLen, SHA256: in.SHA256, FileSize: uint64(in.Size),
	}
	if in.Number != nil {
		row.Number = *in.Number
	}
	if bulkLen > 0 {
		row.Off = uint64(in.Off)
	}
	if in.NotSplit {
		row.Flags |= study.FlagNotSplit
	}
	return row
}

// collect takes outcomes one at a time, decides what is new, and commits batches.
func (r *importRun) collect(ctx context.Context, emit func(control.ImportEvent) error) (*control.ImportResult, error) {
	res := &control.ImportResult{Studies: []control.ImportedStudy{}, Refused: []control.RefusedFile{}}
	tally := map[*holding]*control.ImportedStudy{}
	var pending []*sealedFile
	var pendingBytes int64
	var media []outcome
	last := time.Now()
	for out := range r.done {
		if out.err != nil {
			return nil, out.err
		}
		switch {
		case out.reason != "":
			res.Refused = append(res.Refused, control.RefusedFile{Path: out.path, Reason: out.reason, Detail: out.detail})
		case out.read:
			res.Read++
			media = append(media, out)
		case out.made != nil:
			pending = append(pending, out.made...)
			pendingBytes += out.size
		default:
			pending = append(pending, out.sealed)
			pendingBytes += out.size
		}
		if len(pending) >= batchFilesMax || pendingBytes >= batchBytesMax {
			if err := r.commit(pending, res, tally); err != nil {
				return nil, err
			}
			pending, pendingBytes = nil, 0
		}
		r.mu.Lock()
		r.events.Done++
		r.events.Bytes += out.size
		ev := r.events
		r.mu.Unlock()
		if time.Since(last) >= progressEvery {
			last = time.Now()
			if err := emit(ev); err != nil {
				return nil, err
			}
		}
	}
	if err := r.commit(pending, res, tally); err != nil {
		return nil, err
	}
	for _, m := range media {
		missing := missingFiles(m)
		if n := len(missing); n > 0 && n == len(m.listed) {
			// A directory of nothing that is there was not read: there is nothing to open.
			res.Read--
			missing = []control.RefusedFile{{Path: m.path, Reason: study.Directory, Detail: "nothing that it lists is on the medium"}}
		}
		res.Refused = append(res.Refused, missing...)
	}
	for h, t := range tally {
		t.Series, t.Instances = len(h.manifest.Series), h.listed()
		res.Studies = append(res.Studies, *t)
	}
	slices.SortFunc(res.Studies, func(a, b control.ImportedStudy) int { return strings.Compare(a.Study, b.Study) })
	r.d.regrant(ctx)
	return res, nil
}

// missingFiles names what a DICOMDIR lists and its folder does not have, matched case-blind.
func missingFiles(m outcome) []control.RefusedFile {
	var out []control.RefusedFile
	root := filepath.Dir(m.path)
	if strings.Contains(m.path, "!") {
		return nil // in an archive: its entries were all offered
	}
	for _, id := range m.listed {
		if !fileBelow(root, strings.Split(id, "/")) {
			out = append(out, control.RefusedFile{
				Path: filepath.Join(root, filepath.FromSlash(id)), Reason: study.Directory,
				Detail: "listed in the media directory, not on the medium",
			})
		}
	}
	return out
}

func fileBelow(dir string, elems []string) bool {
	exact := filepath.Join(append([]string{dir}, elems...)...)
	if _, err := os.Lstat(exact); err == nil {
		return true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), ";")
		if !strings.EqualFold(strings.TrimRight(name, "."), elems[0]) {
			continue
		}
		if len(elems) == 1 {
			return true
		}
		if e.IsDir() && fileBelow(filepath.Join(dir, e.Name()), elems[1:]) {
			return true
		}
	}
	return false
}
