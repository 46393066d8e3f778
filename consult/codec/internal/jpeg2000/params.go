package jpeg2000

import (
	"encoding/binary"
	"slices"
)

func (p *params) cod(seg []byte) error {
	if len(seg) < 10 {
		return ErrDamaged
	}
	p.progression, p.layers, p.transform = seg[1], int(binary.BigEndian.Uint16(seg[2:])), seg[4] == 1
	if p.progression > 4 || p.layers == 0 || seg[4] > 1 || p.transform && len(p.coding) < 3 {
		return ErrDamaged
	}
	c, err := readCoding(seg[5:], seg[0]&1 != 0)
	if err != nil {
		return err
	}
	for i := range p.coding {
		if !p.codingOwn[i] {
			p.coding[i] = c
		}
	}
	return nil
}

func readCoding(s []byte, custom bool) (coding, error) {
	var c coding
	if len(s) < 5 {
		return c, ErrDamaged
	}
	c.levels, c.xcb, c.ycb, c.style = int(s[0]), int(s[1]&15)+2, int(s[2]&15)+2, s[3]
	c.reversible = s[4] == 1
	if c.levels > levelsMax || c.xcb > 10 || c.ycb > 10 || c.xcb+c.ycb > 12 || s[4] > 1 {
		return c, ErrDamaged
	}
	if c.style&styleMixed != 0 || c.style&styleHT != 0 && c.style&^(styleHT|styleCausal) != 0 {
		return c, ErrFeature
	}
	for i := range c.precincts {
		c.precincts[i] = 0xFF
	}
	if custom {
		if len(s) < 5+c.levels+1 {
			return c, ErrDamaged
		}
		copy(c.precincts[:], s[5:5+c.levels+1])
	}
	return c, nil
}

// which reads the component index of COC, QCC and RGN.
func (p *params) which(seg []byte) (int, []byte, error) {
	n := 1
	if len(p.coding) > 256 {
		n = 2
	}
	if len(seg) < n+1 {
		return 0, nil, ErrDamaged
	}
	i := int(seg[0])
	if n == 2 {
		i = int(binary.BigEndian.Uint16(seg))
	}
	if i >= len(p.coding) {
		return 0, nil, ErrDamaged
	}
	return i, seg[n:], nil
}

func (p *params) coc(seg []byte) error {
	i, s, err := p.which(seg)
	if err != nil {
		return err
	}
	c, err := readCoding(s[1:], s[0]&1 != 0)
	p.coding[i], p.codingOwn[i] = c, true
	return err
}

func readQuant(s []byte) (quant, error) {
	if len(s) < 2 {
		return quant{}, ErrDamaged
	}
	q := quant{style: int(s[0] & 31), guard: int(s[0] >> 5)}
	switch q.style {
	case 0:
		for _, v := range s[1:] {
			q.steps = append(q.steps, uint16(v>>3)<<11)
		}
	case 1, 2:
		for i := 1; i+2 <= len(s); i += 2 {
			q.steps = append(q.steps, binary.BigEndian.Uint16(s[i:]))
		}
	default:
		return q, ErrDamaged
	}
	if len(q.steps) == 0 || len(q.steps) > 3*levelsMax+1 {
		return q, ErrDamaged
	}
	return q, nil
}

func (p *params) qcd(seg []byte) error {
	q, err := readQuant(seg)
	for i := range p.quant {
		if !p.quantOwn[i] {
			p.quant[i] = q
		}
	}
	return err
}

func (p *params) qcc(seg []byte) error {
	i, s, err := p.which(seg)
	if err != nil {
		return err
	}
	q, err := readQuant(s)
	p.quant[i], p.quantOwn[i] = q, true
	return err
}

// rgn reads the shift of a region of interest (§A.6.3).
func (p *params) rgn(seg []byte) error {
	i, s, err := p.which(seg)
	if err != nil {
		return err
	}
	if len(s) != 2 || s[0] != 0 || s[1] > 31 {
		return ErrDamaged
	}
	p.roi[i] = int(s[1])
	return nil
}

// poc reads progression order changes (§A.6.6). Those of a tile's header take
// the place of the main header's.
func (p *params) poc(seg []byte, own bool) error {
	wide := 0
	if len(p.coding) > 256 {
		wide = 1
	}
	if own && !p.ownChanges {
		p.changes, p.ownChanges = nil, true
	}
	size := 7 + 2*wide
	if len(seg) == 0 || len(seg)%size != 0 || len(p.changes)+len(seg)/size > changesMax {
		return ErrDamaged
	}
	for ; len(seg) > 0; seg = seg[size:] {
		c := change{resFrom: int(seg[0]), order: seg[size-1]}
		component := func(at int) int {
			if wide == 1 {
				return int(binary.BigEndian.Uint16(seg[at:]))
			}
			return int(seg[at])
		}
		c.compFrom, c.compTo = component(1), component(5+wide)
		c.layers, c.resTo = int(binary.BigEndian.Uint16(seg[2+wide:])), int(seg[4+wide])
		if c.compTo == 0 { // 256, or 16,384, which has no room
			c.compTo = 1 << 14
		}
		if c.order > 4 || c.resTo <= c.resFrom || c.compTo <= c.compFrom {
			return ErrDamaged
		}
		p.changes = append(slices.Clip(p.changes), c)
	}
	return nil
}

func ceilDiv(a, b int) int   { return (a + b - 1) / b }
func ceilShift(a, n int) int { return (a + 1<<n - 1) >> n }
