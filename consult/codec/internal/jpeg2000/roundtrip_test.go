package jpeg2000

import (
	"math/rand/v2"
	"testing"
)

func plain(w, h, comps, depth int) *encoding {
	e := &encoding{w: w, h: h, comps: comps, bits: depth, levels: 3, xcb: 4, ycb: 4, layers: 1, tw: w, th: h, parts: 1}
	for range comps {
		e.dx, e.dy = append(e.dx, 1), append(e.dy, 1)
	}
	return e
}

func (e *encoding) samples(r *rand.Rand) [][]int {
	out := make([][]int, e.comps)
	for c := range out {
		w, h := ceilDiv(e.x0+e.w, e.dx[c])-ceilDiv(e.x0, e.dx[c]), ceilDiv(e.y0+e.h, e.dy[c])-ceilDiv(e.y0, e.dy[c])
		for i := range w * h {
			v := (i%w*5 + i/w*3) << e.bits >> 9
			if i%w > w/2 {
				v += r.IntN(1 << e.bits)
			}
			v &= 1<<e.bits - 1
			if e.signed {
				v -= 1 << (e.bits - 1)
			}
			out[c] = append(out[c], v)
		}
	}
	return out
}

// check decodes what was encoded and compares every sample.
func (e *encoding) check(t *testing.T, r *rand.Rand) {
	t.Helper()
	planes := e.samples(r)
	code := e.encode(planes)
	im, err := Decode(code, Want{e.h, e.w, e.comps})
	if err != nil {
		t.Fatalf("%+v: %v", *e, err)
	}
	for c, plane := range planes {
		cx0, cy0 := ceilDiv(e.x0, e.dx[c]), ceilDiv(e.y0, e.dy[c])
		w, h := ceilDiv(e.x0+e.w, e.dx[c])-cx0, ceilDiv(e.y0+e.h, e.dy[c])-cy0
		for y := range e.h {
			for x := range e.w {
				cx, cy := max(0, min((e.x0+x)/e.dx[c]-cx0, w-1)), max(0, min((e.y0+y)/e.dy[c]-cy0, h-1))
				got := int(im.Samples[(y*e.w+x)*e.comps+c])
				if e.signed {
					got = int(int16(got))
				}
				if got != plane[cy*w+cx] {
					t.Fatalf("%+v: component %d at %d,%d: %d, want %d", *e, c, x, y, got, plane[cy*w+cx])
				}
			}
		}
	}
}

// Everything that the standard lets an encoder choose, drawn at random.
func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(800, 15444))
	for i := range 240 {
		e := plain(1+r.IntN(70), 1+r.IntN(70), 1+2*r.IntN(2), 1+i%16)
		e.signed, e.levels, e.layers = r.IntN(2) == 0, r.IntN(6), 1+r.IntN(4)
		e.xcb, e.ycb, e.style = 2+r.IntN(5), 2+r.IntN(5), byte(r.IntN(64))
		e.progression, e.sop, e.eph, e.mct = byte(r.IntN(5)), r.IntN(2) == 0, r.IntN(2) == 0, e.comps == 3 && r.IntN(2) == 0
		if r.IntN(2) == 0 {
			for range 6 {
				e.precincts = append(e.precincts, byte(3+r.IntN(4))|byte(3+r.IntN(4))<<4)
			}
		}
		if r.IntN(2) == 0 {
			e.x0, e.y0 = r.IntN(20), r.IntN(20)
			e.tx0, e.ty0 = r.IntN(e.x0+1), r.IntN(e.y0+1)
			e.tw, e.th = max(e.x0-e.tx0+1, 10+r.IntN(60)), max(e.y0-e.ty0+1, 10+r.IntN(60))
		}
		if e.comps == 3 && !e.mct && r.IntN(2) == 0 && e.w > 4 && e.h > 4 {
			e.dx, e.dy = []int{1, 1 + r.IntN(3), 2}, []int{1, 1 + r.IntN(3), 2}
		}
		e.parts, e.ppt = 1+r.IntN(3), r.IntN(3) == 0
		e.ppm = !e.ppt && r.IntN(3) == 0
		if r.IntN(3) == 0 && 2*(e.bits+4) <= planeMax+1 {
			e.roi = e.bits + 4
		}
		e.check(t, r)
	}
}

// The block coder of Part 15 within all that surrounds it.
func TestHTRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(814, 1))
	for i := range 150 {
		e := plain(1+r.IntN(70), 1+r.IntN(70), 1+2*r.IntN(2), 1+i%16)
		e.signed, e.levels, e.layers = r.IntN(2) == 0, r.IntN(6), 1+r.IntN(3)
		e.xcb, e.ycb, e.style, e.htSkip = 2+r.IntN(5), 2+r.IntN(5), styleHT, r.IntN(2) == 0
		e.progression, e.mct, e.parts = byte(r.IntN(5)), e.comps == 3 && r.IntN(2) == 0, 1+r.IntN(2)
		e.tw, e.th = max(10, e.w-r.IntN(30)), max(10, e.h-r.IntN(30))
		if r.IntN(4) == 0 && 2*(e.bits+4) <= planeMax+1 {
			e.roi = e.bits + 4
		}
		e.check(t, r)
	}
}

// Progression order changes: every order, cut by resolution, component and layer.
func TestProgressionChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for range 60 {
		e := plain(20+r.IntN(50), 20+r.IntN(50), 1+2*r.IntN(2), 8)
		e.layers = 1 + r.IntN(4)
		e.precincts = []byte{0x44, 0x55}
		for range r.IntN(4) {
			from, to := r.IntN(3), 1+r.IntN(e.comps)
			e.changes = append(e.changes, change{from, from + 1 + r.IntN(3), r.IntN(to), to, 1 + r.IntN(e.layers), byte(r.IntN(5))})
		}
		e.changes = append(e.changes, change{0, 33, 0, e.comps, e.layers, byte(r.IntN(5))}) // the rest
		e.parts, e.ppm = 1+r.IntN(2), r.IntN(2) == 0
		e.check(t, r)
	}
}
