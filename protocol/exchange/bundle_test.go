package exchange

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/cryptotest"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/vectest"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

const bundleVectorDir = "testdata/vectors/bundle"

// bundleDevice is a device of the tests, by number.
func bundleDevice(n byte) BundleKey {
	return BundleKey{Device: identity.DeviceID{n}, KEM: seal.KEMFromSeed([32]byte{n})}
}

func recipients(numbers ...byte) []Recipient {
	var out []Recipient
	for _, n := range numbers {
		k := bundleDevice(n)
		out = append(out, Recipient{Device: k.Device, KEM: k.KEM.Public()})
	}
	return out
}

func must(tb testing.TB, errs ...error) {
	tb.Helper()
	if err := errors.Join(errs...); err != nil {
		tb.Fatal(err)
	}
}

// testBundle records an exchange with a blob of two ranges; change may add to it.
func testBundle(tb testing.TB, to []Recipient, change func(b *BundleWriter)) []byte {
	tb.Helper()
	var out bytes.Buffer
	b, err := NewBundle(&out, to)
	must(tb, err)
	thread := ledger.ThreadID{5}
	must(tb, b.Part(Part{Set: [16]byte{1}, Number: 2, Of: 3}), b.Records([][]byte{{0x80}, {0xa0}}),
		b.Rows(thread, []ledger.Row{{Device: [16]byte{1}, Chain: ledger.Control, Seq: 3}}),
		b.Entries(thread, [][]byte{{1, 2, 3}, {2, 0}}),
		b.Have(thread, Have{Manifest: blob.ID{8}, Bitmap: []byte{0xe0}}))
	data := vectest.Pattern(int(blob.SealedLen(300)))
	leaves := blob.Leaves(data)
	w := Want{Blob: blob.IDOf(uint64(len(data)), leaves), Length: uint64(len(data))}
	for i := range leaves {
		w.First, w.N = i, 1
		off, n := blob.LeafSpan(w.Length, i)
		must(tb, b.Range(w, data[off:off+n], blob.Prove(leaves, i, i+1)))
	}
	if change != nil {
		change(b)
	}
	must(tb, b.Close())
	return out.Bytes()
}

// judgeBundle says what a reader makes of a file.
func judgeBundle(b []byte, k BundleKey) string {
	x, err := OpenBundle(bytes.NewReader(b), int64(len(b)), []BundleKey{k})
	if err == nil {
		err = x.Check(context.Background(), nil)
	}
	switch {
	case err == nil:
		return vectest.OK
	case errors.Is(err, ErrNoBundle):
		return "not-a-bundle"
	case errors.Is(err, ErrNotForUs):
		return "not-for-us"
	case errors.Is(err, ErrDamaged):
		return "damaged"
	}
	return "unknown: " + err.Error()
}

func TestBundleVectors(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 7)
	var out []vectest.Vector
	add := func(name, expect, comment string, device byte, b []byte) {
		k := bundleDevice(device)
		seed := k.KEM.Seed()
		out = append(out, vectest.Vector{
			Name: name, Expect: expect, Comment: comment, Body: b,
			Fields: []vectest.Field{vectest.Hex("device", k.Device[:]), vectest.Hex("seed", seed[:])},
		})
	}
	edit := func(b []byte, f func([]byte) []byte) []byte { return f(slices.Clone(b)) }
	flip := func(b []byte, at int) []byte {
		return edit(b, func(b []byte) []byte { b[at] ^= 1; return b })
	}
	one := testBundle(t, recipients(1), nil)
	two := testBundle(t, recipients(1, 2), nil)
	head := len(bundleMagic) + 1
	add("one", vectest.OK, "part 2 of 3 with records, rows, entries, have and two ranges", 1, one)
	add("two", vectest.OK, "for two devices, opened by the second", 2, two)
	add("somebody-else", "not-for-us", "a device that it is not sealed to", 3, two)
	add("seal-of-another-altered", "damaged", "the first device's seal altered, opened by the second: the context covers all seals", 2, flip(two, head+5))
	add("seal-altered", "not-for-us", "the only seal altered", 1, flip(one, head+5))
	add("no-recipient", "damaged", "n is 0", 1, edit(one, func(b []byte) []byte { b[head-1] = 0; return b }))
	add("more-recipients", "damaged", "n is 2 and there is one seal", 1, edit(one, func(b []byte) []byte { b[head-1] = 2; return b }))
	add("magic", "not-a-bundle", "version 2 in the magic", 1, flip(one, len(bundleMagic)-1))
	add("short", "not-a-bundle", "shorter than its magic", 1, one[:5])
	add("cut-in-seals", "damaged", "ends within the seals", 1, one[:head+100])
	add("cut-byte", "damaged", "a byte short", 1, one[:len(one)-1])
	add("trailing", "damaged", "a byte more", 1, append(slices.Clone(one), 0))
	add("flip-header", "damaged", "the salt altered", 1, flip(one, head+seal.ToSize))
	add("flip-frame", "damaged", "a bit of a frame altered", 1, flip(one, len(one)-200))
	with := func(f func(b *BundleWriter)) []byte { return testBundle(t, recipients(1), f) }
	raw := func(typ frameType, body any) []byte {
		return with(func(b *BundleWriter) { must(t, b.frame(typ, body)) })
	}
	add("unknown-frame", vectest.OK, "a frame of type 200 is skipped", 1, raw(200, []byte("anything")))
	add("want", "damaged", "a want, which asks nobody here", 1, raw(frameWant, []wantRow{}))
	add("hello", "damaged", "a hello", 1, raw(frameHello, hello{Versions: []uint64{1}}))
	add("late-part", "damaged", "part is not the first frame", 1, raw(framePart, Part{Number: 1, Of: 1}))
	add("records-body", "damaged", "records that are no list", 1, raw(frameRecords, 5))
	data := vectest.Pattern(int(blob.SealedLen(20)))
	leaves := blob.Leaves(data)
	w := Want{Blob: blob.IDOf(uint64(len(data)), leaves), Length: uint64(len(data)), N: 2}
	add("bad-range", "damaged", "a range that does not verify", 1, with(func(b *BundleWriter) {
		must(t, b.Range(w, append([]byte{data[0] ^ 1}, data[1:]...), nil))
	}))
	add("asked-range", "damaged", "a range with a request number", 1, with(func(b *BundleWriter) {
		_, err := b.seal.Write(EncodeRange(1, w, data, nil))
		must(t, err)
	}))
	add("cut-frame", "damaged", "the last frame is cut, though the seal is whole", 1, with(func(b *BundleWriter) {
		_, err := b.seal.Write([]byte{0, 0, 0, 9, 1})
		must(t, err)
	}))
	var write func(string, []byte) error
	if *update {
		must(t, os.MkdirAll(bundleVectorDir, 0o755))
		write = func(name string, text []byte) error {
			return os.WriteFile(filepath.Join(bundleVectorDir, name), text, 0o644)
		}
	}
	vectest.Run(t, os.DirFS(bundleVectorDir), out, write, func(tb testing.TB, v vectest.Vector) string {
		return judgeBundle(v.Body, BundleKey{
			Device: identity.DeviceID(v.Hex(tb, "device")), KEM: seal.KEMFromSeed([32]byte(v.Hex(tb, "seed"))),
		})
	})
}

// Whatever byte is altered and wherever it is cut, nobody takes a bundle for whole.
// Seals that are not ours count: hash the seals of others out of the context, and
// this fails.
func TestBundleEveryByte(t *testing.T) {
	b := testBundle(t, recipients(1, 2), nil)
	k := bundleDevice(2)
	if got := judgeBundle(b, k); got != vectest.OK {
		t.Fatal(got)
	}
	x := slices.Clone(b)
	for i := range x {
		if i > 32 && i < len(b)-64 && i%11 != 0 {
			continue // a seal takes a millisecond to try
		}
		x[i] ^= 1 << (i % 8)
		if got := judgeBundle(x, k); got == vectest.OK || len(got) > 12 {
			t.Fatalf("byte %d altered: %s", i, got)
		}
		x[i] = b[i]
		if i%5 == 0 {
			if got := judgeBundle(b[:i], k); got == vectest.OK || len(got) > 12 {
				t.Fatalf("cut at %d: %s", i, got)
			}
		}
	}
}

// What was recorded is what is taken, in order, and nothing before Check.
func TestBundleTake(t *testing.T) {
	b := testBundle(t, recipients(1), nil)
	x, err := OpenBundle(bytes.NewReader(b), int64(len(b)), []BundleKey{bundleDevice(9), bundleDevice(1)})
	must(t, err)
	var got []string
	taker := BundleTaker{
		Records: func(r [][]byte) error { got = append(got, "records"); return nil },
		Entries: func(g [16]byte, items [][]byte) error {
			if g != BundleTag(ledger.ThreadID{5}) || len(items) != 2 {
				t.Errorf("entries %x %d", g, len(items))
			}
			got = append(got, "entries")
			return nil
		},
		Have:  func([16]byte, Have) error { got = append(got, "have"); return nil },
		Range: func(w Want, data []byte, leaves [][32]byte) error { got = append(got, "range"); return nil },
	}
	if err := x.Take(t.Context(), taker); !errors.Is(err, errUnchecked) || got != nil {
		t.Fatalf("taken unchecked: %v %v", got, err)
	}
	must(t, x.Check(t.Context(), nil), x.Take(t.Context(), taker))
	if want := []string{"records", "entries", "have", "range", "range"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if x.Part != (Part{Set: [16]byte{1}, Number: 2, Of: 3}) {
		t.Errorf("part %v", x.Part)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Check(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// failing is a medium that breaks.
type failing struct{ io.ReaderAt }

var errMedium = errors.New("i/o error")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off > 1200 {
		return 0, errMedium
	}
	return f.ReaderAt.ReadAt(p, off)
}

// A stick that cannot be read is not a damaged bundle: another reader may do.
func TestBundleMedium(t *testing.T) {
	b := testBundle(t, recipients(1), nil)
	_, err := OpenBundle(failing{bytes.NewReader(b)}, int64(len(b)), []BundleKey{bundleDevice(1)})
	if !errors.Is(err, errMedium) || errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}

// Many records and entries go into several frames, each within the limits.
func TestBundleFrames(t *testing.T) {
	var items [][]byte
	for range 20_000 {
		items = append(items, make([]byte, 300))
	}
	for range 4 {
		items = append(items, make([]byte, itemMax))
	}
	b := testBundle(t, recipients(1), func(b *BundleWriter) { must(t, b.Entries(ledger.ThreadID{6}, items)) })
	x, err := OpenBundle(bytes.NewReader(b), int64(len(b)), []BundleKey{bundleDevice(1)})
	must(t, err)
	n := 0
	must(t, x.Check(t.Context(), nil), x.Take(t.Context(), BundleTaker{Entries: func(_ [16]byte, items [][]byte) error { n += len(items); return nil }}))
	if n != len(items)+2 {
		t.Errorf("%d entries", n)
	}
}

// RangeCost is never less than what a range takes.
func TestRangeCost(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		data := make([]byte, blob.SealedLen(uint64(r.IntN(3<<20))))
		leaves := blob.Leaves(data)
		w := Want{Blob: blob.ID{1}, Length: uint64(len(data)), First: r.IntN(len(leaves))}
		w.N = 1 + r.IntN(min(16, len(leaves)-w.First))
		off, n := blob.RangeSpan(w.Length, w.First, w.First+w.N)
		f := EncodeRange(0, w, data[off:off+n], blob.Prove(leaves, w.First, w.First+w.N))
		if got := RangeCost(w); got < uint64(len(f)) || got > uint64(len(f))+2000 {
			t.Fatalf("%d leaves of %d: cost %d, is %d", w.N, len(leaves), got, len(f))
		}
	}
}

// FuzzBundle: no frames in a bundle that is sealed to us make its reader panic, and what
// Check was content with Take takes.
func FuzzBundle(f *testing.F) {
	for _, s := range Samples() {
		f.Add(s)
	}
	f.Add(bytes.Join(Samples(), nil))
	to, k := recipients(1), bundleDevice(1)
	box, err := seal.SealTo(to[0].KEM, bundleInfo(k.Device, k.KEM.ID()), wire.Secret{})
	must(f, err)
	head := append([]byte(bundleMagic+"\x01"), box...)
	f.Fuzz(func(t *testing.T, frames []byte) {
		b := append(slices.Clone(head), seal.Seal(wire.Secret{}, bundleContext(box), frames)...)
		x, err := OpenBundle(bytes.NewReader(b), int64(len(b)), []BundleKey{k})
		must(t, err)
		if err := x.Check(t.Context(), nil); err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		must(t, x.Take(t.Context(), BundleTaker{
			Records: func([][]byte) error { return nil },
			Entries: func([16]byte, [][]byte) error { return nil },
			Have:    func([16]byte, Have) error { return nil },
			Range: func(w Want, data []byte, leaves [][32]byte) error {
				if len(data) != w.Bytes() || len(leaves) != w.N {
					t.Fatalf("%d bytes, %d leaves for %+v", len(data), len(leaves), w)
				}
				return nil
			},
		}))
	})
}

// FuzzBundleFile: no file makes the reader panic or open what nobody sealed to us.
func FuzzBundleFile(f *testing.F) {
	f.Add(testBundle(f, recipients(1), nil)[:1400])
	f.Add([]byte(bundleMagic))
	f.Add([]byte(bundleMagic + "\xff"))
	k := bundleDevice(1)
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := judgeBundle(b, k); len(got) > 12 || got == vectest.OK {
			t.Fatal(got)
		}
	})
}
