package dicomweb

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// search answers QIDO-RS (PS3.18 §10.6).
func (r *request) search(level Level, in Path) {
	q, err := ParseQuery(r.URL.RawQuery)
	if err != nil {
		fail(r.w, http.StatusBadRequest, err.Error())
		return
	}
	if !r.takesJSON() {
		fail(r.w, http.StatusNotAcceptable, "searches are answered as "+typeJSON)
		return
	}
	rows := []Dataset{}
	seen, more := 0, 0
	err = r.access.Source.Rows(r.Context(), level, in, func(row Dataset) bool {
		if !q.Matches(row) {
			return true
		}
		if seen++; seen <= q.Offset {
			return true
		}
		if len(rows) == q.Limit {
			more++
			return more < resultsMax
		}
		row.Set(0x00081190, "UR", r.base+rowPath(level, row))
		rows = append(rows, row)
		return true
	})
	if err != nil {
		r.failWith(err)
		return
	}
	for _, w := range q.warnings(more) {
		r.w.Header().Add("Warning", fmt.Sprintf("299 curbside %q", w))
	}
	r.json(rows)
}

// warnings are those of PS3.18 §8.3.4 and §10.6.3.
func (q *Query) warnings(more int) []string {
	var out []string
	if q.Fuzzy {
		out = append(out, "The fuzzymatching parameter is not supported. Only literal matching has been performed.")
	}
	if len(q.Unknown) > 0 {
		out = append(out, "Some parameters name attributes that are not matched here.")
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("There are %d additional results that can be requested", more))
	}
	return out
}

// rowPath is where what a row describes can be retrieved.
func rowPath(level Level, row Dataset) string {
	p := Path{Study: row.Text(0x0020000D)}
	if level >= Series {
		p.Series = row.Text(0x0020000E)
	}
	if level == Instances {
		p.Instance = row.Text(0x00080018)
	}
	return p.String()
}

// String is the path below the root of the services.
func (p Path) String() string {
	s := "/studies/" + p.Study
	if p.Series != "" {
		s += "/series/" + p.Series
	}
	if p.Instance != "" {
		s += "/instances/" + p.Instance
	}
	return s
}

func (r *request) json(rows []Dataset) {
	r.w.Header().Set("Content-Type", typeJSON)
	if r.Method == http.MethodHead {
		return
	}
	_ = json.NewEncoder(r.pace()).Encode(rows) // the caller is gone if this fails
}
