package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/corpustest"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/gateway"
	"github.com/curbside-p2p/curbside/node/gateway/orthanctest"
	"github.com/curbside-p2p/curbside/protocol/dicomweb"
)

// web serves DICOMweb on a free port and gives a client with each key.
func web(t *testing.T, p *clinic) (root string, reader, writer *dicomweb.Client) {
	t.Helper()
	p.down()
	p.config.Web.Listen = "127.0.0.1:0"
	p.serve()
	root, r, w := p.n.WebAt()
	client := func(file string) *dicomweb.Client {
		c, err := dicomweb.NewClient(dicomweb.ClientConfig{URL: root, Secret: key(t, file)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	return root, client(r), client(w)
}

func key(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// real are files of the corpus that are taken in, in its order; of twins the first. They are one of
// each folder and transfer syntax, or with CURBSIDE_HEAVY=1 all.
func real(t *testing.T) (files []dicomweb.File, bytesOf map[string][]byte) {
	t.Helper()
	dir := corpustest.Dir(t)
	bytesOf = map[string][]byte{}
	kinds := map[string]bool{}
	for _, row := range corpustest.Rows(t, filepath.Join(dir, "MANIFEST.tsv")) {
		folder, _, _ := strings.Cut(row["file"], "/")
		kind := folder + row["transfer_syntax"]
		if row["expect"] != "ok" || kinds[kind] && os.Getenv("CURBSIDE_HEAVY") == "" {
			continue
		}
		kinds[kind] = true
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(row["file"])))
		if err != nil {
			t.Fatal(err)
		}
		in, err := study.Parse(b)
		if err != nil || bytesOf[in.SOPUID] != nil {
			continue
		}
		bytesOf[in.SOPUID] = b
		files = append(files, dicomweb.File{
			Path: dicomweb.Path{Study: in.StudyUID, Series: in.SeriesUID, Instance: in.SOPUID}, Class: in.SOPClass,
			Syntax: in.TransferSyntax, Size: int64(len(b)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
		})
	}
	return files, bytesOf
}

// TestWebCorpus: every file of the corpus in by STOW-RS and out by WADO-RS, the same to the byte;
// found by QIDO-RS, described, and framed.
func TestWebCorpus(t *testing.T) {
	t.Parallel()
	files, want := real(t)
	p := found(t, "Clinic")
	root, reader, writer := web(t, p)
	res, err := writer.Store(p.ctx(), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	studies := map[string]bool{}
	for i, r := range res {
		if r.Failure != 0 || r.Warning != 0 {
			t.Errorf("%s (%s): %s", files[i].Instance, files[i].Syntax, r.Detail)
			continue
		}
		studies[files[i].Study] = true
	}
	again, err := writer.Store(p.ctx(), files[:10], nil)
	if err != nil || len(again) != 10 || again[3].Failure != 0 || again[3].Warning != 0 {
		t.Errorf("stored twice: %+v %v", again, err)
	}
	same := func(r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		in, err := study.Parse(b)
		if err != nil {
			return err
		}
		if !bytes.Equal(b, want[in.SOPUID]) {
			t.Errorf("%s is not as it was", in.SOPUID)
		}
		return nil
	}
	got := 0
	for uid := range studies {
		n, err := reader.Retrieve(p.ctx(), dicomweb.Path{Study: uid}, same)
		// Two patients under one Study Instance UID are not given as one study, but one by one.
		if s := new(dicomweb.StatusError); errors.As(err, &s) && s.Status == http.StatusConflict {
			for i := range files {
				if files[i].Study != uid {
					continue
				}
				m, ierr := reader.Retrieve(p.ctx(), files[i].Path, same)
				n += m
				if ierr != nil {
					t.Errorf("instance %s: %v", files[i].Instance, ierr)
				}
			}
			err = nil
		}
		if err != nil {
			t.Errorf("study %s: %v", uid, err)
		}
		got += n
	}
	if got != len(files) {
		t.Errorf("%d of %d files came back", got, len(files))
	}
	rows, err := reader.Search(p.ctx(), dicomweb.Studies, dicomweb.Path{}, url.Values{"limit": {"1000"}})
	if err != nil || len(rows) < len(studies) {
		t.Errorf("%d studies found, want %d: %v", len(rows), len(studies), err)
	}
	t.Logf("%d files of %d studies in; %d out and the same", len(files), len(studies), got)
	asViewer(t, p, root, files)
}

// asViewer asks for metadata, frames and pictures as OHIF does.
func asViewer(t *testing.T, p *clinic, root string, files []dicomweb.File) {
	_, readKey, _ := p.n.WebAt()
	get := func(path, accept string) (int, http.Header, []byte) {
		req, err := http.NewRequestWithContext(p.ctx(), http.MethodGet, root+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key(t, readKey))
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return resp.StatusCode, resp.Header, b
	}
	described, framed, drawn := 0, 0, 0
	for i := range files {
		at := files[i].String()
		status, _, b := get(at+"/metadata", "application/dicom+json")
		rows, err := dicomweb.ReadDatasets(bytes.NewReader(b), 2)
		if status != http.StatusOK || err != nil || len(rows) != 1 || rows[0].Text(0x00080018) != files[i].Instance {
			t.Errorf("%s: metadata %d %v: %d rows, %q", at, status, err, len(rows), rows[0].Text(0x00080018))
			continue
		}
		described++
		if rows[0].Int(0x00280010) == 0 || rows[0]["7FE00010"].VR == "" {
			continue
		}
		if status, h, _ := get(at+"/frames/1", "multipart/related; type=application/octet-stream; transfer-syntax=*"); status == http.StatusOK {
			framed++
			if !strings.HasPrefix(h.Get("Content-Type"), "multipart/related") {
				t.Errorf("%s: frame of %q", at, h.Get("Content-Type"))
			}
		} else if status != http.StatusConflict {
			t.Errorf("%s (%s): frame %d", at, files[i].Syntax, status)
		}
		if status, _, b := get(at+"/rendered?viewport=64,64", "image/png"); status == http.StatusOK && bytes.HasPrefix(b, []byte("\x89PNG")) {
			drawn++
		} else if status != http.StatusConflict {
			t.Errorf("%s (%s): rendered %d", at, files[i].Syntax, status)
		}
	}
	if described != len(files) || framed < len(files)/2 || drawn < len(files)/2 {
		t.Errorf("%d described, %d framed, %d drawn of %d", described, framed, drawn, len(files))
	}
	t.Logf("%d described, %d framed, %d drawn of %d", described, framed, drawn, len(files))
}

// TestOrthancWeb: the corpus to Orthanc and back by its DICOMweb plugin; then Orthanc asks us, by its
// own DICOMweb client: QIDO, WADO, STOW.
func TestOrthancWeb(t *testing.T) {
	t.Parallel()
	orthanc := orthanctest.Start(t, nil)
	files, want := real(t)
	t.Run("to it", func(t *testing.T) { toOrthanc(t, orthanc, files, want) })
	t.Run("from it", func(t *testing.T) { fromOrthanc(t, orthanc, want) })
}

func toOrthanc(t *testing.T, orthanc *orthanctest.Server, files []dicomweb.File, want map[string][]byte) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	g := gateway.New(gateway.Config{Tmp: t.TempDir(), Now: time.Now, Destinations: func() (map[string]gateway.Settings, error) {
		return map[string]gateway.Settings{"pacs": {STOW: orthanc.URL + "/dicom-web"}}, nil
	}})
	pacs, err := g.Destination("pacs")
	if err != nil {
		t.Fatal(err)
	}
	if err := pacs.Echo(ctx); err != nil {
		t.Fatal(err)
	}
	send := make([]gateway.File, len(files))
	for i := range files {
		b := want[files[i].Instance]
		send[i] = gateway.File{
			SOPClass: files[i].Class, SOPUID: files[i].Instance, Syntax: files[i].Syntax, StudyUID: files[i].Study, Size: files[i].Size,
			Read: func(context.Context) ([]byte, error) { return b, nil },
		}
	}
	res, _, err := pacs.Store(ctx, send)
	if err != nil || len(res) != len(send) {
		t.Fatalf("%d of %d results: %v", len(res), len(send), err)
	}
	there := map[string]bool{}
	for i, r := range res {
		if r.State == gateway.Confirmed {
			there[files[i].Study] = true
		} else {
			t.Logf("%s (%s): %s %s", r.SOPUID, files[i].Syntax, r.State, r.Detail)
		}
	}
	in, err := study.Parse(want[files[1].Instance])
	if err != nil {
		t.Fatal(err)
	}
	found, err := pacs.Find(ctx, gateway.Query{PatientID: in.Patient.ID})
	if err != nil || len(found) == 0 || found[0].PatientID != in.Patient.ID {
		t.Errorf("find: %+v %v", found, err)
	}
	got := 0
	for uid := range there {
		err := pacs.Fetch(ctx, uid, func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			in, err := study.Parse(b)
			if err != nil {
				return err
			}
			if !bytes.Equal(b, want[in.SOPUID]) {
				t.Errorf("%s (%s) came back different", in.SOPUID, in.TransferSyntax)
			}
			got++
			return nil
		})
		if err != nil {
			t.Errorf("fetch %s: %v", uid, err)
		}
	}
	if got < len(files)*7/10 {
		t.Errorf("%d of %d came back", got, len(files))
	}
	t.Logf("%d of %d stored, fetched and the same", got, len(files))
}

func fromOrthanc(t *testing.T, orthanc *orthanctest.Server, want map[string][]byte) {
	p := found(t, "Clinic")
	root, _, _ := web(t, p)
	_, _, writeKey := p.n.WebAt()
	orthanc.Call(http.MethodPut, "/dicom-web/servers/curbside", map[string]any{"Url": root, "Username": "orthanc", "Password": key(t, writeKey)})

	// STOW: all that it has.
	orthanc.Call(http.MethodPost, "/dicom-web/servers/curbside/stow", map[string]any{"Resources": orthanc.List("/studies"), "Synchronous": true})
	had := orthanc.Files()
	for uid, b := range had {
		if !bytes.Equal(b, want[uid]) {
			t.Errorf("Orthanc has %s different", uid)
		}
	}
	studies := call(p, control.StudyList, control.None{})
	n := 0
	for _, s := range studies {
		n += s.Instances
		if s.Origin != "dicom" {
			t.Errorf("origin %q", s.Origin)
		}
	}
	if n != len(had) || n < 20 {
		t.Errorf("%d of %d instances arrived", n, len(had))
	}

	// QIDO: as it lists its servers' studies.
	var rows []map[string]any
	b := orthanc.Call(http.MethodPost, "/dicom-web/servers/curbside/qido", map[string]any{"Uri": "/studies", "Arguments": map[string]string{"limit": "1000"}})
	if err := json.Unmarshal(b, &rows); err != nil || len(rows) != len(studies) {
		t.Errorf("it finds %d studies of %d: %v", len(rows), len(studies), err)
	}

	// WADO: all back, after it forgot them.
	orthanc.Call(http.MethodPost, "/tools/bulk-delete", map[string]any{"Resources": orthanc.List("/studies")})
	var resources []map[string]string
	for _, s := range studies {
		resources = append(resources, map[string]string{"Study": s.StudyUID})
	}
	orthanc.Call(http.MethodPost, "/dicom-web/servers/curbside/retrieve", map[string]any{"Resources": resources, "Synchronous": true})
	got := orthanc.Files()
	for uid, b := range got {
		if !bytes.Equal(b, want[uid]) {
			t.Errorf("it retrieved %s different", uid)
		}
	}
	if len(got) != n {
		t.Errorf("it retrieved %d of %d", len(got), n)
	}
	t.Logf("Orthanc sent %d and retrieved %d, the same", len(had), len(got))
}
