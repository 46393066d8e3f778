package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

// caseAct makes a command that names a case and posts an entry.
func (a *app) caseAct(cmd *cobra.Command, act func(context.Context, string) (control.EntryRef, error)) *cobra.Command {
	cmd.Args = places("CASE")
	cmd.ValidArgsFunction = a.first(a.caseIDs)
	cmd.RunE = a.work(func(cmd *cobra.Command, args []string) error {
		ref, err := act(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		a.warnAll(ref.Warnings)
		ref.Warnings = nil
		return a.emit(ref, func(pg *page) { pg.field("entry", ref.Entry) })
	})
	return cmd
}

// textFlags are --text and --text-file.
type textFlags struct{ text, file string }

func (t *textFlags) flags(cmd *cobra.Command, what string) {
	cmd.Flags().StringVar(&t.text, "text", "", "`TEXT` of "+what)
	cmd.Flags().StringVar(&t.file, "text-file", "", "`FILE` with "+what+"; - is stdin")
	_ = cmd.MarkFlagFilename("text-file")
}

// read returns the text; need says that there must be one.
func (t *textFlags) read(a *app, cmd *cobra.Command, need bool) (string, error) {
	if t.text != "" && t.file != "" {
		return "", usage("--text and --text-file exclude each other")
	}
	s := t.text
	if t.file != "" {
		var err error
		if s, err = a.readText(t.file); err != nil {
			return "", fmt.Errorf("read the text: %w", err)
		}
	}
	if need && strings.TrimSpace(s) == "" {
		if t.file != "" {
			return "", errors.New("the text is empty")
		}
		return "", usage("%s wants --text or --text-file", cmd.CommandPath())
	}
	return s, nil
}

func (a *app) caseReplyCmd() *cobra.Command {
	var t textFlags
	var anchor, key string
	cmd := &cobra.Command{
		Use:   "reply CASE --text TEXT",
		Short: "post a message",
		Long:  "reply posts a message to everybody in the case. It waits where nobody can be reached.",
		Example: `  curbside case reply 9c1e --text "Is there an older scan?"
  dictate | curbside case reply 9c1e --text-file -`,
	}
	t.flags(cmd, "the message")
	cmd.Flags().StringVar(&anchor, "anchor", "", "the `ENTRY` of a mark or message that this answers")
	cmd.Flags().StringVar(&key, "key", "", "your own `NAME` for this message: repeated with it, it is posted once")
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		s, err := t.read(a, cmd, true)
		if err != nil {
			return control.EntryRef{}, err
		}
		return call(ctx, a, control.CaseReply, control.CaseReplyRequest{Case: id, Text: s, Anchor: anchor, Key: key})
	})
}

func (a *app) caseAcceptCmd() *cobra.Command {
	return a.caseAct(&cobra.Command{
		Use:     "accept CASE",
		Short:   "say that you will read it",
		Long:    "accept tells the others that you take the case on. Writing a report implies it.",
		Example: "  curbside case accept 9c1e",
	}, func(ctx context.Context, id string) (control.EntryRef, error) {
		return call(ctx, a, control.CaseAccept, control.CaseRequest{Case: id})
	})
}

func (a *app) caseCloseCmd() *cobra.Command {
	return a.caseAct(&cobra.Command{
		Use:     "close CASE",
		Short:   "close a case whose question is answered",
		Long:    "close ends a case. It stays readable, and may be reopened by a later version.",
		Example: "  curbside case close 9c1e",
	}, func(ctx context.Context, id string) (control.EntryRef, error) {
		return call(ctx, a, control.CaseClose, control.CaseRequest{Case: id})
	})
}

// reasons of case decline.
var reasons = []string{"specialty", "conflict", "unavailable", "licence", "quality", "other"}

func (a *app) caseDeclineCmd() *cobra.Command {
	var req control.CaseDeclineRequest
	cmd := &cobra.Command{
		Use:   "decline CASE --reason REASON",
		Short: "say that you will not read it, and why",
		Long:  "decline tells the others that you do not take the case on. The reason is one of " + strings.Join(reasons, ", ") + ".",
		Example: `  curbside case decline 9c1e --reason unavailable --text "Back on Monday"
  curbside case decline 9c1e --reason specialty`,
	}
	cmd.Flags().StringVar(&req.Reason, "reason", "", "`REASON`: "+strings.Join(reasons, ", "))
	cmd.Flags().StringVar(&req.Text, "text", "", "`TEXT`: a word to the others")
	_ = cmd.MarkFlagRequired("reason")
	completeWords(cmd, "reason", reasons...)
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		if err := oneOf("reason", req.Reason, reasons...); err != nil {
			return control.EntryRef{}, err
		}
		req.Case = id
		return call(ctx, a, control.CaseDecline, req)
	})
}

func (a *app) caseInviteCmd() *cobra.Command {
	var req control.CaseInviteRequest
	roles := []string{"coordinator", "consultant", "observer"}
	cmd := &cobra.Command{
		Use:   "invite CASE --to CONTACT",
		Short: "bring somebody into a case",
		Long: `invite brings contacts into a case. They will read all of it, also what was written before.
A consultant is also assigned; an observer only reads.`,
		Example: `  curbside case invite 9c1e --to "Dr. Rojas"
  curbside case invite 9c1e --to "Dr. Rojas" --role observer`,
	}
	cmd.Flags().StringArrayVar(&req.To, "to", nil, "a `CONTACT` to bring in (repeatable)")
	cmd.Flags().StringVar(&req.Role, "role", "consultant", "`ROLE`: "+strings.Join(roles, ", "))
	_ = cmd.MarkFlagRequired("to")
	a.complete(cmd, "to", a.contactIDs)
	completeWords(cmd, "role", roles...)
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		if err := oneOf("role", req.Role, roles...); err != nil {
			return control.EntryRef{}, err
		}
		req.Case = id
		return call(ctx, a, control.CaseInvite, req)
	})
}

func (a *app) caseRemoveCmd() *cobra.Command {
	var member string
	cmd := &cobra.Command{
		Use:   "remove CASE --member PERSON",
		Short: "take somebody out of a case",
		Long: `remove takes a member out of a case: what is written from then on is encrypted without
them. What they have read already cannot be taken back.`,
		Example: `  curbside case remove 9c1e --member "Dr. Rojas"`,
	}
	cmd.Flags().StringVar(&member, "member", "", "the `PERSON` to take out")
	_ = cmd.MarkFlagRequired("member")
	a.complete(cmd, "member", a.contactIDs)
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		return call(ctx, a, control.CaseRemove, control.CaseMemberRequest{Case: id, Member: member})
	})
}
