package identity

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
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

func newSomeone(t testing.TB, n byte) someone {
	t.Helper()
	s := someone{root: RootFromSeed(counting(n)), kem: seal.KEMFromSeed(counting(n + 1))}
	s.dev = NewDevice(s.root.ID(), counting(n+2))
	cert, err := s.root.CertifyDevice(s.dev.Public(), "laptop", 1, nil, 1000)
	if err != nil {
		t.Fatal(err)
	}
	s.records = [][]byte{s.root.Person().Encode(), cert, s.card(t, 1, nil)}
	return s
}

func (s someone) card(t testing.TB, number uint64, change func(*Card)) []byte {
	t.Helper()
	c := Card{Number: number, IssuedMS: 1000, KEM: s.kem.Public(), Name: "Dr. A", Kind: RoleClinician}
	if change != nil {
		change(&c)
	}
	b, err := s.dev.SignCard(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s someone) profile(t testing.TB) *Profile {
	t.Helper()
	p, err := LoadProfile(s.records)
	if err != nil {
		t.Fatal(err)
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

func TestSigsAreExact(t *testing.T) {
	s := newSomeone(t, 0)
	p, msg := s.root.Person(), []byte("message")
	both := s.root.keys().sign("a", msg)
	ed, ml := both[:1], both[1:]
	bad := func(sigs Sigs) Sigs {
		out := slices.Clone(sigs)
		out[len(out)-1].Bytes = slices.Clone(out[len(out)-1].Bytes)
		out[len(out)-1].Bytes[0] ^= 1
		return out
	}
	for _, c := range []struct {
		name  string
		label string
		msg   []byte
		sigs  Sigs
		want  []int
		ok    bool
	}{
		{"both", "a", msg, both, []int{1, 2}, true},
		{"one", "a", msg, ed, []int{1}, true},
		{"two", "a", msg, ml, []int{2}, true},
		{"missing 2", "a", msg, ed, []int{1, 2}, false},
		{"missing 1", "a", msg, ml, []int{1, 2}, false},
		{"unwanted 2", "a", msg, both, []int{1}, false},
		{"none", "a", msg, nil, []int{1}, false},
		{"none wanted", "a", msg, nil, nil, false},
		{"order", "a", msg, Sigs{both[1], both[0]}, []int{1, 2}, false},
		{"order wanted", "a", msg, Sigs{both[1], both[0]}, []int{2, 1}, false},
		{"repeated", "a", msg, Sigs{both[0], both[0]}, []int{1, 2}, false},
		{"repeated wanted", "a", msg, Sigs{both[0], both[0]}, []int{1, 1}, false},
		{"unknown alg", "a", msg, Sigs{{Alg: 3, Bytes: both[0].Bytes}}, []int{3}, false},
		{"wrong 1", "a", msg, bad(ed), []int{1}, false},
		{"wrong 2", "a", msg, bad(both), []int{1, 2}, false},
		{"label", "b", msg, both, []int{1, 2}, false},
		{"message", "a", []byte("Message"), both, []int{1, 2}, false},
		{"label moved into message", "", append([]byte("a\x00"), msg...), both, []int{1, 2}, false},
	} {
		err := p.Verify(c.label, c.msg, c.sigs, c.want...)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	if err := VerifySigs("a", msg, both, p.Ed25519[:31], p.MLDSA65, 1, 2); !errors.Is(err, ErrSignature) {
		t.Errorf("short Ed25519 key: got %v", err)
	}
	if err := VerifySigs("a", msg, both, p.Ed25519[:], p.MLDSA65[1:], 1, 2); !errors.Is(err, ErrSignature) {
		t.Errorf("short ML-DSA key: got %v", err)
	}
}

// groupOrder is L of RFC 8032 §5.1.
var groupOrder, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

func littleEndian(x *big.Int) []byte {
	b := x.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

// addOrder makes of a signature another one that a lenient verifier accepts.
func addOrder(sig []byte) []byte {
	s := slices.Clone(sig[32:])
	slices.Reverse(s)
	x := new(big.Int).SetBytes(s)
	return append(slices.Clone(sig[:32]), littleEndian(x.Add(x, groupOrder))...)
}

func TestEd25519IsExact(t *testing.T) {
	s := newSomeone(t, 0)
	p, msg := s.root.Person(), []byte("message")
	sig := s.root.keys().sign("a", msg, AlgEd25519)
	if err := p.Verify("a", msg, Sigs{{Alg: 1, Bytes: addOrder(sig[0].Bytes)}}, 1); !errors.Is(err, ErrSignature) {
		t.Errorf("S >= L: got %v, want ErrSignature", err)
	}
	// Under the identity as key, R = identity and S = 0 sign every message.
	identity := append([]byte{1}, make([]byte, 31)...)
	universal := append(slices.Clone(identity), make([]byte, 32)...)
	if !ed25519.Verify(identity, msg, universal) {
		t.Error("crypto/ed25519 refuses the small-order key by itself now: the check can go")
	}
	if err := VerifySigs("a", msg, Sigs{{Alg: 1, Bytes: universal}}, identity, nil, 1); !errors.Is(err, ErrSignature) {
		t.Errorf("small order: got %v, want ErrSignature", err)
	}
}

func TestKeysOfSmallOrderOrNotCanonical(t *testing.T) {
	prime := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	if !bytes.Equal(littleEndian(prime), fieldPrime) {
		t.Fatalf("got %x for the field prime", fieldPrime)
	}
	for _, y := range smallOrderY {
		if order := pointOrder(t, prime, y); order == 0 {
			t.Errorf("%x is not of small order", y)
		}
		for _, sign := range []byte{0, 0x80} {
			key := slices.Clone(y)
			key[31] |= sign
			if checkEd25519(key) == nil {
				t.Errorf("%x: accepted", key)
			}
		}
	}
	for i := range int64(19) { // y = p .. p+18 = 2^255 - 1
		key := littleEndian(new(big.Int).Add(prime, big.NewInt(i)))
		if checkEd25519(key) == nil {
			t.Errorf("p+%d: accepted", i)
		}
	}
	if err := checkEd25519(littleEndian(new(big.Int).Sub(prime, big.NewInt(2)))); err != nil {
		t.Errorf("p-2: %v", err)
	}
}

// pointOrder returns the order of a point with the given y if it divides 8,
// else 0, by textbook Edwards addition (RFC 8032 §5.1.4).
func pointOrder(t *testing.T, p *big.Int, yBytes []byte) int {
	t.Helper()
	mod := func(x *big.Int) *big.Int { return x.Mod(x, p) }
	mul := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Mul(a, b)) }
	inv := func(a *big.Int) *big.Int { return new(big.Int).ModInverse(a, p) }
	one := big.NewInt(1)
	d := mod(new(big.Int).Neg(mul(big.NewInt(121665), inv(big.NewInt(121666)))))
	be := slices.Clone(yBytes)
	slices.Reverse(be)
	y := new(big.Int).SetBytes(be)
	yy := mul(y, y)
	// x^2 = (y^2 - 1) / (d y^2 + 1)
	xx := mul(mod(new(big.Int).Sub(yy, one)), inv(mod(new(big.Int).Add(mul(d, yy), one))))
	x := new(big.Int).ModSqrt(xx, p)
	if x == nil {
		t.Fatalf("%x is not on the curve", yBytes)
	}
	px, py := x, y
	for order := 1; order <= 8; order++ {
		if px.Sign() == 0 && py.Cmp(one) == 0 {
			return order
		}
		k := mul(d, mul(mul(px, x), mul(py, y)))
		nx := mul(mod(new(big.Int).Add(mul(px, y), mul(x, py))), inv(mod(new(big.Int).Add(one, k))))
		ny := mul(mod(new(big.Int).Add(mul(py, y), mul(px, x))), inv(mod(new(big.Int).Sub(one, k))))
		px, py = nx, ny
	}
	return 0
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

func TestCardRefuses(t *testing.T) {
	s := newSomeone(t, 0)
	long := make([]PeerAddrs, PeersMax+1)
	low := s.kem.Public()
	clear(low[1184:])
	for name, change := range map[string]func(*Card){
		"number 0":       func(c *Card) { c.Number = 0 },
		"time":           func(c *Card) { c.IssuedMS = -1 },
		"kem":            func(c *Card) { c.KEM = c.KEM[1:] },
		"kem low order":  func(c *Card) { c.KEM = low },
		"kind":           func(c *Card) { c.Kind = 2 },
		"peers":          func(c *Card) { c.Addrs = long },
		"addrs":          func(c *Card) { c.Addrs = []PeerAddrs{{Addrs: make([]string, AddrsMax+1)}} },
		"addr":           func(c *Card) { c.Addrs = []PeerAddrs{{Addrs: []string{strings.Repeat("a", AddrMax+1)}}} },
		"peer id":        func(c *Card) { c.Addrs = []PeerAddrs{{PeerID: PeerID(strings.Repeat("a", PeerIDMax+1))}} },
		"boxes":          func(c *Card) { c.Boxes = make([]Box, PeersMax+1) },
		"name":           func(c *Card) { c.Name = strings.Repeat("a", TextMax+1) },
		"utf8":           func(c *Card) { c.Name = "\xff" },
		"record too big": func(c *Card) { c.Specialties = []string{strings.Repeat("a", TextMax), strings.Repeat("b", TextMax)} },
		"zone":           func(c *Card) { c.Hours = &Hours{} },
		"weekday":        func(c *Card) { c.Hours = &Hours{Zone: "UTC", Open: []Span{{Weekday: 8, From: 1, To: 2}}} },
		"span":           func(c *Card) { c.Hours = &Hours{Zone: "UTC", Open: []Span{{Weekday: 1, From: 2, To: 2}}} },
		"hours unsorted": func(c *Card) {
			c.Hours = &Hours{Zone: "UTC", Open: []Span{{Weekday: 2, From: 1, To: 2}, {Weekday: 1, From: 1, To: 2}}}
		},
	} {
		c := Card{Number: 1, IssuedMS: 1, KEM: s.kem.Public()}
		change(&c)
		if _, err := s.dev.SignCard(c); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	full := s.card(t, 2, func(c *Card) {
		c.Addrs = []PeerAddrs{{PeerID: "\x00\x24\xff", Addrs: []string{"/ip4/10.0.0.1/udp/4001/quic-v1"}}}
		c.Boxes = []Box{{PeerID: "x", ID: [16]byte{1}, Deposit: wire.NewSecret()}}
		c.Specialties, c.Languages = []string{"neuro"}, []string{"en", "de"}
		c.Hours = &Hours{Zone: "Europe/Vienna", Open: []Span{{Weekday: 1, From: 480, To: 960}, {Weekday: 1, From: 961, To: 1440}}}
	})
	p := s.profile(t)
	if changed, err := p.AddCard(full); !changed || err != nil {
		t.Fatalf("got %v, %v", changed, err)
	}
	c := p.Cards[s.dev.ID()]
	if c.Addrs[0].PeerID != "\x00\x24\xff" || c.Hours.Open[1].To != 1440 || c.KeyID() != s.kem.ID() {
		t.Errorf("got %+v", c)
	}
}

func TestAttest(t *testing.T) {
	clinic, subject := newSomeone(t, 0), newSomeone(t, 10)
	person := clinic.root.Person()
	b, err := clinic.root.Attest(subject.root.ID(), 7, 100, 200, 300, Claims{Name: "Dr. B", Role: RoleClinician, Organisation: "Clinic"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := VerifyAttest(person, b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyAttest(subject.root.Person(), b); !errors.Is(err, ErrWrongPerson) {
		t.Errorf("other issuer: got %v", err)
	}
	fresh := &RevList{Issuer: person.ID(), NextMS: 1000}
	stale := &RevList{Issuer: person.ID(), NextMS: 210}
	revoked := &RevList{Issuer: person.ID(), NextMS: 1000, Revoked: []Revoked{{Serial: 7}}}
	foreign := &RevList{Issuer: subject.root.ID(), NextMS: 1000, Revoked: []Revoked{{Serial: 7}}}
	for _, c := range []struct {
		name string
		list *RevList
		now  int64
		want Standing
	}{
		{"valid", fresh, 200, Valid},
		{"early", fresh, 199, NotYet},
		{"last", fresh, 299, Valid},
		{"expired", fresh, 300, Expired},
		{"no list", nil, 250, Stale},
		{"stale", stale, 250, Stale},
		{"withdrawn", revoked, 250, Withdrawn},
		{"list of another", foreign, 250, Stale},
	} {
		if got := a.Standing(c.list, c.now); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	for name, sign := range map[string]func() ([]byte, error){
		"until before from": func() ([]byte, error) {
			return clinic.root.Attest(a.Subject, 1, 1, 2, 2, Claims{Name: "x", Role: 1})
		},
		"no name": func() ([]byte, error) { return clinic.root.Attest(a.Subject, 1, 1, 2, 3, Claims{Role: 1}) },
		"role":    func() ([]byte, error) { return clinic.root.Attest(a.Subject, 1, 1, 2, 3, Claims{Name: "x", Role: 5}) },
		"next":    func() ([]byte, error) { return clinic.root.RevList(1, 5, 4, nil) },
		"cut":     func() ([]byte, error) { return clinic.root.Cut(clinic.dev.ID(), [32]byte{}, 0, nil, nil, 1) },
		"cut at 0": func() ([]byte, error) {
			return clinic.root.Cut(clinic.dev.ID(), [32]byte{}, 1, &Point{}, nil, 1)
		},
	} {
		if _, err := sign(); err == nil {
			t.Errorf("%s: signed", name)
		}
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
		for _, v := range []any{root, dev, *root, *dev, inv, []any{root, dev}, struct{ R, d any }{root, dev}} { //nolint:govet // copies are the point
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
