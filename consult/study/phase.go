package study

import (
	"math"
	"strconv"
	"strings"

	"github.com/suyashkumar/dicom"
)

// phaseMacros are the functional groups that tell phases apart (PS3.3 C.7.6.16.2,
// C.8.13.5, C.8.15.3.1).
var phaseMacros = []Tag{
	0x00209111, // Frame Content
	0x00189118, // Cardiac Synchronization
	0x00189114, // MR Echo
	0x00189117, // MR Diffusion
	0x00189226, // MR Image Frame Type
	0x00189329, // CT Image Frame Type
}

// phaseOf reads the phase of one item of functional groups, nil if it tells none.
func phaseOf(group []*dicom.Element) *Phase {
	var p Phase
	for _, t := range phaseMacros {
		for _, m := range itemsOf(group, t) {
			p.read(m)
		}
	}
	if p == (Phase{}) {
		return nil
	}
	return &p
}

func (p *Phase) read(m []*dicom.Element) {
	set := func(to *float64, t Tag) {
		if v := realOf(m, t); v != 0 {
			*to = v
		}
	}
	var temporal, acquisition float64
	set(&temporal, 0x00209128)    // Temporal Position Index
	set(&acquisition, 0x00209156) // Frame Acquisition Number
	set(&p.Trigger, 0x00209153)   // Nominal Cardiac Trigger Delay Time
	set(&p.Echo, 0x00189082)      // Effective Echo Time
	set(&p.BValue, 0x00189087)    // Diffusion b-value
	if temporal != 0 {
		p.Temporal = int64(temporal)
	}
	if acquisition != 0 {
		p.Acquisition = int64(acquisition)
	}
	if e := elementOf(m, 0x00089007); e != nil { // Frame Type
		if v, _ := e.Value.GetValue().([]string); len(v) > 2 {
			p.Kind = v[2]
		}
	}
}

// realOf is the first number of an element, 0 if there is none.
func realOf(list []*dicom.Element, t Tag) float64 {
	e := elementOf(list, t)
	if e == nil {
		return 0
	}
	v := 0.0
	switch x := e.Value.GetValue().(type) {
	case []float64:
		if len(x) > 0 {
			v = x[0]
		}
	case []int:
		if len(x) > 0 {
			v = float64(x[0])
		}
	}
	if math.IsNaN(v) || math.Abs(v) > math.MaxInt32 {
		return 0
	}
	return v
}

// bValue is Diffusion b-value, or what two manufacturers wrote in its place
// before there was one; each is believed only beside its private creator
// (PS3.5 §7.8.1).
func (o *Outline) bValue() float64 {
	v := 0.0
	switch b := o.value(0x00189087); {
	case len(b) == 8:
		v = math.Float64frombits(o.order().Uint64(b))
	case o.ascii(0x00190010) == "SIEMENS MR HEADER":
		v = number(o.ascii(0x0019100C))
	case o.ascii(0x00430010) == "GEMS_PARM_01":
		first, _, _ := strings.Cut(o.ascii(0x00431039), "\\")
		n, _ := strconv.ParseInt(first, 10, 64)
		v = float64(n % 1e9) // some versions add 10⁹
	}
	if math.IsNaN(v) || v < 0 || v > 1e6 {
		return 0
	}
	return v
}

// phasePrivate are the private elements that bValue reads.
func phasePrivate(t Tag) bool {
	switch t {
	case 0x00190010, 0x0019100C, 0x00430010, 0x00431039:
		return true
	}
	return false
}
