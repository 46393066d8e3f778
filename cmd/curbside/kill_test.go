package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
)

var (
	killTimes = flag.Int("kills", 6, "how often TestKills kills a process")
	killSeed  = flag.Uint64("seed", 0, "the moments of TestKills; 0 for others each time")
)

const (
	scanSlices  = 30
	settleTime  = time.Minute
	betweenLook = 50 * time.Millisecond
)

// TestKills kills either of two nodes, or both, or a command that works on a home without a node,
// with SIGKILL at random moments of import, transfer and discussion, and starts it again. What was
// acknowledged is there after each start; in the end everything completes, nothing is doubled, and
// both hold the same:
//
//	go test ./cmd/curbside -run TestKills -v -timeout 20m -kills 200 [-seed N]
func TestKills(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("kills processes for a while")
	}
	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano() % 1e9)
	}
	t.Logf("-kills %d -seed %d", *killTimes, seed)
	k := &killer{
		t: t, r: rand.New(rand.NewPCG(seed, 0)),
		a: newProcess(t, "Clinic"), b: newProcess(t, "Reader"),
		took: map[string]time.Duration{}, hits: map[string]int{}, cases: map[string]*consultation{},
	}
	meet(t, k.a, k.b)
	for k.killed() < *killTimes && !t.Failed() {
		k.step()
	}
	t.Logf("killed: %v", k.hits)
	if t.Failed() {
		t.Fatalf("%s\n%s", k.a.tail(), k.b.tail())
	}
	k.settle()
	entries := 0
	for _, c := range k.cases {
		entries += len(c.entries)
	}
	t.Logf("acknowledged and there, once, on both sides: %d studies, %d cases, %d entries of %d attempts",
		len(k.scans), len(k.cases), entries, k.tries)
	if t.Failed() {
		t.Logf("%s\n%s", k.a.tail(), k.b.tail())
	}
}

// killer remembers what was acknowledged.
type killer struct {
	t     *testing.T
	r     *rand.Rand
	a, b  *process
	tries int                      // texts that were to be posted
	took  map[string]time.Duration // by act, undisturbed: what a random moment is chosen from
	hits  map[string]int           // kills by act
	scans []*scan
	cases map[string]*consultation
}

// scan is a study that comes in two parts.
type scan struct {
	uid   string
	parts [2][]string // files
	acked [2]bool
	study string // once anything is acknowledged
	sums  []string
}

func (s *scan) images() int {
	n := 0
	for i, files := range s.parts {
		if s.acked[i] {
			n += len(files)
		}
	}
	return n
}

// consultation is a case that was acknowledged.
type consultation struct {
	scan    *scan
	entries map[string]*process // acknowledged, by whom
}

// killed counts what was killed at work, not nodes that were idle.
func (k *killer) killed() int {
	n := -k.hits["idle"]
	for _, hits := range k.hits {
		n += hits
	}
	return n
}

// act does something; gone is closed when somebody was killed, and what only waits ends with it.
type act struct {
	name string
	do   func(ctx context.Context, gone <-chan struct{})
}

// step does something, and mostly kills while it goes on. Then what was acknowledged is looked for.
func (k *killer) step() {
	k.t.Helper()
	if k.r.IntN(5) == 0 {
		k.alone()
		return
	}
	what := k.choose()
	if _, known := k.took[what.name]; !known || k.r.IntN(4) == 0 {
		begun := time.Now()
		what.do(k.t.Context(), nil)
		k.took[what.name] = time.Since(begun)
		return
	}
	victims := [][]*process{{k.a}, {k.b}, {k.a}, {k.b}, {k.a, k.b}}[k.r.IntN(5)]
	gone, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); what.do(k.t.Context(), gone) }()
	k.moment(what.name)
	for _, p := range victims {
		p.kill()
		k.hits[what.name]++
	}
	close(gone)
	select {
	case <-done:
	case <-time.After(commandTime):
		k.t.Fatalf("%s: a command still waits for a node that is gone", what.name)
	}
	for _, p := range victims {
		p.start()
		k.kept(p)
	}
}

// moment lets a random part of the time pass that an act takes, or a little more: a node still works
// on what it has acknowledged. It must not wait for anything that
// happens: the moment is what is tried.
func (k *killer) moment(name string) {
	time.Sleep(time.Duration(k.r.Int64N(int64(k.took[name]) * 3 / 2)))
}

// alone kills a command that works on a home where no node runs, and its node before.
func (k *killer) alone() {
	k.t.Helper()
	p := []*process{k.a, k.b}[k.r.IntN(2)]
	p.kill()
	k.hits["idle"]++
	name, args, ack := k.offline(p)
	if name != "" {
		cmd := exec.Command("curbside", append([]string{"--home", p.home, "--json"}, args...)...)
		var out strings.Builder
		cmd.Stdout = &out
		begun := time.Now()
		if err := cmd.Start(); err != nil {
			k.t.Fatal(err)
		}
		if k.took[name] > 0 {
			k.moment(name)
			_ = cmd.Process.Kill()
			k.hits[name]++
		}
		if err := cmd.Wait(); err == nil {
			ack([]byte(out.String()))
			k.took[name] = time.Since(begun)
		}
	}
	p.start()
	k.kept(p)
}

// offline is a command for a home without a node.
func (k *killer) offline(p *process) (name string, args []string, ack func(out []byte)) {
	if p == k.a && k.r.IntN(2) == 0 {
		s, i := k.nextPart()
		return "import alone", append([]string{"import"}, s.parts[i]...), func(out []byte) {
			var res control.ImportResult
			if err := json.Unmarshal(out, &res); err != nil {
				k.t.Error(err)
				return
			}
			k.imported(s, i, &res)
		}
	}
	id := k.anyCase()
	if id == "" {
		return "", nil, nil
	}
	return "reply alone", []string{"case", "reply", id, "--text", k.text()}, func(out []byte) {
		var ref control.EntryRef
		if err := json.Unmarshal(out, &ref); err != nil {
			k.t.Error(err)
			return
		}
		k.cases[id].entries[ref.Entry] = p
	}
}

// choose picks what to do.
func (k *killer) choose() act {
	id := k.anyCase()
	sent := slices.IndexFunc(k.scans, func(s *scan) bool { return s.study != "" }) >= 0
	switch n := k.r.IntN(10); {
	case !sent || n < 3:
		s, i := k.nextPart()
		return act{"import", func(ctx context.Context, _ <-chan struct{}) { k.takeIn(ctx, s, i) }}
	case id == "" || n < 6:
		s := k.anyScan()
		return act{"transfer", func(ctx context.Context, gone <-chan struct{}) { k.request(ctx, s, gone) }}
	case n < 7:
		return act{"report", func(ctx context.Context, _ <-chan struct{}) { k.sign(ctx, id) }}
	default:
		p, times := []*process{k.a, k.b}[k.r.IntN(2)], 1+k.r.IntN(6)
		return act{"discussion", func(ctx context.Context, _ <-chan struct{}) {
			for range times {
				k.reply(ctx, p, id)
			}
		}}
	}
}

func (k *killer) anyCase() string {
	ids := slices.Sorted(maps.Keys(k.cases))
	if len(ids) == 0 {
		return ""
	}
	return ids[k.r.IntN(len(ids))]
}

func (k *killer) anyScan() *scan {
	var known []*scan
	for _, s := range k.scans {
		if s.study != "" {
			known = append(known, s)
		}
	}
	return known[k.r.IntN(len(known))]
}

func (k *killer) text() string {
	k.tries++
	return fmt.Sprintf("text %d", k.tries)
}

// nextPart is something to import: a part that was not acknowledged yet, of a new scan if there is
// none.
func (k *killer) nextPart() (*scan, int) {
	for _, s := range k.scans {
		for i := range s.acked {
			if !s.acked[i] && (i == 0 || k.r.IntN(2) == 0) {
				return s, i
			}
		}
	}
	ct := phantom.CT(phantom.Options{Seed: uint64(len(k.scans) + 1), Slices: scanSlices, Side: 256})
	s := &scan{uid: ct.StudyUID}
	dir := k.t.TempDir()
	for i, f := range ct.Files {
		path := filepath.Join(dir, fmt.Sprintf("IM%03d", i))
		if err := os.WriteFile(path, f, 0o600); err != nil {
			k.t.Fatal(err)
		}
		part := i / (scanSlices * 2 / 3)
		s.parts[part] = append(s.parts[part], path)
	}
	var err error
	if s.sums, err = fileSums(dir); err != nil {
		k.t.Fatal(err)
	}
	k.scans = append(k.scans, s)
	return s, 0
}

func (k *killer) takeIn(ctx context.Context, s *scan, part int) {
	var res *control.ImportResult
	err := control.Import.Call(ctx, k.a.client, control.ImportRequest{Paths: s.parts[part]}, func(e control.ImportEvent) error {
		res = cmpResult(e.Result, res)
		return nil
	})
	if err == nil && res != nil {
		k.imported(s, part, res)
	}
}

// imported notes that part of a scan was acknowledged.
func (k *killer) imported(s *scan, part int, res *control.ImportResult) {
	s.acked[part] = true
	if len(res.Studies) != 1 || res.Studies[0].New+res.Studies[0].Duplicate != len(s.parts[part]) || len(res.Refused) > 0 {
		k.t.Errorf("import of %d files: %+v", len(s.parts[part]), *res)
		return
	}
	if id := res.Studies[0].Study; s.study == "" {
		s.study = id
	} else if s.study != id {
		k.t.Errorf("study %s was imported again as %s", s.study, id)
	}
}

// request opens a case and waits for what was sent.
func (k *killer) request(ctx context.Context, s *scan, gone <-chan struct{}) {
	ref, err := control.Request.Call(ctx, k.a.client, control.NewCase{
		Studies: []string{s.study}, To: []string{k.b.name}, Question: "Nodule?", Identified: true,
	})
	if err != nil {
		return
	}
	k.cases[ref.Case] = &consultation{scan: s, entries: map[string]*process{}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	_, err = control.CaseWait.Call(ctx, k.b.client, control.CaseWaitRequest{Case: ref.Case, For: "complete", Timeout: settleTime})
	if err != nil && ctx.Err() == nil && !isGone(err) {
		k.t.Errorf("case %s did not arrive whole: %v", ref.Case, err)
	}
}

// isGone reports whether a call failed since its node was killed.
func isGone(err error) bool {
	code := control.AsError(err).Code
	return code != control.Refused && code != control.NotFound
}

func (k *killer) reply(ctx context.Context, p *process, id string) {
	ref, err := control.CaseReply.Call(ctx, p.client, control.CaseReplyRequest{Case: id, Text: k.text()})
	if err == nil {
		k.cases[id].entries[ref.Entry] = p
	}
}

func (k *killer) sign(ctx context.Context, id string) {
	_, err := control.CaseReport.Call(ctx, k.b.client, control.CaseReportRequest{Case: id, Text: k.text(), Status: "final"})
	if err != nil {
		return
	}
	if ref, err := control.CaseSign.Call(ctx, k.b.client, control.CaseRequest{Case: id}); err == nil {
		k.cases[id].entries[ref.Report] = k.b
	}
}

// kept expects of a node that was just started that it has what it acknowledged.
func (k *killer) kept(p *process) {
	k.t.Helper()
	for id, c := range k.cases {
		h := k.history(p, id)
		if h == nil && p == k.b {
			continue // it may not have heard of it yet
		}
		for entry, by := range c.entries {
			if n := h.count[entry]; by == p && n != 1 {
				k.t.Errorf("%s acknowledged entry %s and has it %d times after a start", p.name, entry, n)
			}
		}
	}
	if p != k.a {
		return
	}
	for _, s := range k.scans {
		if s.study == "" {
			continue
		}
		var st control.StudyDetail
		p.must(&st, "study", "show", s.study)
		if st.Instances < s.images() || st.Present != st.Instances {
			k.t.Errorf("%d images were acknowledged, %d are listed and %d here after a start", s.images(), st.Instances, st.Present)
		}
	}
}

// history is what a node has of a case.
type history struct {
	count map[string]int // entries
	texts map[string]int
	hash  string
}

func (k *killer) history(p *process, id string) *history {
	h := &history{count: map[string]int{}, texts: map[string]int{}}
	err := control.CaseHistory.Call(k.t.Context(), p.client, control.CaseRequest{Case: id}, func(e control.HistoryEvent) error {
		if e.StateHash != nil {
			h.hash = *e.StateHash
			return nil
		}
		h.count[e.Entry.Entry]++
		if e.Kind == "message" || e.Kind == "report" {
			h.texts[e.Text]++
		}
		return nil
	})
	if err != nil {
		if p == k.a {
			k.t.Errorf("%s: history of case %s: %v", p.name, id, err)
		}
		return nil
	}
	return h
}

// settle lets both finish what was begun, and looks whether all of it is there, once, on both sides.
func (k *killer) settle() {
	k.t.Helper()
	for _, s := range k.scans {
		for i := range s.parts {
			if !s.acked[i] {
				k.takeIn(k.t.Context(), s, i)
			}
		}
		if s.images() != scanSlices {
			k.t.Fatalf("only %d images could be imported", s.images())
		}
		if !slices.ContainsFunc(slices.Collect(maps.Values(k.cases)), func(c *consultation) bool { return c.scan == s }) {
			k.request(k.t.Context(), s, nil)
		}
	}
	for id, c := range k.cases {
		k.converge(id, c)
	}
	var studies []control.Study
	k.a.must(&studies, "study", "list")
	if len(studies) != len(k.scans) {
		k.t.Errorf("%d studies were imported, %d are there", len(k.scans), len(studies))
	}
	for _, s := range k.scans {
		for _, p := range []*process{k.a, k.b} {
			out := filepath.Join(k.t.TempDir(), "out")
			p.must(nil, "study", "export", s.study, "--out", out)
			if got, err := fileSums(out); err != nil || !slices.Equal(got, s.sums) {
				k.t.Errorf("%s gives %d files of a study of %d, and they are not the same: %v", p.name, len(got), len(s.sums), err)
			}
		}
	}
	for _, p := range []*process{k.a, k.b} {
		p.must(nil, "study", "verify")
		p.must(nil, "audit", "verify")
		p.must(nil, "doctor")
		p.sound()
	}
}

// converge waits until both have the whole of a case and the same of it.
func (k *killer) converge(id string, c *consultation) {
	k.t.Helper()
	deadline := time.Now().Add(settleTime)
	for {
		wrong := k.differs(id, c)
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			k.t.Errorf("case %s: %s", id, wrong)
			return
		}
		time.Sleep(betweenLook) // histories have no event that says that both are the same
	}
}

// differs says what keeps a case from being whole, once and the same on both sides.
func (k *killer) differs(id string, c *consultation) string {
	k.t.Helper()
	a, b := k.history(k.a, id), k.history(k.b, id)
	if a == nil || b == nil {
		return "it has not arrived"
	}
	for _, h := range []*history{a, b} {
		for entry, by := range c.entries {
			if h.count[entry] == 0 {
				return fmt.Sprintf("entry %s that %s acknowledged is not on both sides", entry, by.name)
			}
		}
		for entry, n := range h.count {
			if n > 1 {
				return fmt.Sprintf("entry %s is there %d times", entry, n)
			}
		}
		for text, n := range h.texts {
			if n > 1 {
				return fmt.Sprintf("%q is there %d times", text, n)
			}
		}
	}
	if a.hash != b.hash {
		return "the state hashes differ"
	}
	var show control.CaseDetail
	if err := k.b.ask(&show, "case", "show", id); err != nil {
		return err.Error()
	}
	if len(show.Studies) != 1 || show.Studies[0].Present != scanSlices {
		return fmt.Sprintf("of %d images there are %+v", scanSlices, show.Studies)
	}
	return ""
}
