package form

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestTable holds the embedded table to what the package says of it.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range List() {
		if seen[f.Name] || f.Name == "" || f.Title == "" || f.Specialty == "" || f.Version < 1 || len(f.Fields) == 0 {
			t.Errorf("form %q is not whole or comes twice", f.Name)
		}
		seen[f.Name] = true
		fields := map[string]bool{}
		for _, x := range f.Fields {
			if fields[x.Name] || safeName(x.Name) != x.Name || x.Title == "" || x.Section == "" || x.Name == nameKey {
				t.Errorf("%s: field %q is not whole or comes twice", f.Name, x.Name)
			}
			fields[x.Name] = true
			switch x.Type {
			case Choice, Choices, Differential:
				if len(x.Options) < 2 || slices.ContainsFunc(x.Options, func(o string) bool { return o == "" || strings.Contains(o, ",") }) {
					t.Errorf("%s: options of %s", f.Name, x.Name)
				}
			case OfScheme:
				if _, ok := GetScheme(x.Scheme); !ok {
					t.Errorf("%s: %s has no scheme", f.Name, x.Name)
				}
			case Number, Integer:
				if x.Min == nil || x.Max == nil || *x.Min >= *x.Max {
					t.Errorf("%s: %s has no range", f.Name, x.Name)
				}
			case Text, Lines, Date, Time, Age:
			default:
				t.Errorf("%s: %s has the unknown type %q", f.Name, x.Name, x.Type)
			}
			if name, _, _ := strings.Cut(x.RequiredIf, "="); name != "" && name != "paired" {
				if _, ok := f.Field(name); !ok {
					t.Errorf("%s: %s depends on no field", f.Name, x.Name)
				}
			}
		}
		if len(f.Fields) > 128 {
			t.Errorf("%s: more fields than a document holds", f.Name)
		}
	}
	for _, s := range Schemes() {
		ways := 0
		for _, way := range []bool{len(s.Values) > 0, s.Pattern != "", s.Max > 0} {
			if way {
				ways++
			}
		}
		if ways != 1 || s.Title == "" || s.Edition == "" {
			t.Errorf("scheme %q", s.Name)
		}
	}
}

// stars are the fields that FIELD §4.9 and §4.10 insist on, read from there.
var stars = map[string]string{
	"general": "question type priority history body_part studies identification consent countries reply_to",
	"chest":   "doubt", "neuro": "doubt", "abdomen": "doubt", "breast": "doubt", "msk": "doubt", "cardiovascular": "doubt", "thyroid": "doubt",
	"orthopaedics":   "mechanism side",
	"podiatry":       "side weight_bearing",
	"chiropractic":   "position red_flags",
	"veterinary":     "species breed neutered age weight",
	"dental":         "notation teeth",
	"urgent-care":    "onset_time vital_signs here_until who_acts",
	"opinion":        "answer comparison display scope",
	"opinion-breast": "birads", "opinion-lung": "lungrads", "opinion-thyroid": "tirads", "opinion-prostate": "pirads", "opinion-kidney": "bosniak",
}

func TestStars(t *testing.T) {
	for name, want := range stars {
		f, ok := Get(name)
		if !ok {
			t.Errorf("no form %s", name)
			continue
		}
		if f.Kind == Request {
			want += " " + stars["general"]
		}
		for field := range strings.FieldsSeq(want) {
			if x, ok := f.Field(field); !ok || !x.Required {
				t.Errorf("%s does not insist on %s", name, field)
			}
		}
	}
}

// TestF28TemplateIsNoOpinion: no form brings words that could be taken for a
// doctor's, and no scheme says what to do.
func TestF28TemplateIsNoOpinion(t *testing.T) {
	for _, f := range List() {
		n := New(f)
		if len(n.Values) > 0 || len(n.Context()) > 1 {
			t.Errorf("%s is not empty when it is new", f.Name)
		}
		for _, s := range n.Sections() {
			for _, r := range s.Rows {
				if r.Given || r.Value != NotGiven {
					t.Errorf("%s says %q for %s by itself", f.Name, r.Value, r.Name)
				}
			}
		}
	}
	for _, name := range []string{"requests", "opinions", "schemes"} {
		b, err := schemas.ReadFile("schemas/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		low := strings.ToLower(string(b))
		for _, word := range []string{`"default"`, `"template"`, "recommend biopsy", "follow-up in", "unremarkable", "no evidence of", "tissue diagnosis", "months"} {
			if strings.Contains(low, word) {
				t.Errorf("%s.json holds %q", name, word)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		want       map[string]string // values, if it is good
		wrong      string            // else the errors
	}{
		{"empty", `{}`, map[string]string{}, ""},
		{"general", `{"type":"diagnosis","history":" cough "}`, map[string]string{"type": "diagnosis", "history": "cough"}, ""},
		{"not given", `{"form":"chest","history":"","onset":null}`, map[string]string{}, ""},
		{"choice in capitals", `{"type":"Diagnosis"}`, map[string]string{"type": "diagnosis"}, ""},
		{"choices as a list", `{"form":"podiatry","views":["AP","lateral"]}`, map[string]string{"views": "AP, lateral"}, ""},
		{"choices as a text", `{"form":"podiatry","views":"ap, Lateral"}`, map[string]string{"views": "AP, lateral"}, ""},
		{"yes and no", `{"form":"podiatry","weight_bearing":true}`, map[string]string{"weight_bearing": "yes"}, ""},
		{"number", `{"form":"veterinary","weight":4.20}`, map[string]string{"weight": "4.2 kg"}, ""},
		{"number with its unit", `{"form":"veterinary","weight":"4.2 kg"}`, map[string]string{"weight": "4.2 kg"}, ""},
		{"age", `{"age":45}`, map[string]string{"age": "45 y"}, ""},
		{"age of DICOM", `{"age":"045Y"}`, map[string]string{"age": "45 y"}, ""},
		{"age in months", `{"age":"8 months"}`, map[string]string{"age": "8 mo"}, ""},
		{"time", `{"form":"urgent-care","onset_time":"2026-01-31T23:30:00+13:00"}`, map[string]string{"onset_time": "2026-01-31T23:30:00+13:00"}, ""},
		{"impression", `{"form":"opinion","impression":["a","b"]}`, map[string]string{"impression": "a\nb"}, ""},
		{"differential", `{"form":"opinion","differential":["Probable: tuberculosis","unlikely:lymphoma"]}`, map[string]string{"differential": "probable: tuberculosis\nunlikely: lymphoma"}, ""},
		{"scheme", `{"form":"opinion-breast","birads":"4a"}`, map[string]string{"birads": "4A"}, ""},

		{"no JSON", `x`, nil, "is not a JSON object of fields"},
		{"a list", `[]`, nil, "is not a JSON object of fields"},
		{"cut", `{"type":"diagnosis"`, nil, "is not a JSON object of fields"},
		{"more after it", `{} {}`, nil, "is not a JSON object of fields"},
		{"twice", `{"type":"staging","type":"diagnosis"}`, nil, "has a field twice"},
		{"not UTF-8", "{\"history\":\"\xff\"}", nil, "is not UTF-8"},
		{"unknown form", `{"form":"x"}`, nil, "form: no such form"},
		{"form that is none", `{"form":7}`, nil, "form: names a form"},
		{"unknown field", `{"hystory":"x"}`, nil, "hystory: is not a field of general"},
		{"unknown field that may be a name", `{"Jane Doe":"x"}`, nil, "a field: is not a field of general"},
		{"outside the options", `{"type":"guess"}`, nil, "type: is one of diagnosis, staging, compare, technique, management, teaching"},
		{"an object", `{"history":{"a":1}}`, nil, "history: is a text, a number or a list of texts"},
		{"a list of numbers", `{"form":"podiatry","views":[1]}`, nil, "views: is a list of texts"},
		{"several", `{"history":["a","b"]}`, nil, "history: is one value, not a list"},
		{"the same twice", `{"form":"podiatry","views":["AP","ap"]}`, nil, "views: says a thing twice"},
		{"date", `{"onset":"31.1.2026"}`, nil, "onset: is a date, YYYY-MM-DD"},
		{"no such date", `{"onset":"2026-02-30"}`, nil, "onset: is a date, YYYY-MM-DD"},
		{"time without a zone", `{"form":"urgent-care","onset_time":"2026-01-31T23:30:00"}`, nil, "onset_time: is a time with its zone"},
		{"age", `{"age":"old"}`, nil, "age: is an age"},
		{"age beyond any", `{"age":"900 y"}`, nil, "age: is an age"},
		{"number", `{"form":"veterinary","weight":"heavy"}`, nil, "weight: is a number"},
		{"number that is none", `{"form":"veterinary","weight":"NaN"}`, nil, "weight: is a number"},
		{"number beyond its range", `{"form":"neuro","gcs":16}`, nil, "gcs: is from 3 to 15"},
		{"whole number", `{"form":"neuro","gcs":14.5}`, nil, "gcs: is a whole number"},
		{"differential", `{"form":"opinion","differential":"perhaps: x"}`, nil, "differential: each line is a confidence and a diagnosis"},
		{"scheme", `{"form":"opinion-breast","birads":"7"}`, nil, "birads: is not in BI-RADS: one of 0, 1"},
		{"two errors", `{"type":"x","age":"y"}`, nil, "type: is one of diagnosis, staging, compare, technique, management, teaching; age: is an age"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse([]byte(tt.file))
			switch {
			case tt.wrong == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.wrong == "":
				if fmt.Sprint(f.Values) != fmt.Sprint(tt.want) {
					t.Errorf("got %v, want %v", f.Values, tt.want)
				}
			case err == nil || !strings.HasPrefix(err.Error(), tt.wrong):
				t.Errorf("got %v, want %s", err, tt.wrong)
			default:
				if e, ok := AsErrors(err); !ok || len(e) == 0 {
					t.Error("not by field")
				}
			}
		})
	}
}

func TestParseLimits(t *testing.T) {
	file := func(fields map[string]any) []byte {
		b, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, tt := range []struct {
		name string
		file []byte
	}{
		{"file", file(map[string]any{"history": strings.Repeat("x", FileMax)})},
		{"value", file(map[string]any{"history": strings.Repeat("x", ValueMax+1)})},
		{"all values", file(map[string]any{"history": strings.Repeat("x", ValueMax), "labs": strings.Repeat("x", ValuesMax-ValueMax)})},
		{"lines", file(map[string]any{"form": "opinion", "impression": strings.Split(strings.Repeat("x ", ListMax)+"x", " ")})},
		{"lines of 32 KiB", file(map[string]any{"form": "opinion", "impression": []string{strings.Repeat("x", ValueMax), "y"}})},
		{"deep", []byte(`{"history":` + strings.Repeat("[", 100_000))},
	} {
		if _, err := Parse(tt.file); err == nil {
			t.Errorf("%s: accepted", tt.name)
		}
	}
}

// TestSchemes: what is outside of a scheme is refused, what is inside comes out
// as it is written.
func TestSchemes(t *testing.T) {
	for _, tt := range []struct{ scheme, good, refused string }{
		{"bi-rads", "0 1 2 3 4 4A 4B 4C 5 6", "7 4D -1 IV BI-RADS"},
		{"bi-rads-density", "A B C D", "E 1"},
		{"li-rads", "LR-NC LR-1 LR-2 LR-3 LR-4 LR-5 LR-M LR-TIV", "LR-6 LR-0 LR"},
		{"lung-rads", "0 1 2 3 4A 4B 4X 2S 4BS", "4 5 4C S"},
		{"ti-rads", "TR1 TR2 TR3 TR4 TR5", "TR0 TR6 6"},
		{"pi-rads", "1 2 3 4 5", "0 6 X"},
		{"bosniak", "I II IIF III IV", "V IIA 2"},
		{"ao-ota", "31A1.3 2R2A3 44B 42C3(a,b) 61C1.3 4F2A", "99A1 31D1 31A4 2X1A 31A1.33 31 31a1"},
		{"ao-spine", "A0 A4 B2 C", "A5 D B0"},
		{"garden", "I II III IV", "V 0"},
		{"salter-harris", "I II III IV V", "VI"},
		{"weber", "A B C", "D"},
		{"gustilo-anderson", "I II IIIA IIIB IIIC", "III IV"},
		{"schatzker", "I VI", "VII"},
		{"neer", "one-part four-part", "five-part"},
		{"kellgren-lawrence", "0 4", "5"},
		{"risser", "0 5", "6"},
		{"periapical-index", "1 5", "0 6"},
	} {
		s, ok := GetScheme(tt.scheme)
		if !ok {
			t.Errorf("no scheme %s", tt.scheme)
			continue
		}
		for v := range strings.FieldsSeq(tt.good) {
			if got, err := s.Value(v); err != nil || got != v {
				t.Errorf("%s %s: %q, %v", tt.scheme, v, got, err)
			}
			if s.Pattern == "" {
				if got, err := s.Value(" " + strings.ToLower(v) + " "); err != nil || got != v {
					t.Errorf("%s in small letters: %q, %v", v, got, err)
				}
			}
		}
		for v := range strings.FieldsSeq(tt.refused) {
			if got, err := s.Value(v); err == nil {
				t.Errorf("%s %s: accepted as %q", tt.scheme, v, got)
			}
		}
	}
	for _, s := range Schemes() {
		for _, c := range s.Categories() {
			if got, err := s.Value(s.Title + " " + c); err != nil || got != c {
				t.Errorf("%s %s: %q, %v", s.Title, c, got, err)
			}
		}
	}
	vhs, _ := GetScheme("vertebral-heart-score")
	for said, want := range map[string]string{"10.5": "10.5 v", "9.7 v": "9.7 v", "10": "10.0 v", "3.9": "", "20.1": "", "10.55": "", "big": "", "NaN": "", "+Inf": ""} {
		if got, err := vhs.Value(said); got != want || (err == nil) != (want != "") {
			t.Errorf("vertebral heart score %s: %q, %v", said, got, err)
		}
	}
}

func TestMissing(t *testing.T) {
	missing := func(file string) string {
		f, err := Parse([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, x := range f.Missing() {
			out = append(out, x.Name)
		}
		return strings.Join(out, " ")
	}
	for _, tt := range []struct{ file, want string }{
		{`{}`, "type history body_part countries"},
		{`{"type":"diagnosis","history":"fall","body_part":"Left knee","countries":"NZ"}`, "side"},
		{`{"type":"diagnosis","history":"fall","body_part":"skull","countries":"NZ"}`, ""},
		{`{"type":"diagnosis","history":"fall","body_part":"skull","countries":"NZ","priority":"stat"}`, "priority_reason"},
		{`{"form":"opinion","answer":"no","display":"terminal (uncalibrated)","comparison":"no priors available","scope":"question only","critical":"bleeding","recommendation":"CT"}`, "time_frame critical_tier"},
	} {
		if got := missing(tt.file); got != tt.want {
			t.Errorf("%s: missing %q, want %q", tt.file, got, tt.want)
		}
	}
}

func TestRender(t *testing.T) {
	f, err := Parse([]byte(`{"form":"opinion-breast","answer":"No.\u001b[2J","impression":["first","second"],"birads":"BI-RADS 4B","side":"left","display":"terminal (uncalibrated)"}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `Answer
  Answer to the question: No.[2J

Examination
  Display: terminal (uncalibrated)
  Comparison: not given

Findings
  Impression:
    1. first
    2. second

Category
  BI-RADS: 4B (moderate suspicion; 5th edition, 2013)
  Side: left

Scope
  Scope: not given
`
	if got := f.Render(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	back := FromContext(f.Context())
	if got := back.Render(); got != want {
		t.Errorf("does not come back:\n%s", got)
	}
	later := FromContext(map[string]string{"form": "from-the-future/9", "side": "left", "Zukunft": "x\x1b"})
	if got := later.Render(); !strings.Contains(got, "Zukunft: x\n") || !strings.Contains(got, "Side: left") || later.Form.Version != 9 {
		t.Errorf("a later form:\n%s", got)
	}
	if g, _ := Get("general"); len(g.Fields) == 0 || slices.ContainsFunc(g.Fields, func(x Field) bool { return x.Name == "Zukunft" }) {
		t.Error("reading a later form changed the table")
	}
}

func TestHeld(t *testing.T) {
	f, err := Parse([]byte(`{"form":"chest","question":"Is it new?","priority":"stat","doubt":"nodule"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.Held()); got != "map[priority:stat question:Is it new?]" {
		t.Errorf("held %s", got)
	}
	if got := fmt.Sprint(f.Context()); got != "map[doubt:nodule form:chest/1]" {
		t.Errorf("context %s", got)
	}
	if err := f.Set("doubt", ""); err != nil || f.Values["doubt"] != "" {
		t.Error("not taken away")
	}
	if err := f.Set("nothing", "x"); err == nil {
		t.Error("an unknown field was set")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{}`, `{"form":"opinion","differential":["probable: x"]}`, `{"form":"veterinary","weight":"4.2 kg","age":"3 mo"}`, `{"form":"opinion-fracture","ao_ota":"31A1.3"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		x, err := Parse(file)
		if err != nil {
			if _, ok := AsErrors(err); !ok {
				t.Fatal("not by field")
			}
			return
		}
		// what was accepted is accepted again, as it is written
		again := map[string]string{"form": x.Form.Name}
		maps.Copy(again, x.Values)
		b, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		y, err := Parse(b)
		if err != nil || fmt.Sprint(x.Values) != fmt.Sprint(y.Values) {
			t.Fatalf("%v, then %v: %v", x.Values, y, err)
		}
		if FromContext(x.Context()).Render() == "" && len(x.Context()) > 1 {
			t.Fatal("renders to nothing")
		}
	})
}
