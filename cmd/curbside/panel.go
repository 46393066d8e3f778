package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) caseSealCmd() *cobra.Command {
	var t reportText
	cmd := &cobra.Command{
		Use:   "seal CASE --text-file FILE",
		Short: "seal your read of a group consult: only its hash goes out",
		Long: `seal signs your opinion and posts only its hash: nobody can read it, and you cannot change it,
until the chair reveals the reads or everybody has sealed theirs. Then your node opens it by itself.`,
		Example: `  curbside case seal 9c1e --text "Benign. No biopsy."
  curbside case seal 9c1e --form opinion.json --passphrase-file ~/pass`,
	}
	t.flags(cmd)
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		s, form, err := t.read(a, cmd)
		if err != nil {
			return control.EntryRef{}, err
		}
		return call(ctx, a, control.CaseSeal, control.CaseReportRequest{Case: id, Text: s, Form: form})
	})
}

func (a *app) caseRevealCmd() *cobra.Command {
	return a.caseAct(&cobra.Command{
		Use:   "reveal CASE",
		Short: "have the sealed reads opened, as the chair",
		Long: `reveal has the reads opened that are sealed so far: each reader's node posts what it sealed, and
all nodes check that it is the very same. Who reads after that is labelled "not blinded".`,
		Example: "  curbside case reveal 9c1e",
	}, func(ctx context.Context, id string) (control.EntryRef, error) {
		return call(ctx, a, control.CaseReveal, control.CaseRequest{Case: id})
	})
}

func (a *app) caseConsensusCmd() *cobra.Command {
	var t textFlags
	var req control.CaseConsensusRequest
	cmd := &cobra.Command{
		Use:   "consensus CASE --text TEXT",
		Short: "draft what the panel votes on, as the chair",
		Long: `consensus posts a draft that the assigned consultants vote on. A changed draft voids the votes.
With the quorum, more than half of the panel and the chair among them, the chair signs it:

  curbside case report CASE --consensus && curbside case sign CASE

Reservations and dissent stand in it in full. Below the quorum it is "opinions of …".`,
		Example: `  curbside case consensus 9c1e --text "Biopsy within two weeks."
  curbside case consensus 9c1e --text-file draft.txt --quorum 3`,
	}
	t.flags(cmd, "the draft")
	cmd.Flags().IntVar(&req.Quorum, "quorum", 0, "`N` who must sign on, the chair among them (default more than half)")
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		var err error
		if req.Text, err = t.read(a, cmd, true); err != nil {
			return control.EntryRef{}, err
		}
		if req.Quorum < 0 {
			return control.EntryRef{}, usage("--quorum is less than nothing")
		}
		req.Case = id
		return call(ctx, a, control.CaseConsensus, req)
	})
}

var voteChoices = []string{"agree", "reservation", "dissent", "abstain"}

func (a *app) caseVoteCmd() *cobra.Command {
	var req control.CaseVoteRequest
	cmd := &cobra.Command{
		Use:   "vote CASE --choice CHOICE",
		Short: "sign on to a consensus draft, or dissent from it",
		Long: `vote says once, in your name, whether you sign on to the consensus draft: agree, agree with a
reservation, dissent, or abstain for a conflict of interest. A reservation and a dissent want
--text, which is printed in full.`,
		Example: `  curbside case vote 9c1e --choice agree
  curbside case vote 9c1e --choice dissent --text "Follow-up in three months is enough"`,
	}
	cmd.Flags().StringVar(&req.Consensus, "consensus", "", "the `ENTRY` of the draft (default the newest)")
	cmd.Flags().StringVar(&req.Choice, "choice", "", "`CHOICE`: "+strings.Join(voteChoices, ", "))
	cmd.Flags().StringVar(&req.Text, "text", "", "`TEXT` of a reservation or dissent")
	_ = cmd.MarkFlagRequired("choice")
	completeWords(cmd, "choice", voteChoices...)
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		if err := oneOf("choice", req.Choice, voteChoices...); err != nil {
			return control.EntryRef{}, err
		}
		if (req.Choice == "reservation" || req.Choice == "dissent") && blank(req.Text) {
			return control.EntryRef{}, usage("a %s wants --text", req.Choice)
		}
		req.Case = id
		return call(ctx, a, control.CaseVote, req)
	})
}

func (a *app) caseAgreementCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "agreement CASE",
		Short: "who reads what, and how far they agree",
		Long: `agreement shows what each of the panel reads, raw agreement on the fields of opinion forms that
several filled in, median and range of numbers, and the consensus draft with its votes.`,
		Example:           "  curbside case agreement 9c1e\n  curbside case agreement 9c1e --json",
		Args:              places("CASE"),
		ValidArgsFunction: a.first(a.caseIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			g, err := call(cmd.Context(), a, control.CaseAgreement, control.CaseRequest{Case: args[0]})
			if err != nil {
				return err
			}
			return a.emit(g, func(pg *page) { pg.agreement(g) })
		}),
	}
}

func (pg *page) agreement(g control.Agreement) {
	for _, r := range g.Reads {
		blinded := ""
		if g.Blind && r.Report != nil && !r.Blinded {
			blinded = "not blinded"
		}
		pg.row(r.Name, cmpOr(r.State, "read"), blinded, cut(r.Text, 60))
	}
	for _, i := range g.Items {
		pg.gap()
		spread := ""
		if i.Spread != nil {
			spread = fmt.Sprintf("median %g, %g to %g", i.Spread.Median, i.Spread.Min, i.Spread.Max)
		}
		pg.row(i.Title, fmt.Sprintf("%d of %d agree", i.Agree, i.Of), spread)
		for _, v := range i.Values {
			pg.row("", v.Name, v.Value)
		}
	}
	if c := g.Consensus; c != nil {
		pg.gap()
		state := "quorum " + strconv.Itoa(c.Quorum) + " of " + strconv.Itoa(len(c.Panel)) + " not reached"
		switch {
		case c.SignedBy != nil:
			state = "signed, report " + short(*c.SignedBy)
		case c.Reached:
			state = "quorum reached"
		}
		pg.row("consensus draft", short(c.Entry), c.Author, state)
		pg.block(c.Text)
		for _, v := range c.Votes {
			pg.row("", v.Name, v.Choice, v.Text)
		}
	}
}
