package dicomweb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
)

func clientOf(t *testing.T, base, secret string) *Client {
	t.Helper()
	c, err := NewClient(ClientConfig{URL: base + Root + "/", Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestRoundTrip: 250 instances in three requests, one refused and one with a warning; found, and
// fetched byte by byte.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	h := newHeld()
	h.fail = map[string]Stored{"3.7": {Failure: FailSyntax}, "3.8": {Warning: WarnMismatch}}
	s := serve(t, h, nil)
	c := clientOf(t, s.URL, writeKey)
	var files []File
	want := map[string][]byte{}
	for i := range 250 {
		p := Path{"1.1", "2.1", fmt.Sprintf("3.%d", i)}
		b := fileOf(p, explicitLE, bytes.Repeat([]byte{byte(i), '\r', '\n', '-', '-'}, i*7))
		want[p.Instance] = b
		files = append(files, File{Path: p, Class: "1.2", Syntax: explicitLE, Size: int64(len(b)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }})
	}
	calls := 0
	res, err := c.Store(t.Context(), files, func(int) { calls++ })
	if err != nil || len(res) != 250 || calls != 3 {
		t.Fatalf("%d results in %d requests: %v", len(res), calls, err)
	}
	for i, r := range res {
		if r.Instance != files[i].Instance || r.Failure != h.fail[r.Instance].Failure || r.Warning != h.fail[r.Instance].Warning {
			t.Errorf("instance %d: %+v", i, r)
		}
	}
	rows, err := c.Search(t.Context(), Instances, Path{Study: "1.1"}, url.Values{"limit": {"1000"}})
	if err != nil || len(rows) != 249 {
		t.Errorf("%d found: %v", len(rows), err)
	}
	n, err := c.Retrieve(t.Context(), Path{Study: "1.1"}, func(r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		var uid string
		_, _ = fmt.Sscanf(string(b[:bytes.IndexByte(b, '\n')]), "1.1 2.1 %s", &uid)
		if !bytes.Equal(b, want[uid]) {
			t.Errorf("%s is not as it was", uid)
		}
		delete(want, uid)
		return nil
	})
	if err != nil || n != 249 || len(want) != 1 {
		t.Errorf("%d fetched, %d left: %v", n, len(want), err)
	}
	if err := c.Echo(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRefusedKey: the client says what the server wants.
func TestRefusedKey(t *testing.T) {
	t.Parallel()
	s := serve(t, newHeld(), nil)
	var status *StatusError
	if err := clientOf(t, s.URL, "wrong").Echo(t.Context()); !errors.As(err, &status) || status.Status != 401 {
		t.Error(err)
	}
	if err := clientOf(t, s.URL, "user:"+readKey).Echo(t.Context()); err != nil {
		t.Errorf("name and password: %v", err)
	}
	if err := clientOf(t, "http://127.0.0.1:1", "").Echo(t.Context()); err == nil {
		t.Error("nobody answers and that is fine")
	}
}

// TestBadServers: a client believes nothing that a server did not say.
func TestBadServers(t *testing.T) {
	t.Parallel()
	file := File{Path: Path{"1.1", "1.2", "1.3"}, Size: 3, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte("abc"))), nil }}
	var moved atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { moved.Add(1) }))
	t.Cleanup(elsewhere.Close)
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		store func(res []Stored, err error) bool
	}{
		"says nothing": {
			func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) },
			func(res []Stored, err error) bool { return err == nil && res[0].Failure == FailNotMentioned },
		},
		"answers early": {
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
			func(_ []Stored, err error) bool { s := new(StatusError); return errors.As(err, &s) && s.Temporary() },
		},
		"sends elsewhere": {
			func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
			},
			func(_ []Stored, err error) bool { return err != nil && moved.Load() == 0 },
		},
		"no JSON": {
			func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = w.Write([]byte("<html>"))
			},
			func(_ []Stored, err error) bool { return errors.Is(err, errJSON) },
		},
		"another instance": {
			func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = w.Write([]byte(`{"00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["9.9"]}}]}}`))
			},
			func(res []Stored, err error) bool { return err == nil && res[0].Failure == FailNotMentioned },
		},
	} {
		s := httptest.NewServer(c.serve)
		t.Cleanup(s.Close)
		res, err := clientOf(t, s.URL, "secret").Store(t.Context(), []File{file}, nil)
		if !c.store(res, err) {
			t.Errorf("%s: %+v %v", name, res, err)
		}
	}
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", `multipart/related; type="application/dicom"; boundary=b`)
		_, _ = w.Write([]byte("--b\r\nContent-Type: application/dicom\r\n\r\nhalf a fi"))
	}))
	t.Cleanup(cut.Close)
	if n, err := clientOf(t, cut.URL, "").Retrieve(t.Context(), Path{Study: "1.1"}, func(r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	}); err == nil {
		t.Errorf("a reply that is cut is %d files", n)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"https://pacs.example.org/dicom-web": true, "http://127.0.0.1:8042/dicom-web": true, "http://[::1]/": true,
		"http://localhost:1": true, "http://pacs.example.org/": false, "ftp://127.0.0.1": false, "https://u:p@pacs.example.org/": false,
		"https://pacs.example.org/?x=y": false, "": false, "127.0.0.1:80": false,
	} {
		if _, err := NewClient(ClientConfig{URL: address}); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := NewClient(ClientConfig{URL: "http://10.0.0.7/", Cleartext: true}); err != nil {
		t.Error(err)
	}
}
