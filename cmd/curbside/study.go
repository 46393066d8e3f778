package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) importCmd() *cobra.Command {
	var c captureFlags
	cmd := &cobra.Command{
		Use:   "import PATH...",
		Short: "take studies in: DICOM files, folders, media, zip archives; photos, films and papers",
		Long: `import takes DICOM files in, from files, folders, DICOMDIR media and zip archives. Each file
comes back byte for byte on export. What is refused is named with its reason, the others
go in; importing the same again adds nothing.

JPEG, PNG, TIFF and PDF files become DICOM instances: say whose they are. On a terminal what
is not said is asked for. A JPEG keeps its picture as it is and loses its place, its camera and
whatever else its file says; it is turned upright. Nothing is guessed: a side or a size that
nobody states is not in it.`,
		Example: `  curbside import ~/scans/2026-03-02
  curbside import /media/cdrom/DICOMDIR
  curbside import study.zip --json
  curbside import sole.jpg --patient-name Rojas^Ana --patient-id 4711 --body-part FOOT --laterality left
  curbside import film.png --conversion film --modality DX --study 81b4 --known-length "120,80;620,80=50"
  curbside import letter.pdf --study 81b4 --description "Referral letter"`,
		Args: places("PATH..."),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			paths, err := absolute(args)
			if err != nil {
				return err
			}
			said, err := a.capture(cmd, &c, paths)
			if err != nil {
				return err
			}
			return a.importPaths(cmd.Context(), paths, said)
		}),
	}
	c.flags(cmd)
	a.complete(cmd, "study", a.studyIDs)
	return cmd
}

func (a *app) importPaths(ctx context.Context, paths []string, said *control.Capture) error {
	req := control.ImportRequest{Paths: paths, Capture: said}
	res, err := tracked(ctx, a, control.Import, req, func(b *bar, e control.ImportEvent) *control.ImportResult {
		if e.Result != nil {
			return e.Result
		}
		total := int64(0) // not known while folders are still being read
		if e.TotalSeen {
			total = e.BytesSeen
		}
		b.set(e.Bytes, total, fmt.Sprintf("%d of %s, %s", e.Done, plural(e.Files, "file"), size(e.Bytes)))
		return nil
	})
	if err != nil {
		return err
	}
	a.warnAll(res.Warnings)
	if err := a.emit(*res, func(pg *page) { pg.imported(res) }); err != nil {
		return err
	}
	for _, s := range res.Studies {
		if s.New+s.Duplicate > 0 {
			return nil
		}
	}
	if res.Read > 0 {
		return nil
	}
	if n := len(res.Refused); n > 0 {
		return control.Errorf(control.Refused, "nothing was taken in: %s refused", plural(n, "file")).WithHint("the reasons are in the output above")
	}
	return control.Errorf(control.Refused, "nothing was taken in: no files there")
}

func (pg *page) imported(res *control.ImportResult) {
	for _, s := range res.Studies {
		pg.row("study", short(s.Study), s.Modality, fmt.Sprintf("%d series", s.Series), plural(s.Instances, "image"), size(s.Bytes),
			fmt.Sprintf("%d new", s.New), fmt.Sprintf("%d known", s.Duplicate))
	}
	for _, r := range res.Refused {
		pg.row("refused", r.Reason, r.Path, r.Detail)
	}
	pg.row("took", fmt.Sprintf("%.1f s", res.Seconds))
}

func (a *app) studyCmd() *cobra.Command {
	return group("study", "studies on this node: list, show, verify, export, remove",
		"  curbside study list\n  curbside study export 81b4 --out /tmp/case17",
		a.studyListCmd(), a.studyShowCmd(), a.studyVerifyCmd(), a.studyExportCmd(), a.studyRemoveCmd())
}

func (a *app) studyListCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "list the studies on this node",
		Example: "  curbside study list\n  curbside study list --json | jq -r '.[].study_uid'",
		Args:    places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			list, err := call(cmd.Context(), a, control.StudyList, control.None{})
			if err != nil {
				return err
			}
			return a.emit(list, func(pg *page) {
				for _, s := range list {
					n := images(s.Present, s.Instances, s.Expected)
					if s.Arriving {
						n += ", arriving"
					}
					pg.row(short(s.Study), s.Modality, s.Date, n, size(s.Bytes), s.Origin, s.PatientName, cut(s.Description, 40))
				}
			})
		}),
	}
}

// images says how many images are here, of how many, and whether that number is known: never
// quietly wrong.
func images(present, listed int, expected *int) string {
	s := plural(listed, "image")
	if present != listed {
		s = fmt.Sprintf("%d of %s", present, s)
	}
	switch {
	case expected == nil:
		return s + ", total unknown"
	case *expected != listed:
		return fmt.Sprintf("%s, %d expected", s, *expected)
	}
	return s
}

func (a *app) studyShowCmd() *cobra.Command {
	return &cobra.Command{
		Use:               "show STUDY",
		Short:             "show a study and its series",
		Long:              "show shows a study, named by its id, the beginning of the id or its Study Instance UID.",
		Example:           "  curbside study show 81b4\n  curbside study show 1.2.840.113619.2.55 --json",
		Args:              places("STUDY"),
		ValidArgsFunction: a.first(a.studyIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			s, err := call(cmd.Context(), a, control.StudyShow, control.StudyRequest{Study: args[0]})
			if err != nil {
				return err
			}
			return a.emit(s, func(pg *page) { pg.study(s) })
		}),
	}
}

func (pg *page) study(s control.StudyDetail) {
	pg.field("study", s.Study.Study)
	pg.field("study uid", s.StudyUID)
	pg.field("patient", s.PatientName)
	pg.field("patient id", s.PatientID)
	pg.field("modality", s.Modality)
	pg.field("description", s.Description)
	pg.field("date", s.Date)
	pg.field("images", images(s.Present, s.Instances, s.Expected))
	pg.field("complete", s.Complete)
	pg.field("basis", s.Basis)
	pg.field("size", fmt.Sprintf("%s, %s stored", size(s.Bytes), size(s.StoredBytes)))
	pg.field("origin", s.Origin)
	pg.field("mode", s.Mode)
	pg.field("manifest version", s.ManifestVersion)
	pg.gap()
	for _, e := range s.SeriesList {
		pg.row(e.Number, e.Modality, images(e.Present, e.Instances, e.Expected), e.SeriesUID, cut(e.Description, 40))
	}
	if len(s.Presentations) > 0 {
		pg.gap()
	}
	for _, p := range s.Presentations {
		pg.row(p.Kind, p.SOPUID, plural(len(p.Images), "image"), cut(strings.TrimSpace(p.Label+" "+p.Description), 40), p.Reason, p.Creator)
	}
}

func (a *app) studyVerifyCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [STUDY]",
		Short: "read every stored byte and compare it with its hash",
		Long: `verify reads every byte of a study, or of all of them, and compares it with its hash. It
fails when anything is damaged, and names it.`,
		Example:           "  curbside study verify\n  curbside study verify 81b4",
		Args:              places("[STUDY]"),
		ValidArgsFunction: a.first(a.studyIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			stop := a.during("verifying", nil)
			res, err := call(cmd.Context(), a, control.StudyVerify, control.StudyVerifyRequest{Study: optional(args)})
			stop()
			if err != nil {
				return err
			}
			err = a.emit(res, func(pg *page) {
				pg.field("checked", fmt.Sprintf("%s, %s", plural(res.CheckedInstances, "image"), size(res.CheckedBytes)))
				for _, d := range res.Damaged {
					pg.row("damaged", short(d.Study), d.SOPUID, d.Reason)
				}
			})
			if n := len(res.Damaged); err == nil && n > 0 {
				return control.Errorf(control.Refused, "%s damaged", plural(n, "image")).
					WithHint("import the study again, or let a member of the case send it again")
			}
			return err
		}),
	}
}

func optional(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return ""
}

func (a *app) studyExportCmd() *cobra.Command {
	var out string
	var medium bool
	cmd := &cobra.Command{
		Use:   "export STUDY... --out DIR",
		Short: "write a study as DICOM files, byte for byte; or a medium for a patient to carry",
		Long: `export writes the files of a study as they were imported or shared, byte for byte, one
file an image, named by its SOP Instance UID.

With --media it writes one or more studies of one patient as a medium that viewers open: the
same files under short names, and a DICOMDIR. The folder is new, or an empty stick.`,
		Example: `  curbside study export 81b4 --out /tmp/case17
  curbside study export 81b4 77aa --media --out /media/stick`,
		Args:              places("STUDY..."),
		ValidArgsFunction: a.first(a.studyIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			dir, err := filepath.Abs(out)
			if err != nil {
				return err
			}
			if medium {
				return a.exportMedia(cmd.Context(), args, dir)
			}
			if len(args) > 1 {
				return usage("several studies go on a medium: --media")
			}
			stop := a.during("writing", nil)
			res, err := call(cmd.Context(), a, control.StudyExport, control.StudyExportRequest{Study: args[0], Out: dir})
			stop()
			if err != nil {
				return err
			}
			if res.Missing > 0 {
				a.warn("%s not here yet", plural(res.Missing, "image"))
			}
			return a.emit(res, func(pg *page) { pg.field("wrote", fmt.Sprintf("%s, %s", plural(res.Files, "file"), size(res.Bytes))) })
		}),
	}
	cmd.Flags().StringVar(&out, "out", "", "folder `DIR` to write to; made if it is not there")
	cmd.Flags().BoolVar(&medium, "media", false, "write a medium with a DICOMDIR")
	_ = cmd.MarkFlagRequired("out")
	_ = cmd.MarkFlagDirname("out")
	return cmd
}

// exportMedia writes a medium.
func (a *app) exportMedia(ctx context.Context, studies []string, dir string) error {
	stop := a.during("writing", nil)
	res, err := call(ctx, a, control.MediaExport, control.MediaExportRequest{Studies: studies, Out: dir})
	stop()
	if err != nil {
		return err
	}
	a.warnAll(res.Warnings)
	res.Warnings = nil
	return a.emit(res, func(pg *page) {
		pg.field("wrote", fmt.Sprintf("%s of %s, %s, and a DICOMDIR", plural(res.Files, "file"), plural(res.Studies, "study"), size(res.Bytes)))
	})
}

func (a *app) studyRemoveCmd() *cobra.Command {
	return &cobra.Command{
		Use:               "remove STUDY",
		Short:             "remove a study that no open case holds",
		Long:              "remove deletes a study and its keys from this node. A study that an open case holds is refused.",
		Example:           "  curbside study remove 81b4",
		Args:              places("STUDY"),
		ValidArgsFunction: a.first(a.studyIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			res, err := call(cmd.Context(), a, control.StudyRemove, control.StudyRequest{Study: args[0]})
			if err != nil {
				return err
			}
			return a.emit(res, func(pg *page) {
				pg.field("removed", fmt.Sprintf("%s, %s", plural(res.Instances, "image"), size(res.Bytes)))
			})
		}),
	}
}
