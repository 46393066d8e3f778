package node_test

import (
	"testing"

	"github.com/curbside-p2p/curbside/node/control"
)

// TestMembers is issue 2: members of a case who are no contacts of each other converge, also once
// the owner is gone; one who is invited reads everything; one who is removed reads nothing more,
// and what they post afterwards has no effect anywhere.
func TestMembers(t *testing.T) {
	t.Parallel()
	owner, bea, cem, dan := serving(t, "Owner"), serving(t, "Bea"), serving(t, "Cem"), serving(t, "Dan")
	for _, p := range []*clinic{bea, cem, dan} {
		befriend(owner, p)
	}
	id := owner.ask(owner.take(small(1)), "what is it?", "Bea", "Cem")
	bea.complete(id)
	cem.complete(id)
	bea.says(id, "first look")
	cem.reads(id, "first look")
	if dan.show(id) != nil {
		t.Fatal("a contact who is no member has the case")
	}
	agree(id, owner, bea, cem)

	call(owner, control.CaseInvite, control.CaseInviteRequest{Case: id, To: []string{"Dan"}})
	dan.complete(id)
	dan.reads(id, "first look")
	agree(id, owner, bea, cem, dan)

	call(owner, control.CaseRemove, control.CaseMemberRequest{Case: id, Member: "Cem"})
	// The sessions with Cem are still up, and Cem has not heard: what Cem posts goes to all. Once Cem
	// has heard, which a member may tell before they know it themselves, Cem's own node refuses it.
	late, heard := cem.posts(id, "posted after removal")
	owner.says(id, "without Cem")
	bea.reads(id, "without Cem")
	dan.reads(id, "without Cem")
	for _, p := range []*clinic{owner, bea, dan} {
		if heard {
			continue
		}
		p.eventually(func() string {
			c := p.show(id)
			for _, e := range c.Entries {
				if e.Entry == late {
					if e.InForce {
						return "a removed member's post is in force"
					}
					return ""
				}
			}
			return "quarantined post not here"
		})
	}
	agree(id, owner, bea, dan)
	for _, m := range owner.show(id).Members {
		if m.Name == "Cem" && m.Role != "removed" {
			t.Errorf("Cem is %s", m.Role)
		}
	}
	if cem.entry(id, "without Cem") != nil {
		t.Error("a removed member reads on")
	}

	owner.down()
	bea.says(id, "owner is away")
	dan.reads(id, "owner is away")
	agree(id, bea, dan)
	if cem.entry(id, "owner is away") != nil || cem.entry(id, "without Cem") != nil {
		t.Error("a removed member reads on")
	}
}

// TestBlocked: while a member is blocked nothing of ours goes to the case, automatic entries
// neither; removing them opens it again.
func TestBlocked(t *testing.T) {
	t.Parallel()
	owner, bea, cem := serving(t, "Owner"), serving(t, "Bea"), serving(t, "Cem")
	befriend(owner, bea)
	befriend(owner, cem)
	study := owner.take(small(2))
	id := owner.ask(study, "what is it?", "Bea", "Cem")
	bea.complete(id)
	cem.complete(id)

	refused(owner, control.ContactVerify, control.ContactVerifyRequest{Contact: "Cem", Number: "11111 22222 33333 44444 55555 66666"}, control.Refused)
	if c := call(owner, control.ContactShow, control.ContactRequest{Contact: "Cem"}); c.Trust != "blocked" {
		t.Fatalf("trust is %s", c.Trust)
	}
	refused(owner, control.CaseReply, control.CaseReplyRequest{Case: id, Text: "hello"}, control.Refused)
	refused(owner, control.CaseClose, control.CaseRequest{Case: id}, control.Refused)
	refused(owner, control.Request, control.NewCase{Studies: []string{study}, To: []string{"Cem"}, Question: "q", Identified: true}, control.Refused)
	bea.says(id, "from Bea")
	owner.reads(id, "from Bea")
	if _, err := control.CaseShow.Call(owner.ctx(), owner.c, control.CaseShowRequest{Case: id, Seen: true}); err != nil {
		t.Fatal(err)
	}
	before := len(owner.show(id).Entries)
	call(owner, control.CaseRemove, control.CaseMemberRequest{Case: id, Member: "Cem"})
	owner.says(id, "open again")
	bea.reads(id, "open again")
	if after := len(owner.show(id).Entries); after <= before {
		t.Errorf("%d entries, then %d", before, after)
	}
	agree(id, owner, bea)
}
