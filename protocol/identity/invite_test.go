package identity

import (
	"errors"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

const now = 1_800_000_000_000

func TestInvite(t *testing.T) {
	alice, bob := newSomeone(t, 0), newSomeone(t, 10)
	inv := NewInvite(alice.root.ID(), []PeerAddrs{{PeerID: "\x00\xff", Addrs: []string{"/ip4/10.0.0.1/udp/4001/quic-v1"}}}, now)
	read, err := ParseInvite(" " + inv.Link() + "\n")
	if err != nil || read.Link() != inv.Link() || read.Peers[0].PeerID != "\x00\xff" {
		t.Fatalf("got %v, %v", read, err)
	}
	join, err := read.Join(bob.records)
	if err != nil {
		t.Fatal(err)
	}
	if JoinTag(join) != inv.Tag() {
		t.Error("the tag does not find the invite")
	}
	p, err := OpenJoin(inv, join)
	if err != nil || p.ID != bob.root.ID() || len(p.Cards) != 1 {
		t.Fatalf("got %v, %v", p, err)
	}
	accept, err := Accept(inv, join, alice.records)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := OpenAccept(read, join, accept); err != nil || p.ID != alice.root.ID() {
		t.Errorf("got %v, %v", p, err)
	}
	second, err := read.Join(bob.records)
	if err != nil || JoinID(second) == JoinID(join) {
		t.Errorf("a second Join looks like the first: %v", err)
	}
}

func TestInviteRefuses(t *testing.T) {
	alice, bob := newSomeone(t, 0), newSomeone(t, 10)
	inv, other := NewInvite(alice.root.ID(), nil, now), NewInvite(alice.root.ID(), nil, now)
	join, err1 := inv.Join(bob.records)
	second, err2 := inv.Join(bob.records)
	accept, err3 := Accept(inv, join, alice.records)
	mallory, err4 := Accept(inv, join, bob.records)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	// Same secret, other place: the invite's bytes are in the context.
	moved := inv
	moved.ExpiresMS++
	for _, c := range []struct {
		name string
		inv  Invite
		join []byte
		want error
	}{
		{"other invite", other, join, ErrJoin},
		{"changed invite", moved, join, ErrJoin},
		{"accept as join", inv, accept, ErrJoin},
		{"empty", inv, nil, ErrJoin},
		{"tag only", inv, join[:16], ErrJoin},
		{"cut", inv, join[:len(join)-1], ErrJoin},
		{"too long", inv, make([]byte, JoinMax+1), ErrTooLong},
	} {
		if _, err := OpenJoin(c.inv, c.join); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	for _, c := range []struct {
		name         string
		join, accept []byte
		want         error
	}{
		{"answer to another join", second, accept, ErrJoin},
		{"wrong person", join, mallory, ErrWrongPerson},
		{"join reflected", join, join, ErrJoin},
		{"join's seal reflected", join, join[16:], ErrJoin},
		{"cut", join, accept[:len(accept)-1], ErrJoin},
		{"too long", join, make([]byte, JoinMax+1), ErrTooLong},
	} {
		if _, err := OpenAccept(inv, c.join, c.accept); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	for name, records := range map[string][][]byte{
		"no card": bob.records[:2], "no person": bob.records[1:], "card of another": {bob.records[0], bob.records[1], alice.records[2]},
		"no certificate": {bob.records[0], bob.records[2]}, "junk": {{1}}, "none": nil,
	} {
		if _, err := inv.Join(records); err == nil {
			t.Errorf("%s: joined", name)
		}
	}
}

// What is sealed is checked as if it had come openly.
func TestJoinOfBadRecords(t *testing.T) {
	alice, bob := newSomeone(t, 0), newSomeone(t, 10)
	inv := NewInvite(alice.root.ID(), nil, now)
	forge := func(person, statement, card []byte) []byte {
		tag := inv.Tag()
		p := wire.MustMarshal(card3{Person: person, Statements: []wire.Raw{statement}, Card: card})
		return append(tag[:], seal.Seal(inv.joinKey(), inv.joinContext(), p)...)
	}
	revoke, err := bob.root.RevokeDevice(bob.dev.ID(), Lost, 1, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		join []byte
		want error
	}{
		"statement of another": {forge(bob.records[0], alice.records[1], bob.records[2]), ErrWrongPerson},
		"card of another":      {forge(bob.records[0], bob.records[1], alice.records[2]), ErrUnknownDevice},
		"revoked only":         {forge(bob.records[0], revoke, bob.records[2]), ErrUnknownDevice},
		"person for card":      {forge(bob.records[0], bob.records[1], bob.records[0]), wire.ErrCanonical},
	} {
		if _, err := OpenJoin(inv, c.join); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestInviteTime(t *testing.T) {
	inv := NewInvite(PersonID{}, nil, now)
	for _, c := range []struct {
		name string
		now  int64
		ok   bool
	}{
		{"at once", now, true},
		{"at the end", now + InviteMaxMS - 1, true},
		{"over", now + InviteMaxMS, false},
		{"clock 30 minutes behind", now - 30*60*1000, true},
		{"longer than any may", now - 2*60*60*1000, false},
	} {
		if err := inv.Check(c.now); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrExpired) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestLinkRefuses(t *testing.T) {
	inv := NewInvite(PersonID{1}, nil, now)
	link := inv.Link()
	version, peers := inv, inv
	version.Version = 2
	peers.Peers = make([]PeerAddrs, PeersMax+1)
	last := link[len(link)-1]
	for name, bad := range map[string]string{
		"empty":         "",
		"no prefix":     strings.TrimPrefix(link, LinkPrefix),
		"other prefix":  "https://" + link,
		"cut":           link[:len(link)-2],
		"padding":       link + "=",
		"line break":    link[:40] + "\n" + link[40:],
		"space":         link[:40] + " " + link[40:],
		"standard":      LinkPrefix + strings.Repeat("+/", 40),
		"trailing bits": link[:len(link)-1] + string(last+1),
		"version":       version.Link(),
		"peers":         peers.Link(),
		"too long":      LinkPrefix + strings.Repeat("A", LinkMax+1),
	} {
		if got, err := ParseInvite(bad); !errors.Is(err, ErrLink) {
			// One link in four has no spare bits at its end.
			if name == "trailing bits" && err == nil && got.Link() == bad {
				continue
			}
			t.Errorf("%s: got %v, want ErrLink", name, err)
		}
	}
}
