package identity

import (
	"testing"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

func counting(from byte) (s wire.Secret) {
	for i := range s {
		s[i] = from + byte(i)
	}
	return s
}

// The anchors of FORMATS §14; another implementation computed them.
func TestAnchors(t *testing.T) {
	root := RootFromSeed(counting(0))
	if got, want := root.ID().String(), "86a0a46624d4ea98aa207586cd130ab022f3c3ce3fd7356f5043c958885926a0"; got != want {
		t.Errorf("PersonID: got %s, want %s", got, want)
	}
	if got, want := SafetyNumber(root.ID()), "41293 31229 51772 17704 48868 92749"; got != want {
		t.Errorf("number: got %s, want %s", got, want)
	}
	dev := NewDevice(root.ID(), counting(0x20))
	if got, want := dev.ID().String(), "17abb669d09332cd1546cfafe78ea2e28cd31ba13199a07ffe72ab59644b9ee4"; got != want {
		t.Errorf("DeviceID: got %s, want %s", got, want)
	}
}
