package gateway

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

const (
	tagPhotometric study.Tag = 0x00280004
	tagPlanar      study.Tag = 0x00280006
	tagPixels      study.Tag = 0x7FE00010
)

// nativeFile decodes a compressed file to Explicit VR Little Endian. Only lossless codecs are undone:
// what another decoder makes of a lossy one may differ from ours.
func nativeFile(file []byte) ([]byte, error) {
	in, err := study.Parse(file)
	if err != nil {
		return nil, err
	}
	if codec.LossySyntax(in.TransferSyntax) || !codec.Displayable(in.TransferSyntax) {
		return nil, fmt.Errorf("%w; this compression cannot be undone without loss", errSyntax)
	}
	pixels, photometric, err := decodeAll(in, file)
	if err != nil {
		return nil, err
	}
	o, err := study.Guard(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	out := dimse.Meta(in.SOPClass, in.SOPUID, dimse.ExplicitLE, "")
	for i := range o.Elements {
		e := &o.Elements[i]
		if e.Depth > 0 || e.Tag == 0xFFFEE000 {
			continue
		}
		switch e.Tag {
		case tagPhotometric:
			el := object.Str(tagPhotometric, "CS", photometric)
			out = appendElement(out, &el, true)
		case tagPlanar:
			el := object.US(tagPlanar, 0) // what was decoded is interleaved
			out = appendElement(out, &el, true)
		case tagPixels:
			out = appendPixels(out, pixels, in.Pixel.BitsAllocated)
		default:
			out = append(out, file[e.Start:e.Value+e.Length]...)
		}
	}
	return out, nil
}

func appendPixels(out, pixels []byte, bits int) []byte {
	vr := "OW"
	if bits <= 8 {
		vr = "OB" // PS3.5 §A.2
	}
	out = append(out, 0xE0, 0x7F, 0x10, 0x00, vr[0], vr[1], 0, 0)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(pixels)+len(pixels)%2))
	out = append(out, pixels...)
	if len(pixels)%2 != 0 {
		out = append(out, 0)
	}
	return out
}

// decodeAll decodes every frame, each of them whole and as wide as the head says.
func decodeAll(in *study.Instance, file []byte) (pixels []byte, photometric string, err error) {
	p := &in.Pixel
	if p.BitsAllocated%8 != 0 {
		return nil, "", errSyntax
	}
	photometric = p.Photometric
	for k := range max(p.Frames, 1) {
		b, err := in.FrameOf(bytes.NewReader(file), int64(len(file)), k)
		if err != nil {
			return nil, "", err
		}
		n, err := codec.Decode(in.FrameDesc(k), b)
		if err != nil {
			return nil, "", err
		}
		whole := p.Rows * p.Cols * p.Samples * p.BitsAllocated / 8
		if n.Partial || n.BitsAllocated != p.BitsAllocated || len(n.Data) != whole || k > 0 && n.Photometric != photometric {
			return nil, "", errSyntax
		}
		photometric = n.Photometric
		pixels = append(pixels, n.Data...)
		if len(pixels) > nativeMax {
			return nil, "", errSyntax
		}
	}
	return pixels, photometric, nil
}
