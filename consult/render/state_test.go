package render_test

import (
	"bytes"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
)

func ramp(n, first, low, high, bits int) *study.LUT {
	l := &study.LUT{First: first, Bits: bits}
	for i := range n {
		l.Data = append(l.Data, uint16(low+(high-low)*i/(n-1)))
	}
	return l
}

// Every transform of a presentation state beside dcmp2pgm, to ±1 grey level: the
// state is written and read by package annot and drawn here. dcmp2pgm 3.6.7 knows
// no VOI LUT Function (PS3.3 C.11.8) and shows no shutter: those are compared with
// dcm2pnm and with pictures drawn by hand.
func TestStatesBesideDCMTK(t *testing.T) {
	if _, err := exec.LookPath("dcmp2pgm"); err != nil {
		t.Skip("SKIP dcmp2pgm is not installed: presentation states are not compared with dcmtk")
	}
	s := phantom.CT(phantom.Options{Seed: 3, Slices: 1, Side: 200})
	in, err := study.Parse(s.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	raw, err := in.FrameOf(bytes.NewReader(s.Files[0]), in.Size, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := codec.Decode(in.FrameDesc(0), raw)
	if err != nil {
		t.Fatal(err)
	}
	f, err := render.New(n, in.Pixel.Frame(0))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	picture := filepath.Join(dir, "image.dcm")
	if err := os.WriteFile(picture, s.Files[0], 0o600); err != nil {
		t.Fatal(err)
	}
	rescale := &annot.Modality{Rescale: &render.Rescale{Slope: 1, Intercept: -1024, Type: "HU"}}
	soft := []annot.Window{{Window: &study.Window{Centre: 40, Width: 400}}}
	for name, p := range map[string]annot.Presentation{
		"whole range":        {Modality: rescale},
		"window":             {Modality: rescale, Windows: soft},
		"another rescale":    {Modality: &annot.Modality{Rescale: &render.Rescale{Slope: 2, Intercept: -300}}, Windows: soft},
		"modality table":     {Modality: &annot.Modality{LUT: ramp(4096, 0, 4095, 0, 12)}, Windows: []annot.Window{{Window: &study.Window{Centre: 3000, Width: 1000}}}},
		"voi table":          {Modality: rescale, Windows: []annot.Window{{LUT: ramp(500, -200, 0, 4095, 12)}}},
		"voi table, falling": {Modality: rescale, Windows: []annot.Window{{LUT: ramp(500, -200, 255, 0, 8)}}},
		"inverse":            {Modality: rescale, Windows: soft, Shape: "INVERSE"},
		"presentation table": {Modality: rescale, Windows: soft, LUT: ramp(256, 0, 65535, 0, 16)},
		"turned":             {Modality: rescale, Windows: soft, Turn: render.Turn{Quarters: 3, Flip: true}},
		"short table":        {Modality: rescale, Windows: soft, LUT: ramp(1024, 0, 0, 1023, 10)},
	} {
		p.Class, p.StudyUID, p.Label = annot.ClassGrayscaleState, in.StudyUID, "TEST"
		p.Images = []annot.Ref{{SeriesUID: in.SeriesUID, Class: in.SOPClass, SOPUID: in.SOPUID}}
		p.Areas = []annot.Area{{Area: render.Area{X0: 1, Y0: 1, X1: f.Cols(), Y1: f.Rows(), Mode: "SCALE TO FIT", Aspect: &[2]float64{1, 1}}}}
		p.Made = annot.Made{
			SOPUID: object.UID([16]byte{1, 1}), SeriesUID: object.UID([16]byte{1, 2}), SeriesNumber: 9001, InstanceNumber: 1,
			Date: "20260304", Time: "101112", Creator: "A^B",
		}
		file, err := annot.WritePresentation(&p, in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		back, err := annot.ReadPresentation(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := f.Present(render.Options{State: back.Render(in.SOPUID, 1)}).(*image.Gray)
		want, err := dcmp2pgm(dir, picture, file)
		if err != nil || len(want) != len(got.Pix) {
			t.Errorf("%s: %d pixels, dcmtk has %d: %v", name, len(got.Pix), len(want), err)
			continue
		}
		most, off := 0, 0
		for i := range want {
			d := max(int(want[i])-int(got.Pix[i]), int(got.Pix[i])-int(want[i]))
			if most = max(most, d); d > 1 {
				off++
			}
		}
		if off > 0 {
			t.Errorf("%s: up to %d grey levels, %d of %d pixels by more than 1", name, most, off, len(want))
		}
	}
}

func dcmp2pgm(dir, picture string, state []byte) ([]byte, error) {
	from, to := filepath.Join(dir, "state.dcm"), filepath.Join(dir, "out.pgm")
	if err := os.WriteFile(from, state, 0o600); err != nil {
		return nil, err
	}
	if out, err := exec.Command("dcmp2pgm", "-p", from, picture, to).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("dcmp2pgm: %w: %s", err, out)
	}
	b, err := os.ReadFile(to)
	if err != nil {
		return nil, err
	}
	fields := bytes.Fields(b[:min(len(b), 200)])
	var w, h int
	for i, v := range fields { // after comments: columns, rows, 255
		if string(v) == "255" && i >= 2 {
			if _, err := fmt.Sscan(string(fields[i-2]), &w); err != nil {
				return nil, err
			}
			if _, err := fmt.Sscan(string(fields[i-1]), &h); err != nil {
				return nil, err
			}
			break
		}
	}
	if w*h < 1 || len(b) < w*h {
		return nil, fmt.Errorf("no picture: %d × %d", w, h)
	}
	return b[len(b)-w*h:], nil
}
