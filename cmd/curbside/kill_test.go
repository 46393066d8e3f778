package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
)

// TestKills kills either of two nodes, SIGKILL, at random moments of import, transfer and
// discussion, and starts it again. In the end nothing that was acknowledged is lost or doubled, and
// both hold the same. CURBSIDE_KILLS (default 20) is how often, CURBSIDE_SEED the moments:
//
//	CURBSIDE_KILLS=200 go test ./cmd/curbside -run TestKills -v -timeout 30m
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for a while")
	}
	kills, seed := envInt(t, "CURBSIDE_KILLS", 20), envInt(t, "CURBSIDE_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("CURBSIDE_SEED=%d", seed)
	k := &killer{
		t: t, r: rand.New(rand.NewPCG(uint64(seed), 0)),
		a: newProcess(t, "Clinic"), b: newProcess(t, "Reader"),
		said: map[string][]string{},
	}
	meet(t, k.a, k.b)
	for k.killed < kills {
		k.step()
	}
	k.settle()
	t.Logf("%d kills: %d studies, %d cases, %d messages, %d reports acknowledged", k.killed, len(k.studies), len(k.said), k.messages(), k.reports)
}

func envInt(t *testing.T, name string, def int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return def
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// killer remembers what was acknowledged.
type killer struct {
	t       *testing.T
	r       *rand.Rand
	a, b    *process
	killed  int
	steps   int
	folders []string            // scans, imported one after the other
	studies map[string]string   // study to its folder
	said    map[string][]string // case to the texts acknowledged in it
	reports int
}

func (k *killer) messages() int {
	n := 0
	for _, texts := range k.said {
		n += len(texts)
	}
	return n
}

// step does something, and in half of the cases kills one of the two while it goes on.
func (k *killer) step() {
	k.t.Helper()
	k.steps++
	act := k.choose()
	if k.r.IntN(2) == 0 {
		act(k.t.Context())
		return
	}
	victim := []*process{k.a, k.b}[k.r.IntN(2)]
	ctx, cancel := context.WithCancel(k.t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); act(ctx) }()
	// The moment is what is tried here: it must not wait for anything that happens.
	time.Sleep(time.Duration(k.r.IntN(120)) * time.Millisecond)
	victim.kill()
	k.killed++
	select {
	case <-done:
	case <-time.After(time.Minute):
		k.t.Fatal("a command still waits for a node that is gone")
	}
	victim.start()
}

// choose picks what to do. Each returns whether or not it was acknowledged; what was is remembered.
func (k *killer) choose() func(context.Context) {
	cases := slices.Sorted(maps.Keys(k.said))
	switch n := k.r.IntN(10); {
	case len(k.studies) == 0 || n < 2:
		return k.takeIn
	case len(cases) == 0 || n < 4:
		of := slices.Sorted(maps.Keys(k.studies))
		s := of[k.r.IntN(len(of))]
		return func(ctx context.Context) { k.request(ctx, s) }
	case n < 5:
		c := cases[k.r.IntN(len(cases))]
		return func(ctx context.Context) { k.sign(ctx, c) }
	default:
		c, p := cases[k.r.IntN(len(cases))], []*process{k.a, k.b}[k.r.IntN(2)]
		return func(ctx context.Context) { k.reply(ctx, p, c) }
	}
}

// takeIn imports the newest folder again if that was not acknowledged, else a new one.
func (k *killer) takeIn(ctx context.Context) {
	const slices = 12
	if len(k.folders) == len(k.studies) {
		dir := k.t.TempDir()
		for i, f := range phantom.CT(phantom.Options{Seed: uint64(len(k.folders)), Slices: slices, Side: 256}).Files {
			if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), f, 0o600); err != nil {
				k.t.Error(err)
			}
		}
		k.folders = append(k.folders, dir)
	}
	dir := k.folders[len(k.folders)-1]
	var res *control.ImportResult
	err := control.Import.Call(ctx, k.a.client, control.ImportRequest{Paths: []string{dir}}, func(e control.ImportEvent) error {
		res = cmpResult(e.Result, res)
		return nil
	})
	if err != nil || res == nil {
		return
	}
	if len(res.Studies) != 1 || res.Studies[0].Instances != slices || len(res.Refused) > 0 {
		k.t.Errorf("import: %+v", *res)
		return
	}
	if k.studies == nil {
		k.studies = map[string]string{}
	}
	k.studies[res.Studies[0].Study] = dir
}

func (k *killer) request(ctx context.Context, study string) {
	ref, err := control.Request.Call(ctx, k.a.client, control.NewCase{Studies: []string{study}, To: []string{"Reader"}, Question: "?", Identified: true})
	if err == nil {
		k.said[ref.Case] = nil
	}
}

func (k *killer) reply(ctx context.Context, p *process, c string) {
	text := fmt.Sprintf("message %d", k.steps)
	if _, err := control.CaseReply.Call(ctx, p.client, control.CaseReplyRequest{Case: c, Text: text}); err == nil {
		k.said[c] = append(k.said[c], text)
	}
}

func (k *killer) sign(ctx context.Context, c string) {
	text := fmt.Sprintf("report %d", k.steps)
	_, err := control.CaseReport.Call(ctx, k.b.client, control.CaseReportRequest{Case: c, Text: text, Status: "final"})
	if err != nil {
		return
	}
	if _, err := control.CaseSign.Call(ctx, k.b.client, control.CaseRequest{Case: c}); err == nil {
		k.said[c] = append(k.said[c], text)
		k.reports++
	}
}

// settle lets both finish, and looks whether all of it is there, once, on both sides.
func (k *killer) settle() {
	k.t.Helper()
	for c, texts := range k.said {
		ask(k.b, control.CaseWait, control.CaseWaitRequest{Case: c, For: "complete", Timeout: time.Minute})
		for _, p := range []*process{k.a, k.b} {
			k.hears(p, c, texts)
		}
	}
	for c := range k.said {
		if a, b := stateHash(k.a, c), stateHash(k.b, c); a != b {
			k.t.Errorf("case %s: the two differ", c)
		}
	}
	for study, dir := range k.studies {
		out := filepath.Join(k.t.TempDir(), "out")
		ask(k.a, control.StudyExport, control.StudyExportRequest{Study: study, Out: out})
		sameFolder(k.t, dir, out)
	}
	for _, s := range ask(k.b, control.StudyList, control.None{}) {
		out := filepath.Join(k.t.TempDir(), "out")
		if got := ask(k.b, control.StudyExport, control.StudyExportRequest{Study: s.Study, Out: out}); got.Missing > 0 {
			k.t.Errorf("%d images missing", got.Missing)
		}
	}
	for _, p := range []*process{k.a, k.b} {
		if v := ask(p, control.StudyVerify, control.StudyVerifyRequest{}); len(v.Damaged) > 0 {
			k.t.Errorf("damaged: %+v", v.Damaged)
		}
		if v := ask(p, control.AuditVerify, control.None{}); !v.OK {
			k.t.Errorf("audit: %+v", v)
		}
	}
}

// hears waits until p has heard every text, and counts each.
func (k *killer) hears(p *process, c string, texts []string) {
	k.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		missing := ""
		got := ask(p, control.CaseShow, control.CaseShowRequest{Case: c})
		for _, text := range texts {
			switch n := count(got, text); {
			case n == 0:
				missing = text
			case n > 1:
				k.t.Errorf("case %s: %q is there %d times", c, text, n)
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			k.t.Fatalf("case %s: %q was acknowledged and is lost", c, missing)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func count(c control.CaseDetail, text string) int {
	n := 0
	for _, e := range c.Entries {
		if e.Kind == "message" && e.Text == text {
			n++
		}
	}
	for _, r := range c.Reports {
		if strings.TrimSpace(r.Text) == text && r.Valid {
			n++
		}
	}
	return n
}

func stateHash(p *process, c string) string {
	p.t.Helper()
	hash := ""
	err := control.CaseHistory.Call(p.t.Context(), p.client, control.CaseRequest{Case: c}, func(e control.HistoryEvent) error {
		if e.StateHash != nil {
			hash = *e.StateHash
		}
		return nil
	})
	if err != nil || hash == "" {
		p.t.Errorf("history: %v", errors.Join(err))
	}
	return hash
}

func sameFolder(t *testing.T, want, got string) {
	t.Helper()
	sums := func(dir string) []string {
		var out []string
		for _, path := range filesBelow(t, dir) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(b))
		}
		slices.Sort(out)
		return out
	}
	if !slices.Equal(sums(want), sums(got)) {
		t.Errorf("%s did not come back byte for byte", want)
	}
}
