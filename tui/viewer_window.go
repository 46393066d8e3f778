package tui

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
)

// presetNames by key: always the same, so that the fingers may learn them. The
// list (W) has all of them, those for the body part first; render has the numbers.
var presetNames = map[string]string{"1": "lung", "2": "bone", "3": "mediastinum", "4": "brain", "5": "liver", "6": "CTA", "8": "stroke", "9": "subdural"}

func (v *viewer) preset(key string) tea.Cmd {
	switch key {
	case "0":
		v.look.own, v.look.auto, v.look.name, v.look.invert, v.look.choice = false, false, "", false, 0
		return v.sync()
	case "7":
		v.look.own, v.look.auto, v.look.name = false, true, "full"
		return v.sync()
	}
	px := v.pixel()
	if px == nil {
		return nil
	}
	p, ok := render.FindPreset(*px, presetNames[key])
	if !ok {
		return v.r.say("warn", "this preset is not for "+line(px.Modality)+": 7 full range, 0 as the file says, W lists all")
	}
	return v.setWindow(p.Window, p.Name)
}

func (v *viewer) setWindow(w study.Window, name string) tea.Cmd {
	v.look.win, v.look.own, v.look.auto, v.look.name = w, true, false, name
	return v.sync()
}

// pixel is the description of the frame that is wanted, once it is here.
func (v *viewer) pixel() *study.Pixel {
	if h := v.held(); h != nil && h.frame != nil {
		return &h.img.Pixel
	}
	return nil
}

// askWindow takes a typed window, or a preset's name.
func (v *viewer) askWindow() tea.Cmd {
	text := []string{"Centre / width, such as 40/400, or the name of a preset."}
	return v.r.open(newPrompt(v.r, "Window", text, false, func(s string) tea.Cmd {
		if w, ok := render.PresetWindow(strings.TrimSpace(s)); ok {
			return v.setWindow(w, strings.TrimSpace(line(s)))
		}
		w, ok := parseWindow(s)
		if !ok {
			return v.r.say("warn", "a window is centre/width, such as 40/400, with a width of at least 1")
		}
		return v.setWindow(w, "")
	}))
}

// parseWindow reads "40/400", "40 400", "L40 W400", "W400 C40".
func parseWindow(s string) (study.Window, bool) {
	parts := strings.FieldsFunc(strings.ToUpper(s), func(r rune) bool { return r == '/' || r == ' ' || r == ',' || r == ';' })
	if len(parts) != 2 {
		return study.Window{}, false
	}
	if strings.HasPrefix(parts[0], "W") {
		parts[0], parts[1] = parts[1], parts[0]
	}
	c, err1 := strconv.ParseFloat(strings.TrimLeft(parts[0], "CL="), 64)
	w, err2 := strconv.ParseFloat(strings.TrimLeft(parts[1], "W="), 64)
	if err1 != nil || err2 != nil || !(w >= 1) || math.IsInf(w, 0) || math.IsNaN(c) || math.IsInf(c, 0) {
		return study.Window{}, false
	}
	return study.Window{Centre: c, Width: w}, true
}

// chooseWindow lists the windows of the file with their explanations, then the presets.
func (v *viewer) chooseWindow() tea.Cmd {
	px := v.pixel()
	if px == nil {
		return v.r.say("warn", "no frame to window")
	}
	var items []option
	for i, w := range px.Windows {
		name := line(w.Explanation)
		if name == "" {
			name = "of the file"
		}
		items = append(items, option{windowLabel(name, w), func() tea.Cmd {
			v.look.own, v.look.auto, v.look.choice, v.look.name = false, false, i, ""
			return v.sync()
		}})
	}
	items = append(items, option{"full range, automatic", func() tea.Cmd { return v.preset("7") }})
	for _, p := range render.Presets(*px) {
		items = append(items, option{windowLabel(p.Name, p.Window) + keyOfPreset(p.Name), func() tea.Cmd { return v.setWindow(p.Window, p.Name) }})
	}
	items = append(items, option{"type a window…", v.askWindow})
	return v.r.open(newPicker(v.r, "Window", items))
}

// keyOfPreset is the digit that chooses a preset, if there is one.
func keyOfPreset(name string) string {
	for k, n := range presetNames {
		if n == name {
			return "  (" + k + ")"
		}
	}
	return ""
}

func windowLabel(name string, w study.Window) string {
	return fmt.Sprintf("%-18s %5.4g / %.4g", name, w.Centre, w.Width)
}
