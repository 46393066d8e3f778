package study

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/corpustest"
)

// Builders of small files, Explicit VR Little Endian unless said otherwise.

func el(t Tag, vr string, v []byte) []byte {
	return elLen(t, vr, v, uint32(len(v)))
}

func elLen(t Tag, vr string, v []byte, n uint32) []byte {
	out := appendHeader(nil, t, [2]byte{vr[0], vr[1]}, 0)
	if longVR[vr] {
		binary.LittleEndian.PutUint32(out[8:], n)
	} else {
		binary.LittleEndian.PutUint16(out[6:], uint16(n))
	}
	return append(out, v...)
}

func str(t Tag, vr, v string) []byte {
	if len(v)%2 != 0 {
		v += map[bool]string{true: "\x00", false: " "}[vr == "UI"]
	}
	return el(t, vr, []byte(v))
}

func us(t Tag, v uint16) []byte { return el(t, "US", binary.LittleEndian.AppendUint16(nil, v)) }

func item(n uint32, v ...[]byte) []byte {
	out := []byte{0xFE, 0xFF, 0x00, 0xE0}
	out = binary.LittleEndian.AppendUint32(out, n)
	return append(out, bytes.Join(v, nil)...)
}

var seqEnd = []byte{0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0}

func meta(syntax string) []byte {
	return append(append(make([]byte, 128), "DICM"...), str(0x00020010, "UI", syntax)...)
}

const (
	le       = "1.2.840.10008.1.2.1"
	rle      = "1.2.840.10008.1.2.5"
	deflated = "1.2.840.10008.1.2.1.99"
)

func identity() []byte {
	return bytes.Join([][]byte{
		str(tagSOPClass, "UI", "1.2.840.10008.5.1.4.1.1.2"), str(tagSOPInstance, "UI", "1.2.3.4"),
		str(tagPatientName, "PN", "Canary^Name"), str(tagStudyUID, "UI", "1.2.3"), str(tagSeriesUID, "UI", "1.2.3.1"),
	}, nil)
}

func shape(rows, cols, bits uint16, frames string) []byte {
	return bytes.Join([][]byte{
		us(0x00280002, 1), str(0x00280004, "CS", "MONOCHROME2"), str(0x00280008, "IS", frames),
		us(0x00280010, rows), us(0x00280011, cols), us(0x00280100, bits), us(0x00280101, bits), us(0x00280102, bits-1), us(0x00280103, 0),
	}, nil)
}

func file(syntax string, parts ...[]byte) []byte {
	return append(meta(syntax), bytes.Join(parts, nil)...)
}

func native(pixels int) []byte {
	return file(le, identity(), shape(4, 4, 16, "1"), el(tagPixelData, "OW", make([]byte, pixels)))
}

func encapsulated(offsets []byte, fragments ...[]byte) []byte {
	out := elLen(tagPixelData, "OB", item(uint32(len(offsets)), offsets), undefined)
	for _, f := range fragments {
		out = append(out, item(uint32(len(f)), f)...)
	}
	return append(out, seqEnd...)
}

func deflate(b []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, 6)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func TestRefusals(t *testing.T) {
	deep := func(n int) []byte {
		var b []byte
		for range n {
			b = append(b, elLen(0x00081140, "SQ", item(undefined), undefined)...)
		}
		return b
	}
	items := bytes.Repeat(item(0), ItemsMax+1)
	private := make([]byte, 0, 8*(SetElementsMax+1))
	for range SetElementsMax + 1 {
		private = append(private, el(0x00091001, "SH", nil)...)
	}
	for name, c := range map[string]struct {
		file   []byte
		reason string
	}{
		"empty":                  {nil, Empty},
		"no prefix":              {make([]byte, 200), NotDICOM},
		"no syntax":              {append(make([]byte, 128), "DICM"...), NotDICOM},
		"unknown syntax":         {meta("1.2.3.4"), UnknownSyntax},
		"no uids":                {file(le, str(tagPatientName, "PN", "x")), MissingUID},
		"value beyond file":      {file(le, identity(), elLen(0x00400010, "UT", nil, 1000)), Truncated},
		"2 GiB value":            {file(le, identity(), elLen(0x00091010, "UN", nil, 1<<31)), Truncated},
		"cut header":             {file(le, identity(), []byte{0x28, 0}), Truncated},
		"depth":                  {file(le, identity(), deep(DepthMax+1)), OverLimit},
		"items":                  {file(le, identity(), el(0x00081140, "SQ", items)), OverLimit},
		"elements":               {file(le, identity(), private), OverLimit},
		"item out of place":      {file(le, identity(), item(0)), Damaged},
		"inner beyond outer":     {file(le, el(0x00081140, "SQ", item(10, elLen(0x00080050, "SH", []byte("ab"), 50))), identity(), make([]byte, 100)), Damaged},
		"undefined length on UT": {file(le, identity(), elLen(0x00400010, "UT", nil, undefined)), Damaged},
		"group 0000":             {file(le, el(0x00000002, "UI", nil), identity()), Damaged},
		"second meta":            {file(le, str(0x00020010, "UI", le), identity(), str(0x00020010, "UI", rle)), Damaged},
		"two names":              {file(le, identity(), str(tagPatientName, "PN", "Other")), Damaged},
		"no pixels":              {file(le, identity(), shape(4, 4, 16, "1")), Truncated},
		"short pixels":           {native(30), Truncated},
		"frames over pixels":     {file(le, identity(), shape(4, 4, 16, "2"), el(tagPixelData, "OW", make([]byte, 32))), Truncated},
		"frames no number":       {file(le, identity(), shape(4, 4, 16, "1e9"), el(tagPixelData, "OW", make([]byte, 32))), Damaged},
		"bits 24":                {file(le, identity(), shape(4, 4, 24, "1"), el(tagPixelData, "OW", make([]byte, 64))), Damaged},
		"two pixel elements":     {append(native(32), el(tagPixelData, "OW", make([]byte, 32))...), Damaged},
		"encapsulated in native": {file(le, identity(), shape(4, 4, 8, "1"), encapsulated(nil, make([]byte, 8))), Damaged},
		"native in encapsulated": {file(rle, identity(), shape(4, 4, 8, "1"), el(tagPixelData, "OB", make([]byte, 16))), Damaged},
		"no fragments":           {file(rle, identity(), shape(4, 4, 8, "1"), encapsulated(nil)), Truncated},
		"unclosed fragments":     {file(rle, identity(), shape(4, 4, 8, "1"), encapsulated(nil, make([]byte, 8)))[:len(file(rle, identity(), shape(4, 4, 8, "1"), encapsulated(nil, make([]byte, 8))))-8], Truncated},
		"too many fragments":     {file(rle, identity(), shape(4, 4, 8, "1"), encapsulated(nil, make([][]byte, FragmentsExtra+5)...)), OverLimit},
		"large head":             {file(le, identity(), el(0x00091010, "UN", make([]byte, HeadMax+2))), OverLimit},
		"cut deflate":            {file(deflated, deflate(identity())[:20]), Truncated},
		"deflate garbage":        {file(deflated, []byte{0xFF, 0xFF, 0xFF}), Damaged},
		"deflate bomb":           {file(deflated, deflate(append(identity(), el(0x00091010, "UN", make([]byte, HeadMax+2))...))), OverLimit},
		"media directory":        {append(append(append(make([]byte, 128), "DICM"...), str(0x00020002, "UI", mediaDirectory)...), str(0x00020010, "UI", le)...), Directory},
	} {
		_, err := Parse(c.file)
		r, ok := errors.AsType[*Refusal](err)
		if !ok || r.Reason != c.reason {
			t.Errorf("%s: got %v, want %s", name, err, c.reason)
		}
		if err != nil && strings.Contains(err.Error(), "Canary") {
			t.Errorf("%s: the error holds a value", name)
		}
	}
}

func TestAccepts(t *testing.T) {
	for name, b := range map[string][]byte{
		"native":            native(32),
		"padded":            native(40),
		"no image":          file(le, identity()),
		"trailing padding":  append(native(32), el(0xFFFCFFFC, "OB", make([]byte, 10))...),
		"un sequence":       file(le, identity(), elLen(0x00091010, "UN", item(undefined, []byte{8, 0, 0x50, 0, 2, 0, 0, 0, 'a', 'b'}, []byte{0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0}, seqEnd), undefined)),
		"encapsulated":      file(rle, identity(), shape(4, 4, 8, "1"), encapsulated(nil, make([]byte, 8))),
		"deflated":          file(deflated, deflate(append(append(identity(), shape(4, 4, 16, "1")...), el(tagPixelData, "OW", make([]byte, 32))...))),
		"nested pixel data": file(le, identity(), el(0x00880200, "SQ", item(uint32(len(el(tagPixelData, "OW", make([]byte, 8)))), el(tagPixelData, "OW", make([]byte, 8))))),
	} {
		in, err := Parse(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		head, bulk := Split(b, in)
		back, err := Join(head, bulk, in.Off)
		if err != nil || !bytes.Equal(back, b) {
			t.Errorf("%s: split and join differ: %v", name, err)
		}
		if bytes.Contains(bulk, []byte("Canary")) {
			t.Errorf("%s: a name in the bulk", name)
		}
		wantBulk := strings.Contains("native padded encapsulated trailing padding", name)
		if (len(bulk) > 0) != wantBulk {
			t.Errorf("%s: bulk of %d bytes", name, len(bulk))
		}
		if bulk == nil {
			continue
		}
		again, err := ParseJoined(head, in.Off, bytes.NewReader(bulk), in.BulkLen)
		if err != nil || again.SOPUID != in.SOPUID || again.Off != in.Off || again.BulkLen != in.BulkLen {
			t.Errorf("%s: parsed from its parts: %v", name, err)
		}
	}
}

// Native pixels are not read: the head alone describes the instance.
func TestParseJoinedWithoutBulk(t *testing.T) {
	b := native(32)
	in, _ := Parse(b)
	head, bulk := Split(b, in)
	if again, err := ParseJoined(head, in.Off, nil, int64(len(bulk))); err != nil || again.Pixel.Rows != 4 {
		t.Errorf("got %v", err)
	}
	if _, err := ParseJoined(head, int64(len(head))+1, nil, 2); err == nil {
		t.Error("offset beyond the head accepted")
	}
}

func TestFrameIndex(t *testing.T) {
	frag := func(n int) []byte { return append([]byte{0xFF, 0xD8, 0xFF, 0xE0}, make([]byte, n-4)...) }
	cont := make([]byte, 8)
	offsets := func(v ...uint32) (b []byte) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, x)
		}
		return b
	}
	for name, c := range map[string]struct {
		frames    string
		offsets   []byte
		fragments [][]byte
		want      []int // fragments of each frame; nil if they cannot be separated
	}{
		"one frame, many fragments": {"1", nil, [][]byte{cont, cont, cont}, []int{3}},
		"one each":                  {"3", nil, [][]byte{cont, cont, cont}, []int{1, 1, 1}},
		"offset table":              {"2", offsets(0, 32), [][]byte{cont, cont, cont}, []int{2, 1}},
		"wrong table, one each":     {"2", offsets(0, 5), [][]byte{cont, cont}, []int{1, 1}},
		"wrong table, scanned":      {"2", offsets(16, 0), [][]byte{frag(8), cont, frag(8)}, []int{2, 1}},
		"scanned":                   {"2", nil, [][]byte{frag(8), frag(8), cont}, []int{1, 2}},
		"delimiter inside":          {"2", nil, [][]byte{append(bytes.Clone(seqEnd), seqEnd...), item(0)}, []int{1, 1}},
		"cannot be separated":       {"2", nil, [][]byte{cont, cont, cont}, nil},
	} {
		b := file(rle, identity(), shape(4, 4, 8, c.frames), encapsulated(c.offsets, c.fragments...))
		in, err := Parse(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.want == nil {
			if _, err := in.FrameRanges(0); !errors.Is(err, ErrFramesMixed) {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		at := 0
		for k, n := range c.want {
			got, err := in.ReadFrame(in.BulkOf(bytes.NewReader(b)), k)
			want := bytes.Join(c.fragments[at:at+n], nil)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: frame %d: %x (%v), want %x", name, k, got, err, want)
			}
			at += n
		}
		if _, err := in.FrameRanges(len(c.want)); !errors.Is(err, ErrNoFrame) {
			t.Errorf("%s: a frame too many: %v", name, err)
		}
	}
}

// Hostile files stay within 512 MB and 10 s: here, of what Parse allocates.
func TestHostileMemory(t *testing.T) {
	dir := corpustest.Dir(t)
	debug.FreeOSMemory()
	var before, after runtime.MemStats
	for _, r := range corpustest.Rows(t, filepath.Join(dir, "MANIFEST.tsv")) {
		if !strings.HasPrefix(r["file"], "hostile/") {
			continue
		}
		b := readCorpus(t, dir, r["file"])
		runtime.ReadMemStats(&before)
		_, _ = Parse(b)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 256<<20 {
			t.Errorf("%s: %d MiB allocated", r["file"], n>>20)
		}
	}
}

func seedFiles(f *testing.F) {
	f.Helper()
	f.Add(native(32))
	f.Add(file(rle, identity(), shape(4, 4, 8, "2"), encapsulated(make([]byte, 8), make([]byte, 8), make([]byte, 8))))
	f.Add(file(deflated, deflate(identity())))
	f.Add(file("1.2.840.10008.1.2", []byte{8, 0, 0x18, 0, 4, 0, 0, 0, '1', '.', '2', 0}))
	f.Add(file(le, identity(), el(tagModalityLUT, "SQ", item(20, el(0x00283002, "US", []byte{2, 0, 0, 0, 8, 0}), us(0x00283006, 5)[:6]))))
}

func FuzzGuard(f *testing.F) {
	seedFiles(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Guard(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if _, ok := errors.AsType[*Refusal](err); !ok {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		for _, e := range o.Elements {
			if e.Length < 0 || o.Inflated == 0 && e.Value+e.Length > int64(len(b)) {
				t.Fatalf("%v lies outside the file", e.Tag)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	seedFiles(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := Parse(b)
		if err != nil {
			return
		}
		head, bulk := Split(b, in)
		back, err := Join(head, bulk, in.Off)
		if err != nil || !bytes.Equal(back, b) {
			t.Fatalf("split and join differ: %v", err)
		}
		for k := range min(in.Pixel.Frames, 3) {
			ranges, err := in.FrameRanges(k)
			if err != nil || in.NotSplit {
				continue
			}
			for _, r := range ranges {
				if r.Off < 0 || r.Len < 0 || r.Off+r.Len > in.BulkLen {
					t.Fatalf("frame %d lies outside the bulk", k)
				}
			}
		}
	})
}

func FuzzDICOMDIR(f *testing.F) {
	record := str(tagFileID, "CS", "A\\B")
	m := append(append(append(make([]byte, 128), "DICM"...), str(0x00020002, "UI", mediaDirectory)...), str(0x00020010, "UI", le)...)
	f.Add(append(m, el(tagDirRecords, "SQ", item(uint32(len(record)), record))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		ids, err := ReadDICOMDIR(b)
		if err != nil {
			return
		}
		for _, id := range ids {
			if !filepath.IsLocal(filepath.FromSlash(id)) {
				t.Fatalf("%q leaves the folder", id)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	f := append(native(32), el(0xFFFCFFFC, "OB", make([]byte, 512<<10))...)
	b.SetBytes(int64(len(f)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseAt(bytes.NewReader(f), int64(len(f))); err != nil {
			b.Fatal(err)
		}
	}
}
