package raster

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/ansi/kitty"
)

// Kitty is one image slot of a terminal: an id that its cells name by colour.
type Kitty struct {
	ID   uint32 // random, 24 bits: it lives in the cells' truecolor foreground
	Tmux bool   // wrap what is sent for tmux's passthrough
}

// Transmit is the command that shows img in the slot's placeholder cells. It
// replaces the picture that was there. The data are inline, in chunks.
func (k Kitty) Transmit(img image.Image, cols, rows int) (string, error) {
	var data bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&data, img); err != nil {
		return "", fmt.Errorf("encode picture: %w", err)
	}
	text := base64.StdEncoding.EncodeToString(data.Bytes())
	var out strings.Builder
	out.Grow(len(text) + len(text)/kitty.MaxChunkSize*16 + 128)
	out.WriteString("\x1b[?2026h")
	head := fmt.Sprintf("a=T,U=1,q=2,f=100,i=%d,c=%d,r=%d,", k.ID&0xffffff, cols, rows)
	for first := true; first || text != ""; first = false {
		n := min(len(text), kitty.MaxChunkSize)
		more := "m=0"
		if n < len(text) {
			more = "m=1"
		}
		if !first {
			head = "q=2,"
		}
		out.WriteString(k.wrap("\x1b_G" + head + more + ";" + text[:n] + "\x1b\\"))
		text = text[n:]
	}
	out.WriteString("\x1b[?2026l")
	return out.String(), nil
}

// Delete removes the slot's picture and its data from the terminal.
func (k Kitty) Delete() string {
	return k.wrap(fmt.Sprintf("\x1b_Ga=d,d=I,q=2,i=%d\x1b\\", k.ID&0xffffff))
}

// Query asks whether the terminal knows the protocol; the answer is not enough
// to know that it has placeholders.
func (k Kitty) Query() string {
	return k.wrap(fmt.Sprintf("\x1b_Gi=%d,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\", k.ID&0xffffff))
}

func (k Kitty) wrap(seq string) string {
	if k.Tmux {
		return ansi.TmuxPassthrough(seq)
	}
	return seq
}

// Cells are the rows of placeholder cells. Every cell carries its own row and
// column, so that one may be overwritten and restored without the others.
func (k Kitty) Cells(cols, rows int) []string {
	cols, rows = min(cols, PlacementMax), min(rows, PlacementMax)
	out := make([]string, rows)
	colour := "\x1b[38;2;" + strconv.Itoa(int(k.ID>>16&255)) + ";" + strconv.Itoa(int(k.ID>>8&255)) + ";" + strconv.Itoa(int(k.ID&255)) + "m"
	for y := range out {
		var b strings.Builder
		b.WriteString(colour)
		for x := range cols {
			b.WriteRune(kitty.Placeholder)
			b.WriteRune(kitty.Diacritic(y))
			b.WriteRune(kitty.Diacritic(x))
		}
		b.WriteString("\x1b[0m")
		out[y] = b.String()
	}
	return out
}
