package codec

// upsampler gives full-width rows of a component, with the Independent JPEG
// Group's triangle filter where it has one (2:1 horizontally) and replication
// elsewhere: T.81 leaves it open, and these are what other viewers show.
type upsampler[T dctCell] struct {
	p    *dctPlane[T]
	sums []int32
}

func newUpsampler[T dctCell](p *dctPlane[T]) *upsampler[T] {
	return &upsampler[T]{p: p, sums: make([]int32, p.w)}
}

func (u *upsampler[T]) line(i int) []T {
	i = max(0, min(i, u.p.h-1))
	return u.p.pix[i*u.p.stride : i*u.p.stride+u.p.w]
}

// row writes row y, which may be up to 7 samples longer than the frame is wide.
func (u *upsampler[T]) row(out []T, y int) {
	near := u.line(y / u.p.vs)
	switch {
	case u.p.hs == 1:
		copy(out, near)
	case u.p.hs == 2 && u.p.vs == 1 && u.p.w > 2:
		for i, v := range near {
			u.sums[i] = int32(v)
		}
		fancy(out, u.sums, 2, 1, 2)
	case u.p.hs == 2 && u.p.vs == 2 && u.p.w > 2:
		far := u.line(y/2 - 1 + 2*(y%2)) // the row above for even y, below for odd
		for i, v := range near {
			u.sums[i] = 3*int32(v) + int32(far[i])
		}
		fancy(out, u.sums, 4, 8, 7)
	default:
		n := len(out)
		for i, v := range near {
			for x := i * u.p.hs; x < min((i+1)*u.p.hs, n); x++ {
				out[x] = v
			}
		}
	}
}

// fancy weighs a sample 3/4 and its neighbour 1/4, with alternating rounding; an
// end is its own neighbour.
func fancy[T dctCell](out []T, sums []int32, shift uint, even, odd int32) {
	left := sums[0]
	for i, s := range sums {
		right := s
		if i+1 < len(sums) {
			right = sums[i+1]
		}
		out[2*i] = T((3*s + left + even) >> shift)
		out[2*i+1] = T((3*s + right + odd) >> shift)
		left = s
	}
}
