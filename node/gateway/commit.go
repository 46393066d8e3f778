package gateway

import (
	"context"
	"log/slog"
	"net"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

// Attributes of storage commitment, PS3.4 §J.3.
const (
	tagTransaction study.Tag = 0x00081195
	tagFailed      study.Tag = 0x00081198 // Failed SOP Sequence
	tagReferenced  study.Tag = 0x00081199 // Referenced SOP Sequence
	tagFailure     study.Tag = 0x00081197 // Failure Reason
	tagRefClass    study.Tag = 0x00081150
	tagRefInstance study.Tag = 0x00081155

	reasonNoSuchInstance = 0x0112 // PS3.3 §C.14
	eventCommitted       = 1
	eventNotAll          = 2
)

// reference names an instance.
type reference struct{ class, instance string }

// report is an answer to a commitment: which instances the other side vouches for.
type report struct{ committed map[string]bool }

// asked is a transaction that waits for its report, from the destination that was asked.
type asked struct {
	report    chan<- report
	aet, host string
}

// expects reports whether a caller is a destination that owes a report.
func (g *Gateway) expects(ctx context.Context, calling string, remote net.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.pending {
		if a.aet == calling && hostIs(ctx, a.host, remote) {
			return true
		}
	}
	return false
}

// transaction reads what a request or report is about.
func transaction(data []byte, syntax string) (uid string, refs []reference, err error) {
	set, err := decode(data, syntax)
	if err != nil {
		return "", nil, err
	}
	if e := set.Find(tagReferenced); e != nil {
		for _, item := range e.Items {
			refs = append(refs, reference{item.UID(tagRefClass), item.UID(tagRefInstance)})
		}
	}
	return set.UID(tagTransaction), refs, nil
}

func referenceItems(refs []reference) object.Element {
	e := object.Element{Tag: tagReferenced, VR: "SQ"}
	for _, r := range refs {
		e.Items = append(e.Items, object.Set{str(tagRefClass, "UI", r.class), str(tagRefInstance, "UI", r.instance)})
	}
	return e
}

// commit answers a caller that asks whether we keep what it sent: what is held is on the disk.
func (l *listener) commit(ctx context.Context, from dimse.Caller, data []byte, syntax string) (dimse.Status, func(func(uint16, []byte) error)) {
	if !l.listed(ctx, from.AETitle, from.Remote) {
		return dimse.NotAuthorized, nil
	}
	uid, refs, err := transaction(data, syntax)
	if err != nil || uid == "" || len(refs) == 0 {
		return dimse.ProcessingFailure, nil
	}
	var held []reference
	failed := object.Element{Tag: tagFailed, VR: "SQ"}
	for _, r := range refs {
		if l.door.Holds(r.class, r.instance) {
			held = append(held, r)
			continue
		}
		failed.Items = append(failed.Items, object.Set{
			str(tagRefClass, "UI", r.class), str(tagRefInstance, "UI", r.instance), object.US(tagFailure, reasonNoSuchInstance),
		})
	}
	event := uint16(eventCommitted)
	set := object.Set{str(tagTransaction, "UI", uid)}
	if len(held) > 0 {
		set = append(set, referenceItems(held))
	}
	if len(failed.Items) > 0 {
		event = eventNotAll
		set = append(set, failed)
	}
	return dimse.Success, func(here func(uint16, []byte) error) {
		// A caller that is a destination is told where it listens (PS3.4 §J.3.3 leaves the choice to
		// the SCP), another one here, while it is there.
		if d, ok := l.g.destinationOf(from.AETitle); ok {
			go l.deliver(context.WithoutCancel(ctx), d, event, set)
			return
		}
		if err := here(event, encode(set, syntax)); err != nil {
			l.note(from.Remote, "storage commitment: the report was not taken: "+err.Error())
		}
	}
}

// deliver reports a commitment on an association of its own.
func (l *listener) deliver(ctx context.Context, d *dicom, event uint16, set object.Set) {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	err := d.report(ctx, event, set)
	if err != nil {
		l.g.cfg.Log.WarnContext(ctx, "storage commitment not reported", slog.String("host", d.set.Host), slog.Any("error", err))
	}
}

// reported takes the answer to a commitment that we asked for.
func (g *Gateway) reported(_ context.Context, _ dimse.Caller, _ uint16, data []byte, syntax string) dimse.Status {
	uid, refs, err := transaction(data, syntax)
	if err != nil || uid == "" {
		return dimse.ProcessingFailure
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	a, ok := g.pending[uid]
	if !ok {
		return dimse.ProcessingFailure // of nobody, or too late
	}
	delete(g.pending, uid)
	a.report <- reportOf(refs) // has room for the one
	return dimse.Success
}

func reportOf(refs []reference) report {
	r := report{committed: map[string]bool{}}
	for _, ref := range refs {
		r.committed[ref.instance] = true
	}
	return r
}
