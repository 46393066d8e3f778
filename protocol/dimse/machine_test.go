package dimse

import (
	"strings"
	"testing"
)

// PS3.8 table 9-10 as it is printed: a row for each event, a column for each state from 1 to 13.
const table910 = `
request   AE-1  -     -     -     -     -     -     -     -     -     -     -     -
connected -     -     -     AE-2  -     -     -     -     -     -     -     -     -
AC        -     AA-1  AA-8  -     AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
RJ        -     AA-1  AA-8  -     AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
incoming  AE-5  -     -     -     -     -     -     -     -     -     -     -     -
RQ        -     AE-6  AA-8  -     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
accept    -     -     AE-7  -     -     -     -     -     -     -     -     -     -
reject    -     -     AE-8  -     -     -     -     -     -     -     -     -     -
send      -     -     -     -     -     DT-1  -     AR-7  -     -     -     -     -
data      -     AA-1  AA-8  -     AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
release   -     -     -     -     -     AR-1  -     -     -     -     -     -     -
releaseRQ -     AA-1  AA-8  -     AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
releaseRP -     AA-1  AA-8  -     AA-8  AA-8  AR-3  AA-8  AA-8  AR-10 AR-3  AA-8  AA-6
answer    -     -     -     -     -     -     -     AR-4  AR-9  -     -     AR-4  -
abort     -     -     AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  -
abortPDU  -     AA-2  AA-3  -     AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2
closed    -     AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5
timer     -     AA-2  -     -     -     -     -     -     -     -     -     -     AA-2
invalid   -     AA-1  AA-8  -     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
`

var actions = map[string]action{
	"AE-1": ae1, "AE-2": ae2, "AE-3": ae3, "AE-4": ae4, "AE-5": ae5, "AE-6": ae6, "AE-7": ae7, "AE-8": ae8,
	"DT-1": dt1, "DT-2": dt2, "AR-1": ar1, "AR-2": ar2, "AR-3": ar3, "AR-4": ar4, "AR-5": ar5, "AR-6": ar6, "AR-7": ar7,
	"AR-9": ar9, "AR-10": ar10, "AA-1": aa1, "AA-2": aa2, "AA-3": aa3, "AA-4": aa4, "AA-5": aa5, "AA-6": aa6, "AA-7": aa7, "AA-8": aa8,
}

func TestTable(t *testing.T) {
	t.Parallel()
	rows := strings.Split(strings.TrimSpace(table910), "\n")
	if len(rows) != int(events) {
		t.Fatalf("%d rows, want %d", len(rows), events)
	}
	for e, row := range rows {
		cells := strings.Fields(row)
		for s := sta1; s <= sta13; s++ {
			for _, requestor := range []bool{false, true} {
				want, cell := actions[cells[s]], cells[s]
				if cell == "AR-8" { // the next state depends on who asked for the association
					if want = ar8a; requestor {
						want = ar8r
					}
				}
				m := machine{state: s, requestor: requestor}
				eff, ok := m.step(event(e))
				switch {
				case cell == "-":
					if ok {
						t.Errorf("%s in state %d: an action, want none", cells[0], s)
					}
				case !ok || eff != want.effect || m.state != want.next:
					t.Errorf("%s in state %d: %b to %d, want %s", cells[0], s, eff, m.state, cell)
				}
			}
		}
	}
}
