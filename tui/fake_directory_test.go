package tui

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
)

// directory plays a node with three people in its directory, of whom the network tells after the
// cache, and a colleague who reads the same four words.
func (f *fake) directory(mux *http.ServeMux) {
	found := func(person, name string, vouched, awake bool) control.FindEvent {
		r := control.Found{
			Contact: control.Contact{
				Person: person, Name: name, Kind: "clinician", Specialties: []string{"neuroradiology"}, Trust: "unverified",
				SafetyNumber: "11111 22222 33333 44444 55555 66666", Accepting: awake, Hours: new("Mon-Fri 08:00-18:00 @ Europe/Vienna"),
			},
			Languages: []string{"de", "en"}, Country: new("AT"), Vouched: vouched, Source: "network", Until: fakeNow.Add(time.Hour),
		}
		if vouched {
			r.Trust, r.Attestations = "vouched", []string{"vouched by Radiology Association as clinician, neuroradiology, until 2027-01-01"}
		}
		return control.FindEvent{Found: &r}
	}
	control.ContactFind.Handle(mux, func(_ context.Context, r control.FindRequest, emit func(control.FindEvent) error) error {
		f.mu.Lock()
		f.did("find " + r.Specialty + " " + r.Language)
		hostile := f.hostile
		f.mu.Unlock()
		name := func(s string) string {
			if hostile != nil {
				return hostile("Name", s)
			}
			return s
		}
		for _, e := range []control.FindEvent{
			found("d1", name("Dr Stranger"), false, true), found("d2", name("Dr Asleep"), false, false), found("d3", name("Dr Vouched"), true, false),
			{Done: &control.FindResult{Asked: 3, Warning: "there may be more: not everybody had answered yet; wait longer with --timeout"}},
		} {
			if err := emit(e); err != nil {
				return err
			}
		}
		return nil
	})
	words := []string{"amber", "piano", "cactus", "river"}
	answers := make(chan bool, 1)
	control.ContactLive.Handle(mux, func(ctx context.Context, r control.LiveRequest, emit func(control.LiveEvent) error) error {
		if err := emit(control.LiveEvent{State: "waiting", Session: "s"}); err != nil {
			return err
		}
		if err := emit(control.LiveEvent{State: "words", Session: "s", Words: words}); err != nil {
			return err
		}
		select {
		case same := <-answers:
			if !same {
				return control.Errorf(control.Refused, "the words differ: this contact is blocked now")
			}
			return emit(control.LiveEvent{State: "done", Contact: &control.Contact{Person: r.Contact, Trust: "verified"}})
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	control.ContactLiveAnswer.Handle(mux, func(_ context.Context, r control.LiveAnswer) (control.Contact, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.did(map[bool]string{true: "same", false: "differ"}[r.Same])
		answers <- r.Same
		return control.Contact{}, nil
	})
	handle(f, mux, control.ContactLiveOffers, func(context.Context, control.None) ([]control.LiveOffer, error) {
		return []control.LiveOffer{{Person: "d1", Name: "Dr Stranger", Trust: "unverified", Since: fakeNow}}, nil
	})
}

// Attested ones come first whatever came first; who is found can be added and compared with.
func TestDirectory(t *testing.T) {
	drive(t, 100, 30, Config{Graphics: "off", Env: []string{"NO_COLOR=1"}}, newFake(), func(d *driver) {
		d.press("3", "s")
		d.sees("Look for a specialist")
		d.press("n", "e", "u", "r", "o", "ctrl+d")
		d.sees("3 found")
		d.sees("+ vouched by Radiology")
		d.sees("? unattested")
		at := strings.Index
		if s := d.screen(); at(s, "Dr Vouched") > at(s, "Dr Stranger") || at(s, "Dr Stranger") > at(s, "Dr Asleep") {
			t.Errorf("attested first, then who is awake:\n%s", s)
		}
		d.press("j", "v")
		d.sees("amber   piano   cactus   river")
		d.press("enter") // cancel is the default
		d.seesNot("amber")
		d.press("v", "j", "j", "enter")
		d.sees("is verified")
	})
}

// Somebody who waits to compare words is asked about by a dialog that drops keys typed in flight.
func TestLiveOffer(t *testing.T) {
	drive(t, 100, 30, Config{Graphics: "off", Env: []string{"NO_COLOR=1"}}, newFake(), func(d *driver) {
		d.send(eventsMsg{{Event: "contact", Kind: "live"}})
		d.sees("Dr Stranger wants to make sure")
		d.press("enter")
		d.sees("Dr Stranger wants to make sure")
		d.pass(2 * liveGrace)
		d.press("j", "enter")
		d.sees("amber   piano   cactus   river")
		d.press("j", "enter") // they do not match
		d.sees("blocked now")
	})
}

// Every module of the code is drawn, and the border around it is light.
func TestQR(t *testing.T) {
	lines := QR("curbside:i/AAAABBBBCCCCDDDDEEEE", 100)
	if len(lines) == 0 {
		t.Fatal("no code")
	}
	for i, l := range lines {
		if n := len([]rune(l)); n != len([]rune(lines[0])) {
			t.Fatalf("line %d is %d wide", i, n)
		}
	}
	if want := []rune(lines[0]); string(want[0]) != "█" || string([]rune(lines[5])[0]) != "█" {
		t.Error("no light border")
	}
	if QR("curbside:i/AAAABBBBCCCCDDDDEEEE", 20) != nil {
		t.Error("drawn where it does not fit")
	}
}
