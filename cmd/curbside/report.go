package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/node/control"
)

var reportStatuses = []string{"preliminary", "final", "addendum"}

// reportText are the flags that say what a report says.
type reportText struct {
	textFlags
	form string
}

func (r *reportText) flags(cmd *cobra.Command) {
	r.textFlags.flags(cmd, "the report")
	cmd.Flags().StringVar(&r.form, "form", "", "a filled-in opinion form, a JSON `FILE` (see: curbside form list)")
	_ = cmd.MarkFlagFilename("form", "json")
}

// read returns what the report says: text, a filled form, or a form with a text of its own.
func (r *reportText) read(a *app, cmd *cobra.Command) (text string, form map[string]any, err error) {
	if r.form != "" {
		if form, err = readForm(r.form); err != nil {
			return "", nil, err
		}
	}
	text, err = r.textFlags.read(a, cmd, form == nil)
	return text, form, err
}

func (a *app) caseReportCmd() *cobra.Command {
	var t reportText
	var req control.CaseReportRequest
	cmd := &cobra.Command{
		Use:   "report CASE --text-file FILE",
		Short: "save the draft of a report, on this node only",
		Long: `report saves your draft for a case, one draft a case, on this node only. Nobody sees it until
case sign signs and posts it.

The text may cite marks: {{A1}} becomes what the mark measures and where it lies. Templates to
start from are listed by curbside template list; their prompts, in [[double brackets]], must be
replaced before the report can be signed.`,
		Example: `  curbside case report 9c1e --text-file report.txt && curbside case sign 9c1e
  curbside template show chest-nodule > report.txt && $EDITOR report.txt
  curbside case report 9c1e --text-file more.txt --status addendum --of 44d0
  curbside case report 9c1e --text "Left, not right." --status addendum --correction`,
		Args:              places("CASE"),
		ValidArgsFunction: a.first(a.caseIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			if err := oneOf("status", req.Status, reportStatuses...); err != nil {
				return err
			}
			if req.Correction && req.Status != "addendum" {
				return usage("--correction goes with --status addendum")
			}
			if req.Of != "" && req.Status != "addendum" {
				return usage("--of goes with --status addendum")
			}
			req.Case = args[0]
			if !req.Consensus {
				var err error
				if req.Text, req.Form, err = t.read(a, cmd); err != nil {
					return err
				}
			}
			ref, err := call(cmd.Context(), a, control.CaseReport, req)
			if err != nil {
				return err
			}
			return a.emitReport(ref)
		}),
	}
	t.flags(cmd)
	cmd.Flags().StringVar(&req.Status, "status", "final", "`STATUS`: "+strings.Join(reportStatuses, ", "))
	cmd.Flags().StringVar(&req.Of, "of", "", "the `REPORT` that an addendum belongs to (default the newest)")
	cmd.Flags().BoolVar(&req.Correction, "correction", false, "the addendum corrects the report: it is shown with it, and has to be acknowledged anew")
	cmd.Flags().BoolVar(&req.Consensus, "consensus", false, "the report is the consensus draft with its votes, for the chair to sign")
	cmd.MarkFlagsMutuallyExclusive("consensus", "text")
	cmd.MarkFlagsMutuallyExclusive("consensus", "text-file")
	cmd.MarkFlagsMutuallyExclusive("consensus", "form")
	completeWords(cmd, "status", reportStatuses...)
	return cmd
}

func (a *app) emitReport(ref control.ReportRef) error {
	a.warnAll(ref.Warnings)
	ref.Warnings = nil
	return a.emit(ref, func(pg *page) {
		pg.field("report", ref.Report)
		pg.field("status", ref.Status)
	})
}

func (a *app) caseSignCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "sign CASE",
		Short: "sign the draft and post it",
		Long: `sign signs the draft that case report saved and posts it to everybody in the case. It wants
the passphrase at that moment, from the terminal or --passphrase-file. A signed report
cannot be changed: an addendum or a newer report adds to it.`,
		Example: `  curbside case sign 9c1e
  curbside case sign 9c1e --passphrase-file ~/pass`,
		Args:              places("CASE"),
		ValidArgsFunction: a.first(a.caseIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			ref, err := call(cmd.Context(), a, control.CaseSign, control.CaseRequest{Case: args[0]})
			if err != nil {
				return err
			}
			return a.emitReport(ref)
		}),
	}
}

func (a *app) caseOpineCmd() *cobra.Command {
	var t reportText
	cmd := &cobra.Command{
		Use:   "opine CASE --text-file FILE",
		Short: "sign and post a preliminary opinion in one step",
		Long:  "opine posts a signed preliminary opinion: what you think so far, before a final report.",
		Example: `  curbside case opine 9c1e --text "No fracture seen. Final report follows."
  curbside case opine 9c1e --text-file opinion.txt --passphrase-file ~/pass`,
	}
	t.flags(cmd)
	return a.caseAct(cmd, func(ctx context.Context, id string) (control.EntryRef, error) {
		s, form, err := t.read(a, cmd)
		if err != nil {
			return control.EntryRef{}, err
		}
		return call(ctx, a, control.CaseOpine, control.CaseReportRequest{Case: id, Text: s, Status: "preliminary", Form: form})
	})
}

func (a *app) templateCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "list the templates", Example: "  curbside template list --json", Args: places(),
		RunE: a.work(func(*cobra.Command, []string) error {
			all := report.Templates()
			return a.emit(all, func(pg *page) {
				for _, t := range all {
					pg.row(t.Name, t.Title, t.Specialty)
				}
			})
		}),
	}
	show := &cobra.Command{
		Use: "show NAME", Short: "print a template", Example: "  curbside template show spine > report.txt", Args: places("NAME"),
		RunE: a.work(func(_ *cobra.Command, args []string) error {
			t, ok := report.FindTemplate(args[0])
			if !ok {
				return control.Errorf(control.NotFound, "no template is named so").WithHint("list them with: curbside template list")
			}
			return a.emit(t, func(pg *page) { pg.print(t.Text) })
		}),
	}
	for _, t := range report.Templates() {
		show.ValidArgs = append(show.ValidArgs, t.Name+"\t"+t.Title)
	}
	cmd := group("template", "templates that reports start from: list, show", "  curbside template list\n  curbside template show foot > report.txt", list, show)
	cmd.Long = `A template has the sections of a report, with a prompt in [[double brackets]] wherever something
has to be written. It holds no findings, and a report with a prompt left cannot be signed.`
	return cmd
}
