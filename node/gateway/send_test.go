package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

// storescp runs dcmtk's receiver until the test ends and gives its port and where it keeps files.
func storescp(t *testing.T, flags ...string) (port int, dir string) {
	t.Helper()
	if _, err := exec.LookPath("storescp"); err != nil {
		t.Skip("storescp not installed")
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	_, name, _ := net.SplitHostPort(addr.String())
	cmd := exec.CommandContext(t.Context(), "storescp", append(append(flags, "-od", dir, "--bit-preserving"), name)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }) // killed on purpose
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr.String())
		if err == nil {
			conn.Close()
			return addr.Port, dir
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// store sends files to a port as the user's setting decode says.
func store(t *testing.T, port int, decode bool, files ...[]byte) []Stored {
	t.Helper()
	g := New(Config{
		AETitle: "CURBSIDE", Tmp: t.TempDir(), Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Destinations: func() (map[string]Settings, error) {
			return map[string]Settings{"pacs": {AET: "PACS", Host: "127.0.0.1", Port: port, Decode: decode}}, nil
		},
	})
	d, err := g.Destination("pacs")
	if err != nil {
		t.Fatal(err)
	}
	list := make([]File, 0, len(files))
	for _, b := range files {
		in, err := study.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, File{
			SOPClass: in.SOPClass, SOPUID: in.SOPUID, Syntax: in.TransferSyntax, StudyUID: in.StudyUID, Size: int64(len(b)),
			Read: func(context.Context) ([]byte, error) { return b, nil },
		})
	}
	out, _, err := d.Store(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// received gives the data sets that storescp kept, by the SOP Instance UID in the names of its files.
func received(t *testing.T, dir, uid string) []byte {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*."+uid))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d files, want 1: %v", len(found), err)
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSendPlain: to a destination that takes no compression, what was compressed without loss goes
// plain, and its pixels are those from before dcmtk compressed them; what lost something, and what
// nobody decided about, does not go at all.
func TestSendPlain(t *testing.T) {
	t.Parallel()
	tools := [][]string{{"dcmcrle"}, {"dcmcjpeg"}, {"dcmcjpls"}, {"dcmcjpls", "+en"}}
	ct := phantom.CT(phantom.Options{Seed: 11, Slices: len(tools) + 1, Side: 64, PatientName: "Roe^Rita", PatientID: "R-1"})
	const pixels = 64 * 64 * 2 // bytes at the end of each
	files := [][]byte{ct.Files[len(tools)]}
	for i, tool := range tools {
		if _, err := exec.LookPath(tool[0]); err != nil {
			t.Skipf("%s not installed", tool[0])
		}
		from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
		if err := os.WriteFile(from, ct.Files[i], 0o600); err != nil {
			t.Fatal(err)
		}
		if said, err := exec.CommandContext(t.Context(), tool[0], append(tool[1:], "--uid-never", from, to)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v %s", tool, err, said)
		}
		b, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, b)
	}
	originals := append([][]byte{ct.Files[len(tools)]}, ct.Files[:len(tools)]...)
	for flag, syntax := range map[string]string{"+xi": dimse.ImplicitLE, "+xe": dimse.ExplicitLE} {
		t.Run(syntax, func(t *testing.T) {
			t.Parallel()
			port, dir := storescp(t, flag)
			for i, o := range store(t, port, false, files...) {
				if i == 0 != (o.State == StoredYes) || i > 0 && !strings.Contains(o.Detail, "decode") {
					t.Errorf("undecided, file %d: %+v", i, o)
				}
			}
			for i, o := range store(t, port, true, files...) {
				if lossy := i == len(tools); lossy {
					if o.State != Failed || !strings.Contains(o.Detail, "without loss") {
						t.Errorf("a lossy one: %+v", o)
					}
					continue
				}
				if o.State != StoredYes {
					t.Errorf("file %d: %+v", i, o)
					continue
				}
				got, want := received(t, dir, o.SOPUID), originals[i]
				in, err := study.Parse(got)
				if err != nil || in.TransferSyntax != syntax {
					t.Fatalf("file %d: %+v %v", i, in, err)
				}
				if !bytes.HasSuffix(got, want[len(want)-pixels:]) {
					t.Errorf("file %d: the pixels differ", i)
				}
			}
		})
	}
}

// mortal passes connections on to a port. The first dies once so many of its bytes went to the other
// side.
type mortal struct {
	port  int
	conns atomic.Int32
	bytes [8]atomic.Int64 // that went, by connection
}

func newMortal(t *testing.T, to int, after int64) *mortal {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	m := &mortal{port: l.Addr().(*net.TCPAddr).Port}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			n := int(m.conns.Add(1)) - 1
			if n >= len(m.bytes) {
				in.Close()
				continue
			}
			out, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: to}).String())
			if err != nil {
				in.Close()
				continue
			}
			go func() { _, _ = io.Copy(in, out); in.Close() }()
			go func() {
				defer in.Close()
				defer out.Close()
				from := io.Reader(in)
				if n == 0 {
					from = io.LimitReader(in, after)
				}
				k, _ := io.Copy(out, from)
				m.bytes[n].Store(k)
			}()
		}
	}()
	return m
}

// TestSendAgain: a destination that dies in the middle of an instance and comes back gets the rest,
// each instance once, and not again what it had answered.
func TestSendAgain(t *testing.T) {
	t.Parallel()
	ct := phantom.CT(phantom.Options{Seed: 12, Slices: 6, Side: 128})
	size := int64(len(ct.Files[0]))
	port, dir := storescp(t, "+xa")
	m := newMortal(t, port, 3*size+size/2) // three instances, and a part of the fourth
	for i, o := range store(t, m.port, false, ct.Files...) {
		if o.State != StoredYes {
			t.Errorf("instance %d: %+v", i, o)
			continue
		}
		got, want := received(t, dir, o.SOPUID), ct.Files[i]
		if !bytes.Equal(got[dimse.DataSet(got):], want[dimse.DataSet(want):]) {
			t.Errorf("instance %d differs", i)
		}
	}
	end := time.Now().Add(10 * time.Second)
	for m.bytes[1].Load() == 0 && time.Now().Before(end) {
		time.Sleep(5 * time.Millisecond)
	}
	if again := m.bytes[1].Load(); again < 2*size || again > 4*size {
		t.Errorf("%d bytes went over the second association, instances have %d: not the three that were left", again, size)
	}
}

// TestSendNobody: where nobody comes back, what was stored is said, and the rest is failed.
func TestSendNobody(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	d := &dicom{g: New(Config{AETitle: "CURBSIDE", Log: slog.New(slog.DiscardHandler)}), set: Settings{AET: "PACS", Host: "127.0.0.1", Port: port}}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond) // the user's Ctrl-C, in a pause
	defer cancel()
	f := File{SOPClass: "1.2.840.10008.5.1.4.1.1.2", SOPUID: "1.2.3", Syntax: dimse.ExplicitLE, Read: func(context.Context) ([]byte, error) { return nil, errors.New("not asked for") }}
	out, state, err := d.Store(ctx, []File{f})
	if !errors.Is(err, context.DeadlineExceeded) || state != Failed || len(out) != 1 || out[0].State != Failed {
		t.Errorf("%+v %v %v", out, state, err)
	}
}
