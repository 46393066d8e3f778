package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
)

// asks runs findscu or movescu against a node.
func asks(t *testing.T, port, program string, args ...string) (string, error) {
	t.Helper()
	return says(t, program, slices.Concat([]string{"-v", "-aec", "CURBSIDE"}, args, []string{"127.0.0.1", port})...)
}

// TestHospitalAsked queries a node at every level with findscu, and has it send with movescu.
func TestHospitalAsked(t *testing.T) {
	t.Parallel()
	tool(t, "findscu", "movescu", "storescp")
	p, port := newClinic(t)
	addr, out, dir := freeAddr(t), t.TempDir(), t.TempDir()
	background(t, addr, "storescp", "-aet", "PACS", "-od", out, "+xa", "--bit-preserving", portOf(addr))
	p.must(nil, "gateway", "destination", "add", "pacs", "--aet", "PACS", "--host", "127.0.0.1", "--port", portOf(addr))
	for seed, who := range []string{"Müller^Jörg", "Roe^Rita"} {
		set := phantom.CT(phantom.Options{Seed: uint64(seed) + 40, Slices: 3, Side: 32, PatientName: who, PatientID: "Q-" + strconv.Itoa(seed)})
		for i, f := range set.Files {
			if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(seed)+"-"+strconv.Itoa(i)), f, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	importFiles(p, []string{dir})
	uids := map[string]string{}
	for _, s := range ask(p, control.StudyList, control.None{}) {
		uids[s.PatientID] = s.StudyUID
	}
	find := func(want int, args ...string) string {
		t.Helper()
		said, err := asks(t, port, "findscu", append([]string{"-aet", "TOOL"}, args...)...)
		if got := strings.Count(said, "Find Response:"); err != nil || got != want || !strings.Contains(said, "Received Final Find Response (Success)") {
			t.Errorf("%v: %d matches, want %d: %v\n%s", args, got, want, err, said)
		}
		return said
	}
	find(2, "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", "-k", "PatientName")
	said := find(1, "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", "-k", "PatientName=m*", "-k", "PatientID", "-k", "NumberOfStudyRelatedInstances")
	for _, want := range []string{"Müller^Jörg", uids["Q-0"], "ISO_IR 192", "[3 ]"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not answered:\n%s", want, said)
		}
	}
	if strings.Contains(said, "StudyDescription") {
		t.Errorf("more is answered than was asked:\n%s", said)
	}
	// A key that is not supported matches all, and is told of by the status, PS3.4 §C.4.1.3.
	if said := find(2, "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", "-k", "OperatorsName=Nobody"); !strings.Contains(said, "Pending: WarningUnsupportedOptionalKeys") {
		t.Errorf("no word of an unsupported key:\n%s", said)
	}
	find(1, "-P", "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID=Q-1", "-k", "PatientName")
	find(1, "-P", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=Q-1", "-k", "StudyInstanceUID")
	series := find(1, "-S", "-k", "QueryRetrieveLevel=SERIES", "-k", "StudyInstanceUID="+uids["Q-1"], "-k", "SeriesInstanceUID", "-k", "Modality=CT")
	uid := valueIn(series, "(0020,000e)")
	image := find(3, "-S", "-k", "QueryRetrieveLevel=IMAGE", "-k", "StudyInstanceUID="+uids["Q-1"], "-k", "SeriesInstanceUID="+uid, "-k", "SOPInstanceUID", "-k", "Rows")
	if !strings.Contains(image, "US 32") {
		t.Errorf("rows are not answered:\n%s", image)
	}
	if said, err := asks(t, port, "findscu", "-aet", "TOOL", "-S", "-k", "QueryRetrieveLevel=SERIES", "-k", "SeriesInstanceUID"); !strings.Contains(said, "DataSetDoesNotMatchSOPClass") {
		t.Errorf("series of no study: %v\n%s", err, said)
	}
	for _, program := range []string{"findscu", "movescu"} {
		said, err := asks(t, port, program, "-aet", "STRANGER", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID="+uids["Q-1"])
		if err == nil || !strings.Contains(said, "Calling AE Title Not Recognized") || strings.Contains(said, "Roe") {
			t.Errorf("%s of a stranger: %v\n%s", program, err, said)
		}
	}
	move := func(place string, args ...string) string {
		t.Helper()
		said, _ := asks(t, port, "movescu", append([]string{"-d", "-aet", "TOOL", "-aem", place, "-S"}, args...)...)
		return said
	}
	if said := move("NOWHERE", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID="+uids["Q-1"]); !strings.Contains(said, "0xa801") || len(dataSets(t, out)) > 0 {
		t.Errorf("an unknown destination:\n%s", said)
	}
	one := valueIn(image, "(0008,0018)")
	if said := move("PACS", "-k", "QueryRetrieveLevel=IMAGE", "-k", "StudyInstanceUID="+uids["Q-1"], "-k", "SeriesInstanceUID="+uid, "-k", "SOPInstanceUID="+one); len(dataSets(t, out)) != 1 {
		t.Errorf("one instance: %d came\n%s", len(dataSets(t, out)), said)
	}
	for _, id := range []string{"Q-0", "Q-1"} {
		said := move("PACS", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID="+uids[id])
		if !strings.Contains(said, "0x0000: Success") || !strings.Contains(said, "Completed Suboperations       : 3") {
			t.Errorf("%s:\n%s", id, said)
		}
	}
	if got, want := dataSets(t, out), dataSets(t, dir); !slices.Equal(got, want) {
		t.Errorf("%d data sets arrived, %d were asked for", len(got), len(want))
	}
	if !slices.ContainsFunc(ask(p, control.AuditList, control.None{}), func(r control.AuditRecord) bool { return r.Action == "view" }) {
		t.Error("the audit log has no word of it")
	}
	p.sound()
}

// valueIn finds the first value of a tag in what a dcmtk program says, in brackets.
func valueIn(said, tag string) string {
	_, rest, _ := strings.Cut(said[strings.Index(said, "Find Response:")+1:], tag)
	_, rest, _ = strings.Cut(rest, "[")
	v, _, _ := strings.Cut(rest, "]")
	return strings.Trim(v, " \x00")
}
