package jpeg2000

import (
	"cmp"
	"slices"
)

// change is one progression: that of COD over everything, or one of a POC (§A.6.6).
type change struct {
	resFrom, resTo   int
	compFrom, compTo int
	layers           int
	order            byte
}

// stepsMin and stepsPerPacket bound how often progressions go over what others
// have sent: a change of order for each layer goes over every packet once.
const stepsMin, stepsPerPacket = 1 << 16, 4

// readPackets reads all packets of a tile.
func readPackets(t *tile, comps []*tileComponent, work *int64) error {
	r := &reader{p: &t.params, data: t.data, headers: t.headers, packed: t.headers != nil, work: work}
	source := r.data
	if r.packed {
		source = r.headers
	}
	if packets(&t.params, comps) > int64(len(source)) { // a packet takes a byte at least
		return ErrDamaged
	}
	w := &walker{visit: r.packet}
	return w.run(&t.params, comps)
}

// packets counts those of a tile.
func packets(p *params, comps []*tileComponent) int64 {
	n := int64(0)
	for _, tc := range comps {
		for _, res := range tc.res {
			n += int64(len(res.precincts))
		}
	}
	return n * int64(p.layers)
}

// walker goes through the packets of a tile in their order (§B.12). A packet is
// sent once: later progressions go on where a precinct's layers ended.
type walker struct {
	visit func(pr *precinct, layer int) error
	steps int64
}

func (w *walker) run(p *params, comps []*tileComponent) error {
	w.steps = stepsMin + stepsPerPacket*packets(p, comps)
	list := p.changes
	if len(list) == 0 {
		list = []change{{0, levelsMax + 1, 0, len(comps), p.layers, p.progression}}
	}
	for _, c := range list {
		c.layers = min(c.layers, p.layers)
		precincts := chosen(comps, c)
		if w.steps -= int64(len(precincts)); w.steps < 0 {
			return ErrDamaged
		}
		order(precincts, c.order)
		if err := w.progression(c, precincts); err != nil {
			return err
		}
	}
	for _, tc := range comps {
		for _, res := range tc.res {
			for _, pr := range res.precincts {
				if pr.layers != p.layers {
					return ErrDamaged
				}
			}
		}
	}
	return nil
}

// progression takes packets in one order: by layer first (LRCP), by layer
// within a resolution (RLCP), or by precinct with all its layers.
func (w *walker) progression(c change, list []*precinct) error {
	for from := 0; from < len(list); {
		to := len(list)
		switch {
		case c.order == 1:
			for to = from; to < len(list) && list[to].res == list[from].res; {
				to++
			}
		case c.order > 1:
			to = from + 1
		}
		if err := w.layers(c, list[from:to]); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// layers takes the packets of precincts layer by layer.
func (w *walker) layers(c change, list []*precinct) error {
	first := c.layers
	for _, pr := range list {
		first = min(first, pr.layers)
	}
	for l := first; l < c.layers; l++ {
		for _, pr := range list {
			if w.steps--; w.steps < 0 {
				return ErrDamaged
			}
			if pr.layers != l {
				continue
			}
			if err := w.visit(pr, l); err != nil {
				return err
			}
			pr.layers++
		}
	}
	return nil
}

// chosen lists the precincts of a progression.
func chosen(comps []*tileComponent, c change) []*precinct {
	var out []*precinct
	for i := c.compFrom; i < min(c.compTo, len(comps)); i++ {
		res := comps[i].res
		for k := c.resFrom; k < min(c.resTo, len(res)); k++ {
			out = append(out, res[k].precincts...)
		}
	}
	return out
}

// order sorts them into their order, without layers.
func order(list []*precinct, progression byte) {
	slices.SortStableFunc(list, func(a, b *precinct) int {
		switch progression {
		case 2: // RPCL
			return cmp.Or(cmp.Compare(a.res, b.res), cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x), cmp.Compare(a.comp, b.comp), cmp.Compare(a.index, b.index))
		case 3: // PCRL
			return cmp.Or(cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x), cmp.Compare(a.comp, b.comp), cmp.Compare(a.res, b.res), cmp.Compare(a.index, b.index))
		case 4: // CPRL
			return cmp.Or(cmp.Compare(a.comp, b.comp), cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x), cmp.Compare(a.res, b.res), cmp.Compare(a.index, b.index))
		}
		return cmp.Or(cmp.Compare(a.res, b.res), cmp.Compare(a.comp, b.comp), cmp.Compare(a.index, b.index))
	})
}
