package main

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	barWidth = 24
	// drawEvery keeps a fast import from spending its time on the terminal.
	drawEvery = 100 * time.Millisecond
)

// bar is a line of progress on stderr. Where stderr is no terminal it draws nothing.
type bar struct {
	a     *app
	mu    sync.Mutex // guards what follows
	drawn time.Time
	wide  int
}

func (a *app) bar() *bar { return &bar{a: a} }

// set draws done of total; with no total it draws no bar, only the words.
func (b *bar) set(done, total int64, words string) {
	if !b.a.errTTY {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if now.Sub(b.drawn) < drawEvery && done < total {
		return
	}
	b.drawn = now
	line := words
	if total > 0 {
		full := int(min(done, total) * barWidth / total)
		line = fmt.Sprintf("[%s%s] %3d %%  %s", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), min(done, total)*100/total, words)
	}
	fmt.Fprintf(b.a.err, "\r%-*s", b.wide, line)
	b.wide = len(line)
}

// clear takes the line away.
func (b *bar) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wide > 0 {
		fmt.Fprintf(b.a.err, "\r%s\r", strings.Repeat(" ", b.wide))
		b.wide = 0
	}
}

// during shows that something without numbers goes on, until the returned function is called.
func (a *app) during(what string, look func() (done, total int64, words string)) (stop func()) {
	if !a.errTTY {
		return func() {}
	}
	b, begun := a.bar(), time.Now()
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				b.clear()
				return
			case <-tick.C:
				var done, total int64
				words := ""
				if look != nil {
					done, total, words = look()
				}
				b.set(done, total, strings.TrimSpace(fmt.Sprintf("%s %s %s", what, words, time.Since(begun).Round(time.Second))))
			}
		}
	}()
	return func() { close(quit); <-ended }
}
