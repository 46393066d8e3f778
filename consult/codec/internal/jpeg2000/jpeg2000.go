// Package jpeg2000 decodes JPEG 2000 Part 1 codestreams (ITU-T T.800): tiles and
// tile-parts, all five progressions and their changes, precincts, layers, packed
// packet headers, all code-block styles, region of interest by shift, subsampled
// components, 5/3 and 9/7 wavelets, RCT and ICT, 1 to 16 bits; and Part 15, the
// high-throughput block coder (ITU-T T.814), with one set of its passes a block.
//
// The codestream is foreign: every size is checked before it is allocated, and
// Decode gives all samples or an error.
package jpeg2000

import (
	"encoding/binary"
	"errors"
)

// ErrDamaged says that the codestream breaks T.800, or ends early.
var ErrDamaged = errors.New("JPEG 2000 codestream is damaged")

// ErrFeature says that the codestream uses what this package does not have:
// samples or shifted coefficients too wide, capabilities of other parts.
var ErrFeature = errors.New("JPEG 2000 feature is not supported")

// Limits on what a codestream may make us allocate.
const (
	tilesMax  = 65535 // Isot has 16 bits (§A.4.2)
	levelsMax = 32    // §A.6.1
	// blocksMax bounds code-blocks and precincts beyond what the cells need.
	blocksMax = 1 << 16
	// precinctCost is what a precinct takes, in code-blocks.
	precinctCost = 4
	// passesMax of a code-block: three for each of 64 bit-planes.
	passesMax = 3 * 64
	// workMin and workPerByte bound the blocks that packet headers go over: a
	// packet of one byte may say of any number that they are not in it. Blocks
	// of 16 samples in 100 layers need no more.
	workMin     = 1 << 23
	workPerByte = 16
	// changesMax bounds progression order changes of a tile: one for each
	// resolution, component and layer of real files.
	changesMax = 1 << 12
)

// Code-block styles (table A.19).
const (
	styleBypass = 1 << iota
	styleReset
	styleTerminate
	styleCausal
	stylePredictable // only a help against errors: nothing to decode
	styleSymbols
	styleHT    // T.814 §A.4
	styleMixed // with blocks of both kinds
)

// Want is the size that the image must have; nothing else is decoded.
type Want struct{ Rows, Cols, Components int }

// Image holds the decoded samples, pixel by pixel; signed ones in two's complement.
type Image struct {
	Samples    []uint16
	Precision  int // the largest of the components
	Signed     bool
	Boxed      bool // the codestream was inside a JP2 file
	Colour     bool // RCT or ICT was undone
	HT         bool // the block coder of Part 15
	Lossy      bool // the irreversible wavelet
	Subsampled bool // samples of a component were repeated
}

type component struct {
	precision int
	signed    bool
	dx, dy    int // distance of samples on the reference grid
	rect          // of its samples
	out       []uint16
	step      int // from one sample in out to the next
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
	progression byte
	layers      int
	transform   bool // multiple component transformation
	changes     []change
	ownChanges  bool // from a tile-part
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
	packed                    []packedHeaders // PPM
	packedBytes               []byte          // of PPM, what no tile-part has taken yet
	blocks                    blockDecoder
	work                      int64 // blocks that packet headers may yet go over
	haveSIZ, haveCOD, haveQCD bool
}

type tile struct {
	params  params
	data    []byte
	headers []byte // packet headers, where packed apart
}

// Decode decodes a codestream of the wanted size.
func Decode(data []byte, want Want) (*Image, error) {
	code, boxed := unbox(data)
	d := &decoder{tiles: map[int]*tile{}, work: workMin + workPerByte*int64(len(data))}
	if err := d.read(code, want); err != nil {
		return nil, err
	}
	im := &Image{Signed: d.comps[0].signed, Boxed: boxed}
	for _, c := range d.comps {
		im.Precision = max(im.Precision, c.precision)
	}
	im.Samples = make([]uint16, want.Rows*want.Cols*want.Components)
	im.Subsampled = d.targets(im.Samples)
	for i := range d.tilesX * d.tilesY {
		t := d.tiles[i]
		if t == nil {
			return nil, ErrDamaged
		}
		if err := d.tile(i, t); err != nil {
			return nil, err
		}
		im.Colour = im.Colour || t.params.transform
		for _, c := range t.params.coding {
			im.HT, im.Lossy = im.HT || c.style&styleHT != 0, im.Lossy || !c.reversible
		}
	}
	if im.Subsampled {
		if err := d.repeat(im.Samples); err != nil {
			return nil, err
		}
	}
	return im, nil
}

// unbox finds the codestream of a JP2 file (§I.4): a length of 0 is to the end,
// of 1 is followed by 64 bits.
func unbox(data []byte) (code []byte, boxed bool) {
	if len(data) < 12 || string(data[4:8]) != "jP  " {
		return data, false
	}
	for len(data) >= 8 {
		n, head := uint64(binary.BigEndian.Uint32(data)), 8
		switch {
		case n == 0:
			n = uint64(len(data))
		case n == 1 && len(data) >= 16:
			n, head = binary.BigEndian.Uint64(data[8:]), 16
		}
		if n < uint64(head) || n > uint64(len(data)) {
			break
		}
		if string(data[4:8]) == "jp2c" {
			return data[head:n], true
		}
		data = data[n:]
	}
	return nil, true
}
