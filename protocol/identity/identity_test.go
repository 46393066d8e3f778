package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

func counting(from byte) (s wire.Secret) {
	for i := range s {
		s[i] = from + byte(i)
	}
	return s
}

// The anchors of FORMATS §14; another implementation computed them.
func TestAnchors(t *testing.T) {
	root := RootFromSeed(counting(0))
	if got, want := root.ID().String(), "86a0a46624d4ea98aa207586cd130ab022f3c3ce3fd7356f5043c958885926a0"; got != want {
		t.Errorf("PersonID: got %s, want %s", got, want)
	}
	if got, want := SafetyNumber(root.ID()), "41293 31229 51772 17704 48868 92749"; got != want {
		t.Errorf("number: got %s, want %s", got, want)
	}
	dev := NewDevice(root.ID(), counting(0x20))
	if got, want := dev.ID().String(), "17abb669d09332cd1546cfafe78ea2e28cd31ba13199a07ffe72ab59644b9ee4"; got != want {
		t.Errorf("DeviceID: got %s, want %s", got, want)
	}
}

// someone is a person with a device and its card, made once as keys are slow.
type someone struct {
	root    *Root
	dev     *Device
	kem     *seal.KEM
	records [][]byte // person, certificate, card
}

func newSomeone(tb testing.TB, n byte) someone {
	tb.Helper()
	s := someone{root: RootFromSeed(counting(n)), kem: seal.KEMFromSeed(counting(n + 1))}
	s.dev = NewDevice(s.root.ID(), counting(n+2))
	cert, err := s.root.CertifyDevice(s.dev.Public(), "laptop", 1, nil, 1000)
	if err != nil {
		tb.Fatal(err)
	}
	s.records = [][]byte{s.root.Person().Encode(), cert, s.card(tb, 1, nil)}
	return s
}

func (s someone) card(tb testing.TB, number uint64, change func(*Card)) []byte {
	tb.Helper()
	c := Card{Number: number, IssuedMS: 1000, KEM: s.kem.Public(), Name: "Dr. A", Kind: RoleClinician}
	if change != nil {
		change(&c)
	}
	b, err := s.dev.SignCard(c)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func (s someone) profile(tb testing.TB) *Profile {
	tb.Helper()
	p, err := LoadProfile(s.records)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestProfile(t *testing.T) {
	s := newSomeone(t, 0)
	p := s.profile(t)
	if p.ID != s.root.ID() || len(p.Devices) != 1 || p.Cards[s.dev.ID()].Name != "Dr. A" {
		t.Fatalf("got %v devices", p.Devices)
	}
	for _, r := range s.records {
		if changed, err := p.Add(r); changed || err != nil {
			t.Errorf("known record: got %v, %v", changed, err)
		}
	}
	if got := p.Records(); !slices.EqualFunc(got, s.records, bytes.Equal) {
		t.Error("records are not what went in")
	}
	// newer card
	newer := s.card(t, 3, func(c *Card) { c.Name = "Dr. B" })
	if changed, err := p.Add(newer); !changed || err != nil {
		t.Errorf("newer card: got %v, %v", changed, err)
	}
	if changed, err := p.Add(s.card(t, 2, nil)); changed || err != nil {
		t.Errorf("old card: got %v, %v", changed, err)
	}
	if p.Cards[s.dev.ID()].Name != "Dr. B" {
		t.Error("an old card counts")
	}
	if _, err := p.Add(s.card(t, 3, nil)); !errors.Is(err, ErrFork) || len(p.CardFork) != 1 {
		t.Errorf("two cards with one number: got %v", err)
	}
	again, err := LoadProfile(p.Records())
	if err != nil || len(again.CardFork) != 1 {
		t.Errorf("proof of a fork is lost: %v", err)
	}
}

func TestRevokedNeverComesBack(t *testing.T) {
	s := newSomeone(t, 0)
	p := s.profile(t)
	serial, prev := p.Next()
	revoke, err := s.root.RevokeDevice(s.dev.ID(), Lost, serial, prev, 2000)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AddStatement(revoke); err != nil {
		t.Fatal(err)
	}
	serial, prev = p.Next()
	back, err := s.root.CertifyDevice(s.dev.Public(), "again", serial, prev, 3000)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AddStatement(back); err != nil {
		t.Fatal(err)
	}
	if got := p.Devices[s.dev.ID()].Revoked; got != Lost {
		t.Errorf("got %v, want lost", got)
	}
	if _, err := p.AddCard(s.card(t, 9, nil)); !errors.Is(err, ErrRevoked) {
		t.Errorf("card: got %v, want ErrRevoked", err)
	}
	if len(p.Cards) != 0 {
		t.Error("the card of a revoked device stays")
	}
	// Revoked before it was ever certified.
	root := RootFromSeed(counting(50))
	dev := NewDevice(root.ID(), counting(51))
	early, err := root.RevokeDevice(dev.ID(), Compromised, 1, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	id := RecordID(early)
	cert, err := root.CertifyDevice(dev.Public(), "", 2, &id, 2)
	if err != nil {
		t.Fatal(err)
	}
	q, err := LoadProfile([][]byte{root.Person().Encode(), early, cert})
	if err != nil || q.Devices[dev.ID()].Revoked != Compromised {
		t.Errorf("got %v, %v", q, err)
	}
}

func TestChainRefuses(t *testing.T) {
	s, other := newSomeone(t, 0), newSomeone(t, 10)
	p := s.profile(t)
	serial, prev := p.Next()
	wrong := [32]byte{1}
	second := NewDevice(s.root.ID(), counting(99)).Public()
	cert := func(serial uint64, prev *[32]byte) []byte {
		b, err := s.root.CertifyDevice(second, "", serial, prev, 5)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"gap", cert(serial+1, prev), ErrGap},
		{"prev", cert(serial, &wrong), ErrPrev},
		{"prev is a fork", cert(serial, &wrong), ErrFork},
		{"fork", cert(1, nil), ErrFork},
		{"other person", other.records[1], ErrWrongPerson},
		{"person", other.records[0], ErrWrongPerson},
		{"card of a stranger", other.records[2], ErrUnknownDevice},
	} {
		if _, err := p.Add(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	if p.Fork == nil || len(p.Statements) != 1 {
		t.Error("the fork is not kept as proof, or counts")
	}
	again, err := LoadProfile(p.Records())
	if err != nil || again.Fork == nil {
		t.Errorf("proof of a fork is lost: %v", err)
	}
	for _, c := range []struct {
		name   string
		serial uint64
		prev   *[32]byte
	}{{"serial 0", 0, nil}, {"first with prev", 1, &wrong}, {"second without", 2, nil}, {"too many", StatementsMax + 1, &wrong}} {
		if _, err := s.root.CertifyDevice(second, "", c.serial, c.prev, 5); err == nil {
			t.Errorf("%s: signed", c.name)
		}
	}
}

// Records in any order, repeated until nothing changes, give one profile.
func TestAnyOrder(t *testing.T) {
	s := newSomeone(t, 0)
	p := s.profile(t)
	for i := range 3 {
		serial, prev := p.Next()
		var b []byte
		var err error
		if i == 2 {
			b, err = s.root.RevokeDevice(NewDevice(s.root.ID(), counting(60)).ID(), Retired, serial, prev, 1)
		} else {
			b, err = s.root.CertifyDevice(NewDevice(s.root.ID(), counting(60+byte(i))).Public(), "", serial, prev, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := p.AddStatement(b); err != nil {
			t.Fatal(err)
		}
	}
	old, newest := s.card(t, 5, nil), s.card(t, 7, nil)
	if _, err := p.Add(newest); err != nil {
		t.Fatal(err)
	}
	want := p.Records()
	pool := append(slices.Clone(want[1:]), old)
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 8 {
		rng.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
		got, err := NewProfile(want[0])
		if err != nil {
			t.Fatal(err)
		}
		for range len(pool) {
			for _, r := range pool {
				_, _ = got.Add(r)
			}
		}
		if !reflect.DeepEqual(got.Records(), want) {
			t.Fatalf("seed %d: another profile", seed)
		}
	}
}

// No changed bit of a record is accepted, whatever the record.
func TestBitFlips(t *testing.T) {
	s := newSomeone(t, 0)
	subject := newSomeone(t, 10).root.ID()
	attest, err := s.root.Attest(subject, 1, 5, 5, 9, Claims{Name: "A", Role: RoleClinician})
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.root.RevList(1, 5, 9, []Revoked{{Serial: 4, WhenMS: 1, Reason: 1}})
	if err != nil {
		t.Fatal(err)
	}
	cut, err := s.root.Cut(s.dev.ID(), [32]byte{1}, 1, &Point{Seq: 1, Entry: [32]byte{2}}, nil, 5)
	if err != nil {
		t.Fatal(err)
	}
	person := s.root.Person()
	for name, c := range map[string]struct {
		b      []byte
		verify func([]byte) error
	}{
		"statement": {s.records[1], func(b []byte) error { _, err := VerifyStatement(person, b); return err }},
		"attest":    {attest, func(b []byte) error { _, err := VerifyAttest(person, b); return err }},
		"revlist":   {list, func(b []byte) error { _, err := VerifyRevList(person, b); return err }},
		"cut":       {cut, func(b []byte) error { _, err := VerifyCut(person, b); return err }},
		"card": {s.records[2], func(b []byte) error {
			p, err := LoadProfile(s.records[:2])
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.AddCard(b)
			return err
		}},
	} {
		if err := c.verify(c.b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := 0; i < len(c.b); i += 1 + i/40 {
			bad := slices.Clone(c.b)
			bad[i] ^= 1 << (i % 8)
			if c.verify(bad) == nil {
				t.Errorf("%s: byte %d changed and accepted", name, i)
			}
		}
		if c.verify(c.b[:len(c.b)-1]) == nil || c.verify(append(slices.Clone(c.b), 0)) == nil {
			t.Errorf("%s: accepted cut or with a byte too many", name)
		}
	}
}

func TestPersonRefuses(t *testing.T) {
	p := newSomeone(t, 0).root.Person()
	version, short, small := p, p, p
	version.Version = 2
	short.MLDSA65 = p.MLDSA65[1:]
	small.Ed25519 = [32]byte{1}
	for name, c := range map[string]struct {
		p    Person
		want error
	}{"version": {version, ErrVersion}, "short": {short, ErrKey}, "small order": {small, ErrKey}} {
		if _, err := ParsePerson(c.p.Encode()); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := NewProfile(nil); err == nil {
		t.Error("a person of no bytes")
	}
	if _, err := LoadProfile(nil); err == nil {
		t.Error("a profile of no records")
	}
}

func TestParseRecord(t *testing.T) {
	s := newSomeone(t, 0)
	attest, err1 := s.root.Attest(s.root.ID(), 1, 1, 1, 2, Claims{Name: "x", Role: 1})
	list, err2 := s.root.RevList(1, 1, 2, nil)
	cut, err3 := s.root.Cut(s.dev.ID(), [32]byte{1}, 1, nil, &Point{Seq: 3}, 1)
	revoke, err4 := s.root.RevokeDevice(s.dev.ID(), Forked, 1, nil, 1)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		b    []byte
		is   func(Record) bool
	}{
		{"person", s.records[0], func(r Record) bool { return r.Person != nil }},
		{"cert", s.records[1], func(r Record) bool { return r.Statement != nil && r.Statement.Cert.Label == "laptop" }},
		{"revoke", revoke, func(r Record) bool { return r.Statement != nil && r.Statement.Revoke.Reason == Forked }},
		{"card", s.records[2], func(r Record) bool { return r.Card != nil && r.Card.Device == s.dev.ID() }},
		{"attest", attest, func(r Record) bool { return r.Attest != nil }},
		{"revlist", list, func(r Record) bool { return r.RevList != nil }},
		{"cut", cut, func(r Record) bool { return r.Cut != nil && r.Cut.Content.Seq == 3 }},
	} {
		r, err := ParseRecord(c.b)
		if err != nil || !c.is(r) {
			t.Errorf("%s: got %+v, %v", c.name, r, err)
		}
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "integer": {1}, "empty map": {0xa0}, "empty array": {0x80},
		"unknown": wire.MustMarshal(signed{Payload: []byte{0xa0}}), "too long": make([]byte, RecordMax+1),
	} {
		if _, err := ParseRecord(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// A record of one kind does not verify as another.
	if _, err := VerifyCut(s.root.Person(), attest); err == nil {
		t.Error("an attestation passes for a cut")
	}
	if _, err := VerifyRevoke(s.root.Person(), s.records[1]); !errors.Is(err, ErrRecord) {
		t.Errorf("certificate as revocation: got %v", err)
	}
	if _, err := VerifyCert(s.root.Person(), revoke); !errors.Is(err, ErrRecord) {
		t.Errorf("revocation as certificate: got %v", err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	var seed wire.Secret
	for i := range seed {
		seed[i] = 0xab
	}
	root := RootFromSeed(seed)
	dev := NewDevice(PersonID{}, seed)
	inv := Invite{Secret: seed}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d", "%s"} {
		for _, v := range []any{root, dev, *root, *dev, inv, []any{root, dev}, struct{ R, d any }{root, dev}} {
			out := strings.ToLower(fmt.Sprintf(verb, v))
			if strings.Contains(out, "171 171") || strings.Contains(out, "abab") || strings.Contains(out, "0xab, 0xab") {
				t.Errorf("%s of %T: %s", verb, v, out)
			}
		}
	}
	js, err := json.Marshal([]any{root, dev, inv})
	if err != nil || strings.Contains(string(js), "171,171") {
		t.Errorf("JSON: %s, %v", js, err)
	}
}

func TestIDText(t *testing.T) {
	p, d := newSomeone(t, 0).root.ID(), newSomeone(t, 0).dev.ID()
	js, err := json.Marshal(map[PersonID]DeviceID{p: d})
	if err != nil {
		t.Fatal(err)
	}
	var m map[PersonID]DeviceID
	if err := json.Unmarshal(js, &m); err != nil || m[p] != d {
		t.Errorf("got %v, %v", m, err)
	}
	for _, bad := range []string{"", "x", strings.ToUpper(p.String()), p.String() + "00"} {
		if _, err := ParsePersonID(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
		if _, err := ParseDeviceID(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
