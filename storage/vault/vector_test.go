package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/storagetest"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/vectors again")

const vectorDir = "testdata/vectors/vault"

// openVector opens the bytes of a vault file.
func openVector(t *testing.T, v storagetest.Vector) (stored, error) {
	t.Helper()
	f, err := decodeFile(v.Body)
	if err != nil {
		return stored{}, err
	}
	u := Unlock{Passphrase: []byte(v.Inputs["passphrase"])}
	if c, ok := v.Inputs["credential"]; ok {
		key, err := hex.DecodeString(c)
		if err != nil {
			t.Fatal(err)
		}
		u = Unlock{KeyFile: filepath.Join(t.TempDir(), "credential")}
		if err := os.WriteFile(u.KeyFile, key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mk, _, err := f.unlock(u)
	if err != nil {
		return stored{}, err
	}
	return openBody(mk, f.Box)
}

// What a release wrote is opened for ever.
func TestVectors(t *testing.T) {
	t.Parallel()
	if *rewrite {
		storagetest.WriteVectors(t, vectorDir, makeVectors(t))
	}
	for _, v := range storagetest.ReadVectors(t, vectorDir) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			s, err := openVector(t, v)
			want := map[string]error{"damaged": ErrDamaged, "passphrase": ErrPassphrase, "cost": ErrCost, "unlock": ErrUnlock}[v.Expect]
			if v.Expect != "ok" {
				if want == nil || !errors.Is(err, want) {
					t.Fatalf("got %v, want %s", err, v.Expect)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(s.Body.Device[:]); got != v.Inputs["device"] {
				t.Errorf("device seed %s", got)
			}
			again, err := encodeBody(s.Body, s.Rows)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(again); got != v.Inputs["body"] {
				t.Errorf("body %s", got)
			}
		})
	}
}

// build is a vault file, open to being made wrong.
type build struct {
	mk     wire.Secret
	file   vaultFile
	inputs map[string]string
}

func newBuild(t *testing.T, u Unlock, comment string) *build {
	t.Helper()
	b := &build{mk: wire.Secret{0: 9, 31: 9}, inputs: map[string]string{"comment": comment}}
	s, _, err := newSlot(u, b.mk)
	if err != nil {
		t.Fatal(err)
	}
	body := Body{
		Device: wire.Secret{0: 1, 31: 2}, KEMs: []KEM{{Seed: wire.Secret{0: 3}, CreatedMS: 1_700_000_000_000}},
		Person: []byte{0xa0}, Statements: [][]byte{{1}, {2, 3}}, CardNumber: 4, Pinned: [][32]byte{{5}},
		CaseKeys: []CaseKey{{Case: [32]byte{6}, Key: wire.Secret{7}}}, IndexKey: wire.Secret{8},
		Heads: []Head{{Thread: [32]byte{6}, Chain: 1, Seq: 2, Entry: [32]byte{9}}},
	}
	p, err := encodeBody(body, bytes.Repeat([]byte{0xaa}, 12))
	if err != nil {
		t.Fatal(err)
	}
	b.file = vaultFile{Version: fileVersion, Slots: []slot{s}, Box: wire.GCMSeal(bodyKey(b.mk), bodyAAD, p)}
	b.inputs["device"] = hex.EncodeToString(body.Device[:])
	b.inputs["body"] = hex.EncodeToString(p)
	if u.KeyFile != "" {
		key, err := os.ReadFile(u.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		b.inputs["credential"] = hex.EncodeToString(key)
	} else {
		b.inputs["passphrase"] = string(u.Passphrase)
	}
	return b
}

func (b *build) vector(t *testing.T, name, expect string) storagetest.Vector {
	t.Helper()
	out, err := b.file.encode()
	if err != nil {
		t.Fatal(err)
	}
	if expect != "ok" {
		delete(b.inputs, "device")
		delete(b.inputs, "body")
	}
	return storagetest.Vector{Name: name, Expect: expect, Inputs: b.inputs, Body: out}
}

func makeVectors(t *testing.T) []storagetest.Vector {
	t.Helper()
	cred := Unlock{KeyFile: filepath.Join(t.TempDir(), "credential")}
	if err := os.WriteFile(cred.KeyFile, bytes.Repeat([]byte{0x42}, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	// U+FB01 is the ligature fi, U+0065 U+0301 an e with a combining accent.
	pass := Unlock{Passphrase: []byte("\ufb01ve dic\u0065\u0301ware words"), MemoryKiB: memoryMinKiB}
	var out []storagetest.Vector

	b := newBuild(t, pass, "Argon2id at the least memory")
	out = append(out, b.vector(t, "ok-passphrase", "ok"))
	nfkc := *b
	nfkc.inputs = map[string]string{
		"comment": "the same vault, its passphrase typed in another normal form", "passphrase": "five dic\u00e9ware words",
		"device": b.inputs["device"], "body": b.inputs["body"],
	}
	out = append(out, nfkc.vector(t, "ok-passphrase-nfkc", "ok"))
	out = append(out, newBuild(t, cred, "credential of 32 bytes").vector(t, "ok-credential", "ok"))

	b = newBuild(t, cred, "the credential of another vault")
	b.inputs["credential"] = hex.EncodeToString(make([]byte, 32))
	out = append(out, b.vector(t, "wrong-credential", "passphrase"))

	b = newBuild(t, cred, "only a passphrase is given")
	delete(b.inputs, "credential")
	b.inputs["passphrase"] = "x"
	out = append(out, b.vector(t, "no-such-slot", "unlock"))

	b = newBuild(t, cred, "box of a slot with another name")
	b.file.Slots[0].Params = wire.MustMarshal(nameParams{Name: "other"})
	out = append(out, b.vector(t, "swapped-slot", "passphrase"))

	for name, p := range map[string]argonParams{
		"argon-memory":  {Salt: make([]byte, saltSize), Memory: memoryMaxKiB + 1, Time: 3, Threads: 4},
		"argon-time":    {Salt: make([]byte, saltSize), Memory: memoryMinKiB, Time: timeMax + 1, Threads: 4},
		"argon-threads": {Salt: make([]byte, saltSize), Memory: memoryMinKiB, Time: 3, Threads: threadsMax + 1},
		"argon-no-time": {Salt: make([]byte, saltSize), Memory: memoryMinKiB, Time: 0, Threads: 4},
		"argon-salt":    {Salt: make([]byte, saltSize-1), Memory: memoryMinKiB, Time: 3, Threads: 4},
	} {
		b = newBuild(t, cred, "Argon2 parameter outside the limits")
		b.file.Slots[0] = slot{Type: SlotPassphrase, Params: wire.MustMarshal(p), Box: make([]byte, 60)}
		out = append(out, b.vector(t, name, "cost"))
	}

	b = newBuild(t, cred, "body sealed under another key")
	b.file.Box = wire.GCMSeal(b.mk, bodyAAD, []byte{0xa0})
	out = append(out, b.vector(t, "body-key", "damaged"))
	b = newBuild(t, cred, "no slot")
	b.file.Slots = nil
	out = append(out, b.vector(t, "no-slots", "damaged"))
	b = newBuild(t, cred, "version 2")
	b.file.Version = 2
	out = append(out, b.vector(t, "version", "damaged"))
	b = newBuild(t, cred, "slot of an unknown type")
	b.file.Slots[0].Type = 4
	out = append(out, b.vector(t, "slot-type", "damaged"))
	v := newBuild(t, cred, "a byte too many").vector(t, "trailing", "damaged")
	v.Body = append(v.Body, 0)
	out = append(out, v)
	v = newBuild(t, cred, "cut in the body").vector(t, "cut", "damaged")
	v.Body = v.Body[:len(v.Body)-20]
	return append(out, v)
}
