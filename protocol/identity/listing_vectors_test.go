package identity

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/vectest"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Field "check" of these vectors:
//
//	topic    "specialty" and "language" to the topic in the body and the "cid" that the DHT is asked for
//	listing  CBOR [ bstr person, bstr statement ..., bstr listing ] in the body, as served by "peer", judged at "now"
//	sas      the parties "initiator" and "responder", each person || device || nonce, to "commit" and "words"

// cidOf is CIDv1 (01) raw (55) with the sha2-256 multihash (12 20) of a topic.
func cidOf(topic [32]byte) []byte {
	sum := sha256.Sum256(topic[:])
	return append([]byte{0x01, 0x55, 0x12, 0x20}, sum[:]...)
}

const listingPeer = PeerID("\x00\x24\x08\x01")

func (c cast) listing(change func(*Listing)) []byte {
	l := Listing{
		Version: 1, Device: c.dev.ID(), Number: 3, FromMS: 1000, UntilMS: 1000 + ListingMaxMS, Name: "Dr. Zoë",
		Specialties: []string{"neuroradiology"}, Languages: []string{"de", "en"},
		Addrs: []PeerAddrs{{PeerID: listingPeer, Addrs: []string{"/ip4/192.0.2.1/udp/4001/quic-v1"}}},
	}
	if change != nil {
		change(&l)
	}
	return fixedRecord(c.dev.keys(), labelListing, l)
}

func listingVectors() []vectest.Vector {
	c := newCast()
	one := func(name, expect, comment string, now int64, records ...[]byte) vectest.Vector {
		return vector("listing", name, expect, comment, list(append([][]byte{c.person}, records...)...),
			vectest.Field{Name: "now", Value: strconv.FormatInt(now, 10)}, vectest.Hex("peer", []byte(listingPeer)))
	}
	with := func(name, expect, comment string, change func(*Listing)) vectest.Vector {
		return one(name, expect, comment, 2000, c.chain[0], c.listing(change))
	}
	plain := c.listing(nil)
	text := func(name, value string) vectest.Field { return vectest.Field{Name: name, Value: value} }
	topic := func(name, specialty, language string) vectest.Vector {
		h := Topic(specialty, language)
		return vector("topic", name, "ok", "what is looked for, as the DHT is asked for it", h[:],
			text("specialty", specialty), text("language", language), vectest.Hex("cid", cidOf(h)))
	}
	a := SASParty{Person: c.root.ID(), Device: c.dev.ID(), Nonce: counting(1)}
	b := SASParty{Person: c.clinic.ID(), Device: DeviceID(counting(2)), Nonce: counting(3)}
	commit := a.Commit()
	bytesOf := func(p SASParty) []byte { return slices.Concat(p.Person[:], p.Device[:], p.Nonce[:]) }
	sas := func(name, expect, comment, words string) vectest.Vector {
		return vector("sas", name, expect, comment, nil, vectest.Hex("initiator", bytesOf(a)), vectest.Hex("responder", bytesOf(b)),
			vectest.Hex("commit", commit[:]), text("words", words))
	}
	return []vectest.Vector{
		topic("topic-specialty", "neuroradiology", ""),
		topic("topic-pair", "neuroradiology", "de"),
		sas("sas", "ok", "four live words", strings.Join(SASWords(a, b), " ")),
		sas("sas-swapped", "other words", "the words of swapped places", strings.Join(SASWords(b, a), " ")),
		with("listing", "ok", "what must be there", nil),
		with("listing-full", "ok", "a listing with every field", func(l *Listing) {
			l.Species, l.Kind, l.Country = []string{"dog", "horse"}, RoleClinician, "AT"
			l.Hours = &Hours{Zone: "Europe/Vienna", Open: []Span{{Weekday: 1, From: 480, To: 960}}}
		}),
		one("listing-expired", "stale", "at until", 1000+ListingMaxMS, c.chain[0], plain),
		one("listing-early", "stale", "more than an hour ahead", 1000-listingAheadMS, c.chain[0], c.listing(func(l *Listing) { l.FromMS++; l.UntilMS++ })),
		with("listing-long", "field", "longer than a day", func(l *Listing) { l.UntilMS++ }),
		with("listing-number-0", "field", "number 0", func(l *Listing) { l.Number = 0 }),
		with("listing-version", "version", "version 2", func(l *Listing) { l.Version = 2 }),
		with("listing-no-name", "field", "without a name", func(l *Listing) { l.Name = "" }),
		with("listing-no-specialty", "field", "without a specialty", func(l *Listing) { l.Specialties = []string{} }),
		with("listing-no-peer", "field", "without a peer", func(l *Listing) { l.Addrs = []PeerAddrs{} }),
		with("listing-unsorted", "field", "languages unsorted", func(l *Listing) { slices.Reverse(l.Languages) }),
		with("listing-code", "field", "a code with a capital", func(l *Listing) { l.Specialties = []string{"Neuroradiology"} }),
		with("listing-topics", "too-long", "seventeen topics", func(l *Listing) {
			l.Languages = []string{}
			for i := range TopicsMax + 1 {
				l.Specialties = append(l.Specialties[:i:i], "s"+string(rune('a'+i)))
			}
		}),
		with("listing-country", "field", "a country in small letters", func(l *Listing) { l.Country = "at" }),
		with("listing-kind", "field", "a kind that no card claims", func(l *Listing) { l.Kind = RoleTrainee }),
		with("listing-other-peer", "peer", "served by a peer that it does not name", func(l *Listing) { l.Addrs[0].PeerID = "\x00\x24\x08\x02" }),
		one("listing-unknown-device", "unknown-device", "a device that no statement names", 2000, c.chain[0], c.listing(func(l *Listing) { l.Device = c.second.ID() })),
		one("listing-revoked", "revoked", "of a revoked device", 2000, c.chain[0], c.chain[1], c.chain[2],
			fixedRecord(c.second.keys(), labelListing, withDevice(plain, c.second.ID()))),
		one("listing-signer", "signature", "signed by the root", 2000, c.chain[0], fixedRecord(c.root.keys(), labelListing, wire.Raw(mustPayload(plain)))),
		one("listing-label", "signature", "signed as a card", 2000, c.chain[0], fixedRecord(c.dev.keys(), labelCard, wire.Raw(mustPayload(plain)))),
		one("listing-missing-2", "signature", "signed with alg 1 alone", 2000, c.chain[0], resign(plain, func(s *signed) { s.Sigs = s.Sigs[:1] })),
		one("listing-flip", "signature", "a letter of the name changed", 2000, c.chain[0], resign(plain, func(s *signed) {
			s.Payload = slices.Clone(s.Payload)
			s.Payload[slices.Index(s.Payload, 'Z')] = 'Y'
		})),
	}
}

// withDevice is the payload of a listing with another device.
func withDevice(record []byte, d DeviceID) Listing {
	var l Listing
	if err := wire.Unmarshal(mustPayload(record), &l); err != nil {
		panic(err)
	}
	l.Device = d
	return l
}

func judgeListing(tb testing.TB, v vectest.Vector) string {
	tb.Helper()
	switch v.Get("check") {
	case "topic":
		h := Topic(v.Get("specialty"), v.Get("language"))
		if !slices.Equal(h[:], v.Body) || !slices.Equal(cidOf(h), v.Hex(tb, "cid")) {
			return "other topic"
		}
		return vectest.OK
	case "sas":
		party := func(name string) SASParty {
			b := v.Hex(tb, name)
			return SASParty{Person: PersonID(b[:32]), Device: DeviceID(b[32:64]), Nonce: [32]byte(b[64:96])}
		}
		a, b := party("initiator"), party("responder")
		if c := a.Commit(); !slices.Equal(c[:], v.Hex(tb, "commit")) {
			return "other commit"
		}
		if !MatchesSAS(SASWords(a, b), v.Get("words")) {
			return "other words"
		}
		return vectest.OK
	}
	r := records(tb, v)
	p, err := LoadProfile(r[:len(r)-1])
	if err != nil {
		return classOf(err)
	}
	l, err := VerifyListing(p, r[len(r)-1])
	if err != nil {
		return classOf(err)
	}
	now, err := strconv.ParseInt(v.Get("now"), 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	if !l.Names(PeerID(v.Hex(tb, "peer"))) {
		return "peer"
	}
	return classOf(l.Check(now))
}
