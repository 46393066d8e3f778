package deid

import (
	"slices"
	"strings"

	"github.com/suyashkumar/dicom/pkg/tag"

	"github.com/curbside-p2p/curbside/consult/study"
)

// row is one attribute of PS3.15 Table E.1-1.
type row struct {
	tag     study.Tag
	basic   string // X, Z, D, U or several
	options string // K, C or . for each option
	name    string
}

// Places in row.options.
const (
	_ = iota // retain safe private: the list is private.go
	_        // retain UIDs: never chosen, a reader could join cases by them
	optDevice
	optInstitution
	optCharacteristics
	optFullDates
	optModifiedDates
	optDescriptors
	optStructured
	optGraphics
)

// action is what is done with an element.
type action byte

const (
	keep    action = iota + 1 // as the VR allows: numbers that are numbers, words that are known
	verbose                   // as it is: an option that a person chose retains it
	remove
	empty
	dummy
	remap // a UID
	shift // a date
	clean // known words only
	enter // a sequence: its items
)

// words of actions, as `deid preview` says them.
var actionNames = map[action]string{
	keep: "kept", verbose: "kept", remove: "removed", empty: "emptied", dummy: "replaced", remap: "remapped", shift: "shifted", clean: "cleaned",
}

var byTag = func() map[study.Tag]*row {
	m := make(map[study.Tag]*row, len(table))
	for i := range table {
		m[table[i].tag] = &table[i]
	}
	return m
}()

// NameOf is what the standard calls an attribute.
func NameOf(t study.Tag) string {
	if t.Group()%2 == 1 {
		return "private"
	}
	if r := byTag[t]; r != nil {
		return r.name
	}
	if info, err := tag.Find(tag.Tag{Group: t.Group(), Element: uint16(t)}); err == nil {
		return info.Name
	}
	return "unknown"
}

// known are the VRs that the dictionary has for a tag; none for what it does not know.
func known(t study.Tag) []string {
	info, err := tag.Find(tag.Tag{Group: t.Group(), Element: uint16(t)})
	if err != nil {
		return nil
	}
	return info.VRs
}

// decide is the rule for a standard attribute of a VR.
func (o Options) decide(t study.Tag, vr string) action {
	switch {
	case uint16(t) == 0: // group lengths: retired, and not true any more
		return remove
	case t.Group()&0xFF00 == 0x5000, t.Group()&0xFF00 == 0x6000: // curves; overlays, whose bits may spell a name
		return remove
	case trailing[t]:
		return remove
	}
	vrs := known(t)
	if vr == "UN" && len(vrs) > 0 { // its bytes are what the dictionary says (PS3.5 §6.2.2)
		vr = vrs[0]
	}
	if !fits(vr, vrs) {
		return remove
	}
	if r := byTag[t]; r != nil {
		return o.named(r, vr)
	}
	return o.unnamed(t, vr)
}

// trailing are elements that mean nothing for a reader of images and carry anything.
var trailing = map[study.Tag]bool{
	0xFFFCFFFC: true, // Data Set Trailing Padding
	0xFFFAFFFA: true, // Digital Signatures Sequence
	0x4FFE0001: true, // MAC Parameters Sequence
	0x04000561: true, // Original Attributes Sequence
	0x00880200: true, // Icon Image Sequence
	0x00282000: true, // ICC Profile: texts of its maker
}

// fits reports whether a VR is one of those of the dictionary; what is written as a number must
// be one there, or a text would pass as one.
func fits(vr string, vrs []string) bool {
	if slices.Contains(vrs, vr) {
		return true
	}
	words := []string{"US", "SS", "OW"}
	return slices.Contains(words, vr) && slices.ContainsFunc(vrs, func(v string) bool { return slices.Contains(words, v) }) ||
		(vr == "OB" || vr == "OW") && (slices.Contains(vrs, "OB") || slices.Contains(vrs, "OW"))
}

func binaryNumber(vr string) bool {
	switch vr {
	case "US", "SS", "UL", "SL", "FL", "FD", "SV", "UV", "AT":
		return true
	}
	return false
}

// named is the rule of the table, with the options chosen.
func (o Options) named(r *row, vr string) action {
	says := func(on bool, opt int) byte {
		if !on {
			return '.'
		}
		return r.options[opt]
	}
	switch {
	case r.tag == 0x00080201: // Timezone Offset: a claimed time means nothing without it
		if o.FullDates || o.ModifiedDates {
			return keep
		}
	case says(o.FullDates, optFullDates) == 'K' && temporal(vr):
		return retained(vr, keep)
	case says(o.ModifiedDates, optModifiedDates) == 'C' && temporal(vr):
		return retained(vr, shift)
	case o.Content && (r.options[optStructured] == 'C' || r.options[optGraphics] == 'C' || r.tag == 0x00420011):
		return retained(vr, verbose)
	case says(o.Device, optDevice) == 'K', says(o.Institution, optInstitution) == 'K':
		return retained(vr, verbose)
	case says(o.Device, optDevice) == 'C', says(o.Characteristics, optCharacteristics) == 'C', says(o.Descriptors, optDescriptors) == 'C':
		return retained(vr, clean)
	case says(o.Characteristics, optCharacteristics) == 'K':
		return retained(vr, keep)
	}
	return basicAction(r.basic, vr)
}

// temporal: what the options of dates are about; a timestamp of another kind is not moved, and goes.
func temporal(vr string) bool { return vr == "DA" || vr == "DT" || vr == "TM" || vr == "SQ" }

// retained is an action that keeps something of an element: a sequence is entered.
func retained(vr string, a action) action {
	if vr == "SQ" {
		return enter
	}
	if a == shift && vr != "DA" && vr != "DT" {
		return keep // times stay
	}
	return a
}

// basicAction takes the rightmost of several actions: then a type 1 or 2 attribute stays valid,
// and nothing of it leaks either way (IMAGING.md §8.1).
func basicAction(basic, vr string) action {
	parts := strings.Split(basic, "/")
	switch strings.TrimSuffix(parts[len(parts)-1], "*") {
	case "Z":
		return empty
	case "D":
		if vr == "SQ" || vr[0] == 'O' || vr == "UN" {
			return empty
		}
		return dummy
	case "U":
		if vr == "SQ" {
			return enter
		}
		return remap
	}
	return remove
}

// unnamed is the rule for what the table does not name: only what is known to be harmless stays.
func (o Options) unnamed(t study.Tag, vr string) action {
	switch vr {
	case "SQ":
		return enter
	case "UI":
		return remap
	case "DA", "DT":
		switch {
		case o.ModifiedDates:
			return shift
		case o.FullDates:
			return keep
		}
		return empty
	case "TM":
		if o.ModifiedDates || o.FullDates {
			return keep
		}
		return empty
	case "CS", "IS", "DS", "AS":
		return keep
	case "LO", "SH", "LT", "ST", "UT", "UC":
		switch {
		case o.Content:
			return verbose
		case texts[t] != nil:
			return keep
		}
		return empty // a type 2 attribute is still there
	case "OB", "OW", "OF", "OD", "OL", "OV":
		if bulky[t] {
			return keep
		}
		return remove
	}
	if binaryNumber(vr) {
		return keep
	}
	return remove // PN, AE, UR, UN
}

// bulky are the binary values that are tables of numbers or pixels.
var bulky = map[study.Tag]bool{
	0x00281101: true, 0x00281102: true, 0x00281103: true, // palette descriptors
	0x00281201: true, 0x00281202: true, 0x00281203: true, 0x00281204: true, // palettes
	0x00281221: true, 0x00281222: true, 0x00281223: true, // segmented palettes
	0x00283002: true, 0x00283006: true, // LUT
	0x00281408: true, 0x00660016: true, 0x00660023: true, 0x00660024: true, 0x00660025: true, 0x00660040: true, // surfaces
	0x54001010: true, 0x5400100A: true, 0x54000110: true, 0x54000112: true, // waveforms
	0x56000010: true, 0x56000020: true, // spectra
	0x7FE00001: true, 0x7FE00002: true, // offset tables
	0x7FE00008: true, 0x7FE00009: true, 0x7FE00010: true, // pixels
}
