package desk

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
)

func TestParseRules(t *testing.T) {
	t.Parallel()
	got, err := ParseRules(` modality=ct from=CT1 description~"Chest; thin" to="Dr Okafor" to=Quispe priority=urgent question="New; lesion, = or ~?" ;; from=US1 to=X question=Y; `)
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	r, err := parseRule(got[0])
	if err != nil || r.modality != "CT" || r.from != "CT1" || r.description != "chest; thin" || r.priority != "urgent" ||
		!slices.Equal(r.to, []string{"Dr Okafor", "Quispe"}) || r.question != "New; lesion, = or ~?" {
		t.Errorf("%+v %v", r, err)
	}
	const ok = `modality=CT to=X question=Y`
	for bad, why := range map[string]string{
		`to=X question=Y`:                "of which studies",
		`modality=CT question=Y`:         "whom",
		`modality=CT to=X`:               "what to ask",
		ok + ` priority=soon`:            "stat, urgent or routine",
		ok + ` modality=MR`:              "twice",
		ok + ` description=chest`:        "not known",
		ok + ` from=`:                    "empty",
		ok + ` from="  "`:                "empty",
		ok + ` send`:                     "KEY=VALUE",
		ok + ` from="A`:                  "not closed",
		ok + ` from=A"B"`:                "KEY=VALUE",
		ok + "\nfrom=A":                  "one line",
		ok + ";" + ok + ";from=A":        "rule 3",
		`CT chest -> Dr Okafor: lesion?`: "KEY=VALUE",
		ok + " from=" + strings.Repeat("A", ruleValueMax+1): "bytes",
		strings.Repeat(ok+";", rulesMax+1):                  "at most",
	} {
		if _, err := ParseRules(bad); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.60q: %v, want %q", bad, err, why)
		}
	}
}

// hospital is a desk that gets studies as from the hospital, at a clock of its own.
type hospital struct {
	*Desk
	t     *testing.T
	clock time.Time
}

func hospitalIn(t *testing.T, d *Desk, rules string) *hospital {
	t.Helper()
	list, err := ParseRules(rules)
	if err != nil {
		t.Fatal(err)
	}
	o := &hospital{Desk: d, t: t, clock: time.Now()}
	d.now = func() time.Time { return o.clock }
	d.setting = func(key string) string {
		return map[string]string{"consent": "treatment", "rules": strings.Join(list, settingSeparator)}[key]
	}
	return o
}

func (o *hospital) comes(s phantom.Study, from string) (id string) {
	o.t.Helper()
	paths, _ := filepath.Glob(filepath.Join(write(o.t, s.Files), "*"))
	for _, p := range paths {
		g, err := o.Take(o.t.Context(), p, from)
		if err != nil || g.Status == TakenRefused {
			o.t.Fatalf("%+v %v", g, err)
		}
		id = g.Study
	}
	return id
}

// rests lets all studies settle and gives what notices said.
func (o *hospital) rests() (verbs []string) {
	o.clock = o.clock.Add(SettleAfter)
	o.door.settle()
	for {
		select {
		case n := <-o.notes:
			verbs = append(verbs, n.verb)
		default:
			return verbs
		}
	}
}

func (o *hospital) drafts() []control.DraftedRequest {
	o.t.Helper()
	list, err := o.RequestDrafts(o.t.Context(), control.None{})
	if err != nil {
		o.t.Fatal(err)
	}
	return list
}

const chestRule = `modality=CT from=ELSE to=Nobody question=No; modality=CT from=CT1 description~"ct CHEST" to=Friend priority=urgent question="New lesion?"`

// TestRuleDrafts: a rule drafts once, nothing is sent by itself, and what a person sends goes the
// way of every request: under a pseudonym.
func TestRuleDrafts(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	d, closeDesk := openDeskOnce(t, home)
	newOther(t, "Friend").befriend(d)
	o := hospitalIn(t, d, chestRule)
	o.comes(smallCT(1), "CT2") // by another machine at first, and the node ends before it settles
	if len(o.drafts()) != 0 {
		t.Error("drafted before it settled")
	}
	closeDesk()
	d, closeDesk = openDeskOnce(t, home)
	o = hospitalIn(t, d, chestRule)
	if v := o.rests(); !slices.Equal(v, []string{noticeSettled}) {
		t.Errorf("after a restart: %v", v)
	}
	id := o.comes(smallCT(3), "CT1")
	if v := o.rests(); !slices.Equal(v, []string{noticeReopened, noticeSettled, noticeDrafted}) {
		t.Errorf("it comes to rest: %v", v)
	}
	o.comes(smallCT(4), "CT1")
	if v := o.rests(); slices.Contains(v, noticeDrafted) {
		t.Errorf("drafted again: %v", v)
	}
	closeDesk()
	d, closeDesk = openDeskOnce(t, home)
	t.Cleanup(func() { closeDesk() })
	o = hospitalIn(t, d, chestRule)
	list := o.drafts()
	if len(list) != 1 || list[0].Draft != id || list[0].Study != id || list[0].Priority != "urgent" ||
		list[0].Question != "New lesion?" || !slices.Equal(list[0].To, []string{"Friend"}) {
		t.Fatalf("%+v", list)
	}
	if cases, err := o.CaseList(t.Context(), control.None{}); err != nil || len(cases) != 0 {
		t.Fatalf("sent by itself: %+v %v", cases, err)
	}
	req := control.NewCase{Draft: id[:8]}
	if ref, err := o.Request(t.Context(), control.NewCase{Draft: id[:8], Check: true}); err != nil || ref.Case != "" || len(o.drafts()) != 1 {
		t.Errorf("only checked: %+v %v", ref, err)
	}
	if _, err := o.Request(t.Context(), control.NewCase{Draft: id[:8], To: []string{"Stranger"}}); err == nil || len(o.drafts()) != 1 {
		t.Errorf("a refused request takes the draft away: %v", err)
	}
	ref, err := o.Request(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	c, err := o.CaseShow(t.Context(), control.CaseShowRequest{Case: ref.Case})
	if err != nil || c.Priority != "urgent" || !slices.ContainsFunc(c.Entries, func(e control.Entry) bool { return e.Text == "New lesion?" }) {
		t.Errorf("%+v %v", c, err)
	}
	if len(d.shares) != 1 {
		t.Errorf("%d studies under a pseudonym, want 1", len(d.shares))
	}
	if _, err := o.Request(t.Context(), req); err == nil || len(o.drafts()) != 0 {
		t.Errorf("sent twice: %v, %+v", err, o.drafts())
	}
	o.comes(smallCT(5), "CT1")
	if v := o.rests(); slices.Contains(v, noticeDrafted) {
		t.Errorf("drafted although in a case: %v", v)
	}
}

// TestRuleDiscard: a discarded draft does not come back with late images; the study's removal takes
// a draft along.
func TestRuleDiscard(t *testing.T) {
	t.Parallel()
	o := hospitalIn(t, openDesk(t, t.TempDir()), chestRule)
	id := o.comes(smallCT(2), "CT1")
	o.rests()
	if _, err := o.RequestDiscard(t.Context(), control.DraftRequest{Draft: id}); err != nil || len(o.drafts()) != 0 {
		t.Errorf("discard: %v", err)
	}
	if _, err := o.RequestDiscard(t.Context(), control.DraftRequest{Draft: id}); err == nil {
		t.Error("discarded twice")
	}
	o.comes(smallCT(3), "CT1")
	if v := o.rests(); slices.Contains(v, noticeDrafted) {
		t.Errorf("back again: %v", v)
	}
	remove := func() {
		t.Helper()
		if _, err := o.StudyRemove(t.Context(), control.StudyRequest{Study: id}); err != nil || len(o.drafts()) != 0 {
			t.Fatalf("%v, %+v", err, o.drafts())
		}
	}
	remove()
	id = o.comes(smallCT(2), "CT1")
	if v := o.rests(); !slices.Equal(v, []string{noticeSettled, noticeDrafted}) || len(o.drafts()) != 1 {
		t.Errorf("a study that is new again: %v", v)
	}
	remove()
	for _, table := range []string{tableRouted, tableArriving} {
		if err := o.persons[0].vault.Each(table, func(string, []byte) error { t.Errorf("a row of %s stays", table); return nil }); err != nil {
			t.Error(err)
		}
	}
	// Another machine, another kind, other words: no draft.
	o.comes(smallCT(2), "ct1")
	if v := o.rests(); slices.Contains(v, noticeDrafted) {
		t.Errorf("of another machine: %v", v)
	}
}
