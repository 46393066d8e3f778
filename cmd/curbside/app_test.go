package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

// TestHelp holds every command to a short description, an example that begins as it is typed, and
// lines that fit a terminal.
func TestHelp(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		path := c.CommandPath()
		if c.Name() == "help" {
			return
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short description %q", path, c.Short)
		}
		if !strings.Contains(c.Example, path) {
			t.Errorf("%s: no example", path)
		}
		if c.RunE == nil || c.Args == nil {
			t.Errorf("%s: takes any arguments or does nothing", path)
		}
		for line := range strings.SplitSeq(c.Long+"\n"+c.Example, "\n") {
			if len([]rune(line)) > 120 && strings.Contains(c.Long, "\n") {
				t.Errorf("%s: a line of %d columns", path, len([]rune(line)))
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit((&app{}).root())
}

// TestExamples runs the examples' flags through the parser: help that does not parse is no help.
func TestExamples(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		for line := range strings.SplitSeq(strings.ReplaceAll(c.Example, "\\\n", " "), "\n") {
			for word := range strings.FieldsSeq(line) {
				name, ok := strings.CutPrefix(word, "--")
				if !ok || c.HasSubCommands() || !strings.Contains(line, c.CommandPath()) || strings.Contains(line, "|") || strings.Contains(line, "&&") {
					continue
				}
				if c.Flags().Lookup(name) == nil && c.InheritedFlags().Lookup(name) == nil {
					t.Errorf("%s: example uses --%s, which is no flag", c.CommandPath(), name)
				}
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	root := (&app{}).root()
	for _, sub := range root.Commands() {
		visit(sub)
	}
}

func TestLists(t *testing.T) {
	for name, c := range map[string]struct {
		v    any
		want string
	}{
		"nil list":       {[]control.Study(nil), `[]`},
		"list in struct": {control.StudyVerified{}, `{"checked_bytes":0,"checked_instances":0,"damaged":[]}`},
		"shadowed":       {control.CaseDetail{}, `"members":[],"entries":[],"reports":[]`},
		"deep":           {[]control.Case{{Studies: nil}}, `"studies":[]`},
		"unknown stays":  {control.Card{}, `"invite":null`},
		"pointer":        {control.HistoryEvent{Entry: &control.Entry{Anchor: &control.Anchor{}}}, `"points":[]`},
		"no html":        {map[string]any{"a": "<&>"}, `{"a":"<&>"}`},
		"a string":       {"x", `"x"`},
		"nothing":        {nil, `null`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := (&app{out: &out}).line(c.v); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), c.want) {
				t.Errorf("got %s, want in it %s", out.String(), c.want)
			}
			if !json.Valid(out.Bytes()) {
				t.Error("no JSON")
			}
		})
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 15, 0, 5, time.UTC)
	for in, want := range map[string]string{
		"2026-03-04T12:00:00Z":      "2026-03-04T12:00:00Z",
		"2026-03-04T12:00:00-05:00": "2026-03-04T17:00:00Z",
		"48h":                       "2026-03-04T08:15:00Z",
		"-1h":                       "",
		"0s":                        "",
		"tomorrow":                  "",
		"2026-03-04":                "",
	} {
		got, err := parseTime(now, in)
		if (err != nil) != (want == "") || err == nil && got.Format(time.RFC3339) != want {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "f")
	for _, want := range []string{"a long text", "short"} {
		if err := writeFile(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if err := writeFile(dir, []byte("x")); err == nil {
		t.Error("wrote over a folder")
	}
	for _, folder := range []string{dir, filepath.Dir(dir), filepath.Dir(path)} {
		left, err := filepath.Glob(filepath.Join(folder, ".curbside-*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind %v, %v", left, err)
		}
	}
}

// TestImages: nobody may take a part of a study for all of it.
func TestImages(t *testing.T) {
	n := func(i int) *int { return &i }
	for _, c := range []struct {
		present, listed int
		expected        *int
		want            string
	}{
		{60, 60, n(60), "60 images"},
		{1, 1, n(1), "1 image"},
		{27, 54, n(54), "27 of 54 images"},
		{60, 60, nil, "60 images, total unknown"},
		{27, 54, nil, "27 of 54 images, total unknown"},
		{54, 54, n(60), "54 images, 60 expected"},
	} {
		if got := images(c.present, c.listed, c.expected); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestSizes(t *testing.T) {
	for in, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 31_500_000: "31.5 MB", 5e15: "5000.0 TB"} {
		if got := size(in); got != want {
			t.Errorf("%d: got %q, want %q", in, got, want)
		}
	}
}
