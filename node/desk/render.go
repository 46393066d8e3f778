package desk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"slices"
	"strconv"
	"strings"

	"github.com/curbside-p2p/curbside/consult/render"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/blob"
)

// Render draws a frame as a PNG: 8-bit grey, or colour, one pixel for each of the image.
func (d *Desk) Render(ctx context.Context, req control.RenderRequest) (control.Rendered, error) {
	var none control.Rendered
	o, note, err := renderOptions(req)
	if err != nil {
		return none, err
	}
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
	out := control.Rendered{
		Study: at.study, SeriesUID: at.series, SOPUID: at.row.UID, Frame: req.Frame, Rows: f.Rows(), Cols: f.Cols(),
		Preview: img.Preview, Lossy: img.Pixel.Lossy, Warnings: []string{},
	}
	out.Warn(note(&img.Pixel, f)...)
	out.Warn(d.pictureWarnings(at, &img, f)...)
	more, err := d.renderMore(ctx, req, at, &o)
	if err != nil {
		return none, err
	}
	picture := f.Draw(o)
	if more != nil {
		picture = more(picture)
	}
	if !f.Colour() {
		u := f.Used(o)
		w := windowText(u.Window)
		out.Window, out.WindowFunction, out.WindowSource = &w, u.Function, u.Source
	}
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

// renderOptions reads what was asked for. The note says, once the image is known, where it does not fit.
func renderOptions(req control.RenderRequest) (render.Options, func(*study.Pixel, *render.Frame) []string, error) {
	o := render.Options{Invert: req.Invert, HideOverlays: req.Overlays != nil && !*req.Overlays}
	preset := false
	switch said := strings.TrimSpace(req.Window); {
	case said == "":
	case strings.EqualFold(said, "auto"):
		o.Auto = true
	case strings.Contains(said, "/"):
		w, err := parseWindow(said)
		if err != nil {
			return o, nil, err
		}
		o.Window = &w
	default:
		w, ok := render.PresetWindow(said)
		if !ok {
			return o, nil, control.Errorf(control.Usage, "window %q is not known", said).
				WithHint("CENTRE/WIDTH, auto, or one of: %s", strings.Join(presetNames(), ", "))
		}
		o.Window, preset = &w, true
	}
	return o, func(px *study.Pixel, f *render.Frame) []string {
		switch {
		case req.Window != "" && f.Colour():
			return []string{"a colour image has no window: --window has no effect"}
		case preset && px.Modality != "CT":
			return []string{"this window is meant for CT, and the image is none"}
		}
		return nil
	}, nil
}

func parseWindow(s string) (study.Window, error) {
	c, w, _ := strings.Cut(s, "/")
	centre, cerr := strconv.ParseFloat(strings.TrimSpace(c), 64)
	width, werr := strconv.ParseFloat(strings.TrimSpace(w), 64)
	const far = 1e9
	// PS3.3 C.11.2.1.2.1: a linear window is at least 1 wide.
	if cerr != nil || werr != nil || !(centre >= -far && centre <= far && width >= 1 && width <= far) {
		return study.Window{}, control.Errorf(control.Usage, "window %q is none", s).
			WithHint("centre and width, such as 40/400; the width is at least 1")
	}
	return study.Window{Centre: centre, Width: width}, nil
}

func presetNames() []string {
	var out []string
	for _, p := range render.Presets(study.Pixel{Modality: "CT"}) {
		out = append(out, p.Name)
	}
	return out
}

// pictureWarnings are the marks that must stay beside a picture.
func (d *Desk) pictureWarnings(at *located, img *control.Image, f *render.Frame) []string {
	out := slices.Clone(f.Warnings())
	if img.Preview {
		// Of a preview nothing else is known: it is not the image.
		return []string{"preview, not for diagnosis: the image has not arrived yet"}
	}
	if img.Reason != "" {
		out = append(out, img.Reason)
	}
	if a := aspectOf(&img.Pixel); a != "" {
		out = append(out, "pixels are not square ("+a+"): the picture has one for each and is not stretched")
	}
	present, listed := d.presentIn(at)
	if present < listed {
		out = append(out, fmt.Sprintf("series incomplete: %d of %d images are here", present, listed))
	}
	return out
}

// aspectOf is a pixel's height to its width where they differ: of the spacing, else the aspect ratio.
func aspectOf(px *study.Pixel) string {
	for _, p := range []*[2]float64{px.PixelSpacing, px.ImagerSpacing, px.AspectRatio} {
		if p != nil && p[0] > 0 && p[1] > 0 {
			if r := p[0] / p[1]; r < 0.999 || r > 1.001 {
				return strconv.FormatFloat(r, 'g', 4, 64) + ":1"
			}
			return ""
		}
	}
	return ""
}

func (d *Desk) presentIn(at *located) (present, listed int) {
	s := &at.manifest.Series[at.seriesAt]
	for i := range s.Instances {
		if !slices.ContainsFunc(blobsOf(&s.Instances[i]), func(id blob.ID) bool { return !d.blobs.Has(id) }) {
			present++
		}
	}
	return present, len(s.Instances)
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

// renderMore adds a presentation state to the options and gives what is drawn on top.
func (d *Desk) renderMore(_ context.Context, req control.RenderRequest, _ *located, _ *render.Options) (func(image.Image) image.Image, error) {
	if req.Marks != "" || req.Presentation != "" {
		return nil, errors.New("not yet")
	}
	return nil, nil
}

var _ = text.Line
