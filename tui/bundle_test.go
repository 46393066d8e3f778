package tui

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/curbside-p2p/curbside/node/control"
)

// bundles is the part of the fake that sticks call.
func (f *fake) bundles(mux *http.ServeMux) {
	said := func(s string, res control.BundleResult, emit func(control.BundleEvent) error) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.did(s)
		return emit(control.BundleEvent{Result: &res})
	}
	control.BundleWrite.Handle(mux, func(_ context.Context, r control.BundleWriteRequest, emit func(control.BundleEvent) error) error {
		return said(fmt.Sprint("write ", r.To, r.Cases, r.Out), control.BundleResult{Cases: 1, Entries: 7, Bytes: 2_400_000}, emit)
	})
	control.BundleRead.Handle(mux, func(_ context.Context, r control.BundleReadRequest, emit func(control.BundleEvent) error) error {
		if len(r.Files) > 2 {
			return control.Errorf(control.Refused, "part 2 of 3 is missing")
		}
		return said(fmt.Sprint("read ", r.Files, r.Partial), control.BundleResult{Cases: 2, Entries: 1, Bytes: 900}, emit)
	})
}

// TestStick: a case goes onto a stick for its members, and what is on one comes in.
func TestStick(t *testing.T) {
	drive(t, 100, 30, Config{}, newFake(), func(d *driver) {
		d.press("enter", "b")
		d.write("stick")
		d.press("enter")
		d.sees("Write a bundle for a stick", "everybody in the case", "that only they")
		d.press("tab")
		d.write("/media/stick/case.curbside")
		d.press("ctrl+d")
		d.did("write [bb22cc cc33dd] [7f3ac0de11]/media/stick/case.curbside")
		d.sees("wrote 7 entries of 1 case")
	})
	drive(t, 100, 30, Config{}, newFake(), func(d *driver) {
		d.press("4", "b")
		d.sees("Read a bundle", "checked whole")
		d.write("/media/a.1, /media/a.2")
		d.press("tab", "right", "ctrl+d")
		d.did("read [/media/a.1 /media/a.2] true")
		d.sees("took 1 entry of 2 cases")
		d.press("b")
		d.write("/media/a.1,/media/a.2,/media/a.3")
		d.press("ctrl+d")
		d.sees("part 2 of 3 is missing")
	})
}
