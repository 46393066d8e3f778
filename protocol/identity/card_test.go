package identity

import (
	"errors"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

func TestCardRefuses(t *testing.T) {
	s := newSomeone(t, 0)
	low := s.kem.Public()
	clear(low[1184:])
	for name, change := range map[string]func(*Card){
		"number 0":       func(c *Card) { c.Number = 0 },
		"time":           func(c *Card) { c.IssuedMS = -1 },
		"kem":            func(c *Card) { c.KEM = c.KEM[1:] },
		"kem low order":  func(c *Card) { c.KEM = low },
		"kind":           func(c *Card) { c.Kind = 2 },
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
		"role":    func() ([]byte, error) { return clinic.root.Attest(a.Subject, 1, 1, 2, 3, Claims{Name: "x", Role: 6}) },
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

// Addresses beyond the limits are left out when signing and refused when read.
func TestPeersFit(t *testing.T) {
	s := newSomeone(t, 0)
	long := strings.Repeat("a", AddrMax+1)
	for name, peers := range map[string][]PeerAddrs{
		"peers":   make([]PeerAddrs, PeersMax+1),
		"addrs":   {{Addrs: make([]string, AddrsMax+1)}},
		"addr":    {{Addrs: []string{long}}},
		"peer id": {{PeerID: PeerID(strings.Repeat("a", PeerIDMax+1))}},
	} {
		if err := checkPeers(peers); !errors.Is(err, ErrTooLong) {
			t.Errorf("%s: got %v, want ErrTooLong", name, err)
		}
		if err := checkPeers(fitPeers(peers)); err != nil {
			t.Errorf("%s: does not fit: %v", name, err)
		}
	}
	c := s.card(t, 2, func(c *Card) { c.Addrs = []PeerAddrs{{PeerID: "x", Addrs: []string{long, "\xff", "/ip4/10.0.0.1"}}} })
	p := s.profile(t)
	if _, err := p.AddCard(c); err != nil {
		t.Fatal(err)
	}
	if got := p.Cards[s.dev.ID()].Addrs; len(got) != 1 || len(got[0].Addrs) != 1 {
		t.Errorf("got %v", got)
	}
	inv := NewInvite(PersonID{}, []PeerAddrs{{Addrs: []string{"\xff"}}}, now)
	if _, err := ParseInvite(inv.Link()); err != nil {
		t.Error(err)
	}
}
