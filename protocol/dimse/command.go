package dimse

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Command fields, PS3.7 §E.1.
const (
	cStoreRQ   = 0x0001
	cStoreRSP  = 0x8001
	cGetRQ     = 0x0010
	cGetRSP    = 0x8010
	cFindRQ    = 0x0020
	cFindRSP   = 0x8020
	cMoveRQ    = 0x0021
	cMoveRSP   = 0x8021
	cEchoRQ    = 0x0030
	cEchoRSP   = 0x8030
	nEventRQ   = 0x0100
	nEventRSP  = 0x8100
	nActionRQ  = 0x0130
	nActionRSP = 0x8130
	cCancelRQ  = 0x0FFF

	response = 0x8000
	noData   = 0x0101 // PS3.7 §9.3: no data set present
)

// command is a command set: the elements of group 0000 that we use. Unknown ones are skipped.
type command struct {
	field         uint16
	id            uint16 // of a request
	answers       uint16 // of a response: the request's id
	class         string // affected, or requested SOP class
	instance      string // affected, or requested SOP instance
	dataSet       uint16 // noData, or anything else
	status        Status
	priority      uint16
	destination   string // of C-MOVE
	originator    string // of a C-STORE that a C-MOVE caused
	originatorID  uint16
	event, action uint16
	remaining     uint16
	completed     uint16
	failed        uint16
	warning       uint16
	comment       string
}

func (c *command) hasData() bool { return c.dataSet != noData }

// Elements of group 0000, PS3.7 §E.1 and E.2.
const (
	elLength       = 0x0000
	elClass        = 0x0002
	elReqClass     = 0x0003
	elField        = 0x0100
	elID           = 0x0110
	elAnswers      = 0x0120
	elDestination  = 0x0600
	elPriority     = 0x0700
	elDataSet      = 0x0800
	elStatus       = 0x0900
	elComment      = 0x0902
	elInstance     = 0x1000
	elReqInstance  = 0x1001
	elEvent        = 0x1002
	elAction       = 0x1008
	elRemaining    = 0x1020
	elCompleted    = 0x1021
	elFailed       = 0x1022
	elWarning      = 0x1023
	elOriginator   = 0x1030
	elOriginatorID = 0x1031
)

// shorts are the elements of VR US.
func (c *command) shorts() map[uint16]*uint16 {
	return map[uint16]*uint16{
		elField: &c.field, elID: &c.id, elAnswers: &c.answers, elPriority: &c.priority, elDataSet: &c.dataSet,
		elStatus: (*uint16)(&c.status), elEvent: &c.event, elAction: &c.action, elRemaining: &c.remaining,
		elCompleted: &c.completed, elFailed: &c.failed, elWarning: &c.warning, elOriginatorID: &c.originatorID,
	}
}

// parseCommand reads a command set: Implicit VR Little Endian, tags ascending.
func parseCommand(b []byte) (*command, error) {
	c := &command{dataSet: noData}
	shorts := c.shorts()
	last := -1
	for len(b) > 0 {
		if len(b) < 8 {
			return nil, invalid("command element is cut")
		}
		group, el := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
		n := binary.LittleEndian.Uint32(b[4:])
		if group != 0 {
			return nil, invalid("command set holds another group")
		}
		if int(el) <= last {
			return nil, invalid("command elements are not in order")
		}
		if uint64(n) > uint64(len(b)-8) {
			return nil, invalid("command element is longer than its set")
		}
		last = int(el)
		if err := c.set(shorts, el, b[8:8+n]); err != nil {
			return nil, err
		}
		b = b[8+n:]
	}
	if c.field == 0 {
		return nil, invalid("command set names no operation")
	}
	return c, nil
}

func (c *command) set(shorts map[uint16]*uint16, el uint16, v []byte) error {
	if p := shorts[el]; p != nil {
		if len(v) != 2 {
			return invalid("number in a command set is not two bytes")
		}
		*p = binary.LittleEndian.Uint16(v)
		return nil
	}
	switch el {
	case elClass, elReqClass:
		return setUID(&c.class, v)
	case elInstance, elReqInstance:
		return setUID(&c.instance, v)
	case elDestination, elOriginator:
		p := &c.destination
		if el == elOriginator {
			p = &c.originator
		}
		if *p = aet(v); len(*p) > aetMax || CheckAET(*p) != nil && *p != "" {
			return invalid("AE title in a command set")
		}
	case elComment:
		c.comment = strings.TrimRight(string(v[:min(len(v), commentMax)]), " \x00")
	}
	return nil
}

func setUID(p *string, v []byte) error {
	s := uidOf(v)
	if !validUID(s) {
		return invalid("UID in a command set")
	}
	*p = s
	return nil
}

// validUID reports whether s is made of digits and dots and not too long, PS3.5 §9.1. Components
// with a leading zero are taken: there are devices that make them.
func validUID(s string) bool {
	if s == "" || len(s) > uidMax {
		return false
	}
	for i := range len(s) {
		if s[i] != '.' && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..")
}

// CheckAET says whether a text can be an AE title. PS3.5 §6.2, AE: 16 characters of the default
// repertoire, not blank, no backslash, no control character.
func CheckAET(s string) error {
	if len(s) > aetMax || strings.TrimSpace(s) == "" {
		return errAET
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' {
			return errAET
		}
	}
	return nil
}

var errAET = fmt.Errorf("an AE title is 1 to %d printable characters, without backslash", aetMax)

// uses says which elements a command has beside field, class and data set, PS3.7 §9.3 and §10.3.
var uses = map[uint16][]uint16{
	cStoreRQ:   {elClass, elID, elPriority, elInstance, elOriginator, elOriginatorID},
	cStoreRSP:  {elClass, elAnswers, elStatus, elComment, elInstance},
	cGetRQ:     {elClass, elID, elPriority},
	cFindRQ:    {elClass, elID, elPriority},
	cFindRSP:   {elClass, elAnswers, elStatus, elComment},
	cMoveRQ:    {elClass, elID, elDestination, elPriority},
	cMoveRSP:   {elClass, elAnswers, elStatus, elComment, elRemaining, elCompleted, elFailed, elWarning},
	cEchoRQ:    {elClass, elID},
	cEchoRSP:   {elClass, elAnswers, elStatus},
	nEventRQ:   {elClass, elID, elInstance, elEvent},
	nEventRSP:  {elClass, elAnswers, elStatus, elComment, elInstance, elEvent},
	nActionRQ:  {elReqClass, elID, elReqInstance, elAction},
	nActionRSP: {elClass, elAnswers, elStatus, elComment, elInstance, elAction},
	cCancelRQ:  {elAnswers},
}

// order is that of the tags.
var order = []uint16{
	elClass, elReqClass, elField, elID, elAnswers, elDestination, elPriority, elDataSet, elStatus, elComment,
	elInstance, elReqInstance, elEvent, elAction, elRemaining, elCompleted, elFailed, elWarning, elOriginator, elOriginatorID,
}

// encode writes the command set. A response that uses does not name gets what all responses have.
func (c *command) encode() []byte {
	with, ok := uses[c.field]
	if !ok {
		with = uses[cEchoRSP]
	}
	has := map[uint16]bool{elField: true, elDataSet: true}
	for _, el := range with {
		has[el] = true
	}
	text := map[uint16]string{
		elClass: c.class, elReqClass: c.class, elInstance: c.instance, elReqInstance: c.instance,
		elDestination: c.destination, elOriginator: c.originator, elComment: c.comment,
	}
	shorts := c.shorts()
	b := make([]byte, 12, 256)
	for _, el := range order {
		s, isText := text[el]
		switch {
		case !has[el] || isText && s == "" || el == elOriginatorID && c.originator == "":
		case el == elRemaining && !c.status.Pending() && c.status != Cancelled: // PS3.4 §C.4.2.1.6
		case isText:
			b = appendElement(b, el, even(s, el))
		default:
			b = appendElement(b, el, binary.LittleEndian.AppendUint16(nil, *shorts[el]))
		}
	}
	binary.LittleEndian.PutUint32(b[4:], 4)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-12))
	return b
}

// even pads a value: UIDs with NUL, text with a space (PS3.5 §6.2).
func even(s string, el uint16) []byte {
	b := []byte(s)
	if len(b)%2 == 0 {
		return b
	}
	switch el {
	case elDestination, elOriginator, elComment:
		return append(b, ' ')
	}
	return append(b, 0)
}

func appendElement(b []byte, el uint16, v []byte) []byte {
	b = append(b, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, el)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(v)))
	return append(b, v...)
}
