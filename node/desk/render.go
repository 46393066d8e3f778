package desk

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"slices"
	"strconv"
	"strings"

	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/blob"
)

// Render draws a frame as a PNG: 8-bit grey, or colour, one pixel for each of the image.
func (d *Desk) Render(ctx context.Context, req control.RenderRequest) (control.Rendered, error) {
	var none control.Rendered
	at, err := hold(d, func() (*located, error) { return d.toRender(ctx, req) })
	if err != nil {
		return none, err
	}
	img, err := d.image(ctx, at, req.Frame)
	if err != nil {
		return none, err
	}
	if img.Native == nil {
		return none, control.Errorf(control.Refused, "%s", img.Reason).WithHint("%s", hintOf(img.Reason))
	}
	f, err := render.New(img.Native, img.Pixel)
	if err != nil {
		return none, control.Errorf(control.Refused, "cannot be displayed here, stored and forwarded intact: %v", err)
	}
	o, warnings, err := renderOptions(req, &img.Pixel)
	if err != nil {
		return none, err
	}
	top, more, err := d.onTop(ctx, req, at, &img, &o)
	if err != nil {
		return none, err
	}
	warnings = append(warnings, more...)
	present, listed := d.presentIn(at)
	warnings = append(warnings, f.Marks(o, render.Setting{
		Preview: img.Preview, Loaded: present, Expected: listed,
		ByNumber: !img.Preview && listed > 1 && (img.Pixel.Orientation == nil || img.Pixel.Position == nil),
	})...)
	out := control.Rendered{
		Study: at.study, SeriesUID: at.series, SOPUID: at.row.UID, Frame: req.Frame,
		Preview: img.Preview, Lossy: img.Pixel.Lossy, Warnings: append(warnings, pictureWarnings(&img, f)...),
	}
	if req.Window != "" && f.Colour() {
		out.Warnings = append(out.Warnings, "a colour image has no window: --window has no effect")
	}
	if !f.Colour() {
		u := f.Used(o)
		w := windowText(u.Window)
		out.Window, out.WindowFunction, out.WindowSource = &w, u.Function, u.Source
	}
	picture := top(f.Draw(o))
	out.Rows, out.Cols = picture.Bounds().Dy(), picture.Bounds().Dx()
	var buf bytes.Buffer
	if err := png.Encode(&buf, picture); err != nil {
		return none, internal("encode the picture", err)
	}
	out.PNG = buf.Bytes()
	return out, nil
}

func hintOf(reason string) string {
	if reason == errNotArrived.Message {
		return errNotArrived.Hint
	}
	return "its samples, if they can be read: curbside pixel"
}

// windowText is a window as --window takes it.
func windowText(w study.Window) string {
	n := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	return n(w.Centre) + "/" + n(w.Width)
}

// renderOptions reads what was asked for, as it fits the image.
func renderOptions(req control.RenderRequest, px *study.Pixel) (render.Options, []string, error) {
	o := render.Options{Invert: req.Invert, HideOverlays: req.Overlays != nil && !*req.Overlays}
	said := strings.TrimSpace(req.Window)
	switch {
	case said == "":
		return o, nil, nil
	case strings.EqualFold(said, "auto"):
		o.Auto = true
		return o, nil, nil
	case strings.Contains(said, "/"):
		return o, nil, parseWindow(said, &o)
	}
	if p, ok := render.FindPreset(*px, said); ok {
		o.Window, o.Invert = &p.Window, p.Invert != req.Invert
		return o, nil, nil
	}
	if w, ok := render.PresetWindow(said); ok {
		o.Window = &w
		return o, []string{"this window is meant for CT, and the image is none"}, nil
	}
	return o, nil, control.Errorf(control.Usage, "window %q is not known", said).
		WithHint("CENTRE/WIDTH, auto, or one of: %s", strings.Join(presetNames(px), ", "))
}

func parseWindow(s string, o *render.Options) error {
	c, w, _ := strings.Cut(s, "/")
	centre, cerr := strconv.ParseFloat(strings.TrimSpace(c), 64)
	width, werr := strconv.ParseFloat(strings.TrimSpace(w), 64)
	const far = 1e9
	if cerr != nil || werr != nil || !(centre >= -far && centre <= far && width > 0 && width <= far) {
		return control.Errorf(control.Usage, "window %q is none", s).WithHint("centre and width above 0, such as 40/400")
	}
	o.Window = &study.Window{Centre: centre, Width: width}
	if width < 1 { // LINEAR is at least 1 wide, PS3.3 C.11.2.1.2.1
		o.Function = render.LinearExact
	}
	return nil
}

func presetNames(px *study.Pixel) []string {
	list := render.Presets(*px)
	if len(list) == 0 {
		list = render.Presets(study.Pixel{Modality: "CT"})
	}
	var out []string
	for _, p := range list {
		out = append(out, p.Name)
	}
	return out
}

// pictureWarnings are what must stay beside a PNG alone.
func pictureWarnings(img *control.Image, f *render.Frame) []string {
	var out []string
	if img.Reason != "" && !slices.Contains(f.Warnings(), img.Reason) {
		out = append(out, img.Reason)
	}
	if a := render.Aspect(img.Pixel); a < 0.999 || a > 1.001 {
		out = append(out, "pixels are not square ("+strconv.FormatFloat(a, 'g', 4, 64)+
			" times as high as wide): the picture has one for each and is not stretched")
	}
	return out
}

func (d *Desk) presentIn(at *located) (present, listed int) {
	s := &at.manifest.Series[at.seriesAt]
	for i := range s.Instances {
		if d.here(&s.Instances[i]) {
			present++
		}
	}
	return present, len(s.Instances)
}

// here reports whether all of an instance is on this node.
func (d *Desk) here(row *study.ManifestInstance) bool {
	return !slices.ContainsFunc(blobsOf(row), func(id blob.ID) bool { return !d.blobs.Has(id) })
}

// toRender finds the instance to draw: by UID, by its place, or the first that can be shown. The
// lock is held.
func (d *Desk) toRender(ctx context.Context, req control.RenderRequest) (*located, error) {
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	place := 0
	if req.Instance != "" {
		n, err := strconv.Atoi(req.Instance)
		if err != nil {
			at, err := d.find(p, req.Study, req.Instance)
			if err == nil && req.SeriesUID != "" && at.series != req.SeriesUID {
				return nil, control.Errorf(control.NotFound, "no such instance in this series")
			}
			return at, err
		}
		if n < 1 {
			return nil, control.Errorf(control.Usage, "places in reading order count from 1")
		}
		place = n
	}
	h, err := d.studyToRender(p, req)
	if err != nil {
		return nil, err
	}
	return h.byPlace(p, req.SeriesUID, place)
}

func (d *Desk) studyToRender(p *person, req control.RenderRequest) (*holding, error) {
	if req.Study != "" {
		return d.findStudy(p, req.Study)
	}
	var found []*holding
	for _, h := range d.studies.held {
		if d.visible(p, h) && (req.SeriesUID == "" || h.seriesAt(req.SeriesUID) >= 0) {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 0:
		return nil, control.Errorf(control.NotFound, "no such study").WithHint("list them with: curbside study list")
	case 1:
		return found[0], nil
	}
	return nil, severalStudies("several studies could be meant", found)
}

func (h *holding) seriesAt(uid string) int {
	return slices.IndexFunc(h.manifest.Series, func(s study.ManifestSeries) bool { return s.UID == uid })
}

// byPlace counts through a series, or through the study as it is read: series after series. Place
// 0 is the first image that can be shown.
func (h *holding) byPlace(p *person, series string, place int) (*located, error) {
	if series != "" && h.seriesAt(series) < 0 {
		return nil, control.Errorf(control.NotFound, "no such series in this study").WithHint("list them with: curbside study show %s", h.id()[:8])
	}
	n := 0
	for s := range h.manifest.Series {
		if series != "" && h.manifest.Series[s].UID != series {
			continue
		}
		for i := range h.manifest.Series[s].Instances {
			n++
			in := &h.manifest.Series[s].Instances[i]
			if n == place || place == 0 && h.instanceRow(in).Displayable {
				return h.locate(p, h.places[in.UID]), nil
			}
		}
	}
	if place == 0 {
		return nil, control.Errorf(control.Refused, "there is no image that this version can show")
	}
	return nil, control.Errorf(control.NotFound, "no such instance").WithHint("places go from 1 to %d", n)
}

// onTop applies a presentation state to the options, and gives what is done with the drawn picture.
func (d *Desk) onTop(ctx context.Context, req control.RenderRequest, at *located, img *control.Image, o *render.Options) (
	top func(image.Image) image.Image, warnings []string, err error,
) {
	var lines []line
	if req.Presentation != "" {
		s, err := d.stateToApply(req.Presentation, at, req.Frame)
		if err != nil {
			return nil, nil, err
		}
		o.State = s.State
		for _, f := range s.Findings {
			warnings = append(warnings, "presentation state: "+f)
		}
		for _, p := range s.Paths {
			lines = append(lines, line{points: p.Points, closed: p.Closed})
		}
		if len(s.Texts) > 0 {
			warnings = append(warnings, "texts of the presentation state are not drawn")
		}
	}
	if req.Marks != "" {
		more, err := hold(d, func() ([]line, error) { return d.markLines(ctx, req.Marks, at, req.Frame) })
		if err != nil {
			return nil, nil, err
		}
		lines = append(lines, more...)
	}
	if img.Preview { // it has other pixels
		o.State, lines = nil, nil
	}
	return func(p image.Image) image.Image {
		p = drawLines(p, lines)
		if o.State != nil {
			p = seen(p, o.State)
		}
		return p
	}, warnings, nil
}
