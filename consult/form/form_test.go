package form

import "testing"

func TestTable(t *testing.T) {
	if len(List()) == 0 || len(Schemes()) == 0 {
		t.Fatal("nothing is embedded")
	}
}
