package tuitest

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi/kitty"
)

// kittyStore keeps the pictures that were transmitted inline.
type kittyStore struct {
	images  map[uint32]image.Image
	grid    map[uint32]image.Point // columns and rows of the virtual placement
	id      uint32
	pending strings.Builder
}

// apc handles one kitty graphics command.
func (s *Screen) apc(data []byte) bool {
	if !s.opt.Kitty || len(data) == 0 || data[0] != 'G' {
		return true // counted as nothing: a terminal without pictures ignores it
	}
	opts, payload, _ := strings.Cut(string(data[1:]), ";")
	o := map[string]string{}
	for f := range strings.SplitSeq(opts, ",") {
		k, v, _ := strings.Cut(f, "=")
		o[k] = v
	}
	id := uint32(number(o["i"]))
	switch o["a"] {
	case "q":
		s.answer("\x1b_Gi=" + o["i"] + ";OK\x1b\\")
		return true
	case "d":
		delete(s.kitty.images, id)
		delete(s.kitty.grid, id)
		return true
	case "T", "t":
		s.kitty.id = id
		s.kitty.pending.Reset()
		if s.kitty.grid == nil {
			s.kitty.grid, s.kitty.images = map[uint32]image.Point{}, map[uint32]image.Image{}
		}
		s.kitty.grid[id] = image.Pt(number(o["c"]), number(o["r"]))
	}
	s.kitty.pending.WriteString(payload)
	if o["m"] == "1" {
		return true
	}
	raw, err := base64.StdEncoding.DecodeString(s.kitty.pending.String())
	if err != nil {
		return true
	}
	if img, err := png.Decode(bytes.NewReader(raw)); err == nil && s.kitty.images != nil {
		s.kitty.images[s.kitty.id] = img
	}
	return true
}

func number(s string) int { n, _ := strconv.Atoi(s); return n }

var diacritics = func() map[rune]int {
	m := map[rune]int{}
	for i := range 297 {
		m[kitty.Diacritic(i)] = i
	}
	return m
}()

// placeholder reads which part of which picture a cell shows.
func placeholder(content string, fg color.Color) (id uint32, row, col int, ok bool) {
	r := []rune(content)
	if len(r) < 3 || r[0] != kitty.Placeholder || fg == nil {
		return 0, 0, 0, false
	}
	cr, cg, cb, _ := fg.RGBA()
	row, ok1 := diacritics[r[1]]
	col, ok2 := diacritics[r[2]]
	return (cr>>8)<<16 | (cg>>8)<<8 | cb>>8, row, col, ok1 && ok2
}

// decodeSixel draws the pixels of a sixel string; colours in percent only.
func decodeSixel(data []byte) image.Image {
	d := &sixelReader{data: data, palette: map[int]color.RGBA{}}
	return d.read()
}

type sixelReader struct {
	data    []byte
	palette map[int]color.RGBA
	img     *image.RGBA
	cur     color.RGBA
	x, y    int
}

func (d *sixelReader) number() int {
	n := 0
	for len(d.data) > 0 && d.data[0] >= '0' && d.data[0] <= '9' {
		n, d.data = min(10*n+int(d.data[0]-'0'), 1<<16), d.data[1:]
	}
	return n
}

func (d *sixelReader) list() []int {
	out := []int{d.number()}
	for len(d.data) > 0 && d.data[0] == ';' {
		d.data = d.data[1:]
		out = append(out, d.number())
	}
	return out
}

func (d *sixelReader) read() image.Image {
	d.img = image.NewRGBA(image.Rect(0, 0, 1, 1))
	for len(d.data) > 0 {
		c := d.data[0]
		d.data = d.data[1:]
		switch c {
		case '"':
			if l := d.list(); len(l) == 4 {
				d.img = image.NewRGBA(image.Rect(0, 0, min(l[2], 4096), min(l[3], 4096)))
			}
		case '#':
			l := d.list()
			if len(l) == 5 {
				d.palette[l[0]] = color.RGBA{byte(l[2] * 255 / 100), byte(l[3] * 255 / 100), byte(l[4] * 255 / 100), 255}
			}
			d.cur = d.palette[l[0]]
		case '$':
			d.x = 0
		case '-':
			d.x, d.y = 0, d.y+6
		case '!':
			n := d.number()
			if len(d.data) > 0 {
				d.put(d.data[0], n)
				d.data = d.data[1:]
			}
		default:
			d.put(c, 1)
		}
	}
	return d.img
}

func (d *sixelReader) put(c byte, n int) {
	if c < 63 || c > 126 {
		return
	}
	for range min(n, 4096) {
		for b := range 6 {
			if (c-63)>>b&1 == 1 {
				d.img.SetRGBA(d.x, d.y+b, d.cur)
			}
		}
		d.x++
	}
}
