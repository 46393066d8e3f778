package audit

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// An export is a zip file that anybody can check offline:
//
//	key.txt               the log's Ed25519 public key, hex
//	records.jsonl         a line for each leaf: index, leaf (salt || record, what is hashed), and the record to read
//	checkpoints/N.txt     every signed checkpoint, oldest first
//
// TODO FORMATS §11: DICOM PS3.15 A.5 audit messages, cosignatures and proofs.
const (
	exportKey     = "key.txt"
	exportRecords = "records.jsonl"
	exportPoint   = "checkpoints/%d.txt"
	// lineMax bounds a line of records.jsonl: a record in base64 and once more
	// in words.
	lineMax = 256 << 10
	// pointsMax is a checkpoint every hour for a hundred years.
	pointsMax = 1 << 20
)

// exportLine is one leaf. What a reader sees in Record is also in Leaf, and only
// Leaf is proven.
type exportLine struct {
	Index   int64         `json:"index"`
	Leaf    []byte        `json:"leaf,omitempty"`
	Hash    []byte        `json:"hash,omitempty"` // if the record was erased
	Erased  bool          `json:"erased,omitempty"`
	Time    string        `json:"time,omitempty"`
	Action  string        `json:"action,omitempty"`
	Outcome string        `json:"outcome,omitempty"`
	Record  *exportRecord `json:"record,omitempty"`
}

type exportRecord struct {
	Person     string `json:"person,omitempty"`
	Device     string `json:"device,omitempty"`
	ObjectType string `json:"object_type,omitempty"`
	Object     string `json:"object,omitempty"`
	Patient    string `json:"patient_tag,omitempty"`
	Peer       string `json:"peer,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

// ErrExport says that a file is not an export of an audit log, or not whole.
var ErrExport = errors.New("not a whole export of an audit log")

// Export writes the log as a zip file, with a fresh checkpoint, and returns the
// number of records in it.
func (l *Log) Export(w io.Writer) (records int64, err error) {
	signed, err := l.Checkpoint()
	if err != nil {
		return 0, err
	}
	point, err := ParseCheckpoint(signed, l.public)
	if err != nil {
		return 0, err
	}
	z := zip.NewWriter(w)
	if err := writeFile(z, exportKey, []byte(hex.EncodeToString(l.public)+"\n")); err != nil {
		return 0, err
	}
	if err := l.exportRecords(z, point.Size); err != nil {
		return 0, fmt.Errorf("export audit log: %w", err)
	}
	n := 0
	err = l.eachPoint(func(b []byte) error {
		n++
		return writeFile(z, fmt.Sprintf(exportPoint, n), b)
	})
	if err != nil {
		return 0, fmt.Errorf("export audit log: %w", err)
	}
	return point.Size, z.Close()
}

func (l *Log) eachPoint(f func([]byte) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.points == nil {
		return ErrClosed
	}
	_, err := l.points.Each(f)
	return err
}

func writeFile(z *zip.Writer, name string, b []byte) error {
	w, err := z.Create(name)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// exportRecords writes the first size leaves; of lost and erased ones the hash.
func (l *Log) exportRecords(z *zip.Writer, size int64) error {
	w, err := z.Create(exportRecords)
	if err != nil {
		return err
	}
	out := json.NewEncoder(w)
	next := int64(0)
	hashesTo := func(end int64) error {
		for ; next < end; next++ {
			if err := out.Encode(exportLine{Index: next, Hash: l.hashAt(next), Erased: true}); err != nil {
				return err
			}
		}
		return nil
	}
	err = l.List(0, func(e Entry) error {
		if e.Index >= size || e.Erased {
			return nil
		}
		if err := hashesTo(e.Index); err != nil {
			return err
		}
		next++
		return out.Encode(lineOf(e))
	})
	if err != nil {
		return err
	}
	return hashesTo(size)
}

func (l *Log) hashAt(i int64) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.leafHash(i)
	return h[:]
}

func lineOf(e Entry) exportLine {
	r := e.Record
	return exportLine{
		Index: e.Index, Leaf: e.Leaf,
		Time: time.UnixMilli(r.TimeMS).UTC().Format(time.RFC3339Nano), Action: r.Action.String(), Outcome: r.Outcome.String(),
		Record: &exportRecord{
			Person: hex.EncodeToString(r.Person), Device: hex.EncodeToString(r.Device), ObjectType: r.ObjectType,
			Object: r.Object, Patient: hex.EncodeToString(r.Patient), Peer: r.Peer, Reason: r.Reason,
		},
	}
}

// VerifyExport checks an export without the log: every record is a leaf of the
// tree, says what its line says, and every checkpoint is signed by the key and
// fits. The caller compares the key with the one it knows the node by.
func VerifyExport(r io.ReaderAt, size int64) (Report, ed25519.PublicKey, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return Report{}, nil, ErrExport
	}
	public, err := exportedKey(z)
	if err != nil {
		return Report{}, nil, err
	}
	rep, tree, err := exportedTree(z)
	if err != nil {
		return rep, public, err
	}
	if rep.Checkpoints, err = exportedPoints(z, public, tree); err != nil {
		return rep, public, err
	}
	return rep, public, nil
}

func exportedKey(z *zip.Reader) (ed25519.PublicKey, error) {
	b, err := readAll(z, exportKey, 2*ed25519.PublicKeySize+1)
	if err != nil {
		return nil, ErrExport
	}
	key, err := hex.DecodeString(string(bytes.TrimSpace(b)))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, ErrExport
	}
	return key, nil
}

func readAll(z *zip.Reader, name string, limit int64) ([]byte, error) {
	f, err := z.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = ErrExport
	}
	return b, err
}

// exportedTree makes the tree from the lines.
func exportedTree(z *zip.Reader) (Report, *Log, error) {
	var rep Report
	tree := &Log{}
	f, err := z.Open(exportRecords)
	if err != nil {
		return rep, tree, ErrExport
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, lineMax)
	for lines.Scan() {
		h, erased, err := checkLine(lines.Bytes(), tree.size)
		if err != nil {
			return rep, tree, err
		}
		if erased {
			rep.Erased++
		}
		if err := tree.grow(h); err != nil {
			return rep, tree, err
		}
	}
	if lines.Err() != nil {
		return rep, tree, ErrExport
	}
	rep.Records = tree.size
	rep.Root, err = tlog.TreeHash(tree.size, tree.hashes)
	return rep, tree, err
}

// checkLine returns the leaf hash of a line. Words that differ from the leaf are
// a lie to the reader: ErrInconsistent.
func checkLine(b []byte, index int64) (h tlog.Hash, erased bool, err error) {
	var line exportLine
	if json.Unmarshal(b, &line) != nil || line.Index != index {
		return h, false, ErrExport
	}
	if line.Erased {
		if len(line.Hash) != tlog.HashSize || line.Leaf != nil || line.Record != nil {
			return h, true, ErrExport
		}
		return tlog.Hash(line.Hash), true, nil
	}
	if len(line.Leaf) < saltSize {
		return h, false, ErrExport
	}
	r, err := decodeRecord(line.Leaf[saltSize:])
	if err != nil {
		return h, false, ErrExport
	}
	want, err := json.Marshal(lineOf(Entry{Index: index, Record: r, Leaf: line.Leaf}))
	if err != nil || !bytes.Equal(want, bytes.TrimSpace(b)) {
		return h, false, ErrInconsistent
	}
	return tlog.RecordHash(line.Leaf), false, nil
}

// exportedPoints checks all checkpoints; the last must cover every record.
func exportedPoints(z *zip.Reader, public ed25519.PublicKey, tree *Log) (n int, err error) {
	var last Checkpoint
	for ; n < pointsMax; n++ {
		b, err := readAll(z, fmt.Sprintf(exportPoint, n+1), checkpointMax)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return n, ErrExport
		}
		c, err := ParseCheckpoint(b, public)
		if err != nil {
			return n, err
		}
		if err := tree.fits(c); err != nil {
			return n, err
		}
		last = c
	}
	if n == 0 || last.Size != tree.size {
		return n, ErrExport
	}
	return n, nil
}

// fits reports whether a checkpoint is one of this tree.
func (l *Log) fits(c Checkpoint) error {
	if c.Size > l.size {
		return ErrInconsistent
	}
	root, err := tlog.TreeHash(c.Size, l.hashes)
	if err != nil {
		return err
	}
	if c.Size > 0 && root != c.Root {
		return ErrInconsistent
	}
	return nil
}
