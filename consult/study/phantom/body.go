package phantom

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
)

// body holds what the slices share.
type body struct {
	seed    uint64
	lesionC [3]float64
	lesionR float64
	vessels []vessel
}

// vessel is a tube through a lung, thinner away from the heart.
type vessel struct{ x, y, slopeX, slopeY, r float64 }

// HU of what is in the phantom.
const (
	huAir    = -1000
	huFat    = -100
	huMuscle = 45
	huHeart  = 40
	huBone   = 420
	huLung   = -860
	huVessel = 30
	huLesion = 35
)

func newBody(o Options) *body {
	r := rand.New(rand.NewPCG(o.Seed, 2))
	b := &body{seed: o.Seed, lesionR: o.LesionMM / 2}
	depth := float64(o.Slices) * spacingMM
	// Patient right is x < 0 (LPS).
	b.lesionC = [3]float64{-75 + 20*r.Float64(), -20 + 40*r.Float64(), (r.Float64() - 0.5) * 0.4 * depth}
	for range 40 {
		side := float64(r.IntN(2)*2 - 1)
		b.vessels = append(b.vessels, vessel{
			x: side * (40 + 60*r.Float64()), y: -40 + 80*r.Float64(),
			slopeX: 0.4 * (r.Float64() - 0.5), slopeY: 0.4 * (r.Float64() - 0.5), r: 1 + 2*r.Float64(),
		})
	}
	return b
}

func (b *body) lesion(o Options) Lesion {
	if b.lesionR <= 0 {
		return Lesion{}
	}
	slice := int(math.Round(b.lesionC[2]/spacingMM + float64(o.Slices-1)/2))
	slice = max(0, min(slice, o.Slices-1))
	px := fieldMM / float64(o.Side)
	return Lesion{
		MM: b.lesionC, X: (b.lesionC[0] + fieldMM/2) / px, Y: (b.lesionC[1] + fieldMM/2) / px,
		Slice: slice, Diam: 2 * b.lesionR, MeanHU: huLesion,
	}
}

// slice makes the pixels of slice i, 12 bits in 16, little-endian.
func (b *body) slice(o Options, i int) []byte {
	n := o.Side
	out := make([]byte, 2*n*n)
	noise := rand.NewPCG(b.seed, uint64(1000+o.Series*100_000+i))
	z := sliceZ(o, i)
	shape := newShape(b, z, float64(o.Slices)*spacingMM)
	px := fieldMM / float64(n)
	for row := range n {
		y := (float64(row)+0.5)*px - fieldMM/2
		line := out[2*n*row : 2*n*(row+1)]
		for col := range n {
			x := (float64(col)+0.5)*px - fieldMM/2
			hu, sd := shape.at(x, y)
			u := noise.Uint64()
			// 32 coins have a standard deviation of 2.8; the low bits fill the gaps.
			g := (bits.OnesCount32(uint32(u))-16)*4 + int(u>>32&3)
			v := hu + g*sd/11 - intercept
			binary.LittleEndian.PutUint16(line[2*col:], uint16(max(0, min(v, 4095))))
		}
	}
	copy(out[min(len(out), 4*n):], o.Canary)
	return out
}

// shape is one slice's geometry.
type shape struct {
	lungs   float64 // scale of the lungs at this height, 0 where there are none
	lesion2 float64 // squared radius of the lesion's disc
	cx, cy  float64
	vessels []vessel
}

func newShape(b *body, z, depth float64) shape {
	s := shape{cx: b.lesionC[0], cy: b.lesionC[1]}
	if t := 2 * z / (depth * 1.15); t > -1 && t < 1 {
		s.lungs = math.Sqrt(1 - t*t)
	}
	if b.lesionR > 0 {
		s.lesion2 = b.lesionR*b.lesionR - (z-b.lesionC[2])*(z-b.lesionC[2])
	}
	for _, v := range b.vessels {
		v.x, v.y = v.x+v.slopeX*z, v.y+v.slopeY*z
		s.vessels = append(s.vessels, v)
	}
	return s
}

func ellipse(x, y, a, b float64) float64 { return x*x/(a*a) + y*y/(b*b) }

// at gives the mean HU and the noise of a point.
func (s *shape) at(x, y float64) (hu, sd int) {
	outer := ellipse(x, y, 160, 115)
	if outer > 1 {
		return huAir, 4
	}
	if dx, dy := x-s.cx, y-s.cy; dx*dx+dy*dy < s.lesion2 {
		return huLesion, 14
	}
	switch {
	case outer > 0.85:
		return huFat, 12
	case ellipse(x, y-80, 16, 18) < 1:
		return huBone, 20
	case ellipse(x-18, y+20, 48, 40) < 1:
		return huHeart, 14
	}
	side := x
	if side < 0 {
		side = -side
	}
	if s.lungs > 0 && ellipse(side-78, y-5, 55*s.lungs, 82*s.lungs) < 1 {
		return s.inLung(x, y)
	}
	return huMuscle, 14
}

func (s *shape) inLung(x, y float64) (hu, sd int) {
	for i := range s.vessels {
		v := &s.vessels[i]
		if dx, dy := x-v.x, y-v.y; dx*dx+dy*dy < v.r*v.r {
			return huVessel, 14
		}
	}
	return huLung, 22
}
