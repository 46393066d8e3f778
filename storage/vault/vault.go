// Package vault keeps a person's secrets at rest (FORMATS §9).
//
//	vault   = {1: 1, 2: [+ Slot], 3: GCM(KDF(MK,"vault/body",""), "curbside/v1/vault", body)}    replaced whole
//	Slot    = {1: type, 2: params, 3: GCM(KEK, "curbside/v1/slot\0" || CBOR [type, params], MK)}
//	body    = {1: Body, 2: salt of the rows log that belongs to this vault}
//	rows    = a log of storage/durable, appended to, and written anew when mostly dead
//	frame   = u64 number || GCM(KDF(MK,"vault/rows",""), "curbside/v1/rows\0" || salt || u64 number, [+ row])    one batch
//	row     = [table, key, case (32 bytes, or none), box (none: deleted)]
//	box     = GCM(KDF(case key or MK, "row", table || 0x00 || key), table || 0x00 || key, value)
//
// The frame hides what the rows are about; its number, bound to the file, shows
// when frames were removed, repeated or reordered. That the end of the log or the
// whole directory was taken back to an older state it does not show: own heads
// and audit checkpoints do (FORMATS §9, Rollback).
//
// A batch is on the medium, whole, when Batch returns. Rows are in memory while
// the vault is open; Close forgets them and every key. A Vault is safe for
// concurrent use.
package vault

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/durable"
)

var (
	// ErrDamaged says that the vault is not what was written. A user must
	// recover; a wrong passphrase is ErrPassphrase.
	ErrDamaged = errors.New("vault is damaged")
	// ErrNone says that there is no vault: the user must init.
	ErrNone = errors.New("there is no vault")
	// ErrExists says that there is one already; it is never overwritten.
	ErrExists = errors.New("there is a vault already")
	// ErrClosed says that the vault was closed (locked).
	ErrClosed = errors.New("vault is locked")
	// ErrTooLong says that a value, a name or a batch exceeds its limit.
	ErrTooLong = errors.New("too long for the vault")
	// ErrSlots says that the master key cannot be changed without the other
	// ways to unlock: give them all.
	ErrSlots = errors.New("vault has several slots, give a way to unlock for each")
)

// Vault is an open vault.
type Vault struct {
	dir  string
	disk *durable.Disk

	mu     sync.RWMutex // guards what follows
	closed bool
	mk     wire.Secret
	slots  []slot
	opened opened
	body   Body
	rows   *rowLog
	damage []Damage
}

// Format keeps a printed vault from showing anything.
func (*Vault) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[vault]")) }

// Create makes a vault in dir, which is made too. With a KeyFile that does not
// exist, that is made as well.
func Create(dir string, u Unlock, body Body) (*Vault, error) { return CreateOn(nil, dir, u, body) }

// CreateOn is Create on a disk with faults, for tests.
func CreateOn(disk *durable.Disk, dir string, u Unlock, body Body) (*Vault, error) {
	if Exists(dir) {
		return nil, ErrExists
	}
	if u.KeyFile != "" {
		if err := makeKeyFile(u.KeyFile); err != nil {
			return nil, err
		}
	}
	if err := disk.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("create vault: %w", err)
	}
	v := &Vault{dir: dir, disk: disk, mk: wire.NewSecret()}
	s, kek, err := newSlot(u, v.mk)
	if err != nil {
		return nil, fmt.Errorf("create vault: %w", err)
	}
	v.slots, v.opened = []slot{s}, opened{slot: s, kek: kek}
	if v.body, err = body.clone(); err != nil {
		return nil, err
	}
	if v.rows, err = createRows(disk, v.path("rows"), v.mk); err != nil {
		return nil, err
	}
	// The vault last: with it the person exists.
	if err := v.replace(v.body, v.rows.log.Salt()); err != nil {
		_ = v.Close()
		return nil, err
	}
	return v, nil
}

// Open opens the vault in dir: ErrNone, ErrPassphrase, ErrUnlock or ErrDamaged
// say why not. Rows that cannot be read are left out and told by Damage.
func Open(dir string, u Unlock) (*Vault, error) { return OpenOn(nil, dir, u) }

// OpenOn is Open on a disk with faults, for tests.
func OpenOn(disk *durable.Disk, dir string, u Unlock) (*Vault, error) {
	f, err := readFile(dir)
	if err != nil {
		return nil, err
	}
	v := &Vault{dir: dir, disk: disk, slots: f.Slots}
	if v.mk, v.opened, err = f.unlock(u); err != nil {
		return nil, fmt.Errorf("unlock vault: %w", err)
	}
	s, err := openBody(v.mk, f.Box)
	if err != nil {
		return nil, err
	}
	v.body = s.Body
	if err := v.openRows(s.Rows); err != nil {
		return nil, fmt.Errorf("open rows: %w", err)
	}
	return v, nil
}

func openBody(mk wire.Secret, box []byte) (stored, error) {
	p, err := wire.GCMOpen(bodyKey(mk), bodyAAD, box)
	if err != nil {
		return stored{}, fmt.Errorf("open vault body: %w", ErrDamaged)
	}
	return decodeBody(p)
}

func (v *Vault) path(name string) string { return filepath.Join(v.dir, name) }

// replace writes the vault file whole.
func (v *Vault) replace(body Body, rows []byte) error {
	p, err := encodeBody(body, rows)
	if err != nil {
		return err
	}
	f := vaultFile{Version: fileVersion, Slots: v.slots, Box: wire.GCMSeal(bodyKey(v.mk), bodyAAD, p)}
	b, err := f.encode()
	if err != nil {
		return err
	}
	if err := v.disk.Replace(v.path("vault"), b); err != nil {
		return fmt.Errorf("write vault: %w", err)
	}
	return nil
}

// Body returns a copy of the body.
func (v *Vault) Body() Body {
	v.mu.RLock()
	defer v.mu.RUnlock()
	b, err := v.body.clone()
	if err != nil {
		return Body{} // it was encoded before, so it can be again
	}
	return b
}

// Update changes the body and returns when the vault is on the medium. If it
// fails the body is as before.
func (v *Vault) Update(change func(*Body)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.update(change)
}

func (v *Vault) update(change func(*Body)) error {
	if v.closed {
		return ErrClosed
	}
	b, err := v.body.clone()
	if err != nil {
		return err
	}
	change(&b)
	if b, err = b.clone(); err != nil { // the caller may keep what it put in
		return err
	}
	if err := v.replace(b, v.rows.log.Salt()); err != nil {
		return err
	}
	v.body = b
	return nil
}

// Confirm asks again for what opens the vault, before something is signed:
// ErrPassphrase if it does not.
func (v *Vault) Confirm(u Unlock) error {
	v.mu.RLock()
	f := vaultFile{Slots: v.slots}
	mk, closed := v.mk, v.closed
	v.mu.RUnlock()
	if closed {
		return ErrClosed
	}
	got, _, err := f.unlock(u)
	if err != nil {
		return err
	}
	if !got.Equal(mk) {
		return ErrPassphrase
	}
	return nil
}

// Close locks the vault: every key and row is forgotten.
func (v *Vault) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.forget()
}

func (v *Vault) forget() error {
	if v.closed {
		return nil
	}
	v.closed = true
	v.mk, v.opened, v.slots = wire.Secret{}, opened{}, nil
	v.body = Body{}
	if v.rows == nil {
		return nil
	}
	err := v.rows.close()
	v.rows = nil
	return err
}
