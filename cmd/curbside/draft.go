package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) draftsCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "drafts",
		Short: "the requests that rules drafted and that wait for you",
		Long: `drafts lists what the setting rules drafted when studies from the hospital settled. Nothing is sent
before you send it. Rules have semicolons between; the first that means a study counts:

  modality=M from=AET description~WORDS     which studies: all that is said must hold
  to=CONTACT priority=P question=TEXT       what is drafted; to= may be repeated`,
		Example: `  curbside config set rules 'modality=CT description~chest to="Dr Okafor" priority=urgent question="New lesion?"'
  curbside request drafts
  curbside request drafts --json | jq -r '.[].draft'`,
		Args: places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			list, err := call(cmd.Context(), a, control.RequestDrafts, control.None{})
			if err != nil {
				return err
			}
			return a.emit(list, func(pg *page) {
				for _, d := range list {
					pg.draft(d)
				}
			})
		}),
	}
}

func (pg *page) draft(d control.DraftedRequest) {
	pg.row(short(d.Draft), d.Priority, strings.Join(d.To, ", "), d.Question)
}

func (a *app) draftSendCmd() *cobra.Command {
	var f requestFlags
	cmd := &cobra.Command{
		Use:   "send DRAFT",
		Short: "send a drafted request",
		Long: `send makes the case that a rule drafted, as request does: under a pseudonym unless --identified, and
only once you decided about images that may have text in their pixels (curbside deid preview).
Flags are those of request and win over the draft; --study adds a study.`,
		Example: `  curbside request send 81b4
  curbside request send 81b4 --to "Dr. Quispe" --priority stat --release all
  curbside request send 81b4 --check`,
		Args:              places("DRAFT"),
		ValidArgsFunction: a.first(a.draftIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			f.req.Draft = args[0]
			return a.request(cmd, &f)
		}),
	}
	f.flags(a, cmd)
	return cmd
}

func (a *app) draftDiscardCmd() *cobra.Command {
	return &cobra.Command{
		Use:               "discard DRAFT",
		Short:             "drop a drafted request; its study stays",
		Example:           "  curbside request discard 81b4",
		Args:              places("DRAFT"),
		ValidArgsFunction: a.first(a.draftIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			d, err := call(cmd.Context(), a, control.RequestDiscard, control.DraftRequest{Draft: args[0]})
			if err != nil {
				return err
			}
			return a.emit(d, func(pg *page) { pg.draft(d) })
		}),
	}
}

func (a *app) draftIDs(ctx context.Context, c *control.Client) []string {
	list, err := control.RequestDrafts.Call(ctx, c, control.None{})
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, d := range list {
		out = append(out, short(d.Draft)+"\t"+text.Line(strings.Join(d.To, ", ")))
	}
	return out
}
