//go:build unix

package codec_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
)

// Speed beside the reference tools, on the same frames in the same run:
//
//	go test ./consult/codec -run TestAgainstTools -v -tools
//
// A tool's time is processor time for many frames less that for few, so that
// its start does not count; ours is processor time of this process. Both write
// or check the cells.
var againstTools = flag.Bool("tools", false, "measure speed beside dcmtk and gdcm")

// onlyTools limits it to rivals whose name has this in it.
var onlyTools = flag.String("tools-only", "", "with -tools: names that contain this")

// fewFrames and manyFrames of 512 × 512: the difference is what is measured.
const fewFrames, manyFrames = 1, 25

// rival is one syntax: how it is encoded, which tools decode it, and the part
// of the best tool's speed that is required.
type rival struct {
	name   string
	bits   int
	encode string
	tools  []string
	share  float64
}

var rivals = []rival{
	{"RLE", 16, "dcmcrle", []string{"dcmdrle", "gdcmconv --raw"}, 1},
	{"JPEG baseline 8 bit", 8, "dcmcjpeg +eb +q 90", []string{"dcmdjpeg", "gdcmconv --raw"}, 0},
	{"JPEG extended 12 bit", 16, "dcmcjpeg +ee +q 90", []string{"dcmdjpeg", "gdcmconv --raw"}, 0},
	{"JPEG lossless", 16, "dcmcjpeg +e1", []string{"dcmdjpeg", "gdcmconv --raw"}, 1},
	{"JPEG lossless predictor 6", 16, "dcmcjpeg +el +sv 6", []string{"dcmdjpeg", "gdcmconv --raw"}, 1},
	{"JPEG-LS lossless", 16, "dcmcjpls", []string{"dcmdjpls", "gdcmconv --raw"}, 0.5},
	{"JPEG-LS near 2", 16, "dcmcjpls +en +md 2", []string{"dcmdjpls", "gdcmconv --raw"}, 0.5},
	{"JPEG 2000 lossless", 16, "gdcmconv --j2k", []string{"gdcmconv --raw"}, 0.5},
	{"JPEG 2000 irreversible", 16, "gdcmconv --j2k --lossy --irreversible -r 10", []string{"gdcmconv --raw"}, 0.5},
}

func TestAgainstTools(t *testing.T) {
	if !*againstTools {
		t.Skip("SKIP speed beside the tools: only with -tools")
	}
	t.Logf("%-26s %8s   %s", "MB/s of cells a core", "curbside", "tools")
	for _, r := range rivals {
		if !strings.Contains(r.name, *onlyTools) {
			continue
		}
		if _, err := exec.LookPath(strings.Fields(r.encode)[0]); err != nil {
			t.Logf("%-26s SKIP: %v", r.name, err)
			continue
		}
		r.run(t)
	}
}

func (r *rival) run(t *testing.T) {
	dir := t.TempDir()
	few, many := filepath.Join(dir, "few.dcm"), filepath.Join(dir, "many.dcm")
	frame := r.encoded(t, few, fewFrames)
	r.encoded(t, many, manyFrames)
	mb := float64(frame*(manyFrames-fewFrames)) / 1e6
	best, text := 0.0, ""
	for _, tool := range r.tools {
		d := cpuOf(t, tool, many) - cpuOf(t, tool, few)
		speed := mb / d.Seconds()
		best = max(best, speed)
		text += fmt.Sprintf("  %s %.1f", strings.Fields(tool)[0], speed)
	}
	ours := float64(frame*manyFrames) / 1e6 / ownTime(t, many).Seconds()
	t.Logf("%-26s %8.1f %s  (%.2f of the best, %.1f required)", r.name, ours, text, ours/best, r.share)
	if ours < r.share*best {
		t.Errorf("%s: %.1f MB/s, the best tool has %.1f", r.name, ours, best)
	}
}

// encoded writes a multi-frame file and compresses it in place; it returns the
// bytes of one frame.
func (r *rival) encoded(t *testing.T, path string, frames int) int {
	t.Helper()
	native := path + ".native"
	frame := writeMultiFrame(t, native, frames, r.bits)
	args := append(strings.Fields(r.encode), native, path)
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", r.encode, err, out)
	}
	return frame
}

// cpuOf is the least processor time of three runs.
func cpuOf(t *testing.T, tool, file string) time.Duration {
	t.Helper()
	var least time.Duration
	for range 3 {
		args := append(strings.Fields(tool), file, file+".out")
		c := exec.Command(args[0], args[1:]...)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", tool, err, out)
		}
		if d := c.ProcessState.UserTime() + c.ProcessState.SystemTime(); least == 0 || d < least {
			least = d
		}
	}
	return least
}

// ownTime decodes all frames of a file, the least of three times.
func ownTime(t *testing.T, path string) time.Duration {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	in, err := study.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	var least time.Duration
	for range 3 {
		from := processTime(t)
		for k := range in.Pixel.Frames {
			raw, err := in.FrameOf(bytes.NewReader(file), in.Size, k)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := codec.Decode(in.FrameDesc(k), raw); err != nil {
				t.Fatal(err)
			}
		}
		if d := processTime(t) - from; least == 0 || d < least {
			least = d
		}
	}
	return least
}

// processTime is what this process has used, its garbage collector too.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// writeMultiFrame writes slices of the phantom as one multi-frame secondary
// capture of 8 bits, or 12 in 16.
func writeMultiFrame(t *testing.T, path string, frames, bits int) int {
	t.Helper()
	const side = 512
	s := phantom.CT(phantom.Options{Seed: 11, Slices: frames, Side: side})
	var cells []byte
	for _, f := range s.Files {
		_, raw := firstFrame(t, f)
		if bits == 16 {
			cells = append(cells, raw...)
			continue
		}
		for i := 0; i < len(raw); i += 2 {
			cells = append(cells, byte(binary.LittleEndian.Uint16(raw[i:])>>4))
		}
	}
	stored := map[int]int{8: 8, 16: 12}[bits]
	if err := os.WriteFile(path, multiFrame(side, frames, bits, stored, cells), 0o600); err != nil {
		t.Fatal(err)
	}
	return len(cells) / frames
}

// multiFrame is a Multi-frame Grayscale Byte or Word Secondary Capture.
func multiFrame(side, frames, bits, stored int, cells []byte) []byte {
	class := map[int]string{8: "1.2.840.10008.5.1.4.1.1.7.2", 16: "1.2.840.10008.5.1.4.1.1.7.3"}[bits]
	var meta, set elements
	meta.put(0x0002, 0x0001, "OB", []byte{0, 1})
	meta.text(0x0002, 0x0002, "UI", class)
	meta.text(0x0002, 0x0003, "UI", "2.25.77")
	meta.text(0x0002, 0x0010, "UI", codec.ExplicitLE)
	meta.text(0x0002, 0x0012, "UI", "2.25.1")
	set.text(0x0008, 0x0016, "UI", class)
	set.text(0x0008, 0x0018, "UI", "2.25.77")
	set.text(0x0008, 0x0060, "CS", "OT")
	set.text(0x0010, 0x0010, "PN", "Phantom")
	set.text(0x0010, 0x0020, "LO", "P")
	set.text(0x0020, 0x000D, "UI", "2.25.78")
	set.text(0x0020, 0x000E, "UI", "2.25.79")
	set.us(0x0028, 0x0002, 1)
	set.text(0x0028, 0x0004, "CS", "MONOCHROME2")
	set.text(0x0028, 0x0008, "IS", fmt.Sprint(frames))
	set.us(0x0028, 0x0010, side)
	set.us(0x0028, 0x0011, side)
	set.us(0x0028, 0x0100, bits)
	set.us(0x0028, 0x0101, stored)
	set.us(0x0028, 0x0102, stored-1)
	set.us(0x0028, 0x0103, 0)
	set.put(0x7FE0, 0x0010, "OW", cells)
	var length elements
	length.put(0x0002, 0x0000, "UL", binary.LittleEndian.AppendUint32(nil, uint32(len(meta))))
	out := append(make([]byte, 128), "DICM"...)
	return append(append(append(out, length...), meta...), set...)
}

// elements are Explicit VR Little Endian bytes.
type elements []byte

func (e *elements) put(group, element uint16, vr string, v []byte) {
	b := binary.LittleEndian.AppendUint16(*e, group)
	b = append(binary.LittleEndian.AppendUint16(b, element), vr...)
	if vr[0] == 'O' {
		b = binary.LittleEndian.AppendUint32(append(b, 0, 0), uint32(len(v)))
	} else {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(v)))
	}
	*e = append(b, v...)
}

func (e *elements) text(group, element uint16, vr, v string) {
	if len(v)%2 != 0 {
		v += map[bool]string{true: "\x00", false: " "}[vr == "UI"]
	}
	e.put(group, element, vr, []byte(v))
}

func (e *elements) us(group, element uint16, v int) {
	e.put(group, element, "US", binary.LittleEndian.AppendUint16(nil, uint16(v)))
}
