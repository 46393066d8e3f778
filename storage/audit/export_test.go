package audit

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func exported(t *testing.T) (*Log, []byte) {
	t.Helper()
	l := open(t, filepath.Join(t.TempDir(), "audit"), NewKey())
	add(t, l, 3)
	if _, err := l.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	add(t, l, 4)
	if err := l.Erase(2); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if n, err := l.Export(&b); err != nil || n != 7 {
		t.Fatal(n, err)
	}
	return l, b.Bytes()
}

func TestExport(t *testing.T) {
	t.Parallel()
	l, b := exported(t)
	r, key, err := VerifyExport(bytes.NewReader(b), int64(len(b)))
	if err != nil || r.Records != 7 || r.Erased != 1 || r.Checkpoints != 2 || !key.Equal(l.PublicKey()) {
		t.Errorf("%+v, %v", r, err)
	}
}

// An export that was altered anywhere that matters does not verify.
func TestExportAltered(t *testing.T) {
	t.Parallel()
	_, b := exported(t)
	for name, change := range map[string]func(file, content string) (string, bool){
		"words": func(_, s string) (string, bool) { return strings.Replace(s, `"view"`, `"grant"`, 1), true },
		"time":  func(_, s string) (string, bool) { return strings.Replace(s, ".003Z", ".004Z", 1), true },
		"line": func(f, s string) (string, bool) {
			if f != exportRecords {
				return s, true
			}
			lines := strings.SplitAfter(s, "\n")
			return strings.Join(lines[:5], ""), true
		},
		"point":  func(f, s string) (string, bool) { return s, f != "checkpoints/2.txt" },
		"points": func(f, s string) (string, bool) { return s, !strings.HasPrefix(f, "checkpoints/") },
		"key":    func(f, s string) (string, bool) { return s, f != exportKey },
		"another": func(f, s string) (string, bool) {
			if f == exportKey {
				return strings.Repeat("ab", 32), true
			}
			return s, true
		},
	} {
		altered := rezip(t, b, change)
		_, _, err := VerifyExport(bytes.NewReader(altered), int64(len(altered)))
		if !errors.Is(err, ErrExport) && !errors.Is(err, ErrInconsistent) && !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func rezip(t *testing.T, b []byte, change func(file, content string) (string, bool)) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range in.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if s, keep := change(f.Name, string(content)); keep {
			if err := writeFile(z, f.Name, []byte(s)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func FuzzExportLine(f *testing.F) {
	f.Add([]byte(`{"index":0,"hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","erased":true}`))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _, _ = checkLine(b, 0) })
}
