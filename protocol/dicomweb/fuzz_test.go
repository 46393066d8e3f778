package dicomweb

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// FuzzQuery: no search panics, and what it matches it matches for a reason.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"PatientName=*doe*&limit=101&offset=0&fuzzymatching=true&includefield=00081030,all", "StudyInstanceUID=1.2,3.4&00080020=20200101-",
		"StudyDate=-20200101&ModalitiesInStudy=CT\\MR", "limit=-1", "%zz", "PatientID=?*?*", "00400275.00400009=x",
	} {
		f.Add(s, "Doe^Jane")
	}
	f.Fuzz(func(t *testing.T, raw, name string) {
		q, err := ParseQuery(raw)
		if err != nil {
			return
		}
		if q.Limit < 1 || q.Limit > resultsMax || q.Offset < 0 {
			t.Fatalf("limit %d offset %d", q.Limit, q.Offset)
		}
		row := Dataset{}
		row.Set(0x00100010, "PN", name)
		row.Set(0x00080020, "DA", "20200229")
		row.Set(0x0020000D, "UI", "1.2")
		for _, m := range q.Match {
			// A value without wildcards that is the row's own always matches.
			if m.Tag == 0x0020000D && q.Matches(row) && !strings.Contains(m.Value, "1.2") {
				t.Fatalf("%q matches 1.2", m.Value)
			}
		}
		if !wildcard(name, name) && !strings.ContainsAny(name, "*?") {
			t.Fatalf("%q is not itself", name)
		}
	})
}

// FuzzStore: whatever is sent, the answer is a status, and nothing is stored that was not a whole part.
func FuzzStore(f *testing.F) {
	good := string(fileOf(Path{"1.1", "1.2", "1.3"}, explicitLE, []byte("pixels")))
	kind := `multipart/related; type="application/dicom"; boundary=b`
	for _, body := range []string{
		"--b\r\nContent-Type: application/dicom\r\n\r\n" + good + "\r\n--b--\r\n",
		"--b\r\n\r\n" + good, "--b--", "", "--b\r\nContent-Type: application/dicom\r\n\r\n" + good + "\r\n--b\r\n\r\n\r\n--b--",
	} {
		f.Add(kind, body)
	}
	f.Add("application/dicom", good)
	f.Fuzz(func(t *testing.T, contentType, body string) {
		src := newHeld()
		h := NewHandler(Config{Open: func(string) (Access, bool) { return Access{Source: src, Read: true, Write: true}, true }})
		r := httptest.NewRequest(http.MethodPost, "http://localhost"+Root+"/studies", strings.NewReader(body))
		r.Header["Authorization"] = []string{"Bearer x"}
		r.Header["Content-Type"] = []string{contentType}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK, http.StatusAccepted:
			if len(src.files) == 0 {
				t.Fatalf("%d and nothing is stored", w.Code)
			}
		case http.StatusConflict, http.StatusBadRequest, http.StatusUnsupportedMediaType, http.StatusRequestEntityTooLarge:
		default:
			t.Fatalf("status %d", w.Code)
		}
		for _, b := range src.files {
			whole := body == string(b) || strings.Contains(body, string(b)+"\r\n--") || strings.Contains(body, string(b)+"\n--")
			if !whole {
				t.Fatalf("stored %q, which was not sent whole", b)
			}
		}
	})
}

// FuzzDataset: a reply is read or refused, and what was read writes to the same.
func FuzzDataset(f *testing.F) {
	for _, s := range []string{
		`[{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"}]},"00080018":{"vr":"UI","Value":["1.2"]}}]`,
		`{"00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["9.9"]}}]}}`, `[]`, ``, `[{"00200013":{"vr":"IS","Value":[1,null]}}]`,
		`[{"7FE00010":{"vr":"OW","InlineBinary":"AAAA"}}]`, strings.Repeat(`[{"00081199":{"vr":"SQ","Value":[`, 80),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rows, err := ReadDatasets(strings.NewReader(s), 100)
		if err != nil {
			return
		}
		b, err := json.Marshal(rows)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadDatasets(strings.NewReader(string(b)), 100)
		if err != nil || len(again) != len(rows) {
			t.Fatalf("%v: %s", err, b)
		}
		for i := range rows {
			for tag := range rows[i] {
				if !reflect.DeepEqual(rows[i][tag].VR, again[i][tag].VR) || len(rows[i][tag].Value) != len(again[i][tag].Value) {
					t.Fatalf("%s changed", tag)
				}
			}
		}
	})
}

// FuzzAccept: no header panics, and the choice is among what was offered.
func FuzzAccept(f *testing.F) {
	f.Add(`multipart/related; type=application/octet-stream; transfer-syntax=*, */*;q=0.1`)
	f.Add(`multipart/related; type="image/jls"; q=0, application/dicom`)
	f.Add(`"`)
	f.Fuzz(func(t *testing.T, s string) {
		list := parseAccept([]string{s})
		if len(list) > acceptMax {
			t.Fatalf("%d alternatives", len(list))
		}
		kind, _, ok := chooseFrame(list, "image/jls", "1.2.840.10008.1.2.4.80")
		if ok && kind != "image/jls" && kind != typeOctets {
			t.Fatalf("%q", kind)
		}
	})
}
