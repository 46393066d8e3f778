package deid

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/suyashkumar/dicom/pkg/tag"

	"github.com/curbside-p2p/curbside/consult/study"
)

// element is one element in Explicit VR Little Endian.
func element(t study.Tag, vr string, value []byte) []byte {
	return append(appendHeader(nil, t, [2]byte{vr[0], vr[1]}, len(value), coding{}), value...)
}

func even(s string, vr string) []byte {
	if vr == "UI" {
		return pad(s, 0)
	}
	return pad(s, ' ')
}

// image is a file of a small image with more elements, which must ascend beside those it has.
func image(more map[study.Tag][]byte, tail []byte) []byte {
	us := func(n int) []byte { return []byte{byte(n), byte(n >> 8)} }
	base := map[study.Tag][]byte{
		0x00080016: element(0x00080016, "UI", even("1.2.840.10008.5.1.4.1.1.2", "UI")),
		0x00080018: element(0x00080018, "UI", even("1.2.826.0.1.777.3", "UI")),
		0x00080060: element(0x00080060, "CS", []byte("CT")),
		0x0020000D: element(0x0020000D, "UI", even("1.2.826.0.1.777.1", "UI")),
		0x0020000E: element(0x0020000E, "UI", even("1.2.826.0.1.777.2", "UI")),
		0x00280002: element(0x00280002, "US", us(1)),
		0x00280004: element(0x00280004, "CS", []byte("MONOCHROME2 ")),
		0x00280010: element(0x00280010, "US", us(4)),
		0x00280011: element(0x00280011, "US", us(4)),
		0x00280100: element(0x00280100, "US", us(16)),
		0x00280101: element(0x00280101, "US", us(12)),
		0x00280102: element(0x00280102, "US", us(11)),
		0x00280103: element(0x00280103, "US", us(0)),
		0x7FE00010: element(0x7FE00010, "OW", make([]byte, 32)),
	}
	maps.Copy(base, more)
	out := append(bytes.Repeat([]byte("CANARY00"), 16), "DICM"...)
	meta := element(0x00020010, "UI", even(explicitLE, "UI"))
	meta = append(meta, element(0x00020016, "AE", even("CANARYAE", "AE"))...)
	meta = append(meta, element(0x00020100, "UI", even("1.2.826.0.1.777.9", "UI"))...)
	meta = append(meta, element(0x00020102, "OB", even("CANARYMETA", "OB"))...)
	out = append(out, meta...)
	for _, t := range slices.Sorted(maps.Keys(base)) {
		out = append(out, base[t]...)
	}
	return append(out, tail...)
}

// canary is a value of a VR that must not be seen again.
func canary(vr string) string {
	switch vr {
	case "UI":
		return "1.2.826.0.1.777.77.77777"
	case "DA":
		return "19470317"
	case "DT":
		return "19470317121314"
	case "TM":
		return "CANARY"
	case "AS", "IS", "DS", "CS", "AE", "SH":
		return "CANARY7"
	}
	return "Canary Bird 7"
}

// leaks finds what must not be seen again, in several codings.
func leaks(b []byte) string {
	lower := bytes.ToLower(b)
	for _, v := range []string{"canary", "1.2.826.0.1.777", "19470317"} {
		for _, c := range append(codings(v), []byte(base64.StdEncoding.EncodeToString([]byte(v)))) {
			if bytes.Contains(lower, bytes.ToLower(c)) {
				return v
			}
		}
	}
	return ""
}

// texted are the attributes of the dictionary that hold text, UIDs or dates: testdata/tags.txt,
// which -rewrite makes anew, since asking the dictionary for every tag there could be takes seconds.
func texted(t *testing.T) map[study.Tag]string {
	t.Helper()
	const name = "testdata/tags.txt"
	if *rewrite {
		var b strings.Builder
		all := searched()
		for _, at := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&b, "%08X %s\n", uint32(at), all[at])
		}
		if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	out := map[study.Tag]string{}
	for line := range strings.Lines(string(b)) {
		var at uint32
		var vr string
		if _, err := fmt.Sscanf(line, "%X %s", &at, &vr); err != nil {
			t.Fatal(err)
		}
		out[study.Tag(at)] = vr
	}
	return out
}

func searched() map[study.Tag]string {
	out := map[study.Tag]string{}
	for group := uint32(8); group <= 0x4010; group += 2 {
		if group > 0x0100 && group < 0x0400 || group > 0x0410 && group < 0x2000 || group > 0x2200 && group < 0x3000 {
			continue
		}
		for e := uint32(1); e < 0xE200; e++ {
			if e == 0x1400 && group != 0x18 && group != 0x20 && group != 0x22 && group != 0x28 && group != 0x40 && group != 0x54 {
				break // only these have higher ones
			}
			info, err := tag.Find(tag.Tag{Group: uint16(group), Element: uint16(e)})
			if err != nil || len(info.VRs) == 0 {
				continue
			}
			switch vr := info.VRs[0]; vr {
			case "PN", "LO", "SH", "LT", "ST", "UT", "UC", "UR", "AE", "CS", "AS", "IS", "DS", "DA", "DT", "TM", "UI", "OB", "UN":
				out[study.Tag(group<<16|e)] = vr
			}
		}
	}
	for _, t := range []study.Tag{0x00080005, 0x00080016, 0x00080018, 0x00080060, 0x0020000D, 0x0020000E, 0x00280004, 0x00280008, 0x00280006, 0x00283006, 0x00281201} {
		delete(out, t) // what makes the file an image that can be read
	}
	return out
}

// TestCanary puts a canary into one attribute after the other, at the top level and nested twice,
// and looks for it in what is shared. Then it breaks the rule for that attribute: the canary must be
// found, or the test could not fail.
func TestCanary(t *testing.T) {
	c := testCase()
	n := 0
	for at, vr := range texted(t) {
		value := even(canary(vr), vr)
		inner := element(at, vr, value)
		item := append(appendTag(nil, itemTag, uint32(len(inner)), coding{}), inner...)
		deeper := element(0x00081140, "SQ", item)
		item2 := append(appendTag(nil, itemTag, uint32(len(deeper)), coding{}), deeper...)
		for where, more := range map[string]map[study.Tag][]byte{
			"top":    {at: inner},
			"nested": {0x00082112: element(0x00082112, "SQ", item2)},
		} {
			if at == 0x00082112 || uint16(at) == 0 {
				continue
			}
			file := image(more, nil)
			if at.Group() < 8 {
				continue
			}
			s, _, _ := opened(t, file)
			if leaks(s.Head) == "" {
				t.Fatalf("%s %s: the original has no canary", at, where)
			}
			out, err := c.Head(s, "k", nil)
			if err != nil {
				t.Fatalf("%s %s: %v", at, where, err)
			}
			if v := leaks(out.Bytes); v != "" {
				t.Errorf("%s %s %s (%s): %s is left", at, vr, where, NameOf(at), v)
			}
			broken := *c
			broken.spare = func(x study.Tag, _ string) bool { return x == at }
			if out, err = broken.Head(s, "k", nil); err != nil {
				t.Fatal(err)
			}
			if leaks(out.Bytes) == "" && !reserved[at] {
				t.Errorf("%s %s %s (%s): the rule is broken and nothing is noticed", at, vr, where, NameOf(at))
			}
			n++
		}
	}
	t.Logf("%d places", n)
	if n < 3000 && !testing.Short() {
		t.Errorf("only %d places", n)
	}
}

// reserved are written anew whatever the rule is.
var reserved = map[study.Tag]bool{0x00100010: true, 0x00100020: true, 0x00120062: true, 0x00120063: true, 0x00280303: true}

// TestCanaryPrivate does the same with private elements of every VR, sequences of them, overlays,
// curves, digital signatures, padding and bytes that belong to nothing.
func TestCanaryPrivate(t *testing.T) {
	c := testCase()
	text := even("Canary Bird 7", "LO")
	inPrivate := element(0x00111030, "LO", text)
	item := append(appendTag(nil, itemTag, uint32(len(inPrivate)), coding{}), inPrivate...)
	cases := map[string]map[study.Tag][]byte{
		"creator":          {0x00110010: element(0x00110010, "LO", text)},
		"safe creator":     {0x00190010: element(0x00190010, "LO", even("SIEMENS MR HEADER", "LO")), 0x0019100C: element(0x0019100C, "IS", even("CANARY", "IS"))},
		"unsafe element":   {0x00190010: element(0x00190010, "LO", even("SIEMENS MR HEADER", "LO")), 0x00191008: element(0x00191008, "LO", text)},
		"wrong vr":         {0x00190010: element(0x00190010, "LO", even("SIEMENS MR HEADER", "LO")), 0x0019100E: element(0x0019100E, "LO", text)},
		"private sequence": {0x00110010: element(0x00110010, "LO", even("X", "LO")), 0x00111001: element(0x00111001, "SQ", item)},
		"overlay":          {0x60000022: element(0x60000022, "LO", text), 0x60003000: element(0x60003000, "OB", even("CANARY BITS", "OB")), 0x60004000: element(0x60004000, "LT", text)},
		"curve":            {0x50000022: element(0x50000022, "LO", text), 0x50003000: element(0x50003000, "OB", text)},
		"signature":        {0xFFFAFFFA: element(0xFFFAFFFA, "SQ", item)},
		"padding":          {0xFFFCFFFC: element(0xFFFCFFFC, "OB", text)},
		"number as text":   {0x00280106: element(0x00280106, "LO", text), 0x00180050: element(0x00180050, "LO", text)},
		"unknown":          {0x00090001: element(0x00090001, "UN", text), 0x00087777: element(0x00087777, "UN", text)},
		"known as UN":      {0x00081030: element(0x00081030, "UN", text), 0x00180050: element(0x00180050, "UN", text)},
	}
	for _, vr := range []string{"LO", "PN", "UN", "OB", "UT", "CS", "SH", "DA"} {
		cases["private "+vr] = map[study.Tag][]byte{0x00110010: element(0x00110010, "LO", even("ACME", "LO")), 0x00111001: element(0x00111001, vr, text)}
	}
	for name, more := range cases {
		t.Run(name, func(t *testing.T) {
			s, _, _ := opened(t, image(more, nil))
			out, err := c.Head(s, "k", nil)
			if err != nil {
				t.Fatal(err)
			}
			if v := leaks(out.Bytes); v != "" {
				t.Errorf("%s is left", v)
			}
			broken := *c
			broken.spare = func(x study.Tag, _ string) bool { return more[x] != nil || x.Group() == 0x11 }
			if name == "private sequence" || name == "signature" {
				return // the sequence goes whole
			}
			if out, err = broken.Head(s, "k", nil); err != nil || leaks(out.Bytes) == "" {
				t.Errorf("the rule is broken and nothing is noticed (%v)", err)
			}
		})
	}
}

// TestCanaryBulk: places of pixel data where text hides.
func TestCanaryBulk(t *testing.T) {
	jpeg := append([]byte{0xFF, 0xD8, 0xFF, 0xFE, 0, 10}, "CANARY00"...)
	jpeg = append(jpeg, 0xFF, 0xE1, 0, 10)
	jpeg = append(jpeg, "CANARY00"...)
	jpeg = append(jpeg, 0xFF, 0xDA, 0, 4, 0, 0, 1, 2, 3, 0xFF, 0xD9)
	jpeg = append(jpeg, "CANARY00"...)
	j2k := []byte{0xFF, 0x4F, 0xFF, 0x51, 0, 4, 0, 0, 0xFF, 0x64, 0, 12, 0, 1}
	j2k = append(j2k, "CANARY00"...)
	j2k = append(j2k, 0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 16, 0, 1, 0xFF, 0x93, 1, 2, 0xFF, 0xD9)
	j2k = append(j2k, "CANARY00"...)
	rle := make([]byte, 64)
	binary.LittleEndian.PutUint32(rle, 1)
	binary.LittleEndian.PutUint32(rle[4:], 64)
	rle = append(append(rle, 0xF1, 7, 0x80), "CANARY000"...) // 16 times 7
	for name, stream := range map[string][]byte{"1.2.840.10008.1.2.4.50": jpeg, "1.2.840.10008.1.2.4.90": j2k, "1.2.840.10008.1.2.5": rle} {
		bulk := encapsulate([][]byte{stream})
		in := &study.Instance{TransferSyntax: name, BulkLen: int64(len(bulk))}
		in.Pixel.Rows, in.Pixel.Cols, in.Pixel.Frames = 4, 4, 1
		o := &study.Outline{Fragments: []study.Fragment{{Off: 16, Len: int64(len(stream))}}}
		got, err := CleanBulk(in, o, bytes.NewReader(bulk))
		if err != nil || got == nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if leaks(bulk) == "" || leaks(got.Bulk) != "" {
			t.Errorf("%s: a canary is left", name)
		}
	}
	// Native: bytes behind the pixels, and an overlay in their unused bits.
	file := image(map[study.Tag][]byte{
		0x7FE00010: element(0x7FE00010, "OW", append(bytes.Repeat([]byte{0xFF, 0xFF}, 16), "CANARY00"...)),
		0x60000102: element(0x60000102, "US", []byte{15, 0}),
	}, nil)
	s, in, bulk := opened(t, file)
	got, err := CleanBulk(in, s.Outline, bytes.NewReader(bulk))
	if err != nil || got == nil || leaks(got.Bulk) != "" || binary.LittleEndian.Uint16(got.Bulk) != 0x0FFF {
		t.Errorf("native: %v %v", got, err)
	}
	if len(got.Bulk) != len(bulk) {
		t.Error("native pixels changed their length")
	}
}

// TestNeedles: the check over what came out finds what a broken rule leaves, without knowing the rule.
func TestNeedles(t *testing.T) {
	c := testCase()
	for at, value := range map[study.Tag]string{
		0x00100010: "Quilla^Rosaura", 0x00100020: "MRN-884-221", 0x00080050: "ACC5512345", 0x00080080: "Hospital Regional de Puno",
		0x00081030: "CHEST Rosaura Quilla", 0x00204000: "call Dr Huamani 051-365-221", 0x00181030: "quilla protocol",
	} {
		vr := known(at)[0]
		file := image(map[study.Tag][]byte{at: element(at, vr, even(value, vr))}, nil)
		s, _, bulk := opened(t, file)
		out, err := c.Head(s, "k", nil)
		if err != nil {
			t.Fatal(err)
		}
		check := func(b []byte, off int64) *Hit {
			again, err := Open(b, off, bytes.NewReader(bulk), int64(len(bulk)))
			if err != nil {
				t.Fatal(err)
			}
			return NeedlesOf(s, c.Options).Check(again)
		}
		if h := check(out.Bytes, out.Off); h != nil {
			t.Errorf("%s: %v", at, h)
		}
		broken := *c
		broken.spare = func(x study.Tag, _ string) bool { return x == at }
		out, err = broken.Head(s, "k", nil)
		if err != nil {
			t.Fatal(err)
		}
		if h := check(out.Bytes, out.Off); h == nil && !reserved[at] {
			t.Errorf("%s: the rule is broken and the check does not notice", at)
		} else if h != nil && strings.Contains(strings.ToLower(h.Error()), "quilla") {
			t.Errorf("a hit says the value: %v", h)
		}
	}
}

func FuzzHead(f *testing.F) {
	f.Add(image(nil, nil))
	f.Add(image(map[study.Tag][]byte{0x00081030: element(0x00081030, "LO", even("CHEST Canary", "LO"))}, nil))
	f.Fuzz(func(t *testing.T, file []byte) {
		in, err := study.Parse(file)
		if err != nil {
			return
		}
		head, bulk := study.Split(file, in)
		off := int64(0)
		if len(bulk) > 0 {
			off = in.Off
		}
		s, err := Open(head, off, bytes.NewReader(bulk), int64(len(bulk)))
		if err != nil {
			return
		}
		c := testCase()
		out, err := c.Head(s, "k", nil)
		if err != nil {
			return
		}
		again, err := Open(out.Bytes, out.Off, bytes.NewReader(bulk), int64(len(bulk)))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		_ = NeedlesOf(s, c.Options).Check(again)
		_, _ = CleanBulk(in, s.Outline, bytes.NewReader(bulk))
		if b := fmt.Sprint(out.Changes); leaks([]byte(b)) != "" {
			t.Fatal("changes say a value")
		}
	})
}
