package study

import "github.com/curbside-p2p/curbside/protocol/blob"

// Extend returns the next version of m: version + 1, pointing at previous (the
// blob of m), listing all that m listed plus the rows of next. Rows that m
// lists keep their place; series and instances that it does not come after.
// Completeness, preview, de-identification and time are next's. One uid with
// two different rows is ErrManifestRowChanged: a conflict to show, not to
// decide here. The flags of an old row may change.
func (m *Manifest) Extend(previous blob.ID, next *Manifest) (*Manifest, error) {
	if next.Mode != m.Mode || next.Study.UID != m.Study.UID {
		return nil, ErrManifestNotNext
	}
	out := *next
	out.Lineage, out.Version, out.Previous = m.Lineage, m.Version+1, &previous
	out.Series = nil
	added := map[string]*ManifestSeries{}
	for i := range next.Series {
		added[next.Series[i].UID] = &next.Series[i]
	}
	for i := range m.Series {
		merged, err := m.Series[i].merge(added[m.Series[i].UID])
		if err != nil {
			return nil, err
		}
		delete(added, m.Series[i].UID)
		out.Series = append(out.Series, merged)
	}
	for i := range next.Series {
		if s := added[next.Series[i].UID]; s != nil {
			out.Series = append(out.Series, *s)
		}
	}
	out.recount()
	return &out, out.Check()
}

// merge lists the rows of s, then those of o that s does not list.
func (s *ManifestSeries) merge(o *ManifestSeries) (ManifestSeries, error) {
	out := *s
	out.Instances = append([]ManifestInstance(nil), s.Instances...)
	if o == nil {
		return out, nil
	}
	out.Complete = o.Complete
	at := map[string]int{}
	for i := range out.Instances {
		at[out.Instances[i].UID] = i
	}
	for _, row := range o.Instances {
		i, known := at[row.UID]
		switch {
		case !known:
			out.Instances = append(out.Instances, row)
		case !sameRow(out.Instances[i], row):
			return out, ErrManifestRowChanged
		default:
			out.Instances[i].Flags |= row.Flags
		}
	}
	return out, nil
}

// recount makes the listed counts true; a count that no longer matches its
// expectation is not complete.
func (m *Manifest) recount() {
	var total uint64
	for i := range m.Series {
		s := &m.Series[i]
		s.Complete.recount(uint64(len(s.Instances)))
		total += s.Complete.Listed
	}
	m.Complete.recount(total)
}

func (c *Complete) recount(n uint64) {
	c.Listed = n
	if c.State == StateComplete && c.Expected != n {
		c.State = StateOpen
	}
}

// sameRow compares rows but for their flags.
func sameRow(a, b ManifestInstance) bool {
	if (a.Bulk.Ref == nil) != (b.Bulk.Ref == nil) || a.Bulk.Ref != nil && *a.Bulk.Ref != *b.Bulk.Ref {
		return false
	}
	a.Bulk, b.Bulk = BulkRef{}, BulkRef{}
	a.Flags, b.Flags = 0, 0
	return a == b
}

// CheckNext reports whether next may follow m: the same lineage and study, the
// next version, naming m's blob, and every row of m is there, unchanged but for
// its flags.
func (m *Manifest) CheckNext(previous blob.ID, next *Manifest) error {
	if next.Lineage != m.Lineage || next.Version != m.Version+1 || next.Mode != m.Mode || next.Study.UID != m.Study.UID {
		return ErrManifestNotNext
	}
	if next.Previous == nil || *next.Previous != previous {
		return ErrManifestPrevious
	}
	rows := map[string]ManifestInstance{}
	for _, s := range next.Series {
		for _, row := range s.Instances {
			rows[s.UID+"/"+row.UID] = row
		}
	}
	for _, s := range m.Series {
		for _, row := range s.Instances {
			got, ok := rows[s.UID+"/"+row.UID]
			if !ok {
				return ErrManifestRowDropped
			}
			if !sameRow(row, got) {
				return ErrManifestRowChanged
			}
		}
	}
	return nil
}
