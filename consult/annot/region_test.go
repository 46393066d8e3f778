package annot

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
)

// brute computes region statistics another way: all pixels, exact rationals for the
// even-odd rule, two passes for the deviation.
type brute struct {
	n, padding         int
	mean, sd, min, max float64
}

func bruteForce(contains func(x, y float64) bool, rows, cols int, value func(x, y int) (float64, bool)) brute {
	b := brute{min: math.Inf(1), max: math.Inf(-1)}
	var all []float64
	sum := 0.0
	for y := range rows {
		for x := range cols {
			if !contains(float64(x)+0.5, float64(y)+0.5) {
				continue
			}
			v, ok := value(x, y)
			if !ok {
				b.padding++
				continue
			}
			all = append(all, v)
			sum += v
			b.min, b.max = math.Min(b.min, v), math.Max(b.max, v)
		}
	}
	b.n, b.mean = len(all), sum/float64(len(all))
	for _, v := range all {
		b.sd += (v - b.mean) * (v - b.mean)
	}
	b.sd = math.Sqrt(b.sd / float64(b.n))
	return b
}

// ratPolygon is the even-odd rule in rationals: crossings to the left of the point.
func ratPolygon(p [][2]float64) func(x, y float64) bool {
	rat := func(v float64) *big.Rat { return big.NewRat(int64(math.Round(v*1000)), 1000) }
	var rx, ry []*big.Rat
	for _, q := range p {
		rx, ry = append(rx, rat(q[0])), append(ry, rat(q[1]))
	}
	return func(x, y float64) bool {
		in := false
		px, py := rat(x), rat(y)
		for i := range p {
			j := (i + 1) % len(p)
			ax, ay, bx, by := rx[i], ry[i], rx[j], ry[j]
			if (ay.Cmp(py) > 0) == (by.Cmp(py) > 0) {
				continue
			}
			k := new(big.Rat).Quo(new(big.Rat).Sub(py, ay), new(big.Rat).Sub(by, ay))
			at := new(big.Rat).Add(ax, k.Mul(k, new(big.Rat).Sub(bx, ax)))
			if at.Cmp(px) <= 0 {
				in = !in
			}
		}
		return in
	}
}

func same(t *testing.T, name string, m []Measured, want brute) {
	t.Helper()
	if want.n == 0 {
		if len(m) != 0 {
			t.Fatalf("%s: %+v where no pixel is", name, m)
		}
		return
	}
	for what, v := range map[string]float64{"mean": want.mean, "sd": want.sd, "min": want.min, "max": want.max, "n": float64(want.n)} {
		if got := named(t, m, what); math.Abs(got.Value-v) > 1e-9*max(1, math.Abs(v)) || got.N != want.n {
			t.Fatalf("%s: %s = %v of %d, want %v of %d", name, what, got.Value, got.N, v, want.n)
		}
	}
	if want.padding > 0 && named(t, m, "padding").Value != float64(want.padding) {
		t.Fatalf("%s: %+v, want %d padding", name, m, want.padding)
	}
}

// TestRegionsByBruteForce: exact, on random regions over random signed pixels with
// padding; some corners lie on centres and borders of pixels.
func TestRegionsByBruteForce(t *testing.T) {
	const rows, cols = 24, 30
	r := rand.New(rand.NewPCG(3, 4))
	px := signed()
	px.Padding = &study.Padding{Low: -2000, High: -2000}
	cells := make([]int, rows*cols)
	for i := range cells {
		if cells[i] = r.IntN(65536) - 32768; r.IntN(10) == 0 {
			cells[i] = -2000
		}
	}
	f := frame(t, px, rows, cols, func(x, y int) int { return cells[y*cols+x] })
	value := func(x, y int) (float64, bool) { c := cells[y*cols+x]; return float64(c) - 1024, c != -2000 }
	point := func() [2]float64 {
		p := [2]float64{r.Float64() * cols, r.Float64() * rows}
		if r.IntN(2) == 0 {
			p = [2]float64{math.Floor(p[0]*2) / 2, math.Floor(p[1]*2) / 2}
		}
		return [2]float64{math.Round(p[0]*500) / 500, math.Round(p[1]*500) / 500} // so that the middle of two is stored exactly
	}
	for range 40 {
		poly := make([][2]float64, 3+r.IntN(8))
		for i := range poly {
			poly[i] = point()
		}
		same(t, "polygon", measure(t, f, "polygon", poly...), bruteForce(ratPolygon(poly), rows, cols, value))
		a, b := point(), point()
		rect := [][2]float64{a, {b[0], a[1]}, b, {a[0], b[1]}}
		same(t, "rectangle", measure(t, f, "rectangle", a, b), bruteForce(ratPolygon(rect), rows, cols, value))
		cx, cy, hx, hy := (a[0]+b[0])/2, (a[1]+b[1])/2, math.Abs(a[0]-b[0])/2, math.Abs(a[1]-b[1])/2
		m := measure(t, f, "ellipse", a, b)
		same(t, "ellipse", m, bruteForce(func(x, y float64) bool {
			return hx > 0 && hy > 0 && (x-cx)*(x-cx)/(hx*hx)+(y-cy)*(y-cy)/(hy*hy) < 1-1e-12
		}, rows, cols, value))
		if len(m) > 0 && !near(named(t, m, "area").Value, math.Pi*hx*hy*0.5*0.25) {
			t.Fatalf("area of the ellipse: %+v", m)
		}
	}
}

// TestRotatedEllipse: axes at an angle, and in either order of points.
func TestRotatedEllipse(t *testing.T) {
	const rows, cols = 120, 130
	f := frame(t, signed(), rows, cols, func(x, y int) int { return x*7 - y*3 })
	value := func(x, y int) (float64, bool) { return float64(x*7-y*3) - 1024, true }
	c := [2]float64{60, 55}
	for deg := 0.0; deg < 180; deg += 7 {
		u, v := polar(c, 40, deg), polar(c, 20, deg+90)
		u2, v2 := polar(c, 40, deg+180), polar(c, 20, deg+270)
		s, k := math.Sincos(-deg * math.Pi / 180)
		want := bruteForce(func(x, y float64) bool {
			a, b := (x-c[0])*k+(y-c[1])*s, -(x-c[0])*s+(y-c[1])*k
			return a*a/1600+b*b/400 < 1
		}, rows, cols, value)
		for _, p := range [][][2]float64{{u, u2, v, v2}, {u, v, u2, v2}} {
			m := measure(t, f, "ellipse", p...)
			// The axes are stored in thousandths: a centre right on the border may fall either way.
			if n := named(t, m, "n").Value; math.Abs(n-float64(want.n)) > 2 || math.Abs(m[0].Value-want.mean) > 0.2 {
				t.Errorf("%v°: %v pixels of mean %v, want %d of %v", deg, n, m[0].Value, want.n, want.mean)
			}
		}
	}
}

func TestColourRegion(t *testing.T) {
	px := study.Pixel{Photometric: "RGB", Samples: 3, BitsAllocated: 8, BitsStored: 8, HighBit: 7, Slope: 1}
	f := frame(t, px, 10, 10, func(x, y int) int { return x | (2*y)<<8 | 200<<16 })
	m := measure(t, f, "rectangle", [2]float64{2, 4}, [2]float64{6, 8})
	for name, want := range map[string]float64{
		"mean red": 3.5, "sd red": math.Sqrt(1.25), "min green": 8, "max green": 14, "mean blue": 200, "sd blue": 0, "area": 16, "n": 16,
	} {
		if got := named(t, m, name); !near(got.Value, want) {
			t.Errorf("%s: %+v, want %v", name, got, want)
		}
	}
	if got := named(t, m, "area"); got.Unit != "px2" || got.Calibration != uncalibrated {
		t.Errorf("area: %+v", got)
	}
	if p := measure(t, f, "point", [2]float64{3.5, 2.5}); len(p) != 3 || p[0].Value != 3 || p[1].Value != 4 || p[2].Value != 200 {
		t.Errorf("point: %+v", p)
	}
}

// TestUptake: PET also says SUV where it can be computed (PS3.3 C.8.9).
func TestUptake(t *testing.T) {
	px := signed()
	px.Modality, px.Intercept, px.PET = "PT", 0, &study.PET{Units: "GML", SUVType: "BW"}
	cell := func(x, y int) int { return x + y }
	f := frame(t, px, 10, 10, cell)
	m := measure(t, f, "rectangle", [2]float64{0, 0}, [2]float64{4, 1})
	if named(t, m, "suv mean").Value != 1.5 || named(t, m, "suv max").Value != 3 || named(t, m, "suv max").Unit != "SUV" {
		t.Errorf("%+v", m)
	}
	if p := measure(t, f, "point", [2]float64{2.5, 2.5}); named(t, p, "suv").Value != 4 {
		t.Errorf("%+v", p)
	}
	px.PET = &study.PET{Units: "CNTS"}
	own := measure(t, frame(t, px, 10, 10, cell), "rectangle", [2]float64{0, 0}, [2]float64{4, 1})
	for _, x := range own {
		if x.Unit == "SUV" {
			t.Errorf("%+v of counts", x)
		}
	}
	v := Values(m)
	for i := range 4 { // mean, SD, min, max are in units of the image
		v[i].Unit = own[i].Unit
	}
	if Differs(v, own) {
		t.Error("differs for what cannot be computed here")
	}
}

// TestEmptyRegion: no pixel centre inside, or padding alone, is no number.
func TestEmptyRegion(t *testing.T) {
	px := signed()
	px.Padding = &study.Padding{Low: 0, High: 0}
	f := frame(t, px, 10, 10, func(x, _ int) int { return x / 5 })
	for name, p := range map[string][2][2]float64{"small": {{7.6, 7.6}, {8.4, 8.4}}, "padding": {{0, 0}, {5, 10}}, "flat": {{7, 3}, {9, 3}}} {
		if m := measure(t, f, "rectangle", p[0], p[1]); len(m) != 0 {
			t.Errorf("%s: %+v", name, m)
		}
		if m := measure(t, f, "ellipse", p[0], p[1]); len(m) != 0 {
			t.Errorf("%s, ellipse: %+v", name, m)
		}
	}
	if m := measure(t, f, "point", [2]float64{1, 1}); len(m) != 0 {
		t.Errorf("a padding pixel has a value: %+v", m)
	}
}

// TestPhantom measures the lesion of the CT phantom, whose diameter, place and
// density are known by construction.
func TestPhantom(t *testing.T) {
	const side = 512
	s := phantom.CT(phantom.Options{Seed: 7, Slices: 60, Side: side, LesionMM: 12})
	f := phantomFrame(t, s.Files[s.Lesion.Slice])
	spacing := f.Pixel().PixelSpacing[1]
	l := s.Lesion
	px := f.Pixel()
	dz := l.MM[2] - px.Position[2]
	want := 2 * math.Sqrt(l.Diam*l.Diam/4-dz*dz) // of the sphere in this slice
	// The ends of the diameter through the centre of mass of the lesion's pixels.
	var n, sx, sy float64
	for y := int(l.Y) - 12; y <= int(l.Y)+12; y++ {
		for x := int(l.X) - 12; x <= int(l.X)+12; x++ {
			if v, _ := f.Probe(x, y); v.Value > -400 && math.Hypot(float64(x)-l.X, float64(y)-l.Y) < 12 {
				n, sx, sy = n+1, sx+float64(x)+0.5, sy+float64(y)+0.5
			}
		}
	}
	half := math.Sqrt(n / math.Pi)
	for deg := 0.0; deg < 180; deg += 15 {
		c := [2]float64{sx / n, sy / n}
		if m := measure(t, f, "length", polar(c, half, deg), polar(c, half, deg+180))[0]; math.Abs(m.Value-want)/spacing > 0.5 {
			t.Errorf("diameter at %v°: %v mm, is %v", deg, m.Value, want)
		}
	}
	r := l.Diam / spacing / 2 * 0.6
	m := measure(t, f, "ellipse", [2]float64{l.X - r, l.Y - r}, [2]float64{l.X + r, l.Y + r})
	if math.Abs(m[0].Value-l.MeanHU) > 10 || m[0].Unit != "HU" {
		t.Errorf("mean %+v, is %v", m[0], l.MeanHU)
	}
	if area := named(t, m, "area"); math.Abs(area.Value-math.Pi*r*r*spacing*spacing) > 0.01 {
		t.Errorf("area %+v", area)
	}
}

// moves turn and shift the plane; what is measured must not change, or scale.
func TestInvariance(t *testing.T) {
	f := square(t)
	r := rand.New(rand.NewPCG(5, 6))
	for _, x := range Tools() {
		if x.Construct == Probe || x.Construct == Nothing || x.Construct == Slope || x.Construct == Tilt || x.Construct == Incidence || x.Construct == Region {
			continue // of pixels, or of what is vertical
		}
		for range 30 {
			n := x.Min
			p := make([][2]float64, n)
			for i := range p {
				p[i] = [2]float64{float64(20 + r.IntN(100)), float64(20 + r.IntN(100))}
			}
			base, err := Measure(draw(t, f, x.Name, p...), f)
			if err != nil {
				continue
			}
			check := func(what string, scale float64, move func([2]float64) [2]float64) {
				q := make([][2]float64, n)
				for i := range q {
					q[i] = move(p[i])
				}
				for i, m := range measure(t, f, x.Name, q...) {
					want := base[i].Value
					if m.Unit == "mm" {
						want *= scale
					}
					if !near(m.Value, want) {
						t.Fatalf("%s, %s: %s = %v, want %v", x.Name, what, m.Name, m.Value, want)
					}
				}
			}
			check("moved", 1, func(p [2]float64) [2]float64 { return [2]float64{p[0] + 117, p[1] + 31.5} })
			check("turned", 1, func(p [2]float64) [2]float64 { return [2]float64{300 - p[1], p[0]} })
			check("twice", 2, func(p [2]float64) [2]float64 { return [2]float64{p[0] * 2, p[1] * 2} })
		}
	}
}

// TestSharedEdge: regions side by side share no pixel and miss none.
func TestSharedEdge(t *testing.T) {
	f := square(t)
	a := measure(t, f, "rectangle", [2]float64{10, 10}, [2]float64{20.5, 30})
	b := measure(t, f, "rectangle", [2]float64{20.5, 10}, [2]float64{40, 30})
	all := measure(t, f, "rectangle", [2]float64{10, 10}, [2]float64{40, 30})
	if named(t, a, "n").Value+named(t, b, "n").Value != named(t, all, "n").Value {
		t.Errorf("%v + %v pixels are not %v", named(t, a, "n").Value, named(t, b, "n").Value, named(t, all, "n").Value)
	}
}

// A polygon of as many points as there can be, over a big image, takes no longer
// than its rows.
func TestLargestPolygon(t *testing.T) {
	px := signed()
	f := flat(t, px, 1500, 1500)
	p := make([][2]float64, consult.PointsMax)
	for i := range p {
		p[i] = [2]float64{float64(i%2) * 1500, float64(i) * 1500 / consult.PointsMax}
	}
	if m := measure(t, f, "polygon", p...); len(m) == 0 {
		t.Error("nothing measured")
	}
}

func FuzzMeasure(f *testing.F) {
	fr := frame(f, signed(), 60, 70, func(x, y int) int { return x * y })
	for _, x := range Tools() {
		g, err := New(x, make([][2]float64, x.Min), 60, 70)
		if err != nil {
			continue
		}
		raw, err := g.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := consult.DecodeGeometry(b)
		if err != nil {
			return
		}
		for _, p := range Paths(g) {
			if len(p.Points) == 0 {
				t.Fatal("an empty path")
			}
		}
		m, err := Measure(g, fr)
		if err != nil {
			return
		}
		v := Values(m)
		if _, err := v.Encode(); err != nil || len(v) != len(m) || Differs(v, m) {
			t.Fatalf("%+v do not come back: %v", m, err)
		}
	})
}
