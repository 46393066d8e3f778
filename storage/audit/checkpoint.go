package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Checkpoint is what a C2SP tlog-checkpoint says.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

var (
	// ErrCheckpoint says that a checkpoint is not valid or not signed by the
	// log it names.
	ErrCheckpoint = errors.New("checkpoint is not valid")
	// ErrInconsistent says that a log tells two histories. Whoever finds it
	// raises an alarm.
	ErrInconsistent = errors.New("audit log is inconsistent with its checkpoint")
)

// Origin is the name of a log, by its public key.
func Origin(public ed25519.PublicKey) string {
	sum := wire.Hash("audit", public)
	return "curbside/audit/" + hex.EncodeToString(sum[:16])
}

// encode is the body of the note: origin, size, root, each on a line.
func (c Checkpoint) encode() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// decodeCheckpoint reads a body. Version 1 has no extension lines.
func decodeCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] == "" || lines[3] != "" {
		return Checkpoint{}, ErrCheckpoint
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || size > sizeMax {
		return Checkpoint{}, ErrCheckpoint
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, ErrCheckpoint
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: tlog.Hash(root)}
	if c.encode() != text { // one way to write it
		return Checkpoint{}, ErrCheckpoint
	}
	return c, nil
}

// ParseCheckpoint verifies a signed checkpoint of the log with this public key.
// Other signatures on it, of witnesses, are not looked at.
func ParseCheckpoint(signed []byte, public ed25519.PublicKey) (Checkpoint, error) {
	if len(signed) > checkpointMax || len(public) != ed25519.PublicKeySize {
		return Checkpoint{}, ErrCheckpoint
	}
	key, err := note.NewEd25519VerifierKey(Origin(public), public)
	if err != nil {
		return Checkpoint{}, ErrCheckpoint
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return Checkpoint{}, ErrCheckpoint
	}
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return Checkpoint{}, ErrCheckpoint
	}
	c, err := decodeCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != Origin(public) {
		return Checkpoint{}, ErrCheckpoint
	}
	return c, nil
}

// CheckConsistency verifies that newer continues older: ErrInconsistent if not.
func CheckConsistency(older, newer Checkpoint, proof []tlog.Hash) error {
	if older.Origin != newer.Origin || newer.Size < older.Size || len(proof) > proofMax {
		return ErrInconsistent
	}
	if older.Size == 0 {
		return nil
	}
	if older.Size == newer.Size {
		if older.Root != newer.Root {
			return ErrInconsistent
		}
		return nil
	}
	if tlog.CheckTree(proof, newer.Size, newer.Root, older.Size, older.Root) != nil {
		return ErrInconsistent
	}
	return nil
}

// signer signs notes with an Ed25519 key under a name.
func newSigner(name string, private ed25519.PrivateKey) (note.Signer, error) {
	public := private.Public().(ed25519.PublicKey)
	const algEd25519 = 1 // C2SP signed-note
	skey := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, noteKeyID(name, algEd25519, public),
		base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, private.Seed()...)))
	return note.NewSigner(skey)
}

// noteKeyID is the key id of C2SP signed-note.
func noteKeyID(name string, alg byte, public ed25519.PublicKey) uint32 {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write([]byte{alg})
	h.Write(public)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// algCosignature is C2SP tlog-cosignature, Ed25519.
const algCosignature = 4

// WitnessName is the name under which a witness with this key cosigns.
func WitnessName(public ed25519.PublicKey) string {
	sum := wire.Hash("witness", public)
	return "curbside/witness/" + hex.EncodeToString(sum[:16])
}

// Cosign returns a witness's signature line for a checkpoint that it has checked
// against the largest it knew before (C2SP tlog-cosignature, cosignature/v1).
func Cosign(witness ed25519.PrivateKey, c Checkpoint, unixSeconds int64) string {
	public := witness.Public().(ed25519.PublicKey)
	name := WitnessName(public)
	b := binary.BigEndian.AppendUint32(nil, noteKeyID(name, algCosignature, public))
	b = binary.BigEndian.AppendUint64(b, uint64(unixSeconds))
	b = append(b, ed25519.Sign(witness, cosigned(c, uint64(unixSeconds)))...)
	return "— " + name + " " + base64.StdEncoding.EncodeToString(b) + "\n"
}

func cosigned(c Checkpoint, unixSeconds uint64) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", unixSeconds, c.encode())
}

// CheckCosignature verifies a line of Cosign and returns its time.
func CheckCosignature(line string, witness ed25519.PublicKey, c Checkpoint) (unixSeconds int64, err error) {
	name := WitnessName(witness)
	text, ok := strings.CutPrefix(line, "— "+name+" ")
	if !ok || !strings.HasSuffix(text, "\n") {
		return 0, ErrCheckpoint
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(text, "\n"))
	if err != nil || len(b) != 4+8+ed25519.SignatureSize ||
		binary.BigEndian.Uint32(b) != noteKeyID(name, algCosignature, witness) {
		return 0, ErrCheckpoint
	}
	at := binary.BigEndian.Uint64(b[4:])
	if at > sizeMax || !ed25519.Verify(witness, cosigned(c, at), b[12:]) {
		return 0, ErrCheckpoint
	}
	return int64(at), nil
}
