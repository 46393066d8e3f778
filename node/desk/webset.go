package desk

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/dicomweb"
)

// inlineMax is up to where a binary value stands in the metadata itself; a viewer reads metadata
// of every instance, and few of its tables.
const inlineMax = 4 << 10

// webDataset writes a data set in the DICOM JSON model (PS3.18 §F.2). at is the path to it.
func webDataset(set object.Set, at string, bulk func(path string) string) dicomweb.Dataset {
	out := make(dicomweb.Dataset, len(set)+2)
	for i := range set {
		e := &set[i]
		if uint16(e.Tag) == 0 { // group lengths
			continue
		}
		key := dicomweb.Key(uint32(e.Tag))
		out[key] = webElement(e, at+key, bulk)
	}
	return out
}

func webElement(e *object.Element, path string, bulk func(string) string) dicomweb.Element {
	x := dicomweb.Element{VR: e.VR}
	switch {
	case e.VR == "SQ":
		for i, item := range e.Items {
			x.Value = append(x.Value, webDataset(item, path+"/"+strconv.Itoa(i+1)+"/", bulk))
		}
	case path == pixelPath:
		x.BulkDataURI = bulk(path)
	case len(e.Value) == 0:
	case binaryVR[e.VR]:
		if len(e.Value) > inlineMax {
			x.BulkDataURI = bulk(path)
		} else {
			x.InlineBinary = e.Value
		}
	case numberWidth[e.VR] > 0:
		x.Value = webNumbers(e)
	default:
		x.Value = webTexts(e)
	}
	return x
}

var binaryVR = map[string]bool{"OB": true, "OD": true, "OF": true, "OL": true, "OV": true, "OW": true, "UN": true}

var numberWidth = map[string]int{"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}

func webNumbers(e *object.Element) []any {
	width := numberWidth[e.VR]
	var out []any
	for b := e.Value; len(b) >= width; b = b[width:] {
		out = append(out, webNumber(e.VR, b))
	}
	return out
}

func webNumber(vr string, b []byte) any {
	le := binary.LittleEndian
	switch vr {
	case "AT": // PS3.18 §F.2.3: as a tag is written
		return dicomweb.Key(uint32(le.Uint16(b))<<16 | uint32(le.Uint16(b[2:])))
	case "US":
		return le.Uint16(b)
	case "SS":
		return int16(le.Uint16(b))
	case "UL":
		return le.Uint32(b)
	case "SL":
		return int32(le.Uint32(b))
	case "SV":
		return strconv.FormatInt(int64(le.Uint64(b)), 10) // beyond what JSON's readers hold exactly
	case "UV":
		return strconv.FormatUint(le.Uint64(b), 10)
	case "FL":
		return finite(float64(math.Float32frombits(le.Uint32(b))))
	}
	return finite(math.Float64frombits(le.Uint64(b)))
}

// finite is a number that JSON can say, else no value.
func finite(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return v
}

// single VRs have one value, whatever characters it has (PS3.5 §6.4).
var single = []string{"LT", "ST", "UR", "UT"}

func webTexts(e *object.Element) []any {
	s := strings.TrimRight(string(e.Value), " \x00")
	if s == "" {
		return nil
	}
	parts := []string{s}
	if !slices.Contains(single, e.VR) {
		parts = strings.Split(s, "\\")
	}
	out := make([]any, 0, len(parts))
	for _, p := range parts {
		if e.VR != "LT" && e.VR != "ST" && e.VR != "UT" {
			p = strings.Trim(p, " \x00")
		}
		out = append(out, webText(e.VR, p))
	}
	return out
}

func webText(vr, s string) any {
	switch {
	case s == "":
		return nil
	case vr == "PN":
		return dicomweb.Name(s)
	case vr == "IS":
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
	case vr == "DS":
		if v, err := strconv.ParseFloat(s, 64); err == nil && !strings.ContainsAny(s, "xXpP_") && finite(v) != nil {
			return v
		}
	}
	return s
}

// findBulk follows a path that webElement made: a tag, then item and tag, from 1.
func findBulk(set object.Set, path []string) *object.Element {
	for range 64 {
		tag, err := strconv.ParseUint(path[0], 16, 32)
		if err != nil {
			return nil
		}
		e := set.Find(study.Tag(tag))
		if e == nil || len(path) == 1 {
			return e
		}
		item, err := strconv.Atoi(path[1])
		if err != nil || item < 1 || item > len(e.Items) || len(path) < 3 {
			return nil
		}
		set, path = e.Items[item-1], path[2:]
	}
	return nil
}
