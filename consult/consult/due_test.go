package consult

import (
	"slices"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/ledger"
)

func TestDue(t *testing.T) {
	_, anna, ben, _, _, _ := asked(t, true)
	due := func(afterMS int64, want ...string) {
		t.Helper()
		s := anna.fold()
		var got []string
		for _, d := range s.DueAt(Clock{NowMS: anna.w.nowMS + afterMS}) {
			name := d.What
			if d.Share >= 1 {
				name += "!"
			}
			got = append(got, name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s after %d: %v, want %v", s.State, afterMS, got, want)
		}
		if over := slices.ContainsFunc(want, func(w string) bool { return w[len(w)-1] == '!' }); s.Overdue(Clock{NowMS: anna.w.nowMS + afterMS}) != over {
			t.Errorf("overdue is not %v", over)
		}
	}
	due(hour, DueDelivered, DueAccepted)
	due(25*hour, DueDelivered+"!", DueAccepted+"!")
	ben.receipt(ReceiptDelivered)
	due(hour, DueAccepted)
	ben.stage(1, StageAccepted)
	due(4*day, DueFinal+"!")
	ask := ben.post(ledger.Ask, AskBody{Text: "side?"})
	due(4*day, DueReply+"!")
	anna.post(ledger.Message, MessageBody{Text: "left", ReplyTo: &ask})
	r := ben.final("No.")
	due(day, DueAcknowledged)
	c := ben.post(ledger.Critical, CriticalBody{Of: r, Category: 1, Text: "bleeding"})
	due(hour, DueAcknowledged, DueCritical+"!")
	anna.post(ledger.Acknowledge, AcknowledgeBody{Critical: c, ReadBack: "bleeding", Action: "surgery"})
	anna.post(ledger.Taken, TakenBody{Report: r})
	due(100 * day)
	ben.post(ledger.Addendum, AddendumBody{Report: r, Type: AddendumAddition, Text: "also"})
	due(8*day, DueAcknowledged+"!")
}

func TestDueByRequest(t *testing.T) {
	_, anna, _, _, _, _ := asked(t, true)
	ask := func(form map[string]string, p Priority, neededBy int64) {
		ctx, err := Context{Form: form}.Encode()
		anna.w.must(err)
		anna.post(ledger.Request, RequestBody{Question: "Is it?", Priority: p, Consent: ConsentTreatment, Context: ctx, NeededByMS: neededBy})
	}
	wait := func(what string) int64 {
		for _, d := range anna.fold().DueAt(Clock{NowMS: anna.w.nowMS}) {
			if d.What == what {
				return d.AtMS - d.FromMS
			}
		}
		return 0
	}
	ask(nil, PriorityStat, 0)
	if got := wait(DueAccepted); got != 15*minute {
		t.Errorf("stat: %d", got)
	}
	ask(map[string]string{"protocol": "stroke"}, PriorityStat, anna.w.nowMS+hour)
	if got := wait(DueAccepted); got != 5*minute {
		t.Errorf("stroke: %d", got)
	}
	if got := wait(DueNeeded); got == 0 || got > hour {
		t.Errorf("needed by: %d", got)
	}
	ask(map[string]string{"type": "teaching"}, PriorityRoutine, 0)
	if got := wait(DueAccepted); got != 0 {
		t.Errorf("teaching: %d", got)
	}
}
