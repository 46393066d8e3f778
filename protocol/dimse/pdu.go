package dimse

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// PDU types, PS3.8 §9.3.
const (
	pduAssociateRQ = 1
	pduAssociateAC = 2
	pduAssociateRJ = 3
	pduData        = 4
	pduReleaseRQ   = 5
	pduReleaseRP   = 6
	pduAbort       = 7

	pduHead = 6
	pdvHead = 6
)

// Items and sub-items of an A-ASSOCIATE PDU.
const (
	itemApplication = 0x10
	itemContextRQ   = 0x20
	itemContextAC   = 0x21
	itemAbstract    = 0x30
	itemTransfer    = 0x40
	itemUser        = 0x50
	itemMaxLength   = 0x51
	itemClassUID    = 0x52
	itemRole        = 0x54
	itemVersion     = 0x55
)

// Of A-ASSOCIATE-RJ and A-ABORT.
const (
	rejectPermanent = 1
	rejectTransient = 2

	sourceUser         = 1
	sourceACSE         = 2
	sourcePresentation = 3

	reasonContext     = 2 // source 1: application context name not supported
	reasonCalling     = 3 // source 1: calling AE title not recognised
	reasonCalled      = 7 // source 1: called AE title not recognised
	reasonVersion     = 2 // source 2: protocol version not supported
	reasonLimit       = 2 // source 3: local limit exceeded
	sourceProvider    = 2 // of an abort
	abortUnrecognized = 1
	abortUnexpected   = 2

	abortUnknownParam   = 4
	abortUnexpectedPara = 5
	abortInvalid        = 6
)

// Results of a presentation context.
const (
	contextAccepted   = 0
	contextRejected   = 1 // by the user
	contextNoAbstract = 3
	contextNoTransfer = 4
)

// associate is an A-ASSOCIATE-RQ or -AC.
type associate struct {
	version         uint16
	called, calling string
	application     string
	contexts        []pcontext
	maxLength       uint32
	roles           []role
}

// pcontext is a presentation context: proposed, or answered.
type pcontext struct {
	id       byte
	result   byte // of an answer
	abstract string
	transfer []string // of an answer the one
}

// role is an SCP/SCU role selection, PS3.7 §D.3.3.4.
type role struct {
	class    string
	scu, scp bool
}

func invalid(what string) error { return fmt.Errorf("%w: %s", ErrProtocol, what) }

// parseAssociate reads the body of an A-ASSOCIATE-RQ or -AC.
func parseAssociate(b []byte) (*associate, error) {
	if len(b) < 68 {
		return nil, invalid("A-ASSOCIATE is too short")
	}
	a := &associate{version: binary.BigEndian.Uint16(b), called: aet(b[4:20]), calling: aet(b[20:36])}
	err := eachItem(b[68:], func(kind byte, v []byte) error {
		switch kind {
		case itemApplication:
			a.application = uidOf(v)
		case itemContextRQ, itemContextAC:
			if len(a.contexts) >= contextsMax {
				return invalid("too many presentation contexts")
			}
			c, err := parseContext(v)
			if err != nil {
				return err
			}
			a.contexts = append(a.contexts, c)
		case itemUser:
			return eachItem(v, a.user)
		}
		return nil // others are for newer versions of the standard, PS3.8 §9.3.1
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (a *associate) user(kind byte, v []byte) error {
	switch kind {
	case itemMaxLength:
		if len(v) != 4 {
			return invalid("maximum length is not four bytes")
		}
		a.maxLength = binary.BigEndian.Uint32(v)
	case itemRole:
		if len(a.roles) >= rolesMax {
			return invalid("too many role selections")
		}
		if len(v) < 4 || len(v) != 4+int(binary.BigEndian.Uint16(v)) {
			return invalid("role selection of a wrong length")
		}
		n := len(v) - 2
		a.roles = append(a.roles, role{class: uidOf(v[2:n]), scu: v[n] == 1, scp: v[n+1] == 1})
	}
	return nil
}

func parseContext(v []byte) (pcontext, error) {
	if len(v) < 4 {
		return pcontext{}, invalid("presentation context is too short")
	}
	c := pcontext{id: v[0], result: v[2]}
	if c.id%2 == 0 { // PS3.8 §9.3.2.2
		return c, invalid("presentation context id is even")
	}
	err := eachItem(v[4:], func(kind byte, v []byte) error {
		if len(v) > uidMax {
			return invalid("UID is too long")
		}
		switch kind {
		case itemAbstract:
			c.abstract = uidOf(v)
		case itemTransfer:
			if len(c.transfer) >= syntaxesMax {
				return invalid("too many transfer syntaxes")
			}
			c.transfer = append(c.transfer, uidOf(v))
		}
		return nil
	})
	return c, err
}

// eachItem calls f for each item: type u8, reserved u8, length u16, value.
func eachItem(b []byte, f func(kind byte, v []byte) error) error {
	for len(b) > 0 {
		if len(b) < 4 {
			return invalid("item is cut")
		}
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n > len(b)-4 {
			return invalid("item is longer than what holds it")
		}
		if err := f(b[0], b[4:4+n]); err != nil {
			return err
		}
		b = b[4+n:]
	}
	return nil
}

// aet reads an AE title: spaces around it mean nothing, PS3.8 §9.3.2.
func aet(b []byte) string { return strings.Trim(string(b), " \x00") }

// uidOf reads a UID; some pad it.
func uidOf(b []byte) string { return strings.TrimRight(string(b), " \x00") }

// encode writes the PDU.
func (a *associate) encode(kind byte) []byte {
	b := make([]byte, pduHead, 4096)
	b[0] = kind
	b = binary.BigEndian.AppendUint16(b, 1)
	b = append(b, 0, 0)
	b = appendAET(b, a.called)
	b = appendAET(b, a.calling)
	b = append(b, make([]byte, 32)...)
	b = item(b, itemApplication, []byte(a.application))
	for _, c := range a.contexts {
		v := []byte{c.id, 0, c.result, 0}
		if kind == pduAssociateRQ {
			v = item(v, itemAbstract, []byte(c.abstract))
		}
		for _, t := range c.transfer {
			v = item(v, itemTransfer, []byte(t))
		}
		k := byte(itemContextAC)
		if kind == pduAssociateRQ {
			k = itemContextRQ
		}
		b = item(b, k, v)
	}
	user := item(nil, itemMaxLength, binary.BigEndian.AppendUint32(nil, a.maxLength))
	user = item(user, itemClassUID, []byte(implementation))
	for _, r := range a.roles {
		v := binary.BigEndian.AppendUint16(nil, uint16(len(r.class)))
		user = item(user, itemRole, append(append(v, r.class...), bit(r.scu), bit(r.scp)))
	}
	user = item(user, itemVersion, []byte(implementationVersion))
	b = item(b, itemUser, user)
	binary.BigEndian.PutUint32(b[2:], uint32(len(b)-pduHead))
	return b
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func item(b []byte, kind byte, v []byte) []byte {
	b = append(b, kind, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
	return append(b, v...)
}

func appendAET(b []byte, s string) []byte {
	var v [aetMax]byte
	copy(v[:], s)
	for i := len(s); i < aetMax; i++ {
		v[i] = ' '
	}
	return append(b, v[:]...)
}

// short is one of the PDUs with four bytes of body.
func short(kind, a, b, c byte) []byte { return []byte{kind, 0, 0, 0, 0, 4, 0, a, b, c} }

// pdv is a presentation data value.
type pdv struct {
	context       byte
	command, last bool
	data          []byte
}

// nextPDV takes the first PDV off a P-DATA-TF body.
func nextPDV(b []byte) (pdv, []byte, error) {
	if len(b) < pdvHead {
		return pdv{}, nil, invalid("presentation data value is cut")
	}
	n := binary.BigEndian.Uint32(b)
	if n < 2 || uint64(n) > uint64(len(b)-4) {
		return pdv{}, nil, invalid("presentation data value is longer than its PDU")
	}
	v := pdv{context: b[4], command: b[5]&1 != 0, last: b[5]&2 != 0, data: b[pdvHead : 4+n]}
	return v, b[4+n:], nil
}

// appendPDVHead writes the heads of a PDU with one PDV of n bytes.
func appendPDVHead(b []byte, context byte, command, last bool, n int) []byte {
	b = append(b, pduData, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(n+pdvHead))
	b = binary.BigEndian.AppendUint32(b, uint32(n+2))
	return append(b, context, bit(command)|bit(last)<<1)
}
