package dicomweb

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// dial opens a connection and sends raw bytes.
func dial(t *testing.T, url, raw string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(15 * time.Second))
	return c
}

// ended waits until the server has ended a connection and returns what it said.
func ended(t *testing.T, c net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		t.Errorf("the connection is still open: %q", b)
	}
	return string(b)
}

// TestSlowPeers: who sends headers or a body slowly is let go, and the others are served meanwhile.
func TestSlowPeers(t *testing.T) {
	t.Parallel()
	h := newHeld()
	h.put(Path{"1.1", "1.2", "1.3"}, explicitLE, 1, bytes.Repeat([]byte("x"), 64<<20))
	s := serve(t, h, func(c *Config) { c.Quiet, c.Rate = 200*time.Millisecond, 1<<20 })
	store := func(length int) string {
		return fmt.Sprintf("POST %s/studies HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: multipart/related; type=\"application/dicom\"; boundary=b\r\nContent-Length: %d\r\n\r\n--b\r\n", Root, writeKey, length)
	}
	headers := dial(t, s.URL, "GET /dicom-web/studies HTTP/1.1\r\nHost: loc")
	silent := dial(t, s.URL, store(1<<30))
	drip := dial(t, s.URL, store(1<<30))
	go func() { // never silent for long, and far too slow
		for {
			if _, err := io.WriteString(drip, "x"); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	reader := dial(t, s.URL, fmt.Sprintf("GET %s/studies/1.1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", Root, readKey))
	if resp, _ := ask(t, "GET", s.URL+Root+"/studies", readKey, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("others: %d", resp.StatusCode)
	}
	ended(t, headers)
	for name, c := range map[string]net.Conn{"silent": silent, "drip": drip} {
		if got := ended(t, c); !strings.Contains(got, "400") {
			t.Errorf("%s: %q", name, got)
		}
	}
	time.Sleep(time.Second) // who takes nothing for a while: longer than Quiet, whatever the buffers hold
	got := ended(t, reader)
	if len(got) > 60<<20 {
		t.Errorf("a reader that took nothing was given all of %d bytes", len(got))
	}
}

// TestRequestsMax: requests beyond the bound are told to come back, and the bound is given back.
func TestRequestsMax(t *testing.T) {
	t.Parallel()
	s := serve(t, newHeld(), nil)
	open := make([]net.Conn, 0, requestsMax)
	for range requestsMax {
		open = append(open, dial(t, s.URL, fmt.Sprintf("POST %s/studies HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/dicom\r\nContent-Length: 9\r\n\r\n", Root, writeKey)))
	}
	status := func(want int) {
		t.Helper()
		end := time.Now().Add(10 * time.Second)
		for {
			resp, _ := ask(t, "GET", s.URL+Root+"/studies", readKey, nil)
			if resp.StatusCode == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d, want %d", resp.StatusCode, want)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	status(http.StatusServiceUnavailable)
	for _, c := range open {
		_ = c.Close()
	}
	status(http.StatusOK)
}

// TestHugeHeaders: of the request, and of a part.
func TestHugeHeaders(t *testing.T) {
	t.Parallel()
	s := serve(t, newHeld(), nil)
	big := strings.Repeat("x", 2*HeaderBytesMax)
	c := dial(t, s.URL, "GET /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\n")
	go func() { _, _ = fmt.Fprintf(c, "X: %s\r\n\r\n", big) }()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil) //nolint:bodyclose // the connection is closed
	if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v %v", resp, err)
	}
	body := "--b\r\nContent-Type: application/dicom\r\nX: " + big + "\r\n\r\nx\r\n--b--\r\n"
	r, text := ask(t, "POST", s.URL+Root+"/studies", writeKey, strings.NewReader(body), "Content-Type", `multipart/related; type="application/dicom"; boundary=b`)
	if r.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", r.StatusCode, text)
	}
}

// endless is a body that goes on for ever, and counts what was taken of it.
type endless struct {
	head string
	n    int64
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.head)
	e.head = e.head[n:]
	for i := n; i < len(p); i++ {
		p[i] = 'x'
	}
	e.n += int64(len(p))
	return len(p), nil
}

// TestEndless: a part, a line of headers, or a number of parts without end costs its bound and no more.
func TestEndless(t *testing.T) {
	t.Parallel()
	const total, part = 8 << 20, 1 << 20
	for name, c := range map[string]struct {
		head string
		want error // of a line longer than the reader's buffer it has its own
	}{
		"part":     {"--b\r\nContent-Type: application/dicom\r\n\r\n", errTooLong},
		"header":   {"--b\r\nContent-Type: ", errTooLong},
		"preamble": {"", nil},
		"boundary": {"--b", nil},
	} {
		body := &endless{head: c.head}
		p, _, err := newParts(body, `multipart/related; boundary=b`, total, part)
		if err != nil {
			t.Fatal(err)
		}
		var n int64
		for err == nil {
			var r io.Reader
			if _, r, err = p.next(); err == nil {
				var m int64
				m, err = io.Copy(io.Discard, r)
				n += m
			}
		}
		if c.want != nil && !errors.Is(err, c.want) || errors.Is(err, io.EOF) || n > part+4*bufferAhead || body.n > part+8*bufferAhead {
			t.Errorf("%s: %d bytes of a part, %d taken: %v", name, n, body.n, err)
		}
	}
	many := strings.NewReader(strings.Repeat("--b\r\n\r\n\r\n", partsMax+2))
	p, _, err := newParts(many, `multipart/related; boundary=b`, total, part)
	n := 0
	for err == nil {
		if _, _, err = p.next(); err == nil {
			n++
		}
	}
	if !errors.Is(err, errTooLong) || n != partsMax {
		t.Errorf("%d parts: %v", n, err)
	}
}
