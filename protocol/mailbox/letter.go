package mailbox

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// A letter brings records (persons, statements, cards) to one device, sealed: in an
// exchange they go over a proven session, and a mailbox must see no person.
//
//	3 || SEALTO(pk, "mailbox/letter\0" || DeviceID || KeyID, K) || SEAL(K, "mailbox/letter", padded CBOR [record])
//	padded = u32 length || CBOR || zeros up to a multiple of 4 KiB
const (
	letterPad     = 4 << 10
	letterContext = "mailbox/letter"
	// recordsMax bounds the records of a letter: 64 persons have three each.
	recordsMax = 1024
)

// ErrLetter says that an item is no letter to this device and key.
var ErrLetter = errors.New("not a letter to this device")

func letterInfo(device identity.DeviceID, keyID [32]byte) string {
	return letterContext + "\x00" + string(device[:]) + string(keyID[:])
}

// SealLetter seals records to a device's KEM key.
func SealLetter(device identity.DeviceID, public []byte, records [][]byte) ([]byte, error) {
	body, err := wire.Marshal(records)
	if err != nil {
		return nil, err
	}
	padded := make([]byte, (len(body)+4+letterPad-1)/letterPad*letterPad)
	binary.BigEndian.PutUint32(padded, uint32(len(body)))
	copy(padded[4:], body)
	k := wire.NewSecret()
	to, err := seal.SealTo(public, letterInfo(device, seal.KeyID(public)), k)
	if err != nil {
		return nil, fmt.Errorf("seal letter: %w", err)
	}
	item := append(append([]byte{ItemLetter}, to...), seal.Seal(k, letterContext, padded)...)
	if len(item) > ItemMax || len(records) > recordsMax {
		return nil, fmt.Errorf("letter of %d bytes: %w", len(item), ErrTooLong)
	}
	return item, nil
}

// OpenLetter opens a letter with one of a device's KEM keys. The records are foreign: they
// prove themselves.
func OpenLetter(device identity.DeviceID, kem *seal.KEM, item []byte) ([][]byte, error) {
	if len(item) < 1+seal.ToSize || item[0] != ItemLetter {
		return nil, ErrLetter
	}
	k, err := seal.OpenFrom(kem, letterInfo(device, kem.ID()), item[1:1+seal.ToSize])
	if err != nil {
		return nil, ErrLetter
	}
	padded, err := seal.Open(k, letterContext, item[1+seal.ToSize:])
	if err != nil || len(padded) < 4 || len(padded)%letterPad != 0 {
		return nil, ErrLetter
	}
	n := binary.BigEndian.Uint32(padded)
	if uint64(n) > uint64(len(padded)-4) {
		return nil, ErrLetter
	}
	for _, zero := range padded[4+n:] {
		if zero != 0 {
			return nil, ErrLetter
		}
	}
	var records [][]byte
	if err := wire.Unmarshal(padded[4:4+n], &records); err != nil || len(records) > recordsMax {
		return nil, ErrLetter
	}
	return records, nil
}
