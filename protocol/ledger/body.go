package ledger

import (
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// suite1 is the only set of control kinds and rules there is.
const suite1 = 1

// CreateBody starts a thread. Its author is a device of the first founder.
type CreateBody struct {
	Suite    uint64            `cbor:"1,keyasint"`
	Nonce    [16]byte          `cbor:"2,keyasint"`
	Founders []identity.Person `cbor:"3,keyasint"`
	Certs    []wire.Raw        `cbor:"4,keyasint"`
}

// RoleBody sets a person's rank. Record and Certs are needed when the person
// is first added; Cut says what was seen of a person whose rank is lowered.
type RoleBody struct {
	Person identity.PersonID `cbor:"1,keyasint"`
	Rank   Rank              `cbor:"2,keyasint"`
	Record *identity.Person  `cbor:"3,keyasint,omitempty"`
	Certs  []wire.Raw        `cbor:"4,keyasint,omitempty"`
	Cut    []ContentCut      `cbor:"5,keyasint,omitempty"`
}

// ContentCut says up to where a device's content counts.
type ContentCut struct {
	_      struct{} `cbor:",toarray"`
	Device identity.DeviceID
	Seq    uint64
	Entry  EntryID
}

// DeviceBody introduces devices of members.
type DeviceBody struct {
	Certs []wire.Raw `cbor:"1,keyasint"`
}

// RevokeBody carries a root's word that a device no longer counts: a DeviceCut
// and a DeviceRevoke record.
type RevokeBody struct {
	Cut    wire.Raw `cbor:"1,keyasint"`
	Revoke wire.Raw `cbor:"2,keyasint"`
}

// AdmitBody raises a content cut.
type AdmitBody struct {
	Device identity.DeviceID `cbor:"1,keyasint"`
	Seq    uint64            `cbor:"2,keyasint"`
	Entry  EntryID           `cbor:"3,keyasint"`
}

// ForkBody proves that a device signed two entries with one number.
type ForkBody struct {
	A SignedHeader `cbor:"1,keyasint"`
	B SignedHeader `cbor:"2,keyasint"`
}

// SignedHeader is an entry without its body; EntryID is its hash.
type SignedHeader struct {
	_      struct{} `cbor:",toarray"`
	Header []byte
	Sigs   identity.Sigs
}

// ID names the entry.
func (s SignedHeader) ID() EntryID { return EntryID(wire.Hash("entry", wire.MustMarshal(s))) }

// controlBody is the parsed body of a control entry; one of its fields is set.
type controlBody struct {
	create *CreateBody
	role   *RoleBody
	device *DeviceBody
	revoke *RevokeBody
	epoch  *epochBody
	admit  *AdmitBody
	fork   *ForkBody
}

// parseControl reads the body of a control entry and checks what needs no
// other entry.
func parseControl(p *parsed) (*controlBody, error) {
	var c controlBody
	switch p.Kind {
	case Create:
		c.create = &CreateBody{}
		return &c, read(p.Body, c.create, c.create.check)
	case Role:
		c.role = &RoleBody{}
		return &c, read(p.Body, c.role, c.role.check)
	case Device:
		c.device = &DeviceBody{}
		return &c, read(p.Body, c.device, c.device.check)
	case Revoke:
		c.revoke = &RevokeBody{}
		return &c, read(p.Body, c.revoke, nil)
	case Epoch:
		c.epoch = &epochBody{}
		return &c, read(p.Body, c.epoch, func() error { return c.epoch.check(p) })
	case Admit:
		c.admit = &AdmitBody{}
		return &c, read(p.Body, c.admit, c.admit.check)
	case Fork:
		c.fork = &ForkBody{}
		return &c, read(p.Body, c.fork, func() error { return c.fork.check(p.Thread) })
	default:
		return nil, ErrKind
	}
}

func read(b []byte, v any, check func() error) error {
	if err := wire.Unmarshal(b, v); err != nil {
		return err
	}
	if check == nil {
		return nil
	}
	return check()
}

func (b *CreateBody) check() error {
	switch {
	case b.Suite != suite1:
		return ErrSuite
	case len(b.Founders) == 0, len(b.Certs) == 0:
		return ErrField
	case len(b.Founders) > FoundersMax:
		return ErrTooMany
	}
	seen := map[identity.PersonID]bool{}
	for _, f := range b.Founders {
		if err := f.Check(); err != nil {
			return err
		}
		if seen[f.ID()] {
			return ErrOrder
		}
		seen[f.ID()] = true
	}
	return nil
}

func (b *RoleBody) check() error {
	switch {
	case b.Rank > RankAdmin:
		return ErrField
	case len(b.Cut) > CutsMax:
		return ErrTooMany
	}
	for _, c := range b.Cut {
		if c.Seq == 0 {
			return ErrField
		}
	}
	if b.Record == nil {
		return nil
	}
	if b.Record.ID() != b.Person {
		return identity.ErrWrongPerson
	}
	return b.Record.Check()
}

func (b *DeviceBody) check() error {
	if len(b.Certs) == 0 {
		return ErrField
	}
	return nil
}

func (b *AdmitBody) check() error {
	if b.Seq == 0 {
		return ErrField
	}
	return nil
}

// check sees to it that both headers claim one place of one chain in this
// thread. Their signatures need the device's keys.
func (b *ForkBody) check(thread ThreadID) error {
	x, err := parseHeader(b.A.Header)
	if err != nil {
		return err
	}
	y, err := parseHeader(b.B.Header)
	if err != nil {
		return err
	}
	same := x.Device == y.Device && x.Chain == y.Chain && x.Seq == y.Seq
	if !same || !b.A.of(x, thread) || !b.B.of(y, thread) || b.A.ID() == b.B.ID() {
		return ErrFork
	}
	return nil
}

// of reports whether a signed header is of a thread; a create entry is its own.
func (s SignedHeader) of(h *header, thread ThreadID) bool {
	if h.Thread != nil {
		return *h.Thread == thread
	}
	return ThreadID(s.ID()) == thread
}
