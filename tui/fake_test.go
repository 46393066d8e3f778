package tui

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
)

// fake is a double of the transport only: the control API over memory, with a
// real phantom CT. What a node does is tested elsewhere.
type fake struct {
	mu       sync.Mutex
	off      atomic.Int32 // frames that were called off
	me       control.Status
	cases    []control.CaseDetail
	studies  []control.StudyDetail
	contacts []control.Contact
	filed    control.CaseArchived
	stores   []control.Destination
	drafts   map[string]control.Draft
	views    []string
	warnings []string // of a request that is only checked
	agreed   control.Agreement
	files    map[string]*study.Instance // by SOP UID
	raw      map[string][]byte
	order    []string
	pass     string
	log      []string // use cases called that change something
	calls    map[string]int
	events   chan control.Event
	marks    []control.Mark
	hold     chan struct{} // frames wait for it, or for their call to be called off
	gap      bool          // a slice of the phantom is missing
	states   []control.PresentationInfo
	series   map[string][]string          // SOP UIDs of a series
	hostile  func(field, s string) string // applied to every string of every reply
}

// fakeSide is small, so that tests are fast; pictures are taken at 512.
var fakeSide = 128

var fakeNow = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

func newFake() *fake {
	f := &fake{
		me:     control.Status{Person: "aa11", Name: "Dr Ada Lind", Kind: "clinician", Running: true, Peers: 3},
		drafts: map[string]control.Draft{}, files: map[string]*study.Instance{}, raw: map[string][]byte{}, calls: map[string]int{},
		series: map[string][]string{},
		events: make(chan control.Event, 100),
	}
	f.addStudy()
	f.addCases()
	f.addMarks()
	f.contacts = []control.Contact{
		{Person: "bb22cc", Name: "Dr Amara Okafor", Kind: "clinician", Specialties: []string{"thoracic radiology"}, Trust: "verified", Verified: true, VerifiedHow: new("2026-02-11 by phone"), Online: true, SafetyNumber: "41293 31229 55510 78123 90417 22871"},
		{Person: "cc33dd", Name: "Dr Bengt Okafor", Kind: "clinician", Specialties: []string{"MSK"}, Trust: "invited", SafetyNumber: "11111 22222 33333 44444 55555 66666"},
		{Person: "dd44ee", Name: "Clinic Puno", Kind: "clinic", Trust: "invited", SafetyNumber: "99999 22222 33333 44444 55555 66666"},
		{Person: "ee55ff", Trust: "pending"},
	}
	return f
}

func (f *fake) addStudy() {
	ct := phantom.CT(phantom.Options{Seed: 7, Slices: 24, Side: fakeSide})
	series := control.Series{SeriesUID: ct.SeriesUID, Number: new(int64(2)), Modality: "CT", Description: "Axial 2.5 lung", BodyPart: "CHEST", Instances: len(ct.Files), Present: len(ct.Files)}
	var bytes int64
	for i, file := range ct.Files {
		in, err := study.Parse(file)
		if err != nil {
			panic(err)
		}
		f.files[ct.SOPUIDs[i]], f.raw[ct.SOPUIDs[i]] = in, file
		f.order = append(f.order, ct.SOPUIDs[i])
		f.series[ct.SeriesUID] = append(f.series[ct.SeriesUID], ct.SOPUIDs[i])
		bytes += int64(len(file))
	}
	scout := control.Series{SeriesUID: "1.2.9.1", Number: new(int64(1)), Modality: "CT", Description: "Scout", Instances: 2, Present: 1, Expected: new(2)}
	f.studies = []control.StudyDetail{{
		Study:      control.Study{Study: "5fd0a1", StudyUID: ct.StudyUID, PatientName: "Moreau^Odile", PatientID: "P-1007", Modality: "CT", Description: "CT chest", Date: "2026-03-02", Series: 2, Instances: 26, Present: 25, Bytes: bytes, Origin: "received", Mode: "identified"},
		SeriesList: []control.Series{scout, series},
	}}
}

func (f *fake) addCases() {
	st := f.studies[0]
	cs := []control.CaseStudy{{Study: st.Study.Study, StudyUID: st.StudyUID, Present: 25, Listed: 26}}
	at := func(d time.Duration) time.Time { return fakeNow.Add(-d) }
	mk := func(id, title, state, from, prio string, ago time.Duration, unread int, mine bool) control.CaseDetail {
		return control.CaseDetail{Case: control.Case{
			Case: id, Title: title, State: state, From: from, Priority: prio, Created: at(ago), Unread: unread, Mine: mine, Studies: cs, Patient: "58F", Flags: []string{},
			Question: "58F, smoker. 8 mm nodule in the right upper lobe on screening. Malignant? Which follow-up interval would you choose?",
		}}
	}
	c := mk("7f3ac0de11", "CT chest ?nodule", "seen", "Dr Amara Okafor", "urgent", 12*time.Minute, 2, false)
	c.Deadline = new(fakeNow.Add(8 * time.Hour))
	c.Members = []control.Member{{Person: "aa11", Name: "Dr Ada Lind", Role: "consultant", Primary: true}, {Person: "bb22cc", Name: "Dr Amara Okafor", Role: "requester", Verified: true}, {Person: "cc33dd", Name: "Dr Bengt Okafor", Role: "consultant"}}
	c.Case.Members = len(c.Members)
	mid := f.order[12]
	c.Entries = []control.Entry{
		{Entry: "e1", Kind: "request", Author: "bb22cc", AuthorName: "Dr Amara Okafor", Time: at(12 * time.Minute), Text: c.Question, InForce: true},
		{Entry: "e2", Kind: "mark", Author: "bb22cc", AuthorName: "Dr Amara Okafor", Time: at(11 * time.Minute), Text: "this one", InForce: true, Anchor: &control.Anchor{Study: st.Study.Study, SeriesUID: st.SeriesList[1].SeriesUID, SOPUID: mid, Points: [][2]float64{{0.4 * float64(fakeSide), 0.46 * float64(fakeSide)}}}},
		{Entry: "e3", Kind: "message", Author: "cc33dd", AuthorName: "Dr Bengt Okafor", Time: at(5 * time.Minute), Text: "Margins look spiculated to me. Was 5 mm in March 2025, so it grows.", InForce: true, Unread: true},
	}
	d := mk("91c0aa0000", "MR brain DWI", "preliminary", "Dr Bengt Okafor", "routine", 2*time.Hour, 0, false)
	d.Reports = []control.Report{{Report: "r1", Status: "preliminary", AuthorName: "Dr Ada Lind", SignedAt: at(time.Hour), Text: "No acute infarct.", Valid: true, Images: "25 of 26 images"}}
	d.Report = new("preliminary")
	e := mk("22be010000", "XR hand fracture", "closed", "Clinic Puno", "routine", 30*time.Hour, 0, false)
	g := mk("ab12cd0000", "CT abdomen, liver lesion", "delivered", "Dr Ada Lind", "stat", 3*time.Hour, 0, true)
	f.cases = []control.CaseDetail{c, d, e, g}
}

func (f *fake) did(s string) { f.log = append(f.log, s) }

func (f *fake) find(id string) (*control.CaseDetail, error) {
	for i := range f.cases {
		if f.cases[i].Case.Case == id {
			return &f.cases[i], nil
		}
	}
	return nil, control.Errorf(control.NotFound, "no such case")
}

func handle[Req, Res any](f *fake, mux *http.ServeMux, op control.Op[Req, Res], fn func(context.Context, Req) (Res, error)) {
	op.Handle(mux, func(ctx context.Context, r Req) (Res, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls[string(op)]++
		if f.hostile == nil {
			return fn(ctx, r)
		}
		edit(reflect.ValueOf(&r), "", func(_, s string) string { s, _, _ = strings.Cut(s, "~"); return s })
		res, err := fn(ctx, r)
		res = deepCopy(res)
		edit(reflect.ValueOf(&res), "", f.hostile)
		return res, err
	})
}

func (f *fake) client() *control.Client { return control.InProcess(f.mux()) }

func (f *fake) mux() *http.ServeMux {
	mux := http.NewServeMux()
	handle(f, mux, control.GetStatus, func(context.Context, control.None) (control.Status, error) { return f.me, nil })
	handle(f, mux, control.CaseList, func(context.Context, control.None) ([]control.Case, error) {
		var out []control.Case
		for _, c := range f.cases {
			out = append(out, c.Case)
		}
		return out, nil
	})
	handle(f, mux, control.CaseShow, func(_ context.Context, r control.CaseShowRequest) (control.CaseDetail, error) {
		c, err := f.find(r.Case)
		if err != nil {
			return control.CaseDetail{}, err
		}
		return *c, nil
	})
	handle(f, mux, control.StudyList, func(context.Context, control.None) ([]control.Study, error) {
		return []control.Study{f.studies[0].Study}, nil
	})
	handle(f, mux, control.StudyShow, func(_ context.Context, r control.StudyRequest) (control.StudyDetail, error) {
		if i := slices.IndexFunc(f.studies, func(s control.StudyDetail) bool { return s.Study.Study == r.Study }); i >= 0 {
			return f.studies[i], nil
		}
		return f.studies[0], nil
	})
	handle(f, mux, control.SeriesShow, f.instances)
	handle(f, mux, control.SeriesSlices, f.slices)
	control.ImageFrame.Handle(mux, func(ctx context.Context, r control.FrameRequest) (control.Image, error) {
		if f.hold != nil {
			select {
			case <-f.hold:
			case <-ctx.Done():
				f.off.Add(1)
				return control.Image{}, ctx.Err()
			}
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		img, err := f.frame(ctx, r)
		if err == nil && f.hostile != nil {
			native := img.Native
			img.Native = nil
			img = deepCopy(img)
			img.Native = native
			edit(reflect.ValueOf(&img.Pixel), "", f.hostile)
			edit(reflect.ValueOf(&img.Reason), "", f.hostile)
		}
		return img, err
	})
	f.marking(mux)
	f.directory(mux)
	handle(f, mux, control.ContactList, func(context.Context, control.None) ([]control.Contact, error) { return f.contacts, nil })
	handle(f, mux, control.ContactShow, func(_ context.Context, r control.ContactRequest) (control.Contact, error) {
		i := slices.IndexFunc(f.contacts, func(c control.Contact) bool { return c.Person == r.Contact })
		return f.contacts[i], nil
	})
	handle(f, mux, control.ContactAdd, func(_ context.Context, r control.ContactAddRequest) (control.Contact, error) {
		f.did("add " + r.Link)
		return control.Contact{Person: "ff66", Name: "Dr New", Trust: "invited"}, nil
	})
	handle(f, mux, control.ContactVerify, func(_ context.Context, r control.ContactVerifyRequest) (control.Contact, error) {
		f.did("verify " + r.Contact + " " + r.Number + r.Words)
		return f.contacts[0], nil
	})
	handle(f, mux, control.GetCard, func(context.Context, control.CardRequest) (control.Card, error) {
		return control.Card{Person: "aa11", Name: f.me.Name, Kind: "clinician", SafetyNumber: "12345 67890 12345 67890 12345 67890", Words: []string{"amber", "piano", "cactus", "river", "stone", "lamp", "north", "apple", "wolf"}, Addresses: []string{"/ip4/127.0.0.1/udp/4001/quic-v1"}, Invite: new("curbside:i/AAAABBBBCCCCDDDDEEEE")}, nil
	})
	handle(f, mux, control.TransferList, func(context.Context, control.None) ([]control.Transfer, error) {
		return []control.Transfer{{Case: "7f3ac0de11", Direction: "receive", Peer: "12D3KooA", BytesDone: 40 << 20, BytesTotal: 100 << 20, Rate: 12 << 20, State: "running"}}, nil
	})
	handle(f, mux, control.PeerList, func(context.Context, control.None) ([]control.Peer, error) {
		return []control.Peer{{Person: "bb22cc", Name: "Dr Amara Okafor", Peer: "12D3KooA", Path: "direct", RTTMS: new(38.0), Since: new(fakeNow.Add(-time.Hour))}}, nil
	})
	handle(f, mux, control.AuditList, func(context.Context, control.None) ([]control.AuditRecord, error) {
		return []control.AuditRecord{{Time: fakeNow, Person: "aa11", Action: "case open", Object: "7f3ac0", Outcome: "ok"}}, nil
	})
	handle(f, mux, control.Doctor, func(context.Context, control.None) (control.DoctorReport, error) {
		return control.DoctorReport{Checks: []control.Check{{Name: "disk", OK: true, Detail: "41 GB free"}, {Name: "listen", Detail: "port in use", Hint: new("choose another")}}}, nil
	})
	f.actions(mux)
	control.Events.Handle(mux, func(ctx context.Context, _ control.None, emit func(control.Event) error) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case e := <-f.events:
				if err := emit(e); err != nil {
					return err
				}
			}
		}
	})
	return mux
}

func (f *fake) actions(mux *http.ServeMux) {
	f.clinical(mux)
	f.hospitalSide(mux)
	f.filing(mux)
	handle(f, mux, control.CaseReply, func(_ context.Context, r control.CaseReplyRequest) (control.EntryRef, error) {
		f.did("reply " + r.Text)
		c, err := f.find(r.Case)
		if err == nil {
			c.Entries = append(c.Entries, control.Entry{Entry: fmt.Sprint("e", len(c.Entries)+1), Kind: "message", AuthorName: f.me.Name, Mine: true, Text: r.Text, Time: fakeNow, InForce: true})
		}
		return control.EntryRef{Entry: "e9"}, err
	})
	handle(f, mux, control.CaseAccept, func(_ context.Context, r control.CaseRequest) (control.EntryRef, error) {
		f.did("accept " + r.Case)
		c, err := f.find(r.Case)
		if err == nil {
			c.State = "accepted"
		}
		return control.EntryRef{}, err
	})
	handle(f, mux, control.CaseDecline, func(_ context.Context, r control.CaseDeclineRequest) (control.EntryRef, error) {
		f.did("decline " + r.Reason + " " + r.Text)
		return control.EntryRef{}, nil
	})
	handle(f, mux, control.CaseClose, func(_ context.Context, r control.CaseRequest) (control.EntryRef, error) {
		f.did("close " + r.Case)
		return control.EntryRef{}, nil
	})
	handle(f, mux, control.CaseInvite, func(_ context.Context, r control.CaseInviteRequest) (control.EntryRef, error) {
		f.did(fmt.Sprint("invite ", r.To))
		return control.EntryRef{}, nil
	})
	handle(f, mux, control.CaseDraft, func(_ context.Context, r control.CaseRequest) (control.Draft, error) {
		d, ok := f.drafts[r.Case]
		if !ok {
			return d, control.Errorf(control.NotFound, "no draft")
		}
		return d, nil
	})
	handle(f, mux, control.CaseReport, func(_ context.Context, r control.CaseReportRequest) (control.ReportRef, error) {
		f.drafts[r.Case] = control.Draft{Text: r.Text, Status: r.Status}
		f.did("draft " + r.Status + " " + r.Text)
		return control.ReportRef{Report: "d1", Status: r.Status, Warnings: []string{"25 of 26 images are here"}}, nil
	})
	handle(f, mux, control.CaseSign, func(ctx context.Context, r control.CaseRequest) (control.ReportRef, error) {
		if f.me.MustConfirm && string(control.Passphrase(ctx)) != f.pass {
			return control.ReportRef{}, control.Errorf(control.Refused, "wrong passphrase")
		}
		d := f.drafts[r.Case]
		delete(f.drafts, r.Case)
		f.did("sign " + d.Status)
		c, err := f.find(r.Case)
		if err == nil {
			c.State = "answered"
			c.Reports = append(c.Reports, control.Report{Report: "r9", Status: d.Status, AuthorName: f.me.Name, SignedAt: fakeNow, Text: d.Text, Valid: true, Images: "25 of 26 images"})
			c.Entries = append(c.Entries, control.Entry{Entry: "e10", Kind: "report", AuthorName: f.me.Name, Mine: true, Text: d.Text, Time: fakeNow, InForce: true})
		}
		return control.ReportRef{Report: "r9", Status: d.Status}, err
	})
	handle(f, mux, control.DeidPreview, func(context.Context, control.DeidRequest) (control.Deid, error) {
		in := f.studies[0]
		return control.Deid{
			Profile: "default", Options: []string{"113101", "113107"}, Images: in.Instances, Ready: in.Instances - 2,
			Changes:  []control.DeidChange{{Tag: "(0010,0010)", Name: "Patient's Name", Action: "replaced", Count: 26}, {Tag: "(0010,0030)", Name: "Patient's Birth Date", Action: "emptied", Count: 26}},
			Kept:     []control.DeidChange{{Tag: "(0010,0040)", Name: "Patient's Sex", Action: "kept", Count: 26}},
			Risky:    []control.DeidRisky{{SOPUID: "1.2.3.44000001", Reason: "something like text stands at the edge of the image"}},
			Excluded: []control.DeidExcluded{{SOPUID: "1.2.3.44000002", Reason: "an encapsulated document"}},
		}, nil
	})
	handle(f, mux, control.Render, func(_ context.Context, r control.RenderRequest) (control.Rendered, error) {
		img := image.NewGray(image.Rect(0, 0, 64, 64))
		for i := range img.Pix {
			img.Pix[i] = byte(i)
		}
		var b bytes.Buffer
		err := png.Encode(&b, img)
		return control.Rendered{SOPUID: r.Instance, PNG: b.Bytes()}, err
	})
	handle(f, mux, control.Request, func(_ context.Context, r control.NewCase) (control.CaseRef, error) {
		if r.Check {
			return control.CaseRef{Warnings: f.warnings}, nil
		}
		f.did(fmt.Sprintf("request %v to %v identified %v %s: %s%s", r.Studies, r.To, r.Identified, r.Priority, r.Question, chosen(r.Choices)))
		return control.CaseRef{Case: "ab12cd0000"}, nil
	})
	handle(f, mux, control.Lock, func(context.Context, control.None) (control.Status, error) {
		f.me.Locked = true
		f.did("lock")
		return f.me, nil
	})
	handle(f, mux, control.Unlock, func(_ context.Context, r control.UnlockRequest) (control.Status, error) {
		if string(r.Passphrase) != f.pass {
			return f.me, control.Errorf(control.Refused, "wrong passphrase")
		}
		f.me.Locked = false
		return f.me, nil
	})
}

func (f *fake) of(series string) []string { return f.series[series] }

func (f *fake) instances(_ context.Context, r control.SeriesRequest) ([]control.InstanceRow, error) {
	if r.SeriesUID == "1.2.9.1" {
		return []control.InstanceRow{
			{SOPUID: "1.2.9.1.1", Number: 1, Frames: 1, Present: true, Reason: "this version cannot display JPEG 2000 (1.2.840.10008.1.2.4.90); it is stored and forwarded intact"},
			{SOPUID: "1.2.9.1.2", Number: 2, Frames: 1},
		}, nil
	}
	var out []control.InstanceRow
	for i, sop := range f.of(r.SeriesUID) {
		p := f.files[sop].Pixel
		out = append(out, control.InstanceRow{SOPUID: sop, Number: int64(i + 1), Rows: p.Rows, Cols: p.Cols, Frames: 1, Present: true, Displayable: true})
	}
	return out, nil
}

func (f *fake) frame(_ context.Context, r control.FrameRequest) (control.Image, error) {
	in := f.files[r.SOPUID]
	if in == nil {
		return control.Image{SOPUID: r.SOPUID, Reason: "not here yet"}, nil
	}
	ranges, err := in.FrameRanges(r.Frame)
	if err != nil {
		return control.Image{}, err
	}
	var data []byte
	for _, x := range ranges {
		data = append(data, f.raw[r.SOPUID][in.Off+x.Off:in.Off+x.Off+x.Len]...)
	}
	n, err := codec.Decode(in.FrameDesc(r.Frame), data)
	if err != nil {
		return control.Image{}, err
	}
	return control.Image{SOPUID: r.SOPUID, Frame: r.Frame, Native: n, Pixel: in.Pixel.Frame(r.Frame)}, nil
}

// TestMain runs the interface over the fake when asked, so that shot can take
// pictures of it: CURBSIDE_TUI_FAKE=1 ./tui.test
func TestMain(m *testing.M) {
	time.Local = time.UTC
	switch os.Getenv("CURBSIDE_TUI_FAKE") {
	case "1":
		if os.Getenv("CURBSIDE_TUI_SMALL") == "" {
			fakeSide = 512
		}
		f := newFake()
		if os.Getenv("CURBSIDE_TUI_PRIOR") != "" {
			f.addPrior()
		}
		if p := os.Getenv("CURBSIDE_TUI_PASS"); p != "" {
			f.pass, f.me.MustConfirm = p, true
		}
		cfg := Config{Client: f.client(), Graphics: os.Getenv("CURBSIDE_TUI_GRAPHICS"), Case: os.Getenv("CURBSIDE_TUI_CASE"), Now: func() time.Time { return fakeNow.Add(time.Since(started)) }}
		if err := Run(context.Background(), cfg); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	case "wizard":
		added, err := Wizard(context.Background(), Config{Create: fakeCreate})
		fmt.Println(added.Name, err)
	default:
		os.Exit(m.Run())
	}
}

var started = time.Now()

func fakeCreate(_ context.Context, r control.PersonAddRequest) (control.PersonAdded, error) {
	words := []string{"abandon", "ability", "able", "about", "above", "absent", "absorb", "abstract", "absurd", "abuse", "access", "accident"}
	return control.PersonAdded{Person: control.Person{Person: "aa11", Name: r.Name, Kind: r.Kind}, Words: slices.Concat(words, words)}, nil
}

type draftT = control.Draft

// newFakeOnce shares one fake between tests that only read: making the phantom takes a while.
var newFakeOnce = sync.OnceValue(newFake)

func deepCopy[T any](v T) T {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var out T
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return out
}

// edit changes every string in v.
func edit(v reflect.Value, field string, fn func(field, s string) string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			edit(v.Elem(), field, fn)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type() != reflect.TypeFor[time.Time]() {
				edit(v.Field(i), v.Type().Field(i).Name, fn)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if v.Type().Elem().Kind() != reflect.Uint8 {
				edit(v.Index(i), field, fn)
			}
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(fn(field, v.String()))
		}
	default:
	}
}

func chosen(c control.Choices) string {
	if len(c.Release)+len(c.Blacken)+len(c.LeaveOut) == 0 {
		return ""
	}
	return fmt.Sprintf(" release %v blacken %v leave out %v", c.Release, c.Blacken, c.LeaveOut)
}
