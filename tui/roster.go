package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// roster shows who is asked next when nobody accepts in time, and changes it.
func (r *root) roster() tea.Cmd {
	return act(r, control.RosterList, control.None{}, "", func(rows []control.RosterEntry) tea.Cmd {
		text := []string{"When nobody accepts in time, these are asked in this order. Hours are theirs, with their zone."}
		for i, x := range rows {
			text = append(text, fmt.Sprintf("%d  %s", i+1, rosterLine(x)))
		}
		if len(rows) == 0 {
			text = append(text, "nobody yet")
		}
		return r.open(newChoice(r, "On call", text, []option{{"Close", nil}, {"Change the order, add or remove…", func() tea.Cmd { return r.changeRoster(rows) }}}))
	})
}

func rosterLine(x control.RosterEntry) string {
	s := line(x.Name)
	if x.Trust != "verified" {
		s += " ?"
	}
	switch {
	case x.Accepting:
		s += " · takes cases now"
	case x.OpensAt != nil:
		s += " · from " + x.OpensAt.Local().Format("Mon 15:04 MST")
	default:
		s += " · not accepting"
	}
	if x.Hours != nil {
		s += " · " + line(*x.Hours)
	}
	return s
}

// changeRoster asks for the whole roster in one line, as the command line does.
func (r *root) changeRoster(rows []control.RosterEntry) tea.Cmd {
	var now []string
	for _, x := range rows {
		now = append(now, line(x.Name))
	}
	return r.open(newSheet(r, "On call", "set", []string{"Names of contacts in their order, with commas between. Nothing empties it."},
		[]blank{{name: "in this order", value: strings.Join(now, ", ")}}, func(v map[string]string) tea.Cmd {
			req := control.RosterRequest{Members: []control.RosterMember{}}
			for name := range strings.SplitSeq(v["in this order"], ",") {
				if name = strings.TrimSpace(name); name != "" {
					req.Members = append(req.Members, control.RosterMember{Contact: name})
				}
			}
			return act(r, control.RosterSet, req, "roster set", nil)
		}))
}
