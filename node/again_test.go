package node_test

import (
	"testing"

	"github.com/curbside-p2p/curbside/node/control"
)

// TestMembersBecomeContacts: two who met in a case know each other's keys before the invite, and
// have a session already. One who was blocked is a contact again by a new invite (FORMATS §2.1).
func TestMembersBecomeContacts(t *testing.T) {
	t.Parallel()
	owner, bea, cem := serving(t, "Owner"), serving(t, "Bea"), serving(t, "Cem")
	befriend(owner, bea)
	befriend(owner, cem)
	id := owner.ask(owner.take(small(5)), "what is it?", "Bea", "Cem")
	bea.complete(id)
	cem.complete(id)
	for _, m := range bea.show(id).Members {
		if m.Name == "Cem" && m.Trust != "unverified" {
			t.Errorf("a fellow member is %s", m.Trust)
		}
	}
	befriend(bea, cem)

	refused(owner, control.ContactVerify, control.ContactVerifyRequest{Contact: "Cem", Words: "no no no no no no no no no"}, control.Refused)
	refused(owner, control.CaseReply, control.CaseReplyRequest{Case: id, Text: "hello"}, control.Refused)
	befriend(owner, cem)
	owner.says(id, "open again")
	cem.reads(id, "open again")
	agree(id, owner, bea, cem)
}
