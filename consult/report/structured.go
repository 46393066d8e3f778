package report

import (
	"fmt"
	"strings"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/text"
)

// title of a report in an archive: LOINC's, from CID 7000.
var documentTitle = object.Code("18748-4", "LN", "Diagnostic Imaging Report")

// section of a report (PS3.16 CID 7001, its DCM codes) with the concept of what stands in it (CID
// 7002).
type heading struct {
	code, meaning       string
	element, elementFor string
}

var (
	headRequest         = heading{"121062", "Request", "121062", "Request"}
	headHistory         = heading{"121060", "History", "121060", "History"}
	headProcedure       = heading{"121064", "Current Procedure Descriptions", "121065", "Procedure Description"}
	headFindings        = heading{"121070", "Findings", "121071", "Finding"}
	headImpressions     = heading{"121072", "Impressions", "121073", "Impression"}
	headRecommendations = heading{"121074", "Recommendations", "121075", "Recommendation"}
	headConclusions     = heading{"121076", "Conclusions", "121077", "Conclusion"}
	headAddendum        = heading{"121078", "Addendum", "121071", "Finding"}
)

// formHeadings are the fields of opinion forms that have a section of their own; the others stand
// among the findings, with their names.
var formHeadings = map[string]heading{
	"findings": headFindings, "impression": headImpressions, "recommendation": headRecommendations, "history": headHistory,
	"time_frame": headRecommendations, "quality": headProcedure, "display": headProcedure, "images_reviewed": headProcedure, "comparison": headProcedure,
}

// Structured writes a signed report as a Basic Diagnostic Imaging Report (PS3.16 TID 2000) in an
// Enhanced SR. Head is what it says beside its content; key are the images that it points to.
func Structured(head *object.Report, s *Signed, request *Request, key []object.Ref) ([]byte, error) {
	b := &sections{}
	if request != nil {
		b.request(request)
	} else {
		b.add(headRequest, s.Document.Question)
	}
	for _, l := range imageLines(s.Document.Images) {
		b.add(headProcedure, l)
	}
	b.add(headFindings, s.Document.Text)
	for _, f := range s.Document.Form {
		b.field(f)
	}
	for _, r := range key {
		b.put(headFindings, object.Item("CONTAINS", "IMAGE", object.DCM("121080", "Best illustration of finding"), object.Seq(0x00081199, object.SOP(r))))
	}
	for _, a := range s.Later.Addenda {
		b.add(headAddendum, a.title()+"\n"+a.Text)
	}
	for _, w := range warnings(s.Later) {
		b.add(headConclusions, w)
	}
	b.add(headConclusions, title(s.Document)+"\n"+signature(s.Document)+"\n"+Footer)
	out, err := object.Write(head.Head(object.ClassEnhancedSR, "2000", documentTitle, b.content()))
	if err != nil {
		return nil, fmt.Errorf("structured report: %w", err)
	}
	return out, nil
}

// sections gathers content by heading, in the order of headings as they come.
type sections struct {
	order []heading
	items map[string][]object.Set
}

func (b *sections) put(h heading, item object.Set) {
	if b.items == nil {
		b.items = map[string][]object.Set{}
	}
	if b.items[h.code] == nil {
		b.order = append(b.order, h)
	}
	b.items[h.code] = append(b.items[h.code], item)
}

func (b *sections) add(h heading, content string) {
	if strings.TrimSpace(content) == "" {
		return
	}
	b.put(h, object.Item("CONTAINS", "TEXT", object.DCM(h.element, h.elementFor), object.UT(content)))
}

func (b *sections) request(r *Request) {
	b.add(headRequest, r.Question)
	for _, f := range r.RequestForm {
		h := headRequest
		if f.Name == "history" {
			h = headHistory
		}
		b.add(h, text.Line(f.Name)+": "+f.Value)
	}
}

func (b *sections) field(f Field) {
	h, ok := formHeadings[f.Name]
	if !ok {
		h = headFindings
	}
	if ok && h.code != headProcedure.code && f.Name != "time_frame" {
		b.add(h, f.Value)
		return
	}
	b.add(h, text.Line(f.Name)+": "+f.Value)
}

func (b *sections) content() []object.Set {
	var out []object.Set
	for _, h := range b.order {
		out = append(out, object.Container(object.DCM(h.code, h.meaning), b.items[h.code]...))
	}
	return out
}

// Encapsulated writes a printed report as an Encapsulated PDF, for systems that ignore structured
// ones. Its title names no patient. Sources are the instances whose pixels are printed in it.
func Encapsulated(head *object.Report, pdf []byte, sources []object.Ref) ([]byte, error) {
	s := object.Modules(head.Of, head.Made, object.ClassPDF, "DOC")
	s = append(s, object.Document(pdf, head.Date, head.Time)...)
	s = append(s,
		object.Str(0x0008103E, "LO", object.Line(head.Description, 64)),
		object.Str(0x00080064, "CS", "WSD"),
		object.Str(0x00420010, "ST", "Second opinion"),
		object.Seq(0x0040A043, documentTitle),
		object.Str(0x00200060, "CS", ""), // type 2C: of images, which the document is none of
	)
	if len(sources) > 0 {
		var refs []object.Ref
		for _, r := range sources {
			refs = append(refs, object.Ref{Class: r.Class, SOPUID: r.SOPUID})
		}
		s = append(s, object.Seq(0x00420013, object.SOPs(refs)...))
	}
	out, err := object.Write(s)
	if err != nil {
		return nil, fmt.Errorf("encapsulated report: %w", err)
	}
	return out, nil
}
