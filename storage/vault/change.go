package vault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Put sets one row under the vault's own key.
func (v *Vault) Put(table, key string, value []byte) error {
	return v.Batch([]Row{{Table: table, Key: key, Value: value}})
}

// Delete drops one row; one that is not there is no error.
func (v *Vault) Delete(table, key string) error {
	return v.Batch([]Row{{Table: table, Key: key, Delete: true}})
}

// Batch does all changes or none, and returns when they are on the medium. It
// costs one fsync; changes that change nothing cost none.
func (v *Vault) Batch(rows []Row) error {
	for _, r := range rows {
		if err := r.check(); err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	rows = v.changes(rows)
	if len(rows) == 0 {
		return nil
	}
	if err := v.makeCaseKeys(rows); err != nil {
		return err
	}
	if err := v.append(rows); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	if v.rows.log.Size() > compactMin && v.rows.log.Size() > 3*v.rows.live {
		return v.compact()
	}
	return nil
}

// changes leaves out what is so already.
func (v *Vault) changes(rows []Row) []Row {
	seen := map[string]bool{} // an earlier change in this batch decides anew
	var out []Row
	for _, r := range rows {
		old, ok := v.rows.rows[r.Table][r.Key]
		same := r.Delete && !ok || !r.Delete && ok && old.id == r.Case && bytes.Equal(old.bytes, r.Value)
		name := r.Table + "\x00" + r.Key
		if same && !seen[name] {
			continue
		}
		seen[name] = true
		out = append(out, r)
	}
	return out
}

// makeCaseKeys makes the keys of cases that have none, before a row needs them.
func (v *Vault) makeCaseKeys(rows []Row) error {
	var fresh []CaseKey
	for _, r := range rows {
		if r.Delete || r.Case == ([32]byte{}) {
			continue
		}
		if _, ok := v.body.caseKey(r.Case); ok {
			continue
		}
		if !slices.ContainsFunc(fresh, func(k CaseKey) bool { return k.Case == r.Case }) {
			fresh = append(fresh, CaseKey{Case: r.Case, Key: wire.NewSecret()})
		}
	}
	if fresh == nil {
		return nil
	}
	return v.update(func(b *Body) { b.CaseKeys = append(b.CaseKeys, fresh...) })
}

func (v *Vault) append(rows []Row) error {
	batch := make([]record, len(rows))
	total := 0
	for i, r := range rows {
		var err error
		if batch[i], err = r.seal(&v.body, v.mk); err != nil {
			return err
		}
		total += int(batch[i].cost())
	}
	if len(batch) > arrayMax || total > batchMax-batchMax/16 {
		return fmt.Errorf("batch of %d rows: %w", len(batch), ErrTooLong)
	}
	l := v.rows
	frame, err := sealFrame(l.key, l.log.Salt(), l.next, batch)
	if err != nil {
		return err
	}
	if err := l.log.Append(frame); err != nil {
		return err
	}
	l.next++
	for i, r := range rows {
		if r.Delete {
			l.drop(r.Table, r.Key)
			continue
		}
		l.set(r.Table, r.Key, value{bytes: bytes.Clone(r.Value), id: r.Case, cost: batch[i].cost()})
	}
	return nil
}

// Get returns a copy of a row's value.
func (v *Vault) Get(table, key string) (value []byte, ok bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return nil, false
	}
	got, ok := v.rows.rows[table][key]
	return bytes.Clone(got.bytes), ok
}

// Each calls f for every row of a table in order of keys, as they were when it
// was called: f may change rows.
func (v *Vault) Each(table string, f func(key string, value []byte) error) error {
	rows, err := v.snapshot(table)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := f(r.Key, r.Value); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) snapshot(table string) ([]Row, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return nil, ErrClosed
	}
	return v.rows.sorted(table), nil
}

func (l *rowLog) sorted(table string) []Row {
	rows := make([]Row, 0, len(l.rows[table]))
	for key, val := range l.rows[table] {
		rows = append(rows, Row{Table: table, Key: key, Value: bytes.Clone(val.bytes), Case: val.id})
	}
	slices.SortFunc(rows, func(a, b Row) int { return bytes.Compare([]byte(a.Key), []byte(b.Key)) })
	return rows
}

// Tables lists the tables that have rows, sorted; a backup goes through them.
func (v *Vault) Tables() []string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var out []string
	if v.closed {
		return nil
	}
	for table, rows := range v.rows.rows {
		if len(rows) > 0 {
			out = append(out, table)
		}
	}
	slices.Sort(out)
	return out
}

// Compact writes the rows log anew without what is dead.
func (v *Vault) Compact() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	return v.compact()
}

func (v *Vault) compact() error { return v.rewrite(v.mk, v.slots, v.opened, v.body) }

// rewrite writes rows and vault anew, under the given keys. The vault names the
// log that belongs to it, so its replacement is the moment all of it counts: a
// crash before leaves everything as it was, and after it Open finishes the rest.
func (v *Vault) rewrite(mk wire.Secret, slots []slot, open opened, body Body) error {
	next, err := v.writeRows(mk, &body)
	if err != nil {
		_ = os.Remove(v.path(nextRows))
		return fmt.Errorf("write rows anew: %w", err)
	}
	oldMK, oldSlots := v.mk, v.slots
	v.mk, v.slots = mk, slots
	if err := v.replace(body, next.log.Salt()); err != nil {
		v.mk, v.slots = oldMK, oldSlots
		_ = next.log.Close()
		return errors.Join(err, v.recheck())
	}
	_ = v.rows.close()
	v.rows, v.body, v.opened = next, body, open
	if err := next.log.Rename(v.path("rows")); err != nil {
		return nil //nolint:nilerr // the next Open finds it under this name
	}
	return v.disk.SyncDir(v.dir)
}

// recheck looks which vault is on disk after a replacement failed. If it is the
// new one, rows written from now on would not belong to it: the vault locks, and
// the next Open takes what the disk says.
func (v *Vault) recheck() error {
	f, err := readFile(v.dir)
	if err == nil {
		var s stored
		if s, err = openBody(v.mk, f.Box); err == nil && bytes.Equal(s.Rows, v.rows.log.Salt()) {
			_ = os.Remove(v.path(nextRows))
			return nil
		}
	}
	return errors.Join(ErrClosed, v.forget())
}

// writeRows writes all rows that body has keys for to the next log.
func (v *Vault) writeRows(mk wire.Secret, body *Body) (*rowLog, error) {
	next, err := createRows(v.disk, v.path(nextRows), mk)
	if err != nil {
		return nil, err
	}
	var batch []record
	size := int64(0)
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		frame, err := sealFrame(next.key, next.log.Salt(), next.next, batch)
		batch, size = nil, 0
		next.next++
		if err != nil {
			return err
		}
		return next.log.Write(frame)
	}
	for table := range v.rows.rows {
		for _, r := range v.rows.sorted(table) {
			rec, err := r.seal(body, mk)
			if err != nil {
				continue // its case is shredded
			}
			next.set(r.Table, r.Key, value{bytes: r.Value, id: r.Case, cost: rec.cost()})
			batch, size = append(batch, rec), size+rec.cost()
			if size < chunkMax && len(batch) < arrayMax {
				continue
			}
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return next, next.log.Sync()
}

// Rekey puts everything under a new master key. With ways to unlock given, they
// replace those of the vault: that is how a passphrase is changed. Without, the
// one that opened the vault stays, if it is the only one.
func (v *Vault) Rekey(unlocks ...Unlock) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	return v.rekey(v.body, unlocks)
}

func (v *Vault) rekey(body Body, unlocks []Unlock) error {
	mk := wire.NewSecret()
	if len(unlocks) == 0 {
		if len(v.slots) != 1 {
			return ErrSlots
		}
		s := v.opened.slot
		s.Box = wire.GCMSeal(v.opened.kek, s.aad(), mk[:])
		return v.rewrite(mk, []slot{s}, opened{slot: s, kek: v.opened.kek}, body)
	}
	if len(unlocks) > slotsMax {
		return ErrSlots
	}
	var slots []slot
	var first opened
	for i, u := range unlocks {
		if u.KeyFile != "" {
			if err := makeKeyFile(u.KeyFile); err != nil {
				return err
			}
		}
		s, kek, err := newSlot(u, mk)
		if err != nil {
			return err
		}
		if i == 0 {
			first = opened{slot: s, kek: kek}
		}
		slots = append(slots, s)
	}
	return v.rewrite(mk, slots, first, body)
}

// Shred makes everything under a case's key unreadable: the key goes, its rows
// go, and everything else moves under a new master key, so that an old copy of
// the rows opens with nothing that is left (FORMATS §9, Retention). Give every
// way to unlock if the vault has several.
func (v *Vault) Shred(id [32]byte, unlocks ...Unlock) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	body, err := v.body.clone()
	if err != nil {
		return err
	}
	body.CaseKeys = slices.DeleteFunc(body.CaseKeys, func(k CaseKey) bool { return k.Case == id })
	return v.rekey(body, unlocks)
}

// CaseKey returns the key of a case and makes it if there is none.
func (v *Vault) CaseKey(id [32]byte) (wire.Secret, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return wire.Secret{}, ErrClosed
	}
	if err := v.makeCaseKeys([]Row{{Case: id}}); err != nil {
		return wire.Secret{}, err
	}
	key, _ := v.body.caseKey(id)
	return key, nil
}

// Check reads vault and rows from the disk again and reports what is damaged.
// ErrDamaged says that the vault itself would not open any more.
func (v *Vault) Check() ([]Damage, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return nil, ErrClosed
	}
	f, err := readFile(v.dir)
	if err != nil {
		return nil, err
	}
	if _, err := openBody(v.mk, f.Box); err != nil {
		return nil, err
	}
	again := &rowLog{log: v.rows.log, key: v.rows.key, rows: map[string]map[string]value{}}
	var out []Damage
	state, err := v.rows.log.Each(func(b []byte) error {
		out = append(out, again.apply(b, &v.body, v.mk)...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("check rows: %w", err)
	}
	return append(stateDamage(state), out...), nil
}
