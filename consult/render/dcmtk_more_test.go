package render

import (
	"image"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/curbside-p2p/curbside/consult/study"
)

// Overlays, the sigmoid function, shapes and turns beside dcmtk, to ±1 level, on
// the files of the corpus that have them.
func TestDCMTKMore(t *testing.T) {
	if _, err := exec.LookPath("dcm2pnm"); err != nil {
		t.Skip("SKIP dcm2pnm is not installed: overlays and shapes are not compared with dcmtk")
	}
	dir := corpusDir(t)
	w := &study.Window{Centre: 300, Width: 700}
	for name, c := range map[string]struct {
		file string
		args []string
		o    Options
		turn Turn
	}{
		"overlay in its group":     {"pydicom/examples_overlay.dcm", []string{"+Ww", "300", "700"}, Options{Window: w}, Turn{}},
		"overlay in the cells":     {"dcm4che/ovly_p01.dcm", []string{"+Ww", "300", "700"}, Options{Window: w}, Turn{}},
		"siemens overlays":         {"pydicom-data/MR-SIEMENS-DICOM-WithOverlays.dcm", []string{"+Ww", "300", "700"}, Options{Window: w}, Turn{}},
		"overlays beyond borders":  {"fo-dicom/OutOfBoundsOverlay.dcm", []string{"+Ww", "300", "700"}, Options{Window: w}, Turn{}},
		"sigmoid":                  {"pydicom/CT_small.dcm", []string{"-O", "+Ww", "300", "700", "+Wfs"}, Options{Window: w, Function: Sigmoid}, Turn{}},
		"sigmoid of monochrome1":   {"highdicom/dx_image.dcm", []string{"-O", "+Ww", "300", "700", "+Wfs"}, Options{Window: w, Function: Sigmoid}, Turn{}},
		"shape inverse":            {"pydicom/CT_small.dcm", []string{"-O", "+Ww", "300", "700", "+Piv"}, Options{State: &Presentation{Window: w, Shape: "INVERSE"}}, Turn{}},
		"turned right":             {"pydicom/CT_small.dcm", []string{"-O", "+Ww", "300", "700", "+Rr"}, Options{Window: w}, Turn{}.Right()},
		"turned left":              {"pydicom/CT_small.dcm", []string{"-O", "+Ww", "300", "700", "+Rl"}, Options{Window: w}, Turn{}.Left()},
		"flipped":                  {"pydicom/CT_small.dcm", []string{"-O", "+Ww", "300", "700", "+Lh"}, Options{Window: w}, Turn{}.Horizontal()},
		"flipped upside down":      {"pydicom/CT_small.dcm", []string{"-O", "+Ww", "300", "700", "+Lv"}, Options{Window: w}, Turn{}.Vertical()},
		"turned right and flipped": {"pydicom/CT_small.dcm", []string{"-O", "+Ww", "300", "700", "+Rr", "+Lh"}, Options{Window: w}, Turn{}.Right().Horizontal()},
	} {
		path := filepath.Join(dir, c.file)
		f, in, err := load(path, 0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		from, err := native(t, path, in.TransferSyntax)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, err := pnm(t, from, c.args...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := c.turn.Image(f.Draw(c.o)).(*image.Gray).Pix
		if len(got) != len(want) {
			t.Errorf("%s: %d pixels, dcmtk has %d", name, len(got), len(want))
			continue
		}
		off := 0
		for i := range want {
			if d := int(got[i]) - int(want[i]); d < -1 || d > 1 {
				off++
			}
		}
		if off > 0 {
			t.Errorf("%s: %d of %d pixels differ by more than 1", name, off, len(want))
		}
		t.Logf("%s: %d overlays, %d pixels, %d off", name, len(f.overlays), len(want), off)
	}
}
