// Package vectest reads and writes test vectors in the style of CCTV, for other
// implementations to use as they are:
//
//	expect: ok                      or one class of error
//	comment: what this file is for
//	name: value                     inputs, in any number
//
//	hex body, 64 digits a line
//
// Vectors live in testdata/vectors/<set>/<name>.txt beside the package that
// makes them, one failure per file. Their generator is the package's
// TestVectors; with -update it writes the files, without it compares them. A
// file that a release has written stays, and is opened for ever.
package vectest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
)

// OK is the expectation of a vector that is accepted.
const OK = "ok"

// lineDigits is how many hex digits of the body stand on a line.
const lineDigits = 64

// Field is one input line.
type Field struct{ Name, Value string }

// Vector is one file.
type Vector struct {
	Name    string // of the file, without .txt
	Expect  string
	Comment string
	Fields  []Field
	Body    []byte
}

// Hex is a field of bytes.
func Hex(name string, b []byte) Field { return Field{name, hex.EncodeToString(b)} }

// Get returns a field, empty if it is absent.
func (v Vector) Get(name string) string {
	for _, f := range v.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// Hex returns a field of bytes.
func (v Vector) Hex(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(v.Get(name))
	if err != nil {
		tb.Fatalf("%s: field %s: %v", v.Name, name, err)
	}
	return b
}

// Format is the text of the file.
func (v Vector) Format() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "expect: %s\ncomment: %s\n", v.Expect, v.Comment)
	for _, f := range v.Fields {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	b.WriteByte('\n')
	for line := range slices.Chunk([]byte(hex.EncodeToString(v.Body)), lineDigits) {
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// Parse reads the text of a file.
func Parse(name string, text []byte) (Vector, error) {
	v := Vector{Name: strings.TrimSuffix(name, ".txt")}
	head, body, ok := strings.Cut(string(text), "\n\n")
	if !ok {
		return v, errors.New("no blank line after the header")
	}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case !ok:
			return v, errors.New("header line without a colon")
		case key == "expect":
			v.Expect = value
		case key == "comment":
			v.Comment = value
		default:
			v.Fields = append(v.Fields, Field{key, value})
		}
	}
	b, err := hex.DecodeString(strings.ReplaceAll(body, "\n", ""))
	v.Body = b
	return v, err
}

// Run compares generated vectors with the files of a set, then judges every
// file, those of earlier releases too. Write is nil or, to update, saves a file.
func Run(t *testing.T, set fs.FS, made []Vector, write func(name string, text []byte) error, judge func(testing.TB, Vector) string) {
	t.Helper()
	for _, v := range made {
		name := v.Name + ".txt"
		if write != nil {
			if err := write(name, v.Format()); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := fs.ReadFile(set, name)
		if err != nil {
			t.Errorf("%s: %v (run with -update)", v.Name, err)
		} else if !bytes.Equal(got, v.Format()) {
			t.Errorf("%s: the file differs from what the generator makes", v.Name)
		}
	}
	names, err := fs.Glob(set, "*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(path.Base(name), ".txt"), func(t *testing.T) {
			text, err := fs.ReadFile(set, name)
			if err != nil {
				t.Fatal(err)
			}
			v, err := Parse(name, text)
			if err != nil {
				t.Fatal(err)
			}
			if got := judge(t, v); got != v.Expect {
				t.Errorf("got %s, want %s", got, v.Expect)
			}
		})
	}
}

// Pattern is the content that vectors of large inputs are made of: byte i is
// the low byte of (i * 2654435761) >> 24.
func Pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(uint64(i) * 2654435761 >> 24)
	}
	return b
}
