package desk

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/directory"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/vault"
)

const (
	tableAttest  = "attest"  // issuer || subject || serial -> attestation
	tableRevList = "revlist" // issuer -> issuerRow
)

const (
	// attestsMax bounds the attestations kept of one person, so that nobody fills a vault.
	attestsMax = 16
	// issuersMax bounds the issuers whose keys are kept.
	issuersMax = 1024
)

// vouches are the attestations known here. Desk.mu guards them.
type vouches struct {
	of      map[identity.PersonID][]*vouch // by subject
	issuers map[identity.PersonID]*issuer
	sum     uint64 // of what counted when it was looked at last
}

// vouch is one attestation that verified.
type vouch struct {
	*identity.Attest
	bytes []byte
}

// issuer is who signed one, with their newest list.
type issuer struct {
	person  identity.Person
	list    *identity.RevList
	listRaw []byte
}

// issuerRow is an issuer as a vault keeps them.
type issuerRow struct {
	Person  []byte `cbor:"1,keyasint"`
	RevList []byte `cbor:"2,keyasint,omitempty"`
}

func newVouches() vouches {
	return vouches{of: map[identity.PersonID][]*vouch{}, issuers: map[identity.PersonID]*issuer{}}
}

// loadVouches reads what a person's vault keeps; everything is verified again.
func (d *Desk) loadVouches(p *person) error {
	var records []identity.Record
	take := func(_ string, value []byte) error {
		if r, err := identity.ParseRecord(value); err == nil {
			records = append(records, r)
		}
		return nil
	}
	err := p.vault.Each(tableRevList, func(_ string, value []byte) error {
		var row issuerRow
		if wire.Unmarshal(value, &row) != nil {
			return nil //nolint:nilerr // a damaged row is passed over, the others count
		}
		_ = take("", row.Person)
		if row.RevList != nil {
			_ = take("", row.RevList)
		}
		return nil
	})
	if err != nil {
		return internal("read issuers", err)
	}
	if err := p.vault.Each(tableAttest, take); err != nil {
		return internal("read attestations", err)
	}
	d.takeVouches(records, func(identity.PersonID) bool { return true })
	return nil
}

// takeVouches keeps the attestations and lists among records that verify, and tells which issuers
// and subjects have something new.
func (d *Desk) takeVouches(records []identity.Record, concerns func(subject identity.PersonID) bool) (changed bool) {
	persons := map[identity.PersonID]identity.Person{}
	for _, r := range records {
		if r.Person != nil {
			persons[r.Person.ID()] = *r.Person
		}
	}
	for _, r := range records {
		if r.Attest != nil && concerns(r.Attest.Subject) {
			changed = d.takeAttest(r, persons) || changed
		}
	}
	for _, r := range records {
		if r.RevList != nil {
			changed = d.takeRevList(r, persons) || changed
		}
	}
	return changed
}

func (d *Desk) takeAttest(r identity.Record, persons map[identity.PersonID]identity.Person) bool {
	id := r.Attest.Subject
	if slices.ContainsFunc(d.vouches.of[id], func(v *vouch) bool { return bytes.Equal(v.bytes, r.Bytes) }) {
		return false
	}
	is := d.issuer(r.Attest.Issuer, persons)
	if is == nil {
		return false
	}
	a, err := identity.VerifyAttest(is.person, r.Bytes)
	if err != nil {
		return false
	}
	d.vouches.issuers[a.Issuer] = is
	list := append(d.vouches.of[id], &vouch{Attest: a, bytes: slices.Clone(r.Bytes)})
	if len(list) > attestsMax {
		// Of what does not count here the oldest goes first.
		slices.SortFunc(list, func(a, b *vouch) int {
			return cmp.Or(-boolCompare(d.counts(nil, a), d.counts(nil, b)), cmp.Compare(b.IssuedMS, a.IssuedMS))
		})
		list = list[:attestsMax]
	}
	d.vouches.of[id] = list
	return true
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// takeRevList keeps the newest list of an issuer who has vouched for somebody known here, or whose
// word counts.
func (d *Desk) takeRevList(r identity.Record, persons map[identity.PersonID]identity.Person) bool {
	is := d.vouches.issuers[r.RevList.Issuer]
	if is == nil {
		is = d.issuer(r.RevList.Issuer, persons)
		if is == nil || !d.pinnedByAny(r.RevList.Issuer) {
			return false
		}
	}
	if is.list != nil && r.RevList.Number <= is.list.Number {
		if r.RevList.Number == is.list.Number && !bytes.Equal(is.listRaw, r.Bytes) {
			d.log.Warn("an issuer has signed two revocation lists with one number", slog.String("person", r.RevList.Issuer.String()))
		}
		return false
	}
	l, err := identity.VerifyRevList(is.person, r.Bytes)
	if err != nil {
		return false
	}
	is.list, is.listRaw = l, slices.Clone(r.Bytes)
	d.vouches.issuers[l.Issuer] = is
	return true
}

// issuer finds the keys of an issuer: known already, a person here, a contact, or sent along.
func (d *Desk) issuer(id identity.PersonID, persons map[identity.PersonID]identity.Person) *issuer {
	if is := d.vouches.issuers[id]; is != nil {
		return is
	}
	if len(d.vouches.issuers) >= issuersMax && !d.pinnedByAny(id) {
		return nil
	}
	if p := d.personOf(id); p != nil {
		return &issuer{person: p.profile.Person}
	}
	if prof := d.profiles[id]; prof != nil {
		return &issuer{person: prof.Person}
	}
	if person, ok := persons[id]; ok {
		return &issuer{person: person}
	}
	return nil
}

// saveVouches keeps what concerns a subject in the vaults of those who know them.
func (d *Desk) saveVouches() error {
	for _, p := range d.persons {
		var rows []vault.Row
		issuers := map[identity.PersonID]bool{}
		for subject, list := range d.vouches.of {
			if _, ok := d.contact(p, subject); !ok && subject != p.id && !d.fellow(p.id, subject) {
				continue
			}
			for _, v := range list {
				issuers[v.Issuer] = true
				rows = d.changedRow(rows, p, tableAttest, attestKey(v.Attest), v.bytes)
			}
		}
		for id, is := range d.vouches.issuers {
			if issuers[id] || id == p.id || d.pinned(p, id) {
				row := wire.MustMarshal(issuerRow{Person: is.person.Encode(), RevList: is.listRaw})
				rows = d.changedRow(rows, p, tableRevList, string(id[:]), row)
			}
		}
		if len(rows) == 0 {
			continue
		}
		if err := p.vault.Batch(rows); err != nil {
			return internal("keep attestations", err)
		}
	}
	return nil
}

func (d *Desk) changedRow(rows []vault.Row, p *person, table, key string, value []byte) []vault.Row {
	if old, ok := p.vault.Get(table, key); ok && bytes.Equal(old, value) {
		return rows
	}
	return append(rows, vault.Row{Table: table, Key: key, Value: value})
}

func attestKey(a *identity.Attest) string {
	return string(a.Issuer[:]) + string(a.Subject[:]) + string(binary.BigEndian.AppendUint64(nil, a.Serial))
}

// reattested does what new attestations ask for: they are kept, cases are folded again with the roles
// they bring, peers and interfaces are told.
func (d *Desk) reattested() {
	if err := d.saveVouches(); err != nil {
		d.log.Warn("attestations were not kept", slog.Any("error", err))
	}
	d.reroled()
	d.refreshListings() // they carry what is attested of their authors
	d.tell(func(n Network) { n.Renew() })
	d.publish(control.Event{Event: "contact"})
}

// reroled folds every case again: what attestations limit has changed.
func (d *Desk) reroled() {
	for _, t := range d.threads {
		t.changed()
	}
	d.unstrange()
}

// pinned says whether a person here lets an issuer's word count: a clinic they verified, unless
// they said no, whomever they pinned and verified, themselves, and a clinic of this node.
func (d *Desk) pinned(p *person, id identity.PersonID) bool {
	if o := d.personOf(id); o != nil {
		return o == p || o.self.Kind == identity.RoleClinic
	}
	row, ok := d.contact(p, id)
	if !ok || row.Trust != trustVerified || row.Unpinned {
		return false
	}
	if slices.Contains(p.vault.Body().Pinned, [32]byte(id)) {
		return true
	}
	c := d.cardOf(id)
	return c != nil && c.Kind == identity.RoleClinic
}

func (d *Desk) pinnedByAny(id identity.PersonID) bool {
	return slices.ContainsFunc(d.persons, func(p *person) bool { return d.pinned(p, id) })
}

// standing judges an attestation now.
func (d *Desk) standing(v *vouch) identity.Standing {
	var list *identity.RevList
	if is := d.vouches.issuers[v.Issuer]; is != nil {
		list = is.list
	}
	return v.Standing(list, d.nowMS())
}

// counts says whether an attestation counts for a person here, or for any if p is nil.
func (d *Desk) counts(p *person, v *vouch) bool {
	s := d.standing(v)
	if s != identity.Valid && s != identity.Stale {
		return false
	}
	if p == nil {
		return d.pinnedByAny(v.Issuer)
	}
	return d.pinned(p, v.Issuer)
}

// isVouched says whether an issuer that p has pinned vouches for somebody.
func (d *Desk) isVouched(p *person, id identity.PersonID) bool {
	return slices.ContainsFunc(d.vouches.of[id], func(v *vouch) bool { return d.counts(p, v) })
}

// roleOf is what the attestations that count here limit a person to (FIELD §4.1).
func (d *Desk) roleOf(id identity.PersonID) consult.Attested {
	var roles []uint64
	for _, v := range d.vouches.of[id] {
		if d.counts(nil, v) {
			roles = append(roles, v.Claims.Role)
		}
	}
	return consult.AttestedAs(roles...)
}

// vouchLines says who vouches for somebody and for what, those that count first.
func (d *Desk) vouchLines(p *person, list []*vouch) []string {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *vouch) int { return -boolCompare(d.counts(p, a), d.counts(p, b)) })
	out := []string{}
	for _, v := range list {
		out = append(out, d.vouchLine(p, v))
	}
	return out
}

func (d *Desk) vouchLine(p *person, v *vouch) string {
	who := "vouched by "
	if !d.pinned(p, v.Issuer) {
		who = "attested by (not pinned here) "
	}
	s := who + cmp.Or(d.memberName(v.Issuer), v.Issuer.String()[:shortID]) + " as " + roleName(v.Claims.Role)
	if len(v.Claims.Specialties) > 0 {
		s += ", " + strings.Join(v.Claims.Specialties, ", ")
	}
	if v.Claims.Organisation != "" {
		s += ", " + v.Claims.Organisation
	}
	if v.Claims.LicenceNumber != "" {
		s += ", licence " + strings.TrimSpace(v.Claims.LicenceAuthority+" "+v.Claims.LicenceNumber)
	}
	switch st := d.standing(v); st {
	case identity.Valid:
		s += ", until " + day(v.UntilMS)
	case identity.Stale:
		s += ", until " + day(v.UntilMS) + ", could not be checked"
		if is := d.vouches.issuers[v.Issuer]; is != nil && is.list != nil {
			s += " since " + day(is.list.NextMS)
		}
	default:
		s += ", " + st.String()
	}
	return text.Line(s)
}

func day(ms int64) string { return instant(ms).Format(time.DateOnly) }

var roleNames = map[uint64]string{
	identity.RoleClinician: "clinician", identity.RoleTechnologist: "technologist", identity.RoleCoordinator: "coordinator",
	identity.RoleClinic: "clinic", identity.RoleTrainee: "trainee",
}

func roleName(role uint64) string { return roleNames[role] }

// vouchRecords are a person's attestations as they travel: with the issuers' keys and lists.
func (d *Desk) vouchRecords(id identity.PersonID) [][]byte {
	var out [][]byte
	seen := map[identity.PersonID]bool{}
	for _, v := range d.vouches.of[id] {
		is := d.vouches.issuers[v.Issuer]
		if is != nil && !seen[v.Issuer] {
			seen[v.Issuer] = true
			out = append(out, is.person.Encode())
			if is.listRaw != nil {
				out = append(out, is.listRaw)
			}
		}
		out = append(out, v.bytes)
	}
	return out
}

// ownList is the revocation list of an issuer who is a person here.
func (d *Desk) ownList(p *person) [][]byte {
	if is := d.vouches.issuers[p.id]; is != nil && is.listRaw != nil {
		return [][]byte{is.listRaw}
	}
	return nil
}

// vouchesServed are a person's attestations as the directory serves them.
func (d *Desk) vouchesServed(id identity.PersonID) []directory.Vouch {
	var out []directory.Vouch
	for _, v := range d.vouches.of[id] {
		if s := d.standing(v); s != identity.Valid && s != identity.Stale {
			continue
		}
		w := directory.Vouch{Attest: v.bytes}
		if is := d.vouches.issuers[v.Issuer]; is != nil {
			w.RevList = is.listRaw
		}
		out = append(out, w)
	}
	return out
}

// vouchesRead verifies what a stranger brings of attestations, as far as their issuers are known
// here, without keeping them. A revocation list they bring counts if it is newer than the known one.
func (d *Desk) vouchesRead(subject identity.PersonID, served []directory.Vouch) []*vouch {
	var out []*vouch
	for _, w := range served {
		r, err := identity.ParseRecord(w.Attest)
		if err != nil || r.Attest == nil || r.Attest.Subject != subject {
			continue
		}
		is := d.issuer(r.Attest.Issuer, nil)
		if is == nil {
			continue
		}
		a, err := identity.VerifyAttest(is.person, w.Attest)
		if err != nil {
			continue
		}
		if l, err := identity.ParseRecord(w.RevList); err == nil && l.RevList != nil && l.RevList.Issuer == a.Issuer {
			d.takeRevList(l, nil)
		}
		out = append(out, &vouch{Attest: a, bytes: w.Attest})
	}
	return out
}

// retime folds cases again when time has changed what attestations count. Call with mu.
func (d *Desk) retime() {
	h := fnv.New64a()
	for _, id := range slices.SortedFunc(maps.Keys(d.vouches.of), func(a, b identity.PersonID) int { return bytes.Compare(a[:], b[:]) }) {
		_, _ = h.Write(id[:])
		_, _ = h.Write([]byte{byte(d.roleOf(id))})
		for _, p := range d.persons {
			_, _ = h.Write([]byte(d.trustOf(p, id)))
		}
	}
	if sum := h.Sum64(); sum != d.vouches.sum {
		first := d.vouches.sum == 0
		d.vouches.sum = sum
		if !first {
			d.reroled()
		}
	}
}
