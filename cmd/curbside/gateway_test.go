package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/corpustest"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

// These run dcmtk, and Orthanc, against the real program. What takes longer than a second or two is
// behind a variable:
//
//	CURBSIDE_HEAVY=1 CURBSIDE_CORPUS=/path go test ./cmd/curbside -run Hospital -v

func heavy(t *testing.T) {
	t.Helper()
	if os.Getenv("CURBSIDE_HEAVY") == "" {
		t.Skip("set CURBSIDE_HEAVY=1 to run this")
	}
}

// tool finds a program, or skips.
func tool(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s not installed", name)
		}
	}
}

// says runs a program and gives what it said.
func says(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.WaitDelay = time.Second
	b, err := cmd.CombinedOutput()
	return string(b), err
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// newClinic is a node with a DICOM listener.
func newClinic(t *testing.T, extra ...string) (p *process, port string) {
	t.Helper()
	addr := freeAddr(t)
	p = newProcess(t, "Clinic", append([]string{"--lan-only", "--dicom", addr, "--dicom-allow", "TOOL"}, extra...)...)
	return p, portOf(addr)
}

// background runs a server until the test ends, once it answers C-ECHO or, where that is not what it
// speaks, accepts.
func background(t *testing.T, addr, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }() // killed at the end
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	late := time.After(30 * time.Second)
	for {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended: %s", name, said.String())
		case <-late:
			t.Fatalf("%s does not listen: %s", name, said.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// dataSets are the sums of the data sets below dir, without preamble and meta.
func dataSets(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if at := dimse.DataSet(b); at > 0 {
			out = append(out, fmt.Sprintf("%x", sha256.Sum256(b[at:])))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// exportAll exports every study and gives the folder.
func exportAll(t *testing.T, p *process) string {
	t.Helper()
	dir := t.TempDir()
	for _, s := range ask(p, control.StudyList, control.None{}) {
		ask(p, control.StudyExport, control.StudyExportRequest{Study: s.Study, Out: filepath.Join(dir, s.Study)})
	}
	return dir
}

func TestHospitalListener(t *testing.T) {
	t.Parallel()
	tool(t, "echoscu", "storescu")
	p, port := newClinic(t)
	dir := t.TempDir()
	ct := phantom.CT(phantom.Options{Seed: 5, Slices: 3, Side: 64, PatientName: "Doe^Jane", PatientID: "P1"}).Files
	twin := bytes.Clone(ct[1])
	twin[len(twin)-1] ^= 1
	names := map[string][]byte{"1": ct[0], "2": ct[1], "3": ct[2], "twin": twin}
	for name, b := range names {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	if said, err := says(t, "echoscu", "-aet", "ANYBODY", "-aec", "CURBSIDE", "127.0.0.1", port); err != nil {
		t.Errorf("C-ECHO of anybody: %v %s", err, said)
	}
	if said, err := says(t, "echoscu", "-aet", "TOOL", "-aec", "OTHER", "127.0.0.1", port); err == nil || !strings.Contains(said, "Called AE Title Not Recognized") {
		t.Errorf("another title: %v %s", err, said)
	}
	if said, err := says(t, "storescu", "-aet", "ANYBODY", "-aec", "CURBSIDE", "127.0.0.1", port, file("1")); err == nil || !strings.Contains(said, "Calling AE Title Not Recognized") {
		t.Errorf("store of anybody: %v %s", err, said)
	}
	if said, err := says(t, "storescu", "-aet", "TOOL", "-aec", "CURBSIDE", "127.0.0.1", port, file("1"), file("2"), file("3")); err != nil {
		t.Errorf("store: %v %s", err, said)
	}
	said, err := says(t, "storescu", "-v", "-aet", "TOOL", "-aec", "CURBSIDE", "127.0.0.1", port, file("twin"))
	if err != nil || !strings.Contains(said, "Warning: CoercionOfDataElements") {
		t.Errorf("twin: %v %s", err, said)
	}
	// What was answered as stored is there after the node was killed at once.
	p.kill()
	p.start()
	if got, want := dataSets(t, exportAll(t, p)), dataSets(t, dir); !slices.Equal(got, want) {
		t.Errorf("%d data sets come out, %d went in", len(got), len(want))
	}
	list := ask(p, control.StudyList, control.None{})
	if len(list) != 1 || list[0].Origin != "dicom" || list[0].Instances != 3 {
		t.Errorf("%+v", list)
	}
	p.sound()
}

// TestHospitalClosed: without a list only C-ECHO is answered, and beyond this machine nothing in
// cleartext unless that is said.
func TestHospitalClosed(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "Clinic", "--lan-only", "--dicom", "127.0.0.1:0")
	s := ask(p, control.GatewayStatus, control.None{})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.DICOM.Listen)
	if err != nil {
		t.Fatal(err)
	}
	a, err := dimse.Open(t.Context(), conn, dimse.Dial{Calling: "TOOL", Called: "CURBSIDE", Proposals: []dimse.Proposal{
		{Abstract: dimse.Verification, Syntaxes: []string{dimse.ImplicitLE}}, {Abstract: "1.2.840.10008.5.1.4.1.1.2", Syntaxes: []string{dimse.ImplicitLE}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Echo(); err != nil || a.Context("1.2.840.10008.5.1.4.1.1.2") != nil {
		t.Errorf("echo %v; or a store is offered", err)
	}
	if err := a.Release(); err != nil {
		t.Error(err)
	}
	p.stop()
	_, err = p.run("serve", "--lan-only", "--dicom", "0.0.0.0:0")
	if err == nil || !strings.Contains(err.Error(), "--dicom-cleartext") {
		t.Errorf("cleartext beyond this machine: %v", err)
	}
}

// keys writes a certificate of its own, for 127.0.0.1, and its key.
func keys(t *testing.T, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	priv, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: priv}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestHospitalTLS(t *testing.T) {
	t.Parallel()
	tool(t, "echoscu", "storescp")
	ours, ourKey := keys(t, "ours")
	theirs, theirKey := keys(t, "theirs")
	p, port := newClinic(t, "--dicom-tls-cert", ours, "--dicom-tls-key", ourKey, "--dicom-tls-ca", theirs)
	if said, err := says(t, "echoscu", "+tls", theirKey, theirs, "+cf", ours, "-aet", "TOOL", "-aec", "CURBSIDE", "127.0.0.1", port); err != nil {
		t.Errorf("echo over TLS: %v %s", err, said)
	}
	if said, err := says(t, "echoscu", "+tla", "+cf", ours, "-aet", "TOOL", "-aec", "CURBSIDE", "127.0.0.1", port); err == nil {
		t.Errorf("without a certificate: %s", said)
	}
	if said, err := says(t, "echoscu", "-ta", "5", "-aet", "TOOL", "-aec", "CURBSIDE", "127.0.0.1", port); err == nil {
		t.Errorf("cleartext: %s", said)
	}
	addr := freeAddr(t)
	out := t.TempDir()
	background(t, addr, "storescp", "+tls", theirKey, theirs, "+cf", ours, "-aet", "PACS", "-od", out, "+xa", "--bit-preserving", portOf(addr))
	p.must(nil, "gateway", "destination", "add", "pacs", "--aet", "PACS", "--host", "127.0.0.1", "--port", portOf(addr), "--tls", "--tls-ca", theirs, "--tls-cert", ours, "--tls-key", ourKey)
	dir := t.TempDir()
	for i, f := range phantom.CT(phantom.Options{Seed: 6, Slices: 4, Side: 64}).Files {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), f, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	id := importFiles(p, []string{dir}).Studies[0].Study
	p.must(nil, "gateway", "echo", "pacs")
	var sent control.GatewaySent
	p.must(&sent, "gateway", "send", "pacs", "--study", id)
	if !sent.OK || sent.State != "stored" || len(sent.Instances) != 4 {
		t.Errorf("%+v", sent)
	}
	if got, want := dataSets(t, out), dataSets(t, dir); !slices.Equal(got, want) {
		t.Errorf("%d data sets arrived, %d went", len(got), len(want))
	}
	p.must(nil, "gateway", "destination", "add", "pacs", "--aet", "PACS", "--host", "127.0.0.1", "--port", portOf(addr), "--tls", "--tls-ca", theirs)
	if _, err := p.run("gateway", "echo", "pacs"); err == nil {
		t.Error("a destination that wants a certificate answers without")
	}
	p.must(nil, "gateway", "destination", "add", "pacs", "--aet", "PACS", "--host", "127.0.0.1", "--port", portOf(addr), "--tls")
	if _, err := p.run("gateway", "echo", "pacs"); err == nil {
		t.Error("a certificate of nobody we trust is taken")
	}
}

// roundTrip sends a study to a PACS, removes it here, finds it there and fetches it back by get and by move.
func roundTrip(t *testing.T, p *process, addr, aet, commitment string) {
	t.Helper()
	add := []string{"gateway", "destination", "add", "pacs", "--aet", aet, "--host", "127.0.0.1", "--port", portOf(addr)}
	p.must(nil, add...)
	p.must(nil, "gateway", "echo", "pacs")
	dir := t.TempDir()
	for i, f := range phantom.CT(phantom.Options{Seed: 7, Slices: 5, Side: 64, PatientName: "Roe^Rita", PatientID: "R-17"}).Files {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), f, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	id := importFiles(p, []string{dir}).Studies[0].Study
	var sent control.GatewaySent
	p.must(&sent, "gateway", "send", "pacs", "--study", id)
	if !sent.OK || sent.State != commitment {
		t.Errorf("%+v", sent)
	}
	for _, how := range []string{"get", "move"} {
		p.must(nil, "study", "remove", id)
		p.must(nil, append(add, "--retrieve", how)...)
		var found []control.FoundStudy
		p.must(&found, "gateway", "find", "pacs", "--patient-id", "R-17")
		if len(found) != 1 || found[0].PatientName != "Roe^Rita" {
			t.Fatalf("%s: %+v", how, found)
		}
		var res control.ImportResult
		p.must(&res, "gateway", "fetch", "pacs", "--study-uid", found[0].StudyUID)
		if len(res.Studies) != 1 || res.Studies[0].New != 5 {
			t.Fatalf("%s: %+v", how, res)
		}
		if got, want := dataSets(t, exportAll(t, p)), dataSets(t, dir); !slices.Equal(got, want) {
			t.Errorf("%s: %d data sets came back, %d went", how, len(got), len(want))
		}
		id = res.Studies[0].Study
	}
	if _, err := p.run("gateway", "fetch", "pacs", "--study-uid", "1.2.3.4.5"); err == nil {
		t.Error("a study that nobody has was fetched")
	}
	p.sound()
}

func TestHospitalQuery(t *testing.T) {
	t.Parallel()
	tool(t, "dcmqrscp")
	p, port := newClinic(t)
	addr := freeAddr(t)
	dir := t.TempDir()
	cfg := filepath.Join(dir, "dcmqrscp.cfg")
	text := fmt.Sprintf("NetworkTCPPort = %s\nMaxPDUSize = 16384\nMaxAssociations = 16\nHostTable BEGIN\nus = (CURBSIDE, localhost, %s)\nHostTable END\n"+
		"VendorTable BEGIN\nVendorTable END\nAETable BEGIN\nQR %s RW (50, 1024mb) ANY\nAETable END\n", portOf(addr), port, dir)
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, addr, "dcmqrscp", "-c", cfg)
	roundTrip(t, p, addr, "QR", "confirmed")
}

func TestHospitalOrthanc(t *testing.T) {
	t.Parallel()
	heavy(t)
	tool(t, "Orthanc")
	p, port := newClinic(t)
	addr, web := freeAddr(t), freeAddr(t)
	dir := t.TempDir()
	cfg := filepath.Join(dir, "orthanc.json")
	text := fmt.Sprintf(`{"StorageDirectory":%q,"IndexDirectory":%q,"HttpPort":%s,"DicomPort":%s,"DicomAet":"ORTHANC","DicomModalities":{"us":["CURBSIDE","127.0.0.1",%s]},"Plugins":[]}`,
		dir, dir, portOf(web), portOf(addr), port)
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, addr, "Orthanc", cfg)
	roundTrip(t, p, addr, "ORTHANC", "committed")
}

// flagOf names what storescu proposes for a transfer syntax.
var flagOf = map[string]string{
	"": "-xi", ".1": "-xe", ".2": "-xb", ".1.99": "-xd", ".5": "-xr", ".4.50": "-xy", ".4.51": "-xx", ".4.70": "-xs",
	".4.80": "-xt", ".4.81": "-xu", ".4.90": "-xv", ".4.91": "-xw",
}

// TestHospitalCorpus sends real files with storescu: to us, and to storescp, which keeps every bit.
// What we export is what storescp got. By default one file a syntax, all of them where heavy.
func TestHospitalCorpus(t *testing.T) {
	t.Parallel()
	tool(t, "storescu", "storescp")
	root := corpustest.Dir(t)
	groups := map[string][]string{}
	for _, row := range corpustest.Rows(t, filepath.Join(root, "MANIFEST.tsv")) {
		syntax, _, _ := strings.Cut(row["transfer_syntax"], " ")
		flag, ok := flagOf[strings.TrimPrefix(syntax, dimse.ImplicitLE)]
		if row["expect"] == "ok" && ok && syntax != "" {
			groups[flag] = append(groups[flag], filepath.Join(root, row["file"]))
		}
	}
	if len(groups) != len(flagOf) {
		t.Fatalf("files of %d syntaxes, want %d", len(groups), len(flagOf))
	}
	p, port := newClinic(t)
	addr, kept := freeAddr(t), t.TempDir()
	background(t, addr, "storescp", "-aet", "PACS", "-od", kept, "+xa", "-uf", "--bit-preserving", portOf(addr))
	var mu sync.Mutex
	answers, offered := map[string]int{}, 0
	send := func(flag string, files []string) {
		to := []string{"-v", "-nh", "-R", flag, "-aet", "TOOL", "-aec"}
		if said, err := says(t, "storescu", append(append(to, "PACS", "127.0.0.1", portOf(addr)), files...)...); err != nil {
			t.Errorf("storescp %s: %v %s", flag, err, said)
		}
		said, err := says(t, "storescu", append(append(to, "CURBSIDE", "127.0.0.1", port), files...)...)
		if err != nil {
			t.Errorf("%s: %v %s", flag, err, said)
		}
		mu.Lock()
		defer mu.Unlock()
		offered += len(files)
		for line := range strings.Lines(said) {
			if _, status, ok := strings.Cut(line, "Received Store Response "); ok {
				answers[strings.TrimSpace(status)]++
			}
		}
	}
	var wg sync.WaitGroup
	for flag, files := range groups {
		if os.Getenv("CURBSIDE_HEAVY") != "" {
			send(flag, files)
			continue
		}
		i := slices.IndexFunc(files, func(f string) bool { info, err := os.Stat(f); return err == nil && info.Size() < 1<<20 })
		wg.Go(func() { send(flag, files[max(i, 0):][:1]) })
	}
	wg.Wait()
	for status := range answers {
		if status != "(Success)" && status != "(Warning: CoercionOfDataElements)" {
			t.Errorf("%d answers: %s", answers[status], status)
		}
	}
	want := dataSets(t, kept)
	got := dataSets(t, exportAll(t, p))
	lost := 0
	for _, sum := range want {
		if !slices.Contains(got, sum) {
			lost++
		}
	}
	if lost > 0 || len(want) == 0 {
		t.Errorf("%d of %d data sets are not what storescp got; we have %d", lost, len(want), len(got))
	}
	t.Logf("%d files offered, %v; %d different data sets", offered, answers, len(got))
	p.sound()
}
