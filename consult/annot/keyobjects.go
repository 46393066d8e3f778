package annot

import (
	"fmt"
	"strings"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
)

// Title says why images were chosen (PS3.16 CID 7010), a code of DCM.
type Title struct {
	Name    string // as scripts say it
	Code    string
	Meaning string
}

// Titles are those that selections get here; others are read as they are.
func Titles() []Title {
	return []Title{
		{"of-interest", "113000", "Of Interest"},
		{"for-referring-provider", "113002", "For Referring Provider"},
		{"for-conference", "113005", "For Conference"},
		{"best-in-set", "113013", "Best In Set"},
		{"for-report-attachment", "113020", "For Report Attachment"},
	}
}

// KeyObjects is a key object selection (PS3.3 A.35.4, PS3.16 TID 2010).
type KeyObjects struct {
	StudyUID string
	Made
	Title       Title
	Description string // up to 1,024 characters
	Images      []Ref
	// Findings are what the selection has and is not read here, without values.
	Findings []string
}

// WriteKeyObjects writes a selection in the study of the instance, which is one of
// its images.
func WriteKeyObjects(k *KeyObjects, of *study.Instance) ([]byte, error) {
	if of.StudyUID != k.StudyUID || len(k.Images) == 0 || k.Title.Code == "" {
		return nil, fmt.Errorf("key object selection: %w", ErrSource)
	}
	s := object.Modules(of, k.Made, ClassKeyObjects, "KO")
	content := []object.Set{
		object.Item("HAS OBS CONTEXT", "CODE", object.Code("121005", "DCM", "Observer Type"), object.Seq(0x0040A168, object.Code("121006", "DCM", "Person"))),
		object.Item("HAS OBS CONTEXT", "PNAME", object.Code("121008", "DCM", "Person Observer Name"), object.Str(0x0040A123, "PN", object.Person(k.Creator))),
	}
	if k.Creator == "" {
		content = nil
	}
	if d := object.Clip(text.Clean(k.Description), textMax); d != "" {
		content = append(content, object.Item("CONTAINS", "TEXT", object.Code("113012", "DCM", "Key Object Description"), object.Str(0x0040A160, "UT", d)))
	}
	for _, r := range k.Images {
		kind := "IMAGE"
		if !pictures(r.Class) {
			kind = "COMPOSITE"
		}
		content = append(content, object.Item("CONTAINS", kind, nil, object.Seq(0x00081199, object.SOP(r))))
	}
	s = append(s,
		object.Seq(0x00081111),
		object.Str(0x00080023, "DA", k.Date),
		object.Str(0x00080033, "TM", k.Time),
		object.Seq(0x0040A375, object.Evidence(of.StudyUID, k.Images)),
		object.Str(0x0040A040, "CS", "CONTAINER"),
		object.Seq(0x0040A043, object.Code(k.Title.Code, "DCM", object.Line(k.Title.Meaning, 64))),
		object.Str(0x0040A050, "CS", "SEPARATE"),
		object.Seq(0x0040A504, object.Set{object.Str(0x00080105, "CS", "DCMR"), object.Str(0x0040DB00, "CS", "2010")}),
		object.Seq(0x0040A730, content...),
	)
	out, err := object.Write(s)
	if err != nil {
		return nil, fmt.Errorf("key object selection: %w", err)
	}
	return out, nil
}

// pictures reports whether instances of a class are images: presentation states, structured reports
// and encapsulated documents are none.
func pictures(class string) bool {
	c := strings.TrimPrefix(class, "1.2.840.10008.5.1.4.1.1.")
	return !strings.HasPrefix(c, "11.") && !strings.HasPrefix(c, "88.") && !strings.HasPrefix(c, "104.")
}

// ReadKeyObjects reads a key object selection, whoever wrote it.
func ReadKeyObjects(file []byte) (*KeyObjects, error) {
	o, err := object.Read(file)
	if err != nil {
		return nil, fmt.Errorf("key object selection: %w", err)
	}
	if o.Class != ClassKeyObjects {
		return nil, ErrClass
	}
	k := &KeyObjects{StudyUID: o.Study, Made: madeOf(o), Findings: o.Findings}
	k.Date, k.Time = o.Text(0x00080023), o.Text(0x00080033)
	name := o.First(0x0040A043)
	k.Title = titleOf(name.Text(0x00080100), name.Text(0x00080104))
	w := &contentReader{k: k, of: evidenceOf(o.Set)}
	w.read(o.Set, 0)
	if w.over {
		k.Findings = append(k.Findings, "more content than is read")
	}
	if len(k.Images) == 0 {
		return nil, fmt.Errorf("key object selection: %w", ErrSource)
	}
	return k, nil
}

func titleOf(code, meaning string) Title {
	for _, t := range Titles() {
		if t.Code == code {
			return t
		}
	}
	return Title{Code: code, Meaning: text.Line(meaning)}
}

// evidenceOf tells the series of each instance.
func evidenceOf(s object.Set) map[string]string {
	out := map[string]string{}
	for _, t := range []study.Tag{0x0040A375, 0x0040A385} {
		for _, item := range s.Items(t) {
			for _, series := range item.Items(0x00081115) {
				uid := series.UID(0x0020000E)
				for _, ref := range series.Items(0x00081199) {
					out[ref.UID(0x00081155)] = uid
				}
			}
		}
	}
	return out
}

// contentReader walks the content tree.
type contentReader struct {
	k     *KeyObjects
	of    map[string]string
	count int
	over  bool
}

func (w *contentReader) read(s object.Set, depth int) {
	for _, item := range s.Items(0x0040A730) {
		if w.count++; w.count > contentMax || depth >= depthMax || len(w.k.Images) >= RefsMax {
			w.over = true
			return
		}
		switch item.Text(0x0040A040) {
		case "IMAGE", "COMPOSITE", "WAVEFORM":
			ref := item.First(0x00081199)
			r := Ref{Class: ref.UID(0x00081150), SOPUID: ref.UID(0x00081155), Frames: ref.Ints(0x00081160)}
			if r.SeriesUID = w.of[r.SOPUID]; r.SOPUID != "" {
				w.k.Images = append(w.k.Images, r)
			}
		case "TEXT":
			if item.First(0x0040A043).Text(0x00080100) == "113012" && w.k.Description == "" {
				w.k.Description = textLines(item.Text(0x0040A160))
			}
		case "PNAME":
			if item.First(0x0040A043).Text(0x00080100) == "121008" && w.k.Creator == "" {
				w.k.Creator = text.Line(item.Text(0x0040A123))
			}
		}
		w.read(item, depth+1)
	}
}

// Keys makes a selection for each study of the frames of marks that are key
// images, in order, each once. Made and the title are left to be filled in.
func Keys(marks []Marked) []*KeyObjects {
	var out []*KeyObjects
	at := map[string]*KeyObjects{}
	for _, m := range marks {
		if m.Image == nil || m.Frame < 1 {
			continue
		}
		k := at[m.Image.StudyUID]
		if k == nil {
			k = &KeyObjects{StudyUID: m.Image.StudyUID}
			at[k.StudyUID] = k
			out = append(out, k)
		}
		add(&k.Images, refOf(m.Image, m.Frame))
		if m.Label != "" {
			k.Description = strings.TrimPrefix(object.Clip(k.Description+"\n"+text.Line(m.Label), textMax), "\n")
		}
	}
	return out
}
