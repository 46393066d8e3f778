package identity

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// No change of a signed listing verifies: of the payload, of a signature, nor one
// signed again by somebody else's device.
func TestListingForged(t *testing.T) {
	c := newCast()
	p, err := LoadProfile([][]byte{c.person, c.chain[0]})
	if err != nil {
		t.Fatal(err)
	}
	plain := c.listing(nil)
	if _, err := VerifyListing(p, plain); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 5))
	for range 500 {
		b := slices.Clone(plain)
		at, bit := rng.IntN(len(b)), byte(1)<<rng.IntN(8)
		b[at] ^= bit
		if _, err := VerifyListing(p, b); err == nil {
			t.Fatalf("byte %d with bit %x flipped: verifies", at, bit)
		}
	}
	mallory := NewDevice(c.root.ID(), counting(0x70))
	for name, change := range map[string]func(*Listing){
		"as it is": func(*Listing) {},
		"renamed":  func(l *Listing) { l.Name = "Dr. Mallory" },
		"moved":    func(l *Listing) { l.Addrs[0].PeerID = "m" },
		"renewed":  func(l *Listing) { l.Number++; l.UntilMS += 10; l.FromMS += 10 },
	} {
		l := withDevice(plain, c.dev.ID())
		change(&l)
		forged := fixedRecord(mallory.keys(), labelListing, l)
		if _, err := VerifyListing(p, forged); !errors.Is(err, ErrSignature) {
			t.Errorf("%s, signed by another device: got %v", name, err)
		}
		kept, err := open(plain)
		if err != nil {
			t.Fatal(err)
		}
		grafted := wire.MustMarshal(signed{Payload: wire.MustMarshal(l), Sigs: kept.Sigs})
		if _, err := VerifyListing(p, grafted); name != "as it is" && !errors.Is(err, ErrSignature) {
			t.Errorf("%s, with the old signatures: got %v", name, err)
		}
	}
}

func TestListingTopics(t *testing.T) {
	l := Listing{Specialties: []string{"neuro", "thoracic"}, Languages: []string{"de", "en"}}
	got := l.Topics()
	want := [][32]byte{
		Topic("neuro", ""), Topic("neuro", "de"), Topic("neuro", "en"),
		Topic("thoracic", ""), Topic("thoracic", "de"), Topic("thoracic", "en"),
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %x", got)
	}
}

// Live words differ whenever anybody in between changes anything.
func TestSASDiffers(t *testing.T) {
	a := SASParty{Person: PersonID{1}, Device: DeviceID{2}, Nonce: [32]byte{3}}
	b := SASParty{Person: PersonID{4}, Device: DeviceID{5}, Nonce: [32]byte{6}}
	words := SASWords(a, b)
	if len(words) != SASWordCount || !MatchesSAS(words, "  "+words[0]+" "+words[1]+"\n"+words[2]+" "+words[3]) {
		t.Fatalf("got %v", words)
	}
	for name, change := range map[string]func(a, b *SASParty){
		"person of the initiator": func(a, _ *SASParty) { a.Person[0]++ },
		"device of the initiator": func(a, _ *SASParty) { a.Device[31]++ },
		"nonce of the initiator":  func(a, _ *SASParty) { a.Nonce[5]++ },
		"person of the responder": func(_, b *SASParty) { b.Person[0]++ },
		"device of the responder": func(_, b *SASParty) { b.Device[0]++ },
		"nonce of the responder":  func(_, b *SASParty) { b.Nonce[0]++ },
		"places":                  func(a, b *SASParty) { *a, *b = *b, *a },
	} {
		x, y := a, b
		change(&x, &y)
		if slices.Equal(SASWords(x, y), words) {
			t.Errorf("%s: the same words", name)
		}
		if name != "places" && x != a && x.Commit() == a.Commit() {
			t.Errorf("%s: the same commit", name)
		}
	}
}
