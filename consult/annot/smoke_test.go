package annot

import "testing"

func TestEveryConstructMeasures(t *testing.T) {
	for _, x := range Tools() {
		if measures[x.Construct] == nil {
			t.Errorf("%s: construct %s is not measured", x.Name, x.Construct)
		}
	}
}
