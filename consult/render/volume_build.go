package render

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
)

// errWide: the slices do not share one linear rescale of up to 16 bits, so that
// modality values must be kept.
var errWide = errors.New("not one rescale")

// builder fills a grid slice by slice.
type builder struct {
	stack      study.Stack
	load       Load
	each       codec.Each
	rows, cols int
	bytesMax   int

	first  study.Pixel // what the others must agree with
	signed bool        // the cells of the first slice
	reduce int         // pixels of a side that become one
	base   int         // stored value of cell 0
	grid   grid
	lossy  []bool
	holes  []bool
	capped []bool // the highest stored value has no cell
}

// build loads all slices; errWide asks for wide cells.
func (b *builder) build(wide bool) error {
	n := len(b.stack.Slices)
	n0, px, err := b.slice(0)
	if err != nil {
		return err
	}
	b.first, b.signed = px, n0.Signed
	if !wide && !narrow(n0, &px) {
		return errWide
	}
	if err := b.allocate(wide, n); err != nil {
		return err
	}
	b.base = 0
	if !n0.Signed && stored(n0, &px) == 16 {
		b.base = math.MaxInt16
	}
	errs := make([]error, n)
	b.lossy, b.holes, b.capped = make([]bool, n), make([]bool, n), make([]bool, n)
	var failed atomic.Bool // then the others need not be loaded
	run(b.each, n, func(i int) {
		if !failed.Load() {
			errs[i] = b.take(i)
			failed.CompareAndSwap(false, errs[i] != nil)
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	for _, h := range b.holes {
		b.grid.holes = b.grid.holes || h
	}
	return nil
}

func run(each codec.Each, n int, do func(int)) {
	if each != nil {
		each(n, do)
		return
	}
	for i := range n {
		do(i)
	}
}

// slice loads one and checks that it can be part of a volume.
func (b *builder) slice(i int) (*codec.Native, study.Pixel, error) {
	n, px, err := b.load(i)
	switch {
	case err != nil:
		return nil, px, fmt.Errorf("slice %d: %w", i+1, err)
	case n == nil || n.Samples != 1 || n.Photometric != "MONOCHROME1" && n.Photometric != "MONOCHROME2":
		return nil, px, notVolume("colour")
	case n.Rows != b.rows || n.Cols != b.cols:
		return nil, px, notVolume("slices of different sizes")
	case n.Partial:
		return nil, px, notVolume(fmt.Sprintf("slice %d is damaged", i+1))
	case len(n.Data) < n.Rows*n.Cols*max(1, n.BitsAllocated/8):
		return nil, px, ErrCells
	}
	return n, px, nil
}

// narrow: stored values are whole numbers of up to 16 bits, and linear.
func narrow(n *codec.Native, px *study.Pixel) bool {
	return !px.Float && n.BitsAllocated <= 16 && px.ModalityLUT == nil
}

// stored is how many bits of a cell count.
func stored(n *codec.Native, px *study.Pixel) int {
	if px.BitsStored < 1 || px.BitsStored > n.BitsAllocated {
		return n.BitsAllocated
	}
	return px.BitsStored
}

// allocate reduces the planes until the cells fit.
func (b *builder) allocate(wide bool, n int) error {
	width := 2
	if wide {
		width = 4
	}
	b.reduce = 1
	size := func() int { return (b.rows / b.reduce) * (b.cols / b.reduce) * n }
	for size() > b.bytesMax/width && b.reduce < 2*reduceMax {
		b.reduce *= 2
	}
	if b.reduce > reduceMax || b.rows/b.reduce < 2 || b.cols/b.reduce < 2 {
		return notVolume(fmt.Sprintf("%d slices of %d × %d exceed the memory for volumes", n, b.cols, b.rows))
	}
	b.grid = grid{n: [3]int{b.cols / b.reduce, b.rows / b.reduce, n}}
	if wide {
		b.grid.wide = make([]float32, size())
	} else {
		b.grid.short = make([]int16, size())
	}
	return nil
}

// take loads slice i into the grid.
func (b *builder) take(i int) error {
	n, px, err := b.slice(i)
	if err != nil {
		return err
	}
	b.lossy[i] = px.Lossy
	per := b.grid.n[0] * b.grid.n[1]
	if b.grid.wide != nil {
		return b.takeWide(n, px, i, b.grid.wide[i*per:(i+1)*per])
	}
	f := &b.first
	if !narrow(n, &px) || px.Slope != f.Slope || px.Intercept != f.Intercept || n.Signed != b.signed ||
		px.BitsStored != f.BitsStored || px.RescaleType != f.RescaleType || px.Photometric != f.Photometric {
		return errWide
	}
	b.takeShort(b.reader(n, &px), i, b.grid.short[i*per:(i+1)*per])
	return nil
}

// takeShort keeps stored values, k × k of them averaged into one.
func (b *builder) takeShort(r reader, i int, dst []int16) {
	cols, k := b.grid.n[0], b.reduce
	buf := make([]int16, k*b.cols)
	for y := range b.grid.n[1] {
		row := dst[y*cols : (y+1)*cols]
		if k == 1 {
			r.read(row, y*b.cols)
		} else {
			r.read(buf, y*k*b.cols)
			averageRows(row, buf, b.cols, k)
		}
		b.holes[i] = b.holes[i] || slices.Contains(row, noCell)
	}
	b.capped[i] = r.capped
}

// reader turns the cells of a frame into those of a grid.
type reader struct {
	n           *codec.Native
	shift, left int // of the stored bits: PS3.5 §8.1.1, they end at High Bit
	base        int32
	low, high   int32 // padding, as cells of the grid
	capped      bool
}

func (b *builder) reader(n *codec.Native, px *study.Pixel) reader {
	bits := stored(n, px)
	r := reader{
		n: n, shift: max(0, min(px.HighBit+1-bits, n.BitsAllocated-bits)), left: 32 - bits,
		base: int32(b.base), low: math.MaxInt32, high: math.MinInt32,
	}
	if p := px.Padding; p != nil {
		r.low, r.high = int32(p.Low-b.base), int32(p.High-b.base)
	}
	return r
}

// read fills dst from cell at on.
func (r *reader) read(dst []int16, at int) {
	if r.n.BitsAllocated != 16 {
		for i, u := range r.n.Data[at : at+len(dst)] {
			dst[i] = r.cell(uint32(u))
		}
		return
	}
	data := r.n.Data[2*at : 2*(at+len(dst))]
	for i := range dst {
		dst[i] = r.cell(uint32(binary.LittleEndian.Uint16(data[2*i:])))
	}
}

func (r *reader) cell(u uint32) int16 {
	u = u >> r.shift << r.left
	v := int32(u >> r.left)
	if r.n.Signed {
		v = int32(u) >> r.left
	}
	v -= r.base
	switch {
	case v >= r.low && v <= r.high:
		return noCell
	case v > math.MaxInt16:
		r.capped = true
		return math.MaxInt16
	}
	return int16(v)
}

// averageRows joins k rows into one of cells of k × k, leaving out those without a
// value.
func averageRows(dst, src []int16, srcCols, k int) {
	for x := range dst {
		sum, n := 0, 0
		for dy := range k {
			for _, c := range src[dy*srcCols+x*k:][:k] {
				if c != noCell {
					sum, n = sum+int(c), n+1
				}
			}
		}
		dst[x] = noCell
		if n > 0 {
			dst[x] = int16(math.Round(float64(sum) / float64(n)))
		}
	}
}

// takeWide keeps modality values: the frame itself computes them.
func (b *builder) takeWide(n *codec.Native, px study.Pixel, i int, dst []float32) error {
	f, err := New(n, px)
	if err != nil {
		return err
	}
	k, cols := b.reduce, b.grid.n[0]
	for y := range b.grid.n[1] {
		for x := range cols {
			sum, count := 0.0, 0
			for j := range k * k {
				if v, ok := f.Value(x*k+j%k, y*k+j/k); ok && !v.Padding {
					sum, count = sum+v.Value, count+1
				}
			}
			dst[y*cols+x] = noWide
			if count > 0 {
				dst[y*cols+x] = float32(sum / float64(count))
			} else {
				b.holes[i] = true
			}
		}
	}
	return nil
}

// pixel is what images of the volume share: the facts of the first slice without
// what belongs to that slice alone.
func (b *builder) pixel() study.Pixel {
	px := b.first
	px.Frames, px.Samples, px.Planar, px.Signed, px.Reformatted = 1, 1, 0, true, true
	px.PerFrame, px.Overlays, px.Shutter, px.Regions = nil, nil, nil, nil
	px.Palette, px.Supplemental, px.PatientOrientation, px.AspectRatio, px.SliceThickness = nil, false, [2]string{}, nil, 0
	for _, l := range b.lossy {
		px.Lossy = px.Lossy || l
	}
	if px.Modality == "CT" && px.RescaleType == "" && !b.signed && px.Intercept >= 0 {
		px.RescaleType = "US" // not HU, which signed cells would be: PS3.3 C.11.1.1.2, unspecified
	}
	if b.grid.wide != nil {
		px.BitsAllocated, px.BitsStored, px.HighBit, px.Float = 32, 32, 31, true
		if l := px.ModalityLUT; l != nil {
			px.RescaleType = l.Type
		}
		px.Slope, px.Intercept, px.ModalityLUT, px.RealWorld = 1, 0, nil, nil
		px.Padding, px.FloatPadding = nil, &[2]float64{noWide, noWide}
		return px
	}
	px.BitsAllocated, px.BitsStored, px.HighBit = 16, 16, 15
	base := float64(b.base)
	px.Intercept += px.Slope * base
	px.RealWorld = slices.Clone(px.RealWorld)
	for i := range px.RealWorld { // by stored value
		w := &px.RealWorld[i]
		w.First, w.Last, w.Intercept = w.First-base, w.Last-base, w.Intercept+w.Slope*base
	}
	px.Padding = &study.Padding{Low: noCell, High: noCell}
	return px
}

func (b *builder) notes() []string {
	var out []string
	if b.reduce > 1 {
		out = append(out, fmt.Sprintf("in-plane resolution reduced to 1/%d to fit memory", b.reduce))
	}
	for _, c := range b.capped {
		if c {
			return append(out, "highest stored value lowered by one")
		}
	}
	return out
}
