package desk

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/directory"
	"github.com/curbside-p2p/curbside/node/peering"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

const (
	liveTime = 3 * time.Minute  // for both persons to come and to compare
	helloIn  = 10 * time.Second // for the first frame of a stranger
	liveNext = 2 * time.Second  // until the other node is tried again
	// verdictIn is how long to wait for what the other person decided, once one's own decision counts.
	verdictIn = 60 * time.Second
	offersMax = 16
)

// live is a comparison of words under way, of a person here with another (FORMATS §2.1). Desk.mu
// guards what is below the blank line.
type live struct {
	session string
	p       *person
	other   identity.PersonID
	answer  chan bool   // what the person here decided
	theirs  chan *offer // the other side began at the same time, and goes first

	name  string
	words []string
	begun bool // the other side has answered

	ended   chan struct{} // closed when it is over, with what came of it:
	contact control.Contact
	err     error
}

// offer is a peer whose person waits to compare words with a person here.
type offer struct {
	p      *person
	prof   *identity.Profile
	commit [32]byte
	stream peering.Stream
	since  time.Time
	next   chan read     // the frame after hello, or that they are gone
	taken  chan struct{} // closed when a person here takes it
	done   chan struct{} // closed when the stream is not needed any more
}

type read struct {
	frame []byte
	err   error
}

type (
	helloMsg struct {
		Version uint64            `cbor:"1,keyasint"`
		Whom    identity.PersonID `cbor:"2,keyasint"`
		Records [][]byte          `cbor:"3,keyasint"`
		Commit  [32]byte          `cbor:"4,keyasint"`
	}
	answerMsg struct {
		Records [][]byte `cbor:"1,keyasint"`
		Nonce   [32]byte `cbor:"2,keyasint"`
	}
	revealMsg struct {
		Nonce [32]byte `cbor:"1,keyasint"`
	}
	verdictMsg struct {
		Verdict uint64 `cbor:"1,keyasint"`
	}
)

const (
	verdictSame   = 1
	verdictDiffer = 2
)

var errLive = errors.New("the other node did not keep to the protocol")

// Verify takes a stream on which somebody wants to compare words with a person here.
func (d *Desk) Verify(ctx context.Context, s peering.Stream, _ identity.PeerID) {
	defer s.Reset() //nolint:errcheck // after Close it does nothing
	_ = s.SetDeadline(d.now().Add(helloIn))
	frame, err := directory.ReadFrame(s)
	if err != nil {
		return
	}
	var hello helloMsg
	if wire.Unmarshal(frame, &hello) != nil || hello.Version != 1 {
		return
	}
	prof, _, err := partyOf(hello.Records)
	if err != nil {
		return
	}
	_ = s.SetDeadline(time.Time{})
	o := &offer{
		prof: prof, commit: hello.Commit, stream: s, since: d.now(),
		next: make(chan read, 1), taken: make(chan struct{}), done: make(chan struct{}),
	}
	if !d.offered(o, hello.Whom) {
		return
	}
	defer d.withdraw(o)
	go func() {
		frame, err := directory.ReadFrame(s)
		o.next <- read{frame, err}
		if err != nil {
			d.withdraw(o)
		}
	}()
	wait := time.NewTimer(liveTime)
	defer wait.Stop()
	select {
	case <-o.done:
		return
	case <-o.taken:
	case <-wait.C:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-o.done:
	case <-ctx.Done():
	}
}

// offered gives an offer to whoever waits for just that, or keeps it for a person to take.
func (d *Desk) offered(o *offer, whom identity.PersonID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	o.p = d.personOf(whom)
	if o.p == nil || d.personOf(o.prof.ID) != nil {
		return false
	}
	for _, l := range d.lives {
		if l.p != o.p || l.other != o.prof.ID {
			continue
		}
		// Both began at once: the lower id goes first, the other's stream ends.
		if l.begun || bytes.Compare(o.prof.ID[:], o.p.id[:]) > 0 {
			return false
		}
		select {
		case l.theirs <- o:
			close(o.taken)
			return true
		default:
			return false
		}
	}
	d.offers = slices.DeleteFunc(d.offers, func(x *offer) bool { return x.p == o.p && x.prof.ID == o.prof.ID })
	if len(d.offers) >= offersMax {
		return false
	}
	d.offers = append(d.offers, o)
	d.publish(control.Event{Event: "contact", Kind: "live"})
	return true
}

func (d *Desk) withdraw(o *offer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.offers)
	d.offers = slices.DeleteFunc(d.offers, func(x *offer) bool { return x == o })
	if len(d.offers) != n {
		d.publish(control.Event{Event: "contact", Kind: "live"})
	}
}

// partyOf proves the records of the other side, and says which device compares.
func partyOf(records [][]byte) (*identity.Profile, identity.DeviceID, error) {
	var dev identity.DeviceID
	prof, err := identity.LoadProfile(records)
	if err != nil {
		return nil, dev, err
	}
	if prof.Fork != nil || len(prof.Cards) != 1 {
		return nil, dev, errLive
	}
	for id := range prof.Cards {
		dev = id
	}
	return prof, dev, nil
}

// ContactLiveOffers lists those who wait to compare words with the acting person.
func (d *Desk) ContactLiveOffers(ctx context.Context, _ control.None) ([]control.LiveOffer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	out := []control.LiveOffer{}
	for _, o := range d.offers {
		if o.p == p {
			out = append(out, control.LiveOffer{
				Person: o.prof.ID.String(), Name: text.Line(nameIn(o.prof)), Trust: d.trustOf(p, o.prof.ID), Since: o.since,
			})
		}
	}
	return out, nil
}

func nameIn(prof *identity.Profile) string {
	for _, c := range prof.Cards {
		return c.Name
	}
	return ""
}

// ContactLive compares four words with somebody who does the same now.
func (d *Desk) ContactLive(ctx context.Context, req control.LiveRequest, emit func(control.LiveEvent) error) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(max(req.Timeout, 0), liveTime))
	defer cancel()
	net, err := d.network()
	if err != nil {
		return err
	}
	l, o, err := d.liveWith(ctx, req.Contact)
	if err != nil {
		return err
	}
	defer func() {
		d.mu.Lock()
		delete(d.lives, l.session)
		d.mu.Unlock()
		close(l.ended)
	}()
	if o != nil {
		l.err = d.respond(ctx, l, o, emit)
	} else if l.err = emit(control.LiveEvent{State: "waiting", Session: l.session}); l.err == nil {
		l.err = d.initiate(ctx, net, l, emit)
	}
	if l.err != nil {
		return l.err
	}
	return emit(control.LiveEvent{State: "done", Session: l.session, Contact: &l.contact})
}

// liveWith begins a comparison with a contact or with somebody who waits for one.
func (d *Desk) liveWith(ctx context.Context, said string) (*live, *offer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, nil, err
	}
	var took *offer
	id, err := d.findContact(p, said)
	for _, o := range d.offers {
		if o.p != p {
			continue
		}
		if err == nil && o.prof.ID == id || err != nil && (idMatches(o.prof.ID.String(), said) || text.Line(nameIn(o.prof)) == said) {
			took, id, err = o, o.prof.ID, nil
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if d.personOf(id) != nil {
		return nil, nil, control.Errorf(control.Refused, "this person's keys are on this node: there is nobody in between")
	}
	for _, l := range d.lives {
		if l.p == p && l.other == id {
			return nil, nil, control.Errorf(control.Refused, "words are being compared with this contact already").
				WithHint("answer there, or say what they read out: curbside contact verify P --live --said \"…\"")
		}
	}
	secret := wire.NewSecret()
	l := &live{session: hex.EncodeToString(secret[:8]), p: p, other: id, answer: make(chan bool, 1), theirs: make(chan *offer, 1), ended: make(chan struct{})}
	d.lives[l.session] = l
	if took != nil {
		d.offers = slices.DeleteFunc(d.offers, func(x *offer) bool { return x == took })
		l.begun = true
		close(took.taken)
	}
	return l, took, nil
}

// initiate reaches the other node, again and again until its person is there, unless that one
// comes first.
func (d *Desk) initiate(ctx context.Context, net Network, l *live, emit func(control.LiveEvent) error) error {
	for {
		dial, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			var err error
			began := false
			oerr := net.OpenVerify(dial, d.wherabouts(l), func(ctx context.Context, s peering.Stream) {
				began, err = d.offerWords(ctx, s, l, emit)
			})
			if oerr == nil && began {
				ended <- err
				return
			}
			ended <- errNotYet
		}()
		select {
		case o := <-l.theirs:
			cancel()
			<-ended //nolint:errcheck // called off: how does not matter
			return d.respond(ctx, l, o, emit)
		case err := <-ended:
			cancel()
			if !errors.Is(err, errNotYet) {
				return err
			}
		}
		select {
		case o := <-l.theirs:
			return d.respond(ctx, l, o, emit)
		case <-ctx.Done():
			return errNobodyCame()
		case <-time.After(liveNext):
		}
	}
}

var errNotYet = errors.New("the other person is not there yet")

func errNobodyCame() error {
	return control.Errorf(control.Refused, "the other person did not come").
		WithHint("both must do this at the same time, each with a running node: curbside contact verify P --live")
}

// wherabouts are the peers at which the other person may be.
func (d *Desk) wherabouts(l *live) []identity.PeerAddrs {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []identity.PeerAddrs
	if prof := d.profiles[l.other]; prof != nil {
		for _, c := range prof.Cards {
			out = append(out, nodesOf(c.Boxes, c.Addrs)...)
		}
	}
	row, _ := d.contact(l.p, l.other)
	return append(out, row.Peers...)
}

// offerWords is A's part: commit, wait for B's person, reveal, compare.
func (d *Desk) offerWords(ctx context.Context, s peering.Stream, l *live, emit func(control.LiveEvent) error) (began bool, err error) {
	defer s.Close()
	own := identity.SASParty{Person: l.p.id, Device: l.p.device.ID(), Nonce: wire.NewSecret()}
	err = d.say(s, helloMsg{Version: 1, Whom: l.other, Records: d.ownRecords(l.p), Commit: own.Commit()})
	if err != nil {
		return false, err
	}
	frame, err := directory.ReadFrame(s)
	if err != nil {
		return false, err
	}
	var a answerMsg
	if err := wire.Unmarshal(frame, &a); err != nil {
		return false, err
	}
	prof, dev, err := partyOf(a.Records)
	if err != nil || prof.ID != l.other {
		return true, control.Errorf(control.Refused, "somebody else answered in their place").WithHint("do not send anything there; look at their addresses with them on the phone")
	}
	d.mu.Lock()
	l.begun = true
	late := len(l.theirs) > 0
	d.mu.Unlock()
	if late {
		return false, errNotYet
	}
	if err := d.say(s, revealMsg{Nonce: own.Nonce}); err != nil {
		return true, lost(err)
	}
	words := identity.SASWords(own, identity.SASParty{Person: prof.ID, Device: dev, Nonce: a.Nonce})
	return true, d.decide(ctx, s, l, prof, words, emit)
}

// respond is B's part.
func (d *Desk) respond(ctx context.Context, l *live, o *offer, emit func(control.LiveEvent) error) error {
	defer close(o.done)
	defer o.stream.Close()
	d.mu.Lock()
	l.begun = true
	d.mu.Unlock()
	own := identity.SASParty{Person: l.p.id, Device: l.p.device.ID(), Nonce: wire.NewSecret()}
	if err := d.say(o.stream, answerMsg{Records: d.ownRecords(l.p), Nonce: own.Nonce}); err != nil {
		return lost(err)
	}
	var r read
	select {
	case r = <-o.next:
	case <-ctx.Done():
		return errNobodyCame()
	}
	var reveal revealMsg
	if r.err != nil || wire.Unmarshal(r.frame, &reveal) != nil {
		return lost(cmp.Or(r.err, errLive))
	}
	_, dev, err := partyOf(o.prof.Records())
	if err != nil {
		return lost(err)
	}
	other := identity.SASParty{Person: o.prof.ID, Device: dev, Nonce: reveal.Nonce}
	if other.Commit() != o.commit {
		return control.Errorf(control.Refused, "the other node changed its mind: somebody may be in between").WithHint("try again over another network")
	}
	return d.decide(ctx, o.stream, l, o.prof, identity.SASWords(other, own), emit)
}

func lost(err error) error {
	return control.Errorf(control.Refused, "the connection was lost before both had compared: %v", err).WithHint("both try again")
}

func (d *Desk) say(s peering.Stream, msg any) error {
	return directory.WriteFrame(s, wire.MustMarshal(msg))
}

func (d *Desk) ownRecords(p *person) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return p.profile.Records()
}

// decide shows the words and does what the two persons say of them. Each side counts its own
// person's word; that the other's says otherwise ends it all the same.
func (d *Desk) decide(ctx context.Context, s peering.Stream, l *live, prof *identity.Profile, words []string, emit func(control.LiveEvent) error) error {
	d.mu.Lock()
	l.words, l.name = words, text.Line(nameIn(prof))
	d.mu.Unlock()
	if err := emit(control.LiveEvent{State: "words", Session: l.session, Name: text.Line(nameIn(prof)), Words: words}); err != nil {
		return err
	}
	theirs := make(chan uint64, 1)
	go func() {
		var v verdictMsg
		if frame, err := directory.ReadFrame(s); err != nil || wire.Unmarshal(frame, &v) != nil {
			v.Verdict = 0
		}
		theirs <- v.Verdict
	}()
	verdict := uint64(0)
	heard := theirs
	for decided := false; !decided; {
		select {
		case <-ctx.Done():
			return control.Errorf(control.Refused, "nobody said in time whether the words are the same").WithHint("try again; both read the four words aloud")
		case verdict = <-heard:
			heard = nil
			if verdict == verdictDiffer {
				return d.differ(l, "the other person says that the words differ")
			}
		case same := <-l.answer:
			if !same {
				_ = d.say(s, verdictMsg{Verdict: verdictDiffer})
				return d.differ(l, "the words differ")
			}
			decided = true
		}
	}
	_ = d.say(s, verdictMsg{Verdict: verdictSame})
	if heard != nil {
		select {
		case verdict = <-heard:
		case <-time.After(verdictIn):
		case <-ctx.Done():
		}
		if verdict == verdictDiffer {
			return d.differ(l, "the other person says that the words differ")
		}
	}
	var err error
	l.contact, err = d.liveVerified(l, prof)
	return err
}

// differ marks a contact whose words differ.
func (d *Desk) differ(l *live, why string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if row, ok := d.contact(l.p, l.other); ok {
		row.Trust, row.How, row.BlockedWhy = trustBlocked, "", why
		if err := d.setContact(l.p, l.other, row); err != nil {
			return err
		}
	}
	return control.Errorf(control.Refused, "%s: this contact is blocked now", why).
		WithHint("somebody may be in between; verify again over another network, or by a new invite")
}

// liveVerified makes a verified contact of who compared the same words.
func (d *Desk) liveVerified(l *live, prof *identity.Profile) (control.Contact, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.profiles[l.other]; known != nil && known.Fork != nil {
		return control.Contact{}, control.Errorf(control.Refused, "this contact's keys contradict themselves").
			WithHint("they need a new identity; remove the contact and add the new one")
	}
	row, _ := d.contact(l.p, l.other)
	row.Trust, row.How, row.BlockedWhy, row.SinceMS = trustVerified, "live words", "", d.nowMS()
	if err := d.befriendAs(l.p, prof, row); err != nil {
		return control.Contact{}, err
	}
	d.record(l.p, actionVerify, "person", l.other[:])
	d.reattested() // a clinic's word counts from now on
	return d.contactRowOf(l.p, l.other), nil
}

// ContactLiveAnswer says what the person here decided of the words, and waits for what comes of it.
func (d *Desk) ContactLiveAnswer(ctx context.Context, req control.LiveAnswer) (control.Contact, error) {
	l, err := d.answerLive(ctx, req)
	if err != nil {
		return control.Contact{}, err
	}
	select {
	case <-l.ended:
		return l.contact, l.err
	case <-ctx.Done():
		return control.Contact{}, ctx.Err()
	}
}

func (d *Desk) answerLive(ctx context.Context, req control.LiveAnswer) (*live, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range d.lives {
		if l.p != p || l.words == nil || req.Session != "" && l.session != req.Session || req.Session == "" && !d.said(l, req.Contact) {
			continue
		}
		same := req.Same
		if req.Said != "" {
			same = identity.MatchesSAS(l.words, req.Said)
		}
		select {
		case l.answer <- same:
			return l, nil
		default:
			return nil, control.Errorf(control.Refused, "this was answered already")
		}
	}
	return nil, control.Errorf(control.Refused, "no words are being compared with this contact now").
		WithHint("begin with: curbside contact verify P --live")
}

// said says whether somebody is meant by what a user typed.
func (d *Desk) said(l *live, typed string) bool {
	return idMatches(l.other.String(), typed) || d.nameOf(l.other) == typed || l.name == typed
}
