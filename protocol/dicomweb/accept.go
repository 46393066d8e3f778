package dicomweb

import (
	"mime"
	"slices"
	"strconv"
	"strings"
)

// Media types of PS3.18 §8.7.
const (
	typeDICOM   = "application/dicom"
	typeJSON    = "application/dicom+json"
	typeOctets  = "application/octet-stream"
	typeRelated = "multipart/related"
	typePNG     = "image/png"
	typeProblem = "application/json"
)

// accepted is one alternative of an Accept header. For multipart/related, Type is its type
// parameter and Related is set.
type accepted struct {
	Type    string
	Related bool
	Syntax  string // transfer-syntax parameter; "" where not said, "*" for any
	q       float64
}

// parseAccept reads an Accept header, best alternatives first; none is */*. What cannot be read
// is left out.
func parseAccept(values []string) []accepted {
	var out []accepted
	said := false
	for _, item := range splitList(strings.Join(values, ",")) {
		said = true
		if len(out) == acceptMax {
			break
		}
		if a, ok := parseMedia(item); ok {
			out = append(out, a)
		}
	}
	if !said {
		return []accepted{{Type: "*/*", q: 1}}
	}
	slices.SortStableFunc(out, func(a, b accepted) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	return out
}

func parseMedia(item string) (accepted, bool) {
	a := accepted{q: 1}
	kind, params, err := mime.ParseMediaType(item)
	if err != nil {
		// type=application/dicom without quotes is what OHIF and others send, and no token.
		kind, params = looseMedia(item)
	}
	if !strings.Contains(kind, "/") {
		return a, false
	}
	a.Type, a.Syntax = kind, params["transfer-syntax"]
	if a.Type == typeRelated {
		a.Related, a.Type = true, strings.ToLower(params["type"])
		if a.Type == "" {
			a.Type = "*/*"
		}
	}
	if s, ok := params["q"]; ok {
		if a.q, err = strconv.ParseFloat(s, 64); err != nil || a.q <= 0 {
			return a, false
		}
	}
	return a, true
}

// looseMedia reads parameters whose values are not quoted though they should be.
func looseMedia(item string) (string, map[string]string) {
	parts := strings.Split(item, ";")
	params := map[string]string{}
	for _, p := range parts[1:] {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		params[strings.ToLower(strings.TrimSpace(k))] = strings.Trim(strings.TrimSpace(v), `"`)
	}
	return strings.ToLower(strings.TrimSpace(parts[0])), params
}

// splitList splits at commas outside of quotes.
func splitList(s string) []string {
	var out []string
	quoted, from := false, 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i < len(s) && s[i] == '"':
			quoted = !quoted
		case i == len(s) || s[i] == ',' && !quoted:
			if item := strings.TrimSpace(s[from:i]); item != "" {
				out = append(out, item)
			}
			from = i + 1
		}
	}
	return out
}

// takes reports whether one alternative takes a media type; related says in which wrapping.
func (a accepted) takes(kind string, related bool) bool {
	switch a.Type {
	case "*/*":
		return related || !a.Related
	case kind:
		return a.Related == related
	}
	main, _, _ := strings.Cut(kind, "/")
	return a.Type == main+"/*" && a.Related == related
}

// syntaxOK reports whether an alternative takes what is stored in syntax. One that names none
// takes it as it is: PS3.18 §8.7.3.5.2 would have Explicit VR Little Endian, which this package
// does not make of others.
func (a accepted) syntaxOK(syntax string) bool {
	return a.Syntax == "" || a.Syntax == "*" || a.Syntax == syntax
}

// Transfer syntaxes whose pixels are cells.
const (
	implicitLE = "1.2.840.10008.1.2"
	explicitLE = "1.2.840.10008.1.2.1"
	deflatedLE = "1.2.840.10008.1.2.1.99"
	explicitBE = "1.2.840.10008.1.2.2"
)

// native reports whether frames of this syntax are cells: they go out in little-endian order.
func native(syntax string) bool {
	return syntax == implicitLE || syntax == explicitLE || syntax == deflatedLE || syntax == explicitBE
}

// frameType is the media type of a compressed frame (PS3.18 table 8.7.3-5).
func frameType(syntax string) string {
	tail, ok := strings.CutPrefix(syntax, "1.2.840.10008.1.2.4.")
	switch {
	case syntax == "1.2.840.10008.1.2.5":
		return "image/dicom-rle"
	case !ok:
		return typeOctets
	}
	switch tail {
	case "50", "51", "57", "70":
		return "image/jpeg"
	case "80", "81":
		return "image/jls"
	case "90", "91":
		return "image/jp2"
	case "92", "93":
		return "image/jpx"
	case "201", "202", "203":
		return "image/jphc"
	case "110", "111", "112":
		return "image/jxl"
	case "100", "101":
		return "video/mpeg"
	case "102", "103", "104", "105", "106":
		return "video/mp4"
	case "107", "108":
		return "video/H265"
	}
	return typeOctets
}
