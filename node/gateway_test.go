package node

import (
	"errors"
	"testing"

	"github.com/curbside-p2p/curbside/node/gateway"
)

func TestDestinations(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	pacs := gateway.Settings{AET: "PACS", Host: "127.0.0.1", Port: 4242}
	if err := SaveDestination(home, "main", &pacs); err != nil {
		t.Fatal(err)
	}
	if err := SaveSetting(home, "lan-only", "true"); err != nil {
		t.Fatal(err)
	}
	s, err := LoadConfig(home)
	if err != nil || s.Destinations["main"] != pacs || !s.LANOnly || len(s.Unknown) > 0 {
		t.Errorf("%+v %v", s, err)
	}
	for name, bad := range map[string]gateway.Settings{
		"far":   {AET: "PACS", Host: "192.0.2.1", Port: 4242},
		"both":  {AET: "PACS", Host: "127.0.0.1", Port: 4242, STOW: "https://example.org/dicom-web"},
		"title": {AET: "PA\\CS", Host: "127.0.0.1", Port: 4242},
		"na me": pacs,
		"url":   {STOW: "ftp://example.org"},
		"clear": {STOW: "http://example.org/dicom-web"},
	} {
		if err := SaveDestination(home, name, &bad); err == nil {
			t.Errorf("%s is kept", name)
		}
	}
	if err := SaveDestination(home, "none", nil); !errors.Is(err, gateway.ErrUnknown) {
		t.Errorf("remove what is not there: %v", err)
	}
	if err := SaveDestination(home, "main", nil); err != nil {
		t.Error(err)
	}
	if s, err := LoadConfig(home); err != nil || len(s.Destinations) != 0 {
		t.Errorf("%+v %v", s.Destinations, err)
	}
}
