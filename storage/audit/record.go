package audit

import (
	"errors"
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Action is what was done.
type Action uint64

// Actions of FORMATS §11.
const (
	Import Action = iota + 1
	View
	Grant
	Export
	Verify
	Role
	Key
	BreakGlass
	FailedUnlock
	Purge
	Archive
	Send
	Receive
	Settings
)

var actionNames = [...]string{
	Import: "import", View: "view", Grant: "grant", Export: "export", Verify: "verify", Role: "role", Key: "key",
	BreakGlass: "break-glass", FailedUnlock: "failed-unlock", Purge: "purge", Archive: "archive", Send: "send",
	Receive: "receive", Settings: "settings",
}

// String is the action's name.
func (a Action) String() string {
	if a < Import || a > Settings {
		return fmt.Sprintf("action-%d", uint64(a))
	}
	return actionNames[a]
}

// Outcome is how it ended.
type Outcome uint64

// Outcomes of FORMATS §11.
const (
	Done Outcome = iota + 1
	Refused
	Failed
)

// String is the outcome's name.
func (o Outcome) String() string {
	switch o {
	case Done:
		return "done"
	case Refused:
		return "refused"
	case Failed:
		return "failed"
	default:
		return fmt.Sprintf("outcome-%d", uint64(o))
	}
}

// Record is one thing that was done. It names no patient: see Log.PatientTag.
type Record struct {
	Version    uint64  `cbor:"1,keyasint"` // 1; Append sets it
	TimeMS     int64   `cbor:"2,keyasint"`
	Person     []byte  `cbor:"3,keyasint,omitempty"` // PersonID
	Device     []byte  `cbor:"4,keyasint,omitempty"` // DeviceID
	Action     Action  `cbor:"5,keyasint"`
	ObjectType string  `cbor:"6,keyasint,omitempty"`
	Object     string  `cbor:"7,keyasint,omitempty"`
	Patient    []byte  `cbor:"8,keyasint,omitempty"` // PatientTag
	Peer       string  `cbor:"9,keyasint,omitempty"`
	Outcome    Outcome `cbor:"10,keyasint"`
	Reason     string  `cbor:"11,keyasint,omitempty"`
}

const recordVersion = 1

var (
	errRecord = errors.New("record is not valid")
	// ErrTooLong says that a record exceeds its limits.
	ErrTooLong = errors.New("audit record is too long")
)

func (r Record) check() error {
	switch {
	case r.Version != recordVersion,
		r.Action < Import, r.Action > Settings,
		r.Outcome < Done, r.Outcome > Failed,
		len(r.Person) != 0 && len(r.Person) != 32,
		len(r.Device) != 0 && len(r.Device) != 32,
		len(r.Patient) != 0 && len(r.Patient) != 16:
		return errRecord
	}
	for _, s := range []string{r.ObjectType, r.Object, r.Peer, r.Reason} {
		if len(s) > textMax {
			return ErrTooLong
		}
	}
	return nil
}

func encodeRecord(r Record) ([]byte, error) {
	r.Version = recordVersion
	if err := r.check(); err != nil {
		return nil, err
	}
	b, err := wire.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode audit record: %w", err)
	}
	if len(b) > RecordMax {
		return nil, ErrTooLong
	}
	return b, nil
}

func decodeRecord(b []byte) (Record, error) {
	var r Record
	if len(b) > RecordMax {
		return Record{}, ErrTooLong
	}
	if err := wire.Unmarshal(b, &r); err != nil {
		return Record{}, fmt.Errorf("decode audit record: %w", err)
	}
	return r, r.check()
}
