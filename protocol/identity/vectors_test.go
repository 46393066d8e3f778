package identity

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/vectest"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

var update = flag.Bool("update", false, "write the vectors")

// Field "check" says what a vector is:
//
//	ids      seeds to ids, number and words; no body
//	words    "words" to the seed in the body
//	number   what was "said" against "own" and "other"
//	sigs     CBOR sigs in the body, over "message" under "label" by "ed25519" and "mldsa65", algs wanted in "want"
//	chain    CBOR [ bstr person, bstr statement or card ... ] in the body; the verdict is of the last
//	attest   CBOR [ bstr issuer, bstr attestation, ?bstr revocation list ] in the body, judged at "now"
//	cut      CBOR [ bstr person, bstr device cut ]
//	link     "link" to the invite in the body
//	join, accept   the message in the body, against "link" and for accept "join"

var classes = []struct {
	name string
	err  error
}{
	{"signature", ErrSignature},
	{"key", ErrKey},
	{"gap", ErrGap},
	{"prev", ErrPrev},
	{"fork", ErrFork},
	{"unknown-device", ErrUnknownDevice},
	{"revoked", ErrRevoked},
	{"wrong-person", ErrWrongPerson},
	{"record", ErrRecord},
	{"words", ErrWords},
	{"join", ErrJoin},
	{"stale", ErrStale},
	{"link", ErrLink},
	{"kem", seal.ErrPublic},
	{"too-long", ErrTooLong},
	{"version", ErrVersion},
	{"field", ErrField},
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

// The generator signs without randomness, so that it gives the same files.
func fixedSigs(k *keys, label string, p []byte) Sigs {
	m := message(label, p)
	ml, err := k.ml.SignDeterministic(m, nil)
	if err != nil {
		panic(err)
	}
	return Sigs{{Alg: AlgEd25519, Bytes: ed25519.Sign(k.ed, m)}, {Alg: AlgMLDSA65, Bytes: ml}}
}

func fixedRecord(k *keys, label string, payload any) []byte {
	p := wire.MustMarshal(payload)
	return wire.MustMarshal(signed{Payload: p, Sigs: fixedSigs(k, label, p)})
}

// resign takes a record apart, changes it and puts it together again.
func resign(record []byte, change func(*signed)) []byte {
	s, err := open(record)
	if err != nil {
		panic(err)
	}
	change(&s)
	return wire.MustMarshal(s)
}

// cast makes all records that vectors are made of.
type cast struct {
	root, clinic *Root
	dev, second  *Device
	person       []byte
	chain        [][]byte // cert, cert of second, revoke of second
	card         []byte
}

func (c cast) statement(kind StatementKind, serial uint64, prev []byte, body any) []byte {
	s := statement{Version: 1, Kind: kind, Person: c.root.ID(), Serial: serial, IssuedMS: 1000, Body: wire.MustMarshal(body)}
	if prev != nil {
		id := RecordID(prev)
		s.Prev = &id
	}
	return fixedRecord(c.root.keys(), labelStatement, s)
}

func (c cast) cardNumbered(d *Device, n uint64, change func(*Card)) []byte {
	card := Card{Version: 1, Device: d.ID(), Number: n, IssuedMS: 2000, KEM: seal.KEMFromSeed(counting(7)).Public(), Name: "Dr. Zoë"}
	if change != nil {
		change(&card)
	}
	return fixedRecord(d.keys(), labelCard, card)
}

func certOf(d *Device) certBody {
	pub := d.Public()
	return certBody{Ed25519: pub.Ed25519, MLDSA65: pub.MLDSA65, Label: "laptop"}
}

func newCast() cast {
	c := cast{root: RootFromSeed(counting(0)), clinic: RootFromSeed(counting(100))}
	c.dev, c.second = NewDevice(c.root.ID(), counting(0x20)), NewDevice(c.root.ID(), counting(0x40))
	c.person = c.root.Person().Encode()
	first := c.statement(KindCert, 1, nil, certOf(c.dev))
	next := c.statement(KindCert, 2, first, certOf(c.second))
	c.chain = [][]byte{first, next, c.statement(KindRevoke, 3, next, revokeBody{Device: c.second.ID(), Reason: Lost})}
	c.card = c.cardNumbered(c.dev, 5, nil)
	return c
}

func vector(check, name, expect, comment string, body []byte, fields ...vectest.Field) vectest.Vector {
	return vectest.Vector{Name: name, Expect: expect, Comment: comment, Body: body, Fields: append([]vectest.Field{{Name: "check", Value: check}}, fields...)}
}

func list(records ...[]byte) []byte { return wire.MustMarshal(records) }

func identityVectors() []vectest.Vector {
	c := newCast()
	return slices.Concat(idVectors(c), sigVectors(c), chainVectors(c), cardVectors(c), attestVectors(c))
}

func idVectors(c cast) []vectest.Vector {
	seed, dev := counting(0), counting(0x20)
	person, device := c.root.ID(), c.dev.ID()
	said := SafetyNumber(person)
	other := PersonID{1}
	words := strings.Join(c.root.Words(), " ")
	text := func(name, value string) vectest.Field { return vectest.Field{Name: name, Value: value} }
	return []vectest.Vector{
		vector("ids", "ids", "ok", "seeds R and D to ids, number and words", nil,
			vectest.Hex("root", seed[:]), vectest.Hex("device", dev[:]), vectest.Hex("person-id", person[:]), vectest.Hex("device-id", device[:]),
			text("number", said), text("number-words", strings.Join(HalfWords(person), " ")), text("words", words)),
		vector("words", "words", "ok", "24 words to the seed", seed[:], text("words", words)),
		vector("words", "words-checksum", "words", "last word of another seed", seed[:], text("words", words[:strings.LastIndexByte(words, ' ')]+" zoo")),
		vector("words", "words-unknown", "words", "a word that is not in the list", seed[:], text("words", "curbside"+words[strings.IndexByte(words, ' '):])),
		vector("words", "words-23", "words", "a word missing", seed[:], text("words", words[:strings.LastIndexByte(words, ' ')])),
		vector("number", "number-half", "ok", "the other's half", nil, vectest.Hex("own", other[:]), vectest.Hex("other", person[:]), text("said", said)),
		vector("number", "number-pair", "ok", "the whole number, lower half first", nil, vectest.Hex("own", other[:]), vectest.Hex("other", person[:]), text("said", PairNumber(other, person))),
		vector("number", "number-own-half", "no", "one's own half proves nothing", nil, vectest.Hex("own", person[:]), vectest.Hex("other", other[:]), text("said", said)),
		vector("number", "number-cut", "no", "last digit missing", nil, vectest.Hex("own", other[:]), vectest.Hex("other", person[:]), text("said", said[:len(said)-1])),
	}
}

func sigVectors(c cast) []vectest.Vector {
	p, msg := c.root.Person(), []byte("message")
	both := fixedSigs(c.root.keys(), "a", msg)
	one := func(name, expect, comment, label, want string, ed []byte, sigs Sigs) vectest.Vector {
		return vector("sigs", name, expect, comment, wire.MustMarshal(sigs), vectest.Field{Name: "label", Value: label},
			vectest.Hex("message", msg), vectest.Field{Name: "want", Value: want}, vectest.Hex("ed25519", ed), vectest.Hex("mldsa65", p.MLDSA65))
	}
	ed := p.Ed25519[:]
	flip := func(i int) Sigs {
		out := slices.Clone(both)
		out[i].Bytes = slices.Clone(out[i].Bytes)
		out[i].Bytes[0] ^= 1
		return out
	}
	identity := append([]byte{1}, make([]byte, 31)...)
	universal := Sigs{{Alg: 1, Bytes: append(slices.Clone(identity), make([]byte, 32)...)}}
	return []vectest.Vector{
		one("sigs", "ok", "both algs", "a", "1 2", ed, both),
		one("sigs-1", "ok", "alg 1 alone, as wanted", "a", "1", ed, both[:1]),
		one("sigs-missing-1", "signature", "alg 1 missing", "a", "1 2", ed, both[1:]),
		one("sigs-missing-2", "signature", "alg 2 missing", "a", "1 2", ed, both[:1]),
		one("sigs-unwanted-2", "signature", "alg 2 not wanted", "a", "1", ed, both),
		one("sigs-order", "signature", "descending", "a", "1 2", ed, Sigs{both[1], both[0]}),
		one("sigs-wrong-1", "signature", "a bit of alg 1 changed", "a", "1 2", ed, flip(0)),
		one("sigs-wrong-2", "signature", "a bit of alg 2 changed", "a", "1 2", ed, flip(1)),
		one("sigs-label", "signature", "signed under another label", "b", "1 2", ed, both),
		one("sigs-s-not-reduced", "signature", "S + L for S", "a", "1", ed, Sigs{{Alg: 1, Bytes: addOrder(both[0].Bytes)}}),
		one("sigs-small-order", "signature", "the identity as key, under which R = identity and S = 0 sign anything", "a", "1", identity, universal),
		one("sigs-key-not-canonical", "signature", "y = p + 1, the identity again", "a", "1",
			append([]byte{0xee}, fieldPrime[1:]...), universal),
	}
}

func chainVectors(c cast) []vectest.Vector {
	first, next, revoke := c.chain[0], c.chain[1], c.chain[2]
	one := func(name, expect, comment string, records ...[]byte) vectest.Vector {
		return vector("chain", name, expect, comment, list(records...))
	}
	otherLabel := fixedRecord(c.root.keys(), "card", wire.Raw(mustPayload(first)))
	smallKey := certOf(c.dev)
	smallKey.Ed25519 = [32]byte{1}
	badPerson := c.root.Person()
	badPerson.Version = 2
	oneSig := func(i int) func(*signed) { return func(s *signed) { s.Sigs = slices.Clone(s.Sigs[i : i+1]) } }
	return []vectest.Vector{
		one("chain", "ok", "two certificates and a revocation", c.person, first, next, revoke),
		one("chain-repeated", "unchanged", "a statement that is known", c.person, first, first),
		one("chain-missing-1", "signature", "signed with alg 2 alone", c.person, resign(first, oneSig(1))),
		one("chain-missing-2", "signature", "signed with alg 1 alone", c.person, resign(first, oneSig(0))),
		one("chain-label", "signature", "signed as a card", c.person, otherLabel),
		one("chain-signer", "signature", "signed by the device", c.person, fixedRecord(c.dev.keys(), labelStatement, wire.Raw(mustPayload(first)))),
		one("chain-gap", "gap", "statement 3 after 1", c.person, first, revoke),
		one("chain-prev", "prev", "prev of another chain", c.person, first, c.statement(KindCert, 2, next, certOf(c.second))),
		one("chain-no-prev", "prev", "second statement without prev", c.person, first, c.statement(KindCert, 2, nil, certOf(c.second))),
		one("chain-fork", "fork", "two statements 1", c.person, first, c.statement(KindCert, 1, nil, certOf(c.second))),
		one("chain-small-order", "key", "a certificate of a small-order key", c.person, c.statement(KindCert, 1, nil, smallKey)),
		one("chain-kind", "field", "an unknown kind", c.person, c.statement(3, 1, nil, certOf(c.dev))),
		one("chain-reason", "field", "an unknown reason", c.person, c.statement(KindRevoke, 1, nil, revokeBody{Reason: 5})),
		one("chain-serial-0", "too-long", "serial 0", c.person, c.statement(KindCert, 0, nil, certOf(c.dev))),
		one("chain-other-person", "wrong-person", "statement of the clinic", c.clinic.Person().Encode(), first),
		one("person-version", "version", "a person of version 2", badPerson.Encode()),
	}
}

func mustPayload(record []byte) []byte {
	s, err := open(record)
	if err != nil {
		panic(err)
	}
	return s.Payload
}

func cardVectors(c cast) []vectest.Vector {
	one := func(name, expect, comment string, records ...[]byte) vectest.Vector {
		return vector("chain", name, expect, comment, list(append([][]byte{c.person}, records...)...))
	}
	full := func(card *Card) {
		card.Addrs = []PeerAddrs{{PeerID: "\x00\x24\x08\x01", Addrs: []string{"/ip4/192.0.2.1/udp/4001/quic-v1", "/dns/example.org/tcp/4001"}}}
		card.Boxes = []Box{{PeerID: "\x00\x24\x08\x02", ID: [16]byte{1}, Deposit: counting(3)}}
		card.Kind, card.Specialties, card.Languages = RoleClinician, []string{"neuroradiology"}, []string{"de", "en"}
		card.Hours = &Hours{Zone: "Europe/Vienna", Open: []Span{{Weekday: 1, From: 480, To: 960}, {Weekday: 2, From: 0, To: 1440}}}
	}
	low := func(card *Card) { clear(card.KEM[1184:]) }
	return []vectest.Vector{
		one("card", "ok", "a card with every field", c.chain[0], c.cardNumbered(c.dev, 6, full)),
		one("card-newer", "ok", "a higher number", c.chain[0], c.card, c.cardNumbered(c.dev, 6, nil)),
		one("card-old", "unchanged", "a lower number", c.chain[0], c.card, c.cardNumbered(c.dev, 4, nil)),
		one("card-fork", "fork", "two cards of one number", c.chain[0], c.card, c.cardNumbered(c.dev, 5, full)),
		one("card-unknown-device", "unknown-device", "a device that no statement names", c.chain[0], c.cardNumbered(c.second, 1, nil)),
		one("card-revoked", "revoked", "of a revoked device", c.chain[0], c.chain[1], c.chain[2], c.cardNumbered(c.second, 1, nil)),
		one("card-signer", "signature", "signed by the root", c.chain[0], fixedRecord(c.root.keys(), labelCard, wire.Raw(mustPayload(c.card)))),
		one("card-missing-2", "signature", "signed with alg 1 alone", c.chain[0], resign(c.card, func(s *signed) { s.Sigs = s.Sigs[:1] })),
		one("card-kem", "kem", "a KEM key that cannot be sealed to: X25519 share zero", c.chain[0], c.cardNumbered(c.dev, 1, low)),
		one("card-hours", "field", "hours unsorted", c.chain[0], c.cardNumbered(c.dev, 1, func(card *Card) {
			full(card)
			slices.Reverse(card.Hours.Open)
		})),
	}
}

func attestVectors(c cast) []vectest.Vector {
	a := Attest{
		Version: 1, Issuer: c.clinic.ID(), Subject: c.root.ID(), Serial: 7, IssuedMS: 100, FromMS: 200, UntilMS: 300,
		Claims: Claims{Name: "Dr. Zoë", Role: RoleClinician, LicenceAuthority: "A", LicenceNumber: "1", Specialties: []string{"neuro"}, Organisation: "Clinic"},
	}
	b := fixedRecord(c.clinic.keys(), labelAttest, a)
	revs := func(serial uint64, next int64) []byte {
		return fixedRecord(c.clinic.keys(), labelRevList, RevList{
			Version: 1, Issuer: c.clinic.ID(), Number: 1, IssuedMS: 100, NextMS: next, Revoked: []Revoked{{Serial: serial, WhenMS: 150, Reason: 1}},
		})
	}
	clinic := c.clinic.Person().Encode()
	one := func(name, expect, comment string, now int64, records ...[]byte) vectest.Vector {
		return vector("attest", name, expect, comment, list(records...), vectest.Field{Name: "now", Value: strconv.FormatInt(now, 10)})
	}
	cut := DeviceCut{
		Version: 1, Person: c.root.ID(), Device: c.dev.ID(), Thread: [32]byte{1}, Serial: 1,
		Control: &Point{Seq: 3, Entry: [32]byte{2}}, Content: &Point{Seq: 9, Entry: [32]byte{3}}, IssuedMS: 5,
	}
	zero := cut
	zero.Control = &Point{}
	return []vectest.Vector{
		one("attest", "valid", "an attestation and a list that does not name it", 250, clinic, b, revs(6, 1000)),
		one("attest-early", "not yet valid", "before from", 199, clinic, b, revs(6, 1000)),
		one("attest-expired", "expired", "at until", 300, clinic, b, revs(6, 1000)),
		one("attest-revoked", "withdrawn", "in the list", 250, clinic, b, revs(7, 1000)),
		one("attest-stale", "could not be checked lately", "the list is old", 250, clinic, b, revs(6, 250)),
		one("attest-issuer", "wrong-person", "another issuer's", 250, c.person, b),
		one("attest-label", "signature", "signed as a revocation list", 250, clinic, fixedRecord(c.clinic.keys(), labelRevList, a)),
		one("attest-missing-2", "signature", "signed with alg 1 alone", 250, clinic, resign(b, func(s *signed) { s.Sigs = s.Sigs[:1] })),
		vector("cut", "cut", "ok", "a device cut", list(c.person, fixedRecord(c.root.keys(), labelCut, cut))),
		vector("cut", "cut-at-0", "field", "an entry of seq 0", list(c.person, fixedRecord(c.root.keys(), labelCut, zero))),
		vector("cut", "cut-signer", "signature", "signed by the device", list(c.person, fixedRecord(c.dev.keys(), labelCut, cut))),
	}
}

func inviteVectors() []vectest.Vector {
	c := newCast()
	bob := cast{root: RootFromSeed(counting(50))}
	bob.dev = NewDevice(bob.root.ID(), counting(51))
	bobs := [][]byte{bob.root.Person().Encode(), bob.statement(KindCert, 1, nil, certOf(bob.dev)), bob.cardNumbered(bob.dev, 1, nil)}
	mine := [][]byte{c.person, c.chain[0], c.card}
	inv := Invite{
		Version: 1, Person: c.root.ID(), Secret: counting(60), ExpiresMS: now,
		Peers: []PeerAddrs{{PeerID: "\x00\x24\x08\x01", Addrs: []string{"/ip4/192.0.2.1/udp/4001/quic-v1"}}},
	}
	other, bad := inv, inv
	other.Secret = counting(61)
	bad.Version = 2
	fixed := func(key wire.Secret, context string, records [][]byte) []byte {
		p, err := pack(records)
		if err != nil {
			panic(err)
		}
		return seal.SealWithSalt(key, context, p, [24]byte{1})
	}
	tag := inv.Tag()
	join := append(tag[:], fixed(inv.joinKey(), inv.joinContext(), bobs)...)
	accept := fixed(inv.acceptKey(), acceptContext(join), mine)
	text := func(name, value string) vectest.Field { return vectest.Field{Name: name, Value: value} }
	link := text("link", inv.Link())
	person := func(r *Root) vectest.Field { id := r.ID(); return vectest.Hex("person", id[:]) }
	flip := func(b []byte, i int) []byte { b = slices.Clone(b); b[i] ^= 1; return b }
	return []vectest.Vector{
		vector("link", "link", "ok", "an invite and its link", inv.Encode(), link),
		vector("link", "link-cut", "link", "last letter missing", inv.Encode(), text("link", inv.Link()[:len(inv.Link())-1])),
		vector("link", "link-prefix", "link", "another prefix", inv.Encode(), text("link", "curbside:j"+inv.Link()[len("curbside:i"):])),
		vector("link", "link-version", "link", "version 2", bad.Encode(), text("link", bad.Link())),
		vector("join", "join", "ok", "Join of person, chain and card", join, link, person(bob.root)),
		vector("join", "join-flip", "join", "a bit changed", flip(join, 100), link, person(bob.root)),
		vector("join", "join-tag", "join", "a bit of the tag changed", flip(join, 0), link, person(bob.root)),
		vector("join", "join-other-invite", "join", "another invite", join, text("link", other.Link()), person(bob.root)),
		vector("join", "join-moved", "join", "the same secret in a changed invite", join, text("link", later(inv).Link()), person(bob.root)),
		vector("accept", "accept", "ok", "Accept of the same three", accept, link, vectest.Hex("join", join), person(c.root)),
		vector("accept", "accept-second-join", "join", "Accept of another Join", accept, link, vectest.Hex("join", flip(join, len(join)-1)), person(c.root)),
		vector("accept", "accept-wrong-person", "wrong-person", "Accept by someone who is not in the invite",
			fixed(inv.acceptKey(), acceptContext(join), bobs), link, vectest.Hex("join", join), person(bob.root)),
		vector("accept", "accept-reflected", "join", "the Join sent back", join[tagSize:], link, vectest.Hex("join", join), person(bob.root)),
	}
}

func later(i Invite) Invite { i.ExpiresMS++; return i }

func judge(tb testing.TB, v vectest.Vector) string {
	tb.Helper()
	switch v.Get("check") {
	case "ids":
		return judgeIDs(tb, v)
	case "words":
		seed, err := seedFromWords(strings.Fields(v.Get("words")))
		if err == nil && !bytes.Equal(seed[:], v.Body) {
			return "other seed"
		}
		return classOf(err)
	case "number":
		if !MatchesNumber(PersonID(v.Hex(tb, "own")), PersonID(v.Hex(tb, "other")), v.Get("said")) {
			return "no"
		}
		return vectest.OK
	case "sigs":
		return judgeSigs(tb, v)
	case "chain":
		return judgeChain(records(tb, v))
	case "attest":
		return judgeAttest(tb, v, records(tb, v))
	case "cut":
		r := records(tb, v)
		person, err := ParsePerson(r[0])
		if err == nil {
			_, err = VerifyCut(person, r[1])
		}
		return classOf(err)
	case "link":
		inv, err := ParseInvite(v.Get("link"))
		if err == nil && !bytes.Equal(inv.Encode(), v.Body) {
			return "other invite"
		}
		return classOf(err)
	case "topic", "listing", "sas":
		return judgeListing(tb, v)
	default:
		return judgeJoin(tb, v)
	}
}

func records(tb testing.TB, v vectest.Vector) [][]byte {
	tb.Helper()
	var out [][]byte
	if err := wire.Unmarshal(v.Body, &out); err != nil {
		tb.Fatal(err)
	}
	return out
}

func judgeIDs(tb testing.TB, v vectest.Vector) string {
	tb.Helper()
	root := RootFromSeed(wire.Secret(v.Hex(tb, "root")))
	dev := NewDevice(root.ID(), wire.Secret(v.Hex(tb, "device")))
	for name, got := range map[string]string{
		"person-id": root.ID().String(), "device-id": dev.ID().String(), "number": SafetyNumber(root.ID()),
		"number-words": strings.Join(HalfWords(root.ID()), " "), "words": strings.Join(root.Words(), " "),
	} {
		if got != v.Get(name) {
			return "other " + name
		}
	}
	return vectest.OK
}

func judgeSigs(tb testing.TB, v vectest.Vector) string {
	tb.Helper()
	var sigs Sigs
	if err := wire.Unmarshal(v.Body, &sigs); err != nil {
		return classOf(err)
	}
	var want []int
	for f := range strings.FieldsSeq(v.Get("want")) {
		n, err := strconv.Atoi(f)
		if err != nil {
			tb.Fatal(err)
		}
		want = append(want, n)
	}
	return classOf(VerifySigs(v.Get("label"), v.Hex(tb, "message"), sigs, v.Hex(tb, "ed25519"), v.Hex(tb, "mldsa65"), want...))
}

func judgeChain(records [][]byte) string {
	p, err := NewProfile(records[0])
	changed := true
	for _, r := range records[1:] {
		if err != nil {
			break
		}
		changed, err = p.Add(r)
	}
	if err == nil && !changed {
		return "unchanged"
	}
	return classOf(err)
}

func judgeAttest(tb testing.TB, v vectest.Vector, r [][]byte) string {
	tb.Helper()
	issuer, err := ParsePerson(r[0])
	if err != nil {
		return classOf(err)
	}
	a, err := VerifyAttest(issuer, r[1])
	if err != nil {
		return classOf(err)
	}
	l, err := VerifyRevList(issuer, r[2])
	if err != nil {
		return classOf(err)
	}
	now, err := strconv.ParseInt(v.Get("now"), 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return a.Standing(l, now).String()
}

func judgeJoin(tb testing.TB, v vectest.Vector) string {
	tb.Helper()
	inv, err := ParseInvite(v.Get("link"))
	if err != nil {
		tb.Fatal(err)
	}
	var p *Profile
	if v.Get("check") == "join" {
		p, err = OpenJoin(inv, v.Body)
	} else {
		p, err = OpenAccept(inv, v.Hex(tb, "join"), v.Body)
	}
	if err == nil && hex.EncodeToString(p.ID[:]) != v.Get("person") {
		return "other person"
	}
	return classOf(err)
}

func TestVectors(t *testing.T) {
	for name, made := range map[string][]vectest.Vector{"identity": identityVectors(), "invite": inviteVectors(), "listing": listingVectors()} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata/vectors", name)
			var write func(string, []byte) error
			if *update {
				write = func(name string, text []byte) error {
					return os.WriteFile(filepath.Join(dir, name), text, 0o644)
				}
			}
			vectest.Run(t, os.DirFS(dir), made, write, judge)
		})
	}
}
