package desk

import (
	"errors"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// refusal turns a guard's no into one that the command line shows.
func refusal(err error) error {
	if r, ok := errors.AsType[*consult.Refusal](err); ok {
		e := control.Errorf(control.Refused, "%s", r.Message)
		e.Hint = r.Hint
		return e
	}
	return internal("check", err)
}

// ledgerError says in a user's words why an entry could not be made.
func ledgerError(err error) error {
	var e *control.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, ledger.ErrNotMember):
		return control.Errorf(control.Refused, "you are not a member of this case (any more)")
	case errors.Is(err, ledger.ErrUnauthorized):
		return control.Errorf(control.Refused, "your role in this case does not allow that")
	case errors.Is(err, ledger.ErrForked):
		return control.Errorf(control.Refused, "this installation's history has two branches: it was restored from a copy, or runs twice").
			WithHint("stop the other copy; a new device is needed to go on")
	case errors.Is(err, ledger.ErrNoEpoch):
		return control.Errorf(control.Refused, "the members have changed and no key for them is here yet").
			WithHint("wait until a requester or consultant's node has been in touch")
	case errors.Is(err, ledger.ErrTooLong):
		return control.Errorf(control.Refused, "that is too long").WithHint("texts may have 32 KiB")
	default:
		return internal("write entry", err)
	}
}
