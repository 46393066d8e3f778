package dicomweb

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Dataset is a data set in the DICOM JSON model (PS3.18 §F.2): by tag, eight upper-case digits.
type Dataset map[string]Element

// Element is one attribute. Of Value, BulkDataURI and InlineBinary at most one is there.
type Element struct {
	VR           string `json:"vr"`
	Value        []any  `json:"Value,omitempty"` // string, json.Number, int, float64, PersonName, Dataset or nil
	BulkDataURI  string `json:"BulkDataURI,omitempty"`
	InlineBinary []byte `json:"InlineBinary,omitempty"`
}

// PersonName is a value of VR PN by its component groups.
type PersonName struct {
	Alphabetic  string `json:"Alphabetic,omitempty"`
	Ideographic string `json:"Ideographic,omitempty"`
	Phonetic    string `json:"Phonetic,omitempty"`
}

// Name splits a value of VR PN, empty ones are absent.
func Name(s string) PersonName {
	g := strings.SplitN(s, "=", 4)
	g = append(g, "", "")
	return PersonName{Alphabetic: g[0], Ideographic: g[1], Phonetic: g[2]}
}

// String is the name as a file has it.
func (n PersonName) String() string {
	return strings.TrimRight(n.Alphabetic+"="+n.Ideographic+"="+n.Phonetic, "=")
}

// Key writes a tag as the JSON model does.
func Key(tag uint32) string { return fmt.Sprintf("%08X", tag) }

// Set puts an attribute of text values; none makes it empty, as type 2 attributes are.
func (d Dataset) Set(tag uint32, vr string, values ...string) {
	e := Element{VR: vr}
	for _, v := range values {
		switch {
		case v == "" && len(values) == 1:
		case v == "":
			e.Value = append(e.Value, nil) // PS3.18 §F.2.5
		case vr == "PN":
			e.Value = append(e.Value, Name(v))
		default:
			e.Value = append(e.Value, v)
		}
	}
	d[Key(tag)] = e
}

// SetInt puts an attribute of one whole number.
func (d Dataset) SetInt(tag uint32, vr string, v int64) {
	d[Key(tag)] = Element{VR: vr, Value: []any{v}}
}

// Texts are the values of an attribute as text.
func (d Dataset) Texts(tag uint32) []string {
	var out []string
	for _, v := range d[Key(tag)].Value {
		out = append(out, textOf(v))
	}
	return out
}

// Text is the first value of an attribute as text.
func (d Dataset) Text(tag uint32) string {
	if v := d[Key(tag)].Value; len(v) > 0 {
		return textOf(v[0])
	}
	return ""
}

// Int is the first value of an attribute as a number, 0 where it is none.
func (d Dataset) Int(tag uint32) int64 {
	n, err := strconv.ParseInt(d.Text(tag), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Items are those of a sequence.
func (d Dataset) Items(tag uint32) []Dataset {
	var out []Dataset
	for _, v := range d[Key(tag)].Value {
		if item, ok := v.(Dataset); ok {
			out = append(out, item)
		}
	}
	return out
}

func textOf(v any) string {
	switch v := v.(type) {
	case nil, Dataset:
		return ""
	case string:
		return v
	case PersonName:
		return v.String()
	}
	return fmt.Sprint(v)
}

// errJSON says that a reply is not the DICOM JSON model. It holds nothing of the reply.
var errJSON = errors.New("not the DICOM JSON model")

// ReadDatasets reads an array of data sets, or a single one, up to max of them.
func ReadDatasets(r io.Reader, most int) ([]Dataset, error) {
	dec := json.NewDecoder(io.LimitReader(r, replyBytesMax))
	dec.UseNumber()
	var all json.RawMessage
	switch err := dec.Decode(&all); {
	case errors.Is(err, io.EOF):
		return nil, nil // an empty body is an empty list
	case err != nil:
		return nil, errJSON
	}
	if string(all) == "null" {
		return nil, nil
	}
	if !bytes.HasPrefix(all, []byte("[")) {
		all = append(append([]byte("["), all...), ']')
	}
	var rows []json.RawMessage
	if json.Unmarshal(all, &rows) != nil {
		return nil, errJSON
	}
	out := make([]Dataset, 0, min(len(rows), most))
	for _, row := range rows[:min(len(rows), most)] {
		ds, err := readDataset(row, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, ds)
	}
	return out, nil
}

// rawElement is an element before its VR says what the values are.
type rawElement struct {
	VR           string            `json:"vr"`
	Value        []json.RawMessage `json:"Value"`
	BulkDataURI  string            `json:"BulkDataURI"`
	InlineBinary string            `json:"InlineBinary"`
}

func readDataset(raw []byte, depth int) (Dataset, error) {
	if depth > nestingMax {
		return nil, errJSON
	}
	var elements map[string]rawElement
	if json.Unmarshal(raw, &elements) != nil || elements == nil {
		return nil, errJSON
	}
	out := make(Dataset, len(elements))
	for key, e := range elements {
		tag, ok := parseTag(key)
		if !ok {
			continue // a keyword's own entry, or what a later edition adds
		}
		x := Element{VR: e.VR, BulkDataURI: e.BulkDataURI}
		if e.InlineBinary != "" {
			b, err := base64.StdEncoding.DecodeString(e.InlineBinary)
			if err != nil {
				return nil, errJSON
			}
			x.InlineBinary = b
		}
		for _, v := range e.Value {
			val, err := readValue(v, e.VR, depth)
			if err != nil {
				return nil, err
			}
			x.Value = append(x.Value, val)
		}
		out[Key(tag)] = x
	}
	return out, nil
}

func readValue(raw json.RawMessage, vr string, depth int) (any, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	switch raw[0] {
	case '{':
		if vr == "PN" {
			var n PersonName
			if json.Unmarshal(raw, &n) != nil {
				return nil, errJSON
			}
			return n, nil
		}
		return readDataset(raw, depth+1)
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return nil, errJSON
		}
		if vr == "PN" {
			return Name(s), nil
		}
		return s, nil
	case '[', 't', 'f':
		return nil, errJSON
	}
	return json.Number(raw), nil
}

// parseTag reads eight hexadecimal digits.
func parseTag(s string) (uint32, bool) {
	if len(s) != 8 {
		return 0, false
	}
	v, err := strconv.ParseUint(s, 16, 32)
	return uint32(v), err == nil
}
