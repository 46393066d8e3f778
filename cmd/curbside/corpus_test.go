package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
)

// corpusDir is where the real files are, or the test is skipped aloud.
func corpusDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CURBSIDE_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "MANIFEST.tsv")); err != nil {
		t.Skip("SKIP corpus absent: ../shared/corpus not present, real-file checks skipped")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// corpusFile is a row of MANIFEST.tsv.
type corpusFile struct{ path, sha, expect string }

func readManifest(t *testing.T, dir string) []corpusFile {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan()
	col := map[string]int{}
	for i, name := range strings.Split(lines.Text(), "\t") {
		col[name] = i
	}
	var out []corpusFile
	for lines.Scan() {
		c := strings.Split(lines.Text(), "\t")
		out = append(out, corpusFile{filepath.Join(dir, filepath.FromSlash(c[col["file"]])), c[col["sha256"]], c[col["expect"]]})
	}
	return out
}

// TestCorpusThere sends every good file of the corpus from one process to another and gets it back
// byte for byte; files that share a SOP Instance UID meet in homes of their own. Every bad file is
// refused with a reason.
func TestCorpusThere(t *testing.T) {
	if testing.Short() {
		t.Skip("sends the whole corpus")
	}
	var rounds [][]corpusFile
	var bad []corpusFile
	times := map[string]int{}
	for _, f := range readManifest(t, corpusDir(t)) {
		b, err := os.ReadFile(f.path)
		if err != nil {
			t.Fatal(err)
		}
		if f.expect != "ok" {
			bad = append(bad, f)
			continue
		}
		if study.IsDICOMDIR(b) {
			continue // read, never stored
		}
		in, err := study.Parse(b)
		if err != nil {
			t.Errorf("%s: %v", f.path, err)
			continue
		}
		n := times[in.SOPUID]
		times[in.SOPUID]++
		if n == len(rounds) {
			rounds = append(rounds, nil)
		}
		rounds[n] = append(rounds[n], f)
	}
	if len(rounds) == 0 || len(bad) == 0 {
		t.Fatal("the corpus is empty: this test would prove nothing")
	}
	sent := 0
	for i, round := range rounds {
		a, b := newProcess(t, "Clinic"), newProcess(t, "Reader")
		meet(t, a, b)
		if i == 0 {
			refuse(t, a, bad)
		}
		sent += carry(t, a, b, round)
	}
	t.Logf("%d files sent in %d rounds, %d refused", sent, len(rounds), len(bad))
}

func ask[Req, Res any](p *process, op control.Op[Req, Res], req Req) Res {
	p.t.Helper()
	res, err := op.Call(p.t.Context(), p.client, req)
	if err != nil {
		p.t.Fatalf("%s: %v", string(op), err)
	}
	return res
}

func meet(t *testing.T, a, b *process) {
	t.Helper()
	link := ask(b, control.GetCard, control.CardRequest{}).Invite
	if c := ask(a, control.ContactAdd, control.ContactAddRequest{Link: *link, Timeout: 20 * time.Second}); c.Trust != "invited" {
		t.Fatalf("contact is %s: %s", c.Trust, c.Warning)
	}
}

func importFiles(p *process, paths []string) control.ImportResult {
	p.t.Helper()
	var res *control.ImportResult
	err := control.Import.Call(p.t.Context(), p.client, control.ImportRequest{Paths: paths}, func(e control.ImportEvent) error {
		res = cmpResult(e.Result, res)
		return nil
	})
	if err != nil || res == nil {
		p.t.Fatalf("import: %v", err)
	}
	return *res
}

func cmpResult(a, b *control.ImportResult) *control.ImportResult {
	if a != nil {
		return a
	}
	return b
}

func refuse(t *testing.T, p *process, bad []corpusFile) {
	t.Helper()
	for _, f := range bad {
		begun := time.Now()
		res := importFiles(p, []string{f.path})
		if len(res.Studies) > 0 || res.Read > 0 || len(res.Refused) != 1 || res.Refused[0].Reason == "" {
			t.Errorf("%s: %+v", f.path, res)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("%s: took %v", f.path, took)
		}
	}
	if n := len(ask(p, control.StudyList, control.None{})); n > 0 {
		t.Errorf("bad files left %d studies", n)
	}
	if peak := memoryPeak(t, p.cmd.Process.Pid); peak > 512<<20 {
		t.Errorf("took %d MiB of memory", peak>>20)
	}
}

// memoryPeak is the most memory a process had, in bytes; 0 where the system does not say.
func memoryPeak(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	line, _, _ := strings.Cut(rest, "kB")
	kib, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("peak of memory: %d MiB", kib>>10)
	return kib << 10
}

// carry sends files from a to b, a case a study, and compares what b writes.
func carry(t *testing.T, a, b *process, files []corpusFile) int {
	t.Helper()
	paths, want := []string{}, map[string]int{}
	for _, f := range files {
		paths = append(paths, f.path)
		want[f.sha]++
	}
	res := importFiles(a, paths)
	for _, r := range res.Refused {
		t.Errorf("refused: %+v", r)
	}
	var cases []string
	for _, s := range res.Studies {
		c := ask(a, control.Request, control.NewCase{Studies: []string{s.Study}, To: []string{"Reader"}, Question: "?", Identified: true})
		cases = append(cases, c.Case)
	}
	for _, c := range cases {
		ask(b, control.CaseWait, control.CaseWaitRequest{Case: c, For: "complete", Timeout: time.Minute})
	}
	out := t.TempDir()
	for _, s := range ask(b, control.StudyList, control.None{}) {
		ask(b, control.StudyExport, control.StudyExportRequest{Study: s.Study, Out: filepath.Join(out, s.Study)})
	}
	got := map[string]int{}
	for _, path := range filesBelow(t, out) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		got[hex.EncodeToString(h.Sum(nil))]++
	}
	if !maps.Equal(got, want) {
		for _, f := range files {
			if got[f.sha] != want[f.sha] {
				t.Errorf("%s: %d came out, %d went in", f.path, got[f.sha], want[f.sha])
			}
		}
		t.Errorf("%d files went in, %d came out", len(files), len(got))
	}
	return len(files)
}

func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}
