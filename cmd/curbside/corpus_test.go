package main

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/corpustest"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
)

const (
	// memoryPromise and hostileTime are what hostile files may cost, of all files and of each.
	memoryPromise = 512 << 20
	hostileTime   = 10 * time.Second
	// atOnce is how many commands a test runs at the same time.
	atOnce = 4
)

// raced says that the race detector is on, which needs several times the memory and time.
var raced bool

// corpusFile is one row of MANIFEST.tsv, unpacked where the corpus has it packed.
type corpusFile struct {
	name   string // as the manifest says
	path   string
	sum    string
	ok     bool
	sopUID string // of those that are to be imported; empty for media directories
}

// corpus finds ../shared/corpus beside the repository, or CURBSIDE_CORPUS.
func corpus(t *testing.T) []*corpusFile {
	t.Helper()
	if raced {
		t.Skip("SKIP under the race detector: scripts and TestKills run the same paths, this is about bytes and memory")
	}
	dir := corpustest.Dir(t)
	table, err := os.ReadFile(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(table), "\n"), "\n")
	last := len(strings.Split(lines[0], "\t")) - 1
	unpacked := t.TempDir()
	var out []*corpusFile
	for _, line := range lines[1:] {
		cols := strings.Split(line, "\t")
		f := &corpusFile{name: cols[0], path: filepath.Join(dir, filepath.FromSlash(cols[0])), ok: cols[last] == "ok"}
		data, err := os.ReadFile(f.path)
		if err == nil && strings.HasSuffix(f.name, ".gz") {
			f.path = filepath.Join(unpacked, filepath.Base(strings.TrimSuffix(f.name, ".gz")))
			data, err = unpack(data, f.path)
		}
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		f.sum = hex.EncodeToString(sum[:])
		if f.ok && !study.IsDICOMDIR(data) {
			in, err := study.Parse(data)
			if err != nil {
				t.Fatalf("%s: %v", f.name, err)
			}
			f.sopUID = in.SOPUID
		}
		out = append(out, f)
	}
	return out
}

func unpack(packed []byte, to string) ([]byte, error) {
	z, err := gzip.NewReader(strings.NewReader(string(packed)))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	return data, os.WriteFile(to, data, 0o600)
}

// TestCorpusRoundTrip takes every file of the corpus that is to be imported from one process to
// another, by import, request, exchange and export, and compares the bytes.
func TestCorpusRoundTrip(t *testing.T) {
	t.Parallel()
	for i, files := range apart(corpus(t)) {
		t.Run(fmt.Sprintf("homes-%d", i+1), func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			dir := t.TempDir()
			a, b := newProcess(t, "Clinic"), newProcess(t, "Reader")
			meet(t, a, b)
			n := carry(t, a, b, files, filepath.Join(dir, "out"))
			t.Logf("%d files in %d cases came back byte for byte; at most %d and %d MiB; %v",
				len(files), n, checkPeak(t, a), checkPeak(t, b), time.Since(start).Round(time.Millisecond))
		})
	}
}

// apart puts files that share a SOP Instance UID into different groups, as few as possible.
func apart(files []*corpusFile) [][]*corpusFile {
	var groups [][]*corpusFile
	seen := map[string]int{}
	for _, f := range files {
		if f.sopUID == "" {
			continue
		}
		i := seen[f.sopUID]
		seen[f.sopUID]++
		if i == len(groups) {
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

// carry imports files at a, sends each of the studies in a case of its own, and expects the very
// files at b.
func carry(t *testing.T, a, b *process, files []*corpusFile, out string) (cases int) {
	t.Helper()
	var want []string
	args := []string{"import"}
	for _, f := range files {
		args = append(args, f.path)
		want = append(want, f.sum)
	}
	var imported control.ImportResult
	a.must(&imported, args...)
	for _, r := range imported.Refused {
		t.Errorf("%s refused: %s, %s", r.Path, r.Reason, r.Detail)
	}
	var studies []control.Study
	a.must(&studies, "study", "list")
	if len(studies) != len(imported.Studies) {
		t.Errorf("%d studies imported, %d listed", len(imported.Studies), len(studies))
	}
	each(studies, func(s control.Study) {
		var ref control.CaseRef
		if err := a.ask(&ref, "request", "--study", s.Study, "--to", b.name, "--question", "What is this?", "--identified"); err != nil {
			t.Error(err)
			return
		}
		var c control.CaseDetail
		if err := b.ask(&c, "case", "wait", ref.Case, "--for", "complete", "--timeout", "60s"); err != nil {
			t.Error(err)
			return
		}
		if len(c.Studies) != 1 || c.Studies[0].Present != s.Instances {
			t.Errorf("study %s of %d images is complete with %+v", s.Study, s.Instances, c.Studies)
			return
		}
		if err := b.ask(nil, "study", "export", c.Studies[0].Study, "--out", filepath.Join(out, s.Study)); err != nil {
			t.Error(err)
		}
	})
	got, err := fileSums(out)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d files were exported, %d imported, and they are not the same", len(got), len(want))
		for _, f := range files {
			if !slices.Contains(got, f.sum) {
				t.Errorf("%s did not come out as it went in", f.name)
			}
		}
	}
	return len(studies)
}

// each runs f for all of them, some at a time.
func each[T any](list []T, f func(T)) {
	next := make(chan T)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for v := range next {
				f(v)
			}
		})
	}
	for _, v := range list {
		next <- v
	}
	close(next)
	wg.Wait()
}

// fileSums are the hashes of all files below a folder, sorted.
func fileSums(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		out = append(out, hex.EncodeToString(sum[:]))
		return nil
	})
	slices.Sort(out)
	return out, err
}

// checkPeak stops a node and expects that it kept within the promise of memory; in MiB.
func checkPeak(t *testing.T, s *process) int64 {
	t.Helper()
	if t.Failed() {
		return 0
	}
	peak := s.stop()
	if peak > memoryPromise {
		t.Errorf("%s: the node had %d MiB", s.name, peak>>20)
	}
	s.sound()
	return peak >> 20
}

// TestCorpusRefused offers one node every file that is to be refused, and every hostile one, and
// looks at the first frame of those that go in.
func TestCorpusRefused(t *testing.T) {
	t.Parallel()
	s := newProcess(t, "Guard")
	var bad, hostile []*corpusFile
	for _, f := range corpus(t) {
		switch {
		case strings.HasPrefix(f.name, "hostile/"):
			hostile = append(hostile, f)
		case !f.ok:
			bad = append(bad, f)
		}
	}
	if len(bad) == 0 || len(hostile) == 0 {
		t.Fatal("the corpus has nothing to refuse")
	}
	for _, f := range bad {
		res, _ := s.offer(t, f)
		expectRefused(t, f, res)
	}
	var studies []control.Study
	if s.must(&studies, "study", "list"); len(studies) != 0 {
		t.Errorf("%d studies were kept of what was refused", len(studies))
	}
	var slowest time.Duration
	for _, f := range hostile {
		res, took := s.offer(t, f)
		if took > hostileTime {
			t.Errorf("%s took %v", f.name, took)
		}
		slowest = max(slowest, took)
		if !f.ok {
			expectRefused(t, f, res)
			continue
		}
		// A name that is in use already is a conflict, kept apart and told.
		for _, r := range res.Refused {
			if r.Reason != study.Conflict {
				t.Errorf("%s refused: %s, %s", f.name, r.Reason, r.Detail)
			}
		}
		if len(res.Studies) != 1 {
			t.Errorf("%s went into %d studies", f.name, len(res.Studies))
			continue
		}
		began := time.Now()
		_, err := s.run("pixel", res.Studies[0].Study, "--instance", f.sopUID, "--raw", filepath.Join(s.home, "tmp", "frame"))
		if took := time.Since(began); took > hostileTime {
			t.Errorf("%s: its frame took %v", f.name, took)
		}
		if err != nil && !strings.Contains(err.Error(), "error: ") {
			t.Errorf("%s: its frame: %v", f.name, err)
		}
	}
	t.Logf("%d files refused; %d hostile ones survived, the slowest in %v; at most %d MiB",
		len(bad), len(hostile), slowest.Round(time.Millisecond), checkPeak(t, s))
}

// offer imports one file, which may fail with exit status 1 and the reason.
func (s *process) offer(t *testing.T, f *corpusFile) (control.ImportResult, time.Duration) {
	t.Helper()
	began := time.Now()
	out, err := s.run("import", f.path, "--json")
	took := time.Since(began)
	var res control.ImportResult
	if jerr := json.Unmarshal(out, &res); jerr != nil {
		t.Errorf("%s: %v", f.name, errors.Join(err, jerr))
	}
	conflict := func(r control.RefusedFile) bool { return r.Reason == study.Conflict }
	if err != nil && f.ok && !slices.ContainsFunc(res.Refused, conflict) {
		t.Errorf("%s: %v", f.name, err)
	}
	return res, took
}

func expectRefused(t *testing.T, f *corpusFile, res control.ImportResult) {
	t.Helper()
	if len(res.Studies) != 0 || res.Read != 0 {
		t.Errorf("%s was taken in", f.name)
	}
	if len(res.Refused) == 0 {
		t.Errorf("%s was not refused", f.name)
	}
	for _, r := range res.Refused {
		if r.Reason == "" || r.Path == "" {
			t.Errorf("%s was refused without a reason: %+v", f.name, r)
		}
	}
}

// TestCorpusMedia reads every media directory of the corpus: none is stored, what lies beside it is.
func TestCorpusMedia(t *testing.T) {
	t.Parallel()
	files := corpus(t)
	s := newProcess(t, "Reader")
	read := 0
	for _, f := range files {
		if !f.ok || f.sopUID != "" {
			continue
		}
		read++
		var res control.ImportResult
		s.must(&res, "import", f.path)
		for _, r := range res.Refused {
			if r.Reason != study.Directory && r.Path == f.path {
				t.Errorf("%s refused: %s, %s", f.name, r.Reason, r.Detail)
			}
		}
	}
	want := map[string]bool{}
	for _, f := range files {
		if strings.HasPrefix(f.name, "media/") && f.sopUID != "" {
			want[f.sopUID] = true
		}
	}
	var studies []control.Study
	s.must(&studies, "study", "list")
	images := 0
	for _, st := range studies {
		images += st.Instances
	}
	if read == 0 || images != len(want) {
		t.Errorf("%d media directories brought %d images, want %d", read, images, len(want))
	}
	t.Logf("%d media directories read, %d images beside them; at most %d MiB", read, images, checkPeak(t, s))
}
