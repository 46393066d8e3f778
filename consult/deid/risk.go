package deid

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
)

// Reasons why a person must look at an image before it goes (IMAGING.md §8.4).
const (
	RiskSaid     = "the image says that it has text burned in"
	RiskModality = "images of this modality often have text burned in"
	RiskCapture  = "a secondary capture: what was on a screen or paper is in the pixels"
	RiskScreen   = "a saved screen or a report as an image"
	RiskGlyphs   = "something like text stands at the edge of the image"
	RiskUnread   = "the pixels cannot be decoded here, so nothing looked for text in them"
)

// Reasons why something is left out unless a person releases it.
const (
	OutStructured   = "structured content: a report or measurements, with what people wrote"
	OutPresentation = "a presentation state: its marks may hold text"
	OutKeyObjects   = "a key object selection: it may hold text"
	OutDocument     = "an encapsulated document"
	OutWaveform     = "a waveform with annotations"
	OutUncleaned    = "it cannot be cleaned"
)

// riskyModality are those whose images bear names and dates as a rule.
var riskyModality = map[string]bool{"US": true, "SC": true, "XC": true, "ES": true, "GM": true, "OT": true, "DOC": true, "IO": true, "IVUS": true, "OPV": true}

const storage = "1.2.840.10008.5.1.4.1.1."

// Excluded says why a class of objects does not go by itself; "" if it does.
func Excluded(class string) string {
	rest, ok := strings.CutPrefix(class, storage)
	if !ok {
		return ""
	}
	switch first, second, _ := strings.Cut(rest, "."); first {
	case "88":
		if second == "59" {
			return OutKeyObjects
		}
		return OutStructured
	case "11":
		return OutPresentation
	case "104":
		return OutDocument
	case "9":
		return OutWaveform
	}
	return ""
}

// Risk says why an image may have text in its pixels, by what its head says; "" if nothing does.
func Risk(in *study.Instance, o *study.Outline) string {
	burned := trim(o.Raw(0x00280301))
	typ := in.ImageType
	at := func(i int) string {
		if i < len(typ) {
			return strings.TrimSpace(typ[i])
		}
		return ""
	}
	switch {
	case in.Pixel.Rows == 0 || in.Pixel.Cols == 0:
		return ""
	case burned == "YES":
		return RiskSaid
	case strings.HasPrefix(in.SOPClass, storage+"7"), trim(o.Raw(0x00080064)) != "":
		return RiskCapture
	case slices.ContainsFunc(typ, func(s string) bool {
		return strings.Contains(s, "SCREEN") || strings.Contains(s, "REPORT") || strings.Contains(s, "PROTOCOL") || strings.Contains(s, "DOSE")
	}):
		return RiskScreen
	case riskyModality[in.Modality]:
		return RiskModality
	case at(0) == "DERIVED" && at(1) == "SECONDARY" && in.Pixel.Samples == 3:
		return RiskScreen
	}
	return ""
}

// Glyphs looks for rows of text at the top and the bottom of a frame, where machines put it:
// strokes of one brightness, many in a row, over several rows. It is simple, and finds what is
// written in one brightness on a darker ground.
func Glyphs(n *codec.Native) bool {
	if n.Rows < 2*glyphRows || n.Cols < 32 || n.BitsAllocated == 1 {
		return false
	}
	band := max(n.Rows*15/100, glyphRows)
	return glyphs(n, 0, band) || glyphs(n, n.Rows-band, n.Rows)
}

const (
	// glyphRows: the smallest fonts that machines burn in are 7 pixels high.
	glyphRows = 6
	// strokesMin: a short word has four strokes, left and right edges each.
	strokesMin = 8
)

func glyphs(n *codec.Native, from, to int) bool {
	rows := make([][]int, 0, to-from)
	for y := from; y < to; y++ {
		row := make([]int, n.Cols)
		for x := range row {
			row[x] = brightness(n, y, x)
		}
		rows = append(rows, row)
	}
	best, low := rows[0][0], rows[0][0]
	for _, row := range rows {
		best, low = max(best, slices.Max(row)), min(low, slices.Min(row))
	}
	if best-low < 32 {
		return false
	}
	run := 0
	for _, row := range rows {
		if strokes(row, best, low+(best-low)/2) >= strokesMin {
			if run++; run >= glyphRows {
				return true
			}
			continue
		}
		run = 0
	}
	return false
}

// strokes counts the borders between pixels of the one brightness and dark ones.
func strokes(row []int, ink, dark int) int {
	n, was := 0, 0 // 1 ink, -1 dark
	for _, v := range row {
		var is int
		switch {
		case v == ink:
			is = 1
		case v <= dark:
			is = -1
		default:
			continue // the soft edge of a stroke
		}
		if was != 0 && is != was {
			n++
		}
		was = is
	}
	return n
}

func brightness(n *codec.Native, y, x int) int {
	i := (y*n.Cols + x) * n.Samples
	var v int
	switch n.BitsAllocated {
	case 8:
		v = int(n.Data[i])
		if n.Samples == 3 && n.Photometric == "RGB" {
			v = (int(n.Data[i]) + int(n.Data[i+1]) + int(n.Data[i+2])) / 3
		}
		if n.Signed {
			v = int(int8(v))
		}
	case 16:
		u := binary.LittleEndian.Uint16(n.Data[2*i:])
		v = int(u)
		if n.Signed {
			v = int(int16(u))
		}
	default:
		return 0
	}
	if n.Photometric == "MONOCHROME1" {
		return -v
	}
	return v
}

// Face reports whether the pixels of a study may show a face again: a volume of the head.
func Face(in *study.Instance) bool {
	if in.Modality != "CT" && in.Modality != "MR" {
		return false
	}
	for _, p := range parts(strings.ToLower(in.BodyPart + " " + in.StudyDescription + " " + in.SeriesDescription)) {
		switch p {
		case "head", "brain", "face", "facial", "skull", "sinus", "sinuses", "headneck", "orbit", "orbits", "kopf", "crane", "cerebro", "neuro":
			return true
		}
	}
	return false
}
