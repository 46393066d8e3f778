package study

import (
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/codec"
)

// Syntax is a transfer syntax.
type Syntax struct {
	UID          string
	Name         string
	Implicit     bool
	BigEndian    bool
	Deflated     bool
	Encapsulated bool
	Lossy        bool // by nature
}

const dicomUID = "1.2.840.10008."

// syntaxes are those of IMAGING.md §4; everything else is refused by UID.
var syntaxes = map[string]Syntax{}

func init() {
	for _, s := range []Syntax{
		{UID: "1.2", Name: "Implicit VR Little Endian", Implicit: true},
		{UID: "1.2.1", Name: "Explicit VR Little Endian"},
		{UID: "1.2.2", Name: "Explicit VR Big Endian", BigEndian: true},
		{UID: "1.2.1.99", Name: "Deflated Explicit VR Little Endian", Deflated: true},
	} {
		addSyntax(s)
	}
	for suffix, name := range codec.EncapsulatedNames {
		addSyntax(Syntax{UID: "1.2." + suffix, Name: name, Encapsulated: true, Lossy: codec.LossySyntax(dicomUID + "1.2." + suffix)})
	}
}

func addSyntax(s Syntax) {
	s.UID = dicomUID + s.UID
	syntaxes[s.UID] = s
}

// SyntaxOf finds a transfer syntax by UID.
func SyntaxOf(uid string) (Syntax, bool) {
	s, ok := syntaxes[uid]
	return s, ok
}

// SyntaxUIDs lists all transfer syntaxes that are known, the plain ones first.
func SyntaxUIDs() []string {
	var plain, packed []string
	for uid, s := range syntaxes {
		if s.Encapsulated || s.Deflated || s.BigEndian {
			packed = append(packed, uid)
		} else {
			plain = append(plain, uid)
		}
	}
	slices.SortFunc(plain, func(a, b string) int { return strings.Compare(b, a) }) // Explicit before Implicit
	slices.Sort(packed)
	return append(plain, packed...)
}
