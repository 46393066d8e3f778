package raster

import (
	"image"
	"strconv"
	"strings"
)

// Depth is how many colours cells may use.
type Depth int

// Depths of cells.
const (
	TrueColor Depth = iota
	Grey256         // the grey ramp 232–255 of 256 colours
)

// CellOptions say how cells are drawn.
type CellOptions struct {
	Depth Depth
	Bits  int // of each channel: 6 while moving saves 40 % of the bytes, 8 at rest
}

// HalfSize and SextantSize are the pixels of one cell.
var (
	HalfSize    = image.Pt(1, 2)
	SextantSize = image.Pt(2, 3)
)

type rgb struct{ r, g, b byte }

// Half draws an image of w x 2h pixels as h rows of w upper half blocks.
func Half(img image.Image, o CellOptions) []string {
	p := of(img)
	rows := make([]string, p.h/2)
	for y := range rows {
		pen := pen{o: o}
		for x := range p.w {
			top := pen.colour(p.at(2*y*p.w + x))
			low := pen.colour(p.at((2*y+1)*p.w + x))
			if top == low {
				pen.put(pen.fg, low, ' ')
			} else {
				pen.put(top, low, '▀')
			}
		}
		rows[y] = pen.end()
	}
	return rows
}

// Sextant draws an image of 2w x 3h pixels as h rows of w cells, each split at
// its mean luminance.
func Sextant(img image.Image, o CellOptions) []string {
	p := of(img)
	w := p.w / 2
	rows := make([]string, p.h/3)
	for y := range rows {
		pen := pen{o: o}
		for x := range w {
			var c [6]rgb
			sum := 0
			for i := range c {
				c[i].r, c[i].g, c[i].b = p.at((3*y+i/2)*p.w + 2*x + i%2)
				sum += luma(c[i])
			}
			pen.sextant(c, sum)
		}
		rows[y] = pen.end()
	}
	return rows
}

func luma(c rgb) int { return 299*int(c.r) + 587*int(c.g) + 114*int(c.b) }

func (p *pen) sextant(c [6]rgb, sum int) {
	mask := 0
	var hi, lo [3]int
	n := 0
	for i, v := range c {
		side := &lo
		if 6*luma(v) > sum {
			mask |= 1 << i
			side = &hi
			n++
		}
		side[0] += int(v.r)
		side[1] += int(v.g)
		side[2] += int(v.b)
	}
	mean := func(s [3]int, n int) rgb {
		if n == 0 {
			return rgb{}
		}
		return p.colour(byte((s[0]+n/2)/n), byte((s[1]+n/2)/n), byte((s[2]+n/2)/n))
	}
	fg, bg := mean(hi, n), mean(lo, 6-n)
	if mask == 0 || fg == bg {
		p.put(p.fg, bg, ' ')
		return
	}
	p.put(fg, bg, SextantRune(mask))
}

// SextantRune is the glyph of a set of cells, bit 0 top left, bit 1 top right,
// and so on down (Unicode 13, Symbols for Legacy Computing). Left, right and
// full block lie elsewhere.
func SextantRune(mask int) rune {
	switch mask & 63 {
	case 0:
		return ' '
	case 21:
		return '▌'
	case 42:
		return '▐'
	case 63:
		return '█'
	}
	m := mask & 63
	r := 0x1FB00 + m - 1
	if m > 21 {
		r--
	}
	if m > 42 {
		r--
	}
	return rune(r)
}

// pen writes SGR only where a colour changes.
type pen struct {
	o      CellOptions
	b      strings.Builder
	fg, bg rgb
	fgSet  bool
	bgSet  bool
}

func (p *pen) colour(r, g, b byte) rgb {
	if p.o.Bits > 0 && p.o.Bits < 8 {
		keep := byte(0xff << (8 - p.o.Bits))
		spread := func(v byte) byte { return v&keep | v>>p.o.Bits }
		return rgb{spread(r), spread(g), spread(b)}
	}
	return rgb{r, g, b}
}

func (p *pen) put(fg, bg rgb, glyph rune) {
	if glyph != ' ' && (!p.fgSet || fg != p.fg) {
		p.sgr('3', fg)
		p.fg, p.fgSet = fg, true
	}
	if !p.bgSet || bg != p.bg {
		p.sgr('4', bg)
		p.bg, p.bgSet = bg, true
	}
	p.b.WriteRune(glyph)
}

func (p *pen) sgr(which byte, c rgb) {
	p.b.WriteString("\x1b[")
	p.b.WriteByte(which)
	if p.o.Depth == Grey256 {
		p.b.WriteString("8;5;")
		p.b.WriteString(strconv.Itoa(232 + min(luma(c)*24/255000, 23)))
	} else {
		p.b.WriteString("8;2;")
		p.b.WriteString(strconv.Itoa(int(c.r)))
		p.b.WriteByte(';')
		p.b.WriteString(strconv.Itoa(int(c.g)))
		p.b.WriteByte(';')
		p.b.WriteString(strconv.Itoa(int(c.b)))
	}
	p.b.WriteByte('m')
}

func (p *pen) end() string {
	p.b.WriteString("\x1b[0m")
	return p.b.String()
}

// Ramp draws an image of w x h pixels in plain characters, for a terminal
// without colours: a luminance ramp, dark to bright.
func Ramp(img image.Image) []string {
	const ramp = " .:-=+*#%@"
	p := of(img)
	rows := make([]string, p.h)
	for y := range rows {
		line := make([]byte, p.w)
		for x := range line {
			r, g, b := p.at(y*p.w + x)
			line[x] = ramp[luma(rgb{r, g, b})*len(ramp)/255001]
		}
		rows[y] = string(line)
	}
	return rows
}
