package identity

import "errors"

const (
	// RecordMax is the longest record: a card with many addresses fits ten times.
	RecordMax = 64 << 10
	// StatementsMax bounds a person's chain; a device a month lasts twenty years.
	StatementsMax = 256
	// TextMax is the longest text field of a record.
	TextMax = 32 << 10
	// InviteMaxMS is how long an invite lasts, 7 days.
	InviteMaxMS = 7 * 24 * 60 * 60 * 1000
	// LinkMax is the longest invite link; a QR code holds less.
	LinkMax = 8 << 10
	// JoinMax is the longest Join or Accept, as it must fit a mailbox item.
	JoinMax = 192 << 10
	// PeersMax and AddrsMax bound the addresses of a card or an invite: more
	// than a node has, few enough to try them all.
	PeersMax = 8
	// AddrsMax bounds the addresses of one peer.
	AddrsMax = 32
	// AddrMax is the longest multiaddr.
	AddrMax = 512
	// PeerIDMax is the longest PeerID; an Ed25519 one has 38 bytes.
	PeerIDMax = 64
	// RevokedMax bounds a revocation list, to fit RecordMax.
	RevokedMax = 4096

	// ListingMax is the longest listing: it is served with a person, a certificate
	// and attestations in 32 KiB, and thousands are kept.
	ListingMax = 8 << 10
	// ListingMaxMS is how long a listing lasts at most: a day, so that who has gone is gone.
	ListingMaxMS = 24 * 60 * 60 * 1000
	// listingAheadMS is how far a listing may begin in the future, for clocks differ.
	listingAheadMS = 60 * 60 * 1000
	// TopicsMax bounds the topics of a listing: each costs twenty strangers a record.
	TopicsMax = 16
	// CodesMax bounds the species of a listing; specialties and languages are bound by TopicsMax.
	CodesMax = 16
	// CodeMax is the longest code of a specialty, language or species.
	CodeMax = 64
	// NameMax is the longest name of a listing.
	NameMax = 256
)

// Errors that tell why a record was refused. Whoever exchanges records decides
// by them: ask for what is missing, warn the user, or drop.
var (
	ErrTooLong   = errors.New("record exceeds a limit")
	ErrVersion   = errors.New("record of an unknown version")
	ErrField     = errors.New("field out of range")
	ErrKey       = errors.New("public key is malformed, not canonical or of small order")
	ErrSignature = errors.New("signature is missing, unwanted or wrong")
	// ErrGap says that statements before this one were withheld: ask for them.
	ErrGap = errors.New("statements are missing before this one")
	// ErrPrev says that a statement continues another chain than the one known:
	// the root has signed two.
	ErrPrev = errors.New("statement does not continue the chain")
	// ErrFork says that a root or device signed two different records with one
	// number. The user is warned and sending to the person is blocked.
	ErrFork = errors.New("two different records with one number")
	// ErrUnknownDevice says that no known statement certifies the device.
	ErrUnknownDevice = errors.New("device is not certified")
	// ErrRevoked says that the device was revoked. It never comes back.
	ErrRevoked = errors.New("device is revoked")
	// ErrWrongPerson says that a record is of someone else than asked for.
	ErrWrongPerson = errors.New("record of another person")
	// ErrRecord says that bytes are no record of any known kind.
	ErrRecord = errors.New("not a record")
)
