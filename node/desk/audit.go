package desk

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/storage/audit"
)

// Actions of the audit log that the desk records.
const (
	actionImport   = audit.Import
	actionView     = audit.View
	actionGrant    = audit.Grant
	actionExport   = audit.Export
	actionVerify   = audit.Verify
	actionRole     = audit.Role
	actionKey      = audit.Key
	actionPurge    = audit.Purge
	actionSend     = audit.Send
	actionReceive  = audit.Receive
	actionSettings = audit.Settings
)

func (d *Desk) openAudit() error {
	key, err := d.dir.AuditKey(audit.NewKey)
	if err != nil {
		return fmt.Errorf("open audit key: %w", err)
	}
	d.audit, err = audit.Open(d.dir.Audit(), key)
	if errors.Is(err, audit.ErrDamaged) || errors.Is(err, audit.ErrInconsistent) {
		// A node that stops for its log would be deaf for its patients. The old log stays as it is,
		// beside the new one, and doctor says so.
		d.log.Error("ALARM: the audit log is damaged; it is set aside and a new one begins", slog.Any("error", err))
		if err := audit.SetAside(d.dir.Audit(), "damaged-"+d.now().UTC().Format("20060102T150405")); err != nil {
			return fmt.Errorf("set audit log aside: %w", err)
		}
		d.audit, err = audit.Open(d.dir.Audit(), key)
	}
	if err != nil {
		return fmt.Errorf("open audit log: %w", err)
	}
	return nil
}

func (d *Desk) closeAudit() error { return d.audit.Close() }

// record notes what was done. A failure is logged: what was done is done.
func (d *Desk) record(p *person, action audit.Action, object string, id []byte) {
	if err := d.recordBefore(p, action, object, id); err != nil {
		d.log.Error("audit record not kept", slog.String("action", action.String()), slog.Any("error", err))
	}
}

// recordBefore notes what is about to take effect, and fails if that fails (FORMATS §11).
func (d *Desk) recordBefore(p *person, action audit.Action, object string, id []byte) error {
	dev := p.device.ID()
	_, err := d.audit.Append(audit.Record{
		TimeMS: d.nowMS(), Person: p.id[:], Device: dev[:], Action: action,
		ObjectType: object, Object: hex.EncodeToString(id), Outcome: audit.Done,
	})
	if err != nil {
		return internal("record in the audit log", err)
	}
	return nil
}

// AuditList lists the audit log, oldest first.
func (d *Desk) AuditList(context.Context, control.None) ([]control.AuditRecord, error) {
	out := []control.AuditRecord{}
	err := d.audit.List(0, func(e audit.Entry) error {
		if e.Erased {
			return nil
		}
		out = append(out, control.AuditRecord{
			Time: instant(e.Record.TimeMS), Person: hex.EncodeToString(e.Record.Person),
			Action: e.Record.Action.String(), Object: e.Record.Object, Outcome: e.Record.Outcome.String(),
		})
		return nil
	})
	if err != nil {
		return nil, internal("read audit log", err)
	}
	return out, nil
}

// AuditVerify checks the audit log against its tree and checkpoints.
func (d *Desk) AuditVerify(context.Context, control.None) (control.AuditReport, error) {
	rep, err := d.audit.Verify()
	out := control.AuditReport{Records: int(rep.Records), Checkpoints: rep.Checkpoints, OK: err == nil && len(rep.Lost) == 0}
	if err != nil && !errors.Is(err, audit.ErrDamaged) && !errors.Is(err, audit.ErrInconsistent) {
		return out, internal("verify audit log", err)
	}
	return out, nil
}
