package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

// secured asks the destination to commit to what it took; one that does not is asked by a query
// whether it has it. What it says stands in out. An error is one of ours alone: a destination that
// offers neither is no failure.
func (d *dicom) secured(ctx context.Context, files []File, out []Stored) error {
	var refs []reference
	for _, o := range out {
		if o.State == StoredYes {
			refs = append(refs, reference{o.SOPClass, o.SOPUID})
		}
	}
	if len(refs) == 0 {
		return nil
	}
	state := Committed
	sure, err := d.askCommitment(ctx, refs)
	if err != nil {
		state = Confirmed
		sure, err = d.confirm(ctx, files)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return nil //nolint:nilerr // it offers neither: stored is all that can be said
	}
	for i := range out {
		if out[i].State == StoredYes && sure[out[i].SOPUID] {
			out[i].State = state
		}
	}
	return nil
}

// askCommitment is storage commitment, push model: N-ACTION, and the report wherever it comes.
func (d *dicom) askCommitment(ctx context.Context, refs []reference) (map[string]bool, error) {
	a, err := d.open(ctx, dimse.Proposal{Abstract: dimse.StorageCommitment, Syntaxes: slices.Clone(plain)})
	if err != nil {
		return nil, err
	}
	defer a.Close()
	c := a.Context(dimse.StorageCommitment)
	if c == nil {
		return nil, dimse.ErrNoContext
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	uid := object.UID(random)
	got := make(chan report, 1)
	d.g.mu.Lock()
	listening := d.g.listener != nil
	d.g.pending[uid] = asked{report: got, aet: d.set.AET, host: d.set.Host}
	d.g.mu.Unlock()
	defer func() {
		d.g.mu.Lock()
		defer d.g.mu.Unlock()
		delete(d.g.pending, uid)
	}()
	set := object.Set{str(tagTransaction, "UI", uid), referenceItems(refs)}
	if err := a.AskCommitment(encode(set, c.Syntax)); err != nil {
		return nil, err
	}
	if r, err := awaitHere(ctx, a, uid, got); err == nil || !listening {
		return r.committed, err
	}
	_ = a.Release() // the report comes by another association
	select {
	case r := <-got:
		return r.committed, nil
	case <-time.After(commitTime):
		return nil, dimse.ErrTimeout
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// awaitHere waits a while for the report on the association that asked, or by the listener.
func awaitHere(ctx context.Context, a *dimse.Assoc, uid string, got <-chan report) (report, error) {
	for range commitHere / commitStep {
		select {
		case r := <-got:
			return r, released(a)
		case <-ctx.Done():
			return report{}, ctx.Err()
		default:
		}
		if !a.Readable(commitStep) {
			continue
		}
		_, data, syntax, err := a.AwaitReport(commitTime)
		if err != nil {
			return report{}, err
		}
		of, refs, err := transaction(data, syntax)
		if err != nil || of != uid {
			return report{}, errors.Join(dimse.ErrProtocol, err)
		}
		return reportOf(refs), released(a)
	}
	return report{}, dimse.ErrTimeout
}

// confirm asks by a query which instances of the studies are there.
func (d *dicom) confirm(ctx context.Context, files []File) (map[string]bool, error) {
	a, err := d.open(ctx, dimse.Proposal{Abstract: dimse.StudyFind, Syntaxes: slices.Clone(plain)})
	if err != nil {
		return nil, err
	}
	defer a.Close()
	var studies []string
	for _, f := range files {
		if f.StudyUID != "" && !slices.Contains(studies, f.StudyUID) {
			studies = append(studies, f.StudyUID)
		}
	}
	there := map[string]bool{}
	for _, uid := range studies {
		series, err := seriesOf(a, uid)
		if err != nil {
			return nil, err
		}
		for _, se := range series {
			list, err := instancesOf(a, uid, se)
			if err != nil {
				return nil, err
			}
			for _, r := range list {
				there[r.instance] = true
			}
		}
	}
	return there, released(a)
}
