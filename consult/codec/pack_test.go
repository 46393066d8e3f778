package codec

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
)

// The anchor of FORMATS.md §14.
func TestPredictionAnchor(t *testing.T) {
	unit := make([]byte, 12)
	for i, v := range []uint16{10, 20, 30, 12, 25, 65535} {
		binary.LittleEndian.PutUint16(unit[2*i:], v)
	}
	l := Layout{Rows: 2, Cols: 3, Samples: 1, Bytes: 2, Unit: 12}
	got := make([]byte, 12)
	forward(got, unit, l)
	if hex.EncodeToString(got) != "141414040a3d000000000000" {
		t.Errorf("got %x", got)
	}
	back := make([]byte, 12)
	inverse(back, got, l)
	if !bytes.Equal(back, unit) {
		t.Errorf("inverse: got %x, want %x", back, unit)
	}
}

// parallel is an Each that runs everything at once.
func parallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

// smooth makes cells that compress, with some noise and some extremes.
func smooth(n int, r *rand.Rand) []byte {
	out := make([]byte, n)
	v := byte(r.IntN(256))
	for i := range out {
		switch r.IntN(50) {
		case 0:
			v = byte(r.IntN(256))
		case 1:
			v += byte(r.IntN(3))
		}
		out[i] = v
	}
	return out
}

func TestPackRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][2]int{{1, 1}, {1, 9}, {9, 1}, {1, 4096}, {4096, 1}, {64, 64}, {2, 65535}, {33, 70}} {
		for _, samples := range []int{1, 2, 3, 4} {
			for _, width := range []int{1, 2, 4} {
				for flags := range 4 {
					l := Layout{Rows: size[0], Cols: size[1], Samples: samples, Bytes: width, Signed: flags&1 != 0, BigEndian: flags&2 != 0}
					l.Unit = int64(size[0] * size[1] * samples * width)
					bulk := smooth(int(l.Unit)*3+r.IntN(5), r)
					roundTrip(t, bulk, l)
				}
			}
		}
	}
}

func roundTrip(t *testing.T, bulk []byte, l Layout) {
	t.Helper()
	stored, codec := Pack(bulk, l, parallel)
	back, err := Unpack(codec, stored, uint64(len(bulk)), parallel)
	if err != nil || !bytes.Equal(back, bulk) {
		t.Fatalf("%+v codec %d: %v", l, codec, err)
	}
	if codec == 0 {
		return
	}
	p, err := Open(codec, bytes.NewReader(stored), int64(len(stored)), uint64(len(bulk)))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(bulk)/2+1)
	from := len(bulk) - len(got)
	if n, err := p.ReadAt(got, int64(from)); n != len(got) || !bytes.Equal(got, bulk[from:]) {
		t.Fatalf("%+v: ReadAt: %d bytes, %v", l, n, err)
	}
	last := p.Units() - 1
	unit, err := p.Unit(last)
	if err != nil || !bytes.Equal(unit, bulk[last*len(unit):(last+1)*len(unit)]) {
		t.Fatalf("%+v: unit %d: %v", l, last, err)
	}
}

func TestPackChoosesCodec(t *testing.T) {
	noise := make([]byte, 1<<16)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	grey := Layout{Rows: 128, Cols: 128, Samples: 1, Bytes: 2, Unit: 1 << 15}
	zeros := make([]byte, 1<<16)
	encapsulated := grey
	encapsulated.Encapsulated = true
	for name, c := range map[string]struct {
		bulk  []byte
		l     Layout
		codec byte
	}{
		"noise saves nothing":       {noise, grey, 0},
		"16 bit":                    {zeros, grey, 2},
		"encapsulated never packed": {zeros, encapsulated, 0},
		"unknown layout":            {zeros, Layout{}, 1},
		"32 bit":                    {zeros, Layout{Rows: 128, Cols: 128, Samples: 1, Bytes: 4, Unit: 1 << 16}, 1},
		"shorter than a frame":      {zeros[:100], grey, 1},
		"empty":                     {nil, grey, 0},
	} {
		if _, codec := Pack(c.bulk, c.l, nil); codec != c.codec {
			t.Errorf("%s: codec %d, want %d", name, codec, c.codec)
		}
	}
}

func packed(t testing.TB) (stored []byte, codec byte, bulk []byte) {
	t.Helper()
	bulk = smooth(2*32*32*3+2, rand.New(rand.NewPCG(5, 6)))
	stored, codec = Pack(bulk, Layout{Rows: 32, Cols: 32, Samples: 1, Bytes: 2, Unit: 2048}, nil)
	if codec != 2 {
		t.Fatalf("codec %d", codec)
	}
	return stored, codec, bulk
}

func TestUnpackRejects(t *testing.T) {
	stored, codec, bulk := packed(t)
	edit := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(stored)) }
	set32 := func(at int, v uint32) []byte {
		return edit(func(b []byte) []byte { binary.BigEndian.PutUint32(b[at:], v); return b })
	}
	n := uint64(len(bulk))
	for name, c := range map[string]struct {
		b    []byte
		want uint64
		err  error
	}{
		"empty":             {nil, n, ErrHeader},
		"cut header":        {stored[:20], n, ErrHeader},
		"cut":               {stored[:len(stored)-1], n, ErrSizes},
		"trailing byte":     {append(bytes.Clone(stored), 0), n, ErrTrailing},
		"other length":      {stored, n + 1, ErrWantLength},
		"size lies":         {set32(headerLen, 1<<30), n, ErrSizes},
		"rows lie":          {set32(4, 33), n, ErrHeader},
		"rows overflow":     {set32(4, 1<<31), n, ErrHeader},
		"too many units":    {set32(12, UnitsMax+1), n, ErrLimit},
		"bytes per sample":  {edit(func(b []byte) []byte { b[1] = 3; return b }), n, ErrHeader},
		"samples per pixel": {edit(func(b []byte) []byte { b[2] = 5; return b }), n, ErrHeader},
		"flags":             {edit(func(b []byte) []byte { b[3] = 4; return b }), n, ErrHeader},
		"codec differs":     {edit(func(b []byte) []byte { b[0] = 1; return b }), n, ErrHeader},
		"length over limit": {stored, BulkMax + 1, ErrLimit},
	} {
		if _, err := Unpack(codec, c.b, c.want, nil); !errors.Is(err, c.err) || !errors.Is(err, ErrPacked) {
			t.Errorf("%s: got %v, want %v", name, err, c.err)
		}
	}
	var unknown *UnknownCodecError
	if _, err := Unpack(9, stored, n, nil); !errors.As(err, &unknown) || unknown.Codec != 9 {
		t.Errorf("unknown codec: %v", err)
	}
}

// A frame bomb claims more than its blocks can hold, or another size.
func TestFrameBomb(t *testing.T) {
	frame := compress(make([]byte, 1<<20), plainEncoders)
	for name, c := range map[string]struct {
		frame []byte
		want  uint64
		err   error
	}{
		"size differs":   {frame, 1<<20 - 1, ErrUnitSize},
		"trailing frame": {append(bytes.Clone(frame), frame...), 1 << 20, ErrTrailing},
		"skippable":      {[]byte{0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0}, 0, ErrFrame},
		"cut":            {frame[:len(frame)-1], 1 << 20, ErrFrame},
		// single segment, content size 2^30, one empty last block
		"window too big": {[]byte{0x28, 0xB5, 0x2F, 0xFD, 0xA0, 0, 0, 0, 0x40, 1, 0, 0}, 1 << 30, ErrWindow},
	} {
		if err := checkFrame(c.frame, c.want); !errors.Is(err, c.err) {
			t.Errorf("%s: got %v, want %v", name, err, c.err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	stored, codec, bulk := packed(f)
	f.Add(stored, codec, uint32(len(bulk)))
	f.Fuzz(func(t *testing.T, b []byte, codec byte, want uint32) {
		if want > 16<<20 {
			return
		}
		got, err := Unpack(codec, b, uint64(want), nil)
		if err == nil && len(got) != int(want) {
			t.Fatalf("%d bytes, want %d", len(got), want)
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("aaaaaaaabbbbbbbb"), uint8(2), uint8(2), uint8(1), uint8(1), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, rows, cols, samples, width, flags uint8) {
		l := Layout{Rows: int(rows), Cols: int(cols), Samples: int(samples), Bytes: int(width), Signed: flags&1 != 0, BigEndian: flags&2 != 0}
		l.Unit = int64(l.Rows) * int64(l.Cols) * int64(l.Samples) * int64(l.Bytes)
		stored, codec := Pack(b, l, nil)
		back, err := Unpack(codec, stored, uint64(len(b)), nil)
		if err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%+v: %v", l, err)
		}
	})
}

// ctLike is 12-bit noise over a smooth ground, as a CT slice is.
func ctLike(frames int) ([]byte, Layout) {
	const side = 512
	l := Layout{Rows: side, Cols: side, Samples: 1, Bytes: 2, Signed: true, Unit: side * side * 2}
	r := rand.New(rand.NewPCG(7, 8))
	out := make([]byte, 0, frames*int(l.Unit))
	for range frames {
		for y := range side {
			for x := range side {
				v := int16(-1024)
				if d := (x-256)*(x-256) + (y-256)*(y-256); d < 220*220 {
					v = int16(40 + (x*y)/4096 + r.IntN(16) + r.IntN(16))
				}
				out = binary.LittleEndian.AppendUint16(out, uint16(v))
			}
		}
	}
	return out, l
}

func BenchmarkPack(b *testing.B) {
	bulk, l := ctLike(4)
	b.SetBytes(int64(len(bulk)))
	var n int
	for b.Loop() {
		stored, _ := Pack(bulk, l, nil)
		n = len(stored)
	}
	b.ReportMetric(float64(len(bulk))/float64(n), "ratio")
}

func BenchmarkUnpack(b *testing.B) {
	bulk, l := ctLike(4)
	stored, codec := Pack(bulk, l, nil)
	b.SetBytes(int64(len(bulk)))
	for b.Loop() {
		if _, err := Unpack(codec, stored, uint64(len(bulk)), nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPredict(b *testing.B) {
	bulk, l := ctLike(1)
	out := make([]byte, len(bulk))
	b.SetBytes(int64(len(bulk)))
	b.Run("forward", func(b *testing.B) {
		b.SetBytes(int64(len(bulk)))
		for b.Loop() {
			forward(out, bulk, l)
		}
	})
	b.Run("inverse", func(b *testing.B) {
		b.SetBytes(int64(len(bulk)))
		for b.Loop() {
			inverse(bulk, out, l)
		}
	})
}
