package consult

import (
	"slices"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// Attested is what an attestation says a person works as. It limits, within
// what a rank allows (FIELD §4.1); it never allows more than the rank.
type Attested uint8

// The roles that matter here. A person without an attestation, a clinician and
// a coordinator are limited by their rank alone.
const (
	AttestedNone Attested = iota
	AttestedClinician
	AttestedCoordinator
	AttestedTechnologist // sender: drafts, attaches, sends, answers what is a matter of fact
	AttestedTrainee      // gives preliminary opinions only
)

var attestedNames = map[Attested]string{
	AttestedNone: "", AttestedClinician: "clinician", AttestedCoordinator: "coordinator", AttestedTechnologist: "technologist", AttestedTrainee: "trainee",
}

// String names the role, "" if there is none.
func (a Attested) String() string { return attestedNames[a] }

// AttestedAs returns what the roles of a person's attestations that count
// (identity.Claims, field 2) limit to: with several, the narrowest.
func AttestedAs(roles ...uint64) Attested {
	out := AttestedNone
	for _, r := range roles {
		switch r {
		case identity.RoleClinician:
			out = max(out, AttestedClinician)
		case identity.RoleCoordinator:
			out = max(out, AttestedCoordinator)
		case identity.RoleTechnologist:
			out = max(out, AttestedTechnologist)
		case identity.RoleTrainee:
			out = max(out, AttestedTrainee)
		}
	}
	return out
}

// What the limited roles may post: all else is beyond them. Anybody may stop
// the use of a wrong patient's images.
var (
	technologistKinds = []ledger.Kind{
		ledger.Request, ledger.Message, ledger.Edit, ledger.Retract, ledger.Grant, ledger.Assign, ledger.Attempt, ledger.Receipt, ledger.Held,
		ledger.WrongPatient, ledger.Archived,
	}
	traineeKinds = []ledger.Kind{
		ledger.Message, ledger.Edit, ledger.Retract, ledger.Mark, ledger.MarkEdit, ledger.MarkRemove, ledger.Report, ledger.Addendum, ledger.Attempt,
		ledger.Receipt, ledger.Held, ledger.WrongPatient,
	}
)

// limits reports whether a role may not post a body.
func (a Attested) limits(kind ledger.Kind, body any) bool {
	switch a {
	case AttestedTechnologist:
		return !slices.Contains(technologistKinds, kind)
	case AttestedTrainee:
		r, ok := body.(*ReportBody)
		return !slices.Contains(traineeKinds, kind) || ok && (r.Type == ReportFinal || r.Opens != nil)
	default:
		return false
	}
}

func (f *fold) attested(p identity.PersonID) Attested {
	if f.roles == nil {
		return AttestedNone
	}
	return f.roles(p)
}
