package vault

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/durable"
)

// SlotType is a way to unlock.
type SlotType uint64

// FORMATS §9. Keychain slots are read and kept, but this version has no keychain.
const (
	SlotPassphrase SlotType = 1
	SlotKeychain   SlotType = 2
	SlotCredential SlotType = 3
)

// Unlock is what opens a vault: a passphrase or a key file.
type Unlock struct {
	// Passphrase is UTF-8 text as it was typed.
	Passphrase []byte
	// KeyFile is the path of 32 bytes that only the owner may read. Create makes
	// it if it does not exist.
	KeyFile string
	// MemoryKiB is the cost of a passphrase that is being set, 0 for 256 MiB.
	// Less makes tests fast and thieves too; the floor is 64 MiB.
	MemoryKiB uint32
}

// Format keeps a printed Unlock from showing the passphrase.
func (Unlock) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[unlock]")) }

// slot holds the master key under one key encryption key.
type slot struct {
	Type   SlotType `cbor:"1,keyasint"`
	Params wire.Raw `cbor:"2,keyasint"`
	Box    []byte   `cbor:"3,keyasint"`
}

type argonParams struct {
	Salt    []byte `cbor:"1,keyasint"`
	Memory  uint32 `cbor:"2,keyasint"` // KiB
	Time    uint32 `cbor:"3,keyasint"`
	Threads uint8  `cbor:"4,keyasint"`
}

type nameParams struct {
	Name string `cbor:"1,keyasint"`
}

var (
	// ErrPassphrase says that what was given does not open the vault: ask again.
	ErrPassphrase = errors.New("wrong passphrase or key")
	// ErrUnlock says that a vault has no slot for what was given, or that
	// nothing was given.
	ErrUnlock = errors.New("vault cannot be unlocked this way")
	// ErrCost says that Argon2 parameters are outside FORMATS §9.
	ErrCost = errors.New("passphrase cost is outside the limits")
	// ErrKeyFile says that a key file is not 32 bytes that only its owner can read.
	ErrKeyFile = errors.New("key file must be 32 bytes and readable by its owner only")
	// ErrText says that a passphrase is empty, too long or not UTF-8.
	ErrText = errors.New("passphrase must be text and not empty")
)

// newSlot seals mk for u and returns the key encryption key too.
func newSlot(u Unlock, mk wire.Secret) (slot, wire.Secret, error) {
	s := slot{Type: SlotPassphrase}
	var params any
	if u.KeyFile != "" {
		s.Type = SlotCredential
		params = nameParams{Name: filepath.Base(u.KeyFile)}
	} else {
		p, err := newArgon(u.MemoryKiB)
		if err != nil {
			return slot{}, wire.Secret{}, err
		}
		params = p
	}
	var err error
	if s.Params, err = wire.Marshal(params); err != nil {
		return slot{}, wire.Secret{}, err
	}
	kek, err := s.kek(u)
	if err != nil {
		return slot{}, wire.Secret{}, err
	}
	s.Box = wire.GCMSeal(kek, s.aad(), mk[:])
	return s, kek, nil
}

func newArgon(memoryKiB uint32) (argonParams, error) {
	if memoryKiB == 0 {
		memoryKiB = memoryDefaultKiB
	}
	if memoryKiB < memoryMinKiB {
		return argonParams{}, fmt.Errorf("%d KiB: %w", memoryKiB, ErrCost)
	}
	p := argonParams{Salt: make([]byte, saltSize), Memory: memoryKiB, Time: timeDefault, Threads: threadsDefault}
	_, _ = rand.Read(p.Salt) // never fails since Go 1.24
	return p, p.check()
}

func (p argonParams) check() error {
	if len(p.Salt) != saltSize || p.Memory > memoryMaxKiB || p.Time < 1 || p.Time > timeMax ||
		p.Threads < 1 || p.Threads > threadsMax || p.Memory < 8*uint32(p.Threads) {
		return ErrCost
	}
	return nil
}

// aad binds a slot's box to its type and parameters.
func (s slot) aad() []byte {
	head := wire.MustMarshal(struct {
		_      struct{} `cbor:",toarray"`
		Type   SlotType
		Params wire.Raw
	}{Type: s.Type, Params: s.Params})
	return append([]byte(wire.Prefix+"slot\x00"), head...)
}

// check reports whether a slot from a file is well formed.
func (s slot) check() error {
	switch s.Type {
	case SlotPassphrase:
		var p argonParams
		if err := wire.Unmarshal(s.Params, &p); err != nil {
			return err
		}
		return p.check()
	case SlotKeychain, SlotCredential:
		var p nameParams
		return wire.Unmarshal(s.Params, &p)
	default:
		return fmt.Errorf("slot of type %d: %w", s.Type, ErrUnlock)
	}
}

// fits reports whether the slot is of the kind that u can open.
func (s slot) fits(u Unlock) bool {
	if u.KeyFile != "" {
		return s.Type == SlotCredential
	}
	return s.Type == SlotPassphrase
}

// kek derives the key encryption key of this slot.
func (s slot) kek(u Unlock) (wire.Secret, error) {
	if s.Type == SlotCredential {
		return readKeyFile(u.KeyFile)
	}
	pass, err := normalize(u.Passphrase)
	if err != nil {
		return wire.Secret{}, err
	}
	var p argonParams
	if err := wire.Unmarshal(s.Params, &p); err != nil {
		return wire.Secret{}, err
	}
	if err := p.check(); err != nil {
		return wire.Secret{}, err
	}
	key := argon2.IDKey(pass, p.Salt, p.Time, p.Memory, p.Threads, 32)
	clear(pass)
	return wire.Secret(key), nil
}

// open returns the master key, ErrPassphrase if the key does not fit.
func (s slot) open(kek wire.Secret) (wire.Secret, error) {
	mk, err := wire.GCMOpen(kek, s.aad(), s.Box)
	if err != nil || len(mk) != 32 {
		return wire.Secret{}, ErrPassphrase
	}
	return wire.Secret(mk), nil
}

// normalize is NFKC (UAX #15): one passphrase whatever the keyboard composes.
func normalize(pass []byte) ([]byte, error) {
	if len(pass) == 0 || len(pass) > passphraseMax || !utf8.Valid(pass) {
		return nil, ErrText
	}
	return norm.NFKC.Append(nil, pass...), nil
}

func readKeyFile(path string) (wire.Secret, error) {
	info, err := os.Stat(path)
	if err != nil {
		return wire.Secret{}, fmt.Errorf("read key file: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() != 32 || exposed(info) {
		return wire.Secret{}, ErrKeyFile
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return wire.Secret{}, fmt.Errorf("read key file: %w", err)
	}
	if len(b) != 32 {
		return wire.Secret{}, ErrKeyFile
	}
	return wire.Secret(b), nil
}

// makeKeyFile writes a fresh key unless the file is there.
func makeKeyFile(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	key := wire.NewSecret()
	var disk *durable.Disk
	if err := disk.MkdirAll(filepath.Dir(path)); err != nil {
		return fmt.Errorf("make key file: %w", err)
	}
	return disk.Replace(path, key[:])
}
