package digitize

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/curbside-p2p/curbside/consult/object"
)

// ErrScale means that a size that was stated makes no sense for the picture.
var ErrScale = errors.New("that is no size of a pixel")

// spacingMax is where a pixel is too large to be one of a picture of a patient (IMAGING §5.5).
const spacingMax = 10

// Scale is the size of a pixel as somebody states it: one of the three.
type Scale struct {
	DPI     float64     // of a film scanner: the film's own scale
	Spacing *[2]float64 // mm between rows, and between columns
	Known   *Known
	// By is who states it, for the record.
	By string
}

// Known is a length that is known in the upright picture: of a ruler beside the wound, or of a
// marker on the film.
type Known struct {
	A, B [2]float64 // x, y in pixels from the top left corner
	MM   float64
}

// ParseKnown reads "x1,y1;x2,y2=MM".
func ParseKnown(s string) (*Known, error) {
	points, length, ok := strings.Cut(s, "=")
	a, b, ok2 := strings.Cut(points, ";")
	p, ok3 := pair(a)
	q, ok4 := pair(b)
	mm, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(length), "mm"), 64)
	if !ok || !ok2 || !ok3 || !ok4 || err != nil {
		return nil, fmt.Errorf("%w: want x1,y1;x2,y2=MM", ErrScale)
	}
	return &Known{A: p, B: q, MM: mm}, nil
}

// ParseSpacing reads "MM", or "ROWS,COLUMNS" where pixels are not square.
func ParseSpacing(s string) (*[2]float64, error) {
	if !strings.Contains(s, ",") {
		s += "," + s
	}
	p, ok := pair(s)
	if !ok || !size(p[0]) || !size(p[1]) {
		return nil, fmt.Errorf("%w: want mm between rows, or rows,columns", ErrScale)
	}
	return &p, nil
}

func pair(s string) (out [2]float64, ok bool) {
	a, b, _ := strings.Cut(s, ",")
	x, err1 := strconv.ParseFloat(strings.TrimSpace(a), 64)
	y, err2 := strconv.ParseFloat(strings.TrimSpace(b), 64)
	return [2]float64{x, y}, err1 == nil && err2 == nil && !math.IsInf(x+y, 0) && !math.IsNaN(x+y)
}

func size(mm float64) bool { return mm > 0 && mm <= spacingMax }

// attributes say the scale: Nominal Scanned Pixel Spacing for a scanner's resolution, Pixel Spacing
// for what was calibrated (PS3.3 C.8.6.2, 10.7.1.3). A photo has no scale of its own.
func (s *Scale) attributes(rows, cols int, conversion string) (object.Set, error) {
	switch {
	case s == nil:
		return nil, nil
	case s.DPI != 0:
		mm := 25.4 / s.DPI
		if conversion == conversionPhoto || conversion == "WSD" || !size(mm) {
			return nil, fmt.Errorf("%w: a resolution belongs to a film or a scan", ErrScale)
		}
		return object.Set{object.Str(0x00182010, "DS", object.DS(mm), object.DS(mm))}, nil
	case s.Spacing != nil:
		return calibrated(*s.Spacing, "GEOMETRY", "pixel size stated by "+s.By), nil
	case s.Known == nil:
		return nil, nil
	}
	k := s.Known
	for _, p := range [][2]float64{k.A, k.B} {
		if p[0] < 0 || p[1] < 0 || p[0] > float64(cols) || p[1] > float64(rows) {
			return nil, fmt.Errorf("%w: a point of the known length is outside the picture of %d by %d", ErrScale, cols, rows)
		}
	}
	pixels := math.Hypot(k.B[0]-k.A[0], k.B[1]-k.A[1])
	mm := k.MM / pixels
	if !(pixels >= 1) || !size(mm) {
		return nil, fmt.Errorf("%w: the two points are too near for their length", ErrScale)
	}
	return calibrated([2]float64{mm, mm}, "FIDUCIAL", fmt.Sprintf("known length of %g mm stated by %s", k.MM, s.By)), nil
}

func calibrated(mm [2]float64, how, note string) object.Set {
	return object.Set{
		object.Str(0x00280030, "DS", object.DS(mm[0]), object.DS(mm[1])),
		object.Str(0x00280A02, "CS", how),
		object.Str(0x00280A04, "LO", object.Line(note, 64)),
	}
}
