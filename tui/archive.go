package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// archive asks for a destination and files the case there.
func (c *casePage) archive() tea.Cmd {
	return call(c.s, "destinations", c.r.client, control.DestinationList, control.None{}, func(list []control.Destination, err error) tea.Cmd {
		switch {
		case err != nil:
			return c.r.say("bad", "✗ "+explain(err))
		case len(list) == 0:
			return c.r.say("bad", "✗ no archive is known here · curbside gateway destination add --help")
		}
		var names []string
		for _, d := range list {
			names = append(names, line(d.Name))
		}
		return c.r.open(newSheet(c.r, "File in the archive", "file", []string{
			c.who(), "Report, measurements, marks and key images go to the hospital's archive, with the original patient and study. They cannot be taken back from here.",
		}, []blank{
			{name: "archive", options: names}, {name: "language", hint: "of the report, such as en or es", value: "en"},
		}, func(v map[string]string) tea.Cmd {
			return act(c.r, control.CaseArchive, control.CaseArchiveRequest{Case: c.id, To: v["archive"], Language: v["language"]}, "", c.archived)
		}))
	})
}

// archived says what came through.
func (c *casePage) archived(res control.CaseArchived) tea.Cmd {
	stored, why := 0, ""
	for _, o := range res.Archived {
		if o.OK {
			stored++
		} else {
			why = o.Detail
		}
	}
	switch {
	case stored < len(res.Archived):
		return c.r.say("bad", fmt.Sprintf("✗ %d of %d objects filed: %s · file it again, what is there is not sent twice", stored, len(res.Archived), why))
	case !res.Committed:
		return c.r.say("good", fmt.Sprintf("✓ filed %d objects; the archive did not say that it keeps them", stored))
	}
	return c.r.say("good", fmt.Sprintf("✓ filed %d objects, and the archive keeps them", stored))
}
