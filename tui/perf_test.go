package tui

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/curbside-p2p/curbside/node/control"
)

// sink is a terminal that swallows everything at once and answers for each
// picture at once: what is measured against it is the interface alone.
type sink struct {
	mu      sync.Mutex
	in      *io.PipeWriter
	replies chan []byte
	tail    []byte
	bytes   int // guarded by mu
	frames  int // guarded by mu: frames and pictures that were written
	asked   int // guarded by mu: cursor reports, one a picture
	changed chan struct{}
}

func newSink() (*sink, io.Reader) {
	r, w := io.Pipe()
	s := &sink{in: w, replies: make(chan []byte, 1000), changed: make(chan struct{}, 1)}
	go func() {
		for b := range s.replies {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	}()
	return s, r
}

var askCursor = []byte("\x1b[6n")

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += len(p)
	if bytes.Contains(p, []byte("48;2;")) {
		s.frames++
	}
	data := p
	if len(s.tail) > 0 { // a request may be split between two writes
		data = append(s.tail, p[:min(len(p), len(askCursor))]...)
		if n := bytes.Count(data, askCursor); n > 0 {
			s.answer(n)
		}
		data = p
	}
	s.answer(bytes.Count(data, askCursor))
	s.tail = append([]byte(nil), p[max(0, len(p)-len(askCursor)+1):]...)
	return len(p), nil
}

func (s *sink) answer(n int) {
	for range n {
		s.asked++
		s.replies <- []byte("\x1b[5;5R")
	}
	if n > 0 {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

// shown is how many pictures a terminal would have shown: of cells, those that
// a frame of the program carried.
func (s *sink) shown(cells bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cells {
		return min(s.frames, s.asked)
	}
	return s.asked
}

func (s *sink) count() (pictures, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, s.bytes
}

// stage runs the whole program over a fake node with a CT of 512 × 512 against a sink.
func stage(b testing.TB, graphics string, cols, rows int) (*tea.Program, *sink, *root) {
	b.Helper()
	old := fakeSide
	fakeSide = 512
	f := perfFake()
	fakeSide = old
	ctx, cancel := context.WithCancel(b.Context())
	out, in := newSink()
	cfg := Config{Client: f.client(), Graphics: graphics, Case: "7f3ac0de11", In: in, Out: out, Env: []string{"TERM=xterm-256color", "COLORTERM=truecolor"}}
	cfg.defaults()
	r, err := newRoot(ctx, cfg)
	if err != nil {
		b.Fatal(err)
	}
	f.events = make(chan control.Event, 100)
	r.feed = newFeed(cfg.Client)
	go r.feed.run(ctx)
	p := tea.NewProgram(r, append(options(ctx, cfg), tea.WithWindowSize(cols, rows), tea.WithColorProfile(colorprofile.TrueColor))...)
	ended := make(chan struct{})
	go func() { _, _ = p.Run(); close(ended) }()
	b.Cleanup(func() { cancel(); <-ended; close(out.replies) })
	waitPictures(b, out, 1)
	p.Send(keyMsg("f"))
	time.Sleep(700 * time.Millisecond) // the page settles: what is measured is not its opening
	return p, out, r
}

var perfFake = sync.OnceValue(newFake)

func waitPictures(b testing.TB, s *sink, n int) {
	b.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if have, _ := s.count(); have >= n {
			return
		}
		select {
		case <-s.changed:
		case <-deadline:
			have, _ := s.count()
			b.Fatalf("%d pictures, want %d", have, n)
		}
	}
}

// BenchmarkCine plays a series of 512 × 512 16-bit slices for three seconds as
// fast as it goes, the whole program against a terminal that answers at once:
//
//	go test ./tui -run '^$' -bench Cine -benchtime 1x
func BenchmarkCine(b *testing.B) {
	for _, size := range [][2]int{{80, 24}, {200, 60}} {
		for _, g := range []string{"half", "sextant", "sixel", "kitty"} {
			b.Run(fmt.Sprintf("%s/%dx%d", g, size[0], size[1]), func(b *testing.B) {
				p, out, _ := stage(b, g, size[0], size[1])
				p.Send(keyMsg("g"))
				for range 24 {
					p.Send(keyMsg("]"))
				}
				p.Send(keyMsg("space"))
				time.Sleep(300 * time.Millisecond)
				for b.Loop() {
					_, b0 := out.count()
					n0 := out.shown(g == "half" || g == "sextant")
					start, cpu := time.Now(), cpuSeconds()
					time.Sleep(3 * time.Second)
					_, b1 := out.count()
					n1 := out.shown(g == "half" || g == "sextant")
					b.ReportMetric(float64(n1-n0)/time.Since(start).Seconds(), "fps")
					b.ReportMetric(float64(b1-b0)/float64(max(1, n1-n0)), "B/picture")
					b.ReportMetric(1000*(cpuSeconds()-cpu)/float64(max(1, n1-n0)), "cpu-ms/picture")
				}
			})
		}
	}
}

// BenchmarkKeyToPicture is the time from a key to its picture being written and
// answered for, slice by slice:
//
//	go test ./tui -run '^$' -bench KeyToPicture
func BenchmarkKeyToPicture(b *testing.B) {
	for _, g := range []string{"half", "sextant", "sixel", "kitty"} {
		b.Run(g, func(b *testing.B) {
			p, out, _ := stage(b, g, 200, 60)
			keys := []string{"j", "j", "j", "j", "k", "k", "k", "k"}
			i, worst, cpu := 0, time.Duration(0), 0.0
			for b.Loop() {
				before := cpuSeconds()
				n, _ := out.count()
				start := time.Now()
				p.Send(keyMsg(keys[i%len(keys)]))
				waitPictures(b, out, n+1)
				worst = max(worst, time.Since(start))
				cpu += cpuSeconds() - before
				i++
				b.StopTimer()
				time.Sleep(60 * time.Millisecond) // a reader does not press faster; the next one is prepared meanwhile
				b.StartTimer()
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
			b.ReportMetric(1000*cpu/float64(i), "cpu-ms/key")
		})
	}
}

// BenchmarkWindowToPicture is the same for a change of the window, which no
// picture can be prepared for.
func BenchmarkWindowToPicture(b *testing.B) {
	for _, g := range []string{"half", "sextant", "sixel", "kitty"} {
		b.Run(g, func(b *testing.B) {
			p, out, _ := stage(b, g, 200, 60)
			p.Send(keyMsg("w"))
			time.Sleep(100 * time.Millisecond)
			i, cpu := 0, 0.0
			for b.Loop() {
				before := cpuSeconds()
				n, _ := out.count()
				p.Send(keyMsg([]string{"left", "right"}[i/10%2]))
				waitPictures(b, out, n+1)
				cpu += cpuSeconds() - before
				i++
				b.StopTimer()
				time.Sleep(30 * time.Millisecond)
				b.StartTimer()
			}
			b.ReportMetric(1000*cpu/float64(i), "cpu-ms/key")
		})
	}
}
