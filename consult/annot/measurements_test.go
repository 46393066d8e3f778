package annot

import (
	"fmt"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
)

// tracked are marks of every tool that measures, on two images.
func tracked(t testing.TB) (*study.Instance, []Tracked) {
	t.Helper()
	_, of := ctStudy(t)
	multi := *of[1]
	multi.Pixel.Frames, multi.SOPClass = 20, "1.2.840.10008.5.1.4.1.1.2.1"
	var out []Tracked
	for i, tool := range Tools() {
		points := [][2]float64{{10, 10}, {30, 12}, {14, 30}, {33, 40}, {20, 20}, {20, 28}}
		if tool.Shape == consult.ShapeEllipse {
			points = points[:2]
		}
		n := min(max(tool.Min, min(len(points), tool.Max)), len(points))
		if tool.Construct == LegLength {
			n = 4
		}
		g, err := New(tool, points[:n], 64, 64)
		if err != nil {
			t.Fatalf("%s: %v", tool.Name, err)
		}
		m := Tracked{Marked: Marked{Image: of[0], Frame: 1, Geometry: g, Author: "Dr A", Label: "Knoten, 肺"}, UID: fmt.Sprintf("2.25.77%d", i)}
		if i%2 == 1 {
			m.Image, m.Frame, m.Label = &multi, 7, ""
		}
		m.Values = consult.Values{}
		for _, v := range map[Construct][]string{
			Region: {"mean HU", "sd HU", "min HU", "max HU", "suv mean SUV", "area mm2", "n "}, Probe: {"value HU"}, Length: {"length mm"}, Scale: {"true length mm"},
			Two: {"long px", "short px"}, LegLength: {"first mm", "second mm", "difference mm"}, Ratio: {"ratio "}, HeartScore: {"score ", "long ", "short "},
			Nothing: {}, Axis: {"angle deg", "deviation deg"}, Incidence: {"angle deg", "tilt deg", "slope deg"},
		}[tool.Construct] {
			name, unit, _ := strings.Cut(reverseCut(v), "\x00")
			m.Values = append(m.Values, consult.Value{Name: name, Thousandths: 8200, Unit: unit, Calibration: pixelSpacing})
		}
		if len(m.Values) == 0 && tool.Construct != Nothing {
			m.Values = consult.Values{{Name: "angle", Thousandths: 12_345, Unit: "deg"}}
		}
		out = append(out, m)
	}
	return of[0], out
}

// reverseCut parts name and unit at the last space.
func reverseCut(s string) string {
	i := strings.LastIndex(s, " ")
	return s[:i] + "\x00" + s[i+1:]
}

func reportHead(of *study.Instance) *object.Report {
	return &object.Report{Made: made(6), Of: of, Author: "Dr A", Description: "Measurements", Language: "en"}
}

func measurements(t testing.TB) []byte {
	t.Helper()
	of, marks := tracked(t)
	b, err := WriteMeasurements(reportHead(of), marks)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTID1500 checks the rows of PS3.16 TID 1500, 1501, 1410, 1419, 300 and 1600 that must be there,
// for a mark of every tool.
func TestTID1500(t *testing.T) {
	o, err := object.Read(measurements(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range checkTID1500(o.Set) {
		t.Error(p)
	}
	_, marks := tracked(t)
	want := 0
	for i := range marks {
		if marks[i].Measures() {
			want++
		}
	}
	groups := find(o.Set, "126010").Items(0x0040A730)
	if len(groups) != want || want < 20 {
		t.Errorf("%d groups, want %d", len(groups), want)
	}
	for name, spoil := range map[string]func(object.Set){
		"title": func(s object.Set) {
			s.Find(0x0040A043).Items = []object.Set{object.DCM("126010", "Imaging Measurements")}
		},
		"procedure": func(s object.Set) { drop(s, "121058") },
		"language":  func(s object.Set) { drop(s, "121049") },
		"observer":  func(s object.Set) { drop(s, "121008") },
		"groups":    func(s object.Set) { drop(s, "126010") },
		"tracking":  func(s object.Set) { drop(find(s, "126010").Items(0x0040A730)[0], "112040") },
		"unit": func(s object.Set) {
			find(find(s, "126010").Items(0x0040A730)[1], "410668003").First(0x0040A300).Find(0x004008EA).Items = nil
		},
		"image": func(s object.Set) {
			find(find(find(s, "126010").Items(0x0040A730)[1], "410668003"), "121055").Find(0x0040A730).Items = nil
		},
		"evidence": func(s object.Set) { s.First(0x0040A375).First(0x00081115).Find(0x00081199).Items = nil },
		"library":  func(s object.Set) { find(find(s, "111028"), "126200").Find(0x0040A730).Items = nil },
	} {
		bad, err := object.Read(measurements(t))
		if err != nil {
			t.Fatal(err)
		}
		spoil(bad.Set)
		if len(checkTID1500(bad.Set)) == 0 {
			t.Errorf("%s: the checker finds nothing", name)
		}
	}
	if _, err := WriteMeasurements(reportHead(marks[0].Image), nil); err == nil {
		t.Error("a report of nothing")
	}
}

// find is the first item of a set with a concept.
func find(s object.Set, code string) object.Set {
	for _, item := range s.Items(0x0040A730) {
		if conceptOf(item) == code {
			return item
		}
	}
	return nil
}

func drop(s object.Set, code string) {
	c := s.Find(0x0040A730)
	for i, item := range c.Items {
		if conceptOf(item) == code {
			c.Items = append(c.Items[:i:i], c.Items[i+1:]...)
			return
		}
	}
}

func conceptOf(s object.Set) string { return s.First(0x0040A043).Text(0x00080100) }

// checker is the template as rules.
type checker struct {
	named    map[string]bool // evidence
	library  map[string]bool
	problems []string
}

func (c *checker) bad(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func checkTID1500(s object.Set) []string {
	c := &checker{named: map[string]bool{}, library: map[string]bool{}}
	for _, series := range s.First(0x0040A375).Items(0x00081115) {
		for _, r := range series.Items(0x00081199) {
			c.named[r.UID(0x00081155)] = true
		}
	}
	if conceptOf(s) != "126000" || s.First(0x0040A504).Text(0x0040DB00) != "1500" { // row 1, CID 7021
		c.bad("row 1: title and template")
	}
	count := map[string]int{}
	for _, item := range s.Items(0x0040A730) {
		relation, kind, code := item.Text(0x0040A010), item.Text(0x0040A040), conceptOf(item)
		count[code]++
		switch code {
		case "121049": // row 2, TID 1204
			c.want(relation == "HAS CONCEPT MOD" && kind == "CODE" && item.First(0x0040A168).Text(0x00080102) == "RFC5646", "language")
		case "121005": // row 4, TID 1001, 1002
			c.want(relation == "HAS OBS CONTEXT" && item.First(0x0040A168).Text(0x00080100) == "121006", "observer type")
		case "121008": // TID 1003
			c.want(relation == "HAS OBS CONTEXT" && kind == "PNAME" && item.Text(0x0040A123) != "", "observer's name")
		case "121058": // row 5
			c.want(relation == "HAS CONCEPT MOD" && kind == "CODE" && item.First(0x0040A168) != nil, "procedure reported")
		case "111028": // row 6, TID 1600
			c.checkLibrary(item)
		case "126010": // row 7
			c.want(relation == "CONTAINS" && kind == "CONTAINER", "imaging measurements")
			for _, g := range item.Items(0x0040A730) {
				c.group(g)
			}
		default:
			c.bad("not of the template: %s", code)
		}
	}
	for _, code := range []string{"121049", "121005", "121008", "121058", "111028", "126010"} {
		c.want(count[code] == 1, code+" is there once")
	}
	return c.problems
}

func (c *checker) want(ok bool, what string) {
	if !ok {
		c.bad("%s", what)
	}
}

// checkLibrary is TID 1600: a group with at least one image (TID 1601).
func (c *checker) checkLibrary(s object.Set) {
	n := 0
	for _, g := range s.Items(0x0040A730) {
		c.want(conceptOf(g) == "126200" && g.Text(0x0040A010) == "CONTAINS", "TID 1600 row 2")
		for _, i := range g.Items(0x0040A730) {
			n++
			c.library[i.First(0x00081199).UID(0x00081155)] = true
			c.image(i, "CONTAINS")
		}
	}
	c.want(n > 0, "TID 1600 row 4: an image")
}

func (c *checker) image(s object.Set, relation string) {
	uid := s.First(0x00081199).UID(0x00081155)
	c.want(s.Text(0x0040A040) == "IMAGE" && s.Text(0x0040A010) == relation && uid != "" && c.named[uid], "an image, which is among the evidence")
}

// group is TID 1501, or with an image region TID 1410.
func (c *checker) group(s object.Set) {
	c.want(conceptOf(s) == "125007" && s.Text(0x0040A040) == "CONTAINER" && s.Text(0x0040A010) == "CONTAINS", "row 1: measurement group")
	regions, tracking := 0, 0
	for _, item := range s.Items(0x0040A730) {
		relation, kind, code := item.Text(0x0040A010), item.Text(0x0040A040), conceptOf(item)
		switch {
		case code == "112039":
			tracking++
			c.want(relation == "HAS OBS CONTEXT" && kind == "TEXT" && item.Text(0x0040A160) != "", "tracking identifier")
		case code == "112040":
			tracking++
			c.want(relation == "HAS OBS CONTEXT" && kind == "UIDREF" && item.UID(0x0040A124) != "", "tracking unique identifier")
		case code == "111030": // TID 1410 row 6
			regions++
			c.coordinates(item, "CONTAINS", true)
		case kind == "NUM":
			c.number(item, regions > 0)
		case code == "121106" && kind == "TEXT" && relation == "CONTAINS": // extensible
		default:
			c.bad("not of a group: %s %s", kind, code)
		}
	}
	c.want(tracking == 2 && regions <= 1, "both tracking identifiers, and at most one region")
}

// number is TID 300 (TID 1419 row 5).
func (c *checker) number(s object.Set, region bool) {
	names := map[string]bool{
		"410668003": true, "103339001": true, "103340004": true, "1483009": true, "42798000": true, "112031": true, "110852": true, "126401": true,
	}
	derivations := map[string]bool{"373098007": true, "386136009": true, "255605001": true, "56851009": true}
	v := s.First(0x0040A300)
	c.want(s.Text(0x0040A010) == "CONTAINS" && names[conceptOf(s)], "TID 300 row 1: a concept that was checked")
	c.want(len(v.Numbers(0x0040A30A)) == 1 && v.First(0x004008EA).Text(0x00080102) == "UCUM", "a number with its unit")
	inferred := 0
	for _, item := range s.Items(0x0040A730) {
		switch conceptOf(item) {
		case "121401":
			c.want(item.Text(0x0040A010) == "HAS CONCEPT MOD" && derivations[item.First(0x0040A168).Text(0x00080100)], "derivation")
		case "121055":
			inferred++
			c.coordinates(item, "INFERRED FROM", false)
		default:
			c.bad("not of a measurement: %s", conceptOf(item))
		}
	}
	c.want(region == (inferred == 0), "measured on the region, or inferred from coordinates")
}

// coordinates are on exactly one image of the library.
func (c *checker) coordinates(s object.Set, relation string, closed bool) {
	n := s.Numbers(0x00700022)
	kind := s.Text(0x00700023)
	c.want(s.Text(0x0040A040) == "SCOORD" && s.Text(0x0040A010) == relation && len(n) >= 2 && len(n)%2 == 0, "coordinates")
	if closed {
		c.want(kind == "ELLIPSE" && len(n) == 8 || kind == "POLYLINE" && n[0] == n[len(n)-2] && n[1] == n[len(n)-1], "a region is closed")
	}
	from := s.Items(0x0040A730)
	if c.want(len(from) == 1, "coordinates are on one image"); len(from) == 1 {
		c.image(from[0], "SELECTED FROM")
		c.want(c.library[from[0].First(0x00081199).UID(0x00081155)], "the image is in the library")
	}
}

func TestMeasurementsOutside(t *testing.T) {
	file := save(t, "tid1500.dcm", measurements(t))
	t.Run("dciodvfy", func(t *testing.T) { tool(t, "dciodvfy"); valid(t, file) })
	t.Run("dsrdump", func(t *testing.T) {
		tool(t, "dsrdump")
		if out := run(t, "dsrdump", file); !strings.Contains(out, "Imaging Measurement Report") || strings.Contains(out, "\nE:") || strings.Contains(out, "invalid") {
			t.Error(out)
		}
	})
}
