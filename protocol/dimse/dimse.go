// Package dimse speaks DICOM over a connection: the upper layer (PS3.8) and the message services
// (PS3.7) that a clinic's devices use, as a server and as a client.
//
//	connection <-> link  PDUs, timers, the state machine of PS3.8 §9.2  (pdu.go, machine.go, link.go)
//	           <-> Assoc command sets and streams of data              (command.go, message.go)
//	           <-> Server: C-ECHO, C-STORE, storage commitment,        (server.go, serve.go)
//	               C-FIND, C-MOVE                                      (query.go)
//	               client: C-ECHO, C-STORE, C-FIND, C-GET, C-MOVE,
//	               storage commitment                                  (client.go)
//
// Data sets are bytes here: they are handed over as they come, in the transfer syntax that was
// negotiated, and only command sets are read and written. What a data set means, and whether it is
// sound, is for the caller.
//
//	PDU     = type u8 || 0 || length u32 || body                             big-endian
//	P-DATA  = [+ PDV]                PDV = length u32 || context u8 || flags u8 || fragment
//	command = [+ element] of group 0000, Implicit VR Little Endian
//
// A peer is not trusted. Every length is compared with its limit before anything is read for it,
// and no length makes a buffer larger than what has come; all limits are in limits.go. What breaks
// the protocol ends the association with the A-ABORT or A-ASSOCIATE-RJ that PS3.8 names for it.
// Error texts hold no identifier of a patient.
//
//	go test ./protocol/dimse -fuzz FuzzPDU
//	go test ./protocol/dimse -fuzz FuzzCommand
//	go test ./protocol/dimse -fuzz FuzzServer
package dimse

import (
	"errors"
	"fmt"
)

// UIDs of the services themselves. PS3.6 annex A.
const (
	ApplicationContext = "1.2.840.10008.3.1.1.1"
	Verification       = "1.2.840.10008.1.1"
	StorageCommitment  = "1.2.840.10008.1.20.1"
	commitmentInstance = "1.2.840.10008.1.20.1.1" // well known, PS3.4 §J.3.5
	PatientFind        = "1.2.840.10008.5.1.4.1.2.1.1"
	PatientMove        = "1.2.840.10008.5.1.4.1.2.1.2"
	PatientGet         = "1.2.840.10008.5.1.4.1.2.1.3"
	StudyFind          = "1.2.840.10008.5.1.4.1.2.2.1"
	StudyMove          = "1.2.840.10008.5.1.4.1.2.2.2"
	StudyGet           = "1.2.840.10008.5.1.4.1.2.2.3"
	WorklistFind       = "1.2.840.10008.5.1.4.31"

	ImplicitLE = "1.2.840.10008.1.2"
	ExplicitLE = "1.2.840.10008.1.2.1"
	ExplicitBE = "1.2.840.10008.1.2.2"

	// implementation names this implementation: a UID of the 2.25 arc, PS3.5 §B.2.
	implementation        = "2.25.258934790531245670213455627310475930912" // of the project, as consult/object has it
	implementationVersion = "CURBSIDE_1"
)

// Status is how an operation ended, PS3.7 annex C.
type Status uint16

// The statuses that are given or decided by.
const (
	Success            Status = 0x0000
	ClassNotSupported  Status = 0x0122
	NoSuchAction       Status = 0x0123
	ProcessingFailure  Status = 0x0110
	UnrecognizedOp     Status = 0x0211
	NotAuthorized      Status = 0x0124
	OutOfResources     Status = 0xA700
	CannotCount        Status = 0xA701 // out of resources: unable to calculate number of matches
	CannotPerform      Status = 0xA702 // out of resources: unable to perform sub-operations
	NoDestination      Status = 0xA801 // move destination unknown
	DoesNotMatch       Status = 0xA900
	CannotUnderstand   Status = 0xC000
	CoercionWarning    Status = 0xB000
	Cancelled          Status = 0xFE00
	Pending            Status = 0xFF00
	PendingUnsupported Status = 0xFF01
)

// Warned reports whether the operation was done, with a reservation.
func (s Status) Warned() bool { return s == 1 || s>>12 == 0xB || s == 0x0107 || s == 0x0116 }

// Done reports whether the operation was done, perhaps with a reservation.
func (s Status) Done() bool { return s == Success || s.Warned() }

// Pending reports whether more responses follow.
func (s Status) Pending() bool { return s == Pending || s == PendingUnsupported }

func (s Status) String() string { return fmt.Sprintf("%04XH", uint16(s)) }

// StatusError is an operation that the other side did not do.
type StatusError struct {
	Op      string // C-FIND and such
	Status  Status
	Comment string // of the other side; shown only after consult/text
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s ended with status %v", e.Op, e.Status) }

// RejectError is an association that was not accepted.
type RejectError struct{ Result, Source, Reason byte }

func (e *RejectError) Error() string { return "association rejected: " + e.Why() }

// Why says it in words, PS3.8 §9.3.4.
func (e *RejectError) Why() string {
	if why, ok := rejectReasons[[2]byte{e.Source, e.Reason}]; ok {
		return why
	}
	return fmt.Sprintf("source %d, reason %d", e.Source, e.Reason)
}

var rejectReasons = map[[2]byte]string{
	{1, 1}: "no reason given",
	{1, 2}: "application context not supported",
	{1, 3}: "our AE title is not known there",
	{1, 7}: "it does not go by that AE title",
	{2, 1}: "no reason given",
	{2, 2}: "protocol version not supported",
	{3, 1}: "temporary congestion",
	{3, 2}: "too many associations there",
}

// Transient reports whether another try may succeed.
func (e *RejectError) Transient() bool { return e.Result == rejectTransient }

// AbortError is an association that ended before its time.
type AbortError struct {
	Local          bool // we did it
	Source, Reason byte
}

func (e *AbortError) Error() string {
	who := "the other side"
	if e.Local {
		who = "us"
	}
	if why := abortReasons[e.Reason]; e.Source == sourceProvider && why != "" {
		return fmt.Sprintf("association aborted by %s: %s", who, why)
	}
	return "association aborted by " + who
}

// PS3.8 §9.3.8.
var abortReasons = map[byte]string{
	abortUnrecognized:   "unrecognised PDU",
	abortUnexpected:     "unexpected PDU",
	abortUnknownParam:   "unrecognised PDU parameter",
	abortUnexpectedPara: "unexpected PDU parameter",
	abortInvalid:        "invalid PDU parameter value",
}

var (
	// ErrProtocol says that the other side broke the protocol.
	ErrProtocol = errors.New("the other side does not keep to the DICOM protocol")
	// ErrTimeout says that the other side did not go on in time.
	ErrTimeout = errors.New("the other side does not answer")
	// ErrNoContext says that the other side does not take what was to be done: a caller that has
	// another way, or another syntax, tries that.
	ErrNoContext = errors.New("the other side does not offer this")
	// ErrReleased says that the association is over.
	ErrReleased = errors.New("association is over")
)
