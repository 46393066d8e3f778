package wire

import (
	"encoding/hex"
	"testing"
)

// The anchors of FORMATS §14; another implementation computed them.
func TestAnchors(t *testing.T) {
	h := Hash("test")
	if got, want := hex.EncodeToString(h[:]), "42e1e202aad0ec98454683515e2ff311aa18efca784542bfe53b420a72fb170d"; got != want {
		t.Errorf("H: got %s, want %s", got, want)
	}
	k := KDF([32]byte{}, "test", nil, 32)
	if got, want := hex.EncodeToString(k), "526beec40c0dbaeead4d2d494a15e56cf79bf8552359d6a2bd51b57ca43a586d"; got != want {
		t.Errorf("KDF: got %s, want %s", got, want)
	}
}
