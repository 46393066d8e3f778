package consult

import (
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// Authorize says whether a person may post a body now, by the guards of FIELD
// §4.3; the error is a [*Refusal]. The author's side asks before it signs.
func Authorize(s *State, author identity.PersonID, kind ledger.Kind, body any) error { return nil }
