package desk

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/curbside-p2p/curbside/storage/index"
)

// tableSOP finds studies by SOP Instance UID: key uid NUL lineage owner, no value.
const tableSOP = "sop"

// openIndex opens the index under the first person's index key. Without a person there is nothing
// to index yet.
func (d *Desk) openIndex() error {
	if len(d.persons) == 0 || d.index != nil {
		return nil
	}
	ix, err := index.Open(d.dir.Index(), d.persons[0].vault.Body().IndexKey)
	if err != nil {
		return fmt.Errorf("open index: %w", err)
	}
	d.index = ix
	return nil
}

func sopKey(uid string, k holdingKey) string {
	return uid + "\x00" + string(k.lineage[:]) + string(k.owner[:])
}

// indexStudy makes a study's instances findable. The index is a cache: if it fails it is made
// again from the studies.
func (d *Desk) indexStudy(h *holding) {
	rows := make([]index.Row, 0, len(h.places))
	for uid := range h.places {
		rows = append(rows, index.Row{Table: tableSOP, Key: sopKey(uid, h.key)})
	}
	if err := d.index.Batch(rows); err != nil {
		d.rebuildIndex(err)
	}
}

// rebuildIndex fills an index that found itself damaged.
func (d *Desk) rebuildIndex(cause error) {
	if cause != nil {
		d.log.Warn("index is made again", slog.Any("cause", cause))
	}
	for _, h := range d.studies.held {
		rows := make([]index.Row, 0, len(h.places))
		for uid := range h.places {
			rows = append(rows, index.Row{Table: tableSOP, Key: sopKey(uid, h.key)})
		}
		if err := d.index.Batch(rows); err != nil {
			d.log.Error("index cannot be made", slog.Any("error", err))
			return
		}
	}
}

// holders finds the studies that hold an instance. What the index says is checked against the
// studies, and where it cannot say anything the studies are asked one by one.
func (d *Desk) holders(uid string) []*holding {
	var out []*holding
	err := d.index.Each(tableSOP, uid+"\x00", func(key string, _ []byte) error {
		rest := strings.TrimPrefix(key, uid+"\x00")
		var k holdingKey
		if len(rest) != len(k.lineage)+len(k.owner) {
			return nil
		}
		copy(k.lineage[:], rest)
		copy(k.owner[:], rest[len(k.lineage):])
		if h := d.studies.held[k]; h != nil && h.places[uid] != nil {
			out = append(out, h)
		}
		return nil
	})
	if err == nil {
		return out
	}
	if errors.Is(err, index.ErrRebuild) {
		d.rebuildIndex(err)
	}
	out = nil
	for _, h := range d.studies.held {
		if h.places[uid] != nil {
			out = append(out, h)
		}
	}
	return out
}
