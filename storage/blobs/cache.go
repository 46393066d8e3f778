package blobs

import (
	"slices"
	"sync"

	"github.com/curbside-p2p/curbside/protocol/blob"
)

// leafCache keeps the checked leaf hashes of blobs that were served lately: a
// large blob is served in many ranges, each by a File of its own, and checking
// the hashes of all its leaves each time would cost more than sending them. What
// is cached is the truth for ever, since a blob's name fixes its leaves.
type leafCache struct {
	mu    sync.Mutex // guards what follows
	kept  map[blob.ID][][32]byte
	order []blob.ID // oldest first
	total int       // leaves
}

func (c *leafCache) get(id blob.ID) ([][32]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	leaves, ok := c.kept[id]
	return leaves, ok
}

func (c *leafCache) put(id blob.ID, leaves [][32]byte) {
	if len(leaves) > leavesCached {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.kept[id]; ok {
		return
	}
	if c.kept == nil {
		c.kept = map[blob.ID][][32]byte{}
	}
	c.kept[id] = leaves
	c.order = append(c.order, id)
	for c.total += len(leaves); c.total > leavesCached; {
		old := c.order[0]
		c.total -= len(c.kept[old])
		delete(c.kept, old)
		c.order = slices.Delete(c.order, 0, 1)
	}
}
