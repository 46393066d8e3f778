package mailbox

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/mailbox"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// hold counts a box that has a blob. Call with the store's mutex, or before it is shared.
func (s *Store) hold(id blob.ID, length int64) {
	if s.refs[id]++; s.refs[id] == 1 {
		s.length[id] = length
		s.study += length
	}
}

// release undoes hold, and deletes a blob that no box has.
func (s *Store) release(id blob.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs[id]--; s.refs[id] > 0 {
		return
	}
	s.study -= s.length[id]
	delete(s.refs, id)
	delete(s.length, id)
	_ = s.blobs.Remove(id) // what stays is swept at the next start
}

// Offer makes room for blobs in a box and says which of their leaves are there.
func (s *Store) Offer(to mailbox.BoxID, from identity.PeerID, list []mailbox.Blob) ([][]byte, error) {
	if s.limits.BoxStudyBytes < 0 {
		return nil, mailbox.ErrNoBlobs
	}
	b, err := s.get(to)
	if err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	s.expireBlobs(b)
	before := maps.Clone(b.blobs)
	if err := s.claim(b, nameOf(from), list); err != nil {
		s.unclaim(b, before)
		return nil, err
	}
	if len(b.blobs) != len(before) {
		if err := s.writeBlobs(b); err != nil {
			s.unclaim(b, before)
			return nil, err
		}
	}
	out := make([][]byte, 0, len(list))
	for _, x := range list {
		p, err := s.blobs.Partial(x.ID, x.Length)
		if err != nil {
			s.unclaim(b, before)
			return nil, fmt.Errorf("%w: %w", mailbox.ErrFailed, err)
		}
		out = append(out, p.Bitmap())
	}
	return out, nil
}

// claim adds blobs to a box within the quotas.
func (s *Store) claim(b *box, by [8]byte, list []mailbox.Blob) error {
	all, theirs := int64(0), int64(0)
	for _, r := range b.blobs {
		all += int64(r.Length)
		if r.By == by {
			theirs += int64(r.Length)
		}
	}
	for _, x := range list {
		if r, ok := b.blobs[x.ID]; ok && r.Length == x.Length {
			continue
		}
		n := int64(x.Length)
		all, theirs = all+n, theirs+n
		// One depositor leaves room for others, as with items.
		if all > s.limits.BoxStudyBytes || theirs > s.limits.BoxStudyBytes/2 || len(b.blobs) >= blobsMax {
			return mailbox.ErrFull
		}
		if err := s.claimOne(b, x); err != nil {
			return err
		}
		b.blobs[x.ID] = blobRow{ID: x.ID, Length: x.Length, AtMS: s.nowMS(), By: by}
	}
	return nil
}

func (s *Store) claimOne(b *box, x mailbox.Blob) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.length[x.ID]; ok && known != int64(x.Length) {
		// A BlobID is of one length: a leaf that verified proves it. Until then the last
		// one who says a length is believed, so that a false one bars nobody.
		if have, _ := s.blobs.Progress(x.ID); have > 0 || s.refs[x.ID] > 1 {
			return mailbox.ErrRefused
		}
		s.study += int64(x.Length) - known
		s.length[x.ID] = int64(x.Length)
		if _, mine := b.blobs[x.ID]; !mine {
			s.refs[x.ID]++
		}
		return s.blobs.Remove(x.ID)
	}
	if _, ok := s.refs[x.ID]; !ok && s.study+int64(x.Length) > s.limits.StudyBytes {
		return mailbox.ErrFull
	}
	s.hold(x.ID, int64(x.Length))
	return nil
}

// unclaim makes a box have what it had before.
func (s *Store) unclaim(b *box, before map[blob.ID]blobRow) {
	for id := range b.blobs {
		if _, was := before[id]; !was {
			s.release(id)
		}
	}
	b.blobs = before
}

func (s *Store) writeBlobs(b *box) error {
	rows := slices.SortedFunc(maps.Values(b.blobs), func(x, y blobRow) int { return slices.Compare(x.ID[:], y.ID[:]) })
	raw, err := wire.Marshal(rows)
	if err == nil {
		err = s.disk.Replace(filepath.Join(b.dir, blobsFile), raw)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", mailbox.ErrFailed, err)
	}
	return nil
}

// Write keeps a range that was verified.
func (s *Store) Write(x mailbox.Blob, first int, data []byte, leaves [][32]byte) error {
	p, err := s.blobs.Partial(x.ID, x.Length)
	if err == nil {
		err = p.Write(first, data, leaves)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", mailbox.ErrFailed, err)
	}
	return nil
}

// Finish makes what was written durable and says whether the blobs are whole.
func (s *Store) Finish(list []mailbox.Blob) error {
	if err := s.blobs.Flush(); err != nil {
		return fmt.Errorf("%w: %w", mailbox.ErrFailed, err)
	}
	for _, x := range list {
		if !s.blobs.Has(x.ID) {
			return mailbox.ErrIncomplete
		}
	}
	return nil
}

// Blobs lists the blobs of a box that are whole.
func (s *Store) Blobs(id mailbox.BoxID) ([]mailbox.Blob, error) {
	b, err := s.get(id)
	if err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	s.expireBlobs(b)
	var out []mailbox.Blob
	for _, r := range b.blobs {
		if s.blobs.Has(r.ID) {
			out = append(out, mailbox.Blob{ID: r.ID, Length: r.Length})
		}
	}
	slices.SortFunc(out, func(x, y mailbox.Blob) int { return slices.Compare(x.ID[:], y.ID[:]) })
	return out, nil
}

// Read gives a range of a blob that the box has.
func (s *Store) Read(id mailbox.BoxID, w mailbox.Want, buf []byte) (data []byte, proof [][32]byte, err error) {
	b, err := s.get(id)
	if err != nil {
		return nil, nil, err
	}
	r, ok := b.blobs[w.Blob.ID]
	b.mu.Unlock()
	if !ok || r.Length != w.Blob.Length || w.First < 0 || w.N < 1 || w.First+w.N > blob.LeafCount(r.Length) {
		return nil, nil, mailbox.ErrAbsent
	}
	f, err := s.blobs.Open(w.Blob.ID)
	if err != nil {
		return nil, nil, errors.Join(mailbox.ErrAbsent, err)
	}
	defer func() { _ = f.Close() }()
	return f.ReadRange(w.First, w.N, buf)
}

// Forget takes blobs out of a box.
func (s *Store) Forget(id mailbox.BoxID, ids []blob.ID) error {
	b, err := s.get(id)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	return s.forget(b, ids)
}

func (s *Store) forget(b *box, ids []blob.ID) error {
	changed := false
	for _, id := range ids {
		if _, ok := b.blobs[id]; ok {
			delete(b.blobs, id)
			s.release(id)
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return s.writeBlobs(b)
}

// expireBlobs drops blobs that have waited too long, for their owner or for the rest of
// them. Call with the box's mutex.
func (s *Store) expireBlobs(b *box) {
	now := s.nowMS()
	var old []blob.ID
	for id, r := range b.blobs {
		age := now - r.AtMS
		if age > mailbox.ItemAge.Milliseconds() || age > partialAge.Milliseconds() && !s.blobs.Has(id) {
			old = append(old, id)
		}
	}
	_ = s.forget(b, old) // what could not be written is dropped again after the next start
}
