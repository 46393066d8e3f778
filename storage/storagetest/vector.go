package storagetest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/storage/durable"
)

// Vector is a test case for any implementation, in a file of its own: header
// lines "name: value", an empty line, and a body in hex.
type Vector struct {
	Name   string // of the file, without .txt
	Expect string // "ok" or the one thing that is wrong
	Inputs map[string]string
	Body   []byte
}

// ReadVectors reads all vectors in a folder.
func ReadVectors(t *testing.T, dir string) []Vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", dir, err)
	}
	var out []Vector
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, body, ok := strings.Cut(string(b), "\n\n")
		v := Vector{Name: strings.TrimSuffix(filepath.Base(file), ".txt"), Inputs: map[string]string{}}
		for line := range strings.Lines(head + "\n") {
			name, value, found := strings.Cut(strings.TrimSpace(line), ": ")
			ok = ok && found
			v.Inputs[name] = value
		}
		v.Expect = v.Inputs["expect"]
		v.Body, err = hex.DecodeString(strings.Join(strings.Fields(body), ""))
		if err != nil || !ok || v.Expect == "" {
			t.Fatalf("%s is not a vector: %v", file, err)
		}
		out = append(out, v)
	}
	return out
}

// WriteVectors writes vectors to a folder in place of those there.
func WriteVectors(t *testing.T, dir string, list []Vector) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, durable.DirMode); err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		var b bytes.Buffer
		fmt.Fprintf(&b, "expect: %s\n", v.Expect)
		var names []string
		for name := range v.Inputs {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			fmt.Fprintf(&b, "%s: %s\n", name, v.Inputs[name])
		}
		b.WriteString("\n")
		for line := range slices.Chunk([]byte(hex.EncodeToString(v.Body)), 96) {
			b.Write(append(slices.Clip(line), '\n'))
		}
		if err := os.WriteFile(filepath.Join(dir, v.Name+".txt"), b.Bytes(), durable.FileMode); err != nil {
			t.Fatal(err)
		}
	}
}
