package desk

import (
	"encoding/hex"
	"slices"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// holdingKey names a study: its lineage, and whose it is, so that nobody can put their study in
// the place of another's by repeating its lineage.
type holdingKey struct {
	lineage [16]byte
	owner   identity.PersonID
}

// holding is one study that is held here: imported, or granted by a case.
type holding struct {
	key        holdingKey
	row        *studyRow // what only the owner has; nil for what others granted
	manifest   *study.Manifest
	manifestID blob.ID                    // of the newest granted version; zero for an own study that was never shared
	opened     map[blob.ID]bool           // manifests that were read
	threads    map[ledger.ThreadID]uint64 // cases it was granted to, with the newest version there
	missing    map[blob.ID][]*instance    // blobs that are not here yet
	places     map[string]*instance       // by SOP Instance UID
	absent     int                        // instances of which a blob is missing
}

// instance is the place of one instance in its study.
type instance struct {
	series, index int
	missing       int // blobs
}

func (h *holding) id() string { return hex.EncodeToString(h.key.lineage[:]) }

func (h *holding) listed() int { return int(h.manifest.Complete.Listed) }

func (h *holding) present() int { return h.listed() - h.absent }

func (h *holding) at(p *instance) *study.ManifestInstance {
	return &h.manifest.Series[p.series].Instances[p.index]
}

// set makes m the study's manifest and finds out what of it is here.
func (h *holding) set(m *study.Manifest, has func(blob.ID) bool) {
	h.manifest = m
	h.missing, h.places, h.absent = map[blob.ID][]*instance{}, map[string]*instance{}, 0
	for s := range m.Series {
		for i := range m.Series[s].Instances {
			row := &m.Series[s].Instances[i]
			p := &instance{series: s, index: i}
			h.places[row.UID] = p
			for _, id := range blobsOf(row) {
				if !has(id) {
					h.missing[id] = append(h.missing[id], p)
					p.missing++
				}
			}
			if p.missing > 0 {
				h.absent++
			}
		}
	}
}

func blobsOf(row *study.ManifestInstance) []blob.ID {
	ids := []blob.ID{row.Head.Ref.ID}
	if row.Bulk.Ref != nil {
		ids = append(ids, row.Bulk.Ref.ID)
	}
	return ids
}

func (h *holding) here(id blob.ID) bool {
	places, ok := h.missing[id]
	if !ok {
		return false
	}
	delete(h.missing, id)
	for _, p := range places {
		if p.missing--; p.missing == 0 {
			h.absent--
		}
	}
	return true
}

// bitmap says which blobs are here: bit 0 the preview, 1+2i the head and 2+2i the bulk of
// instance i, most significant bit first (FORMATS §8).
func (h *holding) bitmap(has func(blob.ID) bool) []byte {
	bits := make([]byte, (1+2*h.listed()+7)/8)
	set := func(i int) { bits[i/8] |= 0x80 >> (i % 8) }
	if h.manifest.Preview != nil && has(h.manifest.Preview.ID) {
		set(0)
	}
	i := 0
	for _, s := range h.manifest.Series {
		for n := range s.Instances {
			for k, id := range blobsOf(&s.Instances[n]) {
				if _, gone := h.missing[id]; !gone {
					set(1 + 2*i + k)
				}
			}
			i++
		}
	}
	return bits
}

// catalogue is every study held here.
type catalogue struct {
	held  map[holdingKey]*holding
	wants map[blob.ID][]*holding
	own   map[blob.ID]identity.PersonID // who of this node imported a blob
}

func newCatalogue() *catalogue {
	return &catalogue{held: map[holdingKey]*holding{}, wants: map[blob.ID][]*holding{}, own: map[blob.ID]identity.PersonID{}}
}

// receive takes a granted manifest; the highest version is what the study shows.
func (c *catalogue) receive(key holdingKey, m *study.Manifest, id blob.ID, t ledger.ThreadID, has func(blob.ID) bool) *holding {
	h := c.held[key]
	if h == nil {
		h = newHolding(key)
		c.held[key] = h
	}
	h.opened[id] = true
	h.threads[t] = max(h.threads[t], m.Version)
	newest := h.manifest == nil || (h.row == nil && m.Version > h.manifest.Version)
	if newest || h.manifestID == (blob.ID{}) {
		h.manifestID = id
	}
	if newest {
		c.put(h, m, has)
	}
	return h
}

func newHolding(key holdingKey) *holding {
	return &holding{key: key, opened: map[blob.ID]bool{}, threads: map[ledger.ThreadID]uint64{}}
}

// put makes m the manifest of h and keeps the map of missing blobs.
func (c *catalogue) put(h *holding, m *study.Manifest, has func(blob.ID) bool) {
	c.forget(h)
	c.held[h.key] = h
	h.set(m, has)
	if h.row != nil {
		for s := range m.Series {
			for i := range m.Series[s].Instances {
				for _, id := range blobsOf(&m.Series[s].Instances[i]) {
					c.own[id] = h.key.owner
				}
			}
		}
	}
	for id := range h.missing {
		c.wants[id] = append(c.wants[id], h)
	}
}

func (c *catalogue) forget(h *holding) {
	drop := func(hs []*holding) []*holding {
		return slices.DeleteFunc(hs, func(o *holding) bool { return o == h })
	}
	for id := range h.missing {
		if c.wants[id] = drop(c.wants[id]); len(c.wants[id]) == 0 {
			delete(c.wants, id)
		}
	}
	delete(c.held, h.key)
}

// blobHere notes that a blob has arrived and returns the studies it was missing in.
func (c *catalogue) blobHere(id blob.ID) []*holding {
	hs := c.wants[id]
	delete(c.wants, id)
	for _, h := range hs {
		h.here(id)
	}
	return hs
}
