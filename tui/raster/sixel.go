package raster

import (
	"image"
	"strconv"
	"strings"
)

// Sixel encodes an image as one DCS string, drawn at the cursor. The height
// must be a multiple of 6, or a terminal may scroll; rows beyond it are left out.
// Grey pixels use 64 fixed greys, others a 6x6x5 cube beside them: no dithering.
func Sixel(img image.Image) string {
	p := of(img)
	e := sixel{p: p, index: make([]byte, p.w*p.h)}
	e.quantise()
	e.b.Grow(p.w * p.h / 2)
	e.b.WriteString("\x1bP0;1;0q\"1;1;")
	e.b.WriteString(strconv.Itoa(p.w))
	e.b.WriteByte(';')
	e.b.WriteString(strconv.Itoa(p.h / 6 * 6))
	e.palette()
	for y := 0; y+6 <= p.h; y += 6 {
		e.band(y)
	}
	e.b.WriteString("\x1b\\")
	return e.b.String()
}

type sixel struct {
	p     pix
	index []byte
	seen  [256]bool
	b     strings.Builder
	bits  [256][]byte // of the band at hand
}

func (e *sixel) quantise() {
	if e.p.grey != nil {
		for i, v := range e.p.grey[:len(e.index)] {
			e.index[i] = v >> 2
			e.seen[v>>2] = true
		}
		return
	}
	for i := range e.index {
		r, g, b := e.p.at(i)
		c := r >> 2
		if r != g || g != b {
			c = sixelGreys + (r/43*6+g/43)*5 + b/52
		}
		e.index[i] = c
		e.seen[c] = true
	}
}

// palette defines the colours in use, in percent.
func (e *sixel) palette() {
	for c, used := range e.seen {
		if !used {
			continue
		}
		var r, g, b int
		if c < sixelGreys {
			r = (c*100 + 31) / 63
			g, b = r, r
		} else {
			n := c - sixelGreys
			r, g, b = n/30*20, n/5%6*20, n%5*25
		}
		e.b.WriteByte('#')
		e.b.WriteString(strconv.Itoa(c))
		e.b.WriteString(";2;")
		e.b.WriteString(strconv.Itoa(r))
		e.b.WriteByte(';')
		e.b.WriteString(strconv.Itoa(g))
		e.b.WriteByte(';')
		e.b.WriteString(strconv.Itoa(b))
	}
}

// band writes six rows: one pass a colour, '$' back to the left, '-' next band.
func (e *sixel) band(y int) {
	w := e.p.w
	var used []int
	for r := range 6 {
		row := e.index[(y+r)*w : (y+r+1)*w]
		bit := byte(1) << r
		for x, c := range row {
			line := e.bits[c]
			if line == nil {
				line = make([]byte, w)
				e.bits[c] = line
			}
			line[x] |= bit
		}
	}
	for c := range e.bits {
		if e.bits[c] != nil && touched(e.bits[c]) {
			used = append(used, c)
		}
	}
	for i, c := range used {
		if i > 0 {
			e.b.WriteByte('$')
		}
		e.b.WriteByte('#')
		e.b.WriteString(strconv.Itoa(c))
		e.line(e.bits[c])
		clear(e.bits[c])
	}
	e.b.WriteByte('-')
}

func touched(line []byte) bool {
	for _, v := range line {
		if v != 0 {
			return true
		}
	}
	return false
}

// line writes one colour of a band, runs of four or more shortened; what is
// empty at the right is left out.
func (e *sixel) line(line []byte) {
	end := len(line)
	for end > 0 && line[end-1] == 0 {
		end--
	}
	for x := 0; x < end; {
		n := 1
		for x+n < end && line[x+n] == line[x] {
			n++
		}
		c := line[x] + 63
		if n > 3 {
			e.b.WriteByte('!')
			e.b.WriteString(strconv.Itoa(n))
			e.b.WriteByte(c)
		} else {
			for range n {
				e.b.WriteByte(c)
			}
		}
		x += n
	}
}
