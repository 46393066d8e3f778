package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// The first byte of what the wire carries.
const (
	typeEnvelope = 0x01
	typePacket   = 0x02
)

const (
	padSmall     = 256
	padLarge     = 4 << 10
	padLargeFrom = 8 << 10
	tagSize      = 16
	packetHead   = 1 + 1 + 32
)

// padLen is the padded length of n bytes and their u32 length.
func padLen(n int) int {
	n += 4
	unit := padSmall
	if n > padLargeFrom {
		unit = padLarge
	}
	return (n + unit - 1) / unit * unit
}

func pad(x []byte) []byte {
	out := make([]byte, padLen(len(x)))
	binary.BigEndian.PutUint32(out, uint32(len(x)))
	copy(out[4:], x)
	return out
}

// unpad accepts exactly what pad writes.
func unpad(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, ErrPadding
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > EntryMax {
		return nil, ErrTooLong
	}
	if padLen(int(n)) != len(b) {
		return nil, ErrPadding
	}
	for _, zero := range b[4+n:] {
		if zero != 0 {
			return nil, ErrPadding
		}
	}
	return b[4 : 4+n], nil
}

// box is a key that envelopes are sealed under, found by its tag.
type box struct {
	thread ThreadID
	epoch  EpochID
	chain  Chain
	key    wire.Secret
	tag    [tagSize]byte
}

// boxes derives the keys of both chains from an epoch's secret.
func boxes(thread ThreadID, epoch EpochID, es wire.Secret) [2]box {
	cs := controlSecret(es)
	return [2]box{
		{thread, epoch, Control, wire.KDF32(cs, "key", nil), [tagSize]byte(wire.KDF(cs, "tag", nil, tagSize))},
		{thread, epoch, Content, wire.KDF32(es, "content", nil), [tagSize]byte(wire.KDF(es, "tag", nil, tagSize))},
	}
}

func (b *box) context() string {
	return "envelope\x00" + string(b.thread[:]) + string(b.epoch[:]) + string([]byte{byte(b.chain)})
}

// seal makes an envelope of an entry.
func (b *box) seal(entry []byte) []byte {
	out := append([]byte{typeEnvelope}, b.tag[:]...)
	return append(out, seal.Seal(b.key, b.context(), pad(entry))...)
}

// open returns the entry in an envelope.
func (b *box) open(envelope []byte) ([]byte, error) {
	p, err := seal.Open(b.key, b.context(), envelope[1+tagSize:])
	if err != nil {
		return nil, ErrEnvelope
	}
	return unpad(p)
}

// envelopeTag returns the tag of an envelope.
func envelopeTag(b []byte) ([tagSize]byte, error) {
	if len(b) > EnvelopeMax {
		return [tagSize]byte{}, wrapped("envelope", ErrTooLong)
	}
	if len(b) <= 1+tagSize || b[0] != typeEnvelope {
		return [tagSize]byte{}, ErrEnvelope
	}
	return [tagSize]byte(b[1:]), nil
}

// packet is a sealed epoch entry with the seals of its secret.
type packet struct {
	epoch EpochID
	seals []byte // n of seal.ToSize each
	box   []byte
}

func parsePacket(b []byte) (*packet, error) {
	if len(b) > PacketMax {
		return nil, wrapped("packet", ErrTooLong)
	}
	if len(b) < packetHead || b[0] != typePacket {
		return nil, ErrPacket
	}
	n := int(b[1])
	if n > SealsMax {
		return nil, wrapped("packet", ErrTooMany)
	}
	rest := b[packetHead:]
	if len(rest) < n*seal.ToSize {
		return nil, ErrPacket
	}
	return &packet{epoch: EpochID(b[2:]), seals: rest[:n*seal.ToSize], box: rest[n*seal.ToSize:]}, nil
}

func packetContext(epoch EpochID, seals []byte) string {
	sum := sha256.Sum256(seals)
	return "packet\x00" + string(epoch[:]) + string(sum[:])
}

func packetKey(es wire.Secret) wire.Secret {
	return wire.KDF32(controlSecret(es), "epoch/packet", nil)
}

// sealPacket makes a packet of an epoch entry.
func sealPacket(epoch EpochID, es wire.Secret, seals [][]byte, entry []byte) ([]byte, error) {
	if len(seals) > SealsMax {
		return nil, wrapped("packet", ErrTooMany)
	}
	out := append([]byte{typePacket, byte(len(seals))}, epoch[:]...)
	for _, s := range seals {
		out = append(out, s...)
	}
	all := out[packetHead:]
	out = append(out, seal.Seal(packetKey(es), packetContext(epoch, all), pad(entry))...)
	if len(out) > PacketMax {
		return nil, wrapped("packet", ErrTooLong)
	}
	return out, nil
}

// open opens the entry in a packet with the secret of its epoch, and checks
// that the secret is the one the signed header commits to (R2).
func (p *packet) open(es wire.Secret) (*parsed, error) {
	padded, err := seal.Open(packetKey(es), packetContext(p.epoch, p.seals), p.box)
	if err != nil {
		return nil, ErrPacket
	}
	raw, err := unpad(padded)
	if err != nil {
		return nil, err
	}
	e, err := parseEntry(raw)
	if err != nil {
		return nil, err
	}
	if e.Kind != Epoch || e.control.epoch.id != p.epoch {
		return nil, ErrPacket
	}
	if commitment(es, e.Thread) != e.control.epoch.hdr.Commit {
		return nil, ErrCommit
	}
	return e, nil
}

// unseal tries every local key on every seal, the newest keys first (R6); no
// hint links packets to devices. A secret that contradicts its commitment is
// passed over and reported, as another seal may hold the right one.
func (p *packet) unseal(locals []Local) (*parsed, wire.Secret, error) {
	failed := ErrSeal
	for n := range keysMax(locals) {
		for _, l := range locals {
			if n >= len(l.KEMs) {
				continue
			}
			for off := 0; off < len(p.seals); off += seal.ToSize {
				k := l.KEMs[n]
				es, err := seal.OpenFrom(k, sealInfo(p.epoch, l.Device.ID(), k.ID()), p.seals[off:off+seal.ToSize])
				if err != nil {
					continue
				}
				e, err := p.open(es)
				if err == nil || !errors.Is(err, ErrCommit) && !errors.Is(err, ErrPacket) {
					return e, es, err
				}
				failed = errors.Join(ErrSeal, err)
			}
		}
	}
	return nil, wire.Secret{}, failed
}

func keysMax(locals []Local) (n int) {
	for _, l := range locals {
		n = max(n, len(l.KEMs))
	}
	return n
}

// OpenPacket tells which thread a packet starts that is sealed to a local
// device, for threads that are not known yet. Nothing in it has been admitted.
func OpenPacket(sealed []byte, locals []Local) (ThreadID, error) {
	p, err := parsePacket(sealed)
	if err != nil {
		return ThreadID{}, err
	}
	e, _, err := p.unseal(locals)
	if err != nil {
		return ThreadID{}, err
	}
	return e.Thread, nil
}
