package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"flag"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/curbside-p2p/curbside/storage/storagetest"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/vectors again")

const vectorDir = "testdata/vectors/audit"

// A vector's body is a record ("type: record"), or a checkpoint, with the log's
// public key and, if it follows an older one, that and the proof ("type:
// checkpoint").
func TestVectors(t *testing.T) {
	t.Parallel()
	if *rewrite {
		storagetest.WriteVectors(t, vectorDir, makeVectors(t))
	}
	for _, v := range storagetest.ReadVectors(t, vectorDir) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			err := runVector(t, v)
			switch v.Expect {
			case "ok":
				if err != nil {
					t.Error(err)
				}
			case "checkpoint":
				if !errors.Is(err, ErrCheckpoint) {
					t.Errorf("got %v", err)
				}
			case "inconsistent":
				if !errors.Is(err, ErrInconsistent) {
					t.Errorf("got %v", err)
				}
			case "record":
				if err == nil {
					t.Error("accepted")
				}
			default:
				t.Errorf("expects %q", v.Expect)
			}
		})
	}
}

func runVector(t *testing.T, v storagetest.Vector) error {
	t.Helper()
	if v.Inputs["type"] == "record" {
		r, err := decodeRecord(v.Body)
		if err != nil {
			return err
		}
		again, err := encodeRecord(r)
		if err == nil && !bytes.Equal(again, v.Body) {
			t.Error("does not encode to itself")
		}
		return err
	}
	public := ed25519.PublicKey(unhex(t, v.Inputs["public"]))
	c, err := ParseCheckpoint(v.Body, public)
	if err != nil || v.Inputs["older"] == "" {
		return err
	}
	older, err := ParseCheckpoint(unhex(t, v.Inputs["older"]), public)
	if err != nil {
		return err
	}
	var proof []tlog.Hash
	for h := range strings.FieldsSeq(v.Inputs["proof"]) {
		proof = append(proof, tlog.Hash(unhex(t, h)))
	}
	return CheckConsistency(older, c, proof)
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// history is a log with fixed leaves.
func history(t *testing.T, l *Log, n int, salt byte) *Log {
	t.Helper()
	l.hashes, l.size = nil, 0
	for i := range n {
		b, err := encodeRecord(record(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.grow(tlog.RecordHash(append(bytes.Repeat([]byte{salt}, saltSize), b...))); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func (l *Log) signedAt(t *testing.T, size int64, change func(*Checkpoint)) []byte {
	t.Helper()
	root, err := tlog.TreeHash(size, l.hashes)
	if err != nil {
		t.Fatal(err)
	}
	c := Checkpoint{Origin: l.origin, Size: size, Root: root}
	change(&c)
	signed, err := note.Sign(&note.Note{Text: c.encode()}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func makeVectors(t *testing.T) []storagetest.Vector {
	t.Helper()
	l, err := newLog(nil, t.TempDir(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	same := func(*Checkpoint) {}
	history(t, l, 11, 1)
	older, newer := l.signedAt(t, 5, same), l.signedAt(t, 11, same)
	hashes, err := l.ProveConsistency(5, 11)
	if err != nil {
		t.Fatal(err)
	}
	var proof []string
	for _, h := range hashes {
		proof = append(proof, hex.EncodeToString(h[:]))
	}
	other := history(t, l, 11, 2).signedAt(t, 11, same)
	history(t, l, 11, 1)

	var out []storagetest.Vector
	point := func(name, expect, comment string, body, before []byte, proof ...string) {
		in := map[string]string{"type": "checkpoint", "comment": comment, "public": hex.EncodeToString(l.public)}
		if before != nil {
			in["older"] = hex.EncodeToString(before)
		}
		if len(proof) > 0 {
			in["proof"] = strings.Join(proof, " ")
		}
		out = append(out, storagetest.Vector{Name: name, Expect: expect, Inputs: in, Body: body})
	}
	c, err := ParseCheckpoint(newer, l.public)
	if err != nil {
		t.Fatal(err)
	}
	witness := ed25519.NewKeyFromSeed(make([]byte, 32))
	point("ok-consistent", "ok", "11 records continue 5", newer, older, proof...)
	point("ok-cosigned", "ok", "a witness has signed too", append(bytes.Clone(newer), Cosign(witness, c, 1_700_000_000)...), nil)
	point("ok-empty", "ok", "no record yet", l.signedAt(t, 0, func(c *Checkpoint) { c.Root = tlog.Hash{} }), nil)
	point("ok-same", "ok", "nothing was added", newer, newer)
	point("another-history", "inconsistent", "the first records were written again", other, older, proof...)
	point("same-size", "inconsistent", "two roots for one size", other, newer)
	point("shrunk", "inconsistent", "fewer records than before", older, newer, proof...)
	point("proof-short", "inconsistent", "a hash is missing", newer, older, proof[1:]...)
	point("proof-long", "inconsistent", "a hash too many", newer, older, append(proof, proof[0])...)
	point("proof-order", "inconsistent", "two hashes are swapped", newer, older, append([]string{proof[1], proof[0]}, proof[2:]...)...)
	point("origin", "checkpoint", "signed by the log but for another", l.signedAt(t, 5, func(c *Checkpoint) { c.Origin += "x" }), nil)
	point("negative", "checkpoint", "a size below 0", l.signedAt(t, 5, func(c *Checkpoint) { c.Size = -1 }), nil)
	point("enormous", "checkpoint", "a size above 2^48", l.signedAt(t, 5, func(c *Checkpoint) { c.Size = sizeMax + 1 }), nil)
	point("signature", "checkpoint", "a bit of the signature is flipped", append(bytes.Clone(newer[:len(newer)-6]), "AAAA=\n"...), nil)
	point("altered", "checkpoint", "the size was altered", bytes.Replace(newer, []byte("\n11\n"), []byte("\n12\n"), 1), nil)
	point("unsigned", "checkpoint", "no signature", []byte(c.encode()), nil)
	return append(out, recordVectors(t)...)
}

func recordVectors(t *testing.T) []storagetest.Vector {
	t.Helper()
	full := record(3)
	full.Device, full.Patient, full.Peer = bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{3}, 16), "12D3"
	b, err := encodeRecord(full)
	if err != nil {
		t.Fatal(err)
	}
	small, err := encodeRecord(Record{Action: Settings, Outcome: Failed})
	if err != nil {
		t.Fatal(err)
	}
	vector := func(name, expect, comment string, body []byte) storagetest.Vector {
		return storagetest.Vector{
			Name: name, Expect: expect, Inputs: map[string]string{"type": "record", "comment": comment}, Body: body,
		}
	}
	return []storagetest.Vector{
		vector("ok-record", "ok", "every field", b),
		vector("ok-record-small", "ok", "no optional field", small),
		vector("record-trailing", "record", "a byte too many", append(bytes.Clone(b), 0)),
		vector("record-cut", "record", "a byte too few", b[:len(b)-1]),
		vector("record-action", "record", "action 15", bytes.Replace(small, []byte{5, 14}, []byte{5, 15}, 1)),
		vector("record-outcome", "record", "outcome 0", bytes.Replace(small, []byte{10, 3}, []byte{10, 0}, 1)),
		vector("record-version", "record", "version 2", bytes.Replace(small, []byte{1, 1}, []byte{1, 2}, 1)),
	}
}
