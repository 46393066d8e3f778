// Package deid takes identity out of DICOM heads after PS3.15 Annex E, and gives it
// back to its owner.
//
//	head + bulk -> study.GuardJoined -> Case.Head: every element is kept byte for byte,
//	               changed, or left out -> Check: no needle of the original is left
//	Link:          surrogate -> original UIDs, the patient, the shift of dates; never leaves the vault
//
// The profile is the Basic Application Level Confidentiality Profile, with modified
// dates, patient characteristics and cleaned descriptors. What Table E.1-1 (table.go)
// does not name is kept only where it is known to be harmless: numbers that are
// numbers, codes and words of a vocabulary (IMAGING.md §8.1). Free text never passes
// as it is.
//
// A Case is what all studies of one consultation share: its key LK maps every UID, its
// shift moves every date, its pseudonym stands for the patient. Another case has others,
// and nothing of it can be computed without LK (protocol/README.md §3.6).
//
// Everything here is a pure function of its arguments. Errors, changes and risks name
// tags and rules, never a value.
//
// Fuzz: go test -fuzz FuzzHead ./consult/deid
package deid

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"strings"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Edition is the edition of PS3.15 that table.go was made of.
const Edition = "2024b"

// Names of profiles, as `deid preview --profile` takes them. Each is the basic profile
// with options of PS3.15 §E.3.
const (
	// ProfileDefault has modified dates, patient characteristics, cleaned descriptors.
	ProfileDefault = "default"
	// ProfileBasic has no option but clean pixels: no dates, no characteristics, no descriptions.
	ProfileBasic = "basic"
	// ProfileDates is the default with the dates as they are. It is close to identified data.
	ProfileDates = "full-dates"
	// ProfileDevice is the default with the identity of devices.
	ProfileDevice = "device"
	// ProfileInstitution is the default with the identity of the institution.
	ProfileInstitution = "institution"
)

// Options are the options of PS3.15 §E.3 that are chosen.
type Options struct {
	ModifiedDates, FullDates, Characteristics, Descriptors, Device, Institution bool
	// Content keeps what people wrote in a document, a report or a presentation state, which a
	// person has read and released: everything but the identity in its head.
	Content bool
}

// Profiles lists the profiles, the default first.
func Profiles() []string {
	return []string{ProfileDefault, ProfileBasic, ProfileDates, ProfileDevice, ProfileInstitution}
}

// ProfileOptions are the options of a profile.
func ProfileOptions(name string) (Options, bool) {
	o := Options{ModifiedDates: true, Characteristics: true, Descriptors: true}
	switch name {
	case ProfileDefault:
	case ProfileBasic:
		o = Options{}
	case ProfileDates:
		o.ModifiedDates, o.FullDates = false, true
	case ProfileDevice:
		o.Device = true
	case ProfileInstitution:
		o.Institution = true
	default:
		return o, false
	}
	return o, true
}

// optionCode is a code of PS3.16 CID 7050.
type optionCode struct{ code, meaning string }

// codes are what the method sequence says (PS3.16 CID 7050), the profile first.
func (o Options) codes() []optionCode {
	out := []optionCode{
		{"113100", "Basic Application Confidentiality Profile"},
		{"113101", "Clean Pixel Data Option"},
	}
	add := func(on bool, code, meaning string) {
		if on {
			out = append(out, optionCode{code, meaning})
		}
	}
	add(o.Descriptors, "113105", "Clean Descriptors Option")
	add(o.FullDates, "113106", "Retain Longitudinal Temporal Information Full Dates Option")
	add(o.ModifiedDates, "113107", "Retain Longitudinal Temporal Information Modified Dates Option")
	add(o.Characteristics, "113108", "Retain Patient Characteristics Option")
	add(o.Device, "113109", "Retain Device Identity Option")
	add(o.Institution, "113112", "Retain Institution Identity Option")
	add(true, "113111", "Retain Safe Private Option")
	return out
}

// Codes are the codes of the options, without the profile's own.
func (o Options) Codes() []string {
	var out []string
	for _, c := range o.codes()[1:] {
		out = append(out, c.code)
	}
	return out
}

// Dates says what became of dates, as a manifest's Deid does.
func (o Options) Dates() uint64 {
	switch {
	case o.FullDates:
		return study.DatesKept
	case o.ModifiedDates:
		return study.DatesShifted
	}
	return study.DatesRemoved
}

// Case is what the studies of one consultation share. Its key is random and stays in the vault.
type Case struct {
	Key     wire.Secret // LK
	Options Options

	// spare breaks a rule, so that a test sees that it is noticed: it is nil but there.
	spare func(t study.Tag, vr string) bool
}

// UID maps a UID: the same always to the same, within one case alone. What a standard
// registered stays.
func (c *Case) UID(original string) string {
	if Registered(original) || original == "" {
		return original
	}
	return uuidUID(c.mac("uid", original))
}

// Lineage maps the lineage of a study.
func (c *Case) Lineage(original [16]byte) [16]byte {
	return [16]byte(c.mac("lineage", string(original[:])))
}

func (c *Case) mac(what, of string) []byte {
	h := hmac.New(sha256.New, c.Key[:])
	h.Write([]byte(what))
	h.Write([]byte{0})
	h.Write([]byte(of))
	return h.Sum(nil)
}

// uuidUID makes a UID of 128 bits as a UUID of version 8 (RFC 9562 §5.8, PS3.5 §B.2).
func uuidUID(sum []byte) string {
	b := [16]byte(sum)
	b[6] = b[6]&0x0F | 0x80
	b[8] = b[8]&0x3F | 0x80
	return "2.25." + new(big.Int).SetBytes(b[:]).String()
}

// Registered reports whether DICOM itself names a UID: classes, syntaxes, coding schemes.
func Registered(uid string) bool { return strings.HasPrefix(uid, "1.2.840.10008.") }

// Shift is by how many days dates move: whole weeks back, from one to ten years, so that
// weekdays and intervals stay.
func (c *Case) Shift() int {
	const weeksMin, weeksMax = 53, 521
	n := binary.BigEndian.Uint64(c.mac("shift", ""))
	return -7 * int(weeksMin+n%(weeksMax-weeksMin+1))
}

// alphabet has no letter or digit that is read for another (Crockford's base 32).
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// Pseudonym stands for a patient, whom key tells apart: CB-7F3KQ.
func (c *Case) Pseudonym(key string) string {
	sum := c.mac("pseudonym", key)
	out := []byte("CB-")
	for _, b := range sum[:5] {
		out = append(out, alphabet[b&31])
	}
	return string(out)
}
