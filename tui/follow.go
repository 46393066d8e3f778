package tui

import (
	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// followBatch bounds the events of a stream that are taken at once: one draw for all.
const followBatch = 64

// follow runs a stream of the node for as long as the scope lives. Each gets what came, in Update;
// end is called once, unless the scope was closed.
func follow[Req, E any](s *scope, c *control.Client, op control.Stream[Req, E], req Req, each func([]E) tea.Cmd, end func(error) tea.Cmd) tea.Cmd {
	events, failed := make(chan E, followBatch), make(chan error, 1)
	run := func() tea.Msg {
		err := op.Call(s.ctx, c, req, func(e E) error {
			clean(&e)
			select {
			case events <- e:
				return nil
			case <-s.ctx.Done():
				return s.ctx.Err()
			}
		})
		failed <- err
		close(events)
		return nil
	}
	var next func() tea.Msg
	next = func() tea.Msg {
		m := reply{s: s, topic: "stream"}
		e, more := <-events
		if !more {
			err := <-failed
			m.run = func() tea.Cmd { return end(err) }
			return m
		}
		batch := []E{e}
		for len(batch) < followBatch && len(events) > 0 {
			batch = append(batch, <-events)
		}
		m.run = func() tea.Cmd { return tea.Batch(each(batch), next) }
		return m
	}
	return tea.Batch(run, next)
}
