// Package mailbox keeps sealed items and blobs for somebody who is away, and hands them
// over when they return (FORMATS §8). It knows no network, no disk and no key that opens
// anything: node/relay and node/peering hand it libp2p streams, storage/mailbox keeps what
// it takes.
//
//	box        an Ed25519 key pair of a device; BoxID = H("box", public)[:16]
//	deposit    whoever knows the box's deposit secret, from its owner's card, leaves items there
//	collect    the owner, proven by the box key, takes them, and acknowledges what is safe
//	offer      sealed study blobs likewise, where the mailbox keeps them
//
// One stream is one session: hello both ways, then requests by the client, each answered in
// order. Every proof is bound to both PeerIDs and both nonces, so that none is worth
// anything in another session or at another mailbox:
//
//	T = H("mailbox/session", CBOR [PeerID client, PeerID mailbox, nonce client, nonce mailbox])
//
//	18 open         {1: box public x32, 2: SIGS("open", T || deposit secret), 3: deposit secret x32, 4: request}
//	19 deposit      {1: BoxID, 2: item, 3: HMAC-SHA256(deposit secret, T || H("item", item))[:16], 4: request}
//	20 collect      {1: box public, 2: SIGS("collect", T || u64 after), 3: after, 4: request}
//	21 items        {1: request, 2: [[cursor, item]], 3: more (1 no, 2 yes)}
//	22 acknowledge  {1: cursor, 2: request}                 lets the mailbox delete up to there
//	23 done         {1: request, 2: status}
//	24 offer        {1: BoxID, 2: [[BlobID, length]], 3: HMAC(deposit secret, T || H("offer", CBOR of 2))[:16], 4: request}
//	25 offered      {1: request, 2: [bitmap of the leaves that are there]}; then the client sends ranges
//	26 finish       {1: request}                            all ranges went out; done says whether all are kept
//	27 list         {1: request}
//	28 listed       {1: request, 2: [[BlobID, length]]}     blobs of the box that are whole
//	29 forget       {1: request, 2: [BlobID]}
//	1 hello, 9 want, 10 range, 12 refuse, 15 end            as in protocol/exchange
//
// After open or collect the box is proven for the session: acknowledge, list, want and
// forget speak of it. A status of done is 1 kept, 2 no such box, 3 full, 4 refused, 5 not
// kept here, 6 failed, 7 incomplete.
//
// An item is u8 type || bytes: 1 an envelope, 2 a packet (as protocol/ledger writes them),
// 3 a letter (letter.go), 4 a Join, 5 an Accept. The mailbox does not look at it.
package mailbox

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Protocol is the name of the libp2p protocol.
const Protocol = "/curbside/mailbox/1"

// The first byte of an item.
const (
	ItemEnvelope = 1
	ItemPacket   = 2
	ItemLetter   = 3
	ItemJoin     = 4
	ItemAccept   = 5
)

// Errors that callers decide by. A Store returns them too; each has a status on the wire.
var (
	// ErrAbsent says that there is no such box or blob: it was never opened, or has ended.
	ErrAbsent = errors.New("no such box")
	// ErrFull says that a quota is used up; it has room again once the owner collects.
	ErrFull = errors.New("mailbox is full")
	// ErrRefused says that a proof is wrong, or that this peer may not have a box here.
	ErrRefused = errors.New("refused by the mailbox")
	// ErrNoBlobs says that this mailbox keeps no study blobs.
	ErrNoBlobs = errors.New("mailbox keeps no images")
	// ErrFailed says that the mailbox could not do it; it is worth another try.
	ErrFailed = errors.New("mailbox failed")
	// ErrIncomplete says that ranges of an offer are missing.
	ErrIncomplete = errors.New("offer is not complete")
	// ErrTooLong says that an item or an offer exceeds a limit.
	ErrTooLong = errors.New("longer than allowed")
	// ErrProtocol ends a session after frames no honest peer sends.
	ErrProtocol = errors.New("protocol error")
	// ErrSilent ends a session whose peer sends or takes nothing in time.
	ErrSilent = errors.New("peer went silent")
)

// BoxID names a box.
type BoxID [16]byte

// BoxIDOf is H("box", public)[:16].
func BoxIDOf(public [32]byte) BoxID {
	h := wire.Hash("box", public[:])
	return BoxID(h[:16])
}

// Address is what a depositor needs of a box, as a card tells it.
type Address struct {
	Box     BoxID
	Deposit wire.Secret
}

// Key is a box as its owner has it. It prints as "[secret]": the private half is in a
// closure.
type Key struct {
	secret func() keySecret
	public [32]byte
}

type keySecret struct {
	sign    ed25519.PrivateKey
	deposit wire.Secret
}

// NewKey makes the box of a seed; wire.NewSecret makes a new one.
func NewKey(seed wire.Secret) *Key {
	edSeed := wire.KDF32(seed, "box/ed25519", nil)
	s := keySecret{sign: ed25519.NewKeyFromSeed(edSeed[:]), deposit: wire.KDF32(seed, "box/deposit", nil)}
	return &Key{secret: func() keySecret { return s }, public: [32]byte(s.sign.Public().(ed25519.PublicKey))}
}

// Public is the public half.
func (k *Key) Public() [32]byte { return k.public }

// Address is what depositors are told.
func (k *Key) Address() Address { return Address{Box: BoxIDOf(k.public), Deposit: k.secret().deposit} }

// Format prints "[secret]" for every verb.
func (k *Key) Format(f fmt.State, verb rune) { wire.Secret{}.Format(f, verb) }

// sign is SIGS(label, msg) with alg 1.
func (k *Key) sign(label string, msg []byte) identity.Sigs {
	m := append([]byte(wire.Prefix+"sig/"+label+"\x00"), msg...)
	return identity.Sigs{{Alg: identity.AlgEd25519, Bytes: ed25519.Sign(k.secret().sign, m)}}
}

// Labels of what a box key signs.
const (
	labelOpen    = "open"
	labelCollect = "collect"
)

func verify(label string, msg []byte, sigs identity.Sigs, public [32]byte) error {
	if err := identity.VerifySigs(label, msg, sigs, public[:], nil, identity.AlgEd25519); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

// transcript is T.
type transcript [32]byte

func newTranscript(client, mailbox identity.PeerID, nonceClient, nonceMailbox [32]byte) transcript {
	return wire.Hash("mailbox/session", wire.MustMarshal(struct {
		_            struct{} `cbor:",toarray"`
		Client       identity.PeerID
		Mailbox      identity.PeerID
		NonceClient  [32]byte
		NonceMailbox [32]byte
	}{Client: client, Mailbox: mailbox, NonceClient: nonceClient, NonceMailbox: nonceMailbox}))
}

func (t transcript) with(b []byte) []byte { return append(t[:], b...) }

func (t transcript) collect(after uint64) []byte { return binary.BigEndian.AppendUint64(t[:], after) }

// mac proves the deposit secret for one item or offer of one session.
func (t transcript) mac(deposit wire.Secret, label string, b []byte) (out [16]byte) {
	h := hmac.New(sha256.New, deposit[:])
	h.Write(t[:])
	sum := wire.Hash(label, b)
	h.Write(sum[:])
	copy(out[:], h.Sum(nil))
	return out
}

// Item is one item of a box.
type Item struct {
	_      struct{} `cbor:",toarray"`
	Cursor uint64
	Item   []byte
}

// Blob names a sealed blob of a known length.
type Blob struct {
	_      struct{} `cbor:",toarray"`
	ID     blob.ID
	Length uint64
}

// Want is a range of leaves of a blob.
type Want struct {
	Blob  Blob
	First int
	N     int
}
