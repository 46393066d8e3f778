package desk

import (
	"encoding/json"
	"slices"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// tableOnce keeps what a caller's key was used for, so that a command that is repeated after a
// crash, when nobody knows whether it was done, is done once: key -> onceRow. The row is kept
// before the deed and says where its trace would be.
const tableOnce = "once"

const (
	onceKeyMax = 128          // bytes of a key
	onceKeptMS = 30 * dayMS   // repeats come soon; after this a key is free again
	onceLabel  = "local/once" // of the digest
)

type onceRow struct {
	_      struct{} `cbor:",toarray"`
	Digest [32]byte // of what was asked
	Thread ledger.ThreadID
	Seq    uint64 // of the entry on this device's content chain; 0: the case itself
	TimeMS int64
}

// onceDigest tells one request from another under the same key.
func onceDigest(op string, req any) [32]byte {
	b, err := json.Marshal(req)
	if err != nil {
		return [32]byte{}
	}
	return wire.Hash(onceLabel, append([]byte(op+"\x00"), b...))
}

// onceBefore returns what a key was used for; a key that was used for something else is refused.
func (d *Desk) onceBefore(p *person, key string, digest [32]byte) (onceRow, bool, error) {
	var row onceRow
	if len(key) > onceKeyMax {
		return row, false, control.Errorf(control.Usage, "a key has at most %d characters", onceKeyMax)
	}
	value, ok := p.vault.Get(tableOnce, key)
	if !ok || wire.Unmarshal(value, &row) != nil || d.nowMS()-row.TimeMS > onceKeptMS {
		return onceRow{}, false, nil //nolint:nilerr // a row that cannot be read is none
	}
	if row.Digest != digest {
		return row, false, control.Errorf(control.Refused, "this key was used for something else").
			WithHint("a key names one message or request: take another one")
	}
	return row, true, nil
}

func (d *Desk) keepOnce(p *person, key string, row onceRow) error {
	row.TimeMS = d.nowMS()
	if err := p.vault.Put(tableOnce, key, wire.MustMarshal(row)); err != nil {
		return internal("keep key", err)
	}
	return nil
}

// replyOnce posts a message unless its key has posted it.
func (d *Desk) replyOnce(p *person, t *thread, key string, digest [32]byte, body consult.MessageBody) (control.EntryRef, error) {
	row, was, err := d.onceBefore(p, key, digest)
	if err != nil {
		return control.EntryRef{}, err
	}
	if was {
		if id, ok := messageAt(t, p, row, body); ok {
			return control.EntryRef{Entry: id.String()}, nil
		}
	}
	row = onceRow{Digest: digest, Thread: t.ledger.ID(), Seq: 1}
	if _, last := t.ledger.LastOf(p.device.ID()); last != nil {
		row.Seq = last.Seq + 1
	}
	if err := d.keepOnce(p, key, row); err != nil {
		return control.EntryRef{}, err
	}
	return d.actOn(t, p, ledger.Message, body)
}

// messageAt finds the message that a key posted. Where the command died before it posted, another
// entry may have taken the place.
func messageAt(t *thread, p *person, row onceRow, body consult.MessageBody) (ledger.EntryID, bool) {
	for _, x := range slices.Backward(t.fold().Posts) {
		if x.Kind == ledger.Message && x.Device == p.device.ID() && x.Seq == row.Seq {
			e := t.ledger.Entry(x.Entry)
			got, err := consult.Decode(ledger.Message, e.Body)
			m, ok := got.(*consult.MessageBody)
			return x.Entry, err == nil && ok && row.Thread == t.ledger.ID() && m.Text == body.Text
		}
	}
	return ledger.EntryID{}, false
}

// forgetOnce drops keys that are free again.
func (d *Desk) forgetOnce() {
	for _, p := range d.persons {
		var old []string
		_ = p.vault.Each(tableOnce, func(key string, value []byte) error { // a damaged row is dropped as well
			var row onceRow
			if wire.Unmarshal(value, &row) != nil || d.nowMS()-row.TimeMS > onceKeptMS {
				old = append(old, key)
			}
			return nil
		})
		for _, key := range old {
			_ = p.vault.Delete(tableOnce, key) // tried again tomorrow
		}
	}
}
