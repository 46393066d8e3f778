package desk

import (
	"testing"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// TestKeyChange: a contact whose root has signed two chains is blocked, whatever was verified
// before, and neither number nor words end that; a new key under the same name is another person
// and changes nothing (FORMATS §2.1).
func TestKeyChange(t *testing.T) {
	d := openDesk(t, t.TempDir())
	o := newOther(t, "Dr. B")
	o.befriend(d)
	p := d.persons[0]
	number := control.ContactVerifyRequest{Contact: "Dr. B", Number: identity.SafetyNumber(o.id)}
	if c, err := d.ContactVerify(t.Context(), number); err != nil || !c.Verified {
		t.Fatalf("got %+v, %v", c, err)
	}

	impostor := newOther(t, "Dr. B")
	d.Learn(impostor.peer(), impostor.records)
	if got := d.trustOf(p, o.id); got != trustVerified {
		t.Errorf("a stranger with the same name made the contact %s", got)
	}
	if got := d.trustOf(p, impostor.id); got != trustUnverified {
		t.Errorf("the stranger is %s", got)
	}

	second := identity.NewDevice(o.id, wire.NewSecret())
	fork, err := o.root.CertifyDevice(second.Public(), "another", 1, nil, 5)
	if err != nil {
		t.Fatal(err)
	}
	d.Learn(o.peer(), [][]byte{fork})
	if got := d.trustOf(p, o.id); got != trustBlocked {
		t.Errorf("a contact whose chain forks is %s", got)
	}
	if err := d.mayReceive(p, o.id); err == nil {
		t.Error("a case may be sent to a contact whose chain forks")
	}
	if _, err := d.ContactVerify(t.Context(), number); err == nil {
		t.Error("the number of a forked chain verifies")
	}
	if d.Known([]identity.DeviceID{second.ID()}) {
		t.Error("the device of the second chain is known")
	}
}
