package exchange

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// versions are those of the exchange this package speaks.
var versions = []uint64{1}

// greeting is the state of a session until its peer is proven.
type greeting struct {
	nonce    [32]byte  // own
	said     time.Time // when our hello was
	heard    bool      // the peer's hello came
	proven   bool
	claims   []proof                                 // of devices whose key is not known yet
	profiles map[identity.PersonID]*identity.Profile // records that came for them
}

func (s *Session) sayHello() error {
	if _, err := rand.Read(s.greeting.nonce[:]); err != nil {
		return fmt.Errorf("nonce: %w", err)
	}
	s.greeting.said = s.cfg.Clock.Now()
	return s.send(frameHello, hello{
		Versions: versions, Nonce: s.greeting.nonce, Software: s.cfg.Software,
		NowMS: uint64(max(0, s.greeting.said.UnixMilli())),
	})
}

// measure notes by how much the peer's clock is ahead of ours, to within a round trip. It is what the
// peer says: whoever lies shifts the times of their own entries only, which they claim anyway.
func (s *Session) measure(theirMS uint64) {
	if theirMS == 0 || theirMS > skewMax {
		return
	}
	skew := time.Duration(int64(theirMS)-s.cfg.Clock.Now().UnixMilli()) * time.Millisecond
	s.pmu.Lock()
	defer s.pmu.Unlock()
	s.peer.Skew = skew
}

// transcript is T of FORMATS §8: it binds a proof to both ends of the transport
// and to both nonces, so it proves nothing anywhere else.
func transcript(cfg Config, own, theirs [32]byte) [32]byte {
	type t struct {
		_                  struct{} `cbor:",toarray"`
		Initiator, Respond identity.PeerID
		NonceI, NonceR     [32]byte
	}
	x := t{Initiator: cfg.Self, Respond: cfg.Peer, NonceI: own, NonceR: theirs}
	if !cfg.Initiator {
		x = t{Initiator: cfg.Peer, Respond: cfg.Self, NonceI: theirs, NonceR: own}
	}
	return wire.Hash("session", wire.MustMarshal(x))
}

// takeHello reads the peer's hello and answers with the proof of our devices.
func (s *Session) takeHello(b []byte) error {
	h, err := decodeHello(b)
	if err != nil {
		return err
	}
	if s.greeting.heard {
		return errBody
	}
	if !slices.Contains(h.Versions, versions[0]) {
		return fmt.Errorf("no common version: %w", ErrProtocol)
	}
	s.greeting.heard = true
	s.measure(h.NowMS)
	s.text = transcript(s.cfg, s.greeting.nonce, h.Nonce)
	if s.join != nil {
		return s.send(frameJoin, s.join)
	}
	return s.prove()
}

// prove sends the signatures of our devices.
func (s *Session) prove() error {
	role := byte(2)
	if s.cfg.Initiator {
		role = 1
	}
	msg := append(s.text[:], role)
	proofs := []proof{}
	for _, d := range s.cfg.Local.Provers() {
		if len(proofs) < devicesMax {
			proofs = append(proofs, proof{Device: d.ID(), Sigs: d.Sign("session", msg, identity.AlgEd25519)})
		}
	}
	return s.send(frameProve, proofs)
}

// takeProve checks what the peer proves. Devices whose key is unknown wait for records.
func (s *Session) takeProve(b []byte) error {
	ps, err := decodeProofs(b)
	if err != nil {
		return err
	}
	if !s.greeting.heard || len(ps)+len(s.greeting.claims) > devicesMax {
		return errBody
	}
	if s.join != nil {
		return nil // the other side is not to prove us: all it hears here is the Join
	}
	// The peer's proof answers our hello: a first idea of the round trip.
	s.fetch.trip(s.cfg.Clock.Now().Sub(s.greeting.said))
	s.greeting.claims = append(s.greeting.claims, ps...)
	return s.settleClaims()
}

// settleClaims verifies the claims whose keys are known by now. A wrong signature
// is an error: no honest peer sends one.
func (s *Session) settleClaims() error {
	role := byte(1)
	if s.cfg.Initiator {
		role = 2
	}
	msg := append(s.text[:], role)
	peer := s.Peer()
	devices := slices.Clone(peer.Devices)
	var open []proof
	for _, p := range s.greeting.claims {
		key, ok := s.key(p.Device)
		if !ok {
			open = append(open, p)
			continue
		}
		if err := identity.VerifySigs("session", msg, p.Sigs, key, nil, identity.AlgEd25519); err != nil {
			return fmt.Errorf("proof: %w: %w", ErrProtocol, err)
		}
		if !slices.Contains(devices, p.Device) {
			devices = append(devices, p.Device)
		}
	}
	s.greeting.claims = open
	if len(devices) == len(peer.Devices) {
		return nil
	}
	slices.SortFunc(devices, func(a, b identity.DeviceID) int { return slices.Compare(a[:], b[:]) })
	s.setPeer(devices)
	return s.welcome()
}

// key finds a device's author key here or among the records the peer sent along.
func (s *Session) key(d identity.DeviceID) ([]byte, bool) {
	if key, ok := s.cfg.Local.Key(d); ok {
		return key, true
	}
	for _, p := range s.greeting.profiles {
		if c, ok := p.Devices[d]; ok {
			return c.Public.Ed25519[:], true
		}
	}
	return nil, false
}

// setPeer notes the devices proven and asks Local what they are to us.
func (s *Session) setPeer(devices []identity.DeviceID) {
	known := len(devices) > 0 && s.cfg.Local.Known(devices)
	s.pmu.Lock()
	defer s.pmu.Unlock()
	s.peer.Devices, s.peer.Known = devices, known
}

// welcome starts the session proper with the first device proven.
func (s *Session) welcome() error {
	if s.greeting.proven {
		poke(s.look)
		return nil
	}
	s.greeting.proven = true
	s.proven.Store(true)
	if s.cfg.Proven != nil {
		if err := s.cfg.Proven(s.Peer(), s.text); err != nil {
			return err
		}
	}
	s.after(strangerTime, func() {
		if !s.Peer().Known {
			s.quit(errEnded)
		}
	})
	s.renew.Store(true)
	poke(s.look)
	poke(s.more)
	return nil
}

// takeProofRecords keeps the persons and statements that claims wait for. Local
// judges them as records by itself.
func (s *Session) takeProofRecords(records [][]byte) error {
	if len(s.greeting.claims) == 0 {
		return nil
	}
	for _, b := range records {
		r, err := identity.ParseRecord(b)
		if err != nil {
			continue
		}
		switch {
		case r.Person != nil && len(s.greeting.profiles) < devicesMax:
			if _, ok := s.greeting.profiles[r.Person.ID()]; ok {
				continue
			}
			if p, err := identity.NewProfile(b); err == nil {
				s.greeting.profiles[p.ID] = p
			}
		case r.Statement != nil:
			if p, ok := s.greeting.profiles[r.Statement.Person]; ok {
				_ = p.AddStatement(b) // one that does not fit leaves its device unknown
			}
		}
	}
	return s.settleClaims()
}

// takeRecords reads a frame of records.
func (s *Session) takeRecords(b []byte) error {
	records, err := decodeRecords(b)
	if err != nil {
		return s.strike(err)
	}
	s.cfg.Local.Learn(s.Peer(), records)
	if err := s.takeProofRecords(records); err != nil {
		return err
	}
	s.Renew()
	return nil
}

// takeJoin answers an invite's Join.
func (s *Session) takeJoin(b []byte) error {
	join, err := decodeJoin(b)
	if err != nil {
		return err
	}
	if s.joined {
		return errLimit
	}
	s.joined = true
	accept, err := s.cfg.Local.Join(join)
	if err != nil || accept == nil {
		accept = []byte{} // no; why is nobody's business who holds no invite
	}
	return s.send(frameAccept, accept)
}

// Join sends an invite's Join on a stream of its own and waits for the Accept,
// until ctx ends. It closes the stream.
func Join(ctx context.Context, stream io.ReadWriteCloser, cfg Config, join []byte) (accept []byte, err error) {
	if len(join) == 0 || len(join) > joinMax {
		return nil, fmt.Errorf("join: %w", errLimit)
	}
	s := New(cfg)
	s.join = join
	if err := s.Run(ctx, stream); err != nil {
		return nil, err
	}
	if s.accept == nil {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("wait for accept: %w", err)
		}
		if !s.answered {
			return nil, fmt.Errorf("%w: ended without an answer", ErrBroken) // it may stop just now: try again
		}
		return nil, ErrRefused
	}
	return s.accept, nil
}

// takeAccept ends a session that was made for a Join.
func (s *Session) takeAccept(b []byte) error {
	accept, err := decodeJoin(b)
	if err != nil {
		return err
	}
	if s.join == nil {
		return errBody
	}
	s.answered = true
	if len(accept) > 0 {
		s.accept = accept
	}
	return errEnded
}
