package desk

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/node/directory"
	"github.com/curbside-p2p/curbside/node/peering"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/index"
)

const (
	// tableListing holds the directory's cache in the index: what is lost there is found again.
	tableListing = "listing"
	// tableOwn holds what a person's own listing was last: its number rises over restarts.
	tableOwn = "directory" // "listing" -> number, "told" -> nothing
)

const (
	listingLastsMS = identity.ListingMaxMS
	// listingNewMS is when a listing is signed again, as often as it is announced again.
	listingNewMS = 4 * 60 * 60 * 1000
	// saidMS is how long an author's word on now counts.
	saidMS = 10 * 60 * 1000
	// servedMax bounds the attestations served with a listing, so that the newest list of each fits.
	servedMax = 4
)

// listed is the own listing of a person here.
type listed struct {
	listing identity.Listing
	bytes   []byte
	attests string // what was attested when it was signed
	problem string
}

// indexStore keeps the cache's frames in the index.
type indexStore struct{ *index.Index }

func (s indexStore) Put(key string, value []byte) error { return s.Index.Put(tableListing, key, value) }
func (s indexStore) Delete(key string) error            { return s.Index.Delete(tableListing, key) }
func (s indexStore) Get(key string) ([]byte, bool) {
	value, ok, err := s.Index.Get(tableListing, key)
	return value, ok && err == nil
}

func (s indexStore) Each(f func(key string, value []byte) error) error {
	return s.Index.Each(tableListing, "", f)
}

// Directory is the desk as the host's keeper of listings.
func (d *Desk) Directory() peering.Directory { return keeperOf{d} }

type keeperOf struct{ *Desk }

// cached is the directory's cache, nil until the index is open. Call with mu.
func (d *Desk) cached() *directory.Cache {
	if d.found == nil && d.index != nil {
		d.found = directory.NewCache(indexStore{d.index}, directory.CacheMax)
	}
	return d.found
}

func (d *Desk) cache() *directory.Cache {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cached()
}

// Own gives the frames of the persons here who are listed.
func (k keeperOf) Own() [][]byte {
	d := k.Desk
	d.mu.Lock()
	defer d.mu.Unlock()
	var out [][]byte
	for _, p := range d.persons {
		l := d.own[p.id]
		if l == nil || l.bytes == nil {
			continue
		}
		state := uint64(directory.StateAway)
		if _, accepting, _ := d.availability(l.listing.Hours); accepting {
			state = directory.StateAwake
		}
		vouches := d.vouchesServed(p.id)
		frame, err := directory.Found{
			Listing: l.bytes, Records: p.profile.Records(), Vouches: vouches[:min(len(vouches), servedMax)], State: state,
		}.Encode()
		if err != nil {
			d.log.Warn("own listing cannot be served", slog.Any("error", err))
			continue
		}
		out = append(out, frame)
	}
	return out
}

// Topics are what the listings here are announced under.
func (k keeperOf) Topics() [][32]byte {
	d := k.Desk
	d.mu.Lock()
	defer d.mu.Unlock()
	var out [][32]byte
	for _, l := range d.own {
		if l.bytes == nil {
			continue
		}
		for _, t := range l.listing.Topics() {
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

// Pass gives listings of others to a peer of the LAN.
func (k keeperOf) Pass(r *directory.Request, most int) [][]byte {
	c := k.cache()
	if c == nil {
		return nil
	}
	return c.Pass(r, most, k.nowMS())
}

// Known says which listings are held.
func (k keeperOf) Known() []directory.KnownKey {
	c := k.cache()
	if c == nil {
		return nil
	}
	return c.Known(k.nowMS())
}

// Take takes a frame that a peer served.
func (k keeperOf) Take(frame []byte, from identity.PeerID, passed bool) (*identity.Listing, error) {
	d := k.Desk
	c := d.cache()
	if c == nil {
		return nil, errors.New("no person here yet")
	}
	taken, err := c.Take(frame, from, passed, d.nowMS(), d.frameVouched)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id := taken.Entry.Person
	if d.personOf(id) != nil {
		c.Forget(id) // ours, come back to us
		return taken.Entry.Listing, nil
	}
	d.movedBy(id, taken)
	for sub := range d.finders {
		select {
		case sub <- taken:
		default: // a reader that slow has the cache
		}
	}
	return taken.Entry.Listing, nil
}

// frameVouched says whether somebody whose word counts here vouches for the author of a frame, and
// that its keys do not contradict what is known.
func (d *Desk) frameVouched(prof *identity.Profile, served []directory.Vouch) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.vouchesRead(prof.ID, served), func(v *vouch) bool { return d.counts(nil, v) })
}

// movedBy takes what a contact's own listing brings: new records, and where they are now.
func (d *Desk) movedBy(id identity.PersonID, taken directory.Taken) {
	if d.profiles[id] == nil || taken.Profile == nil || !d.concerns(id) {
		return
	}
	records := taken.Profile.Records()
	for _, v := range taken.Vouches {
		records = append(records, v.Attest)
		if v.RevList != nil {
			records = append(records, v.RevList)
		}
	}
	d.learn(records, false)
}

// refreshListings signs own listings anew where they changed, or grew old. Call with mu.
func (d *Desk) refreshListings() {
	changed := false
	for _, p := range d.persons {
		was := d.own[p.id]
		now, err := d.listing(p, was)
		if err != nil {
			d.log.Warn("listing is not signed", slog.Any("error", err))
		}
		if now != was {
			changed = true
			d.own[p.id] = now
		}
	}
	if changed {
		d.tell(func(n Network) { n.Relist() })
	}
}

// listing is what a person's listing is now: the old one while it says the same.
func (d *Desk) listing(p *person, was *listed) (*listed, error) {
	if d.setting("listed") != "true" || d.net == nil {
		return nil, nil //nolint:nilnil // nobody is listed who did not say so
	}
	want, problem := d.wantedListing(p)
	if problem != "" {
		if was != nil && was.problem == problem {
			return was, nil
		}
		d.log.Warn("you are not in the directory", slog.String("why", problem))
		return &listed{problem: problem}, nil
	}
	now := d.nowMS()
	var ids strings.Builder
	for _, v := range d.vouchesServed(p.id) {
		id := identity.RecordID(v.Attest)
		ids.Write(id[:])
	}
	attests := ids.String()
	if was != nil && was.bytes != nil && was.attests == attests && sameListing(&was.listing, &want) && now-was.listing.FromMS < listingNewMS && now >= was.listing.FromMS {
		return was, nil
	}
	number, err := d.nextListing(p)
	if err != nil {
		return was, err
	}
	want.Number, want.FromMS, want.UntilMS = number, now, now+listingLastsMS
	b, err := p.device.SignListing(want)
	if err != nil {
		return &listed{problem: err.Error()}, nil //nolint:nilerr // it is shown as the problem
	}
	l, err := identity.ReadListing(b)
	if err != nil {
		return was, err
	}
	return &listed{listing: *l, bytes: b, attests: attests}, nil
}

func sameListing(a, b *identity.Listing) bool {
	x, y := *a, *b
	y.Version, y.Device, y.Number, y.FromMS, y.UntilMS = x.Version, x.Device, x.Number, x.FromMS, x.UntilMS
	return string(wire.MustMarshal(x)) == string(wire.MustMarshal(y))
}

// nextListing makes a number durable before it is used.
func (d *Desk) nextListing(p *person) (uint64, error) {
	var number uint64
	if value, ok := p.vault.Get(tableOwn, "listing"); ok {
		_ = wire.Unmarshal(value, &number) // a damaged row begins again from the time
	}
	if number == 0 {
		number = uint64(max(0, d.nowMS()/1000)) // a restored vault must not go back
	}
	number++
	if err := p.vault.Put(tableOwn, "listing", wire.MustMarshal(number)); err != nil {
		return 0, internal("keep listing", err)
	}
	return number, nil
}

// wantedListing is what the settings say of a person, or what is missing for a listing.
func (d *Desk) wantedListing(p *person) (l identity.Listing, problem string) {
	said := p.self.Specialties
	if s := lines(d.setting("specialties")); len(s) > 0 && (len(said) == 0 || len(d.persons) == 1) {
		said = s
	}
	l = identity.Listing{
		Name: shortened(p.self.Name, identity.NameMax), Kind: p.self.Kind, Country: strings.ToUpper(strings.TrimSpace(d.setting("country"))),
		Hours: d.ownHours(), Addrs: d.selfAddrs(p), Languages: []string{},
	}
	var bad string
	codes := func(list []string) []string {
		var out []string
		for _, s := range list {
			c, ok := Code(s)
			if !ok {
				bad = s
				continue
			}
			if !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
		slices.Sort(out)
		return out
	}
	l.Specialties, l.Languages, l.Species = codes(said), append(l.Languages, codes(lines(d.setting("languages")))...), codes(lines(d.setting("species")))
	if len(l.Species) == 1 && l.Species[0] == directory.Human {
		l.Species = nil
	}
	topics := len(l.Specialties) * (1 + len(l.Languages))
	switch {
	case bad != "":
		return l, "a code has letters, digits, dots and dashes: " + bad
	case len(l.Specialties) == 0:
		return l, "no specialty is said: curbside config set specialties neuroradiology"
	case topics > identity.TopicsMax:
		return l, "too many specialties and languages: each specialty with each language is a topic, and 16 topics are the most"
	case len(l.Addrs) == 0 || len(l.Addrs[0].PeerID) == 0:
		return l, "this node has no address yet"
	}
	return l, ""
}

// Code makes a code of what a user typed: "Thoracic radiology" is thoracic-radiology.
func Code(s string) (string, bool) {
	c := strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ' ' || r == '_' || r == '/' }), "-")
	return c, identity.IsCode(c)
}

func lines(s string) []string {
	return slices.DeleteFunc(strings.Split(s, "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
}

// shortened cuts a text to at most n bytes, between letters.
func shortened(s string, n int) string {
	for len(s) > n {
		r := []rune(s)
		s = string(r[:len(r)-1])
	}
	return s
}

// awake says whether somebody of the directory takes cases now: their node's own word if it is
// fresh, else their hours; who says neither is not known to.
func (d *Desk) awake(e *directory.Entry) bool {
	if e.State != 0 && d.nowMS()-e.SaidMS < saidMS {
		return e.State == directory.StateAwake
	}
	_, accepting, _ := d.availability(e.Listing.Hours)
	return e.Listing.Hours != nil && accepting
}

// compareFound puts attested ones first, then those awake, then by name.
func (d *Desk) compareFound(a, b *directory.Entry) int {
	return cmp.Or(-boolCompare(a.Vouched, b.Vouched), -boolCompare(d.awake(a), d.awake(b)), strings.Compare(a.Listing.Name, b.Listing.Name))
}

// findTime is how long the network is asked unless a request says otherwise.
const findTime = 15 * time.Second

// ownLanguages are the languages that one's card says, from the setting.
func (d *Desk) ownLanguages() []string {
	var out []string
	for _, s := range lines(d.setting("languages")) {
		if c, ok := Code(s); ok && len(out) < identity.CodesMax {
			out = append(out, c)
		}
	}
	return out
}
