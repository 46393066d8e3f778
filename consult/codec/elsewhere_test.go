package codec

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// elsewhere has a tool decode a stream, in a file around it.
func elsewhere(t *testing.T, tool string, d FrameDesc, stream []byte) ([]byte, bool) {
	t.Helper()
	args := bytes.Fields([]byte(tool))
	path, err := exec.LookPath(string(args[0]))
	if err != nil {
		t.Logf("SKIP %s is not installed: streams not compared with it", args[0])
		return nil, false
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.dcm"), filepath.Join(dir, "out.dcm")
	if err := os.WriteFile(in, dicomFile(d, stream), 0o600); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, a := range args[1:] {
		list = append(list, string(a))
	}
	if msg, err := exec.Command(path, append(list, in, out)...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", tool, err, msg)
		return nil, false
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(b, []byte{0xE0, 0x7F, 0x10, 0x00})
	n := d.cells() * d.BitsAllocated / 8
	if at < 0 || at+12+n > len(b) {
		t.Errorf("%s: no pixels", tool)
		return nil, false
	}
	return b[at+12 : at+12+n], true
}

// dicomFile is a secondary capture around one fragment.
func dicomFile(d FrameDesc, stream []byte) []byte {
	var set []byte
	put := func(group, element uint16, vr string, v []byte) {
		if len(v)%2 != 0 {
			v = append(v, map[bool]byte{true: 0, false: ' '}[vr == "UI"])
		}
		set = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(set, group), element)
		set = append(set, vr...)
		if vr == "OB" {
			set = append(set, 0, 0)
			set = binary.LittleEndian.AppendUint32(set, uint32(len(v)))
		} else {
			set = binary.LittleEndian.AppendUint16(set, uint16(len(v)))
		}
		set = append(set, v...)
	}
	us := func(element uint16, v int) {
		put(0x28, element, "US", binary.LittleEndian.AppendUint16(nil, uint16(v)))
	}
	const class = "1.2.840.10008.5.1.4.1.1.7"
	put(2, 1, "OB", []byte{0, 1})
	put(2, 2, "UI", []byte(class))
	put(2, 3, "UI", []byte("2.25.77"))
	put(2, 16, "UI", []byte(d.Syntax))
	put(2, 18, "UI", []byte("2.25.1"))
	length := binary.LittleEndian.AppendUint32([]byte{2, 0, 0, 0, 'U', 'L', 4, 0}, uint32(len(set)))
	out := append(append(append(make([]byte, 128), "DICM"...), length...), set...)
	set = nil
	put(8, 0x16, "UI", []byte(class))
	put(8, 0x18, "UI", []byte("2.25.77"))
	put(8, 0x60, "CS", []byte("OT"))
	put(0x10, 0x20, "LO", []byte("P"))
	put(0x20, 0x0D, "UI", []byte("2.25.78"))
	put(0x20, 0x0E, "UI", []byte("2.25.79"))
	us(2, d.Samples)
	put(0x28, 4, "CS", []byte(map[int]string{1: "MONOCHROME2", 3: "RGB"}[d.Samples]))
	if d.Samples == 3 {
		us(6, 0)
	}
	us(0x10, d.Rows)
	us(0x11, d.Cols)
	us(0x100, d.BitsAllocated)
	us(0x101, d.BitsStored)
	us(0x102, d.BitsStored-1)
	us(0x103, 0)
	out = append(out, set...)
	if len(stream)%2 != 0 {
		stream = append(bytes.Clone(stream), 0)
	}
	item := []byte{0xFE, 0xFF, 0x00, 0xE0}
	out = append(out, 0xE0, 0x7F, 0x10, 0, 'O', 'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF)
	out = append(append(out, item...), 0, 0, 0, 0)
	out = binary.LittleEndian.AppendUint32(append(out, item...), uint32(len(stream)))
	return append(append(out, stream...), 0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0)
}
