package desk

import (
	"context"
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/identity"
)

// Check is one thing that doctor looked at.
type Check struct {
	Name, Detail, Hint string
	OK                 bool
}

// Health looks at the stores, the keys and the ways out.
func (d *Desk) Health(ctx context.Context) []Check {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Check
	add := func(name string, ok bool, detail, hint string) {
		out = append(out, Check{Name: name, OK: ok, Detail: detail, Hint: hint})
	}
	add("person", len(d.persons) > 0, fmt.Sprintf("%d persons on this node", len(d.persons)), "make one with: curbside init --name NAME")
	j, err := d.journal.Check(ctx)
	add("journal", err == nil && j.Healthy(), fmt.Sprintf("%d entries in %d bytes", j.Records, j.Bytes),
		"entries were lost on this disk; members send them again when they meet")
	for _, p := range d.persons {
		damage, err := p.vault.Check()
		add("vault", err == nil && len(damage) == 0, "keys and rows of "+p.id.String()[:8], "restore the data directory from a backup")
	}
	u, err := d.blobs.Usage() //nolint:contextcheck // a walk over the folder, at most seconds
	add("blobs", err == nil, fmt.Sprintf("%d blobs, %d arriving, %d bytes", u.Blobs, u.Partials, u.Bytes), "check the disk")
	_, err = d.audit.Verify()
	add("audit", err == nil, fmt.Sprintf("%d records", d.audit.Len()), "somebody or the disk changed the audit log")
	for id, prof := range d.profiles {
		if prof.Fork != nil {
			add("contact", false, "keys of "+id.String()[:8]+" contradict themselves", "remove this contact and make it again in person")
		}
	}
	if d.net == nil {
		add("network", true, "no node is running: nothing is sent or received", "")
		return out
	}
	addrs := d.net.Addrs()
	add("network", len(addrs) > 0, fmt.Sprintf("reachable at %d addresses", len(addrs)), "no network interface is up, or --listen names none that is")
	for _, w := range d.unreached() {
		add("contact", true, "not reached now: "+w.String()[:8], "")
	}
	return out
}

func (d *Desk) unreached() []identity.PersonID {
	var out []identity.PersonID
	for id := range d.profiles {
		if d.wanted(id) && !d.isOnline(id) {
			out = append(out, id)
		}
	}
	return out
}
