package render

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/consult/study"
)

// Why there is no standardised uptake value. The texts are for the frame's marks.
var (
	errUptakeUnits  = errors.New("units are not Bq/ml")
	errUptakeWeight = errors.New("weight is missing")
	errUptakeDose   = errors.New("dose or half life is missing")
	errUptakeTime   = errors.New("times of injection and scan are missing or contradict")
	errUptakeDecay  = errors.New("decay correction is not stated")
)

// Uptake is the factor from modality values to SUVbw, body weight over injected
// dose (the vendor-neutral formula of QIBA; PS3.3 C.8.9.1, C.8.9.2). A value
// that cannot be computed is an error, never an estimate.
func Uptake(px study.Pixel) (float64, error) {
	p := px.PET
	switch {
	case p == nil:
		return 0, errUptakeUnits
	case p.Units == "GML" && (p.SUVType == "" || p.SUVType == "BW"):
		return 1, nil // is SUVbw already
	case p.Units != "BQML":
		return 0, errUptakeUnits
	case !(p.Weight > 0):
		return 0, errUptakeWeight
	case !(p.Dose > 0) || !(p.HalfLife > 0):
		return 0, errUptakeDose
	}
	left := p.Dose
	switch p.DecayCorrection {
	case "ADMIN": // the image is corrected to the injection already
	case "START":
		s, ok := sinceInjection(p)
		if !ok {
			return 0, errUptakeTime
		}
		left *= math.Exp2(-s / p.HalfLife)
	default:
		return 0, errUptakeDecay
	}
	k := p.Weight * 1000 / left
	if math.IsInf(k, 0) || math.IsNaN(k) || k <= 0 {
		return 0, errUptakeDose
	}
	return k, nil
}

// sinceInjection is the time from injection to the start of the scan, to which
// START corrects, in seconds. The start is the series' time, unless the series
// is younger than its own acquisition: then it was derived and tells nothing.
func sinceInjection(p *study.PET) (float64, bool) {
	scan, ok := moment(p.SeriesDate, p.SeriesTime)
	if !ok {
		return 0, false
	}
	if acquired, ok := moment(p.AcquisitionDate, p.AcquisitionTime); !ok || acquired.Before(scan) {
		return 0, false
	}
	var injected time.Time
	if len(p.Injected) >= 14 && !strings.Contains(p.Injected[:14], ".") {
		if i := strings.LastIndexAny(p.Injected, "+-"); i >= 0 && p.Injected[i:] != p.Timezone {
			return 0, false // another zone than that of the scan, or one that is not known
		}
		injected, ok = moment(p.Injected[:8], p.Injected[8:])
	} else {
		injected, ok = moment(p.SeriesDate, p.Injected)
		if ok && injected.After(scan) {
			injected = injected.AddDate(0, 0, -1) // over midnight
		}
	}
	s := scan.Sub(injected).Seconds()
	return s, ok && s >= 0 && s <= halfLivesMax*p.HalfLife
}

// moment reads DA and TM; a zone after the seconds is dropped.
func moment(date, clock string) (time.Time, bool) {
	clock, _, _ = strings.Cut(clock, "+")
	clock, _, _ = strings.Cut(clock, "-")
	whole, fraction, _ := strings.Cut(clock, ".")
	if len(whole) != 6 {
		return time.Time{}, false
	}
	t, err := time.Parse("20060102150405", date+whole)
	if err != nil {
		return time.Time{}, false
	}
	if fraction != "" {
		f, err := strconv.ParseFloat("0."+fraction, 64)
		if err != nil {
			return time.Time{}, false
		}
		t = t.Add(time.Duration(f * float64(time.Second)))
	}
	return t, true
}
