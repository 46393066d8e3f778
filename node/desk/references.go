package desk

import (
	"errors"
	"slices"

	"github.com/curbside-p2p/curbside/consult/object"
)

// errReference says that an object names an instance that the archive cannot know: a pseudonym that
// was not put back, or an image of somebody else.
var errReference = errors.New("it refers to an instance that is not of a study taken in here")

// references checks every instance that an object names, wherever it does so: it is one of a study of
// this person's own, or was made here and filed before.
func (f *filing) references(b []byte) error {
	if f.known == nil {
		return nil
	}
	o, err := object.Read(b)
	if err != nil {
		return err
	}
	if !f.knows(o.Set) {
		return errReference
	}
	return nil
}

func (f *filing) knows(s object.Set) bool {
	if uid := s.UID(0x00081155); uid != "" && !f.known(uid) && !slices.ContainsFunc(f.book.Objects, func(x filedObject) bool { return x.SOPUID == uid }) {
		return false
	}
	for i := range s {
		for _, item := range s[i].Items {
			if !f.knows(item) {
				return false
			}
		}
	}
	return true
}

// holds reports whether a person took an instance in. It takes the lock.
func (d *Desk) holds(p *person, uid string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.holders(uid), func(h *holding) bool { return h.row != nil && h.key.owner == p.id })
}
