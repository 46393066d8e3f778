// Package ledger is the signed, encrypted history of a thread: a set of
// entries, and the pure functions of that set which say who belongs, what
// counts and what a peer lacks.
//
//	Header   = { 1: 1, ?2: ThreadID, 3: DeviceID, 4: chain (1 control, 2 content), 5: seq from 1, ?6: prev EntryID, ?7: [parent EntryID] sorted,
//	             ?8: auth [EntryID] sorted, ?9: EpochID, 10: lamport, 11: claimed_ms, 12: kind, 13: H("body", body), 14: len(body) }
//	Entry    = { 1: bstr header, 2: SIGS("entry", header), ?3: bstr body }      body = salt 16 || CBOR of the kind
//	EntryID  = H("entry", CBOR [bstr header, sigs])                             ThreadID = EntryID of the create entry
//	packet   = 0x02 || u8 n || EpochID || n * seal || SEAL(KDF(CS,"epoch/packet",""), "packet\0" || EpochID || SHA-256(all seals), pad(Entry))
//	envelope = 0x01 || tag 16 || SEAL(key, "envelope\0" || ThreadID || EpochID || u8 chain, pad(Entry))
//
// Each device writes two chains in a thread, control and content. Control
// entries say who belongs and how it is encrypted; membership is resolved from
// them alone. A content entry names the control heads its author knew (auth)
// and the epoch whose secret seals it.
//
// An entry is admitted, that is kept and carried, by what lies in its own past;
// this never changes. Whether an admitted content entry is in force is decided
// by the whole set. Both verdicts are functions of sets of entries: whatever
// the order of arrival, the same entries give the same members, verdicts and
// Root. There is no clock and no I/O here. A Thread is not safe for concurrent
// use.
//
// These formats are version 1, suite 1, and do not change: a new shape of a
// body is a new kind, a new rule a new suite. See FORMATS §4 to §6.
package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// ThreadID names a thread by its create entry.
type ThreadID [32]byte

// EntryID names an entry by its header and signatures; the body hangs on it by
// its hash and may be erased.
type EntryID [32]byte

// EpochID names an epoch by its header.
type EpochID [32]byte

// String returns the ID in lower case hex.
func (id ThreadID) String() string { return hex.EncodeToString(id[:]) }

// String returns the ID in lower case hex.
func (id EntryID) String() string { return hex.EncodeToString(id[:]) }

// String returns the ID in lower case hex.
func (id EpochID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText returns the ID in lower case hex.
func (id ThreadID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText returns the ID in lower case hex.
func (id EntryID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText returns the ID in lower case hex.
func (id EpochID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (id *ThreadID) UnmarshalText(b []byte) error { return parseHex((*[32]byte)(id), string(b)) }

// UnmarshalText reads what MarshalText writes.
func (id *EntryID) UnmarshalText(b []byte) error { return parseHex((*[32]byte)(id), string(b)) }

// UnmarshalText reads what MarshalText writes.
func (id *EpochID) UnmarshalText(b []byte) error { return parseHex((*[32]byte)(id), string(b)) }

// ParseThreadID reads 64 lower case hex digits.
func ParseThreadID(s string) (id ThreadID, err error) {
	err = parseHex((*[32]byte)(&id), s)
	return id, err
}

// ParseEntryID reads 64 lower case hex digits.
func ParseEntryID(s string) (id EntryID, err error) {
	err = parseHex((*[32]byte)(&id), s)
	return id, err
}

// ParseEpochID reads 64 lower case hex digits.
func ParseEpochID(s string) (id EpochID, err error) {
	err = parseHex((*[32]byte)(&id), s)
	return id, err
}

func parseHex(id *[32]byte, s string) error {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) || hex.EncodeToString(b) != s {
		return errors.New("id is not 64 lower case hex digits")
	}
	copy(id[:], b)
	return nil
}

// Chain is one of the two chains of a device in a thread.
type Chain uint64

// The chains.
const (
	Control Chain = 1
	Content Chain = 2
)

// Rank is what a person may do in a thread.
type Rank uint8

// The ranks of FORMATS §6. Founders are named in the create entry and never
// removed.
const (
	RankNone    Rank = 0
	RankReader  Rank = 1 // observer
	RankWriter  Rank = 2 // consultant
	RankAdmin   Rank = 3 // coordinator
	RankFounder Rank = 4 // requester
)

// Kind says what an entry is about.
type Kind uint64

// The control kinds, fixed by the suite.
const (
	Create Kind = 1
	Role   Kind = 2
	Device Kind = 3
	Revoke Kind = 4
	Epoch  Kind = 5
	Admit  Kind = 6
	Fork   Kind = 7
)

// The content kinds; consult knows their bodies.
const (
	Request      Kind = 32
	Message      Kind = 33
	Edit         Kind = 34
	Retract      Kind = 35
	Grant        Kind = 36
	Mark         Kind = 37
	MarkEdit     Kind = 38
	MarkRemove   Kind = 39
	Status       Kind = 40
	Assign       Kind = 41
	Report       Kind = 42
	Addendum     Kind = 43
	Critical     Kind = 44
	Acknowledge  Kind = 45
	Receipt      Kind = 46
	Decline      Kind = 47
	Ask          Kind = 48
	Held         Kind = 49
	Taken        Kind = 50
	Triage       Kind = 51
	Attempt      Kind = 52
	WrongPatient Kind = 53
	SealedRead   Kind = 54
	Vote         Kind = 55
	Consensus    Kind = 56
	Outcome      Kind = 57
	Archived     Kind = 58
)

// contentFrom is the first content kind; 8 to 31 are nothing in suite 1.
const contentFrom = 32

var kindNames = map[Kind]string{
	Create: "create", Role: "role", Device: "device", Revoke: "revoke", Epoch: "epoch", Admit: "admit", Fork: "fork",
	Request: "request", Message: "message", Edit: "edit", Retract: "retract", Grant: "grant", Mark: "mark",
	MarkEdit: "mark-edit", MarkRemove: "mark-remove", Status: "status", Assign: "assign", Report: "report",
	Addendum: "addendum", Critical: "critical", Acknowledge: "acknowledge", Receipt: "receipt", Decline: "decline",
	Ask: "ask", Held: "held", Taken: "taken", Triage: "triage", Attempt: "attempt", WrongPatient: "wrong-patient",
	SealedRead: "sealed-read", Vote: "vote", Consensus: "consensus", Outcome: "outcome", Archived: "archived",
}

// String returns the kind's name in the scripting contract.
func (k Kind) String() string {
	if s, ok := kindNames[k]; ok {
		return s
	}
	return fmt.Sprintf("kind-%d", uint64(k))
}

// Known reports whether this version has a name for the kind. Unknown content
// kinds are kept, carried and shown as "needs a newer curbside".
func (k Kind) Known() bool { _, ok := kindNames[k]; return ok }

// Chain returns the chain that entries of the kind belong to, 0 if there is
// no such kind in suite 1.
func (k Kind) Chain() Chain {
	switch {
	case k >= Create && k <= Fork:
		return Control
	case k >= contentFrom:
		return Content
	default:
		return 0
	}
}

// RankNeeded returns the rank a content kind needs, FORMATS §7.
func RankNeeded(k Kind) Rank {
	switch k {
	case Receipt, Held:
		return RankReader
	case Triage:
		return RankAdmin
	default: // also kinds this version does not know, FORMATS §4
		return RankWriter
	}
}
