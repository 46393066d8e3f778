package tuitest

import (
	"fmt"
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/tui/raster"
)

func TestKittyPicture(t *testing.T) {
	s := New(Options{Cols: 40, Rows: 12, Kitty: true})
	defer s.Close()
	src := image.NewGray(image.Rect(0, 0, 90, 90))
	for i := range src.Pix {
		src.Pix[i] = 77
	}
	k := raster.Kitty{ID: 0x0a0b0c}
	out, err := k.Transmit(src, 10, 5)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(s, out)
	for y, row := range k.Cells(10, 5) {
		fmt.Fprintf(s, "\x1b[%d;3H%s", y+1, row)
	}
	fmt.Fprint(s, "\x1b[10;1Hhello, wide 漢字 e\u0301\x1b[0m")
	if got := s.Text(); !strings.HasPrefix(got, "  %%%%%%%%%%\n") || !strings.Contains(got, "hello, wide 漢字 e\u0301") {
		t.Fatalf("screen is\n%s", got)
	}
	img := s.Image()
	if c := color.RGBAModel.Convert(img.At(2*CellW+45, 45)).(color.RGBA); c.R != 77 {
		t.Fatalf("the picture's middle is %v", c)
	}
	fmt.Fprint(s, k.Delete())
	if s.State().Pictures != 0 {
		t.Fatal("the picture stays after delete")
	}
}

func TestSixelPicture(t *testing.T) {
	s := New(Options{Cols: 40, Rows: 12, Sixel: true})
	defer s.Close()
	src := image.NewGray(image.Rect(0, 0, 60, 60))
	for i := range src.Pix {
		src.Pix[i] = 255
	}
	fmt.Fprint(s, "\x1b[2;2H"+raster.Sixel(src))
	if c := color.RGBAModel.Convert(s.Image().At(CellW+30, CellH+30)).(color.RGBA); c.R != 255 {
		t.Fatalf("the picture's middle is %v", c)
	}
}
