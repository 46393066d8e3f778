package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) renderCmd() *cobra.Command {
	var req control.RenderRequest
	var out string
	var overlays, noOverlays bool
	cmd := &cobra.Command{
		Use:   "render [STUDY] [--instance N|SOPUID] --out FILE.png",
		Short: "draw an image as a PNG",
		Long: `render draws one frame as a PNG: 8-bit grey, or colour, one pixel for each of the image. Pixels
that are not square are not stretched; a warning says so. The window is that of the file
unless said: CENTRE/WIDTH, auto, or a preset of CT such as lung.

--instance is a SOP Instance UID, or the place in reading order, from 1: within --series,
else through the study, series after series. Without it the first image is drawn. Frames count
from 0. Without a study all of them are searched. Where the image has not arrived yet its
preview is drawn, if there is one, and said to be one.`,
		Example: `  curbside render 81b4 --out first.png
  curbside render 81b4 --instance 42 --window lung --out lung.png
  curbside render 81b4 --instance 42 --window -600/1500 --marks 9c1e --out marked.png
  curbside render --instance 1.2.840.113619.2.55.3 --frame 4 --out frame.png --json`,
		Args:              places("[STUDY]"),
		ValidArgsFunction: a.first(a.studyIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			switch {
			case req.Frame < 0:
				return usage("--frame is less than 0")
			case out == "":
				return usage("--out wants a value")
			case overlays && noOverlays:
				return usage("--overlays and --no-overlays exclude each other")
			case cmd.Flags().Changed("instance") && req.Instance == "":
				return usage("--instance wants a value")
			}
			show := !noOverlays
			req.Study, req.Overlays = optional(args), &show
			r, err := call(cmd.Context(), a, control.Render, req)
			if err != nil {
				return err
			}
			if err := writeFile(out, r.PNG); err != nil {
				return fmt.Errorf("write %s: %w", out, err)
			}
			r.PNG = nil
			a.warnAll(r.Warnings)
			return a.emit(r, func(pg *page) {
				pg.field("sop uid", r.SOPUID)
				pg.field("frame", r.Frame)
				pg.field("rows", r.Rows)
				pg.field("cols", r.Cols)
				pg.field("window", r.Window)
				pg.field("preview", r.Preview)
				pg.field("lossy", r.Lossy)
				pg.field("warnings", r.Warnings)
			})
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&req.SeriesUID, "series", "", "Series Instance `UID` to count in")
	flags.StringVar(&req.Instance, "instance", "", "the image: its place `N` in reading order, from 1, or its SOP Instance UID")
	flags.IntVar(&req.Frame, "frame", 0, "frame `N`, from 0")
	flags.StringVar(&req.Window, "window", "", "`C/W`, auto, or a preset: "+strings.Join(presetNames(), ", "))
	flags.BoolVar(&req.Invert, "invert", false, "swap black and white")
	flags.StringVar(&req.Marks, "marks", "", "draw the marks of a `CASE`")
	flags.StringVar(&req.Presentation, "presentation", "", "apply the presentation state with this SOP Instance `UID`")
	flags.BoolVar(&overlays, "overlays", false, "draw the file's overlays, as is usual")
	flags.BoolVar(&noOverlays, "no-overlays", false, "leave the file's overlays out")
	flags.StringVar(&out, "out", "", "PNG `FILE` to write")
	_ = cmd.MarkFlagRequired("out")
	_ = cmd.MarkFlagFilename("out", "png")
	a.complete(cmd, "marks", a.caseIDs)
	a.complete(cmd, "series", a.seriesIDs(cmd))
	completeWords(cmd, "window", append(presetNames(), "auto")...)
	return cmd
}

// presetNames are the windows by name.
func presetNames() []string {
	var out []string
	for _, p := range render.Presets(study.Pixel{Modality: "CT"}) {
		out = append(out, p.Name)
	}
	return out
}

// seriesIDs completes the series of the study that is typed already.
func (a *app) seriesIDs(cmd *cobra.Command) ids {
	return func(ctx context.Context, c *control.Client) []string {
		if cmd.Flags().NArg() == 0 {
			return nil
		}
		st, err := control.StudyShow.Call(ctx, c, control.StudyRequest{Study: cmd.Flags().Arg(0)})
		if err != nil {
			return nil
		}
		var out []string
		for _, s := range st.SeriesList {
			out = append(out, s.SeriesUID+"\t"+s.Modality+", "+plural(s.Instances, "image"))
		}
		return out
	}
}
