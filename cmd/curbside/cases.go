package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) caseCmd() *cobra.Command {
	g := group("case", "cases: list, show, reply, report, sign and more",
		"  curbside case list\n  curbside case show 9c1e\n  curbside case reply 9c1e --text \"Is there an older scan?\"",
		a.caseListCmd(), a.caseShowCmd(), a.caseWatchCmd(), a.caseWaitCmd(), a.caseHistoryCmd(),
		a.caseReplyCmd(), a.caseAnnotateCmd(), a.caseExportCmd(), a.caseArchiveCmd(), a.caseAcceptCmd(), a.caseDeclineCmd(), a.caseReportCmd(), a.caseSignCmd(), a.caseOpineCmd(),
		a.caseInviteCmd(), a.caseRemoveCmd(), a.caseCloseCmd())
	g.AddCommand(a.clinicalCmds()...)
	return g
}

func (a *app) caseListCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "the worklist: critical findings first, then what is due first",
		Example: "  curbside case list\n  curbside case list --json | jq -r '.[] | select(.state==\"asked\") | .case'",
		Args:    places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			list, err := call(cmd.Context(), a, control.CaseList, control.None{})
			if err != nil {
				return err
			}
			return a.emit(list, func(pg *page) {
				for _, c := range list {
					pg.row(short(c.Case), c.State, c.Priority, dueWords(c.Due), caseImages(c.Studies), fmt.Sprintf("%d new", c.Unread), c.From, cut(c.Title, 50), c.Flags)
				}
			})
		}),
	}
}

// caseImages says how many of the listed images of all studies are here.
func caseImages(studies []control.CaseStudy) string {
	present, listed := 0, 0
	for _, s := range studies {
		present += s.Present
		listed += s.Listed
	}
	return fmt.Sprintf("%d of %s", present, plural(listed, "image"))
}

func (a *app) caseShowCmd() *cobra.Command {
	var req control.CaseShowRequest
	cmd := &cobra.Command{
		Use:   "show CASE",
		Short: "show a case: people, images, discussion, reports",
		Long: `show shows a case, named by its id or the beginning of it. On a terminal this tells the
others that you have seen it; with --json only --seen does.`,
		Example:           "  curbside case show 9c1e\n  curbside case show 9c1e --json --seen",
		Args:              places("CASE"),
		ValidArgsFunction: a.first(a.caseIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			req.Case = args[0]
			req.Seen = req.Seen || !a.json && a.outTTY // a person reads it
			c, err := call(cmd.Context(), a, control.CaseShow, req)
			if err != nil {
				return err
			}
			return a.emit(c, func(pg *page) { pg.caseDetail(c) })
		}),
	}
	cmd.Flags().BoolVar(&req.Seen, "seen", false, "tell the others that a person has seen it")
	return cmd
}

func (pg *page) caseDetail(c control.CaseDetail) {
	pg.field("case", c.Case.Case)
	pg.field("title", c.Title)
	pg.field("state", c.State)
	if len(c.Flags) > 0 {
		pg.field("flags", c.Flags)
	}
	pg.field("priority", c.Priority)
	pg.field("deadline", inZone(c.Deadline))
	for _, due := range c.Due {
		pg.row("due", dueWords([]control.Due{due}), inZone(&due.At))
		if due.Hint != nil {
			pg.row("", *due.Hint)
		}
	}
	pg.field("from", c.From)
	pg.field("patient", c.Patient)
	pg.gap()
	for _, x := range c.Criticals {
		pg.critical(x)
	}
	for _, s := range c.Studies {
		role := "study"
		if s.Prior {
			role = "prior"
		}
		pg.row(role, short(s.Study), images(s.Present, s.Listed, s.Expected), s.StudyUID)
	}
	pg.gap()
	for _, m := range c.Members {
		primary := ""
		if m.Primary {
			primary = "primary"
		}
		pg.row("member", short(m.Person), m.Role, m.Trust, m.Name, primary)
	}
	for _, e := range c.Entries {
		pg.gap()
		pg.entry(e)
	}
	for _, r := range newestFirst(c.Reports) {
		pg.gap()
		pg.report(r)
	}
}

// newestFirst puts what replaces or adds to a report before it: nobody reads the old one first (F6).
func newestFirst(reports []control.Report) []control.Report {
	out := slices.Clone(reports)
	slices.Reverse(out)
	return out
}

func (pg *page) entry(e control.Entry) {
	marks := ""
	switch {
	case !e.InForce:
		marks = "  (not in force)"
	case e.Retracted:
		marks = "  (retracted)"
	case e.Edited:
		marks = "  (edited)"
	}
	pg.print(fmt.Sprintf("%s  %s  %s  %s%s\n", short(e.Entry), cell(e.Time), e.Kind, cell(e.AuthorName), marks))
	pg.mark(e.Mark)
	switch {
	case e.Kind == "report" || e.Kind == "addendum":
		pg.block("(its text is below, the newest first)")
	case e.Text != "":
		pg.block(e.Text)
	}
}

func (pg *page) report(r control.Report) {
	marks := []string{"signature valid"}
	if !r.Valid {
		marks[0] = "SIGNATURE NOT VALID"
	}
	for _, x := range []struct {
		set  bool
		says string
	}{
		{r.Status == "preliminary", "PRELIMINARY, not a final report"},
		{r.SupersededBy != nil, "SUPERSEDED by the report " + short(cell(r.SupersededBy))},
		{r.Of != nil, "to report " + short(cell(r.Of))},
		{r.Correction, "a CORRECTION"},
		{r.Stale, "STALE: images came that its author had not seen"},
		{r.Note, "requester's note, not an independent opinion"},
		{r.NotBlinded, "not blinded"},
		{r.Consensus, "consensus"},
		{!r.Exact, "shown without characters that cannot be printed"},
	} {
		if x.set {
			marks = append(marks, x.says)
		}
	}
	pg.print(fmt.Sprintf("report %s  %s  %s  %s  %s  %s\n", short(r.Report), cell(r.SignedAt), r.Status, cell(r.AuthorName), cell(r.Images), strings.Join(marks, "; ")))
	pg.block(r.Text)
}

func (a *app) caseWatchCmd() *cobra.Command {
	return &cobra.Command{
		Use:               "watch [CASE]",
		Short:             "print what happens, as it happens",
		Long:              "watch prints a line for each change of one case, or of all, until it is stopped. It says what changed, not what it says.",
		Example:           "  curbside case watch\n  curbside case watch 9c1e --json",
		Args:              places("[CASE]"),
		ValidArgsFunction: a.first(a.caseIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := a.connectRunning(ctx); err != nil {
				return err
			}
			err := stream(ctx, a, control.CaseWatch, control.CaseWatchRequest{Case: optional(args)}, func(e control.Event) error {
				return a.emit(e, func(pg *page) { pg.row(e.Time, e.Event, e.Kind, short(e.Case), short(e.Study), short(e.Entry)) })
			})
			if ctx.Err() != nil {
				err = nil // stopped: that is how it ends
			}
			return err
		}),
	}
}

// states are what case wait --for state:S can wait for, FIELD §4.3.
var states = []string{
	"draft", "asked", "delivered", "seen", "accepted", "declined", "reading", "question", "preliminary", "answered",
	"acknowledged", "closed", "withdrawn", "quarantined",
}

// kinds are the entry kinds of the scripting contract.
var kinds = strings.Fields(`create role device revoke epoch admit fork request message edit retract grant mark mark-edit mark-remove
	status assign report addendum critical acknowledge receipt decline ask held taken triage attempt wrong-patient sealed-read vote
	consensus outcome archived`)

// checkWait refuses what could never come true.
func checkWait(what string) error {
	verb, arg, _ := strings.Cut(what, ":")
	ok := false
	switch verb {
	case "arrived", "complete", "report":
		ok = verb == what
	case "entry":
		ok = slices.Contains(kinds, arg)
	case "state":
		ok = slices.Contains(states, arg)
	}
	if !ok {
		return &usageError{
			msg:  fmt.Sprintf("--for %q is not known", what),
			hint: "arrived, complete, report, entry:KIND (such as entry:message) or state:STATE (such as state:answered)",
		}
	}
	return nil
}

func (a *app) caseWaitCmd() *cobra.Command {
	var req control.CaseWaitRequest
	cmd := &cobra.Command{
		Use:   "wait CASE --for WHAT",
		Short: "wait until something holds of a case",
		Long: `wait returns as soon as something holds of a case, with the case as show gives it, and fails
when the time is over. The case may be a full id that has not arrived yet.

  arrived      the case is here
  complete     every image that the newest manifests list is here and verified
  entry:KIND   an entry of that kind is here, such as entry:message
  report       a valid signed final report is here
  state:STATE  the case is in that state, such as state:answered`,
		Example: `  curbside case wait 9c1e --for report --timeout 24h
  curbside case wait 9c1e --for complete --json`,
		Args:              places("CASE"),
		ValidArgsFunction: a.first(a.caseIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := checkWait(req.For); err != nil {
				return err
			}
			if req.Timeout <= 0 {
				return usage("--timeout must be more than nothing")
			}
			if err := a.connectRunning(ctx); err != nil {
				return err
			}
			req.Case = args[0]
			stop := a.during("waiting for "+req.For, func() (int64, int64, string) { return a.arrived(ctx, req.Case) })
			c, err := call(ctx, a, control.CaseWait, req)
			stop()
			if err != nil {
				return err
			}
			return a.emit(c, func(pg *page) { pg.caseDetail(c) })
		}),
	}
	cmd.Flags().StringVar(&req.For, "for", "", "`WHAT`: arrived, complete, report, entry:KIND or state:STATE")
	cmd.Flags().DurationVar(&req.Timeout, "timeout", time.Minute, "how long (`TIME`) to wait")
	_ = cmd.MarkFlagRequired("for")
	completeWords(cmd, "for", "arrived", "complete", "report", "entry:message", "entry:report", "state:accepted", "state:answered", "state:closed")
	return cmd
}

// arrived is the progress of a case's images.
func (a *app) arrived(ctx context.Context, id string) (done, total int64, words string) {
	c, err := control.CaseShow.Call(ctx, a.conn, control.CaseShowRequest{Case: id})
	if err != nil {
		return 0, 0, ""
	}
	for _, s := range c.Studies {
		done += int64(s.Present)
		total += int64(s.Listed)
	}
	return done, total, caseImages(c.Studies)
}

func (a *app) caseHistoryCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "history CASE",
		Short: "print every entry as verified, and the state hash",
		Long: `history prints every entry of a case as it was verified, in order, and last the hash of the
state: members that hold the same entries have the same hash.`,
		Example:           "  curbside case history 9c1e\n  curbside case history 9c1e --json | tail -1",
		Args:              places("CASE"),
		ValidArgsFunction: a.first(a.caseIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			var last bool
			pg := newPage(a.out)
			err := stream(cmd.Context(), a, control.CaseHistory, control.CaseRequest{Case: args[0]}, func(e control.HistoryEvent) error {
				last = e.StateHash != nil
				if a.json {
					return a.line(e)
				}
				if e.Entry != nil {
					pg.row(e.Lamport, short(e.Entry.Entry), e.Time, e.Kind, e.AuthorName, cut(e.Text, 60))
				}
				if last {
					pg.field("entries", e.Entries)
					pg.field("state hash", e.StateHash)
				}
				return nil
			})
			if err == nil && !last {
				err = errors.New("the history ended without its hash")
			}
			return errors.Join(err, pg.flush())
		}),
	}
}
