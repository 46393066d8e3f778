package node_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/node"
	"github.com/curbside-p2p/curbside/node/control"
)

// listed makes a home whose person is in the directory, and lets it serve beside a node of the DHT.
func listed(t *testing.T, name, boot string, settings ...string) *clinic {
	t.Helper()
	p := found(t, name)
	for i := 0; i < len(settings); i += 2 {
		if err := node.SaveSetting(p.home, settings[i], settings[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	p.config.NoDHT, p.config.LANOnly, p.config.Bootstrap = false, true, []string{boot}
	p.down()
	p.serve()
	return p
}

// finds looks until somebody is found.
func (p *clinic) finds(req control.FindRequest, name string) (row control.Found) {
	p.t.Helper()
	p.eventually(func() string {
		err := control.ContactFind.Call(p.ctx(), p.c, req, func(e control.FindEvent) error {
			if e.Found != nil && e.Found.Name == name {
				row = *e.Found
			}
			return nil
		})
		if err != nil {
			return err.Error()
		}
		if row.Name == "" {
			return name + " is not found"
		}
		return ""
	})
	return row
}

// compares runs live words to their end; same says whether the person says that they match.
func (p *clinic) compares(who string, same bool, words chan<- string) error {
	ctx, cancel := context.WithTimeout(p.ctx(), patience)
	defer cancel()
	return control.ContactLive.Call(ctx, p.c, control.LiveRequest{Contact: who, Timeout: patience}, func(e control.LiveEvent) error {
		if e.State != "words" {
			return nil
		}
		words <- strings.Join(e.Words, " ")
		go func() {
			_, _ = control.ContactLiveAnswer.Call(ctx, p.c, control.LiveAnswer{Session: e.Session, Same: same})
		}()
		return nil
	})
}

// TestDirectory is issue 5's way to a stranger: found by specialty, added, refused while nobody has
// verified, four words compared, a case sent and read. Then a clinic's word limits and its
// withdrawal frees.
func TestDirectory(t *testing.T) {
	t.Parallel()
	a := empty(t, "Clinic Puno")
	made := call(a, control.PersonAdd, control.PersonAddRequest{Name: "Clinic Puno", Kind: "clinic", NoPassphrase: true})
	words := strings.Join(made.Words, " ")
	a.config.NoDHT, a.config.LANOnly = false, true
	a.down()
	a.serve()
	boot := call(a, control.GetCard, control.CardRequest{NoInvite: true}).Addresses[0]
	b := listed(t, "Dr. Quispe", boot, "listed", "true", "specialties", "Neuroradiology", "languages", "es,en", "availability", "always")
	listed(t, "Dr. Away", boot, "listed", "true", "specialties", "neuroradiology", "languages", "de", "availability", "off")

	row := a.finds(control.FindRequest{Specialty: "Neuroradiology", Language: "es"}, "Dr. Quispe")
	if row.Trust != "unverified" || row.Vouched || row.Source == "" || !row.Accepting || row.IsContact {
		t.Errorf("found %+v", row)
	}
	if away := a.finds(control.FindRequest{Specialty: "neuroradiology"}, "Dr. Away"); away.Accepting {
		t.Error("who is off is awake")
	}
	_ = control.ContactFind.Call(a.ctx(), a.c, control.FindRequest{Awake: true, Timeout: -1}, func(e control.FindEvent) error {
		if e.Found != nil && e.Found.Name != "Dr. Quispe" {
			t.Errorf("%s is not awake", e.Found.Name)
		}
		return nil
	})

	c := call(a, control.ContactAdd, control.ContactAddRequest{Person: row.Person[:8]})
	if c.Trust != "unverified" || c.Warning == "" {
		t.Errorf("added as %+v", c)
	}
	study := a.take(small(5))
	refused(a, control.Request, control.NewCase{Studies: []string{study}, To: []string{"Dr. Quispe"}, Question: "what is it?", Identified: true}, control.Refused)

	seen := make(chan string, 2)
	ends := make(chan error, 2)
	go func() { ends <- a.compares("Dr. Quispe", true, seen) }()
	b.eventually(func() string {
		if len(call(b, control.ContactLiveOffers, control.None{})) == 0 {
			return "no offer"
		}
		return ""
	})
	go func() { ends <- b.compares("Clinic Puno", true, seen) }()
	for range 2 {
		if err := <-ends; err != nil {
			t.Fatal(err)
		}
	}
	if x, y := <-seen, <-seen; x != y || len(strings.Fields(x)) != 4 {
		t.Errorf("words %q and %q", x, y)
	}
	for _, p := range []struct {
		*clinic
		of string
	}{{a, "Dr. Quispe"}, {b, "Clinic Puno"}} {
		if c := call(p.clinic, control.ContactShow, control.ContactRequest{Contact: p.of}); !c.Verified || *c.VerifiedHow != "live words" {
			t.Errorf("%s is %s", p.of, c.Trust)
		}
	}
	id := a.ask(study, "what is it?", "Dr. Quispe")
	b.complete(id)
	trainee(t, a, b, id, words)
}

// trainee: what a pinned clinic attests limits at home and at the other end, until it takes it back.
func trainee(t *testing.T, a, b *clinic, id, words string) {
	t.Helper()
	refused(a, control.AttestIssue, control.AttestRequest{Contact: "Dr. Quispe", Role: "trainee"}, control.Refused) // without words
	made := call(a, control.AttestIssue, control.AttestRequest{Contact: "Dr. Quispe", Role: "trainee", Words: words})
	if made.Serial != 1 || made.Standing != "valid" {
		t.Errorf("issued %+v", made)
	}
	b.eventually(func() string {
		if len(call(b, control.AttestList, control.None{})) == 0 {
			return "the attestation is not here"
		}
		return ""
	})
	for _, m := range a.show(id).Members {
		if m.Name == "Dr. Quispe" && (m.Attested == nil || *m.Attested != "trainee" || len(m.Attestations) != 1) {
			t.Errorf("the member is %+v", m)
		}
	}
	final := func() error {
		if _, err := control.CaseReport.Call(b.ctx(), b.c, control.CaseReportRequest{Case: id, Text: "normal"}); err != nil {
			return err
		}
		_, err := control.CaseSign.Call(b.ctx(), b.c, control.CaseRequest{Case: id})
		return err
	}
	if err := final(); err == nil || control.AsError(err).Code != control.Refused {
		t.Errorf("a trainee's final: %v", err)
	}
	call(a, control.AttestRevoke, control.AttestRevokeRequest{Serial: 1, Words: words})
	b.eventually(func() string {
		if l := call(b, control.AttestList, control.None{}); len(l) != 1 || !l[0].Revoked {
			return "the withdrawal is not here"
		}
		return ""
	})
	b.eventually(func() string {
		if err := final(); err != nil {
			return control.AsError(err).Message
		}
		return ""
	})
}

// TestLiveWordsDiffer: where one says no, neither is verified, and the contact is blocked on both sides.
func TestLiveWordsDiffer(t *testing.T) {
	t.Parallel()
	a, b := serving(t, "Ask"), serving(t, "Answer")
	befriend(a, b)
	seen, ends := make(chan string, 2), make(chan error, 2)
	go func() { ends <- a.compares("Answer", true, seen) }()
	go func() { ends <- b.compares("Ask", false, seen) }() // both begin at once
	for range 2 {
		if err := <-ends; err == nil || control.AsError(err).Code != control.Refused {
			t.Errorf("got %v", err)
		}
	}
	for _, p := range []struct {
		*clinic
		of string
	}{{a, "Answer"}, {b, "Ask"}} {
		if c := call(p.clinic, control.ContactShow, control.ContactRequest{Contact: p.of}); c.Trust != "blocked" {
			t.Errorf("%s is %s", p.of, c.Trust)
		}
	}
}

// TestVouchedStranger: two who never met, each vouched for by a clinic that the other has pinned,
// need no telephone.
func TestVouchedStranger(t *testing.T) {
	t.Parallel()
	issuer := empty(t, "Association")
	made := call(issuer, control.PersonAdd, control.PersonAddRequest{Name: "Association", Kind: "clinic", NoPassphrase: true})
	words := strings.Join(made.Words, " ")
	issuer.config.NoDHT, issuer.config.LANOnly = false, true
	issuer.down()
	issuer.serve()
	boot := call(issuer, control.GetCard, control.CardRequest{NoInvite: true})
	a := listed(t, "Clinic Puno", boot.Addresses[0])
	b := listed(t, "Dr. Quispe", boot.Addresses[0], "listed", "true", "specialties", "thoracic")
	for _, p := range []*clinic{a, b} {
		befriend(issuer, p)
		call(p, control.ContactVerify, control.ContactVerifyRequest{Contact: "Association", Number: boot.SafetyNumber})
		call(issuer, control.AttestIssue, control.AttestRequest{Contact: p.name, Role: "clinician", Words: words})
		p.eventually(func() string {
			if len(call(p, control.AttestList, control.None{})) != 1 {
				return "no attestation"
			}
			return ""
		})
	}
	deadline := time.Now().Add(patience)
	var row control.Found
	for row = a.finds(control.FindRequest{Specialty: "thoracic"}, "Dr. Quispe"); !row.Vouched && time.Now().Before(deadline); {
		row = a.finds(control.FindRequest{Specialty: "thoracic"}, "Dr. Quispe")
	}
	if !row.Vouched || row.Trust != "vouched" || !strings.HasPrefix(row.Attestations[0], "vouched by Association as clinician") {
		t.Fatalf("found %+v", row)
	}
	if c := call(a, control.ContactAdd, control.ContactAddRequest{Person: row.Person}); c.Trust != "vouched" {
		t.Errorf("added as %s", c.Trust)
	}
	id := a.ask(a.take(small(6)), "what is it?", "Dr. Quispe")
	b.complete(id)
}
