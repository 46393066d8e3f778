package node_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/node"
	"github.com/curbside-p2p/curbside/node/control"
)

// TestOffline: a request for a peer that is down waits, also over a restart of the sender, and
// goes when the peer returns.
func TestOffline(t *testing.T) {
	t.Parallel()
	a, b := serving(t, "Ask"), serving(t, "Answer")
	befriend(a, b)
	study := a.take(small(6))
	at := b.port()
	b.down()
	id := a.ask(study, "what is it?", "Answer")
	if s := call(a, control.GetStatus, control.None{}); s.Queued != 1 {
		t.Errorf("%d cases wait", s.Queued)
	}
	if l := call(a, control.TransferList, control.None{}); len(l) != 1 || l[0].Direction != "send" || !strings.HasPrefix(l[0].State, "queued") {
		t.Errorf("transfers %+v", l)
	}
	a.down()
	a.open() // with no node, as a command does
	a.says(id, "written with no node")
	a.down()
	a.serve()
	b.config.Listen = []string{"/ip4/127.0.0.1/tcp/" + at}
	b.serve()
	b.complete(id)
	b.reads(id, "written with no node")
	agree(id, a, b)
	a.eventually(func() string {
		if s := call(a, control.GetStatus, control.None{}); s.Queued != 0 {
			return "still queued"
		}
		return ""
	})
}

// TestQuiet: once every receipt is there a case stops producing entries (FIELD §4.3).
func TestQuiet(t *testing.T) {
	t.Parallel()
	a, b, c := serving(t, "Ask"), serving(t, "Bea"), serving(t, "Cem")
	befriend(a, b)
	befriend(a, c)
	id := a.ask(a.take(small(7)), "what is it?", "Bea", "Cem")
	b.complete(id)
	c.complete(id)
	b.says(id, "hello")
	c.reads(id, "hello")
	a.reads(id, "hello")
	call(c, control.CaseShow, control.CaseShowRequest{Case: id, Seen: true})
	agree(id, a, b, c)

	const silence = 3 * time.Second
	heard := make(chan control.Event, 1024)
	for _, p := range []*clinic{a, b, c} {
		go func() {
			_ = control.CaseWatch.Call(p.ctx(), p.c, control.CaseWatchRequest{Case: id}, func(e control.Event) error {
				if e.Event == "entry" {
					heard <- e
				}
				return nil
			})
		}()
	}
	end := time.After(patience)
	for quiet := false; !quiet; {
		select {
		case <-end:
			t.Fatal("the case does not fall silent")
		case <-heard:
		case <-time.After(silence):
			quiet = true
		}
	}
	for _, m := range a.show(id).Members {
		if m.Name != "Ask" && !m.Delivered {
			t.Errorf("nothing says that %s has it", m.Name)
		}
	}
}

// timeless leaves out what only the clock changes: how much of a target has passed.
func timeless(cases []control.Case) []control.Case {
	for i := range cases {
		for k := range cases[i].Due {
			cases[i].Due[k].Share = 0
		}
	}
	return cases
}

// TestIndexIsACache: with the index gone a home says the same as before.
func TestIndexIsACache(t *testing.T) {
	t.Parallel()
	a, b := serving(t, "Ask"), serving(t, "Answer")
	befriend(a, b)
	id := a.ask(a.take(small(8)), "what is it?", "Answer")
	b.complete(id)
	b.says(id, "hello")
	a.reads(id, "hello")
	a.down()
	b.down()
	for _, p := range []*clinic{a, b} {
		p.open()
		cases, studies, hash := timeless(call(p, control.CaseList, control.None{})), call(p, control.StudyList, control.None{}), p.hash(id)
		frame := call(p, control.PixelFrame, control.FrameRequest{SOPUID: p.anySOP(studies[0].Study)})
		p.down()
		if err := os.RemoveAll(filepath.Join(p.home, "index")); err != nil {
			t.Fatal(err)
		}
		p.open()
		if got := timeless(call(p, control.CaseList, control.None{})); !reflect.DeepEqual(got, cases) {
			t.Errorf("%s: cases\n%+v\n%+v", p.name, got, cases)
		}
		if got := call(p, control.StudyList, control.None{}); !reflect.DeepEqual(got, studies) {
			t.Errorf("%s: studies\n%+v\n%+v", p.name, got, studies)
		}
		if got := p.hash(id); got != hash {
			t.Errorf("%s: another state", p.name)
		}
		if got := call(p, control.PixelFrame, control.FrameRequest{SOPUID: p.anySOP(studies[0].Study)}); !reflect.DeepEqual(got, frame) {
			t.Errorf("%s: another frame", p.name)
		}
	}
}

func (p *clinic) anySOP(id string) string {
	p.t.Helper()
	d := call(p, control.StudyShow, control.StudyRequest{Study: id})
	rows := call(p, control.SeriesShow, control.SeriesRequest{Study: id, SeriesUID: d.SeriesList[0].SeriesUID})
	return rows[0].SOPUID
}

// TestPassphrase: a home opens with its passphrase only, and signing wants it at that moment.
func TestPassphrase(t *testing.T) {
	t.Parallel()
	b := serving(t, "Answer")
	a := empty(t, "Ask")
	call(a, control.PersonAdd, control.PersonAddRequest{Name: "Ask", Passphrase: []byte("correct horse")})
	if s := call(a, control.GetStatus, control.None{}); !s.MustConfirm {
		t.Error("signing wants no passphrase")
	}
	// A second person under another passphrase would lock both out.
	refused(a, control.PersonAdd, control.PersonAddRequest{Name: "Other", Passphrase: []byte("battery staple")}, control.Refused)
	a.down()
	for _, wrong := range [][]byte{nil, []byte("correct hors"), []byte("battery staple")} {
		a.config.Passphrase = wrong
		n, err := node.Open(a.ctx(), a.config)
		if err == nil {
			_ = n.Close()
			t.Fatalf("it opens with %q", wrong)
		}
		want := control.Refused
		if wrong == nil {
			want = control.Locked
		}
		if e := control.AsError(err); e.Code != want {
			t.Errorf("with %q: %s, %s", wrong, e.Code, e.Message)
		}
	}
	a.config.Passphrase = []byte("correct horse")
	a.serve()
	befriend(a, b)
	id := a.ask(a.take(small(9)), "what is it?", "Answer")
	b.complete(id)
	call(a, control.CaseReport, control.CaseReportRequest{Case: id, Text: "nothing"})
	refused(a, control.CaseSign, control.CaseRequest{Case: id}, control.Locked)
	a.c.Passphrase = []byte("wrong")
	refused(a, control.CaseSign, control.CaseRequest{Case: id}, control.Refused)
	a.c.Passphrase = []byte("correct horse")
	if _, err := control.CaseSign.Call(a.ctx(), a.c, control.CaseRequest{Case: id}); err != nil && control.AsError(err).Code != control.Refused {
		t.Error(err)
	}
}

// TestByFile makes contacts with no network and no node (SCRIPTING, Invites).
func TestByFile(t *testing.T) {
	t.Parallel()
	a, b, c := found(t, "Ask"), found(t, "Answer"), found(t, "Third")
	link := b.invite()
	join := call(a, control.ContactAdd, control.ContactAddRequest{Link: link, ToFile: true})
	if join.Trust != "pending" || join.Name != "" || len(join.File) == 0 {
		t.Fatalf("%+v", join)
	}
	study := a.take(small(10))
	e := refused(a, control.Request, control.NewCase{Studies: []string{study}, To: []string{join.Person}, Question: "q", Identified: true}, control.Refused)
	if !strings.Contains(e.Message, "pending") {
		t.Error(e.Message)
	}
	accept := call(b, control.ContactAdd, control.ContactAddRequest{File: join.File})
	if accept.Trust != "invited" || accept.Name != "Ask" || len(accept.File) == 0 {
		t.Fatalf("%+v", accept)
	}
	if again := call(b, control.ContactAdd, control.ContactAddRequest{File: join.File}); !slices.Equal(again.File, accept.File) {
		t.Error("the same Join got another answer")
	}
	refused(c, control.ContactAdd, control.ContactAddRequest{File: accept.File}, control.Refused)
	refused(c, control.ContactAdd, control.ContactAddRequest{File: join.File}, control.Refused)
	if got := call(a, control.ContactAdd, control.ContactAddRequest{File: accept.File}); got.Trust != "invited" || got.Name != "Answer" {
		t.Fatalf("%+v", got)
	}
	// The invite is used up: a second, different Join is refused.
	other := call(c, control.ContactAdd, control.ContactAddRequest{Link: link, ToFile: true})
	refused(b, control.ContactAdd, control.ContactAddRequest{File: other.File}, control.Refused)
	if !strings.Contains(string(b.log.bytes()), "ALARM") {
		t.Error("no alarm")
	}
	for _, x := range call(b, control.ContactList, control.None{}) {
		if x.Name == "Third" {
			t.Error("the second is a contact")
		}
	}
	// A pending contact is tried when both serve: here the invite is used, so it ends.
	if id := a.ask(study, "what is it?", "Answer"); id == "" {
		t.Error("a contact by file cannot be asked")
	}
}

// TestUsedInvite: over the network a second person is refused as well, and told so.
func TestUsedInvite(t *testing.T) {
	t.Parallel()
	a, b, c := serving(t, "Ask"), serving(t, "Answer"), serving(t, "Third")
	link := b.invite()
	call(a, control.ContactAdd, control.ContactAddRequest{Link: link})
	if again := call(a, control.ContactAdd, control.ContactAddRequest{Link: link}); again.Trust != "invited" {
		t.Errorf("the same again: %+v", again)
	}
	refused(c, control.ContactAdd, control.ContactAddRequest{Link: link}, control.Refused)
	if l := call(c, control.ContactList, control.None{}); len(l) != 0 {
		t.Errorf("still there: %+v", l)
	}
	if !strings.Contains(string(b.log.bytes()), "ALARM") {
		t.Error("no alarm")
	}
	if l := call(b, control.ContactList, control.None{}); len(l) != 1 {
		t.Errorf("contacts %+v", l)
	}
}
