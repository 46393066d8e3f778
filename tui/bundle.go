package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// stick asks for a file and writes what members lack of the case into it.
func (c *casePage) stick() tea.Cmd {
	everybody := "everybody in the case"
	to := map[string][]string{}
	names := []string{everybody}
	for _, m := range c.d.Members {
		if m.Person == c.r.me.Person || m.Role == "removed" {
			continue
		}
		name := line(m.Name) + " " + short(m.Person)
		names = append(names, name)
		to[name] = []string{m.Person}
		to[everybody] = append(to[everybody], m.Person)
	}
	if len(names) == 1 {
		return c.r.say("bad", "✗ nobody else is in this case")
	}
	return c.r.open(newSheet(c.r, "Write a bundle for a stick", "write", []string{
		c.who(), "What they lack of this case, with its studies, in a file that only they can open. They read it with: curbside bundle read FILE, or under Network.",
	}, []blank{
		{name: "for", options: names},
		{name: "file", must: true, hint: "an absolute path, on the node's computer, such as /media/stick/case.curbside"},
	}, func(v map[string]string) tea.Cmd {
		req := control.BundleWriteRequest{To: to[v["for"]], Cases: []string{c.id}, Out: v["file"]}
		return bundled(c.r, "wrote", func(ctx context.Context, emit func(control.BundleEvent) error) error {
			return control.BundleWrite.Call(ctx, c.r.client, req, emit)
		})
	}))
}

// readStick asks for the files of a bundle and takes in what is new.
func readStick(r *root) tea.Cmd {
	return r.open(newSheet(r, "Read a bundle", "read", []string{
		"A file from a colleague, or all parts of one. It is checked whole before anything is taken; what is here already is passed over.",
	}, []blank{
		{name: "files", must: true, hint: "absolute paths, on the node's computer, with a comma between them"},
		{name: "if parts are missing", options: []string{"take nothing", "take what is there"}},
	}, func(v map[string]string) tea.Cmd {
		req := control.BundleReadRequest{Partial: v["if parts are missing"] != "take nothing"}
		for f := range strings.SplitSeq(v["files"], ",") {
			if f = strings.TrimSpace(f); f != "" {
				req.Files = append(req.Files, f)
			}
		}
		return bundled(r, "took", func(ctx context.Context, emit func(control.BundleEvent) error) error {
			return control.BundleRead.Call(ctx, r.client, req, emit)
		})
	}))
}

// bundled runs the one or the other and says what came of it.
func bundled(r *root, verb string, work func(context.Context, func(control.BundleEvent) error) error) tea.Cmd {
	r.running++
	topic := "bundle " + r.now().String() // each its own: a second one does not silence the first
	run := do(r.scope, topic, bundleMax, func(ctx context.Context) (res control.BundleResult, err error) {
		err = work(ctx, func(e control.BundleEvent) error {
			if e.Result != nil {
				res = *e.Result
			}
			return nil
		})
		clean(&res)
		return res, err
	}, func(res control.BundleResult, err error) tea.Cmd {
		r.running--
		delete(r.scope.gen, topic)
		if err != nil {
			return r.say("bad", "✗ "+explain(err))
		}
		cmds := []tea.Cmd{r.say("good", fmt.Sprintf("✓ %s %d %s of %d %s, %s", verb,
			res.Entries, map[bool]string{true: "entry", false: "entries"}[res.Entries == 1], res.Cases, plural(res.Cases, "case"), size(res.Bytes)))}
		for _, w := range slices.Compact(res.Warnings) {
			cmds = append(cmds, r.say("warn", line(w)))
		}
		return tea.Batch(append(cmds, r.page().update(eventsMsg{{Event: "case"}}))...)
	})
	return tea.Batch(r.say("", "the bundle is at work; the node goes on if you leave this screen"), run)
}
