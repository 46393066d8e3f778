package ledger

import (
	"encoding/hex"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/vectest"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Entries have random salts and seals random keys, so the files cannot be made
// twice: -update makes a set whose folder is gone, and leaves others as they are.
var update = flag.Bool("update", false, "write the vectors")

// Field "check" says what a vector is:
//
//	story      CBOR [ bstr entry ... ] in the body, unsealed: a thread, its entries in causal order
//	entry      an unsealed entry in the body; the first "after" entries of the set's story are admitted before
//	packet     a packet in the body, opened by the device of seed "device" of "person" with the KEM key of seed "kem"
//	back       CBOR [ bstr epoch header, bstr back, [ bstr header of each parent ] ] in the body, opened with "es"
//	padding    a padded entry in the body
//	envelope   an envelope in the body, opened with "es" of "epoch" in "thread"

var classes = []struct {
	name string
	err  error
}{
	{"signature", identity.ErrSignature},
	{"wrong-person", identity.ErrWrongPerson},
	{"commit", ErrCommit},
	{"packet", ErrPacket},
	{"seal", ErrSeal},
	{"envelope", ErrEnvelope},
	{"padding", ErrPadding},
	{"back", ErrBack},
	{"too-long", ErrTooLong},
	{"too-many", ErrTooMany},
	{"version", ErrVersion},
	{"field", ErrField},
	{"kind", ErrKind},
	{"thread", ErrThread},
	{"chain", ErrChain},
	{"prev", ErrPrev},
	{"parent", ErrParent},
	{"auth-back", ErrAuthBack},
	{"auth", ErrAuth},
	{"lamport", ErrLamport},
	{"order", ErrOrder},
	{"body", ErrBody},
	{"no-body", ErrNoBody},
	{"device", ErrDevice},
	{"person", ErrPerson},
	{"unauthorized", ErrUnauthorized},
	{"suite", ErrSuite},
	{"fork", ErrFork},
	{"epoch", ErrEpoch},
	{"epoch-heads", ErrEpochHeads},
	{"epoch-devices", ErrEpochDevices},
	{"epoch-parents", ErrEpochParents},
	{"canonical", wire.ErrCanonical},
}

func classOf(err error) string {
	if err == nil {
		return vectest.OK
	}
	for _, c := range classes {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	return err.Error()
}

func runVectors(t *testing.T, set string, made func() []vectest.Vector) {
	t.Helper()
	dir := filepath.Join("testdata", "vectors", set)
	if _, err := os.Stat(dir); *update && errors.Is(err, fs.ErrNotExist) {
		must(t, os.MkdirAll(dir, 0o755))
		for _, v := range made() {
			must(t, os.WriteFile(filepath.Join(dir, v.Name+".txt"), v.Format(), 0o644))
		}
	}
	vectest.Run(t, os.DirFS(dir), nil, nil, func(tb testing.TB, v vectest.Vector) string {
		tb.Helper()
		return classOf(judge(tb, dir, v))
	})
}

func judge(tb testing.TB, dir string, v vectest.Vector) error {
	tb.Helper()
	switch v.Get("check") {
	case "story":
		_, err := tell(storyOf(tb, v))
		return err
	case "entry":
		return judgeEntry(tb, dir, v)
	case "packet":
		return judgePacket(tb, v)
	case "back":
		return judgeBack(tb, v)
	case "padding":
		b, err := unpad(v.Body)
		if err == nil && string(pad(b)) != string(v.Body) {
			return errors.New("pads otherwise")
		}
		return err
	case "envelope":
		return judgeEnvelope(tb, v)
	default:
		return errors.New("unknown check")
	}
}

func storyOf(tb testing.TB, v vectest.Vector) (entries [][]byte) {
	tb.Helper()
	must(tb, wire.Unmarshal(v.Body, &entries))
	return entries
}

// tell admits unsealed entries.
func tell(entries [][]byte) (*Thread, error) {
	var t *Thread
	for _, b := range entries {
		p, err := parseEntry(b)
		if err != nil {
			return nil, err
		}
		if t == nil {
			t = NewThread(p.Thread)
		}
		if err := t.tell(p); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// tell takes a parsed entry as if it had come in an envelope.
func (t *Thread) tell(p *parsed) error {
	var r Result
	return t.offer(p, item{sealed: []byte{typeEnvelope}, sum: [32]byte(p.ID)}, &r)
}

func judgeEntry(tb testing.TB, dir string, v vectest.Vector) error {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "story.txt"))
	must(tb, err)
	s, err := vectest.Parse("story", text)
	must(tb, err)
	n, err := strconv.Atoi(v.Get("after"))
	must(tb, err)
	t, err := tell(storyOf(tb, s)[:n])
	must(tb, err)
	p, err := parseEntry(v.Body)
	if err != nil {
		return err
	}
	if string(p.encode()) != string(v.Body) {
		return errors.New("encodes otherwise")
	}
	if t == nil { // a create entry
		t = NewThread(p.Thread)
	}
	if err := t.tell(p); err != nil {
		return err
	}
	if !t.Has(p.ID) {
		return errors.New("waits")
	}
	return nil
}

func judgePacket(tb testing.TB, v vectest.Vector) error {
	tb.Helper()
	d := identity.NewDevice(identity.PersonID(v.Hex(tb, "person")), wire.Secret(v.Hex(tb, "device")))
	k, err := parsePacket(v.Body)
	if err != nil {
		return err
	}
	_, _, err = k.unseal([]Local{{Device: d, KEMs: []*seal.KEM{seal.KEMFromSeed([32]byte(v.Hex(tb, "kem")))}}})
	return err
}

func judgeBack(tb testing.TB, v vectest.Vector) error {
	tb.Helper()
	var x struct {
		_       struct{} `cbor:",toarray"`
		Header  []byte
		Back    []byte
		Parents [][]byte
	}
	must(tb, wire.Unmarshal(v.Body, &x))
	b := epochBody{Header: x.Header, Back: x.Back}
	must(tb, wire.Unmarshal(x.Header, &b.hdr))
	list, err := b.openBack(wire.Secret(v.Hex(tb, "es")))
	if err != nil {
		return err
	}
	for i, s := range list {
		var parent epochHeader
		must(tb, wire.Unmarshal(x.Parents[i], &parent))
		if s.Epoch != EpochID(wire.Hash("epoch", x.Parents[i])) {
			return ErrBack
		}
		if commitment(s.Secret, parent.Thread) != parent.Commit {
			return ErrCommit
		}
	}
	return nil
}

func judgeEnvelope(tb testing.TB, v vectest.Vector) error {
	tb.Helper()
	tag, err := envelopeTag(v.Body)
	if err != nil {
		return err
	}
	for _, b := range boxes(ThreadID(v.Hex(tb, "thread")), EpochID(v.Hex(tb, "epoch")), wire.Secret(v.Hex(tb, "es"))) {
		if b.tag == tag {
			raw, err := b.open(v.Body)
			if err != nil {
				return err
			}
			p, err := parseEntry(raw)
			if err == nil && p.Chain != b.chain {
				return ErrChain
			}
			return err
		}
	}
	return ErrEnvelope
}

func TestVectors(t *testing.T) {
	t.Run("ledger", func(t *testing.T) {
		runVectors(t, "ledger", func() []vectest.Vector { return ledgerVectors(t) })
	})
	t.Run("epoch", func(t *testing.T) {
		runVectors(t, "epoch", func() []vectest.Vector { return epochVectors(t) })
	})
}

func vector(name, expect, comment, check string, body []byte, fields ...vectest.Field) vectest.Vector {
	return vectest.Vector{
		Name: name, Expect: expect, Comment: comment, Body: body,
		Fields: append([]vectest.Field{{Name: "check", Value: check}}, fields...),
	}
}

func secretHex(name string, s wire.Secret) vectest.Field {
	return vectest.Field{Name: name, Value: hex.EncodeToString(s[:])}
}
