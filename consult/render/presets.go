package render

import (
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/study"
)

// A Preset is a named window, in modality values.
type Preset struct {
	Name   string
	Window study.Window
	Invert bool
	parts  string // body parts that it is offered first for
}

// presets is IMAGING.md §5.3: centre and width in HU.
var presets = []Preset{
	{Name: "brain", Window: study.Window{Centre: 40, Width: 80}, parts: "HEAD BRAIN SKULL"},
	{Name: "stroke", Window: study.Window{Centre: 35, Width: 35}, parts: "HEAD BRAIN SKULL"},
	{Name: "subdural", Window: study.Window{Centre: 75, Width: 215}, parts: "HEAD BRAIN SKULL"},
	{Name: "bone head", Window: study.Window{Centre: 600, Width: 2800}, parts: "HEAD SKULL FACE SINUS ORBIT EAR TEMPORAL JAW MANDIBLE"},
	{Name: "neck", Window: study.Window{Centre: 50, Width: 350}, parts: "NECK"},
	{Name: "lung", Window: study.Window{Centre: -600, Width: 1500}, parts: "CHEST LUNG THORAX"},
	{Name: "mediastinum", Window: study.Window{Centre: 50, Width: 350}, parts: "CHEST LUNG THORAX HEART"},
	{Name: "abdomen", Window: study.Window{Centre: 50, Width: 400}, parts: "ABD KIDNEY PANCREAS"},
	{Name: "liver", Window: study.Window{Centre: 90, Width: 150}, parts: "ABD LIVER"},
	{Name: "pelvis", Window: study.Window{Centre: 40, Width: 400}, parts: "PELV BLADDER"},
	{Name: "bone", Window: study.Window{Centre: 400, Width: 1800}, parts: "EXTREMITY ARM LEG HIP KNEE ANKLE FOOT HAND WRIST ELBOW SHOULDER SPINE PELV"},
	{Name: "spine soft", Window: study.Window{Centre: 50, Width: 250}, parts: "SPINE"},
	{Name: "CTA", Window: study.Window{Centre: 300, Width: 600}, parts: "AORTA ARTER CAROTID CORON ANGIO"},
}

// uptakeTop is the SUV that is black in the PET preset.
const uptakeTop = 7

// Presets are the windows to offer for an image, those for its body part
// first. CT has those of the table, PET has one where its uptake can be
// computed, others have none.
func Presets(px study.Pixel) []Preset {
	if px.Modality == "PT" {
		return uptakePresets(px)
	}
	if px.Modality != "CT" {
		return nil
	}
	part := strings.ToUpper(strings.TrimSpace(px.BodyPart))
	first := slices.Clone(presets)
	slices.SortStableFunc(first, func(a, b Preset) int { return rank(a, part) - rank(b, part) })
	return first
}

func uptakePresets(px study.Pixel) []Preset {
	k, err := Uptake(px)
	if err != nil {
		return nil
	}
	return []Preset{{Name: "SUV 0-7", Window: study.Window{Centre: uptakeTop / k / 2, Width: uptakeTop / k}, Invert: true}}
}

// rank is 0 for presets that fit the body part.
func rank(p Preset, part string) int {
	if part != "" {
		for s := range strings.FieldsSeq(p.parts) {
			if strings.Contains(part, s) {
				return 0
			}
		}
	}
	return 1
}

// PresetWindow finds a preset for CT by name, case-blind, with or without spaces.
func PresetWindow(name string) (study.Window, bool) {
	p, ok := find(presets, name)
	return p.Window, ok
}

// FindPreset finds one of the presets that an image has.
func FindPreset(px study.Pixel, name string) (Preset, bool) { return find(Presets(px), name) }

func find(list []Preset, name string) (Preset, bool) {
	plain := func(s string) string {
		return strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(s))
	}
	for _, p := range list {
		if plain(p.Name) == plain(name) {
			return p, true
		}
	}
	return Preset{}, false
}
