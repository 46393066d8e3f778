package exchange

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/vectest"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

var update = flag.Bool("update", false, "write the vectors")

const vectorDir = "testdata/vectors/frame"

// vectors of frames: the body is a whole frame, and what a reader must say of it.
func vectors() []vectest.Vector {
	var out []vectest.Vector
	add := func(name, expect, comment string, frame []byte) {
		out = append(out, vectest.Vector{Name: name, Expect: expect, Comment: comment, Body: frame})
	}
	good := map[string][]byte{}
	for _, s := range samples() {
		b, err := encodeAny(s.typ, s.body)
		if err != nil {
			panic(err)
		}
		good[s.name] = b
		add(s.name, vectest.OK, "type "+strconv.Itoa(int(s.typ)), b)
	}
	frame := func(t frameType, body []byte) []byte {
		return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+1)), byte(t)), body...)
	}
	raw := func(t frameType, v any) []byte { return frame(t, wire.MustMarshal(v)) }
	add("unknown-type", vectest.OK, "type 200 is skipped", frame(200, []byte("anything")))
	add("no-type", "empty", "length 0", []byte{0, 0, 0, 0})
	add("too-long", "size", "length 1 MiB + 64 KiB + 1", binary.BigEndian.AppendUint32(nil, frameMax+1))
	add("cut", "truncated", "a byte short", good["hello"][:len(good["hello"])-1])
	add("trailing", "body", "a byte after the CBOR", frame(frameEnd, append(slices.Clone(good["end"][5:]), 0)))
	add("long-integer", "body", "end with 1 as 18 01", frame(frameEnd, []byte{0xa1, 0x01, 0x18, 0x01}))
	add("unknown-key", "body", "end with a field 2", frame(frameEnd, []byte{0xa2, 0x01, 0x01, 0x02, 0x01}))
	add("end-unknown", "body", "reason 4", raw(frameEnd, endBody{Why: 4}))
	add("refuse-unknown", "body", "reason 4", raw(frameRefuse, refuseBody{Request: 1, Reason: 4}))
	add("entries-more", "body", "more is 3", raw(frameEntries, entriesBody{Items: [][]byte{}, More: 3}))
	r := ledger.Row{Device: [16]byte{2}, Chain: 1, Seq: 1}
	q := ledger.Row{Device: [16]byte{1}, Chain: 1, Seq: 1}
	add("rows-unsorted", "body", "second device before the first", raw(frameRows, rowsBody{Rows: []ledger.Row{r, q}}))
	add("rows-twice", "body", "one row twice", raw(frameRows, rowsBody{Rows: []ledger.Row{q, q}}))
	add("hello-versions", "limit", "no version", raw(frameHello, hello{Versions: []uint64{}}))
	rng := slices.Clone(good["range"])
	rng[6] = 0x18 // the key of field 1 as a long integer
	add("range-key", "body", "a range whose first key is not 1", rng)
	long := rangeBody{Data: []byte{1}, Proof: make([][32]byte, proofMax+1)}
	b, _ := encodeAny(frameRange, long)
	add("range-proof", "body", "51 hashes", b)
	short := slices.Clone(good["range"])
	add("range-short", "body", "proof of two hashes with one", frame(frameRange, short[5:len(short)-34]))
	return out
}

// TestLimits: FORMATS §12, exceeding one is its own testable error. As files these
// would be long.
func TestLimits(t *testing.T) {
	many := make([]ledger.Row, rowsMax+1)
	for i := range many {
		many[i] = ledger.Row{Chain: 1, Seq: uint64(i + 1)}
	}
	for _, tc := range []sample{
		{"an item of 192 KiB + 1", frameEntries, entriesBody{Items: [][]byte{make([]byte, itemMax+1)}, More: 1}},
		{"513 rows", frameRows, rowsBody{Rows: many}},
		{"65 devices", frameProve, make([]proof, devicesMax+1)},
		{"a record of 64 KiB + 1", frameRecords, [][]byte{make([]byte, recordMax+1)}},
		{"1,025 entries", frameNeed, needBody{Entries: make([]ledger.EntryID, needMax+1)}},
		{"a bitmap for more than 100,000 instances", frameHave, haveBody{Bitmap: make([]byte, bitmapMax+1)}},
		{"48 KiB + 1", frameJoin, make([]byte, joinMax+1)},
	} {
		if _, err := decodeAny(tc.typ, wire.MustMarshal(tc.body)); !errors.Is(err, errLimit) {
			t.Errorf("%s: got %v", tc.name, err)
		}
	}
}

// judge says what a reader makes of a frame.
func judge(_ testing.TB, v vectest.Vector) string {
	r := bytes.NewReader(v.Body)
	f, err := readFrame(r, frameMax)
	if err == nil {
		_, err = decodeAny(f.typ, f.body)
	}
	switch {
	case err == nil && r.Len() == 0:
		return vectest.OK
	case errors.Is(err, errFrameEmpty):
		return "empty"
	case errors.Is(err, errFrameSize):
		return "size"
	case errors.Is(err, errLimit):
		return "limit"
	case errors.Is(err, errBody):
		return "body"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "truncated"
	default:
		return "trailing"
	}
}

func TestVectors(t *testing.T) {
	var write func(string, []byte) error
	if *update {
		if err := os.MkdirAll(vectorDir, 0o755); err != nil {
			t.Fatal(err)
		}
		write = func(name string, text []byte) error {
			return os.WriteFile(filepath.Join(vectorDir, name), text, 0o644)
		}
	}
	vectest.Run(t, os.DirFS(vectorDir), vectors(), write, judge)
}

// TestAnchors pins the transcript and what hangs on it.
func TestAnchors(t *testing.T) {
	text := transcript(Config{Initiator: true, Self: "initiator", Peer: "responder"}, [32]byte{1}, [32]byte{2})
	want := wire.Hash("session", []byte("\x84\x49initiator\x49responder\x58\x20\x01"), make([]byte, 31), []byte("\x58\x20\x02"), make([]byte, 31))
	if text != want {
		t.Errorf("T is %x, want %x", text, want)
	}
	s := New(Config{Clock: nil})
	s.text = text
	full := wire.Hash("session/thread", text[:], make([]byte, 32))
	if g := s.tagOf(ledger.ThreadID{}); !bytes.Equal(g[:], full[:16]) {
		t.Errorf("tag %x", g)
	}
	if got := rootOf(nil); got != wire.Hash("rows", []byte{0x80}) {
		t.Errorf("root of no rows %x", got)
	}
}
