package jpeg2000

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// Streams that would keep a decoder busy for hours: as many layers as there can
// be of packets that say nothing, over as many blocks as there can be.
func TestEmptyLayers(t *testing.T) {
	e := plain(1024, 1024, 1, 8)
	e.levels, e.layers, e.xcb, e.ycb = 0, 65535, 2, 2
	for name, packet := range map[string]byte{"of nothing": 0, "of no block": 0x80} {
		b := e.header()
		data := bytes.Repeat([]byte{packet}, e.layers)
		sot := append(be32(be16(nil, 0), 14+len(data)), 0, 1)
		b = append(append(append(b, marker(0xFF90, sot)...), 0xFF, 0x93), data...)
		from := time.Now()
		_, err := Decode(append(b, 0xFF, 0xD9), Want{e.h, e.w, 1})
		if name == "of no block" && !errors.Is(err, ErrDamaged) || time.Since(from) > 20*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(from))
		}
	}
}

// Changes of progression that go over everything again and again.
func TestManyChanges(t *testing.T) {
	e := plain(1024, 1024, 1, 8)
	e.precincts = []byte{0x33}
	for range 2000 {
		e.changes = append(e.changes, change{0, 33, 0, 1, 1, 2})
	}
	e.levels = 1
	b := e.header()
	data := make([]byte, 1<<17)
	sot := append(be32(be16(nil, 0), 14+len(data)), 0, 1)
	b = append(append(append(b, marker(0xFF90, sot)...), 0xFF, 0x93), data...)
	from := time.Now()
	if _, err := Decode(append(b, 0xFF, 0xD9), Want{e.h, e.w, 1}); !errors.Is(err, ErrDamaged) || time.Since(from) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(from))
	}
}
