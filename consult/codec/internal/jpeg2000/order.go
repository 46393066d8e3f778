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

// stepsMax bounds the packets that progressions go over again.
const stepsMax = 1 << 26

// readPackets reads all packets of a tile.
func readPackets(t *tile, comps []*tileComponent) error {
	r := &reader{p: &t.params, data: t.data, headers: t.headers, packed: t.headers != nil}
	w := &walker{visit: r.packet, steps: stepsMax}
	return w.run(&t.params, comps)
}

// walker goes through the packets of a tile in their order (§B.12). A packet is
// sent once: later progressions go on where a precinct's layers ended.
type walker struct {
	visit func(pr *precinct, layer int) error
	steps int
}

func (w *walker) run(p *params, comps []*tileComponent) error {
	list := p.changes
	if len(list) == 0 {
		list = []change{{0, levelsMax + 1, 0, len(comps), p.layers, p.progression}}
	}
	for _, c := range list {
		c.layers = min(c.layers, p.layers)
		if err := w.progression(c, order(comps, c)); err != nil {
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

// order lists the precincts of a progression in its order, without layers.
func order(comps []*tileComponent, c change) []*precinct {
	var out []*precinct
	for i := c.compFrom; i < min(c.compTo, len(comps)); i++ {
		res := comps[i].res
		for k := c.resFrom; k < min(c.resTo, len(res)); k++ {
			out = append(out, res[k].precincts...)
		}
	}
	slices.SortStableFunc(out, func(a, b *precinct) int {
		switch c.order {
		case 2: // RPCL
			return cmp.Or(cmp.Compare(a.res, b.res), cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x), cmp.Compare(a.comp, b.comp), cmp.Compare(a.index, b.index))
		case 3: // PCRL
			return cmp.Or(cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x), cmp.Compare(a.comp, b.comp), cmp.Compare(a.res, b.res), cmp.Compare(a.index, b.index))
		case 4: // CPRL
			return cmp.Or(cmp.Compare(a.comp, b.comp), cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x), cmp.Compare(a.res, b.res), cmp.Compare(a.index, b.index))
		}
		return cmp.Or(cmp.Compare(a.res, b.res), cmp.Compare(a.comp, b.comp), cmp.Compare(a.index, b.index))
	})
	return out
}
