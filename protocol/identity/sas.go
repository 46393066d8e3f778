package identity

import (
	"strings"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// SASWordCount is how many live words two persons compare: 44 bits, of which an
// attacker in between has one try, for both sides commit before either reveals.
const SASWordCount = 4

// SASParty is one of the two who compare live words, with their nonce.
type SASParty struct {
	Person PersonID
	Device DeviceID
	Nonce  [32]byte
}

// Commit is what the initiator sends first.
func (p SASParty) Commit() [32]byte {
	return wire.Hash("sas/commit", p.Nonce[:], p.Person[:], p.Device[:])
}

// SASWords are the words that both see if nobody is in between. Labels and fixed
// places keep either side from passing for the other (CVE-2022-39250).
func SASWords(initiator, responder SASParty) []string {
	type places struct {
		_      struct{} `cbor:",toarray"`
		First  string
		A      PersonID
		DA     DeviceID
		Second string
		B      PersonID
		DB     DeviceID
		NA, NB [32]byte
	}
	h := wire.Hash("sas/words", wire.MustMarshal(places{
		First: "initiator", A: initiator.Person, DA: initiator.Device,
		Second: "responder", B: responder.Person, DB: responder.Device,
		NA: initiator.Nonce, NB: responder.Nonce,
	}))
	return takeWords(h[:], SASWordCount)
}

// MatchesSAS reports whether what was said are these words, in any case and with
// any spaces between.
func MatchesSAS(words []string, said string) bool {
	return len(words) == SASWordCount && strings.Join(strings.Fields(strings.ToLower(said)), " ") == strings.Join(words, " ")
}
