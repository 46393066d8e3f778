package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/consult/text"
)

// Footer ends every rendering (FIELD §4.10).
const Footer = "second opinion; not the primary interpretation"

// Later is what was said of a report after it was signed.
type Later struct {
	Superseded   bool // its author replaced it by a newer one
	Stale        bool // images came that its author had not seen
	NotInForce   bool // signed after removal, or not what its entry says
	WrongPatient bool // of images that were reported as another patient's
	NotAsked     bool // by somebody who was not to give it: not assigned, or beyond an attested role
	Note         bool // by the requester: not an independent opinion
	Addenda      []Addendum
}

// Addendum is an addition to a report, or a correction of it.
type Addendum struct {
	Correction bool
	Text       string
	SignedMS   int64
}

// Text renders a document as plain text. What others wrote passes through
// text.Clean, so that the result can be shown on any terminal.
func Text(d *Document, later Later) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", title(d))
	for _, w := range warnings(later) {
		fmt.Fprintf(&b, "%s\n", w)
	}
	fmt.Fprintf(&b, "Case %s, round %d\n", d.Case.String()[:idDigits], d.Round)
	section(&b, "Question", d.Question)
	section(&b, "Answer", d.Text)
	for _, f := range d.Form {
		section(&b, text.Line(f.Name), f.Value)
	}
	images(&b, d.Images)
	for _, a := range later.Addenda {
		section(&b, a.title(), a.Text)
	}
	b.WriteString("\n" + signature(d) + "\n" + Footer + "\n")
	return b.String()
}

// idDigits of an id are shown, as scripts accept them.
const idDigits = 8

func title(d *Document) string {
	if d.Status == Preliminary {
		return "PRELIMINARY OPINION, not a final report"
	}
	return "FINAL REPORT"
}

func warnings(l Later) []string {
	var out []string
	if l.WrongPatient {
		out = append(out, "WRONG PATIENT: do not use, its images were reported as another patient's")
	}
	if l.NotAsked {
		out = append(out, "NOT A REPORT OF THIS CASE: its author was not to give it")
	}
	if l.Note {
		out = append(out, "REQUESTER'S NOTE: not an independent opinion")
	}
	if l.NotInForce {
		out = append(out, "NOT IN FORCE: do not rely on this report")
	}
	if l.Superseded {
		out = append(out, "SUPERSEDED: its author signed a newer report")
	}
	for _, a := range l.Addenda {
		if a.Correction {
			out = append(out, "CORRECTED by its author: read the correction with it")
			break
		}
	}
	if l.Stale {
		out = append(out, "STALE: images came that its author had not seen")
	}
	return out
}

func section(b *strings.Builder, name, content string) {
	if content == "" {
		return
	}
	fmt.Fprintf(b, "\n%s\n", name)
	for line := range strings.SplitSeq(strings.TrimRight(text.Clean(content), "\n"), "\n") {
		if line == "" {
			b.WriteByte('\n')
			continue
		}
		fmt.Fprintf(b, "  %s\n", line)
	}
}

func images(b *strings.Builder, all []Image) {
	b.WriteString("\nImages reviewed\n")
	for _, l := range imageLines(all) {
		fmt.Fprintf(b, "  %s\n", l)
	}
}

// imageLines says of each study what the signer had of it.
func imageLines(all []Image) []string {
	if len(all) == 0 {
		return []string{"none"}
	}
	var out []string
	for _, i := range all {
		prior := ""
		if i.Prior != 0 {
			prior = " (prior)"
		}
		out = append(out, fmt.Sprintf("%s%s: %s", text.Line(i.Label), prior, i.Line()))
	}
	return out
}

// Line says what the signer had of one study: "60 of 60 images". If that is
// not all, or nobody knows how many there should be, it says so.
func (i *Image) Line() string { return line(i.Seen, i.Listed, i.Expected) }

// ImagesLine is Line over all studies of a document.
func ImagesLine(all []Image) string {
	var seen, listed, expected uint64
	known := true
	for _, i := range all {
		seen, listed = seen+i.Seen, listed+i.Listed
		if i.Expected == nil {
			known = false
			continue
		}
		expected += *i.Expected
	}
	switch {
	case len(all) == 0:
		return "no images"
	case !known:
		return line(seen, listed, nil)
	default:
		return line(seen, listed, &expected)
	}
}

func line(seen, listed uint64, expected *uint64) string {
	switch {
	case expected != nil && seen >= *expected && seen >= listed:
		return fmt.Sprintf("%d of %d images", seen, *expected)
	case expected != nil:
		return fmt.Sprintf("%d of %d images, INCOMPLETE", seen, max(*expected, listed))
	case seen < listed:
		return fmt.Sprintf("%d of %d listed images, INCOMPLETE; number of images unknown", seen, listed)
	default:
		return fmt.Sprintf("%d images; number of images unknown", seen)
	}
}

func (a *Addendum) title() string {
	kind := "Addendum"
	if a.Correction {
		kind = "Correction"
	}
	return fmt.Sprintf("%s, %s", kind, instant(a.SignedMS))
}

func signature(d *Document) string {
	s := "Signed by " + text.Name(d.Name, nameShown)
	if d.Credentials != "" {
		s += ", " + text.Name(d.Credentials, nameShown)
	}
	s += fmt.Sprintf(" (%s), %s", d.Author.String()[:idDigits], instant(d.SignedMS))
	if d.DraftedBy != "" {
		s += "\nDrafted by " + text.Name(d.DraftedBy, nameShown)
	}
	return s
}

// nameShown is how many characters of a name are printed.
const nameShown = 120

// instant is a claimed time, with its zone.
func instant(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04 UTC")
}
