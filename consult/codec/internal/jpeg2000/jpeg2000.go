// Package jpeg2000 decodes JPEG 2000 Part 1 codestreams (ITU-T T.800): tiles,
// all five progressions, precincts, layers, region of interest by shift, 5/3
// and 9/7 wavelets, RCT and ICT, 1 to 16 bits.
//
// The codestream is foreign: every size is checked before it is allocated, and
// Decode gives all samples or an error. Not here: progression order changes
// (POC), packed packet headers (PPM, PPT), subsampled components.
package jpeg2000

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrDamaged says that the codestream breaks T.800, or ends early.
var ErrDamaged = errors.New("JPEG 2000 codestream is damaged")

// ErrFeature says that the codestream uses what this package does not have.
var ErrFeature = errors.New("JPEG 2000 feature is not supported")

// Limits on what a codestream may make us allocate.
const (
	tilesMax  = 65535 // Isot has 16 bits (§A.4.2)
	levelsMax = 32    // §A.6.1
	// blocksMax bounds code-blocks and precincts beyond what the cells need.
	blocksMax = 1 << 16
)

// Want is the size that the image must have; nothing else is decoded.
type Want struct{ Rows, Cols, Components int }

// Image holds the decoded samples, component by component.
type Image struct {
	Components [][]int32
	Precision  int
	Signed     bool
	Boxed      bool // the codestream was inside a JP2 file
	Colour     bool // RCT or ICT was undone
}

type component struct {
	precision int
	signed    bool
}

// coding is COD or COC for one component (§A.6.1, §A.6.2).
type coding struct {
	levels     int
	xcb, ycb   int
	style      byte
	reversible bool
	precincts  [levelsMax + 1]byte
}

// quant is QCD or QCC for one component (§A.6.4).
type quant struct {
	style int
	guard int
	steps []uint16
}

// params hold for a tile; the main header's are copied to each.
type params struct {
	sop, eph    bool
	progression byte
	layers      int
	transform   bool // multiple component transformation
	coding      []coding
	quant       []quant
	roi         []int
	codingOwn   []bool // set by COC, which COD does not override
	quantOwn    []bool
}

func (p *params) clone() params {
	q := *p
	q.coding = append([]coding(nil), p.coding...)
	q.quant = append([]quant(nil), p.quant...)
	q.roi = append([]int(nil), p.roi...)
	q.codingOwn = make([]bool, len(p.coding))
	q.quantOwn = make([]bool, len(p.quant))
	return q
}

type decoder struct {
	x0, y0, x1, y1            int // image area
	tw, th, tx0, ty0          int // tile grid
	comps                     []component
	main                      params
	tiles                     map[int]*tile
	tilesX, tilesY            int
	out                       [][]int32
	haveSIZ, haveCOD, haveQCD bool
}

type tile struct {
	params params
	data   []byte
	parts  int
}

// Decode decodes a codestream of the wanted size.
func Decode(data []byte, want Want) (*Image, error) {
	code, boxed := unbox(data)
	d := &decoder{tiles: map[int]*tile{}}
	if err := d.read(code, want); err != nil {
		return nil, err
	}
	im := &Image{Precision: d.comps[0].precision, Signed: d.comps[0].signed, Boxed: boxed}
	d.out = make([][]int32, len(d.comps))
	for c := range d.out {
		d.out[c] = make([]int32, want.Rows*want.Cols)
	}
	for i := range d.tilesX * d.tilesY {
		t := d.tiles[i]
		if t == nil {
			return nil, ErrDamaged
		}
		if err := d.tile(i, t); err != nil {
			return nil, err
		}
		im.Colour = im.Colour || t.params.transform
	}
	im.Components = d.out
	return im, nil
}

// unbox finds the codestream of a JP2 file (§I.4).
func unbox(data []byte) (code []byte, boxed bool) {
	if len(data) < 12 || string(data[4:8]) != "jP  " {
		return data, false
	}
	for at := 0; at+8 <= len(data); {
		n := int(binary.BigEndian.Uint32(data[at:]))
		kind := string(data[at+4 : at+8])
		if kind == "jp2c" {
			if n >= 8 && at+n <= len(data) {
				return data[at+8 : at+n], true
			}
			return data[at+8:], true
		}
		if n < 8 || n > len(data)-at {
			break
		}
		at += n
	}
	return nil, true
}

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
	case 0xFF5F, 0xFF60, 0xFF61: // POC, PPM, PPT
		return ErrFeature
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
		c := component{precision: int(s[0]&0x7F) + 1, signed: s[0]&0x80 != 0}
		if s[1] != 1 || s[2] != 1 {
			return ErrFeature
		}
		if c.precision > 16 || i > 0 && c != d.comps[0] {
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
	at := 12
	for at+2 <= length {
		marker := binary.BigEndian.Uint16(b[at:])
		if marker == 0xFF93 { // SOD
			t.data = append(t.data, b[at+2:length]...)
			t.parts++
			return length, nil
		}
		if at+4 > length {
			break
		}
		n := int(binary.BigEndian.Uint16(b[at+2:]))
		if n < 2 || at+2+n > length {
			break
		}
		if err := d.segment(marker, b[at+4:at+2+n], Want{}, &t.params, false); err != nil {
			return 0, err
		}
		at += 2 + n
	}
	return 0, ErrDamaged
}

func (p *params) cod(seg []byte) error {
	if len(seg) < 10 {
		return ErrDamaged
	}
	p.sop, p.eph = seg[0]&2 != 0, seg[0]&4 != 0
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
	if c.levels > levelsMax || c.xcb > 10 || c.ycb > 10 || c.xcb+c.ycb > 12 || s[4] > 1 || c.style > 63 {
		return c, ErrDamaged
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

func ceilDiv(a, b int) int   { return (a + b - 1) / b }
func ceilShift(a, n int) int { return (a + 1<<n - 1) >> n }
