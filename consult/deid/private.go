package deid

import (
	"github.com/curbside-p2p/curbside/consult/study"
)

// safe are private elements that reading needs and that hold numbers alone: creator, element
// within the block, the VR it must have.
var safe = map[string]map[byte][]string{
	// Siemens' public DICOM conformance statements (syngo MR): B_value, DiffusionDirectionality is
	// a code and left out, DiffusionGradientDirection, B_matrix.
	"SIEMENS MR HEADER": {0x0C: {"IS", "DS"}, 0x0E: {"FD"}, 0x27: {"FD"}},
	// GE's conformance statement (Signa): Slop_int_6, whose first value is the b-value.
	"GEMS_PARM_01": {0x39: {"IS"}},
	// GE's: diffusion gradient direction x, y, z.
	"GEMS_ACQU_01": {0xBB: {"DS"}, 0xBC: {"DS"}, 0xBD: {"DS"}},
	// Philips' conformance statement (MR R5): diffusion b-factor; gradient direction RL, AP, FH.
	"Philips Imaging DD 001": {0x03: {"FL"}, 0xB0: {"FL"}, 0xB1: {"FL"}, 0xB2: {"FL"}},
	// Philips' PET conformance statement (Gemini): SUV and activity concentration scale factors.
	"Philips PET Private Group": {0x00: {"DS"}, 0x09: {"DS"}},
}

// privateCreator reports whether a tag reserves a block (PS3.5 §7.8.1).
func privateCreator(t study.Tag) bool {
	return t.Group()%2 == 1 && uint16(t) >= 0x10 && uint16(t) <= 0xFF
}

// private is the rule for private elements: what is on the list, with the VR it must have, and
// the creators of such blocks.
func (sc scope) private(e *study.Element) action {
	if privateCreator(e.Tag) {
		if string(e.VR[:]) != "SQ" && safe[sc.creators[e.Tag]] != nil {
			return keep
		}
		return remove
	}
	creator := study.Tag(uint32(e.Tag.Group())<<16 | uint32(uint16(e.Tag)>>8))
	for _, vr := range safe[sc.creators[creator]][byte(e.Tag)] {
		if string(e.VR[:]) == vr || string(e.VR[:]) == "UN" && (vr == "IS" || vr == "DS") {
			return keep
		}
	}
	return remove
}
