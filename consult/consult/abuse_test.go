package consult

import (
	"slices"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// TestAcknowledgedStays: who acknowledged a critical finding and left later did
// acknowledge it; where nobody named is left, the owner must, for good.
func TestAcknowledgedStays(t *testing.T) {
	w, anna, ben, cleo, dora, _ := asked(t, true)
	r := ben.final("aneurysm")
	c := ben.post(ledger.Critical, CriticalBody{Of: r, Category: 1, Text: "6 cm", Who: []identity.PersonID{cleo.id()}})
	if s := anna.fold(); s.MustAcknowledge(s.Criticals[0], anna.id()) || !s.MustAcknowledge(s.Criticals[0], cleo.id()) {
		t.Error("it is for cleo")
	}
	cleo.post(ledger.Acknowledge, AcknowledgeBody{Critical: c, ReadBack: "6 cm", Action: "surgery"})
	anna.invite(cleo, ledger.RankNone)
	w.want(StateAnswered)

	c = ben.post(ledger.Critical, CriticalBody{Of: r, Category: 1, Text: "7 cm", Who: []identity.PersonID{dora.id()}})
	anna.invite(dora, ledger.RankReader)
	if s := anna.fold(); !s.MustAcknowledge(s.Criticals[1], anna.id()) || s.MustAcknowledge(s.Criticals[1], dora.id()) {
		t.Error("dora cannot, so it is for anna")
	}
	anna.post(ledger.Acknowledge, AcknowledgeBody{Critical: c, ReadBack: "7 cm", Action: "surgery"})
	anna.invite(dora, ledger.RankAdmin)
	w.want(StateAnswered)
}

// TestNewestCounts: a final report by somebody who was not to give one is
// nothing that an owner takes unseen.
func TestNewestCounts(t *testing.T) {
	_, anna, ben, _, _, _ := asked(t, true)
	emil := anna.w.person("emil")
	anna.invite(emil, ledger.RankWriter)
	emil.final("malignant")
	if r, ok := anna.fold().Newest(); ok {
		t.Errorf("the newest is %q", r.Text)
	}
	want := ben.final("benign")
	emil.final("malignant")
	r, ok := anna.fold().Newest()
	if !ok || r.Entry != want {
		t.Errorf("the newest is %q", r.Text)
	}
	took := anna.post(ledger.Taken, TakenBody{Report: want})
	emil.post(ledger.Taken, TakenBody{Report: want, Action: "none"})
	if r, _ := anna.fold().Report(want); !slices.Equal(r.TakenBy, []ledger.EntryID{took}) {
		t.Errorf("taken by %v", r.TakenBy)
	}
}

// TestSealedReadOfAnother: a document that somebody else offers says nothing
// of a sealed read.
func TestSealedReadOfAnother(t *testing.T) {
	_, anna, ben, cleo, _, _ := asked(t, true)
	commitment := Commit([32]byte{1}, []byte{0xa0})
	seal := ben.post(ledger.SealedRead, SealedReadBody{Round: 1, Commitment: &commitment})
	b := cleo.sign(ReportOpinion, "ben is wrong")
	b.Opens = &Opening{Sealed: seal}
	cleo.post(ledger.Report, b)
	if got := anna.fold().Reads[0].State; got == ReadRefused {
		t.Errorf("the read of ben is %q", got)
	}
	b = ben.sign(ReportOpinion, "another")
	b.Opens = &Opening{Sealed: seal}
	ben.post(ledger.Report, b)
	if got := anna.fold().Reads[0].State; got != ReadRefused {
		t.Errorf("the read of ben is %q", got)
	}
}

// TestQuestionsThatDoNotRest: the clock of an answer rests only for what holds
// its reader up.
func TestQuestionsThatDoNotRest(t *testing.T) {
	for _, x := range []struct {
		name string
		play func(anna, ben, emil *actor)
	}{
		{"by who is not asked", func(_, ben, emil *actor) {
			ben.stage(1, StageAccepted)
			emil.post(ledger.Ask, AskBody{Text: "side?"})
		}},
		{"of a round before", func(anna, ben, _ *actor) {
			ben.stage(1, StageAccepted)
			ben.post(ledger.Ask, AskBody{Text: "side?"})
			anna.stage(1, StageWithdrawn)
			anna.stage(2, StageAsked)
			ben.stage(2, StageAccepted)
		}},
		{"that its reader went past", func(_, ben, _ *actor) {
			ben.stage(1, StageAccepted)
			ben.post(ledger.Ask, AskBody{Text: "side?"})
			ben.opine("left, I think")
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, anna, ben, _, _, _ := asked(t, true)
			emil := anna.w.person("emil")
			anna.invite(emil, ledger.RankWriter)
			x.play(anna, ben, emil)
			s := anna.fold()
			if !slices.ContainsFunc(s.DueAt(Clock{NowMS: anna.w.nowMS + 4*day}), func(d Due) bool { return d.What == DueFinal && d.Share >= 1 }) {
				t.Errorf("%s, and the final report is not overdue", s.State)
			}
		})
	}
}

// TestAlternatesOutside: who is not in the case cannot be told by it, and takes
// no turn of those who are.
func TestAlternatesOutside(t *testing.T) {
	_, anna, ben, cleo, dora, _ := asked(t, true)
	r := ben.final("aneurysm")
	ben.post(ledger.Critical, CriticalBody{Of: r, Category: 1, Text: "6 cm", Who: []identity.PersonID{dora.id()}})
	emil := anna.w.person("emil")
	told := func(after int64) []identity.PersonID {
		return anna.fold().Alarms(Clock{NowMS: anna.w.nowMS + after, Alternates: []identity.PersonID{emil.id(), cleo.id()}})[0].For
	}
	if got := told(16 * minute); !slices.Equal(got, []identity.PersonID{dora.id(), cleo.id()}) {
		t.Errorf("told %v", got)
	}
	if got := told(31 * minute); !slices.Contains(got, anna.id()) {
		t.Errorf("the owner is not told: %v", got)
	}
}
