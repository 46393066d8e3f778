package form

import (
	"fmt"
	"math"
	"slices"
)

// ItemsMin is how many items a kappa is of at least (FIELD §4.8): within a case
// there is only raw agreement.
const ItemsMin = 30

// Agreement is how far readers agree over some items. Kappa, Low and High are
// NaN where they are undefined, or where there are too few items.
type Agreement struct {
	Items  int // that all readers rated
	Raters int
	Raw    float64 // share of pairs of readers that agree
	Kappa  float64 // Cohen's for two readers, Fleiss' for more
	Low    float64 // of the 95 % interval
	High   float64
	Method string
}

// Agree compares ratings, items[item][reader]: categories of a scheme, "" for
// none. An item that a reader left out is left out. With ordered categories
// disagreement weighs by the square of its distance. Whose ratings may be
// compared is the caller's to hold: blinded reads, and no reader by name.
func Agree(items [][]string, categories []string, ordered bool) Agreement {
	a := Agreement{Kappa: math.NaN(), Low: math.NaN(), High: math.NaN(), Raw: math.NaN()}
	var rows [][]int // the place of each rating in categories
	for _, item := range items {
		a.Raters = max(a.Raters, len(item))
	}
	for _, item := range items {
		var row []int
		for _, r := range item {
			if i := slices.Index(categories, r); i >= 0 {
				row = append(row, i)
			}
		}
		if len(row) == a.Raters && a.Raters > 1 {
			rows = append(rows, row)
		}
	}
	if a.Items = len(rows); a.Items == 0 {
		return a
	}
	k := len(categories)
	w, name := identityWeights(k), ""
	if ordered {
		w, name = quadraticWeights(k), ", quadratic weights"
	}
	a.Raw, _ = observed(tally(rows, k), identityWeights(k))
	if a.Items < ItemsMin {
		return a
	}
	if a.Raters == 2 {
		table := make([][]int, k)
		for i := range table {
			table[i] = make([]int, k)
		}
		for _, r := range rows {
			table[r[0]][r[1]]++
		}
		a.Method = "Cohen's kappa" + name
		a.Kappa, a.Low, a.High = cohen(table, w)
		return a
	}
	a.Method = "Fleiss' kappa" + name
	a.Kappa, a.Low, a.High = fleiss(tally(rows, k), w)
	return a
}

// Cohen is Cohen's kappa of a table of counts, table[first reader][second
// reader], with its 95 % interval; NaN if chance agreement is 1.
func Cohen(table [][]int, ordered bool) (kappa, low, high float64) {
	w := identityWeights(len(table))
	if ordered {
		w = quadraticWeights(len(table))
	}
	return cohen(table, w)
}

// Fleiss is Fleiss' kappa of counts[item][category], each item rated by as many
// readers, with its 95 % interval; NaN if chance agreement is 1.
func Fleiss(counts [][]int, ordered bool) (kappa, low, high float64) {
	if len(counts) == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	w := identityWeights(len(counts[0]))
	if ordered {
		w = quadraticWeights(len(counts[0]))
	}
	return fleiss(counts, w)
}

func identityWeights(k int) [][]float64 {
	return weights(k, func(i, j int) float64 {
		if i == j {
			return 1
		}
		return 0
	})
}

func quadraticWeights(k int) [][]float64 {
	return weights(k, func(i, j int) float64 {
		if k < 2 {
			return 1
		}
		d := float64(i-j) / float64(k-1)
		return 1 - d*d
	})
}

func weights(k int, of func(i, j int) float64) [][]float64 {
	w := make([][]float64, k)
	for i := range w {
		w[i] = make([]float64, k)
		for j := range w[i] {
			w[i][j] = of(i, j)
		}
	}
	return w
}

// interval95 is the normal quantile of a two-sided 95 % interval.
const interval95 = 1.959964

// cohen is weighted kappa with the large-sample variance of Fleiss, Cohen and
// Everitt 1969.
func cohen(table [][]int, w [][]float64) (kappa, low, high float64) {
	nan := math.NaN()
	n, k := 0.0, len(table)
	row, col := make([]float64, k), make([]float64, k)
	for i := range table {
		for j, c := range table[i] {
			n += float64(c)
			row[i] += float64(c)
			col[j] += float64(c)
		}
	}
	if n == 0 {
		return nan, nan, nan
	}
	var po, pe float64
	wr, wc := make([]float64, k), make([]float64, k) // mean weights
	for i := range k {
		for j := range k {
			po += w[i][j] * float64(table[i][j]) / n
			pe += w[i][j] * row[i] * col[j] / n / n
			wr[i] += w[i][j] * col[j] / n
			wc[j] += w[i][j] * row[i] / n
		}
	}
	if undefined(pe) {
		return nan, nan, nan
	}
	kappa = (po - pe) / (1 - pe)
	sum := 0.0
	for i := range k {
		for j := range k {
			d := w[i][j] - (wr[i]+wc[j])*(1-kappa)
			sum += float64(table[i][j]) / n * d * d
		}
	}
	c := kappa - pe*(1-kappa)
	se := math.Sqrt(max(0, sum-c*c)/n) / (1 - pe)
	return kappa, max(-1, kappa-interval95*se), min(1, kappa+interval95*se)
}

// undefined reports whether chance agreement is 1, but for rounding.
func undefined(pe float64) bool { return 1-pe < 1e-12 }

// tally counts, per item, how many readers chose each category.
func tally(rows [][]int, k int) [][]int {
	out := make([][]int, len(rows))
	for i, r := range rows {
		out[i] = make([]int, k)
		for _, c := range r {
			out[i][c]++
		}
	}
	return out
}

// observed returns the agreement of pairs of readers, and that by chance.
func observed(counts [][]int, w [][]float64) (po, pe float64) {
	k := len(w)
	share := make([]float64, k)
	total := 0.0
	for _, item := range counts {
		n, sum := 0.0, 0.0
		for i, c := range item {
			n += float64(c)
			share[i] += float64(c)
			for j, d := range item {
				pairs := float64(c) * float64(d)
				if i == j {
					pairs -= float64(c)
				}
				sum += w[i][j] * pairs
			}
		}
		total += n
		if n > 1 {
			po += sum / (n * (n - 1))
		}
	}
	po /= float64(len(counts))
	for i := range k {
		for j := range k {
			pe += w[i][j] * share[i] * share[j] / total / total
		}
	}
	return po, pe
}

// fleiss takes the interval from a jackknife over items: the formula of Fleiss
// holds only where there is no agreement.
func fleiss(counts [][]int, w [][]float64) (kappa, low, high float64) {
	nan := math.NaN()
	of := func(c [][]int) float64 {
		if len(c) == 0 {
			return nan
		}
		po, pe := observed(c, w)
		if undefined(pe) || math.IsNaN(pe) {
			return nan
		}
		return (po - pe) / (1 - pe)
	}
	kappa = of(counts)
	n := float64(len(counts))
	var mean, square float64
	for i := range counts {
		without := of(slices.Concat(counts[:i], counts[i+1:]))
		pseudo := n*kappa - (n-1)*without
		mean += pseudo / n
		square += pseudo * pseudo / n
	}
	if math.IsNaN(kappa) || math.IsNaN(mean) || n < 2 {
		return kappa, nan, nan
	}
	se := math.Sqrt(max(0, square-mean*mean) / (n - 1))
	return kappa, max(-1, kappa-interval95*se), min(1, kappa+interval95*se)
}

// String says what there is to say; what is undefined is "–".
func (a Agreement) String() string {
	if a.Items == 0 || a.Raters < 2 {
		return "agreement –, n 0"
	}
	raw := fmt.Sprintf("raw agreement %.0f %%, n %d, %d readers", 100*a.Raw, a.Items, a.Raters)
	if a.Items < ItemsMin {
		return raw
	}
	return fmt.Sprintf("%s %s (95 %% interval %s to %s), %s", a.Method, figure(a.Kappa), figure(a.Low), figure(a.High), raw)
}

func figure(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return fmt.Sprintf("%.2f", x)
}

// Spread is the median and range of measurements.
type Spread struct {
	N                int
	Median, Min, Max float64
}

// SpreadOf returns the median and range of measurements, leaving out what is no
// number.
func SpreadOf(values []float64) Spread {
	v := slices.DeleteFunc(slices.Clone(values), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
	slices.Sort(v)
	s := Spread{N: len(v)}
	if s.N == 0 {
		return s
	}
	s.Min, s.Max, s.Median = v[0], v[s.N-1], v[s.N/2]
	if s.N%2 == 0 {
		s.Median = (v[s.N/2-1] + v[s.N/2]) / 2
	}
	return s
}

// String gives median and range, "–" if there is nothing.
func (s Spread) String() string {
	if s.N == 0 {
		return "–"
	}
	return fmt.Sprintf("median %.4g, range %.4g to %.4g, n %d", s.Median, s.Min, s.Max, s.N)
}
