package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
)

// scope is the life of a screen: its calls end with it, and of each topic only
// the newest call's reply is seen.
type scope struct {
	ctx    context.Context //nolint:containedctx // the scope is the lifetime; it is handed to commands only
	cancel context.CancelFunc
	gen    map[string]int
}

func newScope(parent context.Context) *scope {
	ctx, cancel := context.WithCancel(parent)
	return &scope{ctx: ctx, cancel: cancel, gen: map[string]int{}}
}

func (s *scope) close() { s.cancel() }

// reply is an answer on its way to who asked. run is called in Update.
type reply struct {
	s     *scope
	topic string
	gen   int
	run   func() tea.Cmd
}

func (m reply) stale() bool {
	return m.s.ctx.Err() != nil || m.s.gen[m.topic] != m.gen
}

// do runs work outside Update and then, if nothing newer of the topic was
// started, then in Update.
func do[T any](s *scope, topic string, limit time.Duration, work func(context.Context) (T, error), then func(T, error) tea.Cmd) tea.Cmd {
	s.gen[topic]++
	m := reply{s: s, topic: topic, gen: s.gen[topic]}
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(s.ctx, limit)
		defer cancel()
		v, err := work(ctx)
		m.run = func() tea.Cmd { return then(v, err) }
		return m
	}
}

// call is do for a use case of the node; what it returns is showable.
func call[Req, Res any](s *scope, topic string, c *control.Client, op control.Op[Req, Res], req Req, then func(Res, error) tea.Cmd) tea.Cmd {
	return do(s, topic, callMax, func(ctx context.Context) (Res, error) {
		res, err := op.Call(ctx, c, req)
		clean(&res)
		return res, err
	}, then)
}

// explain is a failure in words for the screen.
func explain(err error) string {
	e := control.AsError(err)
	s := text.Line(e.Message)
	if e.Hint != "" {
		s += " · " + text.Line(e.Hint)
	}
	return s
}
