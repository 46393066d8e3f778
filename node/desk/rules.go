package desk

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/text"
)

// Limits of the setting rules.
const (
	rulesMax     = 64
	ruleToMax    = 16
	ruleValueMax = 2000 // bytes of one value: a question is a paragraph
)

// rule says of which studies from the hospital a request is drafted, and what it asks whom. Every
// condition that is given must hold.
type rule struct {
	modality    string // one of the study's
	from        string // AE title or destination that sent images of it
	description string // part of the description of the study or a series, in any case

	to       []string // contacts, as a user would name them
	priority string
	question string
}

var (
	errRuleForm  = errors.New(`want KEY=VALUE with spaces between and "…" around what has spaces, such as modality=CT description~chest to="Dr Okafor" question="New lesion?"`)
	errRuleQuote = errors.New(`a " is not closed`)
)

// ParseRules reads rules with semicolons between, as config set takes them, and gives their texts.
// One that is not understood refuses them all.
func ParseRules(s string) ([]string, error) {
	out := []string{}
	for s != "" {
		one, rest := cutUnquoted(s, ';')
		if one = strings.TrimSpace(one); one != "" {
			if _, err := parseRule(one); err != nil {
				return nil, fmt.Errorf("rule %d: %w", len(out)+1, err)
			}
			out = append(out, one)
		}
		s = rest
	}
	if len(out) > rulesMax {
		return nil, fmt.Errorf("at most %d rules", rulesMax)
	}
	return out, nil
}

// cutUnquoted cuts s at the first sep that is not between quotes.
func cutUnquoted(s string, sep rune) (before, after string) {
	quoted := false
	for i, r := range s {
		switch {
		case r == '"':
			quoted = !quoted
		case r == sep && !quoted:
			return s[:i], s[i+utf8.RuneLen(sep):]
		}
	}
	return s, ""
}

func parseRule(s string) (rule, error) {
	var r rule
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return r, errors.New("a rule is one line of text")
	}
	said := map[string]bool{}
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		var word string
		word, s = cutUnquoted(s, ' ')
		at := strings.IndexAny(word, "=~")
		if at <= 0 {
			return r, errRuleForm
		}
		key := word[:at+1]
		value, err := unquote(word[at+1:])
		if err != nil {
			return r, err
		}
		if said[key] && key != "to=" {
			return r, fmt.Errorf("%s is said twice", key)
		}
		said[key] = true
		if err := r.set(key, value); err != nil {
			return r, err
		}
	}
	switch {
	case r.modality == "" && r.from == "" && r.description == "":
		return r, errors.New("say of which studies: modality=, from= or description~")
	case len(r.to) == 0:
		return r, errors.New("say whom to ask: to=CONTACT")
	case r.question == "":
		return r, errors.New(`say what to ask: question="…"`)
	}
	return r, nil
}

func unquote(s string) (string, error) {
	if inner, ok := strings.CutPrefix(s, `"`); ok {
		if s, ok = strings.CutSuffix(inner, `"`); !ok {
			return "", errRuleQuote
		}
	}
	switch s = strings.TrimSpace(s); {
	case strings.Contains(s, `"`):
		return "", errRuleForm
	case s == "":
		return "", errors.New("a value is empty")
	case len(s) > ruleValueMax:
		return "", fmt.Errorf("a value has more than %d bytes", ruleValueMax)
	}
	return s, nil
}

func (r *rule) set(key, value string) error {
	switch key {
	case "modality=":
		r.modality = strings.ToUpper(value)
	case "from=":
		r.from = value
	case "description~":
		r.description = strings.ToLower(value)
	case "to=":
		if r.to = append(r.to, value); len(r.to) > ruleToMax {
			return fmt.Errorf("at most %d contacts", ruleToMax)
		}
	case "priority=":
		if _, ok := consult.ParsePriority(value); !ok {
			return errors.New("priority is stat, urgent or routine")
		}
		r.priority = value
	case "question=":
		r.question = value
	default:
		return fmt.Errorf("%s is not known; there are modality= from= description~ to= priority= question=", text.Line(key))
	}
	return nil
}

// matches reports whether a study is meant.
func (r *rule) matches(h *holding, from []string) bool {
	if r.modality != "" && !slices.ContainsFunc(h.manifest.Series, func(s study.ManifestSeries) bool { return strings.EqualFold(s.Modality, r.modality) }) {
		return false
	}
	if r.from != "" && !slices.Contains(from, r.from) {
		return false
	}
	says := func(s string) bool { return strings.Contains(strings.ToLower(s), r.description) }
	return says(h.manifest.Study.Description) || slices.ContainsFunc(h.manifest.Series, func(s study.ManifestSeries) bool { return says(s.Description) })
}

// route drafts what the first rule that means a study says, unless it has a draft, had one, or is in
// a case. The lock is held.
func (d *Desk) route(h *holding, from []string) *routedRow {
	p := d.personOf(h.key.owner)
	if p == nil || len(d.casesWith(h)) > 0 {
		return nil
	}
	if _, done := p.vault.Get(tableRouted, string(h.key.lineage[:])); done {
		return nil
	}
	for i, s := range strings.Split(d.setting("rules"), settingSeparator) {
		if s == "" {
			continue
		}
		r, err := parseRule(s)
		if err != nil { // somebody edited the file
			d.log.Warn("a rule is not understood", slog.Int("rule", i+1), slog.Any("error", err))
			continue
		}
		if r.matches(h, from) {
			return &routedRow{Format: 1, TimeMS: d.nowMS(), To: r.to, Priority: r.priority, Question: r.question}
		}
	}
	return nil
}
