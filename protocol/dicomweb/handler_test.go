package dicomweb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

const (
	jls     = "1.2.840.10008.1.2.4.80"
	anyFile = `multipart/related; type="application/dicom"; transfer-syntax=*`
)

// TestLetIn: nobody without a key, no foreign name, no page but a named origin's.
func TestLetIn(t *testing.T) {
	t.Parallel()
	h := newHeld()
	h.put(Path{"1.1", "1.2", "1.3"}, explicitLE, 1, []byte("x"))
	s := serve(t, h, func(c *Config) {
		c.Origins = []string{"https://viewer.example.org"}
		c.Hosts = []string{"pacs.example.org"}
	})
	studies := s.URL + Root + "/studies"
	for name, c := range map[string]struct {
		method, url, key string
		headers          []string
		want             int
	}{
		"no key":            {"GET", studies, "", nil, 401},
		"wrong key":         {"GET", studies, "guess", nil, 401},
		"no key, nothing":   {"GET", s.URL + "/elsewhere", "", nil, 401},
		"key":               {"GET", studies, readKey, nil, 200},
		"key in path":       {"GET", s.URL + "/t/" + readKey + Root + "/studies", "", nil, 200},
		"wrong in path":     {"GET", s.URL + "/t/x" + Root + "/studies", "", nil, 401},
		"basic":             {"GET", studies, "", []string{"Authorization", "Basic dXNlcjpyZWFkLWtleS1yZWFkLWtleS1yZWFk"}, 200},
		"rebound name":      {"GET", studies, readKey, []string{"Host", "evil.example"}, 421},
		"rebound with port": {"GET", studies, readKey, []string{"Host", "evil.example:80"}, 421},
		"our name":          {"GET", studies, readKey, []string{"Host", "PACS.example.org:443"}, 200},
		"localhost":         {"GET", studies, readKey, []string{"Host", "localhost:1"}, 200},
		"ipv6":              {"GET", studies, readKey, []string{"Host", "[::1]:1"}, 200},
		"store by reader":   {"POST", studies, readKey, nil, 403},
		"delete":            {"DELETE", studies + "/1.1", writeKey, nil, 405},
		"above the root":    {"GET", s.URL + "/", readKey, nil, 404},
		"beside the root":   {"GET", s.URL + Root + "x/studies", readKey, nil, 404},
		"no uid":            {"GET", studies + "/..%2f..", readKey, nil, 404},
		"unknown":           {"GET", studies + "/9.9", readKey, nil, 404},
	} {
		resp, body := ask(t, c.method, c.url, c.key, nil, c.headers...)
		if resp.StatusCode != c.want {
			t.Errorf("%s: %d, want %d: %s", name, resp.StatusCode, c.want, body)
		}
		if c.want == 401 && (strings.Contains(body, "1.1") || len(body) > 64) {
			t.Errorf("%s: says %q", name, body)
		}
		if resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: a page may read it", name)
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	s := serve(t, newHeld(), func(c *Config) { c.Origins = []string{"https://viewer.example.org"} })
	for origin, want := range map[string]string{"https://viewer.example.org": "https://viewer.example.org", "https://evil.example": "", "null": ""} {
		resp, _ := ask(t, "OPTIONS", s.URL+Root+"/studies", "", nil, "Origin", origin, "Access-Control-Request-Method", "GET", "Access-Control-Request-Private-Network", "true")
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want || resp.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %d %q", origin, resp.StatusCode, got)
		}
		if resp, _ = ask(t, "GET", s.URL+Root+"/studies", readKey, nil, "Origin", origin); resp.Header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("%s: the reply may be read", origin)
		}
	}
}

// TestSearch asks as viewers do.
func TestSearch(t *testing.T) {
	t.Parallel()
	h := newHeld()
	for i := range 7 {
		h.put(Path{fmt.Sprintf("1.%d", i), fmt.Sprintf("2.%d", i), fmt.Sprintf("3.%d", i)}, explicitLE, 1, nil)
	}
	h.put(Path{"1.0", "2.0", "3.99"}, explicitLE, 1, nil)
	s := serve(t, h, nil)
	for query, want := range map[string]int{
		"studies":                  7,
		"studies?limit=3":          3,
		"studies?limit=3&offset=5": 2,
		"studies?offset=99":        0,
		"studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030,00080060&PatientName=*doe*": 7, // OHIF
		"studies?PatientID=P1.3": 1,
		"studies?00100020=P1.3&includefield=00080020&includefield=all": 1, // Weasis
		"studies?PatientID=*1.4*":                                      1,
		"studies?PatientID=p1.3":                                       0,
		"studies?PatientID=P1.%3F":                                     7,
		"studies?StudyInstanceUID=1.1,1.2":                             2,
		`studies?StudyInstanceUID=1.1\1.2`:                             2,
		"studies?ModalitiesInStudy=CT,MR":                              7,
		"studies?ModalitiesInStudy=MR":                                 0,
		"studies?StudyDate=20240101-20240201":                          7,
		"studies?StudyDate=20240131":                                   7,
		"studies?StudyDate=-20231231":                                  0,
		"studies?StudyDate=20240131-":                                  7,
		"studies/1.0/series":                                           1,
		"studies/1.0/instances":                                        2,
		"studies/1.0/series/2.0/instances":                             2,
		"series":                                                       7,
		"instances?SOPInstanceUID=3.99":                                1,
		"studies/7.7/series":                                           0,
	} {
		resp, body := ask(t, "GET", s.URL+Root+"/"+query, readKey, nil, "Accept", "application/dicom+json, */*;q=0.1")
		var rows []Dataset
		if err := json.Unmarshal([]byte(body), &rows); err != nil || resp.StatusCode != http.StatusOK || len(rows) != want || resp.Header.Get("Content-Type") != typeJSON {
			t.Errorf("%s: %d %d rows, want %d: %v", query, resp.StatusCode, len(rows), want, err)
		}
	}
	for query, want := range map[string]string{
		"studies?fuzzymatching=true": "fuzzymatching",
		"studies?limit=2":            "5 additional",
		"studies?PatientComments=x":  "not matched",
	} {
		if resp, _ := ask(t, "GET", s.URL+Root+"/"+query, readKey, nil); !strings.Contains(resp.Header.Get("Warning"), want) {
			t.Errorf("%s: warning %q", query, resp.Header.Get("Warning"))
		}
	}
	for _, query := range []string{"studies?limit=x", "studies?offset=-1", "studies?PatientID=" + strings.Repeat("*a", 20)} {
		if resp, _ := ask(t, "GET", s.URL+Root+"/"+query, readKey, nil); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", query, resp.StatusCode)
		}
	}
	if resp, _ := ask(t, "GET", s.URL+Root+"/studies", readKey, nil, "Accept", "application/dicom+xml"); resp.StatusCode != http.StatusNotAcceptable {
		t.Errorf("xml: %d", resp.StatusCode)
	}
}

// partsOf reads a multipart reply.
func partsOf(t *testing.T, resp reply, body string) (types []string, out []string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != typeRelated {
		t.Fatalf("%q %v", resp.Header.Get("Content-Type"), err)
	}
	r := multipart.NewReader(strings.NewReader(body), params["boundary"])
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return types, out
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		types, out = append(types, p.Header.Get("Content-Type")), append(out, string(b))
	}
}

// TestRetrieve: files, frames, bulk data and pictures by what viewers accept.
func TestRetrieve(t *testing.T) {
	t.Parallel()
	h := newHeld()
	h.put(Path{"1.1", "1.2", "1.3"}, explicitLE, 3, []byte("native"))
	h.put(Path{"1.1", "1.2", "1.4"}, jls, 2, []byte("coded"))
	s := serve(t, h, nil)
	at := func(tail string) string { return s.URL + Root + "/studies/1.1" + tail }
	native, coded := "/series/1.2/instances/1.3", "/series/1.2/instances/1.4"
	for name, c := range map[string]struct {
		url, accept string
		status      int
		types       []string // of the parts, or of the reply
		first       string   // of the first part
	}{
		"study":                    {at(""), anyFile, 200, []string{"application/dicom; transfer-syntax=" + explicitLE, "application/dicom; transfer-syntax=" + jls}, "1.1 1.2 1.3 " + explicitLE + "\nnative"},
		"study, anything":          {at(""), "*/*", 200, []string{"application/dicom; transfer-syntax=" + explicitLE, "application/dicom; transfer-syntax=" + jls}, ""},
		"study, no accept":         {at(""), "", 200, []string{"application/dicom; transfer-syntax=" + explicitLE, "application/dicom; transfer-syntax=" + jls}, ""},
		"series, one syntax":       {at("/series/1.2"), `multipart/related; type="application/dicom"; transfer-syntax=` + jls, 200, []string{"application/dicom; transfer-syntax=" + jls}, ""},
		"instance, another syntax": {at(coded), `multipart/related; type="application/dicom"; transfer-syntax=` + explicitLE, 406, nil, ""},
		"unquoted type":            {at(coded), `multipart/related; type=application/dicom`, 200, []string{"application/dicom; transfer-syntax=" + jls}, ""},
		"single file":              {at(native), "application/dicom", 200, []string{"application/dicom; transfer-syntax=" + explicitLE}, "1.1 1.2 1.3 " + explicitLE + "\nnative"},
		"frames of OHIF":           {at(native + "/frames/1"), "multipart/related; type=application/octet-stream; transfer-syntax=*", 200, []string{"application/octet-stream; transfer-syntax=" + explicitLE}, "frame 1 of 1.3"},
		"frames, list":             {at(native + "/frames/3,1"), `multipart/related; type="application/octet-stream"`, 200, []string{"application/octet-stream; transfer-syntax=" + explicitLE, "application/octet-stream; transfer-syntax=" + explicitLE}, "frame 3 of 1.3"},
		"frames, coded as octets":  {at(coded + "/frames/2"), "multipart/related; type=application/octet-stream; transfer-syntax=*", 200, []string{"application/octet-stream; transfer-syntax=" + jls}, "frame 2 of 1.4"},
		"frames, coded as image":   {at(coded + "/frames/1"), `multipart/related; type="image/jls"; q=0.9, multipart/related; type=application/octet-stream; q=0.1`, 200, []string{"image/jls; transfer-syntax=" + jls}, ""},
		"frames, not as jpeg":      {at(coded + "/frames/1"), `multipart/related; type="image/jpeg"`, 406, nil, ""},
		"frame, unwrapped":         {at(native + "/frames/1"), "application/octet-stream", 200, []string{"application/octet-stream; transfer-syntax=" + explicitLE}, "frame 1 of 1.3"},
		"frame 0":                  {at(native + "/frames/0"), "*/*", 400, nil, ""},
		"frame 4":                  {at(native + "/frames/4"), "*/*", 404, nil, ""},
		"frames, no number":        {at(native + "/frames/1,x"), "*/*", 400, nil, ""},
		"bulk":                     {at(native + "/bulkdata/7FE00010"), `multipart/related; type="application/octet-stream"`, 200, []string{"application/octet-stream"}, "pixels"},
		"bulk, unwrapped":          {at(native + "/bulkdata/7FE00010"), "application/octet-stream", 200, []string{"application/octet-stream"}, "pixels"},
		"bulk, coded":              {at(coded + "/bulkdata/7FE00010"), "*/*", 200, []string{"image/jls; transfer-syntax=" + jls, "image/jls; transfer-syntax=" + jls}, ""},
		"bulk, none":               {at(native + "/bulkdata/00091010"), "*/*", 404, nil, ""},
		"rendered":                 {at(native + "/rendered?window=40,400&viewport=64,64"), "image/png", 200, []string{"image/png"}, "png 1 &[40 400] 64"},
		"rendered frame":           {at(native + "/frames/2/rendered"), "image/png,image/*;q=0.5", 200, []string{"image/png"}, "png 2 <nil> 0"},
		"rendered, jpeg alone":     {at(native + "/rendered"), "image/jpeg", 406, nil, ""},
		"rendered, bad window":     {at(native + "/rendered?window=40,-1"), "image/png", 400, nil, ""},
		"thumbnail":                {at("/thumbnail"), "", 200, []string{"image/png"}, ""},
		"metadata":                 {at("/metadata"), "application/dicom+json", 200, []string{"application/dicom+json"}, ""},
		"metadata as json":         {at("/series/1.2/metadata"), "application/json", 200, []string{"application/dicom+json"}, ""},
		"accept in the query":      {at(native + "/rendered?accept=image/png"), "application/json", 200, []string{"image/png"}, ""},
	} {
		headers := []string{}
		if c.accept != "" {
			headers = []string{"Accept", c.accept}
		}
		resp, body := ask(t, "GET", c.url, readKey, nil, headers...)
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
			continue
		}
		if c.status != 200 {
			continue
		}
		types, first := []string{resp.Header.Get("Content-Type")}, body
		if strings.HasPrefix(types[0], typeRelated) {
			var parts []string
			types, parts = partsOf(t, resp, body)
			first = parts[0]
		}
		if fmt.Sprint(types) != fmt.Sprint(c.types) {
			t.Errorf("%s: types %q, want %q", name, types, c.types)
		}
		if c.first != "" && first != c.first {
			t.Errorf("%s: %q, want %q", name, first, c.first)
		}
	}
	_, body := ask(t, "GET", at("/metadata"), readKey, nil)
	rows, err := ReadDatasets(strings.NewReader(body), 10)
	if err != nil || len(rows) != 2 || rows[0]["7FE00010"].BulkDataURI != at(native+"/bulkdata/7FE00010") {
		t.Errorf("metadata: %v %v", rows, err)
	}
}

// storeBody is a STOW request of these files.
func storeBody(files ...[]byte) (io.Reader, string) {
	var b bytes.Buffer
	for i, f := range files {
		b.WriteString(partHead("xyz", i == 0, map[string][]string{"Content-Type": {typeDICOM}}))
		b.Write(f)
	}
	b.WriteString(partsEnd("xyz"))
	return &b, `multipart/related; type="application/dicom"; boundary=xyz`
}

// TestStore: status and reply of PS3.18 §10.5.
func TestStore(t *testing.T) {
	t.Parallel()
	good, also := fileOf(Path{"1.1", "1.2", "1.3"}, explicitLE, []byte("\r\n--xy not a boundary")), fileOf(Path{"1.1", "1.2", "1.4"}, jls, nil)
	for name, c := range map[string]struct {
		files  [][]byte
		url    string
		fail   map[string]Stored
		status int
		stored int
		failed []uint16
	}{
		"all":           {[][]byte{good, also}, "/studies", nil, 200, 2, nil},
		"one refused":   {[][]byte{good, []byte("junk")}, "/studies", nil, 202, 1, []uint16{FailUnderstand}},
		"a conflict":    {[][]byte{good}, "/studies", map[string]Stored{"1.3": {Warning: WarnMismatch}}, 202, 1, nil},
		"none":          {[][]byte{[]byte("junk")}, "/studies", nil, 409, 0, []uint16{FailUnderstand}},
		"of its study":  {[][]byte{good}, "/studies/1.1", nil, 200, 1, nil},
		"another study": {[][]byte{good}, "/studies/9.9", nil, 409, 0, []uint16{FailMismatch}},
		"full":          {[][]byte{good, also}, "/studies", map[string]Stored{"1.4": {Failure: FailResources}}, 202, 1, []uint16{FailResources}},
	} {
		h := newHeld()
		if c.fail != nil {
			h.fail = c.fail
		}
		s := serve(t, h, nil)
		body, kind := storeBody(c.files...)
		resp, text := ask(t, "POST", s.URL+Root+c.url, writeKey, body, "Content-Type", kind, "Accept", typeJSON)
		rows, err := ReadDatasets(strings.NewReader(text), 1)
		if err != nil || resp.StatusCode != c.status || len(rows) != 1 {
			t.Errorf("%s: %d %v %s", name, resp.StatusCode, err, text)
			continue
		}
		var failed []uint16
		for _, item := range rows[0].Items(0x00081198) {
			failed = append(failed, uint16(item.Int(0x00081197)))
		}
		if n := len(rows[0].Items(0x00081199)); n != c.stored || fmt.Sprint(failed) != fmt.Sprint(c.failed) {
			t.Errorf("%s: %d stored, failed %v", name, n, failed)
		}
		if c.stored > 0 && !strings.HasSuffix(rows[0].Text(0x00081190), "/studies/1.1") {
			t.Errorf("%s: retrieve at %q", name, rows[0].Text(0x00081190))
		}
	}
	s := serve(t, newHeld(), nil)
	for kind, want := range map[string]int{
		"application/json": 415, `multipart/related; type="application/dicom+json"; boundary=x`: 415,
		"multipart/related": 415, "": 415, `multipart/form-data; boundary=xyz`: 415, `multipart/related; type="application/dicom"; boundary=other`: 400,
	} {
		body, _ := storeBody(good)
		if resp, text := ask(t, "POST", s.URL+Root+"/studies", writeKey, body, "Content-Type", kind); resp.StatusCode != want {
			t.Errorf("%q: %d %s", kind, resp.StatusCode, text)
		}
	}
	if resp, _ := ask(t, "POST", s.URL+Root+"/studies", writeKey, bytes.NewReader(good), "Content-Type", "application/dicom"); resp.StatusCode != http.StatusOK {
		t.Errorf("a bare file: %d", resp.StatusCode)
	}
}
