package consult

import "github.com/curbside-p2p/curbside/protocol/ledger"

// Fold returns the case as the entries of a thread say it stands.
func Fold(t *ledger.Thread) *State {
	return &State{Case: t.ID(), State: StateDraft}
}
