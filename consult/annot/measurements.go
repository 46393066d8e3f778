package annot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/text"
)

// Tracked is a mark with the identifier that it keeps across edits and documents.
type Tracked struct {
	Marked
	UID string
}

// Measures reports whether a mark carries numbers that belong into a document.
func (m *Marked) Measures() bool {
	t, ok := ToolOf(m.Geometry)
	return ok && len(m.Values) > 0 && t.Construct != Scale
}

var (
	measurementTitle = object.DCM("126000", "Imaging Measurement Report")
	nameLength       = object.Code("410668003", "SCT", "Length")
	nameAngle        = object.Code("1483009", "SCT", "Angle")
	nameArea         = object.Code("42798000", "SCT", "Area")
	unitPixels       = object.Code("{pixels}", "UCUM", "pixels")
)

// lengths are names of values that are lengths (CID 7470).
var lengths = map[string]object.Set{
	"length": nameLength, "first": nameLength, "second": nameLength, "difference": nameLength,
	"long": object.Code("103339001", "SCT", "Long axis"), "short": object.Code("103340004", "SCT", "Short axis"),
}

// derivations are how a value of a region comes of its pixels (CID 7464).
var derivations = map[string]object.Set{
	"mean": object.Code("373098007", "SCT", "Mean"), "sd": object.Code("386136009", "SCT", "Standard Deviation"),
	"min": object.Code("255605001", "SCT", "Minimum"), "max": object.Code("56851009", "SCT", "Maximum"), "value": nil,
}

var ucum = map[string]object.Set{
	"mm": object.Code("mm", "UCUM", "mm"), "mm2": object.Code("mm2", "UCUM", "mm2"), "deg": object.Code("deg", "UCUM", "deg"),
	"HU": object.Code("[hnsf'U]", "UCUM", "Hounsfield unit"), "SUV": object.Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight"),
	"px": unitPixels, "px2": unitPixels,
}

// WriteMeasurements writes the values of marks as an Imaging Measurement Report (PS3.16 TID 1500)
// in a Comprehensive 3D SR: a group for each mark, of a region by TID 1410, of others by TID 1501. A
// value for which no concept is known here stands as text beside those that have one.
func WriteMeasurements(head *object.Report, marks []Tracked) ([]byte, error) {
	var images []Ref
	var groups []object.Set
	for i := range marks {
		m := &marks[i]
		if m.Image == nil || m.Image.StudyUID != head.Of.StudyUID || !m.Measures() {
			continue
		}
		add(&images, refOf(m.Image, m.Frame))
		groups = append(groups, m.group())
	}
	if len(groups) == 0 {
		return nil, fmt.Errorf("measurements: %w", ErrSource)
	}
	head.Evidence = images
	content := []object.Set{
		object.Item("HAS CONCEPT MOD", "CODE", object.DCM("121058", "Procedure reported"), object.Seq(0x0040A168, object.Code("363679005", "SCT", "Imaging procedure"))),
		library(images),
		object.Container(object.DCM("126010", "Imaging Measurements"), groups...),
	}
	out, err := object.Write(head.Head(object.ClassComprehensive3D, "1500", measurementTitle, content))
	if err != nil {
		return nil, fmt.Errorf("measurements: %w", err)
	}
	return out, nil
}

// library lists the images once (TID 1600, 1601).
func library(images []Ref) object.Set {
	var list []object.Set
	for _, r := range images {
		list = append(list, object.Item("CONTAINS", "IMAGE", nil, object.Seq(0x00081199, object.SOP(Ref{Class: r.Class, SOPUID: r.SOPUID}))))
	}
	return object.Container(object.DCM("111028", "Image Library"), object.Container(object.DCM("126200", "Image Library Group"), list...))
}

// group is one mark.
func (m *Tracked) group() object.Set {
	content := []object.Set{
		object.Item("HAS OBS CONTEXT", "TEXT", object.DCM("112039", "Tracking Identifier"), object.UT(m.identifier())),
		object.Item("HAS OBS CONTEXT", "UIDREF", object.DCM("112040", "Tracking Unique Identifier"), object.Str(0x0040A124, "UI", m.UID)),
	}
	if m.isRegion() {
		content = append(content, m.coordinates("CONTAINS", object.DCM("111030", "Image Region"))...)
	}
	for _, v := range m.Values {
		if n := m.number(v); n != nil {
			content = append(content, n)
		}
	}
	// The calibration is beside every length (FIELD §6, F14), and what has no concept is not lost.
	content = append(content, object.Item("CONTAINS", "TEXT", object.DCM("121106", "Comment"), object.UT(m.remark())))
	return object.Container(object.DCM("125007", "Measurement Group"), content...)
}

// identifier is what a person calls the mark: its construct, and its label.
func (m *Tracked) identifier() string {
	t, _ := ToolOf(m.Geometry)
	if label := text.Line(m.Label); label != "" {
		return t.Title + ": " + label
	}
	return t.Title
}

func (m *Tracked) remark() string {
	var lines []string
	for _, v := range m.Values {
		lines = append(lines, valueText(v))
	}
	if m.Author != "" {
		lines = append(lines, "measured by "+text.Line(m.Author))
	}
	return strings.Join(lines, "\n")
}

func (m *Tracked) isRegion() bool {
	t, ok := ToolOf(m.Geometry)
	return ok && t.Construct == Region
}

// number is a value as a measurement (TID 300), nil if no concept is known for it.
func (m *Tracked) number(v consult.Value) object.Set {
	name, unit, derivation := m.concept(v)
	if name == nil || unit == nil {
		return nil
	}
	value := object.Set{object.Str(0x0040A30A, "DS", object.DS(float64(v.Thousandths)/1000)), object.Seq(0x004008EA, unit)}
	var content []object.Set
	if derivation != nil {
		content = append(content, object.Item("HAS CONCEPT MOD", "CODE", object.DCM("121401", "Derivation"), object.Seq(0x0040A168, derivation)))
	}
	if !m.isRegion() {
		content = append(content, m.coordinates("INFERRED FROM", object.DCM("121055", "Path"))...)
	}
	e := []object.Element{object.Seq(0x0040A300, value)}
	if len(content) > 0 {
		e = append(e, object.Seq(0x0040A730, content...))
	}
	return object.Item("CONTAINS", "NUM", name, e...)
}

// concept is what a value measures. A construct that has no code of its own is an angle, and its
// name is in the tracking identifier.
func (m *Tracked) concept(v consult.Value) (name, unit, derivation object.Set) {
	t, _ := ToolOf(m.Geometry)
	unit = ucum[v.Unit]
	switch {
	case v.Unit == "mm" || v.Unit == "px":
		return lengths[v.Name], unit, nil
	case v.Name == "area":
		return nameArea, unit, nil
	case v.Name == "angle" && v.Unit == "deg":
		return nameAngle, unit, nil
	case t.Construct != Probe && t.Construct != Region:
		return nil, nil, nil
	case v.Unit == "SUV":
		derivation = derivations[strings.TrimPrefix(v.Name, uptake+" ")]
		return object.DCM("126401", "SUVbw"), unit, derivation
	}
	derivation, ok := derivations[v.Name]
	switch {
	case !ok:
		return nil, nil, nil
	case v.Unit == "HU":
		return object.DCM("112031", "Attenuation Coefficient"), unit, derivation
	case v.Unit == "" && m.Image.Modality == "MR":
		return object.DCM("110852", "MR signal intensity"), object.Code("1", "UCUM", "no units"), derivation
	}
	return nil, nil, nil
}

// coordinates are the mark's points on its image: one item for each line of it.
func (m *Tracked) coordinates(relation string, name object.Set) []object.Set {
	from := object.Item("SELECTED FROM", "IMAGE", nil, object.Seq(0x00081199, object.SOP(refOf(m.Image, m.Frame))))
	var out []object.Set
	for _, g := range m.outlines() {
		out = append(out, object.Item(relation, "SCOORD", name,
			object.FL(0x00700022, flatten(g.Points...)...), object.Str(0x00700023, "CS", g.Type), object.Seq(0x0040A730, from)))
	}
	return out
}

// outlines are the lines that a mark's values are measured on.
func (m *Tracked) outlines() []Graphic {
	if m.Geometry.Shape != consult.ShapeEllipse {
		return slices.DeleteFunc(Graphics(m.Geometry), func(g Graphic) bool { return len(g.Points) == 0 })
	}
	g := ellipseGraphic(m.Geometry.Pixels())
	if g.Type == Circle { // as an ellipse, so that a region has one form
		c, q := g.Points[0], g.Points[1]
		dx, dy := q[0]-c[0], q[1]-c[1]
		g = Graphic{Type: Ellipse, Points: [][2]float64{{c[0] - dx, c[1] - dy}, q, {c[0] + dy, c[1] - dx}, {c[0] - dy, c[1] + dx}}}
	}
	return []Graphic{g}
}
