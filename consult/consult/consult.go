// Package consult is the clinical record of a case: the bodies of the content
// entries of a thread, the state they fold to, and the rules of who may post
// what (FORMATS §7, FIELD §4).
//
// [Fold] is a pure and total function of a thread: whatever the order in which
// entries arrived, the same entries give the same [State] and the same
// [State.Hash]; a body that cannot be read is shown as such and has no effect.
// Causality decides what crosses in transit, never a clock. [Authorize] is the
// same rules asked beforehand, by the author's side, with words to show. There
// is no I/O and no time here.
//
// Bodies are canonical CBOR, one type each, named after their kind; [Decode]
// reads them within limits. A body never changes its shape: a new shape is a
// new kind.
//
// Fuzz: go test -fuzz FuzzDecode ./consult/consult
package consult

import (
	"errors"
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// Refusal is why an action is refused, in words for the person who tried. Both
// lines are safe to show.
type Refusal struct {
	Message string
	Hint    string // what to do instead; may be empty
}

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// refuse makes a refusal.
func refuse(message, hint string) error { return &Refusal{Message: message, Hint: hint} }

// AsRefusal finds the refusal in an error.
func AsRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}

// Member returns a member of the case, removed ones too.
func (s *State) Member(p identity.PersonID) (Member, bool) {
	for _, m := range s.Members {
		if m.Person == p {
			return m, true
		}
	}
	return Member{}, false
}

// Post returns an entry.
func (s *State) Post(id ledger.EntryID) (Post, bool) {
	for _, p := range s.Posts {
		if p.Entry == id {
			return p, true
		}
	}
	return Post{}, false
}

// Report returns a report or addendum.
func (s *State) Report(id ledger.EntryID) (Report, bool) {
	for _, r := range s.Reports {
		if r.Entry == id {
			return r, true
		}
	}
	return Report{}, false
}

// OpenRound returns the round that goes on, and whether it is open: asked and
// not closed, withdrawn or quarantined. A declined case is open for others.
func (s *State) OpenRound() (uint64, bool) {
	switch s.State {
	case StateDraft, StateClosed, StateWithdrawn, StateQuarantined:
		return s.Round, false
	default:
		return s.Round, true
	}
}

// String names what cannot be said of a case outside of it: nothing but its id.
func (s *State) String() string { return fmt.Sprintf("case %s", s.Case) }
