package desk

import (
	"bytes"
	"net/http"
	"slices"
	"testing"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/report"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// TestSignedText: what case show prints as signed text is what the signature covers, also where the
// author typed what no terminal should get; and of a stored report with any byte flipped none is
// shown as valid.
func TestSignedText(t *testing.T) {
	d := openDesk(t, t.TempDir())
	if _, err := d.PersonAdd(t.Context(), control.PersonAddRequest{Name: "Reader", NoPassphrase: true}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	d.Register(mux)
	clinic, reader := control.InProcess(mux), control.InProcess(mux)
	clinic.As, reader.As = "Dr Test", "Reader"
	study := ""
	err := control.Import.Call(t.Context(), clinic, control.ImportRequest{Paths: []string{write(t, smallCT(2).Files)}}, func(e control.ImportEvent) error {
		if e.Result != nil {
			study = e.Result.Studies[0].Study
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := control.Request.Call(t.Context(), clinic, control.NewCase{Studies: []string{study}, To: []string{"Reader"}, Question: "Any fracture there?", Identified: true})
	if err != nil {
		t.Fatal(err)
	}
	said := "Fracture of the left\u202e radius.\x1b[2J\n\n  Impression:\n1. Colles\u2019 fracture \u2013 \u00e4lter."
	if _, err := control.CaseReport.Call(t.Context(), reader, control.CaseReportRequest{Case: ref.Case, Text: said}); err != nil {
		t.Fatal(err)
	}
	signed, err := control.CaseSign.Call(t.Context(), reader, control.CaseRequest{Case: ref.Case})
	if err != nil {
		t.Fatal(err)
	}
	c, err := control.CaseShow.Call(t.Context(), clinic, control.CaseShowRequest{Case: ref.Case})
	if err != nil || len(c.Reports) != 1 || !c.Reports[0].Valid || !c.Reports[0].Exact {
		t.Fatalf("%v %+v", err, c.Reports)
	}
	id, _ := ledger.ParseThreadID(ref.Case)
	entry, _ := ledger.ParseEntryID(signed.Report)
	th := d.threads[id]
	body, err := consult.Decode(ledger.Report, th.ledger.Entry(entry).Body)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := report.Decode(body.(*consult.ReportBody).Document)
	if err != nil || doc.Text != c.Reports[0].Text {
		t.Fatalf("signed is %q, shown is %q (%v)", doc.Text, c.Reports[0].Text, err)
	}

	// As read from the disk, all but the report; then the report with each byte flipped.
	again, sealed := d.newThread(id), []byte(nil)
	d.restoreSecrets(id, again)
	for _, it := range th.ledger.ByID(entriesOf(th.ledger)) {
		if it.Entry == entry {
			sealed = it.Sealed
			continue
		}
		if _, err := again.ledger.Receive(bytes.Clone(it.Sealed), d.locals()); err != nil {
			t.Fatal(err)
		}
	}
	if len(sealed) == 0 || len(again.fold().Reports) != 0 {
		t.Fatal("the report is not where it should be")
	}
	for i := range sealed {
		b := bytes.Clone(sealed)
		b[i] ^= 1 << (i % 8)
		_, err := again.ledger.Receive(b, d.locals())
		if err == nil || again.ledger.Has(entry) {
			again.changed()
			if rs := again.fold().Reports; slices.ContainsFunc(rs, func(r consult.Report) bool { return r.Valid }) {
				t.Fatalf("byte %d of %d flipped: a report is shown as valid", i, len(sealed))
			}
		}
	}
	if _, err := again.ledger.Receive(bytes.Clone(sealed), d.locals()); err != nil {
		t.Fatal(err)
	}
	again.changed()
	if rs := again.fold().Reports; len(rs) != 1 || !rs[0].Valid || rs[0].Text != doc.Text {
		t.Fatalf("the report itself is not shown: %+v", rs)
	}
	t.Logf("%d bytes flipped, one after another", len(sealed))
}

func entriesOf(t *ledger.Thread) []ledger.EntryID {
	var ids []ledger.EntryID
	for _, e := range t.Entries() {
		ids = append(ids, e.ID)
	}
	return ids
}
