package desk

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/storage/blobs"
)

// PixelFrame gives a frame's samples as coded.
func (d *Desk) PixelFrame(ctx context.Context, req control.FrameRequest) (control.Pixels, error) {
	n, _, _, err := d.frame(ctx, req)
	if err != nil {
		return control.Pixels{}, err
	}
	return control.Pixels{
		Rows: n.Rows, Cols: n.Cols, Samples: n.Samples, BitsAllocated: n.BitsAllocated,
		Signed: n.Signed, Photometric: n.Photometric, Data: n.Data,
	}, nil
}

// ImageFrame gives a native frame with what rendering it needs.
func (d *Desk) ImageFrame(ctx context.Context, req control.FrameRequest) (control.Image, error) {
	n, in, _, err := d.frame(ctx, req)
	out := control.Image{SOPUID: req.SOPUID, Frame: req.Frame}
	if err != nil {
		e := control.AsError(err)
		if e.Code != control.Refused {
			return out, err
		}
		out.Reason = e.Message
		return out, nil
	}
	out.Native, out.Pixel = n, in.Pixel.Frame(req.Frame)
	if n.Partial {
		out.Reason = "damaged: only part of this image could be decoded"
	}
	return out, nil
}

// frame opens one frame of one instance, and of a packed bulk no other frame.
func (d *Desk) frame(ctx context.Context, req control.FrameRequest) (*codec.Native, *study.Instance, *study.ManifestInstance, error) {
	row, err := d.findInstance(ctx, req)
	if err != nil {
		return nil, nil, nil, err
	}
	if req.Frame < 0 || (row.Frames > 0 && uint64(req.Frame) >= row.Frames) {
		return nil, nil, nil, control.Errorf(control.NotFound, "no such frame").WithHint("this instance has frames 0 to %d", max(row.Frames, 1)-1)
	}
	for _, id := range blobsOf(row) {
		if !d.blobs.Has(id) {
			d.plan.Raise(id, priorityViewer)
			d.mu.Lock()
			d.tell(func(n Network) { n.Wanted() })
			d.mu.Unlock()
			return nil, nil, nil, control.Errorf(control.Refused, "this image has not arrived yet")
		}
	}
	n, in, err := d.readFrame(row, req.Frame)
	var no *codec.Unsupported
	switch {
	case err == nil:
		return n, in, row, nil
	case errors.As(err, &no):
		return nil, nil, nil, control.Errorf(control.Refused, "cannot be displayed here, stored and forwarded intact: %s", no.Name)
	case errors.Is(err, study.ErrNoFrame):
		return nil, nil, nil, control.Errorf(control.NotFound, "no such frame, or the instance holds no image")
	default:
		return nil, nil, nil, control.Errorf(control.Refused, "cannot decode: %v", err)
	}
}

func (d *Desk) readFrame(row *study.ManifestInstance, k int) (*codec.Native, *study.Instance, error) {
	head, err := d.head(row)
	if err != nil {
		return nil, nil, err
	}
	if row.Bulk.Ref == nil {
		in, err := study.Parse(head)
		if err != nil {
			return nil, nil, err
		}
		b, err := in.FrameOf(bytesAt(head), int64(len(head)), k)
		if err != nil {
			return nil, nil, err
		}
		n, err := codec.Decode(in.FrameDesc(k), b)
		return n, in, err
	}
	f, err := d.blobs.Open(row.Bulk.Ref.ID)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	bulk, err := openBulk(row, f)
	if err != nil {
		return nil, nil, err
	}
	in, err := study.ParseJoined(head, int64(row.Off), bulk, int64(row.BulkLen))
	if err != nil {
		return nil, nil, err
	}
	b, err := in.ReadFrame(bulk, k)
	if err != nil {
		return nil, nil, err
	}
	n, err := codec.Decode(in.FrameDesc(k), b)
	return n, in, err
}

func openBulk(row *study.ManifestInstance, f *blobs.File) (io.ReaderAt, error) {
	r, err := seal.BlobReader(*row.Bulk.Ref, seal.Bulk, f)
	if err != nil {
		return nil, err
	}
	return codec.Open(byte(row.Codec), r, r.Size(), row.BulkLen)
}

type bytesAt []byte

func (b bytesAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// findInstance finds an instance in one study, or in all.
func (d *Desk) findInstance(ctx context.Context, req control.FrameRequest) (*study.ManifestInstance, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	if req.Study != "" {
		h, err := d.findStudy(p, req.Study)
		if err != nil {
			return nil, err
		}
		if at := h.places[req.SOPUID]; at != nil {
			row := *h.at(at)
			return &row, nil
		}
		return nil, control.Errorf(control.NotFound, "no such instance in this study")
	}
	var found []*holding
	for _, h := range d.holders(req.SOPUID) {
		if d.visible(p, h) {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 0:
		return nil, control.Errorf(control.NotFound, "no such instance").WithHint("list studies with: curbside study list")
	case 1:
		row := *found[0].at(found[0].places[req.SOPUID])
		return &row, nil
	}
	ids := make([]string, 0, len(found))
	for _, h := range found {
		ids = append(ids, h.id())
	}
	return nil, control.Errorf(control.Refused, "several studies hold this instance: %s", strings.Join(ids, " ")).WithHint("name the study")
}
