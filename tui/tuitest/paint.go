package tuitest

import (
	"image"
	"image/color"
	"image/draw"
	"os"
	"strings"
	"sync"

	uv "github.com/charmbracelet/ultraviolet"
	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/curbside-p2p/curbside/tui/raster"
)

// fontFolder has a face with more glyphs than Go Mono, on Debian.
const fontFolder = "/usr/share/fonts/truetype/dejavu/"

type faces struct{ regular, bold font.Face }

var loadFaces = sync.OnceValue(func() faces {
	return faces{load("DejaVuSansMono.ttf", gomono.TTF), load("DejaVuSansMono-Bold.ttf", gomonobold.TTF)}
})

func load(file string, fallback []byte) font.Face {
	data, err := os.ReadFile(fontFolder + file)
	if err != nil {
		data = fallback
	}
	for _, ttf := range [][]byte{data, fallback} {
		f, err := opentype.Parse(ttf)
		if err != nil {
			continue
		}
		face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 15, DPI: 72, Hinting: font.HintingFull})
		if err == nil {
			return face
		}
	}
	return nil
}

// Image paints the screen: text with a font, blocks and sextants as rectangles,
// placeholder cells and sixels as pictures.
func (s *Screen) Image() image.Image {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	img := image.NewRGBA(image.Rect(0, 0, s.opt.Cols*CellW, s.opt.Rows*CellH))
	p := painter{s: s, img: img, back: darkBack, fore: darkFore, faces: loadFaces(), scaled: map[uint32]image.Image{}}
	if s.opt.Light {
		p.back, p.fore = lightBack, lightFore
	}
	draw.Draw(img, img.Bounds(), image.NewUniform(p.back), image.Point{}, draw.Src)
	for y := range s.opt.Rows {
		for x := 0; x < s.opt.Cols; {
			c := s.vt.CellAt(x, y)
			if c == nil {
				x++
				continue
			}
			p.cell(c, x, y)
			x += max(1, c.Width)
		}
	}
	p.sixels()
	if at := s.vt.CursorPosition(); !s.vt.CursorHidden() {
		p.fill(at.X, at.Y, image.Rect(0, CellH-3, CellW, CellH), p.fore)
	}
	return img
}

type painter struct {
	s          *Screen
	img        *image.RGBA
	back, fore color.RGBA
	faces      faces
	scaled     map[uint32]image.Image
}

func (p *painter) fill(x, y int, part image.Rectangle, c color.Color) {
	draw.Draw(p.img, part.Add(image.Pt(x*CellW, y*CellH)), image.NewUniform(c), image.Point{}, draw.Src)
}

func (p *painter) cell(c *uv.Cell, x, y int) {
	var fg, bg color.Color = p.fore, p.back
	if c.Style.Fg != nil {
		fg = c.Style.Fg
	}
	if c.Style.Bg != nil {
		bg = c.Style.Bg
	}
	if c.Style.Attrs&uv.AttrReverse != 0 {
		fg, bg = bg, fg
	}
	if c.Style.Attrs&uv.AttrFaint != 0 {
		fg = mix(fg, bg)
	}
	p.fill(x, y, image.Rect(0, 0, CellW*max(1, c.Width), CellH), bg)
	if c.Content == "" || c.Content == " " {
		return
	}
	if id, row, col, ok := placeholder(c.Content, c.Style.Fg); ok {
		p.picture(id, row, col, x, y)
		return
	}
	r := []rune(c.Content)[0]
	if p.block(r, x, y, fg) {
		return
	}
	face := p.faces.regular
	if c.Style.Attrs&uv.AttrBold != 0 {
		face = p.faces.bold
	}
	if face == nil {
		return
	}
	d := font.Drawer{Dst: p.img, Src: image.NewUniform(fg), Face: face, Dot: fixed.P(x*CellW, y*CellH+14)}
	d.DrawString(c.Content)
	if c.Style.Underline != 0 {
		p.fill(x, y, image.Rect(0, CellH-2, CellW, CellH-1), fg)
	}
}

func mix(a, b color.Color) color.Color {
	r, g, bl, _ := a.RGBA()
	r2, g2, b2, _ := b.RGBA()
	return color.RGBA{byte((r*6 + r2*4) / 10 >> 8), byte((g*6 + g2*4) / 10 >> 8), byte((bl*6 + b2*4) / 10 >> 8), 255}
}

// block draws block elements and sextants as exact rectangles.
func (p *painter) block(r rune, x, y int, fg color.Color) bool {
	switch r {
	case '▀':
		p.fill(x, y, image.Rect(0, 0, CellW, CellH/2), fg)
	case '▄':
		p.fill(x, y, image.Rect(0, CellH/2, CellW, CellH), fg)
	case '█':
		p.fill(x, y, image.Rect(0, 0, CellW, CellH), fg)
	default:
		mask, ok := sextants[r]
		if !ok {
			return false
		}
		for i := range 6 {
			if mask>>i&1 == 1 {
				x0, x1 := 0, CellW/2
				if i%2 == 1 {
					x0, x1 = CellW/2, CellW
				}
				p.fill(x, y, image.Rect(x0, i/2*CellH/3, x1, (i/2+1)*CellH/3), fg)
			}
		}
	}
	return true
}

var sextants = func() map[rune]int {
	m := map[rune]int{}
	for i := 1; i < 63; i++ {
		m[raster.SextantRune(i)] = i
	}
	return m
}()

// picture paints one placeholder cell: the picture is fitted into its grid and centred, as kitty does.
func (p *painter) picture(id uint32, row, col, x, y int) {
	src, grid := p.s.kitty.images[id], p.s.kitty.grid[id]
	if src == nil || grid.X < 1 || grid.Y < 1 {
		p.fill(x, y, image.Rect(1, 1, CellW-1, CellH-1), color.RGBA{200, 0, 200, 255})
		return
	}
	full, ok := p.scaled[id]
	if !ok {
		w, h := grid.X*CellW, grid.Y*CellH
		b := src.Bounds()
		f := min(float64(w)/float64(b.Dx()), float64(h)/float64(b.Dy()))
		fw, fh := int(float64(b.Dx())*f), int(float64(b.Dy())*f)
		m := image.NewRGBA(image.Rect(0, 0, w, h))
		xdraw.ApproxBiLinear.Scale(m, image.Rect((w-fw)/2, (h-fh)/2, (w-fw)/2+fw, (h-fh)/2+fh), src, b, xdraw.Src, nil)
		full, p.scaled[id] = m, m
	}
	to := image.Rect(x*CellW, y*CellH, (x+1)*CellW, (y+1)*CellH)
	draw.Draw(p.img, to, full, image.Pt(col*CellW, row*CellH), draw.Over)
}

// sixels paints where the cells beneath are still blank.
func (p *painter) sixels() {
	for _, s := range p.s.sixels {
		b := s.img.Bounds()
		for cy := 0; cy*CellH < b.Dy(); cy++ {
			for cx := 0; cx*CellW < b.Dx(); cx++ {
				c := p.s.vt.CellAt(s.x+cx, s.y+cy)
				if c == nil || strings.TrimSpace(c.Content) != "" {
					continue
				}
				to := image.Rect(0, 0, CellW, CellH).Add(image.Pt((s.x+cx)*CellW, (s.y+cy)*CellH))
				draw.Draw(p.img, to, s.img, image.Pt(cx*CellW, cy*CellH), draw.Over)
			}
		}
	}
}
