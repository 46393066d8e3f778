package render

import (
	"errors"
	"fmt"
	"math"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
)

// VolumeBytesMax bounds the cells of a volume: the whole program stays below
// 400 MB. 320 slices of 512 × 512 fit; what is larger is reduced in its planes.
const VolumeBytesMax = 160 << 20

// reduceMax is how far a volume is reduced before it is refused.
const reduceMax = 8

// ErrNotVolume says that no volume can be made; the error says why.
var ErrNotVolume = errors.New("not a regular volume")

// Axis names the normal of reformatted images, in patient axes.
type Axis int

// The three planes of the patient, as they are usually looked at: axial from
// the feet, coronal from the front, sagittal from the left.
const (
	Axial Axis = iota
	Coronal
	Sagittal
)

func (a Axis) String() string {
	return [...]string{"axial", "coronal", "sagittal"}[max(0, min(int(a), 2))]
}

// basis gives the directions of x and y of a reformatted image and its normal,
// the way that its index grows.
func (a Axis) basis() (row, col, normal [3]float64) {
	switch a {
	case Coronal:
		row, col = [3]float64{1, 0, 0}, [3]float64{0, 0, -1}
	case Sagittal:
		row, col = [3]float64{0, 1, 0}, [3]float64{0, 0, -1}
	default:
		row, col = [3]float64{1, 0, 0}, [3]float64{0, 1, 0}
	}
	return row, col, cross(row, col)
}

// Load gives slice i of a stack, decoded, with what holds for that frame
// (study.Pixel.Frame). It may be called from several goroutines if the Each of
// NewVolume is parallel. What it returns is not kept.
type Load func(i int) (*codec.Native, study.Pixel, error)

// Volume is a regular grid of cells in the patient. It does not change, and any
// number of goroutines may read it.
type Volume struct {
	px         study.Pixel // what all images made of it share
	frameOfRef string
	grid       grid
	origin     [3]float64    // centre of the first cell
	axis       [3][3]float64 // unit vectors of the three indices
	step       [3]float64    // mm
	notes      []string
	each       codec.Each
}

// Reformat is an image computed from a volume. Native and Pixel go where those
// of a file go; the stored values are the volume's own.
type Reformat struct {
	Native *codec.Native
	Pixel  study.Pixel
	Plane  Plane
}

// Frame prepares the image for drawing, probing and measuring.
func (r Reformat) Frame() (*Frame, error) { return New(r.Native, r.Pixel) }

// NewVolume makes a volume of a stack. It refuses with ErrNotVolume and the
// reason what is irregular, tilted, has gaps or mixed sizes, is in colour or
// too large, and passes on what load says.
func NewVolume(stack study.Stack, load Load, each codec.Each) (*Volume, error) {
	return newVolume(stack, load, each, VolumeBytesMax)
}

func newVolume(stack study.Stack, load Load, each codec.Each, bytesMax int) (*Volume, error) {
	if why := stack.NotVolume(); why != "" {
		return nil, notVolume(why)
	}
	first, ok := PlaneOf(stack.Slices[0])
	last, ok2 := PlaneOf(stack.Slices[len(stack.Slices)-1])
	if !ok || !ok2 {
		return nil, notVolume("positions are not known")
	}
	b := &builder{stack: stack, load: load, each: each, bytesMax: bytesMax, rows: first.Rows, cols: first.Cols}
	v := &Volume{frameOfRef: first.FrameOfRef, origin: first.Origin, each: each}
	err := b.build(false)
	if errors.Is(err, errWide) {
		err = b.build(true)
	}
	if err != nil {
		return nil, err
	}
	v.grid, v.px, v.notes = b.grid, b.pixel(), b.notes()
	d := minus3(last.Origin, first.Origin)
	n := float64(len(stack.Slices) - 1)
	v.axis = [3][3]float64{first.Row, first.Col, first.Normal()}
	v.step = [3]float64{first.DX, first.DY, dot(d, first.Normal()) / n}
	if k := float64(b.reduce); k > 1 { // the centre of the first k × k pixels
		v.origin = along(along(v.origin, first.Row, first.DX*(k-1)/2), first.Col, first.DY*(k-1)/2)
		v.step[0], v.step[1] = k*v.step[0], k*v.step[1]
	}
	return v, nil
}

func notVolume(why string) error { return fmt.Errorf("%w: %s", ErrNotVolume, why) }

// Notes are the marks of every image of the volume beside "reformatted".
func (v *Volume) Notes() []string { return v.notes }

// FrameOfRef is the Frame of Reference of the volume and its images.
func (v *Volume) FrameOfRef() string { return v.frameOfRef }

// Bytes is the memory that the volume takes.
func (v *Volume) Bytes() int { return v.grid.bytes() }

// box is the extent of the centres of all cells along a direction.
func (v *Volume) box(e [3]float64) (low, high float64) {
	low = dot(v.origin, e)
	high = low
	for k := range v.axis {
		d := dot(v.axis[k], e) * v.step[k] * float64(v.grid.n[k]-1)
		low, high = low+min(0, d), high+max(0, d)
	}
	return low, high
}

// nearest is the index whose axis is nearest to a direction, and whether it
// grows the other way.
func (v *Volume) nearest(e [3]float64) (k int, against bool) {
	for i := range v.axis {
		if math.Abs(dot(v.axis[i], e)) > math.Abs(dot(v.axis[k], e)) {
			k = i
		}
	}
	return k, dot(v.axis[k], e) < 0
}

// sideMax bounds the sides of a reformatted image.
const sideMax = 1024

// pixelSize is the side of reformatted pixels: the shortest of the grid's steps.
func (v *Volume) pixelSize() float64 {
	size := min(v.step[0], v.step[1], v.step[2])
	for _, e := range [][3]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}} {
		low, high := v.box(e)
		size = max(size, (high-low)/(sideMax-1))
	}
	return size
}

// Count is how many images there are along an axis, one for each step of the
// grid.
func (v *Volume) Count(a Axis) int {
	_, _, normal := a.basis()
	k, _ := v.nearest(normal)
	low, high := v.box(normal)
	return cells(low, high, v.step[k])
}

// cells is how many centres fit, an end that is missed by rounding included.
func cells(low, high, step float64) int { return int((high-low)/step+1e-3) + 1 }

// Plane is where image i of an axis lies, i from 0; it is also defined for
// places between.
func (v *Volume) Plane(a Axis, i float64) Plane {
	row, col, normal := a.basis()
	size := v.pixelSize()
	k, _ := v.nearest(normal)
	x0, x1 := v.box(row)
	y0, y1 := v.box(col)
	z0, _ := v.box(normal)
	at := along(along(along([3]float64{}, row, x0), col, y0), normal, z0+i*v.step[k])
	return Plane{
		FrameOfRef: v.frameOfRef, Origin: at, Row: row, Col: col, DX: size, DY: size,
		Rows: cells(y0, y1, size), Cols: cells(x0, x1, size),
	}
}

// Index is the image of an axis that is nearest to a patient point.
func (v *Volume) Index(a Axis, pt [3]float64) int {
	_, _, off := v.Plane(a, 0).Pixel(pt)
	_, _, normal := a.basis()
	k, _ := v.nearest(normal)
	return max(0, min(int(math.Round(off/v.step[k])), v.Count(a)-1))
}

// Slice computes image i of an axis, i from 0 to Count - 1, the nearest beyond.
func (v *Volume) Slice(a Axis, i int) Reformat {
	i = max(0, min(i, v.Count(a)-1))
	return v.Cut(v.Plane(a, float64(i)))
}

// Cut computes the image on any plane by trilinear interpolation. Where the
// plane leaves the volume there is padding.
func (v *Volume) Cut(p Plane) Reformat {
	return v.image(p, v.grid.sample(v.affine(p), p.Rows, p.Cols), "reformatted")
}

// affine is where the centres of a plane's pixels lie in indices of the grid.
func (v *Volume) affine(p Plane) affine {
	var a affine
	d := minus3(p.Origin, v.origin)
	for k, e := range v.axis {
		a.at[k] = dot(d, e) / v.step[k]
		a.dx[k] = dot(p.Row, e) * p.DX / v.step[k]
		a.dy[k] = dot(p.Col, e) * p.DY / v.step[k]
	}
	return a
}

// image wraps cells as a frame as coded, so that whatever takes images of files
// takes it.
func (v *Volume) image(p Plane, values []float32, what string) Reformat {
	px := v.px
	px.Rows, px.Cols = p.Rows, p.Cols
	px.PixelSpacing = &[2]float64{p.DY, p.DX}
	px.Orientation = &[6]float64{p.Row[0], p.Row[1], p.Row[2], p.Col[0], p.Col[1], p.Col[2]}
	px.Position = &[3]float64{p.Origin[0], p.Origin[1], p.Origin[2]}
	n := &codec.Native{
		Rows: p.Rows, Cols: p.Cols, Samples: 1, BitsAllocated: px.BitsAllocated, Signed: true,
		Photometric: px.Photometric, Data: v.grid.encode(values), Warnings: append([]string{what}, v.notes...),
	}
	return Reformat{Native: n, Pixel: px, Plane: p}
}
