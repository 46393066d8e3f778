package consult

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// TestAuthorize plays histories in which only what Authorize allows is posted:
// whatever it is, its author had the rank and the role for it, and it does what
// it says. With any guard left out it must fail.
func TestAuthorize(t *testing.T) {
	for _, tt := range []struct {
		name string
		lax  lax
	}{
		{"rank", lax{rank: true}},
		{"role", lax{role: true}},
		{"owner", lax{owner: true}},
		{"assigned", lax{assigned: true}},
		{"own", lax{own: true}},
		{"round", lax{round: true}},
		{"open", lax{open: true}},
		{"critical", lax{critical: true}},
		{"newest", lax{newest: true}},
		{"once", lax{once: true}},
		{"hash", lax{hash: true}},
		{"panel", lax{panel: true}},
	} {
		t.Run("without "+tt.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3000) { // stops at the first that shows it
				if fault, _ := allowedOnly(seed, tt.lax); fault != "" {
					return
				}
			}
			t.Fatal("nobody noticed that a guard is missing")
		})
	}
	t.Run("whole", func(t *testing.T) {
		t.Parallel()
		sum := map[ledger.Kind]int{}
		for seed := range uint64(*papers / 2) {
			fault, posted := allowedOnly(seed, lax{})
			if fault != "" {
				t.Fatalf("seed %d: %s", seed, fault)
			}
			for k, n := range posted {
				sum[k] += n
			}
		}
		for k := ledger.Request; k <= ledger.Archived; k++ {
			if sum[k] == 0 && k != ledger.Held && k != ledger.Attempt && k != ledger.Outcome && k != ledger.Archived {
				t.Errorf("%s was never allowed: the histories are too poor", k)
			}
		}
	})
}

// allowedOnly plays one history on one replica, in which a sender and a trainee
// take part, and names what was allowed and should not have been.
func allowedOnly(seed uint64, without lax) (string, map[ledger.Kind]int) {
	all := newPapers(broken{})
	r := rand.New(rand.NewPCG(seed, 31))
	h := newBodies(r)
	anna := all[0]
	attested := map[identity.PersonID]Attested{}
	for n, role := range []Attested{AttestedTechnologist, AttestedTrainee} {
		a := &pen{n: 5 + n, memory: anna.memory, counter: anna.counter, nowMS: anna.nowMS, last: map[ledger.Chain]*ledger.Entry{}}
		anna.post(ledger.Role, paperRole{Person: a.id(), Rank: ledger.RankWriter})
		attested[a.id()] = role
		all = append(all, a)
	}
	if r.IntN(2) == 0 {
		attested[all[r.IntN(4)].id()] = AttestedClinician
	}
	for _, a := range all {
		a.paper = anna.paper
		h.all = append(h.all, a)
	}
	m := &Memory{Roles: func(p identity.PersonID) Attested { return attested[p] }}
	fold := func() *State {
		s := m.fold(anna.paper, nil)
		view := m.fold(anna.paper, m.Roles)
		view.whole = s
		return view
	}
	posted := map[ledger.Kind]int{}
	before := fold()
	for range 60 {
		a := all[r.IntN(len(all))]
		a.state = nil
		kind, body := h.body(a)
		kind, body = h.likely(before, a, kind, body)
		if authorize(before, a.id(), kind, body, without) != nil {
			continue
		}
		id := a.post(kind, body).ID
		h.posted(kind, id)
		posted[kind]++
		after := fold()
		if fault := undone(before, after, a.id(), kind, pointer(body), id); fault != "" {
			return fmt.Sprintf("%s by %s in %s: %s: %+v", kind, a.id().String()[:2], before.State, fault, body), posted
		}
		before = after
	}
	return "", posted
}

// likely turns some bodies into what fits the case as it stands, so that
// histories get somewhere.
func (h *randomBodies) likely(s *State, a author, kind ledger.Kind, body any) (ledger.Kind, any) {
	r := h.r
	switch r.IntN(6) {
	case 0:
		if b, ok := body.(StatusBody); ok {
			b.Round = s.Round
			return kind, b
		}
		return ledger.Status, StatusBody{Round: s.Round, Stage: StageAccepted}
	case 1:
		for _, x := range s.Reads {
			if x.Author == a.id() && x.State != ReadOpened && s.Revealed && h.reads[x.Entry] != nil {
				b := *h.reads[x.Entry]
				b.Opens = &Opening{Sealed: x.Entry, Salt: [32]byte{byte(r.IntN(2))}}
				return ledger.Report, &b
			}
		}
		if s.Blinded() && r.IntN(2) == 0 {
			return ledger.SealedRead, SealedReadBody{Round: s.Round}
		}
		if d, ok := s.ActingDraft(); ok && r.IntN(2) == 0 {
			return ledger.Vote, VoteBody{Consensus: d.Entry, Choice: VoteAgree, Name: "N. N."}
		}
		if n, ok := s.Newest(); ok {
			return ledger.Taken, TakenBody{Report: n.Entry}
		}
	case 2:
		if c := s.OpenCriticals(); len(c) > 0 && r.IntN(3) == 0 {
			return ledger.Acknowledge, AcknowledgeBody{Critical: c[0].Entry, ReadBack: "x", Action: "y"}
		}
		if s.State == StateClosed || s.State == StateWithdrawn || s.State == StateQuarantined {
			return ledger.Status, StatusBody{Round: s.Round + 1, Stage: StageAsked}
		}
	}
	return kind, body
}

// undone says what an allowed entry should have done and did not, or what it
// should not have done: the meaning of FIELD §4 in terms of what is seen after.
func undone(before, after *State, who identity.PersonID, kind ledger.Kind, b body, id ledger.EntryID) string {
	was, _ := before.Member(who)
	is, _ := after.Member(who)
	p, _ := after.Post(id)
	switch {
	case was.Rank < ledger.RankNeeded(kind) || !p.InForce:
		return "the rank does not allow it"
	case p.Beyond:
		return "the attested role does not allow it"
	}
	ok := true
	switch x := b.(type) {
	case *RequestBody:
		ok = after.Request != nil && after.Request.Entry == id
	case *EditBody:
		m, _ := after.Post(x.Message)
		ok = m.Edited && m.Text == x.Text
	case *RetractBody:
		m, _ := after.Post(x.Message)
		ok = m.Retracted
	case *GrantBody:
		ok = slices.ContainsFunc(after.Grants, func(g Grant) bool { return g.Entry == id && !g.Quarantined })
	case *MarkEditBody:
		ok = slices.ContainsFunc(after.Marks, func(m Mark) bool { return m.Entry == x.Mark && slices.Contains(m.Edits, id) })
	case *MarkRemoveBody:
		ok = slices.ContainsFunc(after.Marks, func(m Mark) bool { return m.Entry == x.Mark && m.Removed })
	case *StatusBody:
		ok = staged(before, after, is, x)
	case *AssignBody:
		ok = !slices.ContainsFunc(x.Persons, func(q identity.PersonID) bool { return !slices.Contains(after.Assigned, q) })
	case *ReportBody:
		return misreported(before, after, who, x, id)
	case *AddendumBody:
		r, _ := after.Report(x.Report)
		ok = slices.Contains(r.Addenda, id) || slices.ContainsFunc(after.Criticals, func(c Critical) bool { return c.Error != nil && *c.Error == id })
	case *CriticalBody:
		ok = slices.ContainsFunc(after.OpenCriticals(), func(c Critical) bool { return c.Entry == id })
	case *AcknowledgeBody:
		ok = slices.ContainsFunc(after.Criticals, func(c Critical) bool { return c.AcknowledgedBy != nil && *c.AcknowledgedBy == id })
	case *TakenBody:
		r, _ := after.Report(x.Report)
		was, _ := before.Report(x.Report)
		ok = r.Acknowledged && !was.Acknowledged && r.SupersededBy == nil
	case *DeclineBody:
		ok = is.Declined && !was.Declined || !is.Assigned && was.Assigned // who was handing over is rid of it
	case *AskBody:
		ok = slices.ContainsFunc(after.Asks, func(a Ask) bool { return a.Entry == id && a.Open }) && after.State == StateQuestion
	case *TriageBody:
		ok = after.Priority == x.Priority.String()
	case *WrongPatientBody:
		ok = after.State == StateQuarantined
	case *SealedReadBody:
		ok = x.Commitment == nil && after.Revealed ||
			slices.ContainsFunc(after.Reads, func(r Read) bool { return r.Entry == id && r.Author == who && r.Blinded })
	case *VoteBody:
		d, _ := after.ActingDraft()
		ok = slices.ContainsFunc(d.Votes, func(v Vote) bool { return v.Entry == id })
	case *ConsensusBody:
		d, _ := after.ActingDraft()
		ok = d.Entry == id && slices.Equal(d.Panel, before.Panel())
	}
	if !ok {
		return "it does not do what it says"
	}
	return ""
}

func staged(before, after *State, is Member, b *StatusBody) bool {
	switch b.Stage {
	case StageAccepted:
		return is.Accepted
	case StageReading:
		return is.Reading
	case StageClosed:
		return after.State == StateClosed && len(after.OpenCriticals()) == 0 && !slices.ContainsFunc(after.Reports, func(r Report) bool {
			return r.Status == StatusFinal && r.Counts && r.Round == after.Round && r.SupersededBy == nil && !r.Acknowledged
		}) || before.State == StateAnswered && after.State == StateClosed && is.Rank == ledger.RankFounder && len(after.OpenCriticals()) == 0
	case StageWithdrawn:
		return after.State == StateWithdrawn
	default:
		return after.Round == before.Round+1
	}
}

func misreported(before, after *State, who identity.PersonID, b *ReportBody, id ledger.EntryID) string {
	r, _ := after.Report(id)
	finals := 0
	for _, x := range after.Reports {
		if x.Author == who && x.Status == StatusFinal && x.Counts && x.SupersededBy == nil && x.Round == after.Round {
			finals++
		}
	}
	switch m, _ := after.Member(who); {
	case !r.Valid || !r.Counts || r.Note || r.Beyond:
		return "the report does not count"
	case b.Type == ReportFinal && after.State != StateAnswered:
		return "a final report does not answer the case"
	case b.Type == ReportFinal && m.Attested == AttestedTrainee:
		return "a trainee signed a final report"
	case finals > 1:
		return "an author has two finals in force"
	case before.Blinded() && b.Opens == nil && b.Consensus == nil:
		return "an opinion is seen before the reads are opened"
	case b.Opens != nil && r.Opens == nil:
		return "a read was opened that was not sealed so"
	case b.Consensus != nil && r.Draft == nil:
		return "a consensus was signed that is none"
	}
	return ""
}
