package render

import (
	"strings"

	"github.com/curbside-p2p/curbside/consult/study"
)

// A Preset is a named window for CT.
type Preset struct {
	Name   string
	Window study.Window
	parts  string // body parts that it is offered first for
}

// presets is IMAGING.md §5.3: centre and width in HU.
var presets = []Preset{
	{"brain", study.Window{Centre: 40, Width: 80}, "HEAD BRAIN SKULL"},
	{"stroke", study.Window{Centre: 35, Width: 35}, "HEAD BRAIN"},
	{"subdural", study.Window{Centre: 75, Width: 215}, "HEAD BRAIN"},
	{"bone head", study.Window{Centre: 600, Width: 2800}, "HEAD SKULL"},
	{"neck", study.Window{Centre: 50, Width: 350}, "NECK"},
	{"lung", study.Window{Centre: -600, Width: 1500}, "CHEST LUNG THORAX"},
	{"mediastinum", study.Window{Centre: 50, Width: 350}, "CHEST LUNG THORAX"},
	{"abdomen", study.Window{Centre: 50, Width: 400}, "ABDOMEN"},
	{"liver", study.Window{Centre: 90, Width: 150}, "ABDOMEN LIVER"},
	{"pelvis", study.Window{Centre: 40, Width: 400}, "PELVIS"},
	{"bone", study.Window{Centre: 400, Width: 1800}, "EXTREMITY HIP KNEE FOOT HAND"},
	{"spine soft", study.Window{Centre: 50, Width: 250}, "SPINE CSPINE TSPINE LSPINE"},
	{"CTA", study.Window{Centre: 300, Width: 600}, ""},
}

// Presets are the windows to offer for an image, those for its body part
// first. Only CT has any.
func Presets(px study.Pixel) []Preset {
	if px.Modality != "CT" {
		return nil
	}
	part := strings.ToUpper(strings.TrimSpace(px.BodyPart))
	var first, rest []Preset
	for _, p := range presets {
		if part != "" && fits(p.parts, part) {
			first = append(first, p)
		} else {
			rest = append(rest, p)
		}
	}
	return append(first, rest...)
}

func fits(parts, part string) bool {
	for p := range strings.FieldsSeq(parts) {
		if strings.Contains(part, p) {
			return true
		}
	}
	return false
}

// PresetWindow finds a preset by name, case-blind, with or without spaces.
func PresetWindow(name string) (study.Window, bool) {
	plain := func(s string) string {
		return strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(s))
	}
	for _, p := range presets {
		if plain(p.Name) == plain(name) {
			return p.Window, true
		}
	}
	return study.Window{}, false
}
