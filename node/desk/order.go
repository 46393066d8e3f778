package desk

import (
	"cmp"
	"sort"

	"github.com/curbside-p2p/curbside/consult/study"
)

// sortSeries brings instances into reading order, with their places along the normal: by place,
// then number, then UID.
func sortSeries(rows []study.ManifestInstance, places []int64) {
	sort.Stable(bySlice{rows, places})
}

type bySlice struct {
	rows   []study.ManifestInstance
	places []int64
}

func (b bySlice) Len() int { return len(b.rows) }

func (b bySlice) Less(i, j int) bool {
	return cmp.Or(
		cmp.Compare(b.places[i], b.places[j]),
		cmp.Compare(b.rows[i].Number, b.rows[j].Number),
		cmp.Compare(b.rows[i].UID, b.rows[j].UID)) < 0
}

func (b bySlice) Swap(i, j int) {
	b.rows[i], b.rows[j] = b.rows[j], b.rows[i]
	b.places[i], b.places[j] = b.places[j], b.places[i]
}

// sortStudy orders series by number, then UID, with their places.
func sortStudy(series []study.ManifestSeries, places [][]int64) {
	sort.Stable(bySeries{series, places})
}

type bySeries struct {
	series []study.ManifestSeries
	places [][]int64
}

func (b bySeries) Len() int { return len(b.series) }

func (b bySeries) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(b.series[i].Number, b.series[j].Number), cmp.Compare(b.series[i].UID, b.series[j].UID)) < 0
}

func (b bySeries) Swap(i, j int) {
	b.series[i], b.series[j] = b.series[j], b.series[i]
	b.places[i], b.places[j] = b.places[j], b.places[i]
}
