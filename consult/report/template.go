package report

import (
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A Template is where a report starts: sections in their order, with a prompt in double square
// brackets wherever the author has to write. Nothing in it is a finding, and a report that still has a prompt cannot be
// signed (FIELD §6, F28): see [Prompts].
type Template struct {
	Name      string `json:"name"`
	Title     string `json:"title"`
	Specialty string `json:"specialty"`
	Text      string `json:"text"`
}

//go:embed templates/*.txt
var templateFiles embed.FS

// Templates lists the templates by name. Each file begins with its title and specialty, a line each.
func Templates() []Template {
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil // cannot be: they are embedded
	}
	out := make([]Template, 0, len(files))
	for _, f := range files {
		b, err := templateFiles.ReadFile("templates/" + f.Name())
		if err != nil {
			continue
		}
		title, rest, _ := strings.Cut(string(b), "\n")
		specialty, body, _ := strings.Cut(rest, "\n")
		out = append(out, Template{Name: strings.TrimSuffix(f.Name(), ".txt"), Title: title, Specialty: specialty, Text: strings.TrimLeft(body, "\n")})
	}
	return out
}

// FindTemplate gives a template by name.
func FindTemplate(name string) (Template, bool) {
	all := Templates()
	i := slices.IndexFunc(all, func(t Template) bool { return t.Name == strings.ToLower(name) })
	if i < 0 {
		return Template{}, false
	}
	return all[i], true
}

// Evidence is a mark as a report cites it.
type Evidence struct {
	Label string // A1, as the interface shows it
	Value string // "8.2 mm", with what its calibration is; its text where it measures nothing
	Where string // "series 2, image 52"
}

var (
	citation = regexp.MustCompile(`\{\{\s*([A-Za-z]+[0-9]+)\s*\}\}`)
	anyBrace = regexp.MustCompile(`\{\{[^{}\n]{0,80}\}?\}?`)
	prompt   = regexp.MustCompile(`\[\[[^\[\]]*\]\]`)
)

// Expand puts evidence where a text cites it: {{A1}} becomes "8.2 mm (A1: series 2, image 52)". A
// citation of a mark that there is not is an error, so that no report is signed with a hole in it.
func Expand(s string, all []Evidence) (string, error) {
	var unknown []string
	out := citation.ReplaceAllStringFunc(s, func(m string) string {
		label := strings.ToUpper(citation.FindStringSubmatch(m)[1])
		i := slices.IndexFunc(all, func(e Evidence) bool { return strings.ToUpper(e.Label) == label })
		if i < 0 {
			unknown = append(unknown, label)
			return m
		}
		e := all[i]
		where := e.Label
		if e.Where != "" {
			where += ": " + e.Where
		}
		if e.Value == "" {
			return "(" + where + ")"
		}
		return e.Value + " (" + where + ")"
	})
	switch {
	case len(unknown) > 0:
		return "", fmt.Errorf("the report cites %s: no such mark", strings.Join(unknown, ", "))
	case citation.FindString(s) == "" && anyBrace.MatchString(s), len(anyBrace.FindAllString(s, -1)) > len(citation.FindAllString(s, -1)):
		return "", fmt.Errorf("the report cites something that is no mark: write {{A1}}")
	}
	return out, nil
}

// Prompts are the prompts of a template that were not filled in.
func Prompts(s string) []string { return prompt.FindAllString(s, -1) }
