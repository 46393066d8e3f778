package desk

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// meet makes contacts of two desks by files, as air-gapped sites do.
func meet(t *testing.T, a, b *Desk) {
	t.Helper()
	ctx := t.Context()
	card, err := b.GetCard(ctx, control.CardRequest{})
	if err != nil {
		t.Fatal(err)
	}
	join, err := a.ContactAdd(ctx, control.ContactAddRequest{Link: *card.Invite, ToFile: true})
	if err != nil {
		t.Fatal(err)
	}
	accept, err := b.ContactAdd(ctx, control.ContactAddRequest{File: join.File})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.ContactAdd(ctx, control.ContactAddRequest{File: accept.File}); err != nil {
		t.Fatal(err)
	}
}

// send opens a case at a for others, with a study of some slices.
func send(t *testing.T, a *Desk, slices int, to ...*Desk) string {
	t.Helper()
	req := control.NewCase{Identified: true, Question: "Is there a lesion in the right upper lobe?"}
	for _, d := range to {
		req.To = append(req.To, d.persons[0].id.String())
	}
	req.Studies = []string{importAll(t, a, write(t, smallCT(slices).Files)).Studies[0].Study}
	c, err := a.Request(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return c.Case
}

func bundleFor(t *testing.T, a *Desk, req control.BundleWriteRequest, to ...*Desk) *control.BundleResult {
	t.Helper()
	for _, d := range to {
		req.To = append(req.To, d.persons[0].id.String())
	}
	if req.Out == "" {
		req.Out = filepath.Join(t.TempDir(), "b.curbside")
	}
	var res *control.BundleResult
	if err := a.BundleWrite(t.Context(), req, func(e control.BundleEvent) error { res = e.Result; return nil }); err != nil {
		t.Fatal(err)
	}
	return res
}

func readBundle(t *testing.T, d *Desk, partial bool, files ...string) (*control.BundleResult, error) {
	t.Helper()
	var res *control.BundleResult
	err := d.BundleRead(t.Context(), control.BundleReadRequest{Files: files, Partial: partial}, func(e control.BundleEvent) error {
		res = e.Result
		return nil
	})
	return res, err
}

// held is all that a bundle could have changed, as text to compare.
func held(t *testing.T, d *Desk) string {
	t.Helper()
	var out []string
	err := d.blobs.List(func(id blob.ID, size uint64) error {
		out = append(out, fmt.Sprint("blob ", id, size))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, th := range d.threads {
		out = append(out, fmt.Sprintf("case %s %x %d", id, th.ledger.Root(), len(th.ledger.Entries())))
	}
	for id, p := range d.profiles {
		out = append(out, fmt.Sprintf("person %s %d", id, len(p.Records())))
	}
	out = append(out, fmt.Sprint("records aside ", len(d.unplaced)), fmt.Sprint("wanted ", d.plan.Len()))
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// whatever byte of a bundle is altered, it is refused and nothing has changed; then the true one
// is taken. Take before Check and this fails.
func TestBundleAltered(t *testing.T) {
	a, b := openDesk(t, t.TempDir()), openDesk(t, t.TempDir())
	meet(t, a, b)
	id := send(t, a, 6, b)
	res := bundleFor(t, a, control.BundleWriteRequest{}, b)
	file := res.Files[0]
	sealed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before := held(t, b)
	r := rand.New(rand.NewPCG(3, 4))
	bad := filepath.Join(t.TempDir(), "altered")
	for i := range 40 {
		x := slices.Clone(sealed)
		at := r.IntN(len(x))
		if i < 20 {
			at = len(x) - 1 - i*i // near the end, where all before it is good
		}
		x[at] ^= 1 << r.IntN(8)
		if i%4 == 3 {
			x = sealed[:at]
		}
		if err := os.WriteFile(bad, x, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, files := range [][]string{{bad}, {file, bad}} {
			if _, err := readBundle(t, b, false, files...); control.AsError(err).Code != control.Refused {
				t.Fatalf("byte %d altered: %v", at, err)
			}
		}
		if after := held(t, b); after != before {
			t.Fatalf("byte %d altered, and something changed:\n%s\nbefore:\n%s", at, after, before)
		}
	}
	got, err := readBundle(t, b, false, file)
	if err != nil || got.Cases != 1 || got.Entries != res.Entries || got.Blobs != res.Blobs {
		t.Fatalf("%+v %v, written %+v", got, err, res)
	}
	c, err := b.CaseShow(t.Context(), control.CaseShowRequest{Case: id})
	if err != nil || c.Studies[0].Present != 6 {
		t.Fatalf("%+v %v", c.Studies, err)
	}
}

// Parts may be read alone and in any order, and a group's bundle by each of the group.
func TestBundleParts(t *testing.T) {
	a, b, c := openDesk(t, t.TempDir()), openDesk(t, t.TempDir()), openDesk(t, t.TempDir())
	meet(t, a, b)
	meet(t, a, c)
	id := send(t, a, 30, b, c)
	send(t, a, 3, b) // c must not learn of this one
	res := bundleFor(t, a, control.BundleWriteRequest{Split: 130_000}, b, c)
	if len(res.Files) < 3 || res.Cases != 1 || len(res.Warnings) != 1 {
		t.Fatalf("%+v", res)
	}
	for _, f := range res.Files {
		if info, err := os.Stat(f); err != nil || info.Size() > 130_000 {
			t.Errorf("%s: %v %d", f, err, info.Size())
		}
	}
	if _, err := readBundle(t, b, false, res.Files[1:]...); err == nil || !strings.Contains(err.Error(), "part 1 of") {
		t.Errorf("a part is missing: %v", err)
	}
	for _, d := range []*Desk{b, c} {
		files := slices.Clone(res.Files)
		rand.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
		entries := 0
		for _, f := range files {
			got, err := readBundle(t, d, true, f)
			if err != nil {
				t.Fatal(err)
			}
			entries += got.Entries
		}
		s, err := d.CaseShow(t.Context(), control.CaseShowRequest{Case: id})
		if err != nil || s.Studies[0].Present != 30 || entries != res.Entries {
			t.Fatalf("%+v %v, %d entries", s.Studies, err, entries)
		}
	}
	// Members who never met know each other's cards now, and answer by files too.
	if _, err := c.CaseReply(t.Context(), control.CaseReplyRequest{Case: id, Text: "none"}); err != nil {
		t.Fatal(err)
	}
	if got := bundleFor(t, c, control.BundleWriteRequest{}, a); got.Blobs != 0 {
		t.Errorf("the clinic's own images are written to it: %+v", got)
	}
	if got := bundleFor(t, c, control.BundleWriteRequest{All: true}, a); got.Blobs == 0 {
		t.Errorf("--all: %+v", got)
	}
}

// A bundle proves nothing about who wrote it. Blobs that no case of ours was granted, entries that
// are no entries or were here before, cards of nobody: none of it stays.
func TestBundleOfAnybody(t *testing.T) {
	a, b := openDesk(t, t.TempDir()), openDesk(t, t.TempDir())
	meet(t, a, b)
	id := send(t, a, 2, b)
	if _, err := readBundle(t, b, false, bundleFor(t, a, control.BundleWriteRequest{}, b).Files...); err != nil {
		t.Fatal(err)
	}
	before := held(t, b)
	tid, err := ledger.ParseThreadID(id)
	if err != nil {
		t.Fatal(err)
	}
	var again [][]byte
	for _, it := range b.threads[tid].ledger.Missing(nil) {
		again = append(again, it.Sealed, bytes.ToUpper(it.Sealed), it.Sealed[:len(it.Sealed)/2])
	}
	data := make([]byte, blob.SealedLen(1<<16))
	leaves := blob.Leaves(data)
	w := exchange.Want{Blob: blob.IDOf(uint64(len(data)), leaves), Length: uint64(len(data)), N: len(leaves)}
	var out bytes.Buffer
	card := b.persons[0].profile.Cards[b.persons[0].device.ID()]
	x, err := exchange.NewBundle(&out, []exchange.Recipient{{Device: card.Device, KEM: card.KEM}})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		x.Records([][]byte{{1, 2, 3}}), x.Entries(tid, again), x.Entries(ledger.ThreadID{1}, again), x.Range(w, data, nil), x.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readBundle(t, b, false, file)
	if err != nil || got.Entries != 0 || got.Blobs != 0 || got.Bytes != 0 {
		t.Errorf("%+v %v", got, err)
	}
	if after := held(t, b); after != before {
		t.Errorf("something changed:\n%s\nbefore:\n%s", after, before)
	}
}

// A writing that is called off leaves nothing.
func TestBundleCancelled(t *testing.T) {
	a, b := openDesk(t, t.TempDir()), openDesk(t, t.TempDir())
	meet(t, a, b)
	send(t, a, 8, b)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	req := control.BundleWriteRequest{To: []string{b.persons[0].id.String()}, Out: filepath.Join(dir, "f"), Split: 120_000}
	err := a.BundleWrite(ctx, req, func(e control.BundleEvent) error {
		if e.Done > e.Total/2 {
			cancel()
		}
		return nil
	})
	if left, _ := os.ReadDir(dir); err == nil || len(left) != 0 {
		t.Errorf("%v, left %v", err, left)
	}
}
