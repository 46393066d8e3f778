package ledger

import (
	"bytes"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// historyShared is the only history there is: new members read all of it (R8).
const historyShared = 1

// secretES marks an ES in back; 2, a CS alone, is reserved.
const secretES = 1

// epochHeader is EpochHdr of FORMATS §5.
type epochHeader struct {
	Version uint64        `cbor:"1,keyasint"`
	Thread  ThreadID      `cbor:"2,keyasint"`
	Heads   []EntryID     `cbor:"3,keyasint"`
	Parents []EpochID     `cbor:"4,keyasint,omitempty"`
	Devices []epochDevice `cbor:"5,keyasint"`
	Commit  [32]byte      `cbor:"6,keyasint"`
	History uint64        `cbor:"7,keyasint"`
	Back    *[32]byte     `cbor:"8,keyasint,omitempty"`
}

// epochDevice is a device with the KEM key its seal is for, zero if no card of
// it was known: it has no seal then and asks (R3).
type epochDevice struct {
	_      struct{} `cbor:",toarray"`
	Device identity.DeviceID
	Key    [32]byte
}

// epochBody is the body of an epoch entry.
type epochBody struct {
	Header []byte `cbor:"1,keyasint"`
	Back   []byte `cbor:"2,keyasint,omitempty"`

	id  EpochID
	hdr epochHeader
}

// backSecret is one parent's secret in back.
type backSecret struct {
	_      struct{} `cbor:",toarray"`
	Epoch  EpochID
	Kind   uint64
	Secret wire.Secret
}

func commitment(es wire.Secret, thread ThreadID) [32]byte {
	return [32]byte(wire.KDF(es, "epoch/commit", thread[:], 32))
}

func controlSecret(es wire.Secret) wire.Secret { return wire.KDF32(es, "control", nil) }

// check reads the epoch header and compares it with its entry.
func (b *epochBody) check(p *parsed) error {
	if err := wire.Unmarshal(b.Header, &b.hdr); err != nil {
		return err
	}
	b.id = EpochID(wire.Hash("epoch", b.Header))
	h := &b.hdr
	switch {
	case h.Version != 1:
		return ErrVersion
	case h.Thread != p.Thread:
		return ErrThread
	case h.History != historyShared:
		return ErrField
	case len(h.Devices) > DevicesMax:
		return ErrTooMany
	case !slices.Equal(h.Heads, controlHeads(&p.Entry)):
		return ErrEpochHeads
	case !wire.Ascending(h.Parents, func(id *EpochID) []byte { return id[:] }):
		return ErrOrder
	case !wire.Ascending(h.Devices, func(d *epochDevice) []byte { return d.Device[:] }):
		return ErrOrder
	case (h.Back == nil) != (len(h.Parents) == 0), (h.Back == nil) != (b.Back == nil):
		return ErrBack
	case h.Back != nil && *h.Back != wire.Hash("back", b.Back):
		return ErrBack
	}
	return nil
}

// controlHeads are an entry's prev and parents, sorted.
func controlHeads(e *Entry) []EntryID {
	heads := slices.Clone(e.Parents)
	if e.Prev != nil {
		heads = append(heads, *e.Prev)
	}
	slices.SortFunc(heads, compareEntryID)
	return slices.Compact(heads)
}

func compareEntryID(a, b EntryID) int { return bytes.Compare(a[:], b[:]) }

// openBack returns the secrets of the parent epochs. Those who lie in it are
// found when the parents' commitments are compared.
func (b *epochBody) openBack(es wire.Secret) ([]backSecret, error) {
	if b.Back == nil {
		return nil, nil
	}
	raw, err := seal.Open(wire.KDF32(es, "epoch/back", nil), "back\x00"+string(b.hdr.Thread[:]), b.Back)
	if err != nil {
		return nil, ErrBack
	}
	var list []backSecret
	if err := wire.Unmarshal(raw, &list); err != nil {
		return nil, wrapped("back", err)
	}
	if len(list) != len(b.hdr.Parents) {
		return nil, ErrBack
	}
	for i, s := range list {
		if s.Epoch != b.hdr.Parents[i] || s.Kind != secretES {
			return nil, ErrBack
		}
	}
	return list, nil
}

func sealBack(es wire.Secret, thread ThreadID, list []backSecret) []byte {
	return seal.Seal(wire.KDF32(es, "epoch/back", nil), "back\x00"+string(thread[:]), wire.MustMarshal(list))
}

// lists reports whether the epoch is for exactly these devices, sorted.
func (h *epochHeader) lists(devices []identity.DeviceID) bool {
	return slices.Equal(h.deviceIDs(), devices)
}

func (h *epochHeader) deviceIDs() (list []identity.DeviceID) {
	for _, d := range h.Devices {
		list = append(list, d.Device)
	}
	return list
}

// sealInfo binds a seal to its epoch, device and key.
func sealInfo(epoch EpochID, device identity.DeviceID, key [32]byte) string {
	return "epoch\x00" + string(epoch[:]) + string(device[:]) + string(key[:])
}
