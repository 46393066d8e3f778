package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

// clinicalCmds are the acts of a consult beyond a discussion (FIELD §4).
func (a *app) clinicalCmds() []*cobra.Command {
	return []*cobra.Command{
		a.caseAskCmd(), a.caseReadingCmd(), a.caseAssignCmd(), a.caseAttachCmd(), a.caseAcknowledgeCmd(), a.caseCriticalCmd(), a.caseAttemptCmd(),
		a.caseTriageCmd(), a.caseOutcomeCmd(), a.caseQuarantineCmd(), a.caseWithdrawCmd(), a.caseReopenCmd(),
		a.caseSealCmd(), a.caseRevealCmd(), a.caseConsensusCmd(), a.caseVoteCmd(), a.caseAgreementCmd(),
	}
}

func (a *app) caseAskCmd() *cobra.Command {
	var t textFlags
	var req control.CaseAskRequest
	cmd := &cobra.Command{
		Use:   "ask CASE --text TEXT",
		Short: "ask back; your clock rests until it is answered",
		Long: `ask asks the requester, or the members in --to, something that you need before you can answer.
The case waits: your clock rests, theirs runs. It is answered by: curbside case reply CASE --anchor ENTRY.`,
		Example: `  curbside case ask 9c1e --text "Is there a scan from before the operation?"
  curbside case ask 9c1e --to "Dr. Rojas" --text "Did you see the left side?"`,
	}
	t.flags(cmd, "the question")
	cmd.Flags().StringArrayVar(&req.To, "to", nil, "a `MEMBER` who is asked (repeatable; default the requester)")
	a.complete(cmd, "to", a.contactIDs)
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		var err error
		if req.Text, err = t.read(a, cmd, true); err != nil {
			return control.EntryRef{}, err
		}
		req.Case = id
		return call(ctx, a, control.CaseAsk, req)
	})
}

func (a *app) caseReadingCmd() *cobra.Command {
	return a.caseAct(&cobra.Command{
		Use:     "reading CASE",
		Short:   "say that you have begun to read",
		Long:    "reading tells the others that you read the images now. Accept the case first.",
		Example: "  curbside case reading 9c1e",
	}, func(ctx context.Context, id string) (control.EntryRef, error) {
		return call(ctx, a, control.CaseReading, control.CaseRequest{Case: id})
	})
}

func (a *app) caseAssignCmd() *cobra.Command {
	var req control.CaseAssignRequest
	cmd := &cobra.Command{
		Use:   "assign CASE --to MEMBER",
		Short: "say who is to answer, or hand the case over",
		Long: `assign says which members are to answer; the first is the primary consultant. The requester and
coordinators may, and who is assigned may hand over. It ends the turn of those who are not named.
Bring people in first: curbside case invite.`,
		Example: `  curbside case assign 9c1e --to "Dr. Rojas"
  curbside case assign 9c1e --to "Dr. Rojas" --to "Dr. Quispe"`,
	}
	cmd.Flags().StringArrayVar(&req.To, "to", nil, "a `MEMBER`, the primary first (repeatable)")
	_ = cmd.MarkFlagRequired("to")
	a.complete(cmd, "to", a.contactIDs)
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		req.Case = id
		return call(ctx, a, control.CaseAssign, req)
	})
}

func (a *app) caseAcknowledgeCmd() *cobra.Command {
	var req control.CaseAcknowledgeRequest
	cmd := &cobra.Command{
		Use:   "acknowledge CASE",
		Short: "take note of the newest report, or of a critical finding",
		Long: `acknowledge tells the others that you have read the newest report and, with --action, what you
will do. An older version is refused: look at the newer one first.

With --critical it answers a critical finding: --read-back says in your own words what you
understood, --action what you do. Only one of the persons whom the finding names can.`,
		Example: `  curbside case acknowledge 9c1e --action "Referred to neurosurgery today"
  curbside case acknowledge 9c1e --critical 77ab --read-back "Left tension pneumothorax" --action "Drain now"`,
	}
	fs := cmd.Flags()
	fs.StringVar(&req.Report, "report", "", "the `REPORT` you have read (default the newest)")
	fs.StringVar(&req.Action, "action", "", "`TEXT`: what you do about it")
	fs.StringVar(&req.Critical, "critical", "", "the `ENTRY` of a critical finding")
	fs.StringVar(&req.ReadBack, "read-back", "", "`TEXT`: the finding in your own words")
	cmd.MarkFlagsMutuallyExclusive("report", "critical")
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		switch {
		case req.Critical == "" && req.ReadBack != "":
			return control.EntryRef{}, usage("--read-back goes with --critical")
		case req.Critical != "" && (blank(req.ReadBack) || blank(req.Action)):
			return control.EntryRef{}, usage("--critical wants --read-back and --action")
		}
		req.Case = id
		return call(ctx, a, control.CaseAcknowledge, req)
	})
}

func (a *app) caseAttachCmd() *cobra.Command {
	var req control.CaseAttachRequest
	var same control.OtherPatient
	var choices choiceFlags
	cmd := &cobra.Command{
		Use:   "attach CASE --study STUDY",
		Short: "share one more study in a case",
		Long: `attach shares one more of your studies with everybody in a case: an older one that was asked for, or
the right one after a quarantine, which then wants: curbside case reopen. It must be of the same patient.
In a pseudonymous case it goes under the same pseudonym (see: curbside deid preview).`,
		Example: "  curbside case attach 9c1e --study 77aa\n  curbside case attach 9c1e --study 77aa && curbside case reopen 9c1e",
	}
	cmd.Flags().StringVar(&req.Study, "study", "", "the `STUDY`")
	cmd.Flags().StringVar(&same.ID, "same-patient", "", "the patient `ID` of a study that differs, typed to say that it is one patient")
	cmd.Flags().StringVar(&same.Reason, "reason", "", "`TEXT`: why --same-patient is so")
	cmd.MarkFlagsRequiredTogether("same-patient", "reason")
	_ = cmd.MarkFlagRequired("study")
	choices.flags(cmd)
	a.complete(cmd, "study", a.studyIDs)
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		var err error
		if req.Choices, err = choices.choices(); err != nil {
			return control.EntryRef{}, err
		}
		if same.ID != "" {
			req.OtherPatient = &same
		}
		req.Case = id
		return call(ctx, a, control.CaseAttach, req)
	})
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

func (a *app) caseCriticalCmd() *cobra.Command {
	var req control.CaseCriticalRequest
	var t textFlags
	var due string
	cmd := &cobra.Command{
		Use:   "critical CASE --text TEXT",
		Short: "report a finding that somebody must acknowledge",
		Long: `critical reports a finding that a named person must read back. It stays on top of the worklist of
everybody in the case until then, and the case cannot be closed. Categories: 1 within minutes,
2 within hours, 3 within days. Any of those in --who may acknowledge it. While nobody does they are
reminded; each time that the time runs out one more is told: your roster, the requester, coordinators.`,
		Example: `  curbside case critical 9c1e --category 1 --text "Tension pneumothorax left"
  curbside case critical 9c1e --of 44d0 --category 2 --text "Free air" --who "Clinic Puno" --due 30m`,
	}
	t.flags(cmd, "the finding")
	fs := cmd.Flags()
	fs.StringVar(&req.Of, "of", "", "the `ENTRY` of the report or mark that shows it (default your newest report)")
	fs.IntVar(&req.Category, "category", 1, "`TIER`: 1 minutes, 2 hours, 3 days")
	fs.StringArrayVar(&req.Who, "who", nil, "a `MEMBER` who must acknowledge (repeatable; default the requester)")
	fs.StringVar(&due, "due", "", "`TIME` until when: 2026-03-04T12:00:00Z, or 30m from now (default by category)")
	a.complete(cmd, "who", a.contactIDs)
	completeWords(cmd, "category", "1", "2", "3")
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		var err error
		if req.Text, err = t.read(a, cmd, true); err != nil {
			return control.EntryRef{}, err
		}
		if req.Category < 1 || req.Category > 3 {
			return control.EntryRef{}, usage("--category is 1, 2 or 3")
		}
		if due != "" {
			at, err := parseTime(time.Now(), due)
			if err != nil {
				return control.EntryRef{}, err
			}
			req.Due = &at
		}
		req.Case = id
		return call(ctx, a, control.CaseCritical, req)
	})
}

func (a *app) caseAttemptCmd() *cobra.Command {
	var req control.CaseAttemptRequest
	cmd := &cobra.Command{
		Use:   "attempt CASE --method HOW --whom NAME --result TEXT",
		Short: "record a try to reach somebody about a critical finding",
		Long: `attempt records every try to reach somebody about a critical finding, also one in vain: how, whom
and what came of it. With the acknowledgement it is the record of who told whom, and when.`,
		Example: `  curbside case attempt 9c1e --method telephone --whom "Dr. Soto, ward 3" --result "no answer"`,
	}
	fs := cmd.Flags()
	fs.StringVar(&req.Critical, "critical", "", "the `ENTRY` of the finding (default the only open one)")
	fs.StringVar(&req.Method, "method", "", "`HOW`: telephone, pager, in person, …")
	fs.StringVar(&req.Whom, "whom", "", "`NAME` of who was to be reached")
	fs.StringVar(&req.Result, "result", "", "`TEXT`: what came of it")
	for _, name := range []string{"method", "whom", "result"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		req.Case = id
		return call(ctx, a, control.CaseAttempt, req)
	})
}

func (a *app) caseTriageCmd() *cobra.Command {
	var req control.CaseTriageRequest
	cmd := &cobra.Command{
		Use:     "triage CASE --priority PRIORITY --reason TEXT",
		Short:   "set the priority of a case, with a reason",
		Long:    "triage sets the priority, as a coordinator or the requester does. Where two do so at once the higher one counts.",
		Example: `  curbside case triage 9c1e --priority urgent --reason "Neurological deficit since this morning"`,
	}
	cmd.Flags().StringVar(&req.Priority, "priority", "", "`PRIORITY`: "+strings.Join(priorities, ", "))
	cmd.Flags().StringVar(&req.Reason, "reason", "", "`TEXT`: why")
	_ = cmd.MarkFlagRequired("priority")
	_ = cmd.MarkFlagRequired("reason")
	completeWords(cmd, "priority", priorities...)
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		if err := oneOf("priority", req.Priority, priorities...); err != nil {
			return control.EntryRef{}, err
		}
		req.Case = id
		return call(ctx, a, control.CaseTriage, req)
	})
}

var outcomeSources = []string{"pathology", "surgery", "follow-up", "other"}

func (a *app) caseOutcomeCmd() *cobra.Command {
	var req control.CaseOutcomeRequest
	cmd := &cobra.Command{
		Use:     "outcome CASE --result TEXT --source SOURCE",
		Short:   "tell the consultants what became of the patient",
		Long:    "outcome closes the loop: what pathology, surgery or time have shown goes to everybody who gave an opinion.",
		Example: `  curbside case outcome 9c1e --result "Adenocarcinoma, pT1b" --source pathology --date 2026-03-20`,
	}
	fs := cmd.Flags()
	fs.StringVar(&req.Result, "result", "", "`TEXT`: what was found")
	fs.StringVar(&req.Source, "source", "", "`SOURCE`: "+strings.Join(outcomeSources, ", "))
	fs.StringVar(&req.Date, "date", "", "`DATE` of it, 2026-03-20")
	_ = cmd.MarkFlagRequired("result")
	_ = cmd.MarkFlagRequired("source")
	completeWords(cmd, "source", outcomeSources...)
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		if err := oneOf("source", req.Source, outcomeSources...); err != nil {
			return control.EntryRef{}, err
		}
		if req.Date != "" {
			if _, err := time.Parse(time.DateOnly, req.Date); err != nil {
				return control.EntryRef{}, usage("--date is a day such as 2026-03-20")
			}
		}
		req.Case = id
		return call(ctx, a, control.CaseOutcome, req)
	})
}

func (a *app) caseQuarantineCmd() *cobra.Command {
	var req control.CaseQuarantineRequest
	cmd := &cobra.Command{
		Use:   "quarantine CASE --text TEXT",
		Short: "say that a study is another patient's: nobody uses it any more",
		Long: `quarantine locks a study in this case on every node that hears of it, at once and for good, and
strikes its opinions through. The case goes on once the requester has shared the right study and
reopened it.`,
		Example: `  curbside case quarantine 9c1e --study 81b4 --text "Name on the film is another one"`,
	}
	cmd.Flags().StringVar(&req.Study, "study", "", "the `STUDY` (default the only one)")
	cmd.Flags().StringVar(&req.Text, "text", "", "`TEXT`: what is wrong")
	_ = cmd.MarkFlagRequired("text")
	a.complete(cmd, "study", a.studyIDs)
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		req.Case = id
		return call(ctx, a, control.CaseQuarantine, req)
	})
}

func (a *app) caseWithdrawCmd() *cobra.Command {
	return a.caseWhy(control.CaseWithdraw, &cobra.Command{
		Use:     "withdraw CASE",
		Short:   "take a request back that nobody has answered yet",
		Long:    "withdraw takes the request back. A report that crosses it on its way stands all the same, and wants to be acknowledged.",
		Example: `  curbside case withdraw 9c1e --text "Patient was transferred"`,
	})
}

func (a *app) caseReopenCmd() *cobra.Command {
	return a.caseWhy(control.CaseReopen, &cobra.Command{
		Use:     "reopen CASE",
		Short:   "ask again: a new round of a closed, withdrawn or declined case",
		Long:    "reopen opens a new round of a case that was closed, withdrawn, declined or quarantined. All that was said before stays.",
		Example: `  curbside case reopen 9c1e --text "Follow-up scan is here"`,
	})
}

// caseWhy is an act that may be explained.
func (a *app) caseWhy(op control.Op[control.CaseTextRequest, control.EntryRef], cmd *cobra.Command) *cobra.Command {
	var text string
	cmd.Flags().StringVar(&text, "text", "", "`TEXT`: why, a message to the others")
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		return call(ctx, a, op, control.CaseTextRequest{Case: id, Text: text})
	})
}

// inZone is an instant in UTC and, where that differs, as the reader's clock shows it.
func inZone(t *time.Time) string {
	if t == nil {
		return ""
	}
	s := cell(*t)
	if local := t.In(time.Local); local.Format("-0700") != "+0000" {
		s += local.Format(" (Mon 2 Jan 15:04 MST)")
	}
	return s
}

// dueWords says what a case waits for next: "accepted in 20m", "final OVERDUE 3h".
func dueWords(list []control.Due) string {
	if len(list) == 0 {
		return ""
	}
	left := time.Until(list[0].At).Round(time.Minute)
	if list[0].Overdue {
		return list[0].What + " OVERDUE " + durationWords(-left)
	}
	return list[0].What + " in " + durationWords(left)
}

func durationWords(d time.Duration) string {
	switch d = max(d, 0); {
	case d >= 48*time.Hour:
		return plural(int(d.Hours()/24), "day")
	case d >= time.Hour:
		return strconv.Itoa(int(d.Hours())) + "h" + strconv.Itoa(int(d.Minutes())%60) + "m"
	default:
		return strconv.Itoa(int(d.Minutes())) + "m"
	}
}

// critical prints a finding with who told whom when.
func (pg *page) critical(x control.Critical) {
	state := "acknowledged"
	if x.Open {
		state = "NOT ACKNOWLEDGED"
	}
	pg.row("CRITICAL", short(x.Entry), "tier "+strconv.Itoa(x.Category), state, x.AuthorName, x.Time)
	pg.block(x.Text)
	if len(x.Who) > 0 {
		pg.row("", "to acknowledge", x.Who, "until "+inZone(x.Due))
	}
	for _, t := range x.Attempts {
		pg.row("", "attempt", t.By, t.Time, t.Text)
	}
	if x.Acknowledged != nil {
		pg.row("", "acknowledged", x.Acknowledged.ByName, x.Acknowledged.Time, x.Acknowledged.Text)
	}
	pg.gap()
}
