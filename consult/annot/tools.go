package annot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/consult"
)

// Construct is how a tool's points are measured.
type Construct string

// The constructs. Angles are in degrees and measured in mm space.
const (
	Nothing       Construct = "nothing"       // arrow, text, key image
	Probe         Construct = "probe"         // value of the pixel
	Length        Construct = "length"        // along the points
	Region        Construct = "region"        // statistics within
	Angle         Construct = "angle"         // at the vertex, 0 to 180
	Supplement    Construct = "supplement"    // 180 less the angle at the vertex
	Axis          Construct = "axis"          // the angle at the vertex and its deviation from straight
	Lines         Construct = "lines"         // acute angle between two lines
	Directed      Construct = "directed"      // angle between two lines, each from its first point to its second, 0 to 180
	Perpendicular Construct = "perpendicular" // acute angle between the second line and the perpendicular of the first
	Two           Construct = "two"           // two lengths
	Ratio         Construct = "ratio"         // length of the first line to that of the second
	LegLength     Construct = "leg-length"    // one length, or two and their difference
	Incidence     Construct = "incidence"     // pelvic incidence, with tilt and slope
	Tilt          Construct = "tilt"          // pelvic tilt
	Slope         Construct = "slope"         // sacral slope
	CentreEdge    Construct = "centre-edge"   // angle of Wiberg
	HeartScore    Construct = "heart-score"   // two lengths in vertebrae
	Scale         Construct = "scale"         // a known length, for calibration
)

// Tool is what marks are drawn with. Prompts say in order what the points are.
type Tool struct {
	Name      string        `json:"name"` // as stored in marks and typed by users
	Title     string        `json:"title"`
	Specialty string        `json:"specialty,omitempty"`
	Shape     consult.Shape `json:"-"`
	Construct Construct     `json:"construct"`
	Prompts   []string      `json:"prompts"` // one a point; the last one repeats where Max is more
	Min       int           `json:"min"`     // points
	Max       int           `json:"max"`
	Aliases   []string      `json:"aliases,omitempty"`
}

const (
	podiatry      = "podiatry"
	orthopaedics  = "orthopaedics"
	spine         = "spine"
	ophthalmology = "ophthalmology"
	veterinary    = "veterinary"
)

const many = consult.PointsMax

var tools = []Tool{
	{Name: "point", Title: "Point", Shape: consult.ShapePoint, Construct: Probe, Min: 1, Max: 1, Aliases: []string{"probe"}, Prompts: []string{"point"}},
	{
		Name: "length", Title: "Length", Shape: consult.ShapeDistance, Construct: Length, Min: 2, Max: 2,
		Aliases: []string{"distance", "line", "ruler"}, Prompts: []string{"start", "end"},
	},
	{Name: "angle", Title: "Angle", Shape: consult.ShapeAngle, Construct: Angle, Min: 3, Max: 3, Prompts: []string{"first arm", "vertex", "second arm"}},
	{
		Name: "cobb", Title: "Cobb angle", Specialty: spine, Shape: consult.ShapeCobb, Construct: Lines, Min: 4, Max: 4, Aliases: []string{"cobb-angle"},
		Prompts: []string{"upper endplate, one end", "upper endplate, other end", "lower endplate, one end", "lower endplate, other end"},
	},
	{
		Name: "bidirectional", Title: "Bidirectional", Shape: consult.ShapeBidirectional, Construct: Two, Min: 4, Max: 4,
		Prompts: []string{"long axis, start", "long axis, end", "short axis, start", "short axis, end"},
	},
	{
		Name: "rectangle", Title: "Rectangle", Shape: consult.ShapeRectangle, Construct: Region, Min: 2, Max: 2,
		Aliases: []string{"rect", "box", "roi", "rectangle-roi"}, Prompts: []string{"corner", "opposite corner"},
	},
	{
		Name: "ellipse", Title: "Ellipse", Shape: consult.ShapeEllipse, Construct: Region, Min: 2, Max: 4,
		Aliases: []string{"circle", "oval", "ellipse-roi"}, Prompts: []string{"corner of the box", "opposite corner of the box"},
	},
	{
		Name: "polygon", Title: "Freehand", Shape: consult.ShapePolygon, Construct: Region, Min: 3, Max: many,
		Aliases: []string{"freehand", "contour", "freehand-roi"}, Prompts: []string{"outline"},
	},
	{
		Name: "polyline", Title: "Polyline", Shape: consult.ShapePolyline, Construct: Length, Min: 2, Max: many,
		Aliases: []string{"path", "curve"}, Prompts: []string{"along the line"},
	},
	{Name: "arrow", Title: "Arrow", Shape: consult.ShapeArrow, Construct: Nothing, Min: 2, Max: 2, Prompts: []string{"tail", "head"}},
	{Name: "text", Title: "Text", Shape: consult.ShapeText, Construct: Nothing, Min: 1, Max: 1, Aliases: []string{"label", "note"}, Prompts: []string{"place"}},
	{Name: "key", Title: "Key image", Shape: consult.ShapeKey, Construct: Nothing, Min: 1, Max: 1, Aliases: []string{"key-image"}, Prompts: []string{"point of interest"}},
	{
		Name: "calibration", Title: "Calibration", Shape: consult.ShapeDistance, Construct: Scale, Min: 2, Max: 2,
		Aliases: []string{"calibrate"}, Prompts: []string{"start of the known length", "end of the known length"},
	},

	pairOfLines("hallux-valgus", "Hallux valgus angle", podiatry, []string{"hva"}, "first metatarsal axis, proximal", "first metatarsal axis, distal", "proximal phalanx axis, proximal", "proximal phalanx axis, distal"),
	pairOfLines("intermetatarsal", "Intermetatarsal angle 1–2", podiatry, []string{"ima", "intermetatarsal-1-2"}, "first metatarsal axis, proximal", "first metatarsal axis, distal", "second metatarsal axis, proximal", "second metatarsal axis, distal"),
	four("dmaa", "Distal metatarsal articular angle", podiatry, Perpendicular, []string{"distal-metatarsal-articular"}, "articular surface, medial", "articular surface, lateral", "first metatarsal axis, proximal", "first metatarsal axis, distal"),
	pairOfLines("calcaneal-pitch", "Calcaneal pitch", podiatry, []string{"calcaneal-inclination"}, "calcaneus, lowest point behind", "calcaneus, lowest point in front", "sole or floor, behind", "sole or floor, in front"),
	pairOfLines("meary", "Talo–first metatarsal angle (Meary)", podiatry, []string{"talo-first-metatarsal"}, "talar axis, proximal", "talar axis, distal", "first metatarsal axis, proximal", "first metatarsal axis, distal"),
	pairOfLines("kite", "Talocalcaneal angle (Kite)", podiatry, []string{"talocalcaneal"}, "talar axis, proximal", "talar axis, distal", "calcaneal axis, proximal", "calcaneal axis, distal"),
	three("bohler", "Böhler angle", podiatry, Supplement, []string{"böhler", "boehler"}, "calcaneal tuberosity, highest point", "posterior facet, highest point", "anterior process, highest point"),
	three("gissane", "Angle of Gissane", podiatry, Angle, nil, "posterior facet, upper end", "lowest point of the sulcus", "anterior process, upper end"),

	three("hip-knee-ankle", "Hip–knee–ankle angle", orthopaedics, Axis, []string{"hka"}, "centre of the femoral head", "centre of the knee", "centre of the ankle"),
	{
		Name: "leg-length", Title: "Leg length", Specialty: orthopaedics, Shape: consult.ShapeDistance, Construct: LegLength, Min: 2, Max: 4,
		Aliases: []string{"leg-length-discrepancy", "lld"},
		Prompts: []string{"top of the femoral head", "centre of the tibial plafond", "other leg: top of the femoral head", "other leg: centre of the tibial plafond"},
	},
	three("q-angle", "Q angle", orthopaedics, Supplement, []string{"q"}, "anterior superior iliac spine", "centre of the patella", "tibial tubercle"),
	three("centre-edge", "Centre–edge angle (Wiberg)", orthopaedics, CentreEdge, []string{"center-edge", "wiberg", "ce-angle"}, "lateral edge of the acetabular roof", "centre of the femoral head", "centre of the other femoral head"),
	four("insall-salvati", "Insall–Salvati ratio", orthopaedics, Ratio, nil, "patellar tendon, upper end", "patellar tendon, lower end", "patella, upper pole", "patella, lower pole"),

	four("pelvic-incidence", "Pelvic incidence", spine, Incidence, []string{"pi"}, "S1 endplate, posterior end", "S1 endplate, anterior end", "centre of a femoral head", "centre of the other femoral head"),
	four("pelvic-tilt", "Pelvic tilt", spine, Tilt, []string{"pt"}, "S1 endplate, posterior end", "S1 endplate, anterior end", "centre of a femoral head", "centre of the other femoral head"),
	{
		Name: "sacral-slope", Title: "Sacral slope", Specialty: spine, Shape: consult.ShapeDistance, Construct: Slope, Min: 2, Max: 2,
		Aliases: []string{"ss"}, Prompts: []string{"S1 endplate, posterior end", "S1 endplate, anterior end"},
	},
	four("lumbar-lordosis", "Lumbar lordosis", spine, Directed, []string{"ll", "lordosis"}, "L1 upper endplate, posterior end", "L1 upper endplate, anterior end", "S1 endplate, posterior end", "S1 endplate, anterior end"),

	four("cup-to-disc", "Cup-to-disc ratio", ophthalmology, Ratio, []string{"cdr", "cup-disc", "cup-to-disc-ratio"}, "cup, upper edge", "cup, lower edge", "disc, upper edge", "disc, lower edge"),

	three("norberg", "Norberg angle", veterinary, Angle, nil, "centre of the other femoral head", "centre of the femoral head", "craniolateral edge of the acetabulum"),
	four("tibial-plateau", "Tibial plateau angle", veterinary, Perpendicular, []string{"tpa", "tibial-plateau-angle"}, "intercondylar eminence", "centre of the talus", "tibial plateau, cranial end", "tibial plateau, caudal end"),
	{
		Name: "vertebral-heart-score", Title: "Vertebral heart score", Specialty: veterinary, Shape: consult.ShapePolyline, Construct: HeartScore, Min: 6, Max: 24,
		Aliases: []string{"vhs", "heart-score"},
		Prompts: []string{
			"long axis, carina", "long axis, apex", "short axis, one side", "short axis, other side", "cranial edge of T4", "cranial edge of the next vertebra",
		},
	},
}

func three(name, title, specialty string, c Construct, aliases []string, prompts ...string) Tool {
	return Tool{Name: name, Title: title, Specialty: specialty, Shape: consult.ShapeAngle, Construct: c, Prompts: prompts, Min: 3, Max: 3, Aliases: aliases}
}

func four(name, title, specialty string, c Construct, aliases []string, prompts ...string) Tool {
	return Tool{Name: name, Title: title, Specialty: specialty, Shape: consult.ShapeCobb, Construct: c, Prompts: prompts, Min: 4, Max: 4, Aliases: aliases}
}

func pairOfLines(name, title, specialty string, aliases []string, prompts ...string) Tool {
	return four(name, title, specialty, Lines, aliases, prompts...)
}

// Tools are all tools, the plain ones first.
func Tools() []Tool { return slices.Clone(tools) }

// FindTool finds a tool by name or alias, in any case, with spaces or
// underscores for dashes.
func FindTool(name string) (Tool, bool) {
	name = strings.NewReplacer(" ", "-", "_", "-").Replace(strings.ToLower(strings.TrimSpace(name)))
	for _, t := range tools {
		if t.Name == name || slices.Contains(t.Aliases, name) {
			return t, true
		}
	}
	return Tool{}, false
}

// plain reports whether the shape says which tool it is.
func (t *Tool) plain() bool {
	u, ok := FindTool(t.Shape.String())
	return ok && u.Name == t.Name
}

func (t *Tool) drawnAs(s consult.Shape) bool {
	return s == t.Shape || t.Construct == LegLength && s == consult.ShapeBidirectional
}

// ofPixels reports whether the tool reads values, whatever a pixel measures.
func (t *Tool) ofPixels() bool { return t.Construct == Probe || t.Construct == Region }

// pairs reports whether the tool takes one pair of points, or two.
func (t *Tool) pairs() bool { return t.Shape == consult.ShapeEllipse || t.Construct == LegLength }

func (t *Tool) accepts(points int) bool {
	return points >= t.Min && points <= t.Max && (!t.pairs() || points%2 == 0)
}

func (t *Tool) takes() string {
	switch {
	case t.Min == t.Max && t.Min == 1:
		return "1 point"
	case t.Min == t.Max:
		return fmt.Sprintf("%d points", t.Min)
	case t.pairs():
		return fmt.Sprintf("%d or %d points", t.Min, t.Max)
	}
	return fmt.Sprintf("%d to %d points", t.Min, t.Max)
}
