package consult

import (
	"fmt"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// BenchmarkFold folds a long discussion: go test -bench Fold ./consult/consult
func BenchmarkFold(b *testing.B) {
	for _, n := range []int{100, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, anna, ben, _, _, _ := asked(b, true)
			for i := range n {
				a := anna
				if i%2 == 0 {
					a = ben
				}
				a.post(ledger.Message, MessageBody{Text: "and what about the other side?"})
			}
			m := &Memory{}
			for b.Loop() {
				m.Fold(anna.t)
			}
		})
	}
}
