package raster

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/ansi/kitty"
)

func noise(w, h int) *image.Gray {
	r := rand.New(rand.NewPCG(1, 2))
	g := image.NewGray(image.Rect(0, 0, w, h))
	for i := range g.Pix {
		g.Pix[i] = byte(128 + 100*((i%w)*(i/w)%17-8)/8 + r.IntN(20))
	}
	return g
}

func solid(w, h int, v byte) *image.Gray {
	g := image.NewGray(image.Rect(0, 0, w, h))
	for i := range g.Pix {
		g.Pix[i] = v
	}
	return g
}

func TestScale(t *testing.T) {
	t.Run("identity", func(t *testing.T) {
		src := noise(37, 23)
		out := Render(src, Fit(37, 23, 37, 23, 1)).(*image.Gray)
		if !bytes.Equal(out.Pix, src.Pix) {
			t.Fatal("1:1 changed pixels")
		}
	})
	t.Run("solid stays solid", func(t *testing.T) {
		for _, size := range []int{3, 100, 348, 700} {
			for _, v := range []byte{0, 127, 255} {
				out := Render(solid(512, 512, v), Fit(512, 512, size, size, 1)).(*image.Gray)
				for i, got := range out.Pix {
					if got != v {
						t.Fatalf("size %d: pixel %d is %d, want %d", size, i, got, v)
					}
				}
			}
		}
	})
	t.Run("box of two by two", func(t *testing.T) {
		src := &image.Gray{Pix: []byte{0, 100, 200, 40, 20, 60, 10, 30}, Stride: 4, Rect: image.Rect(0, 0, 4, 2)}
		out := Render(src, Fit(4, 2, 2, 1, 1)).(*image.Gray)
		if want := []byte{45, 70}; !bytes.Equal(out.Pix, want) {
			t.Fatalf("got %v, want %v", out.Pix, want)
		}
	})
	t.Run("bilinear", func(t *testing.T) {
		src := &image.Gray{Pix: []byte{0, 200}, Stride: 2, Rect: image.Rect(0, 0, 2, 1)}
		out := Render(src, Fit(2, 1, 4, 2, 1)).(*image.Gray)
		if want := []byte{0, 50, 150, 200, 0, 50, 150, 200}; !bytes.Equal(out.Pix, want) {
			t.Fatalf("got %v, want %v", out.Pix, want)
		}
	})
	t.Run("outside is black", func(t *testing.T) {
		v := Fit(10, 10, 10, 10, 1)
		v.CX += 5
		out := Render(solid(10, 10, 255), v).(*image.Gray)
		if out.GrayAt(2, 2).Y != 255 || out.GrayAt(7, 2).Y != 0 {
			t.Fatal("pan is wrong")
		}
	})
	t.Run("part of an image", func(t *testing.T) {
		src := noise(20, 20)
		part := src.SubImage(image.Rect(5, 6, 15, 16))
		out := Render(part, Fit(10, 10, 10, 10, 1)).(*image.Gray)
		if out.GrayAt(0, 0) != src.GrayAt(5, 6) || out.GrayAt(9, 9) != src.GrayAt(14, 15) {
			t.Fatal("the part is not where it should be")
		}
	})
	t.Run("colour", func(t *testing.T) {
		src := image.NewRGBA(image.Rect(0, 0, 8, 8))
		for i := range 64 {
			src.SetRGBA(i%8, i/8, color.RGBA{200, 10, 90, 255})
		}
		out := Render(src, Fit(8, 8, 5, 5, 1)).(*image.RGBA)
		if got := out.RGBAAt(3, 3); got != (color.RGBA{200, 10, 90, 255}) {
			t.Fatalf("got %v", got)
		}
	})
	t.Run("points there and back", func(t *testing.T) {
		v := Fit(512, 400, 333, 222, 1.3).Zoom(2.5)
		sx, sy := v.Source(17, 200)
		x, y := v.Canvas(sx, sy)
		if fmt.Sprintf("%.6f %.6f", x, y) != "17.000000 200.000000" {
			t.Fatalf("got %v %v", x, y)
		}
	})
	t.Run("nothing breaks it", func(t *testing.T) {
		for _, v := range []View{{}, {W: 5, H: 5}, {W: 5, H: 5, ScaleX: -1, ScaleY: 1}, {W: 3, H: 3, ScaleX: 1e-9, ScaleY: 1e9}, Fit(0, 0, 4, 4, 0)} {
			Render(noise(7, 7), v)
			Render(image.NewGray(image.Rectangle{}), v)
		}
	})
}

var sgr = regexp.MustCompile(`\x1b\[([0-9;]*)m`)

// paint plays rows of cells back into pixels of one cell size.
func paint(t *testing.T, rows []string, cell image.Point, glyph func(r rune, sub int) bool) *image.RGBA {
	t.Helper()
	w := ansi.StringWidth(rows[0])
	out := image.NewRGBA(image.Rect(0, 0, w*cell.X, len(rows)*cell.Y))
	for y, row := range rows {
		var fg, bg color.RGBA
		x := 0
		for row != "" {
			if m := sgr.FindStringSubmatchIndex(row); m != nil && m[0] == 0 {
				f := strings.Split(row[m[2]:m[3]], ";")
				if len(f) == 5 {
					n := func(i int) byte { v, _ := strconv.Atoi(f[i]); return byte(v) }
					c := color.RGBA{n(2), n(3), n(4), 255}
					if f[0] == "38" {
						fg = c
					} else {
						bg = c
					}
				}
				row = row[m[1]:]
				continue
			}
			r := []rune(row)[0]
			row = row[len(string(r)):]
			for sub := range cell.X * cell.Y {
				c := bg
				if glyph(r, sub) {
					c = fg
				}
				out.SetRGBA(x*cell.X+sub%cell.X, y*cell.Y+sub/cell.X, c)
			}
			x++
		}
		if x != w {
			t.Fatalf("row %d is %d cells wide, want %d", y, x, w)
		}
	}
	return out
}

func TestHalfExact(t *testing.T) {
	src := noise(31, 22)
	back := paint(t, Half(src, CellOptions{Bits: 8}), HalfSize, func(r rune, sub int) bool { return r == '▀' && sub == 0 })
	for y := range 22 {
		for x := range 31 {
			if got, want := back.RGBAAt(x, y).R, src.GrayAt(x, y).Y; got != want {
				t.Fatalf("pixel %d,%d is %d, want %d", x, y, got, want)
			}
		}
	}
}

func TestSextantTwoTones(t *testing.T) {
	// With two tones a cell the split is exact, for all 64 patterns.
	src := image.NewGray(image.Rect(0, 0, 128, 3))
	for mask := range 64 {
		for i := range 6 {
			v := byte(40)
			if mask>>i&1 == 1 {
				v = 200
			}
			src.SetGray(2*mask+i%2, i/2, color.Gray{v})
		}
	}
	glyphs := map[rune]int{}
	for m := range 64 {
		glyphs[SextantRune(m)] = m
	}
	if len(glyphs) != 64 {
		t.Fatalf("%d glyphs, want 64", len(glyphs))
	}
	back := paint(t, Sextant(src, CellOptions{Bits: 8}), SextantSize, func(r rune, sub int) bool { return glyphs[r]>>sub&1 == 1 })
	for y := range 3 {
		for x := range 128 {
			if got, want := back.RGBAAt(x, y).R, src.GrayAt(x, y).Y; got != want {
				t.Fatalf("pixel %d,%d is %d, want %d", x, y, got, want)
			}
		}
	}
}

func TestSixBitsStayClose(t *testing.T) {
	p := pen{o: CellOptions{Bits: 6}}
	for v := range 256 {
		c := p.colour(byte(v), byte(v), byte(v))
		if d := int(c.r) - v; d < -3 || d > 3 {
			t.Fatalf("%d became %d", v, c.r)
		}
	}
}

func TestKittyDecodes(t *testing.T) {
	for _, tmux := range []bool{false, true} {
		k := Kitty{ID: 0x123456, Tmux: tmux}
		src := noise(200, 150)
		out, err := k.Transmit(src, 20, 10)
		if err != nil {
			t.Fatal(err)
		}
		if tmux {
			out = untmux(t, out)
		}
		out = strings.TrimSuffix(strings.TrimPrefix(out, "\x1b[?2026h"), "\x1b[?2026l")
		var data strings.Builder
		parts := strings.Split(out, "\x1b\\")
		for i, part := range parts[:len(parts)-1] {
			opts, payload, ok := strings.Cut(strings.TrimPrefix(part, "\x1b_G"), ";")
			if !ok || len(payload) > kitty.MaxChunkSize {
				t.Fatalf("chunk %d: %d bytes", i, len(payload))
			}
			if last := i == len(parts)-2; strings.Contains(opts, "m=0") != last {
				t.Fatalf("chunk %d of %d says %q", i, len(parts)-1, opts)
			}
			if i == 0 && !strings.Contains(opts, "a=T,U=1,q=2,f=100,i=1193046,c=20,r=10") {
				t.Fatalf("head is %q", opts)
			}
			data.WriteString(payload)
		}
		raw, err := base64.StdEncoding.DecodeString(data.String())
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got := img.(*image.Gray); !bytes.Equal(got.Pix, src.Pix) {
			t.Fatal("the picture changed")
		}
	}
}

func untmux(t *testing.T, s string) string {
	t.Helper()
	var out strings.Builder
	out.WriteString("\x1b[?2026h")
	for part := range strings.SplitSeq(s, "\x1bPtmux;") {
		if !strings.HasPrefix(part, "\x1b\x1b_G") {
			continue
		}
		part, _, _ = strings.Cut(part, "\x1b\x1b\\\x1b\\")
		out.WriteString(strings.TrimPrefix(part, "\x1b") + "\x1b\\")
	}
	return out.String() + "\x1b[?2026l"
}

func TestKittyCells(t *testing.T) {
	rows := Kitty{ID: 0xabcdef}.Cells(30, 12)
	if len(rows) != 12 {
		t.Fatalf("%d rows", len(rows))
	}
	for y, row := range rows {
		if w := ansi.StringWidth(row); w != 30 {
			t.Fatalf("row %d is %d wide, want 30", y, w)
		}
		if n := strings.Count(row, string(kitty.Placeholder)+string(kitty.Diacritic(y))); n != 30 {
			t.Fatalf("row %d has %d cells with its own diacritic", y, n)
		}
	}
}

// unsixel draws a sixel string back.
func unsixel(t *testing.T, s string) *image.RGBA {
	t.Helper()
	body, ok := strings.CutPrefix(s, "\x1bP0;1;0q\"1;1;")
	if !ok {
		t.Fatal("no head")
	}
	body = strings.TrimSuffix(body, "\x1b\\")
	number := func() int {
		n := 0
		for body != "" && body[0] >= '0' && body[0] <= '9' {
			n, body = 10*n+int(body[0]-'0'), body[1:]
		}
		return n
	}
	w := number()
	body = body[1:]
	h := number()
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	palette := map[int]color.RGBA{}
	var cur color.RGBA
	x, y := 0, 0
	for body != "" {
		c := body[0]
		body = body[1:]
		n := 1
		switch c {
		case '#':
			i := number()
			if body != "" && body[0] == ';' {
				var v [4]int
				for j := range v {
					body = body[1:]
					v[j] = number()
				}
				palette[i] = color.RGBA{byte(v[1] * 255 / 100), byte(v[2] * 255 / 100), byte(v[3] * 255 / 100), 255}
			}
			cur = palette[i]
			continue
		case '$':
			x = 0
			continue
		case '-':
			x, y = 0, y+6
			continue
		case '!':
			n = number()
			c = body[0]
			body = body[1:]
		}
		for range n {
			for b := range 6 {
				if (c-63)>>b&1 == 1 {
					out.SetRGBA(x, y+b, cur)
				}
			}
			x++
		}
	}
	return out
}

func TestSixelDecodes(t *testing.T) {
	src := noise(61, 48)
	back := unsixel(t, Sixel(src))
	for y := range 48 {
		for x := range 61 {
			got, want := int(back.RGBAAt(x, y).R), int(src.GrayAt(x, y).Y)
			if d := got - want; d < -5 || d > 5 {
				t.Fatalf("pixel %d,%d is %d, want about %d", x, y, got, want)
			}
		}
	}
	if got := unsixel(t, Sixel(noise(10, 17))).Bounds().Dy(); got != 12 {
		t.Fatalf("height %d, want 12: a multiple of six", got)
	}
	marked := Draw(src, Overlay{Marks: []Mark{{X: 30, Y: 24, Ink: InkMark}}})
	back = unsixel(t, Sixel(marked))
	found := false
	for i := 0; i < len(back.Pix); i += 4 {
		found = found || back.Pix[i] > 240 && back.Pix[i+1] > 150 && back.Pix[i+2] == 0
	}
	if !found {
		t.Fatal("the mark has no colour")
	}
}

func TestRamp(t *testing.T) {
	rows := Ramp(&image.Gray{Pix: []byte{0, 255, 128, 10}, Stride: 2, Rect: image.Rect(0, 0, 2, 2)})
	if rows[0] != " @" || rows[1] != "+ " {
		t.Fatalf("got %q", rows)
	}
}

func BenchmarkScale(b *testing.B) {
	src := noise(512, 512)
	for _, n := range []int{348, 512, 1024} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				Render(src, Fit(512, 512, n, n, 1))
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	src := noise(512, 512)
	sized := func(w, h int) image.Image { return Render(src, Fit(512, 512, w, h, 1)) }
	b.Run("half 80x24", func(b *testing.B) {
		img := sized(80, 48)
		for b.Loop() {
			Half(img, CellOptions{Bits: 6})
		}
	})
	b.Run("half 200x60", func(b *testing.B) {
		img := sized(200, 120)
		for b.Loop() {
			Half(img, CellOptions{Bits: 6})
		}
	})
	b.Run("sextant 200x60", func(b *testing.B) {
		img := sized(400, 180)
		for b.Loop() {
			Sextant(img, CellOptions{Bits: 6})
		}
	})
	b.Run("sixel 512", func(b *testing.B) {
		for b.Loop() {
			Sixel(src)
		}
	})
	b.Run("kitty 512", func(b *testing.B) {
		for b.Loop() {
			if _, err := (Kitty{ID: 7}).Transmit(src, 60, 30); err != nil {
				b.Fatal(err)
			}
		}
	})
}
