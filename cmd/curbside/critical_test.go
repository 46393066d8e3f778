package main

import (
	"testing"

	"github.com/curbside-p2p/curbside/node/control"
)

// TestF05CriticalSurvives: a critical finding sent while the clinic's node is down is the first
// thing that its user sees on return, and the reader sees when it was acknowledged. Between any two
// steps a process is killed with SIGKILL, and neither is lost.
func TestF05CriticalSurvives(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("kills processes for a while")
	}
	clinic, reader := newProcess(t, "Clinic"), newProcess(t, "Reader")
	meet(t, clinic, reader)
	study := importFiles(clinic, []string{phantomDir(t, 2, 5)}).Studies[0].Study
	var urgent, ref control.CaseRef
	clinic.must(&ref, "request", "--study", study, "--to", "Reader", "--question", "Anything in the ribs?", "--identified")
	clinic.must(&urgent, "request", "--study", study, "--to", "Reader", "--question", "Please answer at once", "--identified", "--priority", "stat")
	reader.must(nil, "case", "wait", ref.Case, "--for", "complete")

	clinic.kill() // down, for a while
	again := func(p *process) { p.kill(); p.start() }
	reader.must(nil, "case", "opine", ref.Case, "--text", "Pneumothorax.")
	again(reader)
	var entry control.EntryRef
	reader.must(&entry, "case", "critical", ref.Case, "--category", "1", "--text", "Tension pneumothorax, left")
	again(reader)
	if x := criticalOfCase(reader, ref.Case); !x.Open || x.Entry != entry.Entry {
		t.Fatalf("the finding is lost at its reader: %+v", x)
	}

	clinic.start()
	clinic.must(nil, "case", "wait", ref.Case, "--for", "entry:critical")
	again(clinic)
	reader.kill() // the reader is down when it is read and acknowledged
	var list []control.Case
	clinic.must(&list, "case", "list")
	if len(list) != 2 || list[0].Case != ref.Case || len(list[0].Criticals) != 1 || !list[0].Criticals[0].ForMe || list[0].Flags[0] != "critical" {
		t.Fatalf("the finding is not the first thing to see: %+v", list)
	}
	if err := clinic.ask(nil, "case", "close", ref.Case); err == nil {
		t.Fatal("a case with an open critical finding was closed")
	}
	clinic.must(nil, "case", "acknowledge", ref.Case, "--critical", entry.Entry, "--read-back", "Tension pneumothorax on the left", "--action", "Drain now")
	again(clinic)
	reader.start()
	reader.must(nil, "case", "wait", ref.Case, "--for", "entry:acknowledge")
	again(reader)
	for _, p := range []*process{clinic, reader} {
		x := criticalOfCase(p, ref.Case)
		if x.Open || x.Acknowledged == nil || x.Acknowledged.ByName != "Clinic" || x.Acknowledged.Time.Before(x.Time) {
			t.Errorf("%s does not see who acknowledged it, and when: %+v", p.name, x)
		}
		p.sound()
	}
}

func criticalOfCase(p *process, id string) control.Critical {
	p.t.Helper()
	var c control.CaseDetail
	p.must(&c, "case", "show", id)
	if len(c.Criticals) != 1 {
		p.t.Fatalf("%s has %d critical findings: %s", p.name, len(c.Criticals), p.tail())
	}
	return c.Criticals[0]
}
