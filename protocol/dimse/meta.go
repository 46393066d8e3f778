package dimse

import (
	"encoding/binary"
)

// Meta is the beginning of a Part 10 file for a data set that came over an association: preamble,
// prefix and File Meta Information (PS3.10 §7.1).
func Meta(sopClass, sopUID, syntax, source string) []byte {
	b := make([]byte, 128, 512)
	b = append(b, "DICM"...)
	b = append(b, 2, 0, 0, 0, 'U', 'L', 4, 0, 0, 0, 0, 0)
	from := len(b)
	b = append(b, 2, 0, 1, 0, 'O', 'B', 0, 0, 2, 0, 0, 0, 0, 1)
	b = metaElement(b, 0x02, "UI", sopClass)
	b = metaElement(b, 0x03, "UI", sopUID)
	b = metaElement(b, 0x10, "UI", syntax)
	b = metaElement(b, 0x12, "UI", implementation)
	b = metaElement(b, 0x13, "SH", implementationVersion)
	if source != "" {
		b = metaElement(b, 0x16, "AE", source)
	}
	binary.LittleEndian.PutUint32(b[from-4:], uint32(len(b)-from))
	return b
}

func metaElement(b []byte, el uint16, vr, v string) []byte {
	b = append(b, 2, 0)
	b = binary.LittleEndian.AppendUint16(b, el)
	b = append(b, vr...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(v)+len(v)%2))
	b = append(b, v...)
	switch {
	case len(v)%2 == 0:
		return b
	case vr == "UI":
		return append(b, 0)
	}
	return append(b, ' ')
}

// DataSet finds where the data set of a Part 10 file begins: after the File Meta Information, whose
// group length is its first element. 0 says that the file does not begin so.
func DataSet(file []byte) int {
	const at = 132
	if len(file) < at+12 || string(file[128:at]) != "DICM" || string(file[at:at+8]) != "\x02\x00\x00\x00UL\x04\x00" {
		return 0
	}
	n := uint64(binary.LittleEndian.Uint32(file[at+8:])) + at + 12
	if n > uint64(len(file)) {
		return 0
	}
	return int(n)
}
