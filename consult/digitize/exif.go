package digitize

import (
	"encoding/binary"
	"strings"
)

// exifData is all that is taken of EXIF data (CIPA DC-008): which way up, and when.
type exifData struct {
	orientation int
	taken       string // YYYYMMDDHHMMSS
}

const (
	exifOrientation = 0x0112
	exifIFD         = 0x8769
	exifOriginal    = 0x9003 // DateTimeOriginal
)

// turn is how the picture lies, 1 to 8; 1 is upright.
func (e *exifData) turn() int {
	if e.orientation >= 1 && e.orientation <= 8 {
		return e.orientation
	}
	return 1
}

// read reads an APP1 segment. What cannot be read says nothing.
func (e *exifData) read(seg []byte) {
	const magic = "Exif\x00\x00"
	if len(seg) < len(magic)+8 || string(seg[:len(magic)]) != magic {
		return
	}
	t := seg[len(magic):]
	var order binary.ByteOrder = binary.LittleEndian
	if string(t[:2]) == "MM" {
		order = binary.BigEndian
	}
	e.directory(t, order, order.Uint32(t[4:]), true)
}

func (e *exifData) directory(t []byte, order binary.ByteOrder, at uint32, top bool) {
	if uint64(at)+2 > uint64(len(t)) {
		return
	}
	n := min(int(order.Uint16(t[at:])), exifEntriesMax)
	for i := range n {
		from := int(at) + 2 + 12*i
		if from+12 > len(t) {
			return
		}
		entry := t[from : from+12]
		switch tag := order.Uint16(entry); {
		case tag == exifOrientation && top && e.orientation == 0:
			e.orientation = int(order.Uint16(entry[8:]))
		case tag == exifIFD && top:
			e.directory(t, order, order.Uint32(entry[8:]), false)
		case tag == exifOriginal && !top:
			e.original(t, order.Uint32(entry[4:]), order.Uint32(entry[8:]))
		}
	}
}

// original reads "YYYY:MM:DD HH:MM:SS".
func (e *exifData) original(t []byte, n, at uint32) {
	const form = "YYYY:MM:DD HH:MM:SS"
	if n < uint32(len(form)) || uint64(at)+uint64(len(form)) > uint64(len(t)) {
		return
	}
	s := string(t[at : int(at)+len(form)])
	digits := strings.NewReplacer(":", "", " ", "").Replace(s)
	if len(digits) != 14 || strings.Trim(digits, "0123456789") != "" || digits[:4] == "0000" {
		return
	}
	e.taken = digits
}
