package exchange

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// A bundle is a recorded exchange in a file, sealed to devices (FORMATS §8):
//
//	"CURBSIDE-BUNDLE\x01" || u8 n || n * SEALTO(pk, "bundle\0" || DeviceID || KeyID, BK)
//	                      || SEAL(BK, "bundle\0" || SHA-256(all seals), frames)
//
// The frames are part, records, rows, entries, have and range, as a perfect peer
// would have sent them, threads named by H("bundle/thread", ThreadID)[:16]. Part is
// the one frame that no stream has: which of how many files of one writing it is.
//
// Who has the file and none of the keys learns how long it is and for how many
// devices. Nobody vouches for a bundle: what is in it proves itself or is nothing.
const bundleMagic = "CURBSIDE-BUNDLE\x01"

// Errors of bundles that callers decide by.
var (
	// ErrNoBundle says that a file is something else.
	ErrNoBundle = errors.New("not a bundle")
	// ErrNotForUs says that no key here opens it.
	ErrNotForUs = errors.New("bundle is for somebody else")
	// ErrDamaged says that a bundle is cut or altered, or was never a right one.
	ErrDamaged = errors.New("bundle is damaged")
)

// Recipient is a device that a bundle is sealed to, with its KEM public key.
type Recipient struct {
	Device identity.DeviceID
	KEM    []byte
}

// BundleKey is one local device's KEM key.
type BundleKey struct {
	Device identity.DeviceID
	KEM    *seal.KEM
}

// Part says which file of how many this is.
type Part struct {
	Set    [16]byte `cbor:"1,keyasint"` // random, one for a writing
	Number uint64   `cbor:"2,keyasint"` // from 1
	Of     uint64   `cbor:"3,keyasint"`
}

func (p Part) valid() bool { return p.Number >= 1 && p.Number <= p.Of && p.Of <= partsMax }

func bundleInfo(d identity.DeviceID, keyID [32]byte) string {
	return "bundle\x00" + string(d[:]) + string(keyID[:])
}

func bundleContext(seals []byte) string {
	sum := sha256.Sum256(seals)
	return "bundle\x00" + string(sum[:])
}

// bundleTag names a thread to those who know it.
func bundleTag(t ledger.ThreadID) (g tag) {
	h := wire.Hash("bundle/thread", t[:])
	copy(g[:], h[:])
	return g
}

// BundleOverhead is what a bundle for n devices takes beside the frames, at most,
// in a file of a size.
func BundleOverhead(n int, size uint64) uint64 {
	chunks := size/(blob.ChunkSize+blob.TagSize) + 1
	return uint64(len(bundleMagic)+1+n*seal.ToSize+blob.HeaderSize) + chunks*blob.TagSize
}

// RangeCost is what a range takes as a frame, at most.
func RangeCost(w Want) uint64 {
	depth := 0
	for n := blob.LeafCount(w.Length); n > 1; n = (n + 1) / 2 {
		depth++
	}
	return uint64(w.Bytes() + 2*depth*34 + rangeFrame)
}

// rangeFrame is what a range's frame has beside data and proof.
const rangeFrame = 96

// BundleWriter records an exchange. Its methods are called as a session would send:
// part, then records, and for each thread rows and entries, haves, ranges.
type BundleWriter struct {
	w    *bufio.Writer
	seal *seal.Writer
	head []byte
}

// NewBundle begins a bundle for devices.
func NewBundle(dst io.Writer, to []Recipient) (*BundleWriter, error) {
	if len(to) == 0 || len(to) > recipientsMax {
		return nil, fmt.Errorf("bundle for %d devices: %w", len(to), errLimit)
	}
	key := wire.NewSecret()
	var seals []byte
	for _, r := range to {
		box, err := seal.SealTo(r.KEM, bundleInfo(r.Device, seal.KeyID(r.KEM)), key)
		if err != nil {
			return nil, fmt.Errorf("bundle for %s: %w", r.Device, err)
		}
		seals = append(seals, box...)
	}
	out := bufio.NewWriterSize(dst, bundleBuffer)
	_, _ = out.WriteString(bundleMagic) // a failure stays with the writer
	_ = out.WriteByte(byte(len(to)))
	_, _ = out.Write(seals)
	s, err := seal.NewWriter(key, bundleContext(seals), out)
	if err != nil {
		return nil, fmt.Errorf("begin bundle: %w", err)
	}
	return &BundleWriter{w: out, seal: s}, nil
}

// bundleBuffer joins sealed chunks to what a medium likes to be given.
const bundleBuffer = 1 << 20

func (b *BundleWriter) frame(t frameType, body any) error {
	f, err := encodeFrame(t, body)
	if err != nil {
		return err
	}
	_, err = b.seal.Write(f)
	return err
}

// Part says which file of how many this is; first of all.
func (b *BundleWriter) Part(p Part) error { return b.frame(framePart, p) }

// Records writes persons, statements and cards.
func (b *BundleWriter) Records(records [][]byte) error {
	return inFrames(records, recordsMax, frameMax/2, func(some [][]byte, _ bool) error {
		return b.frame(frameRecords, some)
	})
}

// Rows writes what the writer holds of a thread.
func (b *BundleWriter) Rows(t ledger.ThreadID, rows []ledger.Row) error {
	return b.frame(frameRows, rowsBody{Tag: bundleTag(t), Rows: append([]ledger.Row{}, rows[:min(len(rows), rowsMax)]...)})
}

// Entries writes packets and envelopes of a thread.
func (b *BundleWriter) Entries(t ledger.ThreadID, items [][]byte) error {
	return inFrames(items, itemsMax, entriesBytes, func(some [][]byte, more bool) error {
		body := entriesBody{Tag: bundleTag(t), Items: some, More: 1}
		if more {
			body.More = 2
		}
		return b.frame(frameEntries, body)
	})
}

// inFrames splits a list into as many frames as it takes.
func inFrames(list [][]byte, countMax, bytesMax int, put func(some [][]byte, more bool) error) error {
	for len(list) > 0 {
		n, size := 0, 0
		for n < len(list) && n < countMax && (n == 0 || size+len(list[n]) <= bytesMax) {
			size += len(list[n])
			n++
		}
		if err := put(list[:n], n < len(list)); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// Have writes which blobs of a study the writer holds.
func (b *BundleWriter) Have(t ledger.ThreadID, h Have) error {
	return b.frame(frameHave, haveBody{Tag: bundleTag(t), Manifest: h.Manifest, Bitmap: h.Bitmap, Partial: h.Partial})
}

// Range writes leaves of a blob with their proof. Nobody asked, so its request is 0.
func (b *BundleWriter) Range(w Want, data []byte, proof [][32]byte) error {
	body := rangeBody{Blob: w.Blob, Length: w.Length, First: uint64(w.First), Data: data, Proof: proof}
	b.head = appendRangeHead(b.head[:0], &body)
	mid := len(b.head)
	b.head = appendRangeTail(b.head, &body)
	for _, p := range [][]byte{b.head[:mid], data, b.head[mid:]} {
		if _, err := b.seal.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the bundle; before it, it is a cut one.
func (b *BundleWriter) Close() error {
	if err := b.seal.Close(); err != nil {
		return err
	}
	return b.w.Flush()
}

// Bundle is a bundle that opened.
type Bundle struct {
	Part Part // 1 of 1 where it does not say

	r     *seal.Reader
	sum   [32]byte // of the frames as Check saw them
	whole bool     // Check was content
}

// OpenBundle opens a bundle with one of the keys: ErrNoBundle, ErrNotForUs, or
// ErrDamaged where it is cut.
func OpenBundle(src io.ReaderAt, size int64, keys []BundleKey) (*Bundle, error) {
	head := make([]byte, len(bundleMagic)+1)
	if err := readAt(src, head, 0); err != nil || string(head[:len(bundleMagic)]) != bundleMagic {
		if errors.Is(err, errRead) {
			return nil, err
		}
		return nil, ErrNoBundle
	}
	n := int(head[len(bundleMagic)])
	if n == 0 || n > recipientsMax {
		return nil, fmt.Errorf("%d recipients: %w", n, ErrDamaged)
	}
	seals := make([]byte, n*seal.ToSize)
	if err := readAt(src, seals, int64(len(head))); err != nil {
		return nil, err
	}
	key, ok := openSeals(seals, keys)
	if !ok {
		return nil, ErrNotForUs
	}
	at := int64(len(head) + len(seals))
	r, err := seal.NewReader(key, bundleContext(seals), io.NewSectionReader(src, at, max(size-at, 0)), size-at)
	if err != nil {
		return nil, damaged(err)
	}
	return &Bundle{r: r, Part: Part{Number: 1, Of: 1}}, nil
}

var errRead = errors.New("read bundle")

// readAt tells a file that is too short from one that cannot be read.
func readAt(src io.ReaderAt, b []byte, off int64) error {
	n, err := src.ReadAt(b, off)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("ends at %d: %w", off+int64(n), ErrDamaged)
	}
	return fmt.Errorf("%w: %w", errRead, err)
}

// damaged makes what does not open a damaged bundle, and leaves a failing medium apart.
func damaged(err error) error {
	if errors.Is(err, blob.ErrCorrupt) || errors.Is(err, ErrProtocol) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("%w: %w", errRead, err)
}

// openSeals tries the newest keys first on every seal, as for packets (R6).
func openSeals(seals []byte, keys []BundleKey) (wire.Secret, bool) {
	for _, k := range keys[:min(len(keys), bundleKeysMax)] {
		info := bundleInfo(k.Device, k.KEM.ID())
		for at := 0; at+seal.ToSize <= len(seals); at += seal.ToSize {
			if s, err := seal.OpenFrom(k.KEM, info, seals[at:at+seal.ToSize]); err == nil {
				return s, true
			}
		}
	}
	return wire.Secret{}, false
}

// Size is the length of what is inside, for progress.
func (b *Bundle) Size() int64 { return b.r.Size() }

// BundleTaker is told what is in a bundle, in order. A nil function skips; an error ends the reading.
type BundleTaker struct {
	Records func(records [][]byte) error
	Entries func(tag [16]byte, items [][]byte) error
	Have    func(tag [16]byte, h Have) error
	// Range gets leaves that verified against w.Blob, with their hashes; data is not kept.
	Range func(w Want, data []byte, leaves [][32]byte) error
	// Progress is told now and then how much was read.
	Progress func(done int64)
}

// BundleTag is the tag of a thread in bundles.
func BundleTag(t ledger.ThreadID) [16]byte { return bundleTag(t) }

// Check reads the whole bundle and takes nothing: every chunk opens, every frame is
// what it says, every range verifies. Memory is a frame, however long the bundle.
func (b *Bundle) Check(ctx context.Context, progress func(done int64)) error {
	sum, err := b.read(ctx, BundleTaker{Progress: progress})
	if err != nil {
		return err
	}
	b.sum, b.whole = sum, true
	return nil
}

var errUnchecked = errors.New("bundle was not checked")

// Take hands over what is in a bundle that Check was content with. It checks again as
// it goes, for a medium may answer differently the second time.
func (b *Bundle) Take(ctx context.Context, t BundleTaker) error {
	if !b.whole {
		return errUnchecked
	}
	sum, err := b.read(ctx, t)
	if err == nil && sum != b.sum {
		err = fmt.Errorf("changed while it was read: %w", ErrDamaged)
	}
	return err
}

// progressFrames is how many frames go by between two words of progress.
const progressFrames = 16

// read goes through the frames.
func (b *Bundle) read(ctx context.Context, t BundleTaker) (sum [32]byte, err error) {
	h := sha256.New()
	c := counted{r: io.NewSectionReader(b.r, 0, b.r.Size()), h: h}
	r := bufio.NewReaderSize(&c, bundleBuffer)
	for n := 0; ; n++ {
		if n%progressFrames == 0 {
			if ctx.Err() != nil {
				return sum, context.Cause(ctx)
			}
			if t.Progress != nil {
				t.Progress(c.n - int64(r.Buffered()))
			}
		}
		f, err := readFrame(r, frameMax)
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return sum, damaged(err)
		}
		err = b.take(f, n, t)
		f.release()
		if errors.Is(err, ErrProtocol) || errors.Is(err, blob.ErrCorrupt) {
			return sum, damaged(err)
		}
		if err != nil {
			return sum, err
		}
	}
	if t.Progress != nil {
		t.Progress(c.n)
	}
	return [32]byte(h.Sum(nil)), nil
}

// counted hashes and counts what is read.
type counted struct {
	r io.Reader
	h hash.Hash
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	_, _ = c.h.Write(p[:n]) // never fails
	return n, err
}

// take decodes one frame as a session would. What a session may have and a bundle may
// not is a fault, not something to skip.
func (b *Bundle) take(f frame, n int, t BundleTaker) error {
	switch f.typ {
	case framePart:
		p, err := decodePart(f.body)
		if err == nil && n > 0 {
			err = errBody
		}
		if err == nil {
			b.Part = p
		}
		return err
	case frameRecords:
		records, err := decodeRecords(f.body)
		if err != nil || t.Records == nil {
			return err
		}
		return t.Records(records)
	case frameRows:
		_, err := decodeRows(f.body)
		return err
	case frameEntries:
		e, err := decodeEntries(f.body)
		if err != nil || t.Entries == nil {
			return err
		}
		return t.Entries(e.Tag, e.Items)
	case frameHave:
		h, err := decodeHave(f.body)
		if err != nil || t.Have == nil {
			return err
		}
		return t.Have(h.Tag, Have{Manifest: h.Manifest, Bitmap: h.Bitmap, Partial: h.Partial})
	case frameRange:
		return takeBundleRange(f.body, t)
	case frameHello, frameProve, frameThreads, frameNeed, frameWant, frameCancel, frameRefuse, frameEnd, frameJoin, frameAccept:
		return fmt.Errorf("frame %d in a bundle: %w", f.typ, errBody)
	default:
		return nil // FORMATS §8: unknown types are skipped
	}
}

func takeBundleRange(b []byte, t BundleTaker) error {
	body, err := decodeRange(b)
	if err != nil {
		return err
	}
	w := Want{Blob: body.Blob, Length: body.Length, First: int(min(body.First, 1<<40)), Priority: 0}
	if blob.CheckLen(w.Length) != nil || w.First >= blob.LeafCount(w.Length) {
		return errBody
	}
	for got := 0; got < len(body.Data) && w.N <= leavesMax; w.N++ {
		if w.First+w.N >= blob.LeafCount(w.Length) {
			return errBody
		}
		_, n := blob.LeafSpan(w.Length, w.First+w.N)
		got += int(n)
	}
	if !w.valid() || w.Bytes() != len(body.Data) || body.Request != 0 {
		return errBody
	}
	leaves, err := blob.Verify(w.Blob, w.Length, w.First, w.First+w.N, body.Data, body.Proof)
	if err != nil || t.Range == nil {
		return err
	}
	return t.Range(w, body.Data, leaves)
}

func decodePart(b []byte) (p Part, err error) {
	if err := decode(b, &p); err != nil {
		return p, err
	}
	if !p.valid() {
		return p, errLimit
	}
	return p, nil
}
