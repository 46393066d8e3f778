package desk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"image"
	"image/png"
	"slices"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/seal"
)

// marked is a desk that was granted a study by somebody whose program is the test.
type marked struct {
	t      *testing.T
	d      *Desk
	friend *other
	lt     *ledger.Thread
	m      *study.Manifest
	row    *study.ManifestInstance
	sum    [32]byte // of the bulk of row
	known  bool
}

func newMarked(t *testing.T, withBlobs bool) *marked {
	t.Helper()
	k := &marked{t: t, d: openDesk(t, t.TempDir()), friend: newOther(t, "Friend")}
	own := k.friend.befriend(k.d)
	elsewhere := openDesk(t, t.TempDir())
	importAll(t, elsewhere, write(t, smallCT(3).Files))
	k.m = onlyStudy(t, elsewhere).manifest
	if withBlobs {
		copyBlobs(t, elsewhere, k.d, k.m)
	}
	k.row = &k.m.Series[0].Instances[1]
	sealed, err := elsewhere.openBlob(*k.row.Bulk.Ref, seal.Bulk)
	if err != nil {
		t.Fatal(err)
	}
	bulk, err := codec.Unpack(byte(k.row.Codec), sealed, k.row.BulkLen, nil)
	if err != nil {
		t.Fatal(err)
	}
	k.sum = sha256.Sum256(bulk)
	lt, items := k.friend.found(own)
	k.lt = lt
	k.receive(append(items, k.friend.grant(lt, *k.m, k.d)...))
	return k
}

func (k *marked) receive(items [][]byte) {
	k.t.Helper()
	var id *ledger.ThreadID // unknown the first time
	if k.known {
		t := k.lt.ID()
		id = &t
	}
	k.known = true
	if got := k.d.Receive(k.friend.peer(), id, items); got.Bad > 0 {
		k.t.Fatalf("%d entries are bad", got.Bad)
	}
}

// post has the friend post a mark with whatever values.
func (k *marked) post(place consult.Place, values consult.Values) ledger.EntryID {
	k.t.Helper()
	body := consult.MarkBody{Place: place, Geometry: k.length(30), Values: k.values(values)}
	k.receive(k.friend.post(k.lt, ledger.Mark, body))
	return k.last(ledger.Mark)
}

// length is a horizontal line of so many pixels.
func (k *marked) length(n float64) []byte {
	k.t.Helper()
	g, err := consult.NewGeometry(consult.ShapeDistance, [][2]float64{{10, 10}, {10 + n, 10}})
	if err != nil {
		k.t.Fatal(err)
	}
	b, err := g.Encode()
	if err != nil {
		k.t.Fatal(err)
	}
	return b
}

func (k *marked) values(v consult.Values) []byte {
	k.t.Helper()
	b, err := v.Encode()
	if err != nil {
		k.t.Fatal(err)
	}
	return b
}

func (k *marked) last(kind ledger.Kind) ledger.EntryID {
	k.t.Helper()
	var id ledger.EntryID
	for _, e := range k.lt.Entries() {
		if e.Kind == kind {
			id = e.ID
		}
	}
	return id
}

func (k *marked) place() consult.Place {
	return consult.Place{Lineage: [16]byte{9}, SOPUID: k.row.UID, Frame: 1, SHA256: k.sum}
}

// mm is a length as an author says it.
func mm(thousandths int64) consult.Values {
	return consult.Values{{Name: "length", Thousandths: thousandths, Unit: "mm", Calibration: "pixel spacing"}}
}

func (k *marked) list() map[string]control.Mark {
	k.t.Helper()
	list, err := k.d.MarkList(k.t.Context(), control.MarkListRequest{Case: k.lt.ID().String()})
	if err != nil {
		k.t.Fatal(err)
	}
	out := map[string]control.Mark{}
	for _, m := range list {
		out[m.Entry] = m
	}
	return out
}

// TestValuesOfOthersAreMeasuredAgain: what an author claims is compared with one's own pixels.
func TestValuesOfOthersAreMeasuredAgain(t *testing.T) {
	t.Parallel()
	k := newMarked(t, true)
	probe := k.post(k.place(), nil)
	if m := k.list()[probe.String()]; m.Check != control.CheckNothing {
		t.Fatalf("a mark without values is %q", m.Check)
	}
	// The phantom's pixels: measured by the desk itself, through a mark of its own.
	own, err := k.d.CaseAnnotate(t.Context(), control.AnnotateRequest{
		Case: k.lt.ID().String(), SOPUID: k.row.UID, Type: "length", Points: [][2]float64{{10, 10}, {40, 10}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if own.Measured.Unit != "mm" || own.Measured.Value < 10 {
		t.Fatalf("measured %+v", own.Measured)
	}
	right := int64(own.Measured.Value*1000 + 0.5)
	elsewhere := k.place()
	elsewhere.SHA256[0] ^= 1
	noFrame := k.place()
	noFrame.Frame = 7
	noImage := k.place()
	noImage.SOPUID = "1.2.3"
	tests := map[string]struct {
		place  consult.Place
		values consult.Values
		check  string
		own    bool
	}{
		"as measured":          {k.place(), mm(right), control.CheckSame, true},
		"within 0.5 percent":   {k.place(), mm(right + right/250), control.CheckSame, true},
		"longer":               {k.place(), mm(right + right/100), control.CheckDiffers, true},
		"made up":              {k.place(), mm(1), control.CheckDiffers, true},
		"another unit":         {k.place(), consult.Values{{Name: "length", Thousandths: right, Unit: "px", Calibration: "pixel spacing"}}, control.CheckDiffers, true},
		"another calibration":  {k.place(), consult.Values{{Name: "length", Thousandths: right, Unit: "mm", Calibration: "film scale"}}, control.CheckDiffers, true},
		"a value of no length": {k.place(), consult.Values{{Name: "mean", Thousandths: right, Unit: "HU"}}, control.CheckDiffers, true},
		"other pixels":         {elsewhere, mm(right), control.CheckNot, false},
		"no such frame":        {noFrame, mm(right), control.CheckNot, false},
		"no such image":        {noImage, mm(right), control.CheckNot, false},
	}
	ids := map[string]ledger.EntryID{}
	for name, tt := range tests {
		ids[name] = k.post(tt.place, tt.values)
	}
	for range 2 { // measured, then kept
		list := k.list()
		for name, tt := range tests {
			m := list[ids[name].String()]
			if m.Check != tt.check || (len(m.Own) > 0) != tt.own {
				t.Errorf("%s: %q, own values %v, want %q: %s", name, m.Check, m.Own, tt.check, m.Why)
			}
			if m.Check == control.CheckNot && m.Why == "" {
				t.Errorf("%s: is not said why", name)
			}
		}
	}
	c, err := k.d.CaseShow(t.Context(), control.CaseShowRequest{Case: k.lt.ID().String()})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Entries {
		if e.Entry == ids["made up"].String() && (e.Mark == nil || e.Mark.Check != control.CheckDiffers || e.Mark.Values[0].Value != 0.001) {
			t.Errorf("case show says of it: %+v", e.Mark)
		}
	}
}

// TestMarksOfAbsentImages: an image that is not here is neither measured nor marked.
func TestMarksOfAbsentImages(t *testing.T) {
	t.Parallel()
	k := newMarked(t, false)
	id := k.post(k.place(), mm(12_345))
	m := k.list()[id.String()]
	if m.Check != control.CheckNot || m.Why != errNotArrived.Message || m.Values[0].Value != 12.345 {
		t.Errorf("%+v", m.MarkState)
	}
	_, err := k.d.CaseAnnotate(t.Context(), control.AnnotateRequest{
		Case: k.lt.ID().String(), SOPUID: k.row.UID, Type: "point", Points: [][2]float64{{1, 1}},
	})
	if !errors.Is(err, errNotArrived) {
		t.Errorf("a mark on an absent image: %v", err)
	}
	if _, err := k.d.Render(t.Context(), control.RenderRequest{Instance: k.row.UID, Study: k.held().id()}); err == nil || control.AsError(err).Message != errNotArrived.Message {
		t.Errorf("a picture of an absent image: %v", err)
	}
}

func (k *marked) held() *holding {
	k.t.Helper()
	h := k.d.studies.held[holdingKey{[16]byte{9}, k.friend.id}]
	if h == nil {
		k.t.Fatal("the granted study is not held")
	}
	return h
}

// TestEditsSideBySide: edits that did not know of each other are all shown, the last one first.
func TestEditsSideBySide(t *testing.T) {
	t.Parallel()
	k := newMarked(t, true)
	id := k.post(k.place(), mm(1))
	var edits []ledger.EntryID
	for _, n := range []float64{20, 25} {
		k.receive(k.friend.post(k.lt, ledger.MarkEdit, consult.MarkEditBody{Mark: id, Geometry: k.length(n), Label: "moved"}))
		edits = append(edits, k.last(ledger.MarkEdit))
	}
	m := k.list()[id.String()]
	if len(m.Edits) != 1 || m.Edits[0].Entry != edits[1].String() || m.Anchor.Points[1][0] != 35 || m.Label != "moved" {
		t.Fatalf("after two edits, one knowing of the other: %+v", m)
	}
	// Two devices of one author are consult's to merge; here only what is made of it counts.
	k.d.mu.Lock()
	defer k.d.mu.Unlock()
	v := k.d.marksView(k.d.persons[0], k.d.threads[k.lt.ID()])
	both := *v.byID[id]
	both.Edits = edits
	fs := v.forms(&both)
	h := v.history(&both, fs)
	if len(h.Edits) != 2 || h.Edits[0].Points[1][0] != 30 || h.Edits[1].Points[1][0] != 35 {
		t.Errorf("edits side by side: %+v", h.Edits)
	}
}

// TestFrameGivesUp: a frame that nobody waits for any more is not decoded, and gives its place back.
func TestFrameGivesUp(t *testing.T) {
	t.Parallel()
	k := newMarked(t, true)
	var leaves []func()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		leave, err := k.d.frames.enter(ctx, k.row)
		cancel()
		if err != nil {
			break
		}
		leaves = append(leaves, leave)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	req := control.FrameRequest{Study: k.held().id(), SOPUID: k.row.UID}
	if _, err := k.d.ImageFrame(ctx, req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with all places taken: %v", err)
	}
	for _, leave := range leaves {
		leave()
	}
	if img, err := k.d.ImageFrame(t.Context(), req); err != nil || img.Native == nil {
		t.Errorf("with the places back: %v", err)
	}
}

// TestHeadsAreKeptWithinBounds: descriptions of multi-frame instances are kept, the oldest go.
func TestHeadsAreKeptWithinBounds(t *testing.T) {
	t.Parallel()
	f := newFrames()
	many := &study.Instance{}
	many.Pixel.Frames = 10
	for i := range 3 * headsMax {
		f.keep(headKey{uid: string(rune('a' + i))}, many, 1000)
	}
	if f.used.Len() != headsMax || len(f.heads) != headsMax || f.kept(headKey{uid: "a"}) != nil || f.kept(headKey{uid: string(rune('a' + 3*headsMax - 1))}) == nil {
		t.Errorf("%d kept", f.used.Len())
	}
	for i := range 100 {
		f.keep(headKey{uid: "big" + string(rune('a'+i))}, many, headBytesMax/16)
	}
	if f.size > headBytesMax || f.used.Len() == 0 {
		t.Errorf("%d bytes kept of %d", f.size, f.used.Len())
	}
	f.keep(headKey{uid: "huge"}, many, headBytesMax)
	f.keep(headKey{uid: "single"}, &study.Instance{}, 1)
	if f.kept(headKey{uid: "huge"}) != nil || f.kept(headKey{uid: "single"}) != nil {
		t.Error("kept what is too large, or needs no keeping")
	}
}

// TestPreviewStandsIn: until the image is here its preview is shown, and said to be one.
func TestPreviewStandsIn(t *testing.T) {
	t.Parallel()
	k := newMarked(t, false)
	grey := image.NewGray(image.Rect(0, 0, 40, 30))
	for i := range grey.Pix {
		grey.Pix[i] = uint8(i % 251)
	}
	colour := image.NewRGBA(image.Rect(0, 0, 7, 5))
	for i := range colour.Pix {
		colour.Pix[i] = uint8(i) | 3
	}
	picture := func(n uint64, img image.Image, w, h int) study.PreviewImage {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		return study.PreviewImage{Instance: n, Format: study.PreviewPNG, Width: uint64(w), Height: uint64(h), Bytes: b.Bytes()}
	}
	pack := study.Preview{Format: 1, Images: []study.PreviewImage{
		picture(1, grey, 40, 30), picture(2, colour, 7, 5), picture(0, grey, 41, 30), // the last lies about its size
	}}
	b, err := pack.Encode()
	if err != nil {
		t.Fatal(err)
	}
	sealed, ref, leaves := seal.BlobRandom(seal.Preview, b)
	batch := k.d.blobs.NewBatch()
	if err := batch.Put(ref.ID, sealed, leaves); err != nil {
		t.Fatal(err)
	}
	if err := batch.Commit(); err != nil {
		t.Fatal(err)
	}
	h := k.held()
	h.manifest.Preview = &ref
	rows := k.m.Series[0].Instances
	get := func(i int) control.Image {
		img, err := k.d.ImageFrame(t.Context(), control.FrameRequest{Study: h.id(), SOPUID: rows[i].UID})
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	if img := get(1); !img.Preview || img.Native == nil || !bytes.Equal(img.Native.Data, grey.Pix) || img.Native.Rows != 30 || img.Reason == "" {
		t.Errorf("grey: %+v", img)
	}
	if img := get(2); !img.Preview || img.Native == nil || img.Native.Samples != 3 || len(img.Native.Data) != 7*5*3 {
		t.Errorf("colour: %+v", img)
	}
	if img := get(0); img.Preview || img.Native != nil || img.Reason != errNotArrived.Message {
		t.Errorf("of another size than said: %+v", img)
	}
	r, err := k.d.Render(t.Context(), control.RenderRequest{Study: h.id(), Instance: "2"})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := png.Decode(bytes.NewReader(r.PNG))
	if err != nil {
		t.Fatal(err)
	}
	// Drawn as it is: one grey for each of the preview's.
	if g, ok := shown.(*image.Gray); !ok || !bytes.Equal(g.Pix, grey.Pix) {
		t.Error("the picture is not the preview")
	}
	if !r.Preview || r.Rows != 30 || r.Cols != 40 || !slices.Contains(r.Warnings, "preview, not for diagnosis") {
		t.Errorf("%+v", r.Warnings)
	}
	if _, err := k.d.PixelFrame(t.Context(), control.FrameRequest{Study: h.id(), SOPUID: rows[1].UID}); !errors.Is(err, errNotArrived) {
		t.Errorf("samples of an absent image: %v", err)
	}
}
