package identity

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

func FuzzInvite(f *testing.F) {
	f.Add(NewInvite(PersonID{1}, []PeerAddrs{{PeerID: "x", Addrs: []string{"/ip4/1.2.3.4"}}}, now).Link())
	f.Add(LinkPrefix)
	f.Fuzz(func(t *testing.T, link string) {
		inv, err := ParseInvite(link)
		if err != nil {
			if !errors.Is(err, ErrLink) {
				t.Errorf("got %v, want ErrLink", err)
			}
			return
		}
		if inv.Link() != strings.TrimSpace(link) {
			t.Error("two links of one invite")
		}
	})
}

// FuzzJoin feeds both the sealed bytes and what is inside them.
func FuzzJoin(f *testing.F) {
	bob := newCast()
	inv := Invite{Version: 1, Secret: counting(1), ExpiresMS: now}
	inner, err := pack([][]byte{bob.person, bob.chain[0], bob.card})
	if err != nil {
		f.Fatal(err)
	}
	tag := inv.Tag()
	join := append(tag[:], seal.SealWithSalt(inv.joinKey(), inv.joinContext(), inner, [24]byte{})...)
	f.Add(join)
	f.Add(inner)
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := OpenJoin(inv, b); err == nil && p.ID != bob.root.ID() {
			t.Error("a forged Join opens")
		}
		if _, err := OpenAccept(inv, join, b); err == nil {
			t.Error("a forged Accept opens")
		}
		p, err := unpack(b)
		if err != nil {
			return
		}
		if again, err := pack(p.Records()); err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted records pack differently: %v", err)
		}
	})
}

// FuzzRecord feeds records as they come and payloads as if the root had signed
// them: what lies behind a signature is foreign too.
func FuzzRecord(f *testing.F) {
	// Workers are other processes: genuine records must be the same in each.
	c := newCast()
	genuine := append([][]byte{c.person, c.card}, c.chain...)
	for _, v := range identityVectors() {
		var records [][]byte
		if wire.Unmarshal(v.Body, &records) != nil {
			continue
		}
		for _, r := range records {
			f.Add(r)
			if s, err := open(r); err == nil {
				f.Add(s.Payload)
			}
			genuine = append(genuine, r)
		}
	}
	base, err := LoadProfile([][]byte{c.person, c.chain[0]})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, record := range [][]byte{b, wire.MustMarshal(signed{Payload: b})} {
			r, err := ParseRecord(record)
			if err != nil {
				continue
			}
			set := 0
			for _, is := range []bool{r.Person != nil, r.Statement != nil, r.Card != nil, r.Attest != nil, r.RevList != nil, r.Cut != nil} {
				if is {
					set++
				}
			}
			if set != 1 {
				t.Errorf("a record of %d kinds", set)
			}
			if changed, _ := base.Add(record); changed && !slices.ContainsFunc(genuine, func(k []byte) bool { return bytes.Equal(k, record) }) {
				t.Error("a forged record is accepted")
			}
		}
	})
}

// FuzzListing feeds listings as they come from strangers: what is accepted was
// signed by the device, stays within the limits and has at most 16 topics.
func FuzzListing(f *testing.F) {
	c := newCast()
	p, err := LoadProfile([][]byte{c.person, c.chain[0]})
	if err != nil {
		f.Fatal(err)
	}
	var genuine [][]byte
	for _, v := range listingVectors() {
		var records [][]byte
		if wire.Unmarshal(v.Body, &records) != nil {
			continue
		}
		b := records[len(records)-1]
		f.Add(b)
		if v.Expect == "ok" || v.Expect == "stale" || v.Expect == "peer" {
			genuine = append(genuine, b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := VerifyListing(p, b)
		if err != nil {
			return
		}
		if !slices.ContainsFunc(genuine, func(k []byte) bool { return bytes.Equal(k, b) }) {
			t.Error("a forged listing is accepted")
		}
		if n := len(l.Topics()); n == 0 || n > TopicsMax {
			t.Errorf("%d topics", n)
		}
	})
}
