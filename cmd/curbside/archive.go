package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) caseArchiveCmd() *cobra.Command {
	var req control.CaseArchiveRequest
	cmd := &cobra.Command{
		Use:   "archive CASE --to NAME",
		Short: "file report, measurements and marks in the hospital's archive",
		Long: `archive files what was made in a case with the original study, under its patient, its
accession number and its UIDs: each report in force as a structured report, the measurements as
one too, the marks as presentation states, the key images as a selection, and all of it printed
as a PDF inside DICOM. The destination is one of: curbside gateway status.

The same is filed under the same names each time; a correction is a new document that names the one
before. What a destination did not take is sent again by repeating the command. Where it takes
over the keeping (storage commitment) that is said; else it is a warning.`,
		Example: `  curbside case archive 9c1e --to pacs
  curbside case archive 9c1e --to pacs --language es --json`,
		Args:              places("CASE"),
		ValidArgsFunction: a.first(a.caseIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			req.Case = args[0]
			stop := a.during("filing", nil)
			r, err := call(cmd.Context(), a, control.CaseArchive, req)
			stop()
			if err != nil {
				return err
			}
			a.warnAll(r.Warnings)
			r.Warnings = nil
			if err := a.emit(r, func(pg *page) { pg.archived(&r) }); err != nil {
				return err
			}
			failed := 0
			for _, o := range r.Archived {
				if !o.OK {
					failed++
				}
			}
			if failed > 0 {
				return control.Errorf(control.Refused, "%d of %s not stored", failed, plural(len(r.Archived), "object")).
					WithHint("repeat the command: what was stored is not sent again")
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&req.To, "to", "", "the destination's `NAME`")
	cmd.Flags().StringVar(&req.Language, "language", "en", "`LANGUAGE` that the reports are written in, such as en or es")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

func (pg *page) archived(r *control.CaseArchived) {
	for _, o := range r.Archived {
		state := "stored"
		if !o.OK {
			state = "NOT STORED"
		}
		pg.row(o.What, state, o.Detail, o.SOPUID)
	}
	if r.Committed {
		pg.row("committed", fmt.Sprintf("the archive keeps all %d", len(r.Archived)))
	}
}
