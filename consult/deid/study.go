package deid

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/curbside-p2p/curbside/consult/study"
)

// ErrInflate says that a deflated file cannot be shared apart.
var ErrInflate = errors.New("a deflated data set cannot be inflated")

// Inflate gives a deflated file as Explicit VR Little Endian: the one change of transfer syntax that
// a share makes, since its head could not be parted from its pixels (protocol/README.md §3.6).
func Inflate(file []byte) ([]byte, error) {
	o, err := study.Guard(bytes.NewReader(file), int64(len(file)))
	if err != nil || !o.Syntax.Deflated {
		return nil, ErrInflate
	}
	data, err := o.Inflate(bytes.NewReader(file))
	if err != nil {
		return nil, ErrInflate
	}
	syntax := pad(explicitLE, 0)
	group := appendHeader(nil, 0x00020010, [2]byte{'U', 'I'}, len(syntax), coding{})
	group = append(group, syntax...)
	out := append(make([]byte, 128), "DICM"...)
	out = appendHeader(out, 0x00020000, [2]byte{'U', 'L'}, 4, coding{})
	out = binary.LittleEndian.AppendUint32(out, uint32(len(group)))
	out = append(out, group...)
	return append(out, data...), nil
}

// Manifest says of a study and its series what a share may: names are gone, dates moved, words
// known. What its rows say is the caller's; age is what the heads say now.
func (c *Case) Manifest(m *study.Manifest, key, age string) study.Manifest {
	out := *m
	out.Lineage, out.Mode, out.Previous, out.Preview = c.Lineage(m.Lineage), study.ModePseudonymised, nil, nil
	s := m.Study
	out.Study = study.ManifestStudy{
		UID: c.UID(s.UID), Date: c.day(s.Date), Time: c.clock(s.Time), Description: c.describe(s.Description),
		BodyPart: codedOnly(s.BodyPart), Pseudonym: c.Pseudonym(key),
	}
	if c.Options.Characteristics {
		out.Study.Age, out.Study.Sex = age, codedOnly(s.Sex)
	}
	for _, x := range s.Modalities {
		out.Study.Modalities = append(out.Study.Modalities, codedOnly(x))
	}
	out.Series = nil
	for i := range m.Series {
		x := &m.Series[i]
		out.Series = append(out.Series, study.ManifestSeries{
			UID: c.UID(x.UID), Modality: codedOnly(x.Modality), Number: x.Number, Description: c.describe(x.Description), BodyPart: codedOnly(x.BodyPart),
			Complete: x.Complete,
		})
	}
	return out
}

func (c *Case) day(s string) string {
	switch {
	case c.Options.FullDates && dateShape.MatchString(s):
		return s
	case c.Options.ModifiedDates:
		return move(s, "DA", c.Shift())
	}
	return ""
}

func (c *Case) clock(s string) string {
	if (c.Options.FullDates || c.Options.ModifiedDates) && timeShape.MatchString(s) {
		return s
	}
	return ""
}

func (c *Case) describe(s string) string {
	if !c.Options.Descriptors {
		return ""
	}
	return words(s)
}

func codedOnly(s string) string {
	if codedText(s) {
		return s
	}
	return ""
}
