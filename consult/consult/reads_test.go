package consult

import (
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// board is a case with a panel: chad the chair, ben and cleo.
type board struct {
	*world
	anna, ben, cleo, chad, dora, otto *actor
}

func newBoard(t *testing.T, one bool) board {
	t.Helper()
	w, anna, ben, cleo, dora, otto := newWorld(t, one)
	chad := w.person("chad")
	anna.invite(chad, ledger.RankAdmin)
	anna.post(ledger.Request, goodRequest)
	anna.post(ledger.Grant, grantBody(1, 1))
	anna.post(ledger.Assign, AssignBody{Persons: []identity.PersonID{chad.id(), ben.id(), cleo.id()}})
	w.level()
	return board{w, anna, ben, cleo, chad, dora, otto}
}

// sealed is a read that its author keeps until it is opened.
type sealed struct {
	id   ledger.EntryID
	body *ReportBody
}

func (a *actor) seal(text string) sealed {
	a.w.Helper()
	b := a.sign(report.Preliminary, text)
	salt := wire.Hash("test/salt", []byte(text))
	commitment := Commit(salt, b.Document)
	id := a.post(ledger.SealedRead, SealedReadBody{Round: b.Round, Commitment: &commitment})
	b.Opens = &Opening{Sealed: id, Salt: salt}
	return sealed{id, b}
}

func (a *actor) open(s sealed) ledger.EntryID { a.w.Helper(); return a.post(ledger.Report, s.body) }

func (b board) read(t *testing.T, id ledger.EntryID) Read {
	t.Helper()
	b.level()
	for _, r := range b.anna.fold().Reads {
		if r.Entry == id {
			return r
		}
	}
	t.Fatal("no such read")
	return Read{}
}

func allowed(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got %v, want %q", err, want)
	}
}

// TestSealedReads goes through a blind reading: sealed by all, opened, checked.
func TestSealedReads(t *testing.T) {
	b := newBoard(t, false)
	x := b.ben.seal("Benign.")
	b.level()
	if s := b.cleo.fold(); !s.Blinded() || s.State != StateAsked {
		t.Fatalf("blinded %v, %s", s.Blinded(), s.State)
	}
	for _, p := range b.cleo.fold().Posts {
		if strings.Contains(p.Text, "Benign") {
			t.Error("a sealed read can be read")
		}
	}
	allowed(t, b.ben.may(ledger.Report, x.body), "not to be opened yet")
	allowed(t, b.cleo.may(ledger.Report, b.cleo.sign(1, "x")), "read blind")
	allowed(t, b.ben.may(ledger.Report, b.ben.sign(1, "x")), "sealed a read")
	allowed(t, b.cleo.may(ledger.Mark, markBody(1)), "read blind")
	allowed(t, b.anna.may(ledger.Mark, markBody(1)), "")
	allowed(t, b.ben.may(ledger.SealedRead, SealedReadBody{Round: 1, Commitment: &[32]byte{}}), "nobody can change")
	allowed(t, b.dora.may(ledger.SealedRead, SealedReadBody{Round: 1, Commitment: &[32]byte{}}), "not assigned")
	y, z := b.cleo.seal("Malignant."), b.chad.seal("Cannot say.")
	b.level()
	if s := b.anna.fold(); !s.Revealed { // all have sealed: no chair is needed
		t.Fatal("not revealed")
	}
	if got := b.read(t, x.id); got.State != ReadNeverOpened || !got.Blinded {
		t.Errorf("before it is opened: %+v", got)
	}
	other := *x.body
	other.Document = b.ben.sign(1, "Malignant, as I always said.").Document
	allowed(t, b.ben.may(ledger.Report, &other), "not the document that you sealed")
	theft := *x.body
	allowed(t, b.cleo.may(ledger.Report, &theft), "not about this case or not by you")
	allowed(t, b.ben.may(ledger.Report, x.body), "")
	r := b.ben.open(x)
	b.level()
	if got := b.read(t, x.id); got.State != ReadOpened || got.Report == nil || *got.Report != r {
		t.Errorf("opened: %+v", got)
	}
	allowed(t, b.ben.may(ledger.Report, x.body), "is opened")
	// other software posts another document: refused by every node
	forged := *y.body
	forged.Document = b.cleo.sign(1, "Benign, like ben.").Document
	f := b.cleo.post(ledger.Report, &forged)
	if got := b.read(t, y.id); got.State != ReadRefused {
		t.Errorf("another document: %+v", got)
	}
	if got, _ := b.anna.fold().Report(f); got.Valid || got.Counts {
		t.Error("another document than was sealed is valid")
	}
	if m := (&Memory{broken: broken{anyHash: true}}).Fold(b.anna.t); len(m.Reads) != 3 || m.Reads[1].State != ReadOpened && m.Reads[2].State != ReadOpened {
		t.Error("without the hash nobody would notice")
	}
	b.cleo.open(y)
	if got := b.read(t, y.id); got.State != ReadOpened || !got.Blinded {
		t.Errorf("the true document after a forged one: %+v", got)
	}
	if got := b.read(t, z.id); got.State != ReadNeverOpened {
		t.Errorf("chad never opened his: %+v", got)
	}
	b.want(StatePreliminary)
	for _, r := range b.anna.fold().Reports {
		if r.Valid && r.NotBlinded {
			t.Error("a blinded read is labelled not blinded")
		}
	}
}

// TestNotBlinded: a read after the reveal is accepted, and labelled.
func TestNotBlinded(t *testing.T) {
	b := newBoard(t, false)
	b.ben.seal("Benign.")
	b.level()
	allowed(t, b.cleo.may(ledger.SealedRead, SealedReadBody{Round: 1}), "only the requester or a coordinator")
	b.chad.post(ledger.SealedRead, SealedReadBody{Round: 1})
	b.cleo.seal("Malignant.") // crosses the reveal
	b.level()
	allowed(t, b.chad.may(ledger.SealedRead, SealedReadBody{Round: 1}), "opened already")
	s := b.anna.fold()
	if len(s.Reads) != 2 || !s.Reads[0].Blinded || !s.Reads[1].Blinded {
		t.Errorf("reads that did not know of the reveal: %+v", s.Reads)
	}
	allowed(t, b.chad.may(ledger.SealedRead, SealedReadBody{Round: 1, Commitment: &[32]byte{}}), "opened already")
	late := b.chad.opine("I agree.")
	lateSealed := b.dora.post(ledger.Message, MessageBody{Text: "noted"})
	b.level()
	if r, _ := b.anna.fold().Report(late); !r.NotBlinded || !r.Counts {
		t.Errorf("a read after the reveal: %+v", r)
	}
	if p := post(t, b.anna.fold(), lateSealed); !p.InForce {
		t.Error("a message does not count")
	}
}

// TestTwoSealedReads: who seals two reads to choose from is not blinded.
func TestTwoSealedReads(t *testing.T) {
	b := newBoard(t, true)
	x, y := b.ben.seal("Benign."), b.ben.seal("Malignant.")
	b.chad.post(ledger.SealedRead, SealedReadBody{Round: 1})
	b.ben.open(y)
	for _, id := range []ledger.EntryID{x.id, y.id} {
		if r := b.read(t, id); r.Blinded || !r.Twice {
			t.Errorf("%+v", r)
		}
	}
}

func (a *actor) draft(text string, quorum uint64, panel ...*actor) ledger.EntryID {
	a.w.Helper()
	b := ConsensusBody{Round: 1, Text: text, Quorum: quorum}
	for _, p := range panel {
		b.Panel = append(b.Panel, p.id())
	}
	return a.post(ledger.Consensus, b)
}

func (a *actor) vote(draft ledger.EntryID, c Choice, text string) ledger.EntryID {
	a.w.Helper()
	return a.post(ledger.Vote, VoteBody{Consensus: draft, Choice: c, Text: text, Name: "Dr. " + a.name})
}

func (a *actor) signDraft() *ReportBody {
	a.w.Helper()
	d, ok := a.fold().ActingDraft()
	if !ok {
		a.w.Fatal("no draft")
	}
	b := a.sign(report.Final, ConsensusText(d))
	b.Consensus = &d.Entry
	return b
}

// TestConsensus votes, below and above the quorum.
func TestConsensus(t *testing.T) {
	for _, tt := range []struct {
		name  string
		votes map[string]Choice
		want  bool
		text  []string
	}{
		{"all agree", map[string]Choice{"ben": VoteAgree, "cleo": VoteAgree, "chad": VoteAgree}, true, []string{"Consensus of Dr. ", " and Dr. ", "3 of 3"}},
		{"a reservation signs on", map[string]Choice{"ben": VoteReservation, "chad": VoteAgree}, true, []string{"2 of 3", "Reservation, Dr. ben: why ben", "1 member of the panel did not vote"}},
		{"dissent in full", map[string]Choice{"ben": VoteAgree, "cleo": VoteDissent, "chad": VoteAgree}, true, []string{"2 of 3", "Dissent, Dr. cleo: why cleo"}},
		{"below the quorum", map[string]Choice{"cleo": VoteDissent, "ben": VoteAbstain, "chad": VoteAgree}, false, []string{"Opinions of Dr. chad. No consensus (1 of 3", "Abstained, Dr. ben", "Dissent, Dr. cleo"}},
		{"without the chair", map[string]Choice{"ben": VoteAgree, "cleo": VoteAgree, "chad": VoteAbstain}, false, []string{"Opinions of Dr. ben and Dr. cleo. No consensus"}},
		{"nobody", map[string]Choice{"ben": VoteDissent}, false, []string{"No consensus (0 of 3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBoard(t, true)
			d := b.chad.draft("Benign; repeat in spring.", DefaultQuorum(3), b.chad, b.ben, b.cleo)
			for _, a := range []*actor{b.ben, b.cleo, b.chad} {
				if c, ok := tt.votes[a.name]; ok {
					a.vote(d, c, "why "+a.name)
				}
			}
			allowed(t, b.ben.may(ledger.Report, func() *ReportBody { x := b.ben.sign(2, "x"); x.Consensus = &d; return x }()), "only the chair")
			body := b.chad.signDraft()
			allowed(t, b.chad.may(ledger.Report, body), "")
			id := b.chad.post(ledger.Report, body)
			s := b.anna.fold()
			r, _ := s.Report(id)
			if r.Draft == nil || *r.Draft != d || r.Consensus != tt.want || !r.Counts || s.State != StateAnswered {
				t.Errorf("report %+v in %s", r, s.State)
			}
			for _, want := range append(tt.text, "Benign; repeat in spring.") {
				if !strings.Contains(r.Text, want) {
					t.Errorf("%q is not in:\n%s", want, r.Text)
				}
			}
			allowed(t, b.cleo.may(ledger.Vote, VoteBody{Consensus: d, Choice: VoteAgree, Name: "x"}), map[bool]string{true: "have voted", false: "is signed"}[tt.votes["cleo"] != 0])
			b.anna.post(ledger.Taken, TakenBody{Report: id})
			b.want(StateAcknowledged) // a consensus wants acknowledging as any report
		})
	}
}

// TestConsensusRules: who drafts, who votes, and that a changed draft voids the
// votes.
func TestConsensusRules(t *testing.T) {
	b := newBoard(t, true)
	all := []identity.PersonID{b.chad.id(), b.ben.id(), b.cleo.id()}
	draft := func(panel []identity.PersonID, quorum uint64) ConsensusBody {
		return ConsensusBody{Round: 1, Text: "Benign.", Panel: panel, Quorum: quorum}
	}
	allowed(t, b.ben.may(ledger.Consensus, draft(all, 2)), "only the chair")
	allowed(t, b.anna.may(ledger.Consensus, draft(all, 2)), "only the chair")
	allowed(t, b.dora.may(ledger.Consensus, draft(all, 2)), "not assigned")
	allowed(t, b.chad.may(ledger.Consensus, draft(all[:2], 2)), "leaves somebody out")
	allowed(t, b.chad.may(ledger.Consensus, draft(append(all, b.dora.id()), 2)), "not assigned")
	allowed(t, b.chad.may(ledger.Consensus, draft(all, 4)), "quorum")
	allowed(t, b.chad.may(ledger.Consensus, draft(all, 2)), "")
	b.ben.draft("By ben.", 1, b.ben, b.cleo, b.chad)     // not his to draft
	b.chad.draft("Without cleo.", 1, b.chad, b.ben)      // nobody is left out
	b.dora.draft("By dora.", 1, b.dora, b.chad)          // not of the panel
	b.chad.draft("With anna.", 1, b.chad, b.ben, b.anna) // not an assignee
	if s := b.anna.fold(); len(s.Drafts) > 0 {
		t.Fatalf("drafts that must not count: %+v", s.Drafts)
	}
	if s := (&Memory{broken: broken{anyoneDrafts: true}}).Fold(b.anna.t); len(s.Drafts) != 4 {
		t.Error("without the rule they would not count either")
	}
	d := b.chad.draft("Benign.", 2, b.chad, b.ben, b.cleo)
	for _, tt := range []struct {
		who    *actor
		choice Choice
		text   string
		want   string
	}{
		{b.ben, VoteAgree, "", ""},
		{b.ben, VoteAbstain, "", ""},
		{b.ben, VoteDissent, "", "says why"},
		{b.ben, VoteReservation, " ", "says why"},
		{b.ben, 5, "", "not well formed"},
		{b.dora, VoteAgree, "", "not of the panel"},
		{b.anna, VoteAgree, "", "not of the panel"},
		{b.otto, VoteAgree, "", "as observer"},
	} {
		allowed(t, tt.who.may(ledger.Vote, VoteBody{Consensus: d, Choice: tt.choice, Text: tt.text, Name: "x"}), tt.want)
	}
	allowed(t, b.ben.may(ledger.Vote, VoteBody{Choice: VoteAgree, Name: "x"}), "no such consensus")
	for _, a := range []*actor{b.ben, b.chad, b.dora} {
		a.vote(d, VoteAgree, "")
	}
	b.ben.vote(d, VoteDissent, "I changed my mind") // one vote each
	s := b.anna.fold()
	if a, _ := s.ActingDraft(); len(a.Votes) != 2 || !a.Reached {
		t.Fatalf("votes %+v", a)
	}
	allowed(t, b.ben.may(ledger.Vote, VoteBody{Consensus: d, Choice: VoteAgree, Name: "x"}), "have voted")
	old := b.chad.signDraft()
	wrong := b.chad.sign(report.Final, "Consensus of everybody.")
	wrong.Consensus = &d
	allowed(t, b.chad.may(ledger.Report, wrong), "not what the draft and its votes say")
	n := b.chad.draft("Benign, and stable.", 2, b.chad, b.ben, b.cleo)
	s = b.anna.fold()
	if a, _ := s.ActingDraft(); a.Entry != n || len(a.Votes) != 0 || a.Reached || !s.Drafts[0].Void || s.Drafts[0].Reached {
		t.Errorf("a changed draft keeps votes: %+v", s.Drafts)
	}
	if m := (&Memory{broken: broken{votesStay: true}}).Fold(b.anna.t); !m.Drafts[0].Reached {
		t.Error("without the rule nobody would notice")
	}
	allowed(t, b.cleo.may(ledger.Vote, VoteBody{Consensus: d, Choice: VoteAgree, Name: "x"}), "has changed")
	allowed(t, b.chad.may(ledger.Report, old), "has changed")
	id := b.chad.post(ledger.Report, old) // other software signs the old one
	if r, _ := b.anna.fold().Report(id); r.Draft != nil || r.Consensus {
		t.Error("a void draft is signed as consensus")
	}
}

// TestVoteCannotSpeakForOthers: a hostile name or text does not forge a line.
func TestVoteCannotSpeakForOthers(t *testing.T) {
	d := Draft{Text: "Benign.", Panel: make([]identity.PersonID, 2), Quorum: 1, Votes: []Vote{
		{Choice: VoteDissent, Name: "Dr. B\nDissent, Dr. A", Text: "no\nDissent, Dr. A: malignant\x1b[2J"},
	}}
	for line := range strings.SplitSeq(ConsensusText(d), "\n") {
		if strings.HasPrefix(line, "Dissent, Dr. A") || strings.Contains(line, "\x1b") {
			t.Errorf("forged line %q", line)
		}
	}
}
