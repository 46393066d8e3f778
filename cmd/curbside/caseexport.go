package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

// exportFormats of case export.
var exportFormats = []string{"dicom", "pdf", "json", "fhir", "text"}

func (a *app) caseExportCmd() *cobra.Command {
	var req control.CaseExportRequest
	cmd := &cobra.Command{
		Use:   "export CASE --out DIR",
		Short: "write reports and marks as DICOM objects, or the case as a document",
		Long: `export writes what was made in a case to a folder and prints the files.

  dicom  what case archive files: reports and measurements as structured reports, marks as
         presentation states, key images as a selection, and all of it printed inside DICOM.
         Their files are named by their SOP Instance UIDs, the same for the same content
  pdf    the reports, with question, images and who signed
  json   the same, for programs
  fhir   the same as a FHIR R4 bundle
  text   the reports as plain text`,
		Example: `  curbside case export 9c1e --out for-the-pacs
  curbside case export 9c1e --out printed --format pdf --json`,
		Args:              places("CASE"),
		ValidArgsFunction: a.first(a.caseIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			if req.Out == "" {
				return usage("--out wants a value")
			}
			if err := oneOf("format", req.Format, exportFormats...); err != nil {
				return err
			}
			out, err := filepath.Abs(req.Out)
			if err != nil {
				return err
			}
			req.Case, req.Out = args[0], out
			r, err := call(cmd.Context(), a, control.CaseExport, req)
			if err != nil {
				return err
			}
			a.warnAll(r.Warnings)
			r.Warnings = nil
			return a.emit(r, func(pg *page) {
				for _, f := range r.Files {
					pg.row(f)
				}
			})
		}),
	}
	cmd.Flags().StringVar(&req.Out, "out", "", "`DIR` to write to; it is made where it is not there")
	cmd.Flags().StringVar(&req.Format, "format", "dicom", "`FORMAT`: dicom, pdf, json, fhir or text")
	cmd.Flags().StringVar(&req.Language, "language", "en", "`LANGUAGE` that the reports are written in, for DICOM")
	_ = cmd.MarkFlagRequired("out")
	_ = cmd.MarkFlagDirname("out")
	completeWords(cmd, "format", exportFormats...)
	return cmd
}
