package report

import (
	"bytes"
	"fmt"
	"image/png"
	"strings"
	"time"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"

	"github.com/curbside-p2p/curbside/consult/text"
)

// Measures of a page, in mm.
const (
	pageWidth  = 210.0
	pageHeight = 297.0
	margin     = 18.0
	footHeight = 22.0
	lineHeight = 5.0
	imageWidth = pageWidth - 2*margin
	imageMax   = 150.0 // height of a key image
)

// PDF prints a dossier for people: every report with what was said of it later, the record of
// critical findings, the images reviewed, and the key images. The same dossier gives the same bytes. Fonts are
// embedded, the title names no patient, and there is no active content.
//
// A letter that the fonts lack is printed as its code point, [U+4E2D]: nothing is left out unseen.
func PDF(d *Dossier) ([]byte, error) {
	p := newPrinter(d)
	for i := len(d.Reports) - 1; i >= 0; i-- { // newest first: the older one is never read without it
		p.report(&d.Reports[i])
	}
	if len(d.Reports) == 0 {
		mark := "NO REPORT YET"
		if p.d.State == "quarantined" {
			mark = "WRONG PATIENT"
		}
		p.page(mark, "")
		p.request()
		p.studies()
		p.criticals()
	}
	p.pictures()
	if err := p.Error(); err != nil {
		return nil, fmt.Errorf("print report: %w", err)
	}
	var b bytes.Buffer
	if err := p.Output(&b); err != nil {
		return nil, fmt.Errorf("print report: %w", err)
	}
	return b.Bytes(), nil
}

type printer struct {
	*fpdf.Fpdf
	d     *Dossier
	glyph func(rune) bool
	foot  string // what stands at the foot of the pages of this part
	mark  string // watermark
}

func newPrinter(d *Dossier) *printer {
	f := fpdf.New("P", "mm", "A4", "")
	p := &printer{Fpdf: f, d: d, glyph: glyphs()}
	at := time.UnixMilli(d.AtMS).UTC()
	f.SetCreationDate(at)
	f.SetModificationDate(at)
	f.SetCatalogSort(true)
	f.SetProducer("curbside", true)
	f.SetTitle("curbside report "+d.Case.String()[:idDigits], true)
	f.SetLang("en")
	f.AddUTF8FontFromBytes("go", "", goregular.TTF)
	f.AddUTF8FontFromBytes("go", "B", gobold.TTF)
	f.SetMargins(margin, margin, margin)
	f.SetAutoPageBreak(true, footHeight)
	f.AliasNbPages("{pages}")
	f.SetHeaderFunc(p.header)
	f.SetFooterFunc(p.footer)
	return p
}

// glyphs says which letters the fonts have.
func glyphs() func(rune) bool {
	f, err := sfnt.Parse(goregular.TTF)
	if err != nil {
		return func(r rune) bool { return r < unicode.MaxASCII }
	}
	var buf sfnt.Buffer
	return func(r rune) bool {
		i, err := f.GlyphIndex(&buf, r)
		return err == nil && i != 0
	}
}

// clean makes foreign text printable with the fonts there are.
func (p *printer) clean(s string) string {
	var b strings.Builder
	for _, r := range text.Clean(s) {
		switch {
		case r == '\n' || p.glyph(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "[U+%04X]", r)
		}
	}
	return b.String()
}

// page begins a part. AddPage first ends the page before, with its own foot.
func (p *printer) page(mark, foot string) {
	p.mark = mark
	p.AddPage()
	p.foot = foot
}

func (p *printer) header() {
	if p.mark != "" {
		p.TransformBegin()
		p.SetFont("go", "B", 44)
		p.SetTextColor(225, 225, 225)
		p.TransformRotate(52, pageWidth/2, pageHeight/2)
		w := p.GetStringWidth(p.mark)
		p.Text(pageWidth/2-w/2, pageHeight/2, p.mark)
		p.TransformEnd()
		p.SetTextColor(0, 0, 0)
	}
	p.SetXY(margin, 10)
	p.SetFont("go", "B", 9)
	p.MultiCell(0, 4, p.clean(p.d.Patient.Strip()), "", "L", false)
	p.Line(margin, p.GetY()+1, pageWidth-margin, p.GetY()+1)
	p.SetY(p.GetY() + 4)
}

func (p *printer) footer() {
	p.SetY(-footHeight + 4)
	p.Line(margin, p.GetY()-1, pageWidth-margin, p.GetY()-1)
	p.SetFont("go", "", 7)
	foot := p.foot
	if foot != "" {
		foot += " · "
	}
	p.MultiCell(0, 3.4, foot+"printed "+instant(p.d.AtMS)+" · check for newer versions of case "+p.d.Case.String()[:idDigits]+
		"\n"+Footer+" · not for primary diagnosis · page "+fmt.Sprint(p.PageNo())+" of {pages}", "", "C", false)
}

func (p *printer) title(s string) {
	p.SetFont("go", "B", 15)
	p.MultiCell(0, 7, p.clean(s), "", "L", false)
	p.Ln(1)
}

func (p *printer) warn(s string) {
	p.SetFont("go", "B", 10)
	p.MultiCell(0, lineHeight, "! "+p.clean(s), "1", "L", false)
	p.Ln(1)
}

func (p *printer) section(name, content string) {
	if strings.TrimSpace(content) == "" {
		return
	}
	p.Ln(2)
	p.SetFont("go", "B", 10)
	p.MultiCell(0, lineHeight, p.clean(name), "", "L", false)
	p.SetFont("go", "", 10)
	p.MultiCell(0, lineHeight, p.clean(content), "", "L", false)
}

func (p *printer) report(r *Signed) {
	mark := ""
	switch {
	case r.Later.WrongPatient:
		mark = "WRONG PATIENT"
	case r.Later.NotInForce, r.Later.NotAsked:
		mark = "NOT IN FORCE"
	case r.Later.Superseded:
		mark = "SUPERSEDED"
	case r.Document.Status == Preliminary:
		mark = "PRELIMINARY"
	}
	p.page(mark, "report "+r.Entry.String()[:idDigits]+", signed "+instant(r.Document.SignedMS))
	p.title(title(r.Document))
	for _, w := range warnings(r.Later) {
		p.warn(w)
	}
	if r.SupersededBy != nil {
		p.warn("the newer report is " + r.SupersededBy.String()[:idDigits] + ", on an earlier page")
	}
	p.request()
	p.section("Answer", r.Document.Text)
	for _, f := range r.Document.Form {
		p.section(text.Line(f.Name), f.Value)
	}
	p.section("Images reviewed", strings.Join(imageLines(r.Document.Images), "\n"))
	for _, a := range r.Later.Addenda {
		p.section(a.title(), a.Text)
	}
	p.criticals()
	p.section("Signature", signature(r.Document))
	p.section("Acknowledged", r.Acknowledged.line())
}

func (a *Acknowledgement) line() string {
	if a == nil {
		return "not yet"
	}
	s := "by " + text.Name(a.By, nameShown) + ", " + instant(a.AtMS)
	if a.Action != "" {
		s += ": " + a.Action
	}
	return s
}

func (p *printer) request() {
	r := p.d.Request
	if r == nil {
		return
	}
	p.section("Question", r.Question)
	asked := fmt.Sprintf("asked by %s, %s, %s", text.Name(r.Author.Name, nameShown), instant(r.AskedMS), r.Priority)
	p.SetFont("go", "", 8)
	p.MultiCell(0, 4, p.clean(asked), "", "L", false)
	for _, f := range r.RequestForm {
		p.section(text.Line(f.Name), f.Value)
	}
}

func (p *printer) studies() {
	var b strings.Builder
	for _, s := range p.d.Studies {
		wrong := ""
		if s.Quarantined {
			wrong = " (WRONG PATIENT: do not use)"
		}
		fmt.Fprintf(&b, "%s %s%s: %s\n", text.Line(s.Date), text.Line(s.Description), wrong, line(uint64(max(s.Present, 0)), uint64(max(s.Listed, 0)), nil))
	}
	p.section("Studies", strings.TrimSuffix(b.String(), "\n"))
}

func (p *printer) criticals() {
	for _, c := range p.d.Criticals {
		lines := []string{c.Text, "found " + instant(c.FoundMS)}
		if c.Error {
			lines = append(lines, "RAISED IN ERROR, says who raised it")
		}
		if c.List != "" {
			lines = append(lines, "on the list "+c.List)
		}
		lines = append(lines, fmt.Sprintf("raised by %s, %s", text.Name(c.RaisedBy, nameShown), instant(c.RaisedMS)))
		if len(c.For) > 0 {
			lines = append(lines, "for "+strings.Join(c.For, ", "))
		}
		lines = append(lines, c.Told...)
		lines = append(lines, fmt.Sprintf("acknowledged: %s %s", c.Acknowledged.line(), c.ReadBack))
		p.section(fmt.Sprintf("CRITICAL FINDING, tier %d", c.Tier), strings.Join(lines, "\n"))
	}
}

// pictures prints the key images, one below the other.
func (p *printer) pictures() {
	for i, pic := range p.d.Images {
		if pic.Image == nil || pic.Image.Bounds().Empty() {
			continue
		}
		var b bytes.Buffer
		if err := png.Encode(&b, pic.Image); err != nil {
			p.SetError(err)
			return
		}
		name := fmt.Sprintf("image%d", i)
		opt := fpdf.ImageOptions{ImageType: "PNG"}
		p.RegisterImageOptionsReader(name, opt, &b)
		w, h := float64(pic.Image.Bounds().Dx()), float64(pic.Image.Bounds().Dy())
		scale := min(imageWidth/w, imageMax/h)
		if i == 0 {
			p.page("", "")
			p.title("Key images")
		}
		if p.GetY()+h*scale+3*lineHeight > pageHeight-footHeight {
			p.AddPage()
		}
		p.ImageOptions(name, margin, p.GetY(), w*scale, h*scale, true, opt, 0, "")
		p.SetFont("go", "", 8)
		p.MultiCell(0, 4, p.clean(pic.Caption+"\nnot for primary diagnosis, 8-bit, as windowed by the reader"), "", "L", false)
		p.Ln(3)
	}
}
