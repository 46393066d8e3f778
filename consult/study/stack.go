package study

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Stack is one run of slices of a series in reading order: what one series
// mixes (phases, orientations) is parted first.
type Stack struct {
	Slices []Slice `json:"slices"`
	Order  string  `json:"order"` // ByPosition or ByNumber
	// Label tells a stack from the others of its series; empty if there is one.
	Label      string  `json:"label,omitempty"`
	Spacing    float64 `json:"spacing,omitempty"`    // mm, median of the differences; 0 if unknown
	Irregular  bool    `json:"irregular,omitempty"`  // a difference is more than 5 % off
	Gaps       bool    `json:"gaps,omitempty"`       // a difference is at least 1.5 times the median
	Duplicates int     `json:"duplicates,omitempty"` // slices at a place that another one has
	Tilt       float64 `json:"tilt,omitempty"`       // degrees between the stack and its normal: gantry tilt
	Shift      float64 `json:"shift,omitempty"`      // mm that slices lie off a straight line, in their plane
	Uneven     bool    `json:"uneven,omitempty"`     // pixel spacing is not the same in all
}

// same place along the normal: DS has 16 characters, real steps are over 0.1 mm.
const samePlace = 1e-3 // mm

// Stacks brings a series into reading order, stack after stack (IMAGING.md
// §2.3, §5.7). Nothing is left out, and the order does not depend on that of
// the argument.
func Stacks(series []Slice) []Stack {
	list := make([]*Slice, len(series))
	for i := range series {
		list[i] = &series[i]
	}
	slices.SortFunc(list, (*Slice).compare)
	var out []Stack
	for _, g := range byPlane(list) {
		for _, part := range g.phases() {
			out = append(out, part.ordered())
		}
	}
	firsts := map[*Slice]*Slice{} // of each stack, by the slice that it begins with
	for i := range out {
		firsts[&out[i].Slices[0]] = out[i].first()
	}
	slices.SortStableFunc(out, func(a, b Stack) int { return firsts[&a.Slices[0]].compare(firsts[&b.Slices[0]]) })
	label(out)
	return out
}

// first is the slice that places a stack among its series.
func (s *Stack) first() *Slice {
	best := &s.Slices[0]
	for i := range s.Slices {
		if s.Slices[i].compare(best) < 0 {
			best = &s.Slices[i]
		}
	}
	return best
}

// group is slices of one Frame of Reference, size and orientation, ordered by
// number.
type group struct {
	list   []*Slice
	placed bool // all of them
	normal [3]float64
	depth  []float64 // of each along normal
}

type planeKey struct {
	frameOfRef string
	rows, cols int
}

// byPlane parts by Frame of Reference, size and orientation (±0.01). Slices
// without a place join the only orientation that there is: a series of which
// one slice lost its position is ordered by number as a whole.
func byPlane(list []*Slice) []*group {
	var out []*group
	byKey := map[planeKey][]*group{}
	lost := map[planeKey][]*Slice{}
	var keys []planeKey
	for _, s := range list {
		k := planeKey{s.FrameOfRef, s.Rows, s.Cols}
		if byKey[k] == nil && lost[k] == nil {
			keys = append(keys, k)
		}
		if !s.placed() {
			lost[k] = append(lost[k], s)
			continue
		}
		if g := find(byKey[k], s); g != nil {
			g.list = append(g.list, s)
			continue
		}
		n, ok := s.Normal()
		if !ok || len(out) >= orientationsMax {
			lost[k] = append(lost[k], s)
			continue
		}
		g := &group{list: []*Slice{s}, placed: true, normal: n}
		byKey[k], out = append(byKey[k], g), append(out, g)
	}
	for _, k := range keys {
		switch l := lost[k]; {
		case len(l) == 0:
		case len(byKey[k]) == 1:
			g := byKey[k][0]
			g.list, g.placed = append(g.list, l...), false
			slices.SortFunc(g.list, (*Slice).compare)
		default:
			out = append(out, &group{list: l})
		}
	}
	for _, g := range out {
		g.measureDepth()
	}
	return out
}

// find gives the group whose orientation a placed slice has.
func find(groups []*group, s *Slice) *group {
	for _, g := range groups {
		o, near := g.list[0].Orientation, true
		for i, v := range s.Orientation {
			near = near && math.Abs(v-o[i]) <= 0.01
		}
		if near {
			return g
		}
	}
	return nil
}

// measureDepth takes one normal for all: within ±0.01 each slice's own would
// move a slice half a metre off the origin by 5 mm.
func (g *group) measureDepth() {
	g.depth = make([]float64, len(g.list))
	if !g.placed {
		return
	}
	for i := range g.list {
		g.depth[i] = dot(g.normal, *g.list[i].Position)
	}
}

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

// phases parts a group by what tells phases apart.
func (g *group) phases() []*group {
	out := []*group{g}
	for _, by := range []struct {
		value func(*Slice) any
		// numbers says that the value may count slices as well as phases.
		numbers bool
	}{
		{func(s *Slice) any { return s.Kind }, false},
		{func(s *Slice) any { return s.Temporal }, false},
		{func(s *Slice) any { return math.Round(s.BValue) }, false},
		{func(s *Slice) any { return math.Round(100 * s.Echo) }, false},
		{func(s *Slice) any { return math.Round(10 * s.Trigger) }, true},
		{func(s *Slice) any { return s.Acquisition }, true},
	} {
		var next []*group
		for _, p := range out {
			next = append(next, p.split(by.value, by.numbers)...)
		}
		out = next
	}
	var parts []*group
	for _, p := range out {
		parts = append(parts, p.byRank()...)
	}
	return parts
}

// split parts by one value, unless it tells slices apart rather than phases:
// more values than half the slices, or (of values that some machines count by
// slice) parts that make one whole.
func (g *group) split(value func(*Slice) any, numbers bool) []*group {
	parts := map[any]*group{}
	var order []*group
	for i := range g.list {
		v := value(g.list[i])
		p := parts[v]
		if p == nil {
			p = &group{placed: g.placed, normal: g.normal}
			parts[v], order = p, append(order, p)
		}
		p.list, p.depth = append(p.list, g.list[i]), append(p.depth, g.depth[i])
	}
	if len(order) == 1 || 2*len(order) > len(g.list) || numbers && g.placed && oneWhole(g, order) {
		return []*group{g}
	}
	return order
}

// oneWhole: no two slices at one place, and either equal steps throughout or
// parts that follow one another, as step-and-shoot scanners acquire them.
func oneWhole(g *group, parts []*group) bool {
	all := slices.Sorted(slices.Values(g.depth))
	steps, equal := steps(all)
	if len(steps) < len(all)-1 {
		return false
	}
	if equal {
		return true
	}
	slices.SortFunc(parts, func(a, b *group) int { return cmp.Compare(slices.Min(a.depth), slices.Min(b.depth)) })
	defer slices.SortFunc(parts, func(a, b *group) int { return a.list[0].compare(b.list[0]) })
	for i := 1; i < len(parts); i++ {
		if slices.Min(parts[i].depth) <= slices.Max(parts[i-1].depth) {
			return false
		}
	}
	return true
}

// steps between sorted places that differ, and whether all are within 5 % of
// their median.
func steps(depth []float64) (out []float64, equal bool) {
	for i := 1; i < len(depth); i++ {
		if d := depth[i] - depth[i-1]; d > samePlace {
			out = append(out, d)
		}
	}
	m := median(out)
	for _, d := range out {
		if math.Abs(d-m) > 0.05*m {
			return out, false
		}
	}
	return out, true
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// byRank parts what is left: where each of several places has the same number
// of slices, these are phases that no attribute tells apart (directions of
// diffusion, gated cines). They are taken by time, then number.
func (g *group) byRank() []*group {
	if !g.placed || len(g.list) < 4 {
		return []*group{g}
	}
	at := g.byDepth()
	var runs [][]int
	for i, j := range at {
		if i > 0 && g.depth[j]-g.depth[at[i-1]] <= samePlace {
			runs[len(runs)-1] = append(runs[len(runs)-1], j)
		} else {
			runs = append(runs, []int{j})
		}
	}
	n := len(runs[0])
	for _, r := range runs {
		if len(r) != n {
			return []*group{g}
		}
	}
	if n == 1 || len(runs) == 1 {
		return []*group{g}
	}
	out := make([]*group, n)
	for i := range out {
		out[i] = &group{placed: true, normal: g.normal}
		for _, r := range runs {
			out[i].list, out[i].depth = append(out[i].list, g.list[r[i]]), append(out[i].depth, g.depth[r[i]])
		}
	}
	return out
}

// byDepth gives the indices along the normal; ties go by trigger, time and
// number, so that the order is total whatever the values.
func (g *group) byDepth() []int {
	at := make([]int, len(g.list))
	for i := range at {
		at[i] = i
	}
	slices.SortFunc(at, func(a, b int) int { return cmp.Compare(g.depth[a], g.depth[b]) })
	for i := 0; i < len(at); {
		j := i + 1
		for j < len(at) && g.depth[at[j]]-g.depth[at[j-1]] <= samePlace {
			j++
		}
		slices.SortFunc(at[i:j], func(a, b int) int {
			x, y := g.list[a], g.list[b]
			return cmp.Or(cmp.Compare(x.Temporal, y.Temporal), cmp.Compare(x.Trigger, y.Trigger),
				cmp.Compare(x.Time, y.Time), x.compare(y))
		})
		i = j
	}
	return at
}

// ordered makes a stack: by position where all have one, else by number.
func (g *group) ordered() Stack {
	s := Stack{Slices: make([]Slice, len(g.list)), Order: ByNumber}
	if !g.placed {
		for i, x := range g.list {
			s.Slices[i] = *x
		}
		return s
	}
	s.Order = ByPosition
	depth := make([]float64, len(g.list))
	for i, j := range g.byDepth() {
		s.Slices[i], depth[i] = *g.list[j], g.depth[j]
	}
	s.measure(depth, g.normal)
	return s
}

// measure finds spacing, irregular steps, gaps, tilt and shifts.
func (s *Stack) measure(depth []float64, normal [3]float64) {
	for i := range s.Slices {
		a, b := s.Slices[0].Spacing, s.Slices[i].Spacing
		s.Uneven = s.Uneven || (a == nil) != (b == nil) || a != nil && b != nil && (off(a[0], b[0]) || off(a[1], b[1]))
	}
	steps, equal := steps(depth)
	s.Duplicates = len(depth) - 1 - len(steps)
	s.Spacing, s.Irregular = median(steps), !equal
	for _, d := range steps {
		s.Gaps = s.Gaps || d >= 1.5*s.Spacing
	}
	if len(steps) > 0 {
		s.drift(depth, normal)
	}
}

func off(a, b float64) bool { return math.Abs(a-b) > 0.01*math.Abs(a) }

// drift is how the first pixel moves within the plane from slice to slice: not
// at all in a plain stack, along a line under a tilted gantry. Half a pixel
// over the whole stack is none.
func (s *Stack) drift(depth []float64, normal [3]float64) {
	o := s.Slices[0].Position
	inPlane := func(i int) (v [3]float64) {
		p, d := s.Slices[i].Position, depth[i]-depth[0]
		for k := range v {
			v[k] = p[k] - o[k] - d*normal[k]
		}
		return v
	}
	half := 0.5
	if sp := s.Slices[0].Spacing; sp != nil {
		half = min(sp[0], sp[1]) / 2
	}
	n := len(depth) - 1
	end, length := inPlane(n), depth[n]-depth[0]
	along := math.Sqrt(dot(end, end))
	if along > half {
		s.Tilt = math.Atan2(along, length) * 180 / math.Pi
	}
	for i := range depth {
		v := inPlane(i)
		if s.Tilt > 0 {
			for k := range v {
				v[k] -= end[k] * (depth[i] - depth[0]) / length
			}
		}
		if d := math.Sqrt(dot(v, v)); d > half {
			s.Shift = max(s.Shift, d)
		}
	}
}

// Notes are the marks of a stack that a viewer shows.
func (s *Stack) Notes() []string {
	var out []string
	say := func(is bool, format string, args ...any) {
		if is {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	say(s.Order == ByNumber && s.instances(), "order from instance numbers")
	say(s.Gaps, "slices are missing")
	say(s.Irregular && !s.Gaps, "irregular slice spacing")
	say(s.Duplicates > 0 && s.Spacing > 0, "%d images share a position", s.Duplicates)
	say(s.Tilt > 0, "gantry tilt %.1f°", s.Tilt)
	say(s.Shift > 0, "slices are shifted by up to %.1f mm", s.Shift)
	say(s.Uneven, "pixel spacing differs")
	return out
}

// instances reports whether there are several: frames of one have their own order.
func (s *Stack) instances() bool {
	for i := range s.Slices {
		if s.Slices[i].SOPUID != s.Slices[0].SOPUID {
			return true
		}
	}
	return false
}

// NotVolume says why a stack is no regular volume; it is empty if it is one.
func (s *Stack) NotVolume() string {
	switch {
	case s.Order != ByPosition:
		return "positions are not known"
	case len(s.Slices) < 2 || s.Spacing == 0:
		return "a single position"
	case s.Slices[0].Spacing == nil:
		return "pixel spacing is not known"
	case s.Duplicates > 0 || s.Irregular || s.Gaps || s.Tilt > 0 || s.Shift > 0 || s.Uneven:
		return strings.Join(s.Notes(), ", ")
	}
	return ""
}

// label names what differs between the stacks of a series.
func label(stacks []Stack) {
	if len(stacks) < 2 {
		return
	}
	values := make([][]string, len(stacks))
	differs := make([]bool, len(stacks[0].Slices[0].values()))
	for i := range stacks {
		values[i] = stacks[i].first().values()
		for k, v := range values[i] {
			differs[k] = differs[k] || v != values[0][k]
		}
	}
	for i := range stacks {
		var parts []string
		for k, v := range values[i] {
			if v != "" && differs[k] {
				parts = append(parts, v)
			}
		}
		if len(parts) == 0 {
			parts = []string{fmt.Sprintf("part %d", i+1)}
		}
		stacks[i].Label = strings.Join(parts, ", ")
	}
}

func (s *Slice) values() []string {
	say := func(is bool, format string, v any) string {
		if !is {
			return ""
		}
		return fmt.Sprintf(format, v)
	}
	return []string{
		s.direction(),
		fmt.Sprintf("%d×%d", s.Cols, s.Rows),
		s.Kind,
		say(s.Temporal != 0, "time %d", s.Temporal),
		fmt.Sprintf("b %g", math.Round(s.BValue)),
		say(s.Echo != 0, "echo %.4g ms", s.Echo),
		say(s.Trigger != 0, "trigger %.4g ms", s.Trigger),
		say(s.Acquisition != 0, "acquisition %d", s.Acquisition),
	}
}

// direction names the plane by its normal.
func (s *Slice) direction() string {
	n, ok := s.Normal()
	if !ok {
		return "no position"
	}
	for i, name := range []string{"sagittal", "coronal", "axial"} {
		if math.Abs(n[i]) > 0.95 {
			return name
		}
	}
	return "oblique"
}
