package desk_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/desk"
)

// These measure what a viewer waits for: opening a study and its frames through the control socket.
//
//	go test ./node/desk -run '^$' -bench 'Frames|FirstImage'

// imported is a desk behind a socket that holds a CT of n slices.
func imported(b *testing.B, n, side int) (*desk.Desk, *control.Client, []control.InstanceRow, string) {
	b.Helper()
	d, done := newDesk(b)
	b.Cleanup(done)
	dir := b.TempDir()
	for i, f := range phantom.CT(phantom.Options{Seed: 1, Slices: n, Side: side}).Files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.dcm", i)), f, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	err := d.Import(b.Context(), control.ImportRequest{Paths: []string{dir}}, func(control.ImportEvent) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	d.Register(mux)
	home, err := os.MkdirTemp("", "cs") //nolint:usetesting // b.TempDir is too long for a socket
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(home) })
	var lc net.ListenConfig
	l, err := lc.Listen(b.Context(), "unix", filepath.Join(home, "s"))
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(l) }()
	b.Cleanup(func() { _ = srv.Close() })
	c := control.Dial(filepath.Join(home, "s"))
	b.Cleanup(c.Close)
	studies, err := control.StudyList.Call(b.Context(), c, control.None{})
	if err != nil {
		b.Fatal(err)
	}
	rows, _ := openSeries(b, c, studies[0].Study)
	return d, c, rows, studies[0].Study
}

// openSeries is what an interface asks before the first frame.
func openSeries(b *testing.B, c *control.Client, id string) ([]control.InstanceRow, string) {
	b.Helper()
	st, err := control.StudyShow.Call(b.Context(), c, control.StudyRequest{Study: id})
	if err != nil {
		b.Fatal(err)
	}
	uid := st.SeriesList[0].SeriesUID
	rows, err := control.SeriesShow.Call(b.Context(), c, control.SeriesRequest{Study: id, SeriesUID: uid})
	if err != nil {
		b.Fatal(err)
	}
	return rows, uid
}

func BenchmarkFrames(b *testing.B) {
	_, c, rows, id := imported(b, 60, 512)
	for _, at := range []int{1, 4} {
		b.Run(fmt.Sprintf("at=%d", at), func(b *testing.B) {
			next := make(chan int)
			done := make(chan error, at)
			for range at {
				go func() {
					for i := range next {
						img, err := control.ImageFrame.Call(b.Context(), c, control.FrameRequest{Study: id, SOPUID: rows[i%len(rows)].SOPUID})
						if err == nil && len(img.Native.Data) != 512*512*2 {
							err = fmt.Errorf("frame has %d bytes", len(img.Native.Data))
						}
						if err != nil {
							b.Error(err)
						}
					}
					done <- nil
				}()
			}
			b.SetBytes(512 * 512 * 2)
			i := 0
			cpu := cpuSeconds()
			for b.Loop() {
				next <- i
				i++
			}
			close(next)
			for range at {
				<-done
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
			if cpu = cpuSeconds() - cpu; cpu > 0 { // of both ends; says more on a loaded machine
				b.ReportMetric(float64(b.N)/cpu, "frames/cpu-s")
			}
		})
	}
}

// BenchmarkFirstImage opens a series of 1,000 slices and shows one.
func BenchmarkFirstImage(b *testing.B) {
	_, c, _, id := imported(b, 1000, 128)
	cpu := cpuSeconds()
	for b.Loop() {
		rows, _ := openSeries(b, c, id)
		if _, err := control.ImageFrame.Call(b.Context(), c, control.FrameRequest{Study: id, SOPUID: rows[len(rows)/2].SOPUID}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/open")
	b.ReportMetric((cpuSeconds()-cpu)*1000/float64(b.N), "cpu-ms/open")
}
