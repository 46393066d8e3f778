package jpeg2000

// The inverse wavelet transforms (Annex F).

// sample is a coefficient: int32 for the reversible filter, float32 for the other.
type sample interface{ int32 | float32 }

// plane is a rectangle of samples, row by row.
type plane[T sample] struct {
	rect
	data []T
}

func newPlane[T sample](r rect) plane[T] {
	if r.empty() {
		return plane[T]{rect: r}
	}
	return plane[T]{r, make([]T, r.w()*r.h())}
}

// row is row y, counted as the rectangle is; empty where the plane is.
func (p *plane[T]) row(y int) []T {
	if len(p.data) == 0 {
		return nil
	}
	w := p.w()
	return p.data[(y-p.y0)*w : (y-p.y0+1)*w]
}

// level makes a resolution from the one below and its three bands (§F.3.2),
// rows first, each as it is interleaved.
func level[T sample](area rect, ll, hl, lh, hh *plane[T], f filter[T]) plane[T] {
	out := newPlane[T](area)
	if area.empty() {
		return out
	}
	for y := area.y0; y < area.y1; y++ {
		low, high := ll, hl
		if y&1 == 1 {
			low, high = lh, hh
		}
		f.row(out.row(y), low.row(y>>1), high.row(y>>1), area.x0&1, f.scale(y, area.h()))
	}
	if area.h() > 1 {
		f.columns(&out)
	}
	return out
}

// filter undoes one level. A row is interleaved from low and high samples, odd
// when the first is a high one; columns are lifted in place, by whole rows.
// What a row is scaled by for the sake of the columns is applied with it.
type filter[T sample] interface {
	scale(y, h int) float32
	row(out, low, high []T, odd int, scale float32)
	columns(p *plane[T])
}

// mirror is the symmetric extension of §F.3.7 for an index just outside.
func mirror(i, n int) int {
	if i < 0 {
		i = -i
	}
	if i >= n {
		i = 2*(n-1) - i
	}
	return i
}

// filter53 is the reversible filter (§F.3.8.2).
type filter53 struct{}

// scale is 1, but for a single odd row (§F.3.6).
func (filter53) scale(y, h int) float32 {
	if h == 1 && y&1 == 1 {
		return 0.5
	}
	return 1
}

func (filter53) row(out, low, high []int32, odd int, scale float32) {
	switch {
	case len(out) == 1 && odd == 1:
		out[0] = high[0] / 2
	case len(out) == 1:
		out[0] = low[0]
	default:
		row53(out, low, high, odd)
	}
	if scale != 1 {
		for i := range out {
			out[i] /= 2
		}
	}
}

func row53(out, low, high []int32, odd int) {
	left, next := high[0], high[odd:] // of a low sample; beyond an end stands the other one
	before := int32(0)
	for i, v := range low {
		right := left
		if i < len(next) {
			right = next[i]
		}
		v -= (left + right + 2) >> 2
		out[2*i+odd] = v
		switch {
		case i > 0:
			out[2*i+odd-1] = left + (before+v)>>1
		case odd == 1:
			out[0] = left + v
		}
		before, left = v, right
	}
	if len(next) >= len(low) {
		out[len(out)-1] = left + before
	}
}

func (filter53) columns(p *plane[int32]) {
	h, odd := p.h(), p.y0&1
	row := func(i int) []int32 { return p.row(p.y0 + mirror(i, h)) }
	for i := odd; i <= h; i += 2 {
		if i < h {
			a, b := row(i-1), row(i+1)
			dst := row(i)
			a, b = a[:len(dst)], b[:len(dst)]
			for x := range dst {
				dst[x] -= (a[x] + b[x] + 2) >> 2
			}
		}
		if i > 0 {
			a, b := row(i-2), row(i)
			dst := row(i - 1)
			a, b = a[:len(dst)], b[:len(dst)]
			for x := range dst {
				dst[x] += (a[x] + b[x]) >> 1
			}
		}
	}
}

// Constants of the 9/7 filter (table F.4).
const (
	alpha = -1.586134342059924
	beta  = -0.052980118572961
	gamma = 0.882911075530934
	delta = 0.443506852043971
	kappa = 1.230174104914001
)

// filter97 is the irreversible filter (§F.3.8.1).
type filter97 struct{}

// scale is K for low samples and 1/K for high ones; a single one is not
// filtered, and halved where it is odd (§F.3.6).
func (filter97) scale(i, n int) float32 {
	switch {
	case n == 1 && i&1 == 1:
		return 0.5
	case n == 1:
		return 1
	case i&1 == 1:
		return 1 / kappa
	}
	return kappa
}

func (f filter97) row(out, low, high []float32, odd int, scale float32) {
	n := len(out)
	k := f.scale(0, n) * scale
	for i, v := range low {
		out[2*i+odd] = v * k
	}
	k = f.scale(1, n) * scale
	for i, v := range high {
		out[2*i+1-odd] = v * k
	}
	if n > 1 {
		lift(out, odd, delta)
		lift(out, 1-odd, gamma)
		lift(out, odd, beta)
		lift(out, 1-odd, alpha)
	}
}

// lift takes k times both neighbours from every second sample.
func lift(a []float32, first int, k float32) {
	n := len(a)
	if first == 0 {
		a[0] -= k * 2 * a[1]
		first = 2
	}
	for i := first; i+1 < len(a); i += 2 {
		a[i] -= k * (a[i-1] + a[i+1])
	}
	if (n-1-first)%2 == 0 && n-1 >= first {
		a[n-1] -= k * 2 * a[n-2]
	}
}

// columns runs the four steps one row behind the other.
func (filter97) columns(p *plane[float32]) {
	h := p.h()
	step := func(i int, k float32) {
		if i < 0 || i >= h {
			return
		}
		dst, a, b := p.row(p.y0+i), p.row(p.y0+mirror(i-1, h)), p.row(p.y0+mirror(i+1, h))
		a, b = a[:len(dst)], b[:len(dst)]
		for x := range dst {
			dst[x] -= k * (a[x] + b[x])
		}
	}
	for i := p.y0 & 1; i < h+3; i += 2 {
		step(i, delta)
		step(i-1, gamma)
		step(i-2, beta)
		step(i-3, alpha)
	}
}
