package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
)

const (
	// readyTime is how long a node may take to be ready on a loaded machine.
	readyTime = 30 * time.Second
	// stopPromise is what the contract says about SIGTERM.
	stopPromise = 5 * time.Second
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"curbside": func() { os.Exit(mainCode()) }})
}

// TestScript runs the user stories of testdata/script, one a file, against the binary itself.
//
//	on NAME ARGS...       curbside ARGS on home $WORK/NAME; with ! it must exit 1
//	misuse NAME ARGS...   the same, must exit 2 and say it in one line and a hint
//	node NAME FLAGS...    serve on that home, in the background, until ready; stderr in NAME.log
//	stopnode NAME         SIGTERM; it must end cleanly within 5 s
//	killnode NAME         SIGKILL
//	json PATH VALUE       stdout at PATH is VALUE; a stdout of several JSON lines is a list
//	jsonset VAR PATH      sets VAR to it
//	phantom DIR N [SEED [KEY=VALUE...]]  a CT of N slices; keys are name, id, birth, sex, date, desc
//	samefiles DIR DIR     the same bytes in both, whatever the names
//	valid DIR             dciodvfy finds no error in any file, and pydicom reads them; each is left out aloud where it is absent
//
// PATH is keys and indices with dots; len is a length, [key=value] finds in a list, -1 is the last.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[nodesKey{}] = &nodes{running: map[string]*served{}}
			env.Setenv("CURBSIDE_HOME", filepath.Join(env.WorkDir, "unset"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"on":        cmdOn,
			"misuse":    cmdMisuse,
			"node":      cmdNode,
			"stopnode":  cmdStopNode,
			"killnode":  cmdKillNode,
			"json":      cmdJSON,
			"jsonset":   cmdJSONSet,
			"phantom":   cmdPhantom,
			"samefiles": cmdSameFiles,
			"valid":     cmdValid,
		},
	})
}

// curbside runs the program and returns its exit status; its output is there for stdout and stderr.
func curbside(ts *testscript.TestScript, name string, args []string) int {
	err := ts.Exec("curbside", append([]string{"--home", ts.MkAbs(name)}, args...)...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	ts.Fatalf("run curbside: %v", err)
	return -1
}

func cmdOn(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: on NAME ARGS...")
	}
	want := exitDone
	if neg {
		want = exitFailed
	}
	if got := curbside(ts, args[0], args[1:]); got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
	if neg && strings.Count(ts.ReadFile("stderr"), "error: ") != 1 {
		ts.Fatalf("want one line error: …")
	}
}

func cmdMisuse(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: misuse NAME ARGS...")
	}
	if got := curbside(ts, args[0], args[1:]); got != exitUsage {
		ts.Fatalf("exit status %d, want %d", got, exitUsage)
	}
	said := ts.ReadFile("stderr")
	if !strings.HasPrefix(said, "error: ") || !strings.Contains(said, "\nhint: ") || strings.Count(said, "\n") != 2 {
		ts.Fatalf("want one line error: … and one hint: …")
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("wrong usage prints data: %q", out)
	}
}

type nodesKey struct{}

// nodes are the served nodes of one script.
type nodes struct {
	mu      sync.Mutex // guards running
	running map[string]*served
}

type served struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // of Wait; read after ended
}

func cmdNode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: node NAME FLAGS...")
	}
	name := args[0]
	argv := append([]string{"--home", ts.MkAbs(name), "serve"}, args[1:]...)
	if !slices.Contains(args, "--listen") {
		argv = append(argv, "--listen", "/ip4/127.0.0.1/tcp/0", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1")
	}
	cmd := exec.Command("curbside", argv...)
	cmd.Dir = ts.MkAbs(".")
	for _, key := range []string{"PATH", "HOME", "TMPDIR", "CURBSIDE_HOME"} {
		cmd.Env = append(cmd.Env, key+"="+ts.Getenv(key))
	}
	log, err := os.OpenFile(ts.MkAbs(name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	ts.Check(err)
	pipe, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	s := &served{cmd: cmd, ended: make(chan struct{})}
	ready := make(chan struct{})
	go func() {
		defer close(s.ended)
		copyLog(log, pipe, ready)
		s.err = cmd.Wait()
		log.Close()
	}()
	ts.Defer(func() { _ = cmd.Process.Kill(); <-s.ended })
	select {
	case <-ready:
	case <-s.ended:
		ts.Fatalf("node %s ended: %v\n%s", name, s.err, ts.ReadFile(name+".log"))
	case <-time.After(readyTime):
		ts.Fatalf("node %s was not ready in %v\n%s", name, readyTime, ts.ReadFile(name+".log"))
	}
	all := ts.Value(nodesKey{}).(*nodes)
	all.mu.Lock()
	defer all.mu.Unlock()
	all.running[name] = s
}

// copyLog keeps what a node says and tells when it says ready.
func copyLog(log io.Writer, pipe io.Reader, ready chan<- struct{}) {
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		fmt.Fprintln(log, lines.Text())
		if lines.Text() == "ready" && ready != nil {
			close(ready)
			ready = nil
		}
	}
}

func takeNode(ts *testscript.TestScript, neg bool, args []string) *served {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stopnode|killnode NAME")
	}
	all := ts.Value(nodesKey{}).(*nodes)
	all.mu.Lock()
	defer all.mu.Unlock()
	s := all.running[args[0]]
	if s == nil {
		ts.Fatalf("no node %s runs", args[0])
	}
	delete(all.running, args[0])
	return s
}

func cmdStopNode(ts *testscript.TestScript, neg bool, args []string) {
	s := takeNode(ts, neg, args)
	ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-s.ended:
	case <-time.After(stopPromise):
		ts.Fatalf("node %s did not stop within %v\n%s", args[0], stopPromise, ts.ReadFile(args[0]+".log"))
	}
	if s.err != nil {
		ts.Fatalf("node %s did not stop cleanly: %v\n%s", args[0], s.err, ts.ReadFile(args[0]+".log"))
	}
}

func cmdKillNode(ts *testscript.TestScript, neg bool, args []string) {
	s := takeNode(ts, neg, args)
	ts.Check(s.cmd.Process.Kill())
	<-s.ended
}

func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: json PATH VALUE")
	}
	got := lookup(ts, args[0])
	if (got == args[1]) == neg {
		ts.Fatalf("%s is %s", args[0], got)
	}
}

func cmdJSONSet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: jsonset VAR PATH")
	}
	ts.Setenv(args[0], lookup(ts, args[1]))
}

// lookup finds what stdout holds at a path: a string as it is, anything else as JSON, nothing as "absent".
func lookup(ts *testscript.TestScript, path string) string {
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	dec.UseNumber()
	var values []any
	for {
		var v any
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			ts.Fatalf("stdout is no JSON: %v", err)
		}
		values = append(values, v)
	}
	var v any = values
	if len(values) == 1 {
		v = values[0]
	}
	if path != "." {
		for step := range strings.SplitSeq(path, ".") {
			var ok bool
			if v, ok = descend(v, step); !ok {
				return "absent"
			}
		}
	}
	if s, ok := v.(string); ok {
		return s
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	ts.Check(enc.Encode(v))
	return strings.TrimSpace(out.String())
}

func descend(v any, step string) (any, bool) {
	if m, ok := v.(map[string]any); ok {
		v, ok := m[step]
		return v, ok
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	if step == "len" {
		return json.Number(strconv.Itoa(len(list))), true
	}
	if cond, ok := strings.CutPrefix(step, "["); ok {
		key, want, _ := strings.Cut(strings.TrimSuffix(cond, "]"), "=")
		for _, e := range list {
			if m, ok := e.(map[string]any); ok && fmt.Sprint(m[key]) == want {
				return e, true
			}
		}
		return nil, false
	}
	i, err := strconv.Atoi(step)
	if i < 0 {
		i += len(list)
	}
	if err != nil || i < 0 || i >= len(list) {
		return nil, false
	}
	return list[i], true
}

func cmdPhantom(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: phantom DIR N [SEED]")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	seed := uint64(1)
	if len(args) > 2 {
		seed, err = strconv.ParseUint(args[2], 10, 64)
		ts.Check(err)
	}
	o := phantom.Options{Seed: seed, Slices: n, Side: 64}
	for _, arg := range args[min(3, len(args)):] {
		key, value, _ := strings.Cut(arg, "=")
		field := map[string]*string{
			"name": &o.PatientName, "id": &o.PatientID, "birth": &o.BirthDate, "sex": &o.Sex, "date": &o.StudyDate, "desc": &o.Description,
		}[key]
		if field == nil {
			ts.Fatalf("phantom: no key %q", key)
		}
		*field = value
	}
	ct := phantom.CT(o)
	ts.Check(os.MkdirAll(ts.MkAbs(args[0]), 0o700))
	for i, f := range ct.Files {
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), fmt.Sprintf("IM%04d", i)), f, 0o600))
	}
}

// cmdValid has programs of others look at DICOM files.
func cmdValid(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: valid DIR")
	}
	files, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*"))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("no files in %s", args[0])
	}
	for _, tool := range [][]string{{"dciodvfy"}, {"/usr/bin/python3", "-c", pydicomReads}} {
		path, err := exec.LookPath(tool[0])
		if err != nil {
			ts.Logf("SKIP %s is absent: it does not look at %s", tool[0], args[0])
			continue
		}
		for _, f := range files {
			out, err := exec.Command(path, append(tool[1:], f)...).CombinedOutput()
			if strings.Contains(string(out), "No module named 'pydicom'") {
				ts.Logf("SKIP pydicom is absent: it does not look at %s", args[0])
				break
			}
			// The exit status of dciodvfy says nothing.
			if strings.Contains(string(out), "Error") || err != nil && tool[0] != "dciodvfy" {
				ts.Fatalf("%s of %s: %v\n%s", tool[0], filepath.Base(f), err, out)
			}
		}
	}
}

// pydicomReads walks a data set to its end.
const pydicomReads = `import sys, pydicom
d = pydicom.dcmread(sys.argv[1])
n = 0
def walk(ds, e):
    global n
    n += 1
d.walk(walk)
assert n > 20, n`

func cmdSameFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: samefiles DIR DIR")
	}
	a, b := sums(ts, args[0]), sums(ts, args[1])
	if len(a) == 0 || !slices.Equal(a, b) {
		ts.Fatalf("%s has %d files, %s has %d, and they are not the same", args[0], len(a), args[1], len(b))
	}
}

func sums(ts *testscript.TestScript, dir string) []string {
	entries, err := os.ReadDir(ts.MkAbs(dir))
	ts.Check(err)
	var out []string
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(ts.MkAbs(dir), e.Name()))
		ts.Check(err)
		out = append(out, fmt.Sprintf("%x", sha256.Sum256(b)))
	}
	slices.Sort(out)
	return out
}
