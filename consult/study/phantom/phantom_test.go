package phantom

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/study"
)

func TestCTParses(t *testing.T) {
	s := CT(Options{Seed: 7, Slices: 9, PatientName: "Prüfer^Zoë", Canary: []byte("canary-bytes-0001")})
	for i, file := range s.Files {
		in, err := study.Parse(file)
		if err != nil {
			t.Fatal(err)
		}
		if in.Patient.Name != "Prüfer^Zoë" || in.SOPUID != s.SOPUIDs[i] || in.StudyUID != s.StudyUID || in.SeriesUID != s.SeriesUID {
			t.Errorf("slice %d: identity differs", i)
		}
		if len(in.Findings) > 0 || in.NotSplit || in.BulkLen != 512*512*2 {
			t.Errorf("slice %d: findings %v, bulk %d", i, in.Findings, in.BulkLen)
		}
		_, bulk := study.Split(file, in)
		if !bytes.Contains(bulk, []byte("canary-bytes-0001")) {
			t.Error("no canary in the pixels")
		}
	}
}

func TestDeterministic(t *testing.T) {
	a, b := CT(Options{Seed: 3, Slices: 2}), CT(Options{Seed: 3, Slices: 2})
	for i := range a.Files {
		if !bytes.Equal(a.Files[i], b.Files[i]) {
			t.Errorf("slice %d differs", i)
		}
	}
	if c := CT(Options{Seed: 4, Slices: 1}); c.StudyUID == a.StudyUID {
		t.Error("another seed gives the same study")
	}
}

// The lesion is where it is said to be, of the HU it is said to have.
func TestLesion(t *testing.T) {
	for seed := range uint64(5) {
		s := CT(Options{Seed: seed, Slices: 20})
		if s.Lesion.Diam < 8 || s.Lesion.Diam > 12 {
			t.Errorf("seed %d: diameter %.1f", seed, s.Lesion.Diam)
		}
		in, err := study.Parse(s.Files[s.Lesion.Slice])
		if err != nil {
			t.Fatal(err)
		}
		_, bulk := study.Split(s.Files[s.Lesion.Slice], in)
		sum := 0.0
		n := 0
		for dy := -2; dy <= 2; dy++ {
			for dx := -2; dx <= 2; dx++ {
				at := (int(s.Lesion.Y)+dy)*512 + int(s.Lesion.X) + dx
				sum += float64(binary.LittleEndian.Uint16(bulk[2*at:])) + intercept
				n++
			}
		}
		if mean := sum / float64(n); mean < s.Lesion.MeanHU-10 || mean > s.Lesion.MeanHU+10 {
			t.Errorf("seed %d: mean %.1f HU", seed, mean)
		}
	}
}

func TestDciodvfy(t *testing.T) {
	tool, err := exec.LookPath("dciodvfy")
	if err != nil {
		t.Skip("SKIP dciodvfy is not installed: conformance not checked")
	}
	path := filepath.Join(t.TempDir(), "ct.dcm")
	if err := os.WriteFile(path, CT(Options{Seed: 1, Slices: 1}).Files[0], 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(tool, path).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Error") {
			t.Error(strings.TrimSpace(line))
		}
	}
	t.Log(string(out))
}

func BenchmarkCT(b *testing.B) {
	b.SetBytes(60 * 512 * 512 * 2)
	for b.Loop() {
		CT(Options{Seed: 1})
	}
}
