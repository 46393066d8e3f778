package codec

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/vectors again")

// A vector is a packed bulk: headers expect, comment, codec, length (of the
// bulk), and for accepted ones bulk, the unpacked bytes in hex. What a release
// wrote is opened for ever, so they are not written again lightly:
//
//	go test ./consult/codec -run Vectors -rewrite
const vectors = "testdata/vectors/codec"

var expects = map[string]error{
	"header": ErrHeader, "sizes": ErrSizes, "unit-size": ErrUnitSize, "window": ErrWindow, "trailing": ErrTrailing,
	"frame": ErrFrame, "limit": ErrLimit, "length": ErrWantLength,
}

func TestPackedVectors(t *testing.T) {
	if *rewrite {
		writeVectors(t)
	}
	files, err := filepath.Glob(vectors + "/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d vectors: %v", len(files), err)
	}
	for _, path := range files {
		head, body := readVector(t, path)
		codec, _ := strconv.Atoi(head["codec"])
		length, _ := strconv.ParseUint(head["length"], 10, 64)
		got, err := Unpack(byte(codec), body, length, nil)
		if head["expect"] != "ok" {
			if want := expects[head["expect"]]; want == nil || !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %s", path, err, head["expect"])
			}
			continue
		}
		want, _ := hex.DecodeString(head["bulk"])
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func readVector(t *testing.T, path string) (map[string]string, []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(b), "\n\n")
	m := map[string]string{}
	for line := range strings.Lines(head) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), ": ")
		m[k] = v
	}
	out, err := hex.DecodeString(strings.Join(strings.Fields(body), ""))
	if err != nil {
		t.Fatal(err)
	}
	return m, out
}

// packForced packs whatever it saves, so that small vectors can be written.
func packForced(bulk []byte, l Layout) []byte {
	h, _ := plan(int64(len(bulk)), l)
	out := h.append(nil)
	var frames [][]byte
	for i := range uint64(h.units) {
		frames = append(frames, h.packUnit(bulk[i*h.unit:(i+1)*h.unit]))
		out = binary.BigEndian.AppendUint32(out, uint32(len(frames[i])))
	}
	return append(append(out, bytes.Join(frames, nil)...), bulk[uint64(len(bulk))-h.tail:]...)
}

func writeVectors(t *testing.T) {
	t.Helper()
	if err := os.MkdirAll(vectors, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, expect string, codec byte, length uint64, body, bulk []byte) {
		var out bytes.Buffer
		fmt.Fprintf(&out, "expect: %s\ncomment: %s\ncodec: %d\nlength: %d\n", expect, name, codec, length)
		if expect == "ok" {
			fmt.Fprintf(&out, "bulk: %x\n", bulk)
		}
		fmt.Fprintf(&out, "\n%x\n", body)
		if err := os.WriteFile(filepath.Join(vectors, name+".txt"), out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(11, 12))
	for name, l := range map[string]Layout{
		"ok-16": {Rows: 5, Cols: 7, Samples: 1, Bytes: 2}, "ok-16-signed": {Rows: 5, Cols: 7, Samples: 1, Bytes: 2, Signed: true},
		"ok-16-big-endian": {Rows: 5, Cols: 7, Samples: 1, Bytes: 2, BigEndian: true}, "ok-8": {Rows: 5, Cols: 7, Samples: 1, Bytes: 1},
		"ok-8-signed": {Rows: 5, Cols: 7, Samples: 1, Bytes: 1, Signed: true}, "ok-3-samples": {Rows: 4, Cols: 4, Samples: 3, Bytes: 1},
		"ok-1x1": {Rows: 1, Cols: 1, Samples: 1, Bytes: 2}, "ok-one-row": {Rows: 1, Cols: 30, Samples: 1, Bytes: 2},
		"ok-one-column": {Rows: 30, Cols: 1, Samples: 1, Bytes: 2}, "ok-32-bit": {Rows: 3, Cols: 3, Samples: 1, Bytes: 4},
	} {
		l.Unit = int64(l.Rows * l.Cols * l.Samples * l.Bytes)
		bulk := smooth(2*int(l.Unit)+3, r) // two frames and an odd tail
		body := packForced(bulk, l)
		write(name, "ok", body[0], uint64(len(bulk)), body, bulk)
	}
	equal := bytes.Repeat([]byte{7}, 600)
	l := Layout{Rows: 10, Cols: 10, Samples: 1, Bytes: 2, Unit: 200}
	good := packForced(equal, l)
	write("ok-all-equal", "ok", 2, 600, good, equal)
	write("ok-codec-0", "ok", 0, 600, equal, equal)
	edit := func(at int, v byte) []byte { b := bytes.Clone(good); b[at] = v; return b }
	frameAt := headerLen + 3*4
	bomb := bytes.Clone(good[:frameAt])
	frame := compress(make([]byte, 1<<20), plainEncoders)
	binary.BigEndian.PutUint32(bomb[headerLen:], uint32(len(frame)))
	bomb = append(append(bomb, frame...), good[frameAt+int(binary.BigEndian.Uint32(good[headerLen:])):]...)
	window := Layout{}
	wide := packForced(make([]byte, 10), window)
	wide = append(wide[:headerLen+4], 0x28, 0xB5, 0x2F, 0xFD, 0xA0, 0, 0, 0, 0x40, 1, 0, 0)
	binary.BigEndian.PutUint32(wide[headerLen:], 12)
	binary.BigEndian.PutUint64(wide[16:], 1<<30)
	for name, v := range map[string]struct {
		expect string
		codec  byte
		length uint64
		body   []byte
	}{
		"header-cut": {"header", 2, 600, good[:20]}, "header-samples": {"header", 2, 600, edit(2, 9)}, "header-flags": {"header", 2, 600, edit(3, 8)},
		"header-rows-lie": {"header", 2, 600, edit(7, 11)}, "header-codec-differs": {"header", 1, 600, good},
		"sizes-lie": {"sizes", 2, 600, edit(headerLen, 0x70)}, "sizes-cut": {"sizes", 2, 600, good[:len(good)-1]},
		"trailing-byte": {"trailing", 2, 600, append(bytes.Clone(good), 0)}, "length-differs": {"length", 2, 601, good},
		"length-codec-0": {"length", 0, 5, equal[:4]}, "frame-bomb": {"unit-size", 2, 600, bomb}, "frame-garbage": {"frame", 2, 600, edit(frameAt, 0)},
		"window-too-big": {"window", 1, 1 << 30, wide}, "limit-units": {"limit", 2, 600, edit(12, 0x7F)},
	} {
		write(v.expect+"-"+strings.TrimPrefix(name, v.expect+"-"), v.expect, v.codec, v.length, v.body, nil)
	}
}
