package node

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestSettings(t *testing.T) {
	home := t.TempDir()
	for _, kv := range [][2]string{
		{"listen", "/ip4/127.0.0.1/tcp/0, 127.0.0.1:4001"},
		{"lan-only", "true"},
		{"consent", ""},
		{"lock", "0s"},
		{"lan-only", "false"},
		{"no-dht", "1"},
	} {
		if err := SaveSetting(home, kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	got, err := LoadConfig(home)
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.Listen, want.NoDHT, want.Consent, want.Lock = []string{"/ip4/127.0.0.1/tcp/0", "127.0.0.1:4001"}, true, "", "0s"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.LockAfter() != 0 {
		t.Errorf("locks after %v", got.LockAfter())
	}
	if v, err := got.Get("no-dht"); err != nil || v != true {
		t.Errorf("no-dht is %v, %v", v, err)
	}
}

func TestSettingsRefused(t *testing.T) {
	home := t.TempDir()
	if err := SaveSetting(home, "trust", "verified"); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(home, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range [][2]string{{"colour", "red"}, {"trust", "blind"}, {"lock", "soon"}, {"lock", "-1m"}, {"lan-only", "maybe"}} {
		if err := SaveSetting(home, kv[0], kv[1]); !errors.Is(err, ErrSetting) {
			t.Errorf("%s = %q: %v", kv[0], kv[1], err)
		}
	}
	after, err := os.ReadFile(filepath.Join(home, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Errorf("got %q, want %q", after, before)
	}
}

func TestSettingsFile(t *testing.T) {
	for name, c := range map[string]struct {
		file    string
		unknown []string
		fails   bool
	}{
		"empty":     {},
		"unknown":   {file: "from-the-future = 1\n", unknown: []string{"from-the-future"}},
		"broken":    {file: "listen = [", fails: true},
		"bad value": {file: "trust = \"blind\"\n", fails: true},
		"bad type":  {file: "trust = 3\n", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			if err := os.WriteFile(filepath.Join(home, "config.toml"), []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := LoadConfig(home)
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			if err == nil && !reflect.DeepEqual(got.Unknown, c.unknown) {
				t.Errorf("got %q, want %q", got.Unknown, c.unknown)
			}
		})
	}
}
