package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/durable"
)

// Row is one change of a row.
type Row struct {
	// Table has no NUL byte. Key may be any bytes.
	Table, Key string
	// Value is what the row holds from now on; nil or empty is a value too.
	Value []byte
	// Case, if not zero, seals the row under that case's key, which is made if
	// need be. Shred drops it with the case.
	Case [32]byte
	// Delete drops the row instead.
	Delete bool
}

// rowLog is the open log and what it says. Its owner guards it.
type rowLog struct {
	log  *durable.Log
	key  wire.Secret // of frames
	next uint64      // number of the next frame
	rows map[string]map[string]value
	live int64 // bytes on disk of rows that count, about
}

// value is a row in memory.
type value struct {
	bytes []byte
	id    [32]byte // its case
	cost  int64    // bytes on disk, about
}

// record is a row in a frame.
type record struct {
	_     struct{} `cbor:",toarray"`
	Table []byte
	Key   []byte
	Case  []byte
	Box   []byte
}

func rowSpec() durable.LogSpec {
	return durable.LogSpec{Magic: "curbside/rows/1\n", FrameMax: batchMax}
}

func frameKey(mk wire.Secret) wire.Secret { return wire.KDF32(mk, "vault/rows", nil) }

func frameAAD(salt []byte, n uint64) []byte {
	b := append([]byte(wire.Prefix+"rows\x00"), salt...)
	return binary.BigEndian.AppendUint64(b, n)
}

func rowName(table, key string) []byte { return []byte(table + "\x00" + key) }

func createRows(disk *durable.Disk, path string, mk wire.Secret) (*rowLog, error) {
	l, err := disk.CreateLog(path, rowSpec())
	if err != nil {
		return nil, err
	}
	return &rowLog{log: l, key: frameKey(mk), rows: map[string]map[string]value{}}, nil
}

// sealFrame boxes a batch as frame n of the log with this salt.
func sealFrame(key wire.Secret, salt []byte, n uint64, batch []record) ([]byte, error) {
	p, err := wire.Marshal(batch)
	if err != nil {
		return nil, fmt.Errorf("encode rows: %w", err)
	}
	frame := binary.BigEndian.AppendUint64(nil, n)
	return append(frame, wire.GCMSeal(key, frameAAD(salt, n), p)...), nil
}

// errRow says that a frame does not open or does not hold rows.
var errRow = errors.New("rows do not open")

func openFrame(key wire.Secret, salt, frame []byte) (n uint64, batch []record, err error) {
	if len(frame) < 8 {
		return 0, nil, errRow
	}
	n = binary.BigEndian.Uint64(frame)
	p, err := wire.GCMOpen(key, frameAAD(salt, n), frame[8:])
	if err != nil {
		return n, nil, errRow
	}
	batch, err = decodeBatch(p)
	return n, batch, err
}

func decodeBatch(p []byte) ([]record, error) {
	var batch []record
	if err := wire.UnmarshalLimit(p, &batch, arrayMax); err != nil {
		return nil, errRow
	}
	for _, r := range batch {
		if len(r.Case) != 0 && len(r.Case) != 32 || bytes.IndexByte(r.Table, 0) >= 0 {
			return nil, errRow
		}
	}
	return batch, nil
}

func (l *rowLog) set(table, key string, v value) {
	l.drop(table, key)
	if l.rows[table] == nil {
		l.rows[table] = map[string]value{}
	}
	l.rows[table][key] = v
	l.live += v.cost
}

func (l *rowLog) drop(table, key string) {
	if old, ok := l.rows[table][key]; ok {
		l.live -= old.cost
		clear(old.bytes)
		delete(l.rows[table], key)
	}
}

func (l *rowLog) close() error {
	for _, rows := range l.rows {
		for _, v := range rows {
			clear(v.bytes)
		}
	}
	l.rows, l.key = nil, wire.Secret{}
	return l.log.Close()
}

// Damage is something that reading the rows found.
type Damage struct {
	What Fault
	Rows int // lost, as far as can be told
}

// Fault is a kind of damage.
type Fault uint8

// What can be wrong with rows.
const (
	Torn     Fault = 1 // a half-written batch at the end; it was never acknowledged
	Rot      Fault = 2 // a batch that was acknowledged cannot be read
	Missing  Fault = 3 // the log was not there
	Other    Fault = 4 // the log is not the one this vault was last used with: an old copy?
	Unsealed Fault = 5 // a row does not open: altered
	BadHead  Fault = 6 // one of two heads of the log was damaged; repaired
	Order    Fault = 7 // batches were removed or reordered
)

// String says it in words.
func (f Fault) String() string {
	if f < Torn || f > Order {
		return "unknown damage"
	}
	return [...]string{
		"torn end", "rows damaged", "rows are missing", "rows are not those of this vault", "row was altered",
		"head of the rows damaged", "rows were removed or reordered",
	}[f-1]
}

// Damage tells what Open found. It is empty for a healthy vault.
func (v *Vault) Damage() []Damage {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Clone(v.damage)
}

// nextRows is a log being written anew until the vault names it.
const nextRows = "rows.next"

// openRows reads the log with the given salt. A crash may have left it under the
// name it had while it was written.
func (v *Vault) openRows(salt []byte) error {
	v.damage = nil
	err := v.loadRows(nextRows)
	if err == nil && bytes.Equal(v.rows.log.Salt(), salt) {
		if err := v.rows.log.Rename(v.path("rows")); err != nil {
			return err
		}
		return v.disk.SyncDir(v.dir)
	}
	if v.rows != nil {
		_ = v.rows.close()
		v.rows, v.damage = nil, nil
	}
	_ = os.Remove(v.path(nextRows)) // never came to count
	err = v.loadRows("rows")
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, durable.ErrNotLog):
		return v.freshRows(err)
	case err != nil:
		return err
	case !bytes.Equal(v.rows.log.Salt(), salt):
		v.damage = append(v.damage, Damage{What: Other})
	}
	return nil
}

// freshRows goes on without the rows: keys and statements are worth having even
// so. What is left of the log stays beside the new one.
func (v *Vault) freshRows(cause error) error {
	if errors.Is(cause, durable.ErrNotLog) {
		if err := os.Rename(v.path("rows"), v.path("rows.damaged")); err != nil {
			return err
		}
	}
	var err error
	if v.rows, err = createRows(v.disk, v.path("rows"), v.mk); err != nil {
		return err
	}
	v.damage = append(v.damage, Damage{What: Missing})
	return v.replace(v.body, v.rows.log.Salt())
}

// loadRows opens a log and fills the rows in memory.
func (v *Vault) loadRows(name string) error {
	var frames [][]byte
	log, state, err := v.disk.OpenLog(v.path(name), rowSpec(), func(b []byte) error {
		frames = append(frames, bytes.Clone(b))
		return nil
	})
	if err != nil {
		return err
	}
	v.rows = &rowLog{log: log, key: frameKey(v.mk), rows: map[string]map[string]value{}}
	v.damage = append(v.damage, stateDamage(state)...)
	for _, frame := range frames {
		v.damage = append(v.damage, v.rows.apply(frame, &v.body, v.mk)...)
	}
	return nil
}

func stateDamage(s durable.LogState) []Damage {
	var out []Damage
	if s.BadHead {
		out = append(out, Damage{What: BadHead})
	}
	for range s.Lost {
		out = append(out, Damage{What: Rot})
	}
	if s.Torn.Len > 0 {
		out = append(out, Damage{What: Torn})
	}
	return out
}

// apply opens one frame and does what it says.
func (l *rowLog) apply(frame []byte, body *Body, mk wire.Secret) []Damage {
	n, batch, err := openFrame(l.key, l.log.Salt(), frame)
	if err != nil {
		return []Damage{{What: Unsealed, Rows: 1}}
	}
	var out []Damage
	if n != l.next {
		out = append(out, Damage{What: Order})
	}
	l.next = max(l.next, n+1)
	for _, r := range batch {
		if err := l.applyRow(r, body, mk); err != nil {
			out = append(out, Damage{What: Unsealed, Rows: 1})
		}
	}
	return out
}

func (l *rowLog) applyRow(r record, body *Body, mk wire.Secret) error {
	table, key := string(r.Table), string(r.Key)
	if len(r.Box) == 0 {
		l.drop(table, key)
		return nil
	}
	v := value{cost: r.cost()}
	rowKey := mk
	if len(r.Case) > 0 {
		v.id = [32]byte(r.Case)
		var ok bool
		if rowKey, ok = body.caseKey(v.id); !ok {
			l.drop(table, key) // shredded with its case
			return nil
		}
	}
	name := rowName(table, key)
	var err error
	if v.bytes, err = wire.GCMOpen(wire.KDF32(rowKey, "row", name), name, r.Box); err != nil {
		return errRow
	}
	l.set(table, key, v)
	return nil
}

func (r record) cost() int64 { return int64(len(r.Table)+len(r.Key)+len(r.Case)+len(r.Box)) + 16 }

// seal makes the record of a row.
func (r Row) seal(body *Body, mk wire.Secret) (record, error) {
	rec := record{Table: []byte(r.Table), Key: []byte(r.Key)}
	if r.Delete {
		return rec, nil
	}
	rowKey := mk
	if r.Case != ([32]byte{}) {
		rec.Case = r.Case[:]
		var ok bool
		if rowKey, ok = body.caseKey(r.Case); !ok {
			return record{}, errRow
		}
	}
	name := rowName(r.Table, r.Key)
	rec.Box = wire.GCMSeal(wire.KDF32(rowKey, "row", name), name, r.Value)
	return rec, nil
}

func (r Row) check() error {
	if r.Table == "" || strings.IndexByte(r.Table, 0) >= 0 {
		return errors.New("table name is empty or holds a NUL byte")
	}
	if len(r.Table) > nameMax || len(r.Key) > nameMax || len(r.Value) > ValueMax {
		return fmt.Errorf("row: %w", ErrTooLong)
	}
	return nil
}
