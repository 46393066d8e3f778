package mailbox

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/vectest"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

var update = flag.Bool("update", false, "write the vectors")

const vectorDir = "testdata/vectors/mailbox"

type sample struct {
	name string
	typ  frameType
	body any
}

// fixed inputs of all vectors: seed 00..1f, nonces of 0x11 and 0x22.
func fixed() (*Key, transcript) {
	var seed wire.Secret
	var nc, nm [32]byte
	for i := range seed {
		seed[i], nc[i], nm[i] = byte(i), 0x11, 0x22
	}
	return NewKey(seed), newTranscript("client", "mailbox", nc, nm)
}

// samples is every frame once.
func samples() []sample {
	k, text := fixed()
	to, item := k.Address(), []byte("\x01item")
	blobs := []Blob{{ID: blob.ID{1}, Length: blob.SealedLen(100)}}
	return []sample{
		{"hello", frameHello, helloBody{Versions: []uint64{1}, Software: "test"}},
		{"open", frameOpen, openBody{Public: k.Public(), Sigs: k.sign(labelOpen, text.with(to.Deposit[:])), Deposit: to.Deposit, Request: 1}},
		{"deposit", frameDeposit, depositBody{Box: to.Box, Item: item, MAC: text.mac(to.Deposit, "item", item), Request: 2}},
		{"collect", frameCollect, collectBody{Public: k.Public(), Sigs: k.sign(labelCollect, text.collect(7)), After: 7, Request: 3}},
		{"items", frameItems, itemsBody{Request: 3, Items: []Item{{Cursor: 8, Item: item}}, More: 1}},
		{"acknowledge", frameAcknowledge, acknowledgeBody{Cursor: 8, Request: 4}},
		{"done", frameDone, doneBody{Request: 4, Status: 1}},
		{"offer", frameOffer, offerBody{Box: to.Box, Blobs: blobs, MAC: text.mac(to.Deposit, "offer", wire.MustMarshal(blobs)), Request: 5}},
		{"offered", frameOffered, offeredBody{Request: 5, Bitmaps: [][]byte{{0}}}},
		{"finish", frameFinish, requestBody{Request: 6}},
		{"list", frameList, requestBody{Request: 7}},
		{"listed", frameListed, listedBody{Request: 7, Blobs: blobs}},
		{"forget", frameForget, forgetBody{Request: 8, Blobs: []blob.ID{{1}}}},
		{"want", frameWant, []wantRow{{Request: 9, Priority: 3, Blob: blob.ID{1}, Length: blobs[0].Length, Leaves: 1}}},
	}
}

// check decodes a frame as its reader does, and verifies the proofs in it.
func check(t frameType, b []byte) error {
	k, text := fixed()
	to := k.Address()
	switch t {
	case frameHello:
		_, err := decode(b, checkHello)
		return err
	case frameOpen:
		m, err := decode[openBody](b, nil)
		return errors.Join(err, verify(labelOpen, text.with(m.Deposit[:]), m.Sigs, m.Public))
	case frameDeposit:
		m, err := decode(b, checkDeposit)
		if err == nil && m.MAC != text.mac(to.Deposit, "item", m.Item) {
			return ErrRefused
		}
		return err
	case frameCollect:
		m, err := decode[collectBody](b, nil)
		return errors.Join(err, verify(labelCollect, text.collect(m.After), m.Sigs, m.Public))
	case frameItems:
		_, err := decode(b, checkItems)
		return err
	case frameAcknowledge:
		_, err := decode[acknowledgeBody](b, nil)
		return err
	case frameDone:
		m, err := decode[doneBody](b, nil)
		if err == nil && (m.Status < 1 || m.Status >= uint64(len(statuses))) {
			return errorOf(m.Status)
		}
		return err
	case frameOffer:
		m, err := decode(b, checkOffer)
		if err == nil && m.MAC != text.mac(to.Deposit, "offer", wire.MustMarshal(m.Blobs)) {
			return ErrRefused
		}
		return err
	case frameOffered:
		_, err := decode[offeredBody](b, nil)
		return err
	case frameFinish, frameList:
		_, err := decode[requestBody](b, nil)
		return err
	case frameListed:
		_, err := decode[listedBody](b, nil)
		return err
	case frameForget:
		_, err := decode(b, checkForget)
		return err
	case frameWant:
		_, err := decode(b, checkWants)
		return err
	case frameRange, frameRefuse, frameEnd: // as protocol/exchange has them
	}
	return nil
}

// class names an error for vectors.
func class(err error) string {
	switch {
	case err == nil:
		return vectest.OK
	case errors.Is(err, wire.ErrFrameSize):
		return "size"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "truncated"
	case errors.Is(err, errLimit):
		return "limit"
	case errors.Is(err, ErrRefused):
		return "refused"
	case errors.Is(err, ErrProtocol):
		return "body"
	}
	return "other"
}

func vectors() []vectest.Vector {
	k, text := fixed()
	other := NewKey(wire.Secret{9})
	to := k.Address()
	var out []vectest.Vector
	add := func(name, expect, comment string, frame []byte) {
		out = append(out, vectest.Vector{Name: name, Expect: expect, Comment: comment, Fields: []vectest.Field{
			vectest.Hex("transcript", text[:]), vectest.Hex("box", to.Box[:]), vectest.Hex("deposit-secret", to.Deposit[:]),
		}, Body: frame})
	}
	for _, s := range samples() {
		add(s.name, vectest.OK, "type "+string(rune('0'+int(s.typ)/10))+string(rune('0'+int(s.typ)%10)), mustFrame(s.typ, s.body))
	}
	item := []byte("\x01item")
	add("deposit-other-secret", "refused", "MAC under another box's secret", mustFrame(frameDeposit,
		depositBody{Box: to.Box, Item: item, MAC: text.mac(other.Address().Deposit, "item", item), Request: 1}))
	add("deposit-other-session", "refused", "MAC of another session", mustFrame(frameDeposit,
		depositBody{Box: to.Box, Item: item, MAC: transcript{}.mac(to.Deposit, "item", item), Request: 1}))
	add("deposit-empty", "limit", "an item of no bytes", mustFrame(frameDeposit, depositBody{Box: to.Box, Item: []byte{}, Request: 1}))
	add("collect-other-key", "refused", "signed by another box's key", mustFrame(frameCollect,
		collectBody{Public: k.Public(), Sigs: other.sign(labelCollect, text.collect(0)), Request: 1}))
	add("collect-other-after", "refused", "signed for another cursor", mustFrame(frameCollect,
		collectBody{Public: k.Public(), Sigs: k.sign(labelCollect, text.collect(1)), After: 2, Request: 1}))
	add("collect-no-signature", "refused", "no signature", mustFrame(frameCollect, collectBody{Public: k.Public(), Sigs: identity.Sigs{}, Request: 1}))
	add("open-other-secret", "refused", "signed for another deposit secret", mustFrame(frameOpen,
		openBody{Public: k.Public(), Sigs: k.sign(labelOpen, text.with(other.public[:])), Deposit: to.Deposit, Request: 1}))
	add("items-more", "body", "more is 3", mustFrame(frameItems, itemsBody{Items: []Item{}, More: 3}))
	out[len(out)-1].Expect = "limit"
	add("done-status", "body", "status 9", mustFrame(frameDone, doneBody{Request: 1, Status: 9}))
	add("offer-none", "limit", "no blobs", mustFrame(frameOffer, offerBody{Box: to.Box, Blobs: []Blob{}, Request: 1}))
	add("offer-long", "limit", "a blob above 4 GiB", mustFrame(frameOffer, offerBody{Box: to.Box, Blobs: []Blob{{Length: blob.SealedLen(BlobMax)}}, Request: 1}))
	add("offer-length", "limit", "a length that no sealed blob has", mustFrame(frameOffer, offerBody{Box: to.Box, Blobs: []Blob{{Length: 10}}, Request: 1}))
	add("want-leaves", "limit", "17 leaves", mustFrame(frameWant, []wantRow{{Request: 1, Length: 1 << 30, Leaves: 17}}))
	f := mustFrame(frameFinish, requestBody{Request: 1})
	add("trailing", "body", "a byte after the CBOR", append([]byte{0, 0, 0, byte(len(f) - 3)}, append(slices.Clone(f[4:]), 0)...))
	add("cut", "truncated", "a byte short", f[:len(f)-1])
	add("too-long", "size", "a frame longer than a deposit, before any offer", []byte{0, 0x04, 0, 0})
	return out
}

func TestVectors(t *testing.T) {
	for _, v := range vectors() {
		typ, b, err := readFrame(bytes.NewReader(v.Body), smallMax)
		if err == nil {
			err = check(typ, b)
		}
		if got := class(err); got != v.Expect {
			t.Errorf("%s: got %s (%v), want %s", v.Name, got, err, v.Expect)
		}
		path := filepath.Join(vectorDir, v.Name+".txt")
		if *update {
			if err := os.MkdirAll(vectorDir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, v.Format(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, v.Format()) {
			t.Errorf("%s is another than its generator makes", path)
		}
	}
}

// TestLetter: a letter opens for its device alone.
func TestLetter(t *testing.T) {
	kem, other := seal.KEMFromSeed([32]byte{1}), seal.KEMFromSeed([32]byte{2})
	dev := identity.DeviceID{3}
	records := [][]byte{[]byte("a record"), make([]byte, 9000)}
	item, err := SealLetter(dev, kem.Public(), records)
	if err != nil {
		t.Fatal(err)
	}
	if item[0] != ItemLetter {
		t.Error("not a letter")
	}
	got, err := OpenLetter(dev, kem, item)
	if err != nil || len(got) != 2 || !bytes.Equal(got[1], records[1]) {
		t.Errorf("got %d records, %v", len(got), err)
	}
	if _, err := OpenLetter(dev, other, item); err == nil {
		t.Error("another key opens it")
	}
	if _, err := OpenLetter(identity.DeviceID{4}, kem, item); err == nil {
		t.Error("it opens for another device")
	}
	for i := range item {
		if i%97 != 0 {
			continue
		}
		bad := bytes.Clone(item)
		bad[i] ^= 1
		if _, err := OpenLetter(dev, kem, bad); err == nil {
			t.Errorf("a flipped bit at %d opens", i)
		}
	}
	a, _ := SealLetter(dev, kem.Public(), [][]byte{{1}})
	b, _ := SealLetter(dev, kem.Public(), [][]byte{make([]byte, 3000)})
	if len(a) != len(b) {
		t.Errorf("sizes tell: %d and %d", len(a), len(b))
	}
	if _, err := SealLetter(dev, kem.Public(), [][]byte{make([]byte, ItemMax)}); !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v, want ErrTooLong", err)
	}
}
