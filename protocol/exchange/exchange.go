// Package exchange brings two copies of a thread level and moves its blobs, over
// any stream (FORMATS §8, NETWORK §9). It knows no network: node/peering hands it
// libp2p streams, tests hand it pipes.
//
// A Session is one conversation with one peer for as long as the stream lasts:
//
//	hello    versions and a nonce, both ways at once
//	prove    each side signs the transcript T (PeerIDs and nonces) with the author keys of its devices
//	records  persons, certificates and cards (a known peer's, or the ones a proof needs)
//	threads  a tag and a root for each thread both may know; unequal roots are answered with rows
//	rows     a version vector; it is answered with the entries it lacks
//	entries  packets and envelopes; need asks for what they rest on
//	have     which blobs of a study are here
//	want     leaf ranges, many a frame, far ahead; range carries one, with its proof; cancel, refuse
//	end      the session is over
//
// Frame: u32 length || u8 type || CBOR body, length covering type and body, at most
// 1 MiB + 64 KiB. Unknown types are skipped. FORMATS §2.1 lets an invite's Join
// travel by stream without giving it a type; here it is 16, and the Accept 17 (a
// byte string each; an empty Accept is a no).
//
// Until a peer proves a contact's or a case member's device it is served nothing
// but hello, prove and the answer to a Join. Until it proves any device at all it
// may send 64 KiB in 10 s: hello, prove, the records the proof is checked with, and
// a Join.
//
// A range is checked against its BlobID before Local.Store sees it. Of the bytes
// on the wire everything here may change only with the protocol's name.
package exchange

import "errors"

// Protocol is the name of the libp2p protocol.
const Protocol = "/curbside/exchange/1"

// Errors that callers decide by.
var (
	// ErrAbsent and ErrNotAllowed are what Local.Serve answers a want with that
	// it cannot or must not serve; they reach the peer as a refusal.
	ErrAbsent     = errors.New("blob not here")
	ErrNotAllowed = errors.New("not allowed")
	// ErrUnproven ends a session whose peer did not prove any device in time.
	ErrUnproven = errors.New("peer proved no device")
	// ErrProtocol ends a session after frames no honest peer sends.
	ErrProtocol = errors.New("protocol error")
	// ErrBroken ends a session whose stream broke; it is worth another.
	ErrBroken = errors.New("stream broke")
	// ErrSilent ends a session whose peer owes something and sends nothing.
	ErrSilent = errors.New("peer went silent")
	// ErrRefused is the answer to a Join that was not accepted.
	ErrRefused = errors.New("invite not accepted")
)
