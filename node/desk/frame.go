package desk

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/storage/blobs"
)

// PixelFrame gives a frame's samples as coded.
func (d *Desk) PixelFrame(ctx context.Context, req control.FrameRequest) (control.Pixels, error) {
	at, err := d.findInstance(ctx, req)
	if err != nil {
		return control.Pixels{}, err
	}
	n, in, err := d.frame(ctx, at, req.Frame)
	if err != nil {
		return control.Pixels{}, err
	}
	return control.Pixels{
		Rows: n.Rows, Cols: n.Cols, Samples: n.Samples, BitsAllocated: n.BitsAllocated,
		Signed:      n.Signed && !in.Pixel.Float, // floats have no Pixel Representation, PS3.3 C.7.6.24
		Photometric: n.Photometric, Data: n.Data,
	}, nil
}

// ImageFrame gives a native frame with what rendering it needs; until it is here, its preview.
func (d *Desk) ImageFrame(ctx context.Context, req control.FrameRequest) (control.Image, error) {
	at, err := d.findInstance(ctx, req)
	if err != nil {
		return control.Image{}, err
	}
	return d.image(ctx, at, req.Frame)
}

func (d *Desk) image(ctx context.Context, at *located, k int) (control.Image, error) {
	out := control.Image{SOPUID: at.row.UID, Frame: k}
	n, in, err := d.frame(ctx, at, k)
	if errors.Is(err, errNotArrived) {
		out.Reason = errNotArrived.Error()
		if n := d.previewOf(at, k); n != nil {
			out.Native, out.Pixel, out.Preview = n, previewPixel(n), true
		}
		return out, nil
	}
	if err != nil {
		e := control.AsError(err)
		if e.Code != control.Refused || ctx.Err() != nil {
			return out, err
		}
		out.Reason = e.Message
		return out, nil
	}
	out.Native, out.Pixel = n, in.Pixel.Frame(k)
	if n.Partial {
		out.Reason = "damaged: only part of this image could be decoded"
	}
	return out, nil
}

// errNotArrived: the image is listed, and its bytes are still on their way.
var errNotArrived = control.Errorf(control.Refused, "this image has not arrived yet").
	WithHint("it comes when its sender's node is reachable; see: curbside transfers")

// frame opens one frame of one instance, and of a packed bulk no other frame.
func (d *Desk) frame(ctx context.Context, at *located, k int) (*codec.Native, *study.Instance, error) {
	row := &at.row
	if _, err := hold(d, func() (struct{}, error) { return struct{}{}, d.quarantined(at.h) }); err != nil {
		return nil, nil, err
	}
	if k < 0 || (row.Frames > 0 && uint64(k) >= row.Frames) {
		return nil, nil, control.Errorf(control.NotFound, "no such frame").WithHint("this instance has frames 0 to %d", max(row.Frames, 1)-1)
	}
	for _, id := range blobsOf(row) {
		if !d.blobs.Has(id) {
			d.plan.Raise(id, priorityViewer)
			d.mu.Lock()
			d.tell(func(n Network) { n.Wanted() })
			d.mu.Unlock()
			return nil, nil, errNotArrived
		}
	}
	n, in, err := d.readFrame(ctx, row, k)
	var no *codec.Unsupported
	switch {
	case err == nil:
		d.viewed(at)
		return n, in, nil
	case errors.As(err, &no):
		return nil, nil, control.Errorf(control.Refused, "cannot be displayed here, stored and forwarded intact: %s", no.Name)
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case errors.Is(err, study.ErrNoFrame):
		return nil, nil, control.Errorf(control.NotFound, "no such frame, or the instance holds no image")
	default:
		return nil, nil, control.Errorf(control.Refused, "cannot decode: %v", err)
	}
}

// viewed records that a person looked at a study: once in viewedAgain, since a viewer asks for
// every frame.
func (d *Desk) viewed(at *located) {
	k := viewKey{at.by.id, at.h.key}
	now := d.nowMS()
	d.mu.Lock()
	last, ok := d.views[k]
	fresh := !ok || now-last > viewedAgain.Milliseconds()
	if fresh {
		d.views[k] = now
	}
	d.mu.Unlock()
	if fresh {
		d.record(at.by, actionView, "study", at.h.key.lineage[:])
	}
}

const viewedAgain = time.Hour

type viewKey struct {
	person identity.PersonID
	study  holdingKey
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

// located is an instance and where it stands.
type located struct {
	by            *person // who looks
	h             *holding
	row           study.ManifestInstance
	study, series string
	seriesAt, at  int // its place in the manifest
	manifest      *study.Manifest
}

func (h *holding) locate(p *person, in *instance) *located {
	return &located{
		by: p, h: h, row: *h.at(in), study: h.id(), series: h.manifest.Series[in.series].UID,
		seriesAt: in.series, at: in.index, manifest: h.manifest,
	}
}

// findInstance finds an instance in one study, or in all.
func (d *Desk) findInstance(ctx context.Context, req control.FrameRequest) (*located, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	return d.find(p, req.Study, req.SOPUID)
}

func (d *Desk) find(p *person, said, uid string) (*located, error) {
	if said != "" {
		h, err := d.findStudy(p, said)
		if err != nil {
			return nil, err
		}
		if in := h.places[uid]; in != nil {
			return h.locate(p, in), nil
		}
		return nil, control.Errorf(control.NotFound, "no such instance in this study")
	}
	var found []*holding
	for _, h := range d.holders(uid) {
		if d.visible(p, h) {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 0:
		return nil, control.Errorf(control.NotFound, "no such instance").WithHint("list studies with: curbside study list")
	case 1:
		return found[0].locate(p, found[0].places[uid]), nil
	}
	return nil, severalStudies("several studies hold this instance", found)
}

func severalStudies(what string, found []*holding) error {
	ids := make([]string, 0, len(found))
	for _, h := range found {
		ids = append(ids, h.id())
	}
	slices.Sort(ids)
	return control.Errorf(control.Refused, "%s: %s", what, strings.Join(ids, " ")).WithHint("name the study")
}
