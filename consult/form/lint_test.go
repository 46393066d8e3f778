package form

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// good is a request with which nothing is wrong.
func good(t testing.TB) (Draft, Facts) {
	t.Helper()
	f, err := Parse([]byte(`{"form":"msk","type":"diagnosis","history":"knee pain for 3 weeks","body_part":"knee","side":"left","countries":"NZ","doubt":"meniscus","age":"45 y","sex":"female","onset":"2026-01-10"}`))
	if err != nil {
		t.Fatal(err)
	}
	p := Patient{Name: "DOE^JANE", ID: "MRN-00123", BirthDate: "19800315", Sex: "F"}
	d := Draft{Question: "Is the left meniscus torn?", Priority: "routine", Consent: "treatment", ReplyTo: "555", Form: f}
	return d, Facts{
		ModeChosen: true, Today: "2026-01-31", Patient: p, Recipients: []Recipient{{Trust: 3, Wanted: 2}},
		Studies: []Study{{Date: "20260130", Lateralities: []string{"L"}, Texts: []string{"MR KNEE LEFT"}, Patient: p, Listed: 60, Here: 60}},
	}
}

func codes(found []Finding) string {
	var out []string
	for _, f := range found {
		c := f.Code
		if f.Refuse {
			c += "!"
		}
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return strings.Join(out, " ")
}

// TestLint changes one thing each in a good request. "!" is a refusal.
func TestLint(t *testing.T) {
	set := func(name, value string) func(*Draft, *Facts) {
		return func(d *Draft, _ *Facts) {
			if err := d.Form.Set(name, value); err != nil {
				panic(err)
			}
		}
	}
	other := func(change func(p *Patient)) func(*Draft, *Facts) {
		return func(_ *Draft, f *Facts) {
			s := f.Studies[0]
			change(&s.Patient)
			f.Studies = append(f.Studies, s)
		}
	}
	for _, tt := range []struct {
		name   string
		change func(d *Draft, f *Facts)
		want   string
	}{
		{"good", func(*Draft, *Facts) {}, ""},
		// G1
		{"G1 no question", func(d *Draft, _ *Facts) { d.Question = " " }, "question!"},
		{"G1 no consent", func(d *Draft, _ *Facts) { d.Consent = "" }, "consent!"},
		{"G1 mode not chosen", func(_ *Draft, f *Facts) { f.ModeChosen = false }, "identification!"},
		{"G1 nobody asked", func(_ *Draft, f *Facts) { f.Recipients = nil }, "recipient!"},
		{"G1 recipient not verified", func(_ *Draft, f *Facts) { f.Recipients[0].Trust = 1 }, "recipient!"},
		{"G1 no study", func(_ *Draft, f *Facts) { f.Studies = nil }, "studies!"},
		{"G1 blobs not here", func(_ *Draft, f *Facts) { f.Studies[0].Here = 59 }, "studies!"},
		{"G1 risky frames", func(_ *Draft, f *Facts) { f.Studies[0].Risky = 2 }, "risky-frames!"},
		{"G1 another name", other(func(p *Patient) { p.Name = "ROE^JANE" }), "patients!"},
		{"G1 another number", other(func(p *Patient) { p.ID = "MRN-00124" }), "patients!"},
		{"G1 another birth date", other(func(p *Patient) { p.BirthDate = "19810315" }), "patients!"},
		{"G1 another sex", other(func(p *Patient) { p.Sex = "M" }), "patients!"},
		{"the same written otherwise", other(func(p *Patient) { p.Name, p.BirthDate = "Doe^Jane^^", "1980-03-15" }), ""},
		{"a study that says less", other(func(p *Patient) { p.Name, p.Sex = "", "" }), ""},
		// §4.9
		{"short question", func(d *Draft, _ *Facts) { d.Question = "cough, dog" }, "question"},
		{"incomplete", func(_ *Draft, f *Facts) { f.Studies[0].Incomplete = true }, "incomplete"},
		{"side against tags", func(_ *Draft, f *Facts) { f.Studies[0].Lateralities, f.Studies[0].Texts = []string{"R"}, nil }, "side-tag"},
		{"side against series text", func(_ *Draft, f *Facts) { f.Studies[0].Lateralities, f.Studies[0].Texts = nil, []string{"KNIE RECHTS"} }, "side-text"},
		{"both sides imaged", func(_ *Draft, f *Facts) {
			f.Studies[0].Lateralities, f.Studies[0].Texts = []string{"L", "R"}, []string{"LEFT AND RIGHT"}
		}, ""},
		{"a prior of the other side", func(_ *Draft, f *Facts) {
			s := f.Studies[0]
			s.Prior, s.Lateralities, s.Texts = true, []string{"R"}, []string{"RIGHT KNEE"}
			f.Studies = append(f.Studies, s)
		}, ""},
		{"question of the other side", func(d *Draft, _ *Facts) { d.Question = "Is the right meniscus torn?" }, "sides"},
		{"side only in the question", func(d *Draft, f *Facts) {
			_ = d.Form.Set("side", "not applicable")
			f.Studies[0].Lateralities, f.Studies[0].Texts = []string{"R"}, nil
		}, "side-tag"},
		{"alright is no side", func(d *Draft, f *Facts) {
			_ = d.Form.Set("side", "not applicable")
			d.Question, f.Studies[0].Lateralities = "Is the meniscus alright?", []string{"R"}
		}, ""},
		{"age", set("age", "54 y"), "age"},
		{"age before the birthday", set("age", "46 y"), "age"},
		{"organ against sex", set("body_part", "prostate"), "sex"},
		{"sex against the images", set("sex", "male"), "sex"},
		{"onset in the future", set("onset", "2026-03-01"), "future-date older-than-symptom"},
		{"study in the future", func(_ *Draft, f *Facts) { f.Studies[0].Date = "20260301" }, "future-date"},
		{"tomorrow is today somewhere", func(_ *Draft, f *Facts) { f.Studies[0].Date = "20260201" }, ""},
		{"birth in the future", func(_ *Draft, f *Facts) {
			f.Patient.BirthDate, f.Studies[0].Patient.BirthDate = "20990101", "20990101"
		}, "age future-date"},
		{"study older than the symptom", set("onset", "2026-01-31"), "older-than-symptom"},
		{"an older prior", func(d *Draft, f *Facts) { f.Studies[0].Prior, f.Studies[0].Date = true, "20200101" }, ""},
		{"animal without its form", func(_ *Draft, f *Facts) {
			f.Patient.Species, f.Studies[0].Patient.Species = "Canine", "Canine"
		}, "species"},
		{"not given", set("history", ""), "missing"},
		{"stat without a reason", func(d *Draft, _ *Facts) { d.Priority = "stat" }, "missing"},
		{"no call back", func(d *Draft, _ *Facts) { d.ReplyTo = "" }, "missing"},
		{"no form", func(d *Draft, _ *Facts) { d.Form = nil }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, f := good(t)
			tt.change(&d, &f)
			found := Lint(d, f)
			if got := codes(found); got != tt.want {
				t.Errorf("found %q, want %q: %+v", got, tt.want, found)
			}
			for _, x := range found {
				if x.Message == "" || contains(wordsOf(fmt.Sprint(x)), []string{"doe"}) {
					t.Errorf("message %+v", x)
				}
			}
		})
	}
}

// TestF01OnePatient: several patients in a request are refused (see the rows
// "another …" of TestLint for each attribute alone).
func TestF01OnePatient(t *testing.T) {
	d, f := good(t)
	s := f.Studies[0]
	s.Patient = Patient{Name: "ROE^RICHARD", ID: "X9999", BirthDate: "19500101", Sex: "M"}
	f.Studies = append(f.Studies, s)
	if n := len(Refused(Lint(d, f))); n != 4 {
		t.Errorf("%d refusals, want name, number, birth date and sex", n)
	}
}

// TestF17RecipientTrust: a recipient below what is asked for is refused.
func TestF17RecipientTrust(t *testing.T) {
	for trust := range 5 {
		d, f := good(t)
		f.Recipients = append(f.Recipients, Recipient{Trust: trust, Wanted: 3})
		if refused := len(Refused(Lint(d, f))) > 0; refused != (trust < 3) {
			t.Errorf("trust %d: refused %v", trust, refused)
		}
	}
}

// TestF20OneKind: a case holds humans or animals, and animals have their form.
func TestF20OneKind(t *testing.T) {
	d, f := good(t)
	s := f.Studies[0]
	s.Patient.Species = "Feline"
	f.Studies = append(f.Studies, s)
	if got := codes(Lint(d, f)); !strings.Contains(got, "kinds!") {
		t.Errorf("found %q", got)
	}
	vet, _ := Get("veterinary")
	d, f = good(t)
	d.Form = New(vet)
	if got := codes(Lint(d, f)); !strings.Contains(got, "species") {
		t.Errorf("animal form for a human: %q", got)
	}
}

// TestF23Consent: without a basis a request is refused, and the countries are
// insisted on.
func TestF23Consent(t *testing.T) {
	d, f := good(t)
	d.Consent = ""
	if got := codes(Lint(d, f)); got != "consent!" {
		t.Errorf("found %q", got)
	}
	d, f = good(t)
	if err := d.Form.Set("countries", ""); err != nil {
		t.Fatal(err)
	}
	if got := codes(Lint(d, f)); got != "missing" {
		t.Errorf("found %q", got)
	}
}

// TestF11IdentityInText: what names the patient of a pseudonymised case is
// refused wherever it stands, however it is written, and never repeated.
func TestF11IdentityInText(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"Ms Doe has a torn meniscus", "name"},
		{"ms DOE has", "name"},
		{"ask Jane", "name"},
		{"Jâne", "name"},
		{"D\u200boe", "name"},
		{"Ｄｏｅ", "name"},
		{"the doer", ""},
		{"janet", ""},
		{"MRN-00123", "number"},
		{"mrn 00 123", "number"},
		{"MRN00123x", "number"},
		{"MRN-00124", ""},
		{"born 15.03.1980", "birth date"},
		{"born 15.3.80", "birth date"},
		{"DOB 1980-03-15", "birth date"},
		{"03/15/1980", "birth date"},
		{"19800315", "birth date"},
		{"15 March 1980", "birth date"},
		{"March 15, 1980", "birth date"},
		{"in 1980", ""},
		{"119800315", ""},
		{"Jane, 15.03.1980, MRN-00123", "birth date name number"},
	} {
		for _, place := range []string{"question", "form", "file name"} {
			d, f := good(t)
			f.Pseudonymised = true
			switch place {
			case "question":
				d.Question = "Is the left meniscus torn? " + tt.text
			case "form":
				if err := d.Form.Set("labs", tt.text); err != nil {
					t.Fatal(err)
				}
			default:
				d.Texts = map[string]string{place: tt.text}
			}
			var got []string
			for _, x := range Lint(d, f) {
				if x.Code != CodeIdentity {
					continue
				}
				if !x.Refuse || strings.Contains(x.Message, tt.text) {
					t.Errorf("%q in %s: %+v", tt.text, place, x)
				}
				for _, what := range []string{"name", "number", "birth date"} {
					if strings.Contains(x.Message, "patient's "+what) {
						got = append(got, what)
					}
				}
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%q in %s: %q, want %q", tt.text, place, got, tt.want)
			}
		}
	}
	d, f := good(t)
	d.Question = "Is the left meniscus of Jane Doe torn?"
	if found := Lint(d, f); len(found) > 0 {
		t.Errorf("identified: %+v", found)
	}
	f.Pseudonymised, f.Patient.Name, f.Studies[0].Patient.Name = true, "Hand^Rose", ""
	d.Question = "Is the left hand broken?"
	if codes(Lint(d, f)) != "identity-in-text!" {
		t.Error("a name that is a word is let pass without a person")
	}
	f.Released = []string{"hand"}
	if found := Lint(d, f); len(found) > 0 {
		t.Errorf("released: %+v", found)
	}
	if got := Identity(Facts{Patient: Patient{Name: "王^小明=Wang^XiaoMing"}}, "患者王小明"); !slices.Equal(got, []string{"name"}) {
		t.Errorf("a name without spaces: %v", got)
	}
}

func FuzzLint(f *testing.F) {
	f.Add("Is the left knee of Jane ok?", "DOE^JANE", "123", "19800315", "2026-01-31", "R")
	f.Fuzz(func(t *testing.T, question, name, id, birth, today, side string) {
		d, facts := good(t)
		d.Question, facts.Pseudonymised, facts.Today = question, true, today
		facts.Patient = Patient{Name: name, ID: id, BirthDate: birth, Sex: side, Species: side}
		facts.Studies[0].Lateralities, facts.Studies[0].Texts = []string{side}, []string{question, name}
		found := Lint(d, facts)
		refused := true
		for _, x := range found {
			if x.Refuse && !refused {
				t.Fatal("refusals do not come first")
			}
			refused = x.Refuse
		}
	})
}
