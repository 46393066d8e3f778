package codec

import "encoding/binary"

// Pack stores a bulk in the smallest way its layout allows and says which.
// Codec 0 returns the bulk itself, not a copy. Units are packed through each.
func Pack(bulk []byte, l Layout, each Each) (stored []byte, codec byte) {
	if l.Encapsulated || len(bulk) == 0 {
		return bulk, 0
	}
	h, ok := plan(int64(len(bulk)), l)
	if !ok {
		return bulk, 0
	}
	if h.codec == 2 && (l.Bytes == 1 || l.Samples > 1) && plainWins(bulk, h) {
		h = h.plain()
	}
	frames := make([][]byte, h.units)
	each.run(int(h.units), func(i int) {
		frames[i] = h.packUnit(bulk[uint64(i)*h.unit : uint64(i+1)*h.unit])
	})
	total := headerLen + 4*len(frames) + int(h.tail)
	for _, f := range frames {
		total += len(f)
	}
	if int64(total) > int64(len(bulk))-int64(len(bulk))/SavingMin {
		return bulk, 0
	}
	out := h.append(make([]byte, 0, total))
	for _, f := range frames {
		out = binary.BigEndian.AppendUint32(out, uint32(len(f)))
	}
	for _, f := range frames {
		out = append(out, f...)
	}
	return append(out, bulk[uint64(len(bulk))-h.tail:]...), h.codec
}

// plan chooses units: one frame each, or the whole bulk when frames are not
// whole bytes or too many.
func plan(n int64, l Layout) (header, bool) {
	h := header{codec: 1, layout: l, unit: uint64(n), units: 1}
	if l.Unit > 0 && l.Unit <= n && n/l.Unit <= UnitsMax {
		h.unit, h.units = uint64(l.Unit), uint32(n/l.Unit)
		if l.predictable() {
			h.codec = 2
		}
	}
	h.tail = uint64(n) - h.unit*uint64(h.units)
	return h, h.unit <= UnitMax
}

// plainWins packs the middle frame both ways (IMAGING.md §3.3).
func plainWins(bulk []byte, h header) bool {
	mid := uint64(h.units/2) * h.unit
	unit := bulk[mid : mid+h.unit]
	return len(h.plain().packUnit(unit)) < len(h.packUnit(unit))
}

func (h header) packUnit(unit []byte) []byte {
	if h.codec == 1 {
		return compress(unit, plainEncoders)
	}
	planes, done := borrow(len(unit))
	defer done()
	forward(planes, unit, h.layout)
	return compress(planes, residualEncoders)
}

// Unpack returns the bulk that is stored with the given codec; want is the
// length that the manifest names. Any bytes give a bulk or an error.
func Unpack(codec byte, stored []byte, want uint64, each Each) ([]byte, error) {
	return UnpackTo(nil, codec, stored, want, each)
}

// UnpackTo is Unpack into buf, if that is large enough. Codec 0 gives stored itself.
func UnpackTo(buf []byte, codec byte, stored []byte, want uint64, each Each) ([]byte, error) {
	if want > BulkMax {
		return nil, ErrLimit
	}
	if codec == 0 {
		if uint64(len(stored)) != want {
			return nil, ErrWantLength
		}
		return stored, nil
	}
	p, err := open(codec, byteReader(stored), int64(len(stored)), want)
	if err != nil {
		return nil, err
	}
	// What is allocated follows the bytes at hand: each unit's frame states
	// the unit's size, and zstd cannot grow 2^17-fold beyond a block header.
	if err := p.plausible(stored); err != nil {
		return nil, err
	}
	if uint64(cap(buf)) < want {
		buf = make([]byte, want)
	}
	out := buf[:want]
	errs := make([]error, p.h.units)
	each.run(int(p.h.units), func(i int) {
		at := uint64(i) * p.h.unit
		errs[i] = p.unitInto(out[at:at+p.h.unit], i)
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	copy(out[want-p.h.tail:], stored[uint64(len(stored))-p.h.tail:])
	return out, nil
}

// plausible checks all frame headers before the bulk is allocated.
func (p *Packed) plausible(stored []byte) error {
	for i := range int(p.h.units) {
		at := p.offset(i)
		if err := checkFrame(stored[at:at+int64(p.sizes[i])], p.h.unit); err != nil {
			return err
		}
	}
	return nil
}
