package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/consult/annot"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) caseAnnotateCmd() *cobra.Command {
	var req control.AnnotateRequest
	var points, text string
	var mm float64
	var list bool
	cmd := &cobra.Command{
		Use:   "annotate CASE --instance SOPUID --type TYPE --points X,Y;X,Y…",
		Short: "measure and mark an image; edit or remove a mark",
		Long: `annotate puts a mark on an image of a case, measures it on this node's own pixels and posts
both. The others' nodes measure it again and say where their values differ.

Points are X,Y in pixels of the image, separated by semicolons: x to the right and y down,
0,0 is the top left corner of the image and 0.5,0.5 the centre of its first pixel. Frames
count from 0. --types lists the types with their points. A rectangle has two opposite
corners, an ellipse the two of its box or the four ends of its axes. A length is in mm only
where the image is calibrated; --type calibration with --mm says how long something is.
--type key makes a key image.

--edit and --remove take the entry of one of your own marks; what is not said anew stays.
--derived-from names somebody else's mark that yours improves on. To answer a mark:
curbside case reply CASE --anchor MARK.`,
		Example: `  curbside case annotate --types
  curbside case annotate 9c1e --instance 1.2.840.113619.2.5 --type length --points "100,120;130.5,160"
  curbside case annotate 9c1e --instance 1.2.840.113619.2.5 --type ellipse --points "80,80;96,100" --text "cyst?"
  curbside case annotate 9c1e --instance 1.2.840.113619.2.5 --type calibration --points "10,200;210,200" --mm 25.4
  curbside case annotate 9c1e --edit 7f3a --points "101,120;131,160"
  curbside case annotate 9c1e --remove 7f3a`,
		ValidArgsFunction: a.first(a.caseIDs),
		Args: func(cmd *cobra.Command, args []string) error {
			if list {
				return places()(cmd, args)
			}
			return places("CASE")(cmd, args)
		},
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			if list {
				return a.emitTools()
			}
			req.Case = args[0]
			if err := readAnnotate(cmd, &req, points, text, mm); err != nil {
				return err
			}
			r, err := call(cmd.Context(), a, control.CaseAnnotate, req)
			if err != nil {
				return err
			}
			a.warnAll(r.Warnings)
			r.Warnings = nil
			return a.emit(r, func(pg *page) {
				pg.field("entry", r.Entry)
				if r.Measured != nil {
					for _, v := range r.Measured.Values {
						pg.field(v.Name, markValue(v))
					}
				}
			})
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&req.SOPUID, "instance", "", "SOP Instance `UID` of the image")
	flags.StringVar(&req.Study, "study", "", "the `STUDY`, where several of the case hold that instance")
	flags.IntVar(&req.Frame, "frame", 0, "frame `N`, from 0")
	flags.StringVar(&req.Type, "type", "", "`TYPE` of the mark: length, angle, cobb, ellipse, rectangle, polygon, arrow, text, key …; see --types")
	flags.StringVar(&points, "points", "", "`X,Y;X,Y…` in pixels of the image")
	flags.StringVar(&text, "text", "", "`TEXT` at the mark")
	flags.StringVar(&text, "label", "", "the same as --text")
	flags.Float64Var(&mm, "mm", 0, "true length of a calibration in `MM`")
	flags.StringVar(&req.DerivedFrom, "derived-from", "", "the `MARK` that this one improves on")
	flags.StringVar(&req.Edit, "edit", "", "the `MARK` to change")
	flags.StringVar(&req.Remove, "remove", "", "the `MARK` to take back")
	flags.BoolVar(&list, "types", false, "list the types of marks and end")
	cmd.MarkFlagsMutuallyExclusive("text", "label")
	a.complete(cmd, "study", a.studyIDs)
	a.complete(cmd, "edit", a.markIDs(cmd))
	a.complete(cmd, "remove", a.markIDs(cmd))
	a.complete(cmd, "derived-from", a.markIDs(cmd))
	completeWords(cmd, "type", toolNames()...)
	return cmd
}

// readAnnotate reads what the flags say beside the plain ones.
func readAnnotate(cmd *cobra.Command, req *control.AnnotateRequest, points, text string, mm float64) error {
	changed := cmd.Flags().Changed
	if req.Frame < 0 {
		return usage("--frame is less than 0")
	}
	if changed("text") || changed("label") {
		req.Text = &text
	}
	if changed("mm") {
		if !(mm > 0) || math.IsInf(mm, 0) {
			return usage("--mm wants a length above 0")
		}
		req.Value = &mm
	}
	if changed("type") {
		if _, ok := annot.FindTool(req.Type); !ok {
			return &usageError{msg: fmt.Sprintf("--type %q is not known", req.Type), hint: "one of: " + strings.Join(toolNames(), ", ")}
		}
	}
	if req.Edit == "" && req.Remove == "" {
		switch {
		case req.SOPUID == "":
			return usage("missing: --instance")
		case req.Type == "":
			return &usageError{msg: "missing: --type", hint: "one of: " + strings.Join(toolNames(), ", ")}
		}
	}
	var err error
	req.Points, err = parsePoints(points)
	return err
}

// parsePoints reads "x,y;x,y".
func parsePoints(s string) ([][2]float64, error) {
	wrong := func(p string) error {
		return &usageError{msg: fmt.Sprintf("--points: %q is no point", p), hint: `X,Y;X,Y such as "100,120;130.5,160"`}
	}
	var out [][2]float64
	for p := range strings.SplitSeq(s, ";") {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		xs, ys, ok := strings.Cut(p, ",")
		x, xerr := strconv.ParseFloat(strings.TrimSpace(xs), 64)
		y, yerr := strconv.ParseFloat(strings.TrimSpace(ys), 64)
		if !ok || xerr != nil || yerr != nil {
			return nil, wrong(p)
		}
		if x-x != 0 || y-y != 0 { // JSON has no such numbers
			return nil, wrong(p)
		}
		out = append(out, [2]float64{x, y})
	}
	return out, nil
}

func toolNames() []string {
	var out []string
	for _, t := range annot.Tools() {
		out = append(out, t.Name)
	}
	return out
}

// emitTools lists the types of marks, which needs no node.
func (a *app) emitTools() error {
	list := annot.Tools()
	return a.emit(list, func(pg *page) {
		for _, t := range list {
			pg.row(t.Name, t.Title, pointCount(t), t.Specialty, strings.Join(t.Prompts, "; "))
		}
	})
}

func pointCount(t annot.Tool) string {
	if t.Min == t.Max {
		return plural(t.Min, "point")
	}
	return fmt.Sprintf("%d to %d points", t.Min, t.Max)
}

// markValue is a value with its unit and what it rests on.
func markValue(v control.MarkValue) string {
	s := strconv.FormatFloat(v.Value, 'f', -1, 64)
	if i := strings.IndexByte(s, '.'); i >= 0 && len(s) > i+4 {
		s = strconv.FormatFloat(v.Value, 'f', 3, 64)
	}
	s = strings.TrimSpace(s + " " + v.Unit)
	if v.Calibration != "" {
		s += " (" + v.Calibration + ")"
	}
	return s
}

// mark prints what an entry says of a mark.
func (pg *page) mark(m *control.EntryMark) {
	if m == nil {
		return
	}
	parts := append([]string{m.Tool}, markValues(m.Values)...)
	switch m.Check {
	case control.CheckDiffers:
		parts = append(append(parts, "DIFFERS here:"), markValues(m.Own)...)
	case control.CheckNot:
		parts = append(parts, "not checked: "+m.Why)
	case control.CheckSame:
		parts = append(parts, "same here")
	}
	if n := len(m.Edits); n > 1 {
		parts = append(parts, fmt.Sprintf("%d edits that did not know of each other", n))
	}
	if m.Removed {
		parts = append(parts, "removed")
	}
	pg.print("    " + text.Line(strings.Join(parts, "  ")) + "\n")
}

func markValues(list []control.MarkValue) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.Name + " " + markValue(v)
	}
	return out
}

// markIDs completes the marks of the case that is typed already.
func (a *app) markIDs(cmd *cobra.Command) ids {
	return func(ctx context.Context, c *control.Client) []string {
		if cmd.Flags().NArg() == 0 {
			return nil
		}
		list, err := control.MarkList.Call(ctx, c, control.MarkListRequest{Case: cmd.Flags().Arg(0)})
		if err != nil {
			return nil
		}
		var out []string
		for _, m := range list {
			out = append(out, short(m.Entry)+"\t"+m.Tool+" by "+text.Line(m.AuthorName))
		}
		return out
	}
}
