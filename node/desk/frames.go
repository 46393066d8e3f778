package desk

import (
	"container/list"
	"context"
	"runtime"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/blob"
)

// Limits of decoding. A frame has its sealed bytes, its coded bytes and its cells in memory at
// once; what callers ask beyond the limit waits.
const (
	decodingBytesMax = 256 << 20
	// headsMax and headBytesMax bound the descriptions kept of multi-frame instances: each frame of
	// one would else parse thousands of functional groups again.
	headsMax     = 32
	headBytesMax = 32 << 20
)

// frames decodes with bounded memory.
type frames struct {
	slots *semaphore.Weighted // decoders at once
	bytes *semaphore.Weighted // of frames in decoding

	mu    sync.Mutex // guards all below
	heads map[headKey]*list.Element
	used  *list.List // of *keptHead, the last used first
	size  int64
}

type headKey struct {
	head blob.ID
	uid  string
}

type keptHead struct {
	key  headKey
	in   *study.Instance // read by many at once, never written
	size int64
}

func newFrames() *frames {
	return &frames{
		slots: semaphore.NewWeighted(int64(max(2, runtime.GOMAXPROCS(0)))),
		bytes: semaphore.NewWeighted(decodingBytesMax),
		heads: map[headKey]*list.Element{}, used: list.New(),
	}
}

// enter waits for a place to decode a frame of row.
func (f *frames) enter(ctx context.Context, row *study.ManifestInstance) (leave func(), err error) {
	// Cells of at most 8 bytes, three of them: more than any frame of a sane head takes.
	cost := int64(min(3*8*max(row.Rows, 1)*max(row.Cols, 1), decodingBytesMax))
	if err := f.bytes.Acquire(ctx, cost); err != nil {
		return nil, err
	}
	if err := f.slots.Acquire(ctx, 1); err != nil {
		f.bytes.Release(cost)
		return nil, err
	}
	return func() { f.slots.Release(1); f.bytes.Release(cost) }, nil
}

func (f *frames) kept(k headKey) *study.Instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.heads[k]
	if e == nil {
		return nil
	}
	f.used.MoveToFront(e)
	return e.Value.(*keptHead).in
}

// keep keeps the description of an instance with several frames.
func (f *frames) keep(k headKey, in *study.Instance, size int64) {
	// A description is larger than the bytes it was read from: numbers become strings and structs.
	size = 4*size + int64(in.Pixel.Frames)*64
	if in.Pixel.Frames < 2 || size > headBytesMax/2 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.heads[k] != nil {
		return
	}
	f.heads[k] = f.used.PushFront(&keptHead{k, in, size})
	f.size += size
	for f.used.Len() > headsMax || f.size > headBytesMax {
		old := f.used.Remove(f.used.Back()).(*keptHead)
		delete(f.heads, old.key)
		f.size -= old.size
	}
}

// readFrame decodes one frame of an instance that is here. It runs outside the desk's lock.
func (d *Desk) readFrame(ctx context.Context, row *study.ManifestInstance, k int) (*codec.Native, *study.Instance, error) {
	leave, err := d.frames.enter(ctx, row)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	b, in, err := d.codedFrame(row, k)
	if err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil { // nobody waits for it any more
		return nil, nil, err
	}
	n, err := codec.Decode(in.FrameDesc(k), b)
	return n, in, err
}

// codedFrame opens one frame as it is coded, and of a packed bulk no other frame.
func (d *Desk) codedFrame(row *study.ManifestInstance, k int) ([]byte, *study.Instance, error) {
	if row.Bulk.Ref == nil {
		return d.wholeFrame(row, k)
	}
	f, err := d.blobs.Open(row.Bulk.Ref.ID)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	bulk, err := openBulk(row, f)
	if err != nil {
		return nil, nil, err
	}
	key := headKey{row.Head.Ref.ID, row.UID}
	in := d.frames.kept(key)
	if in == nil {
		head, err := d.head(row)
		if err != nil {
			return nil, nil, err
		}
		if in, err = study.ParseJoined(head, int64(row.Off), bulk, int64(row.BulkLen)); err != nil {
			return nil, nil, err
		}
		d.frames.keep(key, in, int64(len(head)))
	}
	b, err := in.ReadFrame(bulk, k)
	return b, in, err
}

// wholeFrame reads a frame of an instance that is all head: deflated ones.
func (d *Desk) wholeFrame(row *study.ManifestInstance, k int) ([]byte, *study.Instance, error) {
	head, err := d.head(row)
	if err != nil {
		return nil, nil, err
	}
	in, err := study.Parse(head)
	if err != nil {
		return nil, nil, err
	}
	b, err := in.FrameOf(bytesAt(head), int64(len(head)), k)
	return b, in, err
}
