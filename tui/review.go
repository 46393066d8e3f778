package tui

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/tui/raster"
)

// disclosure is the second step of a request under a pseudonym: what goes away, what stays, and
// the images and documents that a person must look at, with the image beside them.
type disclosure struct {
	p     *requestPage
	deids []control.Deid
	items []*doubt
	list  list
	note  string
	ready bool
	shown string // SOP Instance UID and frame of the picture
	img   image.Image
	why   string // there is no picture
}

// doubt is an instance that a person must decide about.
type doubt struct {
	study, sop, reason string
	frame              int
	image, never       bool
	decided            string // released, blackened, left out
	rects              []control.Blacken
}

func newDisclosure(p *requestPage) *disclosure {
	return &disclosure{p: p, note: "reading every image…"}
}

// load asks the node about each chosen study.
func (d *disclosure) load() tea.Cmd {
	var ids []string
	for _, s := range d.p.studies {
		if d.p.chosen[s.Study] {
			ids = append(ids, s.Study)
		}
	}
	client := d.p.r.client
	return do(d.p.s, "deid", castMax, func(ctx context.Context) ([]control.Deid, error) {
		var out []control.Deid
		for _, id := range ids {
			r, err := control.DeidPreview.Call(ctx, client, control.DeidRequest{Study: id})
			if err != nil {
				return nil, err
			}
			clean(&r)
			out = append(out, r)
		}
		return out, nil
	}, func(out []control.Deid, err error) tea.Cmd {
		d.note = ""
		if err != nil {
			d.note = explain(err)
			return nil
		}
		d.deids, d.ready = out, true
		for i, r := range out {
			for _, x := range r.Risky {
				d.items = append(d.items, &doubt{study: ids[i], sop: x.SOPUID, frame: x.Frame, reason: x.Reason, image: true})
			}
			for _, x := range r.Excluded {
				d.items = append(d.items, &doubt{study: ids[i], sop: x.SOPUID, reason: x.Reason, never: x.Never})
			}
		}
		d.list.set(len(d.items) + len(d.summary()))
		return d.look()
	})
}

// look fetches the picture of the doubt under the cursor.
func (d *disclosure) look() tea.Cmd {
	x := d.at()
	if x == nil || !x.image {
		d.shown, d.img, d.why = "", nil, ""
		return nil
	}
	key := x.sop + "/" + strconv.Itoa(x.frame)
	if d.shown == key {
		return nil
	}
	d.shown, d.img, d.why = key, nil, "loading…"
	return call(d.p.s, "deid picture", d.p.r.client, control.Render, control.RenderRequest{Study: x.study, Instance: x.sop, Frame: x.frame}, func(r control.Rendered, err error) tea.Cmd {
		if d.shown != key {
			return nil
		}
		d.why = ""
		if err == nil {
			d.img, err = png.Decode(bytes.NewReader(r.PNG))
		}
		if err != nil {
			d.why = explain(err)
		}
		return nil
	})
}

func (d *disclosure) at() *doubt {
	if d.list.cur < len(d.items) {
		return d.items[d.list.cur]
	}
	return nil
}

// open counts what is not decided.
func (d *disclosure) open() int {
	n := 0
	for _, x := range d.items {
		if x.decided == "" {
			n++
		}
	}
	return n
}

func (d *disclosure) act(id string, h int) tea.Cmd {
	x := d.at()
	switch {
	case id == "release-all":
		for _, x := range d.items {
			if x.decided == "" {
				x.decided = "released"
				if x.never {
					x.decided = "left out"
				}
			}
		}
	case id == "release" && x != nil && x.never:
		d.p.note = "it cannot be cleaned, only left out: x"
	case id == "release" && x != nil:
		x.decided, x.rects = "released", nil
	case id == "leave-out" && x != nil:
		x.decided, x.rects = "left out", nil
	case id == "blacken" && x != nil && x.image:
		return d.blacken(x)
	case id == "blacken" && x != nil:
		d.p.note = "only images can be blackened"
	default:
		d.list.move(id, h)
	}
	return d.look()
}

// blacken asks for a rectangle.
func (d *disclosure) blacken(x *doubt) tea.Cmd {
	size := ""
	if d.img != nil {
		b := d.img.Bounds()
		size = fmt.Sprintf(" The image is %d × %d.", b.Dx(), b.Dy())
	}
	return d.p.r.open(newPrompt(d.p.r, "Blacken a rectangle", []string{"x,y,width,height in pixels from the top left corner; in every frame." + size}, false, func(s string) tea.Cmd {
		var b control.Blacken
		numbers := strings.Split(s, ",")
		to := []*int{&b.X, &b.Y, &b.W, &b.H}
		for i, n := range numbers {
			v, err := strconv.Atoi(strings.TrimSpace(n))
			if err != nil || v < 0 || len(numbers) != len(to) {
				d.p.note = "a rectangle is x,y,width,height, as in 0,0,640,40"
				return nil
			}
			*to[i] = v
		}
		b.SOPUID = x.sop
		x.decided, x.rects = "blackened", append(x.rects, b)
		return nil
	}))
}

// choices are the decisions, as a request takes them.
func (d *disclosure) choices() control.Choices {
	var out control.Choices
	for _, x := range d.items {
		switch x.decided {
		case "released":
			out.Release = append(out.Release, x.sop)
		case "blackened":
			out.Blacken = append(out.Blacken, x.rects...)
		case "left out":
			out.LeaveOut = append(out.LeaveOut, x.sop)
		}
	}
	return out
}

// summary says what goes and what stays, an attribute a line.
func (d *disclosure) summary() []string {
	var out []string
	for _, r := range d.deids {
		for _, c := range r.Changes {
			out = append(out, fit(c.Action, 9)+" "+c.Tag+" "+c.Name)
		}
		for _, c := range r.Kept {
			out = append(out, fit(c.Action, 9)+" "+c.Tag+" "+c.Name)
		}
	}
	return out
}

// words say in one line what becomes of the images.
func (d *disclosure) words() string {
	images, counts := 0, map[string]int{}
	for _, r := range d.deids {
		images += r.Images
	}
	for _, x := range d.items {
		counts[x.decided]++
	}
	parts := []string{fmt.Sprintf("%d images under a pseudonym", images-counts["left out"])}
	for _, w := range []string{"released", "blackened", "left out"} {
		if counts[w] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[w], w))
		}
	}
	return strings.Join(parts, " · ")
}

func (d *disclosure) draw(w, h int) []string {
	th := d.p.r.th
	if !d.ready {
		return []string{th.title.Render(" Taking the identity out"), "", "  " + th.dim.Render(line(d.note))}
	}
	head := fmt.Sprintf(" %d must be looked at", d.open())
	if d.open() == 0 {
		head = " Nothing is left to decide"
	}
	lines := []string{th.title.Render(head) + th.dim.Render("  r release · b blacken · x leave out · R release all · ctrl+d goes on"), ""}
	for _, r := range d.deids {
		for _, warning := range r.Warnings {
			lines = append(lines, " "+th.warn.Render(fit("! "+warning, w-2)))
		}
	}
	room := max(1, h-len(lines))
	pane := 0
	if x := d.at(); x != nil && x.image && w >= 60 {
		pane = w / 2
	}
	rows := d.rows(w-pane, room)
	if pane > 0 {
		picture := d.picture(pane-4, room)
		for i := range rows {
			if i < len(picture) {
				rows[i] = fit(rows[i], w-pane) + "  " + picture[i]
			}
		}
		for i := len(rows); i < len(picture); i++ {
			rows = append(rows, strings.Repeat(" ", w-pane+2)+picture[i])
		}
	}
	return append(lines, rows...)
}

func (d *disclosure) rows(w, h int) []string {
	summary := d.summary()
	from, to := d.list.window(h)
	var out []string
	for i := from; i < to; i++ {
		text := ""
		if i < len(d.items) {
			x := d.items[i]
			mark := "[ ]"
			if x.decided != "" {
				mark = "[" + x.decided[:1] + "]"
			}
			where := "…" + line(x.sop[max(0, len(x.sop)-8):]) // a cut may fall into a character
			text = " " + mark + " " + fit(where, 10) + " " + line(x.reason)
		} else if i-len(d.items) < len(summary) {
			text = "     " + summary[i-len(d.items)]
		}
		text = fit(text, w)
		if i == d.list.cur {
			text = d.p.r.th.sel.Render(text)
		}
		out = append(out, text)
	}
	return out
}

// picture draws the image in cells, which every terminal can show.
func (d *disclosure) picture(w, h int) []string {
	if d.img == nil {
		return []string{d.p.r.th.dim.Render(fit(d.why, w))}
	}
	if d.p.r.caps.noColour || d.p.r.caps.backend == noImage {
		return []string{d.p.r.th.dim.Render(fit("this terminal shows no images: curbside render", w))}
	}
	b := d.img.Bounds()
	img := raster.Render(d.img, raster.Fit(b.Dx(), b.Dy(), w, 2*h, 1))
	o := raster.CellOptions{Bits: 8}
	if d.p.r.caps.colours == colorprofile.ANSI256 {
		o.Depth = raster.Grey256
	}
	return raster.Half(img, o)
}
