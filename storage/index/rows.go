package index

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// rowName is how a row is named in the database.
func rowName(table, key string) []byte { return []byte(table + "\x00" + key) }

// sealValue boxes a value to its row: badger's own encryption would not notice a
// flipped bit, nor the value of another row.
func (ix *Index) sealValue(name, value []byte) []byte {
	return wire.GCMSeal(wire.KDF32(ix.key, "index/row", name), name, value)
}

func (ix *Index) openValue(name, box []byte) ([]byte, error) {
	return wire.GCMOpen(wire.KDF32(ix.key, "index/row", name), name, box)
}

func (r Row) check() error {
	if r.Table == "" || strings.IndexByte(r.Table, 0) >= 0 {
		return errors.New("table name is empty or holds a NUL byte")
	}
	if len(r.Table)+len(r.Key) > nameMax || len(r.Value) > ValueMax {
		return fmt.Errorf("index row: %w", ErrTooLong)
	}
	return nil
}

// Put sets a row.
func (ix *Index) Put(table, key string, value []byte) error {
	return ix.Batch([]Row{{Table: table, Key: key, Value: value}})
}

// Delete drops a row; one that is not there is no error.
func (ix *Index) Delete(table, key string) error {
	return ix.Batch([]Row{{Table: table, Key: key, Delete: true}})
}

// Batch does many changes. They are not durable before Close, for the index can
// be made again.
func (ix *Index) Batch(rows []Row) error {
	for _, r := range rows {
		if err := r.check(); err != nil {
			return err
		}
	}
	return ix.do(func(db *badger.DB) error {
		w := db.NewWriteBatch()
		defer w.Cancel()
		for _, r := range rows {
			name := rowName(r.Table, r.Key)
			var err error
			if r.Delete {
				err = w.Delete(name)
			} else {
				err = w.Set(name, ix.sealValue(name, r.Value))
			}
			if err != nil {
				return err
			}
		}
		return w.Flush()
	})
}

// Get returns the value of a row and whether there is one.
func (ix *Index) Get(table, key string) (value []byte, ok bool, err error) {
	name := rowName(table, key)
	err = ix.do(func(db *badger.DB) error {
		return db.View(func(tx *badger.Txn) error {
			item, err := tx.Get(name)
			if err != nil {
				return err
			}
			value, err = ix.read(item, name)
			return err
		})
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, false, nil
	}
	return value, err == nil, err
}

func (ix *Index) read(item *badger.Item, name []byte) (value []byte, err error) {
	err = item.Value(func(box []byte) error {
		value, err = ix.openValue(name, box)
		return err
	})
	return value, err
}

// Each calls f for every row of a table whose key has the prefix, in order of
// keys, as they were when it was called: f may change rows.
func (ix *Index) Each(table, prefix string, f func(key string, value []byte) error) error {
	type row struct {
		key   string
		value []byte
	}
	var rows []row
	err := ix.do(func(db *badger.DB) error {
		rows = nil
		opt := badger.DefaultIteratorOptions
		opt.Prefix = rowName(table, prefix)
		opt.PrefetchSize = 16
		return db.View(func(tx *badger.Txn) error {
			it := tx.NewIterator(opt)
			defer it.Close()
			for it.Rewind(); it.Valid(); it.Next() {
				name := it.Item().KeyCopy(nil)
				value, err := ix.read(it.Item(), name)
				if err != nil {
					return err
				}
				rows = append(rows, row{key: string(name[len(table)+1:]), value: value})
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := f(r.key, r.value); err != nil {
			return err
		}
	}
	return nil
}

// Check reads every row. If one is damaged the index is wiped: ErrRebuild.
func (ix *Index) Check() (rows int, err error) {
	err = ix.do(func(db *badger.DB) error {
		rows = 0
		return db.View(func(tx *badger.Txn) error {
			it := tx.NewIterator(badger.DefaultIteratorOptions)
			defer it.Close()
			for it.Rewind(); it.Valid(); it.Next() {
				if _, err := ix.read(it.Item(), it.Item().KeyCopy(nil)); err != nil {
					return err
				}
				rows++
			}
			return nil
		})
	})
	return rows, err
}
