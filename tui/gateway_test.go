package tui

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
)

// hospitalSide is the part of the fake that the gateway page and the hand-off call.
func (f *fake) hospitalSide(mux *http.ServeMux) {
	handle(f, mux, control.GatewayStatus, func(context.Context, control.None) (control.GatewayReport, error) { return fakeGateway(), nil })
	handle(f, mux, control.GatewayEcho, func(_ context.Context, r control.DestinationRequest) (control.GatewayDone, error) {
		f.did("echo " + r.Name)
		if r.Name == "old" {
			return control.GatewayDone{}, control.Errorf(control.Refused, "nobody answers at 10.0.0.8:104").WithHint("is it on?")
		}
		return control.GatewayDone{Name: r.Name, OK: true, Detail: "answers"}, nil
	})
	handle(f, mux, control.DestinationRemove, func(_ context.Context, r control.DestinationRequest) (control.GatewayDone, error) {
		f.did("forget " + r.Name)
		return control.GatewayDone{Name: r.Name, OK: true}, nil
	})
	handle(f, mux, control.OpenStudies, func(_ context.Context, r control.OpenRequest) (control.Opened, error) {
		f.did("open " + r.Case)
		return control.Opened{
			Root: "http://127.0.0.1:8042/t/KEY/dicom-web", Until: fakeNow.Add(15 * time.Minute),
			Studies:  []control.OpenedStudy{{Study: "s1", StudyUID: "1.2.3", Present: 212, Listed: 320}, {Study: "s2", StudyUID: "1.2.4", Prior: true, Present: 2, Listed: 2}},
			Warnings: []string{"212 of 320 images are here: the viewer shows no others"},
		}, nil
	})
}

func fakeGateway() control.GatewayReport {
	return control.GatewayReport{
		DICOM: &control.DICOMListener{
			Listen: "0.0.0.0:11112", AETitle: "CURBSIDE", TLS: true, Allow: []string{"CT1", "PACS@10.0.0.7"}, Received: 312, Conflict: 1, Refused: 2, Rejected: 4,
			Errors: []string{"10:41 10.0.0.9: calling AE is not on the list", "10:40 10.0.0.7: truncated", "09:00 10.0.0.7: damaged"},
		},
		Web: &control.Web{
			Listen: new("http://127.0.0.1:8042/dicom-web"), Received: 5, Denied: 1, LastError: "an instance was refused",
			Watch: &control.Watched{Dirs: []string{"/srv/incoming"}, Taken: 128, Waiting: 2, Refused: []control.RefusedFile{{Path: "/srv/incoming/notes.txt", Reason: "not-dicom"}}},
		},
		Destinations: []control.Destination{
			{Name: "old", AET: "OLD", Host: "10.0.0.8", Port: 104, Cleartext: true},
			{Name: "pacs", AET: "ARCHIVE", Host: "10.0.0.7", Port: 2762, TLS: true},
			{Name: "web", STOW: "https://pacs.example.org/dicom-web"},
		},
	}
}

// TestGateway shows the page, tests a destination that is silent and one that answers, and lists what
// was refused.
func TestGateway(t *testing.T) {
	f := newFake()
	drive(t, 80, 24, Config{Graphics: "off", Env: []string{"NO_COLOR=1"}}, f, func(d *driver) {
		d.press(":", "g", "a", "t", "e", "enter")
		exact(t, d, 80, 24)
		golden(t, "gateway-80x24", d.screen())
		d.press("t", "j", "t")
		golden(t, "gateway-tested-80x24", d.screen())
		d.press("e")
		if s := d.screen(); !strings.Contains(s, "notes.txt") || !strings.Contains(s, "damaged") || !strings.Contains(s, "nobody answers") {
			t.Errorf("problems:\n%s", s)
		}
		d.press("esc", "X", "tab", "enter")
		if got := strings.Join(f.log, "; "); !strings.Contains(got, "echo old") || !strings.Contains(got, "echo pacs") || !strings.Contains(got, "forget pacs") {
			t.Errorf("asked %q", got)
		}
	})
}

// TestHandOff shows where another viewer finds the studies, and what is not there.
func TestHandOff(t *testing.T) {
	f := newFake()
	drive(t, 80, 24, Config{Graphics: "off", Env: []string{"NO_COLOR=1"}}, f, func(d *driver) {
		d.press("enter", "Y")
		s := d.screen()
		for _, want := range []string{"/t/KEY/dicom-web", "212 of 320", "prior 1.2.4", "curbside open"} {
			if !strings.Contains(s, want) {
				t.Errorf("no %q in\n%s", want, s)
			}
		}
	})
}
