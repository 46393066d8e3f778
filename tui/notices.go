package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// bell is for who looks elsewhere. It says nothing of whom or what.
const bell = "\a"

// notice tells of what concerns this person: a line and the terminal's bell. The title of the window
// counts the cases, and names none.
func (r *root) notice(events eventsMsg) tea.Cmd {
	var cmds []tea.Cmd
	for _, e := range events {
		if e.Event != "notice" || e.Case == "" || e.Person != "" && e.Person != r.me.Person || r.me.Locked {
			continue
		}
		style := "warn"
		if strings.HasPrefix(e.Kind, "critical") || strings.HasPrefix(e.Kind, "overdue") {
			style = "bad"
		}
		r.news[e.Case] = true
		cmds = append(cmds, r.say(style, short(e.Case)+": "+strings.ReplaceAll(line(e.Kind), "-", " ")))
	}
	if len(cmds) == 0 {
		return nil
	}
	return tea.Batch(append(cmds, tea.Raw(bell))...)
}

// windowTitle is all that a window list shows: no patient, no case.
func (r *root) windowTitle() string {
	if n := len(r.news); n > 0 {
		return fmt.Sprintf("curbside (%d)", n)
	}
	return "curbside"
}

// views are filters to choose from; the kept ones are a setting of the node.
var views = []option{{label: "everything"}, {label: "critical"}, {label: "overdue"}, {label: "unread"}, {label: "stat"}, {label: "question"}, {label: "answered"}}

const viewsKey = "views"

// chooseView sets the filter to a view, or keeps the filter as one.
func (w *worklist) chooseView() tea.Cmd {
	return act(w.r, control.ConfigGet, control.ConfigRequest{Key: viewsKey}, "", func(got map[string]any) tea.Cmd {
		kept := keptViews(got)
		var items []option
		use := func(label, filter string) {
			items = append(items, option{label, func() tea.Cmd {
				w.filter.SetValue(filter)
				w.arrange()
				return nil
			}})
		}
		for _, v := range kept {
			name, filter, _ := strings.Cut(v, "=")
			use(name+" · "+filter, filter)
		}
		for _, v := range views {
			use(v.label, strings.TrimPrefix(v.label, "everything"))
		}
		if now := strings.TrimSpace(w.filter.Value()); now != "" {
			items = append(items, option{"keep this filter as a view…", func() tea.Cmd { return w.keepView(now, kept) }})
		}
		if len(kept) > 0 {
			items = append(items, option{"forget a kept view…", func() tea.Cmd { return w.forgetView(kept) }})
		}
		return w.r.open(newPicker(w.r, "Which cases?", items))
	})
}

func keptViews(got map[string]any) []string {
	var out []string
	all, _ := got[viewsKey].([]any)
	for _, v := range all {
		if s, ok := v.(string); ok && s != "" {
			out = append(out, line(s))
		}
	}
	return out
}

func (w *worklist) keepView(filter string, kept []string) tea.Cmd {
	return w.r.open(newSheet(w.r, "Keep a view", "keep", []string{"It shows the cases that have: " + filter}, []blank{{name: "name", must: true, hint: "no comma or ="}}, func(v map[string]string) tea.Cmd {
		name := strings.NewReplacer(",", " ", "=", " ").Replace(v["name"])
		all := append(slices.Clone(kept), name+"="+strings.ReplaceAll(filter, ",", " "))
		return act(w.r, control.ConfigSet, control.ConfigRequest{Key: viewsKey, Value: strings.Join(all, ",")}, "kept "+name, nil)
	}))
}

func (w *worklist) forgetView(kept []string) tea.Cmd {
	return w.r.open(newSheet(w.r, "Forget a view", "forget", nil, []blank{{name: "which", options: kept}}, func(v map[string]string) tea.Cmd {
		left := slices.DeleteFunc(slices.Clone(kept), func(s string) bool { return s == v["which"] })
		return act(w.r, control.ConfigSet, control.ConfigRequest{Key: viewsKey, Value: strings.Join(left, ",")}, "forgotten", nil)
	}))
}
