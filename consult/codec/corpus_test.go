package codec_test

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/curbside-p2p/curbside/consult/codec"
	"github.com/curbside-p2p/curbside/consult/corpustest"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Split, pack, seal, carry, open, unpack, join gives the file (FORMATS §14).
func throughTheHouse(t *testing.T, name string, file []byte) (in *study.Instance, packed int) {
	t.Helper()
	in, err := study.Parse(file)
	if err != nil {
		return nil, 0
	}
	head, bulk := study.Split(file, in)
	stored, method := codec.Pack(bulk, in.Layout(), nil)
	if s, _ := study.SyntaxOf(in.TransferSyntax); s.Encapsulated && method != 0 {
		t.Errorf("%s: encapsulated bulk is packed", name)
	}
	secret := wire.Secret{1, 2, 3}
	sealedHead, headRef, _ := seal.Blob(secret, seal.Head, head)
	sealedBulk, bulkRef, _ := seal.Blob(secret, seal.Bulk, stored)
	head, err = seal.OpenBlob(headRef, seal.Head, sealedHead)
	if err != nil {
		t.Fatalf("%s: head: %v", name, err)
	}
	opened, err := seal.OpenBlob(bulkRef, seal.Bulk, sealedBulk)
	if err != nil {
		t.Fatalf("%s: bulk: %v", name, err)
	}
	back, err := codec.Unpack(method, opened, uint64(in.BulkLen), nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	whole, err := study.Join(head, back, in.Off)
	if err != nil || sha256.Sum256(whole) != in.SHA256 {
		t.Errorf("%s: not the same file: %v", name, err)
	}
	frameFromSealed(t, name, in, file, bulkRef.Len, method, stored)
	return in, len(stored)
}

// frameFromSealed reads the last frame without unpacking the others.
func frameFromSealed(t *testing.T, name string, in *study.Instance, file []byte, stored uint64, method byte, b []byte) {
	t.Helper()
	if in.BulkLen == 0 {
		return
	}
	p, err := codec.Open(method, bytes.NewReader(b), int64(stored), uint64(in.BulkLen))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	k := in.Pixel.Frames - 1
	want, wantErr := in.ReadFrame(in.BulkOf(bytes.NewReader(file)), k)
	got, err := in.ReadFrame(p, k)
	if (err == nil) != (wantErr == nil) || !bytes.Equal(got, want) {
		t.Errorf("%s: frame %d from the packed bulk differs: %v", name, k, err)
	}
}

func TestCorpusThroughTheHouse(t *testing.T) {
	dir := corpus(t)
	raw, packed := map[string]int64{}, map[string]int64{}
	for _, row := range corpustest.Rows(t, filepath.Join(dir, "MANIFEST.tsv")) {
		if filepath.Ext(row["file"]) == ".gz" {
			continue
		}
		in, n := throughTheHouse(t, row["file"], read(t, dir, row["file"]))
		if in == nil || in.BulkLen == 0 {
			continue
		}
		if s, _ := study.SyntaxOf(in.TransferSyntax); !s.Encapsulated && in.BulkLen > 100_000 {
			raw[in.Modality] += in.BulkLen
			packed[in.Modality] += int64(n)
		}
	}
	for _, m := range slices.Sorted(maps.Keys(raw)) {
		t.Logf("%-4s native bulks over 100 kB: %5.1f MB packs %.2f : 1", m, float64(raw[m])/1e6, float64(raw[m])/float64(packed[m]))
	}
}

func TestPhantomThroughTheHouse(t *testing.T) {
	s := phantom.CT(phantom.Options{Seed: 5, Slices: 2, Canary: []byte("canary")})
	for _, file := range s.Files {
		if in, _ := throughTheHouse(t, "phantom", file); in == nil {
			t.Error("a phantom is refused")
		}
	}
}
