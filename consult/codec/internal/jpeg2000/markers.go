package jpeg2000

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// read walks the markers: main header, tile-parts, end.
func (d *decoder) read(b []byte, want Want) error {
	if len(b) < 4 || binary.BigEndian.Uint16(b) != 0xFF4F {
		return ErrDamaged
	}
	at := 2
	for at+2 <= len(b) {
		marker := binary.BigEndian.Uint16(b[at:])
		if marker == 0xFFD9 { // EOC
			return d.complete()
		}
		if at+4 > len(b) {
			return ErrDamaged
		}
		n := int(binary.BigEndian.Uint16(b[at+2:]))
		if n < 2 || at+2+n > len(b) {
			return ErrDamaged
		}
		seg := b[at+4 : at+2+n]
		if marker == 0xFF90 { // SOT
			used, err := d.tilePart(b[at:], seg)
			if err != nil {
				return err
			}
			at += used
			continue
		}
		if err := d.segment(marker, seg, want, &d.main, true); err != nil {
			return err
		}
		at += 2 + n
	}
	return ErrDamaged
}

func (d *decoder) complete() error {
	if !d.haveSIZ || !d.haveCOD || !d.haveQCD {
		return ErrDamaged
	}
	return nil
}

// capHT is Part 15 in the capabilities.
const capHT = 1 << (32 - 15)

func (d *decoder) segment(marker uint16, seg []byte, want Want, p *params, main bool) error {
	if marker != 0xFF51 && !d.haveSIZ {
		return ErrDamaged
	}
	switch marker {
	case 0xFF51:
		if !main || d.haveSIZ {
			return ErrDamaged
		}
		return d.size(seg, want)
	case 0xFF50: // CAP: parts beyond this one (T.800 §A.5.2)
		if len(seg) < 4 || binary.BigEndian.Uint32(seg)&^capHT != 0 {
			return ErrFeature
		}
	case 0xFF52:
		d.haveCOD = true
		return p.cod(seg)
	case 0xFF53:
		return p.coc(seg)
	case 0xFF5C:
		d.haveQCD = true
		return p.qcd(seg)
	case 0xFF5D:
		return p.qcc(seg)
	case 0xFF5E:
		return p.rgn(seg)
	case 0xFF5F:
		return p.poc(seg, !main)
	case 0xFF60: // PPM
		if !main || len(seg) < 1 {
			return ErrDamaged
		}
		d.packed = append(d.packed, packedHeaders{seg[0], seg[1:]})
	}
	return nil // comments, lengths, pointers
}

// size reads SIZ (§A.5.1).
func (d *decoder) size(seg []byte, want Want) error {
	if len(seg) < 36 {
		return ErrDamaged
	}
	u := func(i int) int { return int(binary.BigEndian.Uint32(seg[2+4*i:])) }
	d.x1, d.y1, d.x0, d.y0, d.tw, d.th, d.tx0, d.ty0 = u(0), u(1), u(2), u(3), u(4), u(5), u(6), u(7)
	n := int(binary.BigEndian.Uint16(seg[34:]))
	if n != want.Components || len(seg) != 36+3*n || d.x1-d.x0 != want.Cols || d.y1-d.y0 != want.Rows {
		return ErrDamaged
	}
	if d.tw < 1 || d.th < 1 || d.tx0 > d.x0 || d.ty0 > d.y0 || d.tx0+d.tw <= d.x0 || d.ty0+d.th <= d.y0 ||
		min(d.x0, d.y0, d.tx0, d.ty0) < 0 || max(d.x1, d.y1) > math.MaxInt32 { // below 0 where an int has 32 bits
		return ErrDamaged
	}
	d.tilesX, d.tilesY = ceilDiv(d.x1-d.tx0, d.tw), ceilDiv(d.y1-d.ty0, d.th)
	if d.tilesX > tilesMax || d.tilesY > tilesMax || d.tilesX*d.tilesY > tilesMax {
		return ErrDamaged
	}
	for i := range n {
		s := seg[36+3*i:]
		c := component{precision: int(s[0]&0x7F) + 1, signed: s[0]&0x80 != 0, dx: int(s[1]), dy: int(s[2])}
		if c.dx == 0 || c.dy == 0 {
			return ErrDamaged
		}
		if c.precision > 16 || i > 0 && c.signed != d.comps[0].signed {
			return ErrFeature
		}
		d.comps = append(d.comps, c)
	}
	d.main.coding, d.main.quant, d.main.roi = make([]coding, n), make([]quant, n), make([]int, n)
	d.main.codingOwn, d.main.quantOwn = make([]bool, n), make([]bool, n)
	d.haveSIZ = true
	return nil
}

// tilePart reads one tile-part (§A.4.2); it returns its length.
func (d *decoder) tilePart(b, sot []byte) (int, error) {
	if d.complete() != nil || len(sot) != 8 {
		return 0, ErrDamaged
	}
	index, length := int(binary.BigEndian.Uint16(sot)), int(binary.BigEndian.Uint32(sot[2:]))
	if length == 0 { // to the end of the codestream
		length = len(b)
		if length >= 2 && binary.BigEndian.Uint16(b[length-2:]) == 0xFFD9 {
			length -= 2
		}
	}
	if index >= d.tilesX*d.tilesY || length < 14 || length > len(b) {
		return 0, ErrDamaged
	}
	t := d.tiles[index]
	if t == nil {
		t = &tile{params: d.main.clone()}
		d.tiles[index] = t
	}
	var packed []packedHeaders
	for at := 12; at+2 <= length; {
		marker := binary.BigEndian.Uint16(b[at:])
		if marker == 0xFF93 { // SOD
			if t.data == nil {
				t.data = b[at+2 : length : length]
			} else {
				t.data = append(t.data, b[at+2:length]...)
			}
			return length, d.unpack(t, packed)
		}
		if at+4 > length {
			break
		}
		n := int(binary.BigEndian.Uint16(b[at+2:]))
		if n < 2 || at+2+n > length {
			break
		}
		seg := b[at+4 : at+2+n]
		if marker == 0xFF61 { // PPT
			if len(seg) < 1 {
				break
			}
			packed = append(packed, packedHeaders{seg[0], seg[1:]})
		} else if err := d.segment(marker, seg, Want{}, &t.params, false); err != nil {
			return 0, err
		}
		at += 2 + n
	}
	return 0, ErrDamaged
}

// packedHeaders is one PPM or PPT segment (§A.7.4, §A.7.5): its index and its data.
type packedHeaders struct {
	index byte
	data  []byte
}

func joined(list []packedHeaders) []byte {
	slices.SortStableFunc(list, func(a, b packedHeaders) int { return cmp.Compare(a.index, b.index) })
	var out []byte
	for _, p := range list {
		out = append(out, p.data...)
	}
	return out
}

// unpack takes the packet headers of a tile-part from its PPT segments, or from
// those of PPM, which has a length and that many bytes for each tile-part.
func (d *decoder) unpack(t *tile, list []packedHeaders) error {
	if len(list) > 0 {
		t.headers = append(t.headers, joined(list)...)
		return nil
	}
	if d.packed == nil {
		return nil
	}
	if d.packedBytes == nil {
		d.packedBytes = joined(d.packed)
	}
	b := d.packedBytes
	if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
		return ErrDamaged
	}
	n := 4 + int(binary.BigEndian.Uint32(b))
	t.headers = append(append([]byte{}, t.headers...), b[4:n]...)
	d.packedBytes = b[n:]
	return nil
}
