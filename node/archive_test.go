package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/gateway"
)

// freePort is one that nobody listens at.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// hospital is a node that a PACS's place is taken by: it receives by DICOM as any other.
func hospital(t *testing.T) (p *clinic, port int) {
	t.Helper()
	port = freePort(t)
	p = found(t, "PACS")
	p.down()
	p.config.DICOM = gateway.Listen{Addr: "127.0.0.1:" + strconv.Itoa(port), AETitle: "PACS", Allow: []string{"CURBSIDE"}}
	p.serve()
	return p, port
}

// consulted is a clinic with a case that a reader on the same node has measured, marked and signed.
func consulted(t *testing.T, identified bool) (p *clinic, id, study string) {
	t.Helper()
	p = found(t, "Clinic")
	call(p, control.PersonAdd, control.PersonAddRequest{Name: "Dr. Reader", NoPassphrase: true})
	p.c.As = "Clinic"
	o := small(5)
	o.PatientName, o.PatientID, o.Accession = "Núñez^Ana", "P-77", "ACC-9"
	study = p.take(o)
	id = call(p, control.Request, control.NewCase{Studies: []string{study}, To: []string{"Dr. Reader"}, Question: "Nodule?", Identified: identified}).Case
	p.c.As = "Dr. Reader"
	shared := call(p, control.CaseShow, control.CaseShowRequest{Case: id}).Studies[0]
	detail := call(p, control.StudyShow, control.StudyRequest{Study: shared.Study})
	rows := call(p, control.SeriesShow, control.SeriesRequest{Study: shared.Study, SeriesUID: detail.SeriesList[0].SeriesUID})
	sop := rows[1].SOPUID
	for _, m := range []control.AnnotateRequest{
		{Type: "length", Points: [][2]float64{{10, 10}, {40, 50}}},
		{Type: "ellipse", Points: [][2]float64{{20, 20}, {44, 44}}},
		{Type: "key"},
	} {
		m.Case, m.SOPUID = id, sop
		call(p, control.CaseAnnotate, m)
	}
	call(p, control.CaseReport, control.CaseReportRequest{Case: id, Text: "Solid nodule, 8 mm."})
	call(p, control.CaseSign, control.CaseRequest{Case: id})
	p.c.As = "Clinic"
	return p, id, study
}

func destination(t *testing.T, p *clinic, name string, aet string, port int) {
	t.Helper()
	if err := node.SaveDestination(p.home, name, &gateway.Settings{AET: aet, Host: "127.0.0.1", Port: port}); err != nil {
		t.Fatal(err)
	}
}

func uidsOf(a control.CaseArchived, what string) []string {
	var out []string
	for _, o := range a.Archived {
		if what == "" || o.What == what {
			out = append(out, o.SOPUID)
		}
	}
	return out
}

// heldBy exports what a node holds of a study, by SOP Instance UID.
func heldBy(p *clinic, uid string) map[string][]byte {
	p.t.Helper()
	dir := p.t.TempDir()
	call(p, control.StudyExport, control.StudyExportRequest{Study: uid, Out: dir})
	out := map[string][]byte{}
	files, err := os.ReadDir(dir)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			p.t.Fatal(err)
		}
		out[strings.TrimSuffix(f.Name(), ".dcm")] = b
	}
	return out
}

// TestArchive files a case by DICOM: under the original patient and study, with the order's number;
// the same again under the same names, a correction under new ones that name the old; the case
// records it once.
func TestArchive(t *testing.T) {
	t.Parallel()
	pacs, port := hospital(t)
	p, id, own := consulted(t, true)
	req := control.CaseArchiveRequest{Case: id, To: "pacs"}
	refused(p, control.CaseArchive, req, control.NotFound)
	destination(t, p, "pacs", "PACS", port)
	first := call(p, control.CaseArchive, req)
	if len(first.Archived) != 5 || first.Entry == nil {
		t.Fatalf("%+v", first)
	}
	for _, o := range first.Archived {
		if !o.OK {
			t.Errorf("%s: %s", o.What, o.Detail)
		}
	}
	if !first.Committed || len(first.Warnings) > 0 {
		t.Errorf("not committed: %+v", first)
	}
	uid := call(p, control.StudyShow, control.StudyRequest{Study: own}).StudyUID
	held := heldBy(pacs, uid)
	originals := heldBy(p, own)
	for _, sop := range uidsOf(first, "") {
		checkFiled(t, held[sop], uid, originals)
	}
	again := call(p, control.CaseArchive, req)
	if !slices.Equal(uidsOf(again, ""), uidsOf(first, "")) || *again.Entry != *first.Entry {
		t.Errorf("the same again: %+v", again)
	}
	if n := len(heldBy(pacs, uid)); n != len(held) {
		t.Errorf("the archive holds %d objects, then %d", len(held), n)
	}
	p.c.As = "Dr. Reader"
	reports := call(p, control.CaseShow, control.CaseShowRequest{Case: id}).Reports
	call(p, control.CaseReport, control.CaseReportRequest{Case: id, Text: "Left, not right.", Status: "addendum", Of: reports[0].Report})
	call(p, control.CaseSign, control.CaseRequest{Case: id})
	p.c.As = "Clinic"
	later := call(p, control.CaseArchive, req)
	before, now := uidsOf(first, "report")[0], uidsOf(later, "report")[0]
	if before == now || !slices.Equal(uidsOf(first, "measurements"), uidsOf(later, "measurements")) {
		t.Fatal("an addendum makes another report, and no other measurements")
	}
	o, err := object.Read(heldBy(pacs, uid)[now])
	if err != nil {
		t.Fatal(err)
	}
	if x := o.First(0x0040A360).First(0x00081115).First(0x00081199).UID(0x00081155); x != before {
		t.Errorf("the predecessor is %s, not %s", x, before)
	}
	archived := 0
	for _, e := range call(p, control.CaseShow, control.CaseShowRequest{Case: id}).Entries {
		if e.Kind == "archived" {
			archived++
		}
	}
	if archived != 2 {
		t.Errorf("%d entries say what was archived, want 2", archived)
	}
}

// checkFiled: an object is the original patient's and study's, and refers to nothing but what there is.
func checkFiled(t *testing.T, b []byte, uid string, originals map[string][]byte) {
	t.Helper()
	o, err := object.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if o.Study != uid || o.Text(0x00100010) != "Núñez^Ana" || o.Text(0x00100020) != "P-77" || o.Text(0x00080050) != "ACC-9" {
		t.Errorf("%s is of another study or patient: %s %s", o.Class, o.Study, o.Text(0x00080050))
	}
	refs := 0
	each(o.Set, func(s object.Set) {
		sop := s.UID(0x00081155)
		if sop == "" {
			return
		}
		refs++
		if originals[sop] == nil {
			t.Errorf("%s refers to %s, which the archive does not know", o.Class, sop)
		}
	})
	if refs == 0 && o.Class != object.ClassPDF {
		t.Errorf("%s refers to no image", o.Class)
	}
}

// each visits every item of a set.
func each(s object.Set, f func(object.Set)) {
	f(s)
	for i := range s {
		for _, item := range s[i].Items {
			each(item, f)
		}
	}
}

// TestArchivePseudonymous: what a reader made of a pseudonymous study is filed with the original; a
// reader who holds the pseudonym alone cannot file it.
func TestArchivePseudonymous(t *testing.T) {
	t.Parallel()
	pacs, port := hospital(t)
	p, id, own := consulted(t, false)
	destination(t, p, "pacs", "PACS", port)
	uid := call(p, control.StudyShow, control.StudyRequest{Study: own}).StudyUID
	out := call(p, control.CaseArchive, control.CaseArchiveRequest{Case: id, To: "pacs"})
	held, originals := heldBy(pacs, uid), heldBy(p, own)
	if len(out.Archived) != 5 || len(held) != 5 {
		t.Fatalf("%+v, held %d", out, len(held))
	}
	for _, sop := range uidsOf(out, "") {
		checkFiled(t, held[sop], uid, originals)
	}
	p.c.As = "Dr. Reader"
	refused(p, control.CaseArchive, control.CaseArchiveRequest{Case: id, To: "pacs"}, control.Refused)
}

// TestMediaExport: a medium comes in again as the studies that it was made of.
func TestMediaExport(t *testing.T) {
	t.Parallel()
	p := found(t, "Clinic")
	o := small(6)
	o.PatientName, o.PatientID = "Núñez^Ana", "P-77"
	a := p.take(o)
	o.Seed, o.StudyDate = 7, "20250101"
	b := p.take(o)
	o.PatientID, o.Seed = "P-78", 8
	other := p.take(o)
	dir := filepath.Join(t.TempDir(), "stick")
	refused(p, control.MediaExport, control.MediaExportRequest{Studies: []string{a, other}, Out: dir}, control.Refused)
	out := call(p, control.MediaExport, control.MediaExportRequest{Studies: []string{a, b}, Out: dir})
	if out.Files != 2*o.Slices || out.Studies != 2 {
		t.Errorf("%+v", out)
	}
	refused(p, control.MediaExport, control.MediaExportRequest{Studies: []string{a}, Out: dir}, control.Refused)
	q := found(t, "Other")
	var res *control.ImportResult
	err := control.Import.Call(q.ctx(), q.c, control.ImportRequest{Paths: []string{filepath.Join(dir, "DICOMDIR")}}, func(e control.ImportEvent) error {
		if e.Result != nil {
			res = e.Result
		}
		return nil
	})
	if err != nil || len(res.Studies) != 2 || len(res.Refused) > 0 || res.Read != 1 {
		t.Fatalf("%v %+v", err, res)
	}
	uid := call(p, control.StudyShow, control.StudyRequest{Study: a}).StudyUID
	came := heldBy(q, uid)
	for sop, b := range heldBy(p, a) {
		if !bytes.Equal(came[sop], b) {
			t.Errorf("%s is not byte for byte what it was", sop)
		}
	}
}

// orthanc starts an Orthanc of its own.
func orthanc(t *testing.T) (dicom int, url string) {
	t.Helper()
	bin, err := exec.LookPath("Orthanc")
	if err != nil {
		t.Skip("Orthanc is not installed")
	}
	dir := t.TempDir()
	dicom = freePort(t)
	web := freePort(t)
	config, err := json.Marshal(map[string]any{
		"Name": "test", "StorageDirectory": dir, "IndexDirectory": dir, "DicomAet": "ORTHANC", "DicomPort": dicom, "HttpPort": web,
		"RemoteAccessAllowed": false, "AuthenticationEnabled": false, "DicomAlwaysAllowStore": true, "DicomAlwaysAllowFind": true, "Plugins": []string{},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "orthanc.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // its status says how it was ended
	})
	url = "http://127.0.0.1:" + strconv.Itoa(web)
	end := time.Now().Add(patience)
	for {
		if resp, err := http.Get(url + "/system"); err == nil {
			_ = resp.Body.Close()
			return dicom, url
		}
		if time.Now().After(end) {
			t.Fatal("Orthanc does not start")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// ask asks Orthanc.
func asks(t *testing.T, url string, body []byte) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, resp.Status, err)
	}
	return out
}

// TestArchiveOrthanc: a report is filed in Orthanc, and found there by accession number in the study
// that it is about.
func TestArchiveOrthanc(t *testing.T) {
	t.Parallel()
	port, url := orthanc(t)
	p, id, own := consulted(t, true)
	uid := call(p, control.StudyShow, control.StudyRequest{Study: own}).StudyUID
	originals := heldBy(p, own)
	for _, b := range originals {
		asks(t, url+"/instances", b)
	}
	destination(t, p, "orthanc", "ORTHANC", port)
	out := call(p, control.CaseArchive, control.CaseArchiveRequest{Case: id, To: "orthanc"})
	if len(out.Archived) != 5 || len(out.Warnings) != 1 || out.Committed {
		t.Errorf("Orthanc does not take over the keeping: %+v", out)
	}
	var found []struct {
		MainDicomTags        map[string]string
		PatientMainDicomTags map[string]string
		Series               []string
	}
	query := `{"Level":"Study","Expand":true,"Query":{"AccessionNumber":"ACC-9"}}`
	if err := json.Unmarshal(asks(t, url+"/tools/find", []byte(query)), &found); err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].MainDicomTags["StudyInstanceUID"] != uid || found[0].PatientMainDicomTags["PatientID"] != "P-77" || len(found[0].Series) != 6 {
		t.Errorf("%+v", found)
	}
	var ids []string
	query = `{"Level":"Instance","Query":{"AccessionNumber":"ACC-9","SOPClassUID":"` + object.ClassEnhancedSR + `"}}`
	if err := json.Unmarshal(asks(t, url+"/tools/find", []byte(query)), &ids); err != nil || len(ids) != 1 {
		t.Fatalf("%d reports: %v", len(ids), err)
	}
	if b := asks(t, url+"/instances/"+ids[0]+"/file", nil); !bytes.Contains(b, []byte("Solid nodule, 8 mm.")) {
		t.Error("what Orthanc gives back is not the report")
	}
}

// TestPhotoInOrthanc: a photo that a phone laid on its side, and a letter, are accepted, with their
// patient, and shown upright.
func TestPhotoInOrthanc(t *testing.T) {
	t.Parallel()
	_, url := orthanc(t)
	p := found(t, "Clinic")
	dir := t.TempDir()
	photo, letter := filepath.Join(dir, "photo.jpg"), filepath.Join(dir, "letter.pdf")
	if err := os.WriteFile(photo, lying(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(letter, []byte("%PDF-1.4\n1 0 obj << >> endobj\ntrailer << >>\n%%EOF\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var res *control.ImportResult
	err := control.Import.Call(p.ctx(), p.c, control.ImportRequest{Paths: []string{photo, letter}, Capture: &control.Capture{
		PatientName: "Núñez^Ana", PatientID: "P-77", BodyPart: "foot", Laterality: "left", Orientation: "L/F", Date: "2026-03-02", Accession: "ACC-9",
	}}, func(e control.ImportEvent) error {
		if e.Result != nil {
			res = e.Result
		}
		return nil
	})
	if err != nil || len(res.Studies) != 1 || res.Studies[0].New != 2 {
		t.Fatalf("%v %+v", err, res)
	}
	for _, b := range heldBy(p, res.Studies[0].Study) {
		var stored struct{ ID string }
		if err := json.Unmarshal(asks(t, url+"/instances", b), &stored); err != nil {
			t.Fatal(err)
		}
		var of struct{ PatientName, PatientID, AccessionNumber string }
		if err := json.Unmarshal(asks(t, url+"/instances/"+stored.ID+"/simplified-tags", nil), &of); err != nil && of.PatientName == "" {
			t.Fatal(err)
		}
		if of.PatientName != "Núñez^Ana" || of.PatientID != "P-77" || of.AccessionNumber != "ACC-9" {
			t.Errorf("Orthanc has it as %+v", of)
		}
		in, err := study.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if in.SOPClass == object.ClassPDF {
			if pdf := asks(t, url+"/instances/"+stored.ID+"/pdf", nil); !bytes.HasPrefix(pdf, []byte("%PDF-")) {
				t.Error("the letter does not come back")
			}
			continue
		}
		if in.Laterality != "L" || in.Pixel.PatientOrientation != [2]string{"L", "F"} {
			t.Errorf("%+v", in)
		}
		shown, err := png.Decode(bytes.NewReader(asks(t, url+"/instances/"+stored.ID+"/preview", nil)))
		if err != nil {
			t.Fatal(err)
		}
		if shown.Bounds().Dx() != 60 || shown.Bounds().Dy() != 40 {
			t.Errorf("shown as %v", shown.Bounds())
		}
		for at, want := range map[image.Point]color.RGBA{{5, 5}: {255, 0, 0, 255}, {55, 5}: {0, 255, 0, 255}, {55, 35}: {0, 0, 255, 255}, {5, 35}: {255, 255, 255, 255}} {
			r, g, b, _ := shown.At(at.X, at.Y).RGBA()
			if !near(r>>8, want.R) || !near(g>>8, want.G) || !near(b>>8, want.B) {
				t.Errorf("at %v: %d %d %d, want %v", at, r>>8, g>>8, b>>8, want)
			}
		}
	}
}

func near(a uint32, b uint8) bool { return a <= uint32(b)+20 && uint32(b) <= a+20 }

// lying is a JPEG that a phone held upright stores turned, with EXIF data that say so: orientation 6,
// its row 0 on the right as seen. Seen, the corners are red, green, blue and white, clockwise.
func lying(t *testing.T) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 40, 60))
	corner := func(x, y int) color.RGBA { // of the picture as seen, 60 by 40
		return map[[2]bool]color.RGBA{{true, true}: {255, 0, 0, 255}, {false, true}: {0, 255, 0, 255}, {false, false}: {0, 0, 255, 255}, {true, false}: {255, 255, 255, 255}}[[2]bool{x < 30, y < 20}]
	}
	for row := range 60 {
		for col := range 40 {
			img.SetRGBA(col, row, corner(59-row, col))
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	exif := "Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
	out := append([]byte{}, b.Bytes()[:2]...)
	out = append(out, 0xFF, 0xE1, 0, byte(len(exif)+2))
	return append(append(out, exif...), b.Bytes()[2:]...)
}
