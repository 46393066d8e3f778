package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/durable"
)

// vaultFile is the file itself: {1: 1, 2: [+ Slot], 3: GCM(...)}.
type vaultFile struct {
	Version uint64 `cbor:"1,keyasint"`
	Slots   []slot `cbor:"2,keyasint"`
	Box     []byte `cbor:"3,keyasint"`
}

const fileVersion = 1

func decodeFile(b []byte) (vaultFile, error) {
	var f vaultFile
	if err := wire.Unmarshal(b, &f); err != nil {
		return vaultFile{}, fmt.Errorf("decode vault: %w: %w", ErrDamaged, err)
	}
	if f.Version != fileVersion {
		return vaultFile{}, fmt.Errorf("vault of version %d: %w", f.Version, ErrDamaged)
	}
	if len(f.Slots) == 0 || len(f.Slots) > slotsMax {
		return vaultFile{}, fmt.Errorf("vault with %d slots: %w", len(f.Slots), ErrDamaged)
	}
	for _, s := range f.Slots {
		if err := s.check(); err != nil {
			return vaultFile{}, fmt.Errorf("vault slot: %w: %w", ErrDamaged, err)
		}
	}
	return f, nil
}

func readFile(dir string) (vaultFile, error) {
	b, err := durable.ReadLimited(filepath.Join(dir, "vault"), fileMax)
	if errors.Is(err, fs.ErrNotExist) {
		return vaultFile{}, fmt.Errorf("read vault: %w", ErrNone)
	}
	if errors.Is(err, durable.ErrTooLong) {
		return vaultFile{}, fmt.Errorf("read vault: %w", ErrDamaged)
	}
	if err != nil {
		return vaultFile{}, fmt.Errorf("read vault: %w", err)
	}
	return decodeFile(b)
}

// unlock tries each slot that fits. It returns the master key, and the slot and
// key encryption key that gave it.
func (f vaultFile) unlock(u Unlock) (mk wire.Secret, k opened, err error) {
	err = ErrUnlock
	if len(u.Passphrase) == 0 && u.KeyFile == "" {
		return mk, k, err
	}
	for _, s := range f.Slots {
		if !s.fits(u) {
			continue
		}
		kek, kekErr := s.kek(u)
		if kekErr != nil {
			return mk, k, kekErr
		}
		if mk, err = s.open(kek); err == nil {
			return mk, opened{slot: s, kek: kek}, nil
		}
	}
	return mk, k, err
}

// opened is a slot and its key, kept so that the master key can be changed
// without asking for the passphrase again.
type opened struct {
	slot slot
	kek  wire.Secret
}

func bodyKey(mk wire.Secret) wire.Secret { return wire.KDF32(mk, "vault/body", nil) }

var bodyAAD = []byte(wire.Prefix + "vault")

// encode is the whole file.
func (f vaultFile) encode() ([]byte, error) {
	b, err := wire.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode vault: %w", err)
	}
	return b, nil
}

// Exists reports whether there is a vault in dir.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "vault"))
	return err == nil
}

// Slots tells how the vault in dir can be unlocked, so that a command knows
// whether to ask for a passphrase.
func Slots(dir string) ([]SlotType, error) {
	f, err := readFile(dir)
	if err != nil {
		return nil, err
	}
	types := make([]SlotType, len(f.Slots))
	for i, s := range f.Slots {
		types[i] = s.Type
	}
	return types, nil
}
