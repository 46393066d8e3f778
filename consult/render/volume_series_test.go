package render

import (
	"bytes"
	"math"
	"os"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
)

// series is files of one series, as a node has them.
type series struct {
	stack study.Stack
	files map[string][]byte
	of    map[string]*study.Instance
}

func (s *series) load(i int) (*codec.Native, study.Pixel, error) {
	x := s.stack.Slices[i]
	in, file := s.of[x.SOPUID], s.files[x.SOPUID]
	b, err := in.FrameOf(bytes.NewReader(file), int64(len(file)), x.Frame)
	if err != nil {
		return nil, study.Pixel{}, err
	}
	n, err := codec.Decode(in.FrameDesc(x.Frame), b)
	return n, in.Pixel.Frame(x.Frame), err
}

// seriesOf are the stacks of all series that files hold.
func seriesOf(files [][]byte) []*series {
	all := map[string]*series{}
	list := map[string][]study.Slice{}
	for _, f := range files {
		in, err := study.Parse(f)
		if err != nil || in.Pixel.Rows == 0 {
			continue
		}
		s := all[in.SeriesUID]
		if s == nil {
			s = &series{files: map[string][]byte{}, of: map[string]*study.Instance{}}
			all[in.SeriesUID] = s
		}
		if s.of[in.SOPUID] == nil {
			s.files[in.SOPUID], s.of[in.SOPUID] = f, in
			list[in.SeriesUID] = append(list[in.SeriesUID], in.Slices()...)
		}
	}
	var out []*series
	for uid, s := range all {
		for _, stack := range study.Stacks(list[uid]) {
			one := *s
			one.stack = stack
			out = append(out, &one)
		}
	}
	return out
}

// From the files of a phantom to a reformat of each axis through its lesion: the
// lesion is where it was put, as bright, and as large to a voxel.
func TestReformatOfPhantom(t *testing.T) {
	ct := phantom.CT(phantom.Options{Seed: 11, Slices: 40, Side: 256, LesionMM: 30})
	s := seriesOf(ct.Files)
	if len(s) != 1 || s[0].stack.NotVolume() != "" {
		t.Fatalf("%d stacks, %s", len(s), s[0].stack.NotVolume())
	}
	v, err := NewVolume(s[0].stack, s[0].load, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, axis := range axes {
		r := v.Slice(axis, v.Index(axis, ct.Lesion.MM))
		f := frameOf(t, r)
		cx, cy, off := r.Plane.Pixel(ct.Lesion.MM)
		if math.Abs(off) > 1.25 {
			t.Errorf("%s: the nearest image is %.2f mm away", axis, off)
		}
		sum, n := 0.0, 0
		for y := int(cy) - 4; y <= int(cy)+4; y++ {
			for x := int(cx) - 4; x <= int(cx)+4; x++ {
				got, _ := f.Probe(x, y)
				sum, n = sum+got.Value, n+1
			}
		}
		if mean := sum / float64(n); math.Abs(mean-ct.Lesion.MeanHU) > 6 || f.Unit() != "HU" {
			t.Errorf("%s: %.1f %s, want %.1f", axis, mean, f.Unit(), ct.Lesion.MeanHU)
		}
	}
	// From head to foot the lesion lies in air of the lung, or is cut by nothing else.
	r := v.Slice(Coronal, v.Index(Coronal, ct.Lesion.MM))
	f := frameOf(t, r)
	cx, cy, _ := r.Plane.Pixel(ct.Lesion.MM)
	high := 0
	for y := int(cy); ; y-- {
		if got, ok := f.Probe(int(cx), y); !ok || got.Value < -400 {
			break
		}
		high++
	}
	for y := int(cy) + 1; ; y++ {
		if got, ok := f.Probe(int(cx), y); !ok || got.Value < -400 {
			break
		}
		high++
	}
	if mm := float64(high) * r.Plane.DY; math.Abs(mm-ct.Lesion.Diam) > 2.5 {
		t.Errorf("the lesion is %.1f mm high, %.1f mm were put in", mm, ct.Lesion.Diam)
	}
}

// A volume of a real series cut along one of its own slices is that slice, value
// for value, however the series lies in the patient; -all does so with every slice.
func TestVolumesOfCorpus(t *testing.T) {
	var files [][]byte
	for _, name := range corpusFiles(t) {
		if b, err := os.ReadFile(name); err == nil {
			files = append(files, b)
		}
	}
	volumes, slices := 0, 0
	for _, s := range seriesOf(files) {
		if s.stack.NotVolume() != "" {
			continue
		}
		v, err := NewVolume(s.stack, s.load, nil)
		if err != nil {
			t.Logf("%d slices: %v", len(s.stack.Slices), err)
			continue
		}
		volumes++
		last := len(s.stack.Slices) - 1
		for i := range s.stack.Slices {
			if !*everything && i != 0 && i != last/2 && i != last {
				continue
			}
			p, _ := PlaneOf(s.stack.Slices[i])
			cut := frameOf(t, v.Cut(p))
			n, px, err := s.load(i)
			if err != nil {
				t.Fatal(err)
			}
			want, err := New(n, px)
			if err != nil {
				t.Fatal(err)
			}
			slices++
			for y := range want.Rows() {
				for x := range want.Cols() {
					a, _ := want.Value(x, y)
					b, _ := cut.Value(x, y)
					if a.Value != b.Value && !a.Padding || a.Unit != b.Unit || a.Padding != b.Padding {
						t.Fatalf("%s, slice %d at %d, %d: %+v, want %+v", px.Modality, i, x, y, b, a)
					}
				}
			}
		}
		for _, axis := range axes {
			frameOf(t, v.Slice(axis, v.Count(axis)/2)).Draw(Options{})
			if *everything || v.aligned() {
				frameOf(t, v.MIP(axis, Maximum, 0, v.Count(axis))).Draw(Options{})
			}
		}
	}
	t.Logf("%d volumes, %d slices", volumes, slices)
	if volumes < 5 {
		t.Errorf("only %d volumes", volumes)
	}
}
