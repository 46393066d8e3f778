package dicomweb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	readKey  = "read-key-read-key-read"
	writeKey = "write-key-write-key-wr"
)

// held is a source in memory: files are what was sent, and name their instance in their first line.
type held struct {
	mu    sync.Mutex
	files map[Path][]byte
	list  []Instance
	fail  map[string]Stored // what becomes of an instance, by its UID
}

func newHeld() *held { return &held{files: map[Path][]byte{}, fail: map[string]Stored{}} }

// fileOf makes a file for the source: "STUDY SERIES INSTANCE SYNTAX\n" and a body.
func fileOf(p Path, syntax string, body []byte) []byte {
	return append([]byte(fmt.Sprintf("%s %s %s %s\n", p.Study, p.Series, p.Instance, syntax)), body...)
}

func (h *held) put(p Path, syntax string, frames int, body []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.files[p] = fileOf(p, syntax, body)
	h.list = append(h.list, Instance{Path: p, Class: "1.2.840.10008.5.1.4.1.1.7", Syntax: syntax, Frames: frames, Size: int64(len(body))})
}

func (h *held) Rows(_ context.Context, level Level, in Path, yield func(Dataset) bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[string]bool{}
	for _, x := range h.list {
		key := [...]string{x.Study, x.Series, x.Instance}[level]
		if seen[key] || in.Study != "" && in.Study != x.Study || in.Series != "" && in.Series != x.Series {
			continue
		}
		seen[key] = true
		row := Dataset{}
		row.Set(0x0020000D, "UI", x.Study)
		row.Set(0x00100010, "PN", "Doe^Jane")
		row.Set(0x00100020, "LO", "P"+x.Study)
		row.Set(0x00080020, "DA", "20240131")
		row.Set(0x00080061, "CS", "CT", "SR")
		if level >= Series {
			row.Set(0x0020000E, "UI", x.Series)
		}
		if level == Instances {
			row.Set(0x00080018, "UI", x.Instance)
		}
		if !yield(row) {
			return nil
		}
	}
	return nil
}

func (h *held) Instances(_ context.Context, in Path) ([]Instance, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Instance
	for _, x := range h.list {
		if x.Study == in.Study && (in.Series == "" || in.Series == x.Series) && (in.Instance == "" || in.Instance == x.Instance) {
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		return nil, ErrAbsent
	}
	return out, nil
}

func (h *held) Metadata(_ context.Context, in Instance, bulk func(string) string) (Dataset, error) {
	d := Dataset{}
	d.Set(0x00080018, "UI", in.Instance)
	d["7FE00010"] = Element{VR: "OW", BulkDataURI: bulk("7FE00010")}
	return d, nil
}

func (h *held) File(_ context.Context, in Instance) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b, ok := h.files[in.Path]; ok {
		return b, nil
	}
	return nil, ErrAbsent
}

func (h *held) Bulk(_ context.Context, _ Instance, path string) ([]byte, error) {
	if path == "7FE00010" {
		return []byte("pixels"), nil
	}
	return nil, ErrAbsent
}

func (h *held) Frame(_ context.Context, in Instance, n int) ([]byte, error) {
	return fmt.Appendf(nil, "frame %d of %s", n, in.Instance), nil
}

func (h *held) Render(_ context.Context, _ Instance, r Rendering) ([]byte, error) {
	return fmt.Appendf(nil, "png %d %v %d", r.Frame, r.Window, r.Width), nil
}

func (h *held) Take(_ context.Context, file io.Reader, into Path) (func() Stored, error) {
	b, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(b), "\n")
	var p Path
	var syntax string
	if n, _ := fmt.Sscan(first, &p.Study, &p.Series, &p.Instance, &syntax); n < 4 {
		return func() Stored { return Stored{Failure: FailUnderstand} }, nil
	}
	return func() Stored {
		s := h.fail[p.Instance]
		s.Class, s.Study, s.Series, s.Instance = "1.2.840.10008.5.1.4.1.1.7", p.Study, p.Series, p.Instance
		if into.Study != "" && into.Study != p.Study {
			s.Failure = FailMismatch
		}
		if s.Failure == 0 {
			h.put(p, syntax, 1, nil)
			h.mu.Lock()
			h.files[p] = b
			h.mu.Unlock()
		}
		return s
	}, nil
}

// serve runs a handler over the source.
func serve(t *testing.T, h Source, change func(*Config)) *httptest.Server {
	t.Helper()
	cfg := Config{Open: func(key string) (Access, bool) {
		switch key {
		case readKey:
			return Access{Source: h, Read: true}, true
		case writeKey:
			return Access{Source: h, Read: true, Write: true}, true
		}
		return Access{}, false
	}}
	if change != nil {
		change(&cfg)
	}
	s := httptest.NewUnstartedServer(nil)
	s.Config = Server(NewHandler(cfg))
	s.Config.ReadHeaderTimeout = max(cfg.Quiet, time.Second) // HeaderTime is long for a test
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// reply is what came back, its body apart.
type reply struct {
	StatusCode int
	Header     http.Header
}

// ask makes one request and reads the reply.
func ask(t *testing.T, method, url, key string, body io.Reader, headers ...string) (reply, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header}, string(b)
}
