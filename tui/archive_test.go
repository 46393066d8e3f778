package tui

import (
	"context"
	"net/http"
	"testing"

	"github.com/curbside-p2p/curbside/node/control"
)

// filing is the part of the fake that files a case.
func (f *fake) filing(mux *http.ServeMux) {
	handle(f, mux, control.CaseArchive, func(_ context.Context, r control.CaseArchiveRequest) (control.CaseArchived, error) {
		f.did("archive " + r.To + " " + r.Language)
		return f.filed, nil
	})
	handle(f, mux, control.DestinationList, func(context.Context, control.None) ([]control.Destination, error) { return f.stores, nil })
}

// TestFile: a case goes to an archive that is chosen, and what did not come through is said.
func TestFile(t *testing.T) {
	f := newFake()
	f.cases[0].Report = new("final")
	f.filed = control.CaseArchived{Archived: []control.ArchivedObject{{OK: true}, {Detail: "out of space"}}}
	f.stores = []control.Destination{{Name: "pacs"}, {Name: "vna"}}
	drive(t, 100, 24, Config{}, f, func(d *driver) {
		d.press("enter", "b")
		d.write("file it")
		d.press("enter")
		d.sees("File in the archive", "the original patient and study", "pacs")
		d.press("right", "enter", "enter")
		d.did("archive vna en")
		d.sees("1 of 2 objects filed: out of space")
	})
}
