package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/consult/form"
	"github.com/curbside-p2p/curbside/node/control"
)

// formRow is a form in a list.
type formRow struct {
	Name      string `json:"name"`
	Title     string `json:"title"`
	Kind      string `json:"kind"` // request or opinion
	Specialty string `json:"specialty"`
	Version   int    `json:"version"`
	Animal    bool   `json:"animal"`
}

// formDetail is a form with its fields and the schemes that they use.
type formDetail struct {
	formRow
	Fields  []form.Field   `json:"fields"`
	Schemes []schemeDetail `json:"schemes"`
}

type schemeDetail struct {
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	Edition    string   `json:"edition"`
	Categories []string `json:"categories"`
}

func rowOfForm(f form.Form) formRow {
	return formRow{Name: f.Name, Title: f.Title, Kind: string(f.Kind), Specialty: f.Specialty, Version: f.Version, Animal: f.Animal}
}

func (a *app) formCmd() *cobra.Command {
	list := &cobra.Command{
		Use:     "list",
		Short:   "the forms of requests and opinions, by specialty",
		Example: "  curbside form list\n  curbside form list --json | jq -r '.[] | select(.kind==\"opinion\") | .name'",
		Args:    places(),
		RunE: a.work(func(*cobra.Command, []string) error {
			rows := []formRow{}
			for _, f := range form.List() {
				rows = append(rows, rowOfForm(f))
			}
			return a.emit(rows, func(pg *page) {
				for _, r := range rows {
					pg.row(r.Kind, r.Name, r.Specialty, r.Title)
				}
			})
		}),
	}
	show := &cobra.Command{
		Use:   "show NAME",
		Short: "the fields of a form",
		Long: `show prints the fields of a form. A filled-in form is a JSON file of values by field name, with the
form's name under "form": {"form": "orthopaedics", "side": "left", …}. What is marked * should be
said; what is not is sent as "not given".`,
		Example: "  curbside form show orthopaedics\n  curbside form show opinion-breast --json",
		Args:    places("NAME"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if len(args) == 0 {
				for _, f := range form.List() {
					names = append(names, f.Name+"\t"+f.Title)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: a.work(func(_ *cobra.Command, args []string) error {
			f, ok := form.Get(args[0])
			if !ok {
				return control.Errorf(control.NotFound, "no such form").WithHint("list them with: curbside form list")
			}
			d := detailOfForm(f)
			return a.emit(d, func(pg *page) { pg.form(d) })
		}),
	}
	return group("form", "forms of requests and opinions: list, show", "  curbside form list\n  curbside form show orthopaedics", list, show)
}

func detailOfForm(f form.Form) formDetail {
	d := formDetail{formRow: rowOfForm(f), Fields: f.Fields, Schemes: []schemeDetail{}}
	for _, x := range f.Fields {
		if s, ok := form.GetScheme(x.Scheme); ok && x.Scheme != "" {
			d.Schemes = append(d.Schemes, schemeDetail{Name: s.Name, Title: s.Title, Edition: s.Edition, Categories: s.Categories()})
		}
	}
	return d
}

func (pg *page) form(d formDetail) {
	pg.field("form", d.Name)
	pg.field("title", d.Title)
	pg.field("kind", d.Kind)
	pg.field("version", d.Version)
	section := ""
	for _, x := range d.Fields {
		if x.Section != section {
			section = x.Section
			pg.gap()
			pg.print(section + "\n")
		}
		star := " "
		if x.Required {
			star = "*"
		}
		what := x.Type
		switch {
		case len(x.Options) > 0:
			what = strings.Join(x.Options, " | ")
		case x.Scheme != "":
			what = "a category of " + x.Scheme
		}
		pg.row(star+" "+x.Name, x.Title, what)
	}
	for _, s := range d.Schemes {
		pg.gap()
		pg.row(s.Name, s.Title, s.Edition)
		pg.block(strings.Join(s.Categories, "\n"))
	}
}

// readForm reads a filled-in form.
func readForm(path string) (map[string]any, error) {
	b, err := readFile(path, textBytesMax)
	if err != nil {
		return nil, fmt.Errorf("read the form: %w", err)
	}
	var values map[string]any
	if err := json.Unmarshal(b, &values); err != nil || values == nil {
		return nil, control.Errorf(control.Refused, "the form is no JSON object").WithHint("see: curbside form show --help")
	}
	return values, nil
}
