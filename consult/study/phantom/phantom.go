// Package phantom makes studies in code: for demo, first run and tests. The
// same options give the same bytes, on every machine and in every version that
// does not say otherwise in the changelog.
//
// [CT] is a chest of N slices of 512 × 512, 12 bits in 16, Explicit VR Little
// Endian: an ellipse of body, lungs with vessels and noise, a spine, a heart and
// one round lesion of 8 to 12 mm in the right lung. The patient does not exist.
package phantom

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
)

// Options choose a study. Zero values are filled in.
type Options struct {
	Seed        uint64
	Slices      int     // default 60
	Side        int     // rows and columns; default 512
	LesionMM    float64 // diameter; default 8 to 12 by seed, negative for none
	PatientName string  // default by seed; PN, ISO_IR 192
	PatientID   string  // default by seed
	BirthDate   string  // DA; default by seed
	Sex         string  // default by seed
	StudyDate   string  // DA; default 20260302
	StudyTime   string  // TM; default 081500
	Description string  // default "CT chest"
	Accession   string
	Institution string
	Series      int // Series Number; default 1
	// Canary bytes are written into the pixels of every slice, in a corner
	// outside the body, for tests that look for them in what leaves the house.
	Canary []byte
}

// Geometry of the phantom in mm.
const (
	fieldMM   = 360
	spacingMM = 2.5 // between slices
	intercept = -1024
)

var (
	names = []string{"Phantom^Ada", "Phantom^Ben", "Phantom^Clara", "Phantom^Dmitri", "Phantom^Efua", "Phantom^Farid"}
	sexes = []string{"F", "M", "F", "M", "F", "M"}
)

func (o Options) filled() Options {
	r := rand.New(rand.NewPCG(o.Seed, 1))
	i := r.IntN(len(names))
	set := func(to *string, v string) {
		if *to == "" {
			*to = v
		}
	}
	set(&o.PatientName, names[i])
	set(&o.Sex, sexes[i])
	set(&o.PatientID, fmt.Sprintf("PHANTOM-%04d", r.IntN(10000)))
	set(&o.BirthDate, fmt.Sprintf("%d%02d%02d", 1940+r.IntN(60), 1+r.IntN(12), 1+r.IntN(28)))
	set(&o.StudyDate, "20260302")
	set(&o.StudyTime, "081500")
	set(&o.Description, "CT chest")
	if o.Slices == 0 {
		o.Slices = 60
	}
	if o.Side == 0 {
		o.Side = 512
	}
	if o.Series == 0 {
		o.Series = 1
	}
	if o.LesionMM == 0 {
		o.LesionMM = 8 + 4*r.Float64()
	}
	return o
}

// Study is what a phantom is, for tests that must know the truth.
type Study struct {
	StudyUID  string
	SeriesUID string
	SOPUIDs   []string
	Files     [][]byte
	Lesion    Lesion
}

// Lesion is the finding: the centre in patient coordinates and in pixels of
// the slice (from 0) that it is largest on.
type Lesion struct {
	MM     [3]float64
	X, Y   float64 // column and row, (0.5, 0.5) is the centre of the first pixel
	Slice  int
	Diam   float64 // mm; 0 if there is none
	MeanHU float64
}

// CT makes the study.
func CT(o Options) Study {
	var files [][]byte
	s, _ := Each(o, func(_ int, file []byte) error { files = append(files, file); return nil })
	s.Files = files
	return s
}

// Each makes the study file by file, so that one of a thousand slices need not
// be held at once: Files of what it returns is empty. An error of take ends it.
func Each(o Options, take func(i int, file []byte) error) (Study, error) {
	o = o.filled()
	s := Study{StudyUID: uid(o, "study", 0), SeriesUID: uid(o, "series", o.Series)}
	b := newBody(o)
	s.Lesion = b.lesion(o)
	for i := range o.Slices {
		sop := uid(o, "instance", o.Series*100_000+i)
		s.SOPUIDs = append(s.SOPUIDs, sop)
		if err := take(i, ctFile(o, &s, sop, i, b.slice(o, i))); err != nil {
			return s, err
		}
	}
	return s, nil
}

// uid is a UUID under 2.25 (PS3.5 §B.2) by seed, patient and study.
func uid(o Options, what string, n int) string {
	h := sha256.Sum256(fmt.Appendf(nil, "curbside phantom\x00%d\x00%s\x00%s\x00%s\x00%s\x00%d", o.Seed, o.PatientID, o.StudyDate, o.StudyTime, what, n))
	u := h[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80 // RFC 9562 §5.8: version 8
	return "2.25." + new(big.Int).SetBytes(u).String()
}

const (
	ctStorage  = "1.2.840.10008.5.1.4.1.1.2"
	explicitLE = "1.2.840.10008.1.2.1"
	// implementation is the project's fixed Implementation Class UID.
	implementation = "2.25.258934790531245670213455627310475930912"
)

// ctFile writes one Part 10 file.
func ctFile(o Options, s *Study, sop string, i int, pixels []byte) []byte {
	px := ds(float64(fieldMM) / float64(o.Side))
	z := sliceZ(o, i)
	corner := ds(-fieldMM/2.0 + fieldMM/float64(o.Side)/2)
	w := newWriter(ctStorage, sop, explicitLE, len(pixels)+4096)
	w.str(0x00080005, "CS", "ISO_IR 192")
	w.str(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL")
	w.str(0x00080016, "UI", ctStorage)
	w.str(0x00080018, "UI", sop)
	for _, t := range []uint32{0x00080020, 0x00080021, 0x00080022, 0x00080023} {
		w.str(t, "DA", o.StudyDate)
	}
	for _, t := range []uint32{0x00080030, 0x00080031, 0x00080032, 0x00080033} {
		w.str(t, "TM", o.StudyTime)
	}
	w.str(0x00080050, "SH", o.Accession)
	w.str(0x00080060, "CS", "CT")
	w.str(0x00080070, "LO", "curbside")
	if o.Institution != "" {
		w.str(0x00080080, "LO", o.Institution)
	}
	w.str(0x00080090, "PN", "")
	w.str(0x00081030, "LO", o.Description)
	w.str(0x0008103E, "LO", "Thorax 2.5 mm")
	w.str(0x00081090, "LO", "phantom")
	w.str(0x00100010, "PN", o.PatientName)
	w.str(0x00100020, "LO", o.PatientID)
	w.str(0x00100030, "DA", o.BirthDate)
	w.str(0x00100040, "CS", o.Sex)
	w.str(0x00180015, "CS", "CHEST")
	w.str(0x00180050, "DS", ds(spacingMM))
	w.str(0x00180060, "DS", "120")
	w.str(0x00181030, "LO", "Thorax")
	w.str(0x00181151, "IS", "210")
	w.str(0x00181210, "SH", "B40")
	w.str(0x00185100, "CS", "HFS")
	w.str(0x0020000D, "UI", s.StudyUID)
	w.str(0x0020000E, "UI", s.SeriesUID)
	w.str(0x00200010, "SH", "1")
	w.str(0x00200011, "IS", strconv.Itoa(o.Series))
	w.str(0x00200012, "IS", "1")
	w.str(0x00200013, "IS", strconv.Itoa(i+1))
	w.str(0x00200032, "DS", corner+"\\"+corner+"\\"+ds(z))
	w.str(0x00200037, "DS", "1\\0\\0\\0\\1\\0")
	w.str(0x00200052, "UI", uid(o, "frame of reference", 0))
	w.str(0x00201040, "LO", "")
	w.str(0x00201041, "DS", ds(z))
	w.us(0x00280002, 1)
	w.str(0x00280004, "CS", "MONOCHROME2")
	w.us(0x00280010, o.Side)
	w.us(0x00280011, o.Side)
	w.str(0x00280030, "DS", px+"\\"+px)
	w.us(0x00280100, 16)
	w.us(0x00280101, 12)
	w.us(0x00280102, 11)
	w.us(0x00280103, 0)
	w.str(0x00281050, "DS", "-600\\50")
	w.str(0x00281051, "DS", "1500\\350")
	w.str(0x00281052, "DS", strconv.Itoa(intercept))
	w.str(0x00281053, "DS", "1")
	w.str(0x00281054, "LO", "HU")
	w.str(0x00281055, "LO", "LUNG\\MEDIASTINUM")
	w.bytes(0x7FE00010, "OW", pixels)
	return w.out
}

func sliceZ(o Options, i int) float64 {
	return (float64(i) - float64(o.Slices-1)/2) * spacingMM
}

// ds writes a DS of at most 16 characters (PS3.5 §6.2).
func ds(v float64) string { return strconv.FormatFloat(v, 'g', 8, 64) }

// writer appends elements in Explicit VR Little Endian.
type writer struct{ out []byte }

func newWriter(class, sop, syntax string, capacity int) *writer {
	meta := &writer{}
	meta.bytes(0x00020001, "OB", []byte{0, 1})
	meta.str(0x00020002, "UI", class)
	meta.str(0x00020003, "UI", sop)
	meta.str(0x00020010, "UI", syntax)
	meta.str(0x00020012, "UI", implementation)
	meta.str(0x00020013, "SH", "CURBSIDE_1")
	w := &writer{out: make([]byte, 128, capacity)}
	w.out = append(w.out, "DICM"...)
	w.bytes(0x00020000, "UL", binary.LittleEndian.AppendUint32(nil, uint32(len(meta.out))))
	w.out = append(w.out, meta.out...)
	return w
}

// str pads text with a space and UIDs with a NUL (PS3.5 §6.2).
func (w *writer) str(t uint32, vr, v string) {
	b := []byte(v)
	if len(b)%2 != 0 {
		if vr == "UI" {
			b = append(b, 0)
		} else {
			b = append(b, ' ')
		}
	}
	w.bytes(t, vr, b)
}

func (w *writer) us(t uint32, v int) {
	w.bytes(t, "US", binary.LittleEndian.AppendUint16(nil, uint16(v)))
}

func (w *writer) bytes(t uint32, vr string, v []byte) {
	w.out = binary.LittleEndian.AppendUint16(w.out, uint16(t>>16))
	w.out = binary.LittleEndian.AppendUint16(w.out, uint16(t))
	w.out = append(w.out, vr...)
	switch vr {
	case "OB", "OW", "SQ", "UN", "UT":
		w.out = append(w.out, 0, 0)
		w.out = binary.LittleEndian.AppendUint32(w.out, uint32(len(v)))
	default:
		w.out = binary.LittleEndian.AppendUint16(w.out, uint16(len(v)))
	}
	w.out = append(w.out, v...)
}
