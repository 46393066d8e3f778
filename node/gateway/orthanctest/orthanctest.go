// Package orthanctest runs Orthanc with its DICOMweb plugin for the tests of other packages. Where
// either is not installed they skip aloud, in words that .ci/run looks for.
package orthanctest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startTime is how long Orthanc may take to answer: tests run beside others.
const startTime = 60 * time.Second

// AET is the AE title of the Orthanc that Start runs.
const AET = "ORTHANC"

// Server is a running Orthanc.
type Server struct {
	t         testing.TB
	URL       string // of its REST API; DICOMweb is below /dicom-web
	DICOMPort int
}

// plugins are where distributions put the plugin.
var plugins = []string{
	"/usr/share/orthanc/plugins/libOrthancDicomWeb.so", "/usr/lib/orthanc/libOrthancDicomWeb.so",
	"/usr/local/share/orthanc/plugins/libOrthancDicomWeb.so",
}

// Start runs Orthanc until the test ends, on free ports of loopback, in a folder of its own. With
// more it takes settings in addition.
func Start(t testing.TB, more map[string]any) *Server {
	t.Helper()
	program, err := exec.LookPath("Orthanc")
	plugin := ""
	for _, p := range plugins {
		if _, err := os.Stat(p); err == nil && plugin == "" {
			plugin = p
		}
	}
	if err != nil || plugin == "" {
		t.Skip("SKIP Orthanc with its DICOMweb plugin is not installed")
	}
	dir := t.TempDir()
	s := &Server{t: t, DICOMPort: freePort(t)}
	port := freePort(t)
	s.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
	settings := map[string]any{
		"Name": "test", "StorageDirectory": filepath.Join(dir, "db"), "IndexDirectory": filepath.Join(dir, "db"),
		"DicomAet": AET, "DicomPort": s.DICOMPort, "HttpPort": port, "HttpBindAddresses": []string{"127.0.0.1"},
		"RemoteAccessAllowed": false, "AuthenticationEnabled": false, "Plugins": []string{plugin},
		"DicomWeb":                map[string]any{"Enable": true, "Root": "/dicom-web/"},
		"DicomAlwaysAllowStore":   true,
		"UnknownSopClassAccepted": true,
		"ConcurrentJobs":          2,
	}
	maps.Copy(settings, more)
	b, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "orthanc.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(program, file) //nolint:noctx // ended below
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("Orthanc said, at its end:\n%s", log.Bytes()[max(0, log.Len()-4000):])
		}
	})
	s.wait()
	return s
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of a test
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *Server) wait() {
	s.t.Helper()
	end := time.Now().Add(startTime)
	for {
		if status, _ := s.try(http.MethodGet, "/system", nil); status == http.StatusOK {
			return
		}
		if time.Now().After(end) {
			s.t.Fatal("Orthanc does not answer")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Call makes a request of its REST API and fails the test where it fails. The body is sent as JSON,
// or as it is where it is bytes.
func (s *Server) Call(method, path string, body any) []byte {
	s.t.Helper()
	status, reply := s.try(method, path, body)
	if status != http.StatusOK {
		s.t.Fatalf("Orthanc: %s %s: %d %s", method, path, status, reply)
	}
	return reply
}

func (s *Server) try(method, path string, body any) (int, []byte) {
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		r = bytes.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		r = bytes.NewReader(j)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, r)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return resp.StatusCode, b
}

// List reads a list of ids, such as /instances.
func (s *Server) List(path string) []string {
	s.t.Helper()
	var out []string
	if err := json.Unmarshal(s.Call(http.MethodGet, path, nil), &out); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// Files are all instances that it has, by SOP Instance UID, as they are stored.
func (s *Server) Files() map[string][]byte {
	s.t.Helper()
	out := map[string][]byte{}
	for _, id := range s.List("/instances") {
		uid := strings.TrimSpace(string(s.Call(http.MethodGet, "/instances/"+id+"/content/SOPInstanceUID", nil)))
		out[strings.Trim(uid, "\x00 ")] = s.Call(http.MethodGet, "/instances/"+id+"/file", nil)
	}
	return out
}
