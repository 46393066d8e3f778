package desk

import (
	"cmp"
	"crypto/sha256"
	"math"
	"slices"
	"sort"

	"github.com/curbside-p2p/curbside/consult/study"
)

// sliceRow is what reading order needs of one instance (IMAGING §5.7), kept beside the manifest so
// that an instance that comes later finds its place without reading the others again. Values are
// whole numbers: positions in µm, directions in millionths, times in µs.
type sliceRow struct {
	_           struct{} `cbor:",toarray"`
	FrameOfRef  []byte   // begin of its hash
	Orientation []int64
	Position    []int64
	Kind        string
	Temporal    int64
	BValue      int64
	Echo        int64
	Trigger     int64
	Acquisition int64
	Time        string
}

const million = 1e6

// sliceRowOf describes an instance by its first frame. Frames within an instance are ordered when
// it is looked at.
func sliceRowOf(in *study.Instance) sliceRow {
	s := in.Slices()[0]
	row := sliceRow{
		Kind: cut(s.Kind), Temporal: s.Temporal, BValue: int64(s.BValue), Echo: micros(s.Echo), Trigger: micros(s.Trigger),
		Acquisition: s.Acquisition, Time: cut(s.Time),
	}
	if s.FrameOfRef != "" {
		h := sha256.Sum256([]byte(s.FrameOfRef))
		row.FrameOfRef = h[:8]
	}
	if s.Orientation != nil && s.Position != nil {
		for _, v := range s.Orientation {
			row.Orientation = append(row.Orientation, int64(math.Round(v*million)))
		}
		for _, v := range s.Position {
			row.Position = append(row.Position, int64(math.Round(v*1000)))
		}
	}
	return row
}

// micros of a time in ms that may be anything.
func micros(ms float64) int64 {
	const most = 1e12
	return int64(math.Round(max(-most, min(ms*1000, most))))
}

// slice gives the description back; what the manifest has comes from there.
func (r *sliceRow) slice(m *study.ManifestInstance) study.Slice {
	s := study.Slice{
		SOPUID: m.UID, Number: &m.Number, FrameOfRef: string(r.FrameOfRef), Rows: int(m.Rows), Cols: int(m.Cols), Time: r.Time,
		Phase: study.Phase{
			Kind: r.Kind, Temporal: r.Temporal, BValue: float64(r.BValue), Echo: float64(r.Echo) / 1000,
			Trigger: float64(r.Trigger) / 1000, Acquisition: r.Acquisition,
		},
	}
	if len(r.Orientation) == 6 && len(r.Position) == 3 {
		s.Orientation, s.Position = new([6]float64), new([3]float64)
		for i, v := range r.Orientation {
			s.Orientation[i] = float64(v) / million
		}
		for i, v := range r.Position {
			s.Position[i] = float64(v) / 1000
		}
	}
	return s
}

// sortSeries brings instances into reading order, with their descriptions.
func sortSeries(rows []study.ManifestInstance, order []sliceRow) {
	list := make([]study.Slice, len(rows))
	at := make(map[string]int, len(rows))
	for i := range rows {
		list[i] = order[i].slice(&rows[i])
		at[rows[i].UID] = i
	}
	oldRows, oldOrder := slices.Clone(rows), slices.Clone(order)
	n := 0
	for _, stack := range study.Stacks(list) {
		for _, s := range stack.Slices {
			i := at[s.SOPUID]
			rows[n], order[n] = oldRows[i], oldOrder[i]
			n++
		}
	}
}

// sortStudy orders series by number, then UID, with the descriptions of their instances.
func sortStudy(series []study.ManifestSeries, order [][]sliceRow) {
	sort.Stable(bySeries{series, order})
}

type bySeries struct {
	series []study.ManifestSeries
	order  [][]sliceRow
}

func (b bySeries) Len() int { return len(b.series) }

func (b bySeries) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(b.series[i].Number, b.series[j].Number), cmp.Compare(b.series[i].UID, b.series[j].UID)) < 0
}

func (b bySeries) Swap(i, j int) {
	b.series[i], b.series[j] = b.series[j], b.series[i]
	b.order[i], b.order[j] = b.order[j], b.order[i]
}
