package exchange

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// decodeAny reads a body as its frame's type says. Unknown types are nil, nil.
func decodeAny(t frameType, b []byte) (any, error) {
	switch t {
	case frameHello:
		return decodeHello(b)
	case frameProve:
		return decodeProofs(b)
	case frameRecords:
		return decodeRecords(b)
	case frameThreads:
		return decodeThreads(b)
	case frameRows:
		return decodeRows(b)
	case frameEntries:
		return decodeEntries(b)
	case frameNeed:
		return decodeNeed(b)
	case frameHave:
		return decodeHave(b)
	case frameWant:
		return decodeWants(b)
	case frameRange:
		return decodeRange(b)
	case frameCancel:
		return decodeCancel(b)
	case frameRefuse:
		return decodeRefuse(b)
	case frameEnd:
		return decodeEnd(b)
	case frameJoin, frameAccept:
		return decodeJoin(b)
	default:
		return nil, nil
	}
}

// rangeShape is a range as package wire would read it.
type rangeShape struct {
	Request uint64     `cbor:"1,keyasint"`
	Blob    blob.ID    `cbor:"2,keyasint"`
	Length  uint64     `cbor:"3,keyasint"`
	First   uint64     `cbor:"4,keyasint"`
	Data    []byte     `cbor:"5,keyasint"`
	Proof   [][32]byte `cbor:"6,keyasint"`
}

// encodeAny writes a body again.
func encodeAny(t frameType, v any) ([]byte, error) {
	if r, ok := v.(rangeBody); ok {
		b := append(appendRangeHead(nil, &r), r.Data...)
		return appendRangeTail(b, &r), nil
	}
	return encodeFrame(t, v)
}

// samples is one frame of each type.
func samples() []sample {
	h := func(c byte) (x [32]byte) {
		for i := range x {
			x[i] = c
		}
		return x
	}
	g := tag(bytes.Repeat([]byte{7}, 16))
	sig := identity.Sigs{{Alg: 1, Bytes: bytes.Repeat([]byte{9}, 64)}}
	row := ledger.Row{Device: [16]byte{1}, Chain: ledger.Control, Seq: 3, Entry: [8]byte{2}}
	row2 := ledger.Row{Device: [16]byte{1}, Chain: ledger.Content, Seq: 300, Entry: [8]byte{4}}
	return []sample{
		{"hello", frameHello, hello{Versions: []uint64{1}, Nonce: h(1), Software: "curbside/1.0"}},
		{"hello-clock", frameHello, hello{Versions: []uint64{1}, Nonce: h(1), Software: "curbside/1.0", NowMS: 1_800_000_000_000}},
		{"prove", frameProve, []proof{{Device: h(2), Sigs: sig}}},
		{"prove-nothing", frameProve, []proof{}},
		{"records", frameRecords, [][]byte{{0x80}, {0xa0}}},
		{"threads", frameThreads, []announcement{{Tag: g, Root: h(3)}}},
		{"rows", frameRows, rowsBody{Tag: g, Rows: []ledger.Row{row, row2}}},
		{"rows-empty", frameRows, rowsBody{Tag: g, Rows: []ledger.Row{}}},
		{"entries", frameEntries, entriesBody{Tag: g, Items: [][]byte{{1, 2, 3}, {2, 0}}, More: 2}},
		{"need", frameNeed, needBody{
			Tag: g, Entries: []ledger.EntryID{h(4)}, Chains: []ledger.ChainNeed{{Device: h(5), Chain: ledger.Content, From: 9}},
			Seals: []ledger.SealNeed{{Epoch: h(6), Key: h(7)}},
		}},
		{"need-entry", frameNeed, needBody{Tag: g, Entries: []ledger.EntryID{h(4)}}},
		{"have", frameHave, haveBody{Tag: g, Manifest: h(8), Bitmap: []byte{0xe0}, Partial: []Partial{{Index: 3, Leaves: []byte{0x80}}}}},
		{"have-whole", frameHave, haveBody{Tag: g, Manifest: h(8), Bitmap: []byte{0xff}}},
		{"want", frameWant, []wantRow{
			{Request: 1, Priority: 0, Blob: h(9), Length: 65_672, First: 0, Leaves: 3},
			{Request: 2, Priority: 3, Blob: h(10), Length: 1 << 33, First: 100_000, Leaves: 16},
		}},
		{"range", frameRange, rangeBody{Request: 1, Blob: h(9), Length: 72, First: 0, Data: bytes.Repeat([]byte{11}, 32), Proof: [][32]byte{h(12), h(13)}}},
		{"range-whole", frameRange, rangeBody{Request: 300, Blob: h(9), Length: 72, First: 0, Data: bytes.Repeat([]byte{5}, 72), Proof: [][32]byte{}}},
		{"cancel", frameCancel, []uint64{1, 2, 70_000}},
		{"refuse", frameRefuse, refuseBody{Request: 2, Reason: uint64(Busy)}},
		{"end", frameEnd, endBody{Why: endLevel}},
		{"join", frameJoin, []byte{1, 2, 3}},
		{"accept", frameAccept, []byte{4, 5}},
		{"accept-no", frameAccept, []byte{}},
	}
}

type sample struct {
	name string
	typ  frameType
	body any
}

// FuzzFrame: no frame body makes a decoder panic, and what is accepted encodes to
// the same bytes. The hand-written range codec accepts what package wire does.
func FuzzFrame(f *testing.F) {
	for _, s := range samples() {
		b, err := encodeAny(s.typ, s.body)
		if err != nil {
			f.Fatal(s.name, err)
		}
		f.Add(uint8(s.typ), b[5:])
	}
	f.Fuzz(func(t *testing.T, typ uint8, b []byte) {
		v, err := decodeAny(frameType(typ), b)
		if frameType(typ) == frameRange {
			var shape rangeShape
			if werr := wire.Unmarshal(b, &shape); (werr == nil && len(shape.Proof) <= proofMax) != (err == nil) {
				t.Fatalf("codec says %v, wire says %v", err, werr)
			}
		}
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Fatalf("not a protocol error: %v", err)
			}
			return
		}
		if v == nil {
			return
		}
		again, err := encodeAny(frameType(typ), v)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again[5:], b) {
			t.Fatalf("%x encodes to %x", b, again[5:])
		}
		if n := binary.BigEndian.Uint32(again); int(n) != len(b)+1 || again[4] != typ {
			t.Fatalf("head %x for a body of %d", again[:5], len(b))
		}
	})
}

// FuzzReadFrame: no bytes make the reader of frames panic or take more than it may.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 15})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{0, 0x11, 0, 0, 10})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		for {
			before := r.Len()
			fr, err := readFrame(r, frameMax)
			if err != nil {
				return
			}
			if len(fr.body)+5 != before-r.Len() {
				t.Fatalf("a body of %d from %d bytes", len(fr.body), before-r.Len())
			}
			fr.release()
		}
	})
}
