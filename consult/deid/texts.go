package deid

import (
	"regexp"
	"strings"

	"github.com/curbside-p2p/curbside/consult/study"
)

// texts are the free and short texts that the table does not name and that stay, each by a way
// that lets known values pass alone: the reviewed keep-list of IMAGING.md §8.1.
var texts = map[study.Tag]func(string) string{
	0x00080070: words,                                       // Manufacturer
	0x00081090: words,                                       // Manufacturer's Model Name
	0x00080100: code,                                        // Code Value, where the scheme is public
	0x00080104: words,                                       // Code Meaning
	0x00080103: matching(`^[0-9.]{1,16}$`),                  // Coding Scheme Version
	0x00080102: scheme,                                      // Coding Scheme Designator
	0x00080105: scheme,                                      // Mapping Resource
	0x00102201: words,                                       // Patient Species Description
	0x00102292: words,                                       // Patient Breed Description
	0x00180024: matching(sequenceName),                      // Sequence Name
	0x00189005: words,                                       // Pulse Sequence Name
	0x00181210: matching(kernel),                            // Convolution Kernel
	0x00189316: words,                                       // CT reconstruction kernel group
	0x00181160: words,                                       // Filter Type
	0x00181261: words, 0x00181250: words, 0x00181251: words, // plate, coils
	0x00181020: matching(`^[0-9A-Za-z]{0,3}[0-9][0-9.\-_ ]{0,12}$`), // Software Versions
	0x00181271: matching(`^[0-9.]{1,8}$`),
	0x00185100: words,
	0x00209056: matching(`^[0-9]{1,4}$`), // Stack ID
	0x00209421: words,                    // Dimension Description Label
	0x00281054: words,                    // Rescale Type
	0x00281055: words,                    // Window Center & Width Explanation
	0x00283003: words,                    // LUT Explanation
	0x00283004: words,                    // Modality LUT Type
	0x00409210: words,                    // LUT Label
	0x00540400: words,                    // Image ID
	0x00541103: words, 0x00541104: words, // reconstruction, detector
	0x00180031: words, 0x00180034: words, // radiopharmaceutical, intervention drug
	0x00181030: words,
	0x00187032: words, 0x00187060: words, 0x0018115A: words, // exposure control
	0x00620005: words, 0x00620006: words, // segment label, description
	0x00620008: words, 0x00620009: words,
	0x00700080: words, 0x00700081: words, // content label, description
}

const (
	// sequenceName: makers' stems with digits, "*tfl3d1_16ns", "epse2d1_64", "ep_b1000#2".
	sequenceName = `^\*{0,2}(?:fl|fi|fisp|tse|se|ep|epse|epfid|epi|tfl|tir|spc|spcir|spcR|tfi|tof|fl_tof|swi|h|me|me2d|medic|pc|fm|ir|ciss|med|dess|qfl|psir|tgse|fgre|fse|gre|svs|csi|WE|wip)(?:[0-9]?[dD]?[0-9]?(?:[_#.-]?(?:b|t|v|ns|rr|st|rs|ss|tpc)?[0-9]{0,4}(?:in|fh|rl|ns|t)?){0,4})$`
	// kernel: "B30f", "Br40d\3", "FC08-H", "STANDARD".
	kernel = `^(?i:[a-z]{0,2}[0-9]{1,3}[a-z]{0,2}|fc[0-9]{2}(?:-[a-z])?|standard|soft|lung|bone|boneplus|detail|edge|chest|ultra|std\+?|hd[a-z]{2,4}|ya|yb|yc|yd|ub|ua|c|d|e|l)$`
)

// schemes are coding schemes whose codes and meanings are public (PS3.16 §8).
var schemes = map[string]bool{
	"DCM": true, "SRT": true, "SCT": true, "SNM3": true, "99SDM": true, "UCUM": true, "LN": true, "RADLEX": true, "FMA": true,
	"NCIT": true, "UMLS": true, "ISO639_1": true, "ISO639_2": true, "ISO3166_1": true, "RFC3066": true, "RFC5646": true, "MDC": true, "SCPECG": true,
	"BARI": true, "ACR": true, "IBSI": true, "DCMR": true, "SNOMED": true, "I10": true, "ITIS_TSN": true, "PUBCHEM_CID": true, "MSH": true, "UNS": true, "NEU": true,
}

func scheme(s string) string {
	if schemes[strings.ToUpper(strings.TrimSpace(s))] {
		return s
	}
	return ""
}

// codeShapes are what codes of public schemes look like: none of them is a word.
var codeShapes = regexp.MustCompile(`^(?:[0-9]{1,18}(?:-[0-9])?|[A-Z]{1,2}-[0-9A-F]{4,6}|RID[0-9]{1,6}|C[0-9]{4,8}|T-D[0-9]{4}|[A-Z][0-9]{2}(?:\.[0-9]{1,3})?|[a-z]{2,3}(?:-[A-Z]{2})?)$`)

// units are codes of UCUM that measurements and mappings use.
var units = map[string]bool{
	"1": true, "%": true, "mm": true, "mm2": true, "mm3": true, "cm": true, "cm2": true, "cm3": true, "um": true, "um2": true, "m": true,
	"ms": true, "s": true, "min": true, "h": true, "d": true, "ml": true, "mL": true, "l": true, "g": true, "kg": true, "mg": true,
	"g/ml": true, "mg/ml": true, "ml/min": true, "ml/s": true, "ml/100ml/s": true, "mm2/s": true, "10-6mm2/s": true, "10*-6.mm2/s": true, "um2/s": true, "s/mm2": true, "/s": true, "1/s": true,
	"[hnsf'U]": true, "[hnsf'u]": true, "deg": true, "rad": true, "Hz": true, "kHz": true, "MHz": true, "kV": true, "keV": true, "mA": true, "uA.s": true, "mAs": true,
	"mV": true, "uV": true, "Bq": true, "MBq": true, "Bq/ml": true, "kBq/ml": true, "Gy": true, "mGy": true, "cGy": true, "Gy2": true, "cm/s": true, "mm/s": true, "m/s": true, "mm[Hg]": true, "bpm": true,
	"{counts}": true, "{counts}/s": true, "{SUVbw}g/ml": true, "g/ml{SUVbw}": true, "{SUVlbm}g/ml": true, "{SUVbsa}cm2/ml": true, "{ratio}": true, "{pixels}": true, "{no units}": true, "no units": true, "{propcounts}": true, "{propcounts}/s": true,
	"ratio": true, "{Hu}": true, "HU": true, "{H.B.}/min": true, "[degF]": true, "Cel": true, "arbitrary_unit": true, "[arb'U]": true,
}

func code(s string) string {
	if t := strings.TrimSpace(s); codeShapes.MatchString(t) || units[t] {
		return s
	}
	return ""
}

// words keeps the known words of a short text.
func words(s string) string {
	out, dropped := cleanText(s)
	if len(dropped) == 0 {
		return s
	}
	return out
}

// matching keeps a text of a shape that leaves no room for a name.
func matching(shape string) func(string) string {
	re := regexp.MustCompile(shape)
	return func(s string) string {
		if t := strings.TrimSpace(s); re.MatchString(t) {
			return s
		}
		return ""
	}
}
