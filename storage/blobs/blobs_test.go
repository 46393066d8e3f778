package blobs

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/storage/durable"
	"github.com/curbside-p2p/curbside/storage/storagetest"
)

func TestLeafCache(t *testing.T) {
	t.Parallel()
	var c leafCache
	for i := range 40 {
		c.put(blob.ID{byte(i)}, make([][32]byte, leavesCached/16))
	}
	if c.total > leavesCached || len(c.kept) != 16 || len(c.order) != 16 {
		t.Errorf("%d leaves of %d blobs", c.total, len(c.kept))
	}
	if _, ok := c.get(blob.ID{39}); !ok {
		t.Error("the newest is not kept")
	}
	c.put(blob.ID{50}, make([][32]byte, leavesCached+1))
	if len(c.kept) != 16 {
		t.Error("one blob took all")
	}
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("CURBSIDE_TEST_BLOBS"); dir != "" {
		writeForever(dir)
	}
	os.Exit(m.Run())
}

// sealed is a test blob: the store does not care what the bytes are.
type sealed struct {
	id     blob.ID
	data   []byte
	leaves [][32]byte
}

func makeBlob(seed uint64, size int) sealed {
	data := make([]byte, size)
	key := sha256.Sum256(fmt.Append(nil, seed))
	_, _ = rand.NewChaCha8(key).Read(data)
	leaves := blob.Leaves(data)
	return sealed{id: blob.IDOf(uint64(size), leaves), data: data, leaves: leaves}
}

func (b sealed) span(first, n int) []byte {
	off, size := blob.RangeSpan(uint64(len(b.data)), first, first+n)
	return b.data[off : off+size]
}

func (b sealed) write(p *Partial, first, n int) error {
	return p.Write(first, b.span(first, n), b.leaves[first:first+n])
}

func open(tb testing.TB, disk *durable.Disk, dir string) *Store {
	tb.Helper()
	s, err := OpenOn(disk, dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func put(tb testing.TB, s *Store, list ...sealed) {
	tb.Helper()
	b := s.NewBatch()
	defer b.Abort()
	for _, x := range list {
		if err := b.Put(x.id, x.data, x.leaves); err != nil {
			tb.Fatal(err)
		}
	}
	if err := b.Commit(); err != nil {
		tb.Fatal(err)
	}
}

// holds checks that a blob is here, whole and right.
func holds(tb testing.TB, s *Store, b sealed) {
	tb.Helper()
	got, err := s.Read(b.id, 1<<30)
	if err != nil || !bytes.Equal(got, b.data) {
		tb.Errorf("blob of %d bytes: %v", len(b.data), err)
		return
	}
	f, err := s.Open(b.id)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	leaves, err := f.Leaves()
	if err != nil || len(leaves) != len(b.leaves) || blob.IDOf(uint64(f.Size()), leaves) != b.id {
		tb.Errorf("leaves: %v", err)
	}
	if data, _, err := f.ReadRange(0, len(leaves), nil); err != nil || !bytes.Equal(data, b.data) {
		tb.Errorf("range: %v", err)
	}
}

var sizes = []int{72, 5000, blob.HeaderSize + blob.LeafSize, blob.HeaderSize + blob.LeafSize + 1, 300_000, 2_000_000}

func TestBatch(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "blobs")
	s := open(t, nil, dir)
	var list []sealed
	for i, n := range sizes {
		list = append(list, makeBlob(uint64(i), n))
	}
	put(t, s, list...)
	put(t, s, list[0], list[0]) // twice costs nothing
	_ = s.Close()
	s = open(t, nil, dir)
	for _, b := range list {
		holds(t, s, b)
		if have, total := s.Progress(b.id); have != total || total != len(b.leaves) {
			t.Errorf("progress %d of %d", have, total)
		}
	}
	if u, err := s.Usage(); err != nil || u.Blobs != len(list) || u.Partials != 0 {
		t.Errorf("%+v, %v", u, err)
	}
	storagetest.Private(t, dir)
}

func TestBatchRules(t *testing.T) {
	t.Parallel()
	s := open(t, nil, filepath.Join(t.TempDir(), "blobs"))
	x := makeBlob(1, 5000)
	b := s.NewBatch()
	if err := b.Put(blob.ID{1}, x.data, x.leaves); err == nil {
		t.Error("wrong name accepted")
	}
	if err := b.Put(x.id, x.data, x.leaves); err != nil {
		t.Fatal(err)
	}
	if s.Has(x.id) {
		t.Error("a blob is here before its commit")
	}
	b.Abort()
	if s.Has(x.id) {
		t.Error("a blob is here after an abort")
	}
	if err := b.Commit(); !errors.Is(err, errEnded) {
		t.Errorf("commit after abort: %v", err)
	}
	if err := s.NewBatch().Commit(); err != nil {
		t.Errorf("empty batch: %v", err)
	}
	if _, err := s.Open(x.id); !errors.Is(err, ErrAbsent) {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(s.dir, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("%d files left in tmp, %v", len(left), err)
	}
}

func TestBatchFaults(t *testing.T) {
	t.Parallel()
	x, y := makeBlob(1, 300_000), makeBlob(2, 5000)
	for n := range 6 {
		var faults storagetest.Faults
		s := open(t, faults.Disk(), filepath.Join(t.TempDir(), "blobs"))
		if n < 5 {
			faults.FailSync(n)
		} else {
			faults.Full(100_000)
		}
		b := s.NewBatch()
		err := errors.Join(b.Put(x.id, x.data, x.leaves), b.Put(y.id, y.data, y.leaves), b.Commit())
		if err == nil && n != 4 {
			t.Errorf("fault %d: no error", n)
		}
		faults.Heal()
		put(t, s, x, y)
		holds(t, s, x)
		holds(t, s, y)
	}
}

func TestPartial(t *testing.T) {
	t.Parallel()
	for _, size := range sizes {
		dir := filepath.Join(t.TempDir(), "blobs")
		s := open(t, nil, dir)
		x := makeBlob(9, size)
		p, err := s.Partial(x.id, uint64(size))
		if err != nil {
			t.Fatal(err)
		}
		whole := make(chan blob.ID, 1)
		s.OnWhole(func(id blob.ID) { whole <- id })
		order := rand.Perm(len(x.leaves))
		for _, i := range order {
			if p.Has(i, 1) {
				t.Fatalf("leaf %d is here before it was written", i)
			}
			if err := x.write(p, i, 1); err != nil {
				t.Fatal(err)
			}
			if !p.Has(i, 1) {
				t.Fatalf("leaf %d is not here", i)
			}
		}
		if err := p.Flush(); err != nil {
			t.Fatal(err)
		}
		if id := <-whole; id != x.id || !p.Whole() || p.Missing(9) != nil {
			t.Error("not whole")
		}
		holds(t, s, x)
		if err := x.write(p, 0, 1); err != nil {
			t.Errorf("a leaf too late: %v", err)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*", "*"+partSuffix)); err != nil || len(left) > 0 {
			t.Errorf("left: %v %v", left, err)
		}
		storagetest.Private(t, dir)
	}
}

// The group sync needs nobody to ask for it.
func TestPartialByItself(t *testing.T) {
	t.Parallel()
	s := open(t, nil, filepath.Join(t.TempDir(), "blobs"))
	whole := make(chan blob.ID, 1)
	s.OnWhole(func(id blob.ID) { whole <- id })
	x := makeBlob(3, 5000)
	p, err := s.Partial(x.id, 5000)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.write(p, 0, 2); err != nil {
		t.Fatal(err)
	}
	select {
	case <-whole:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was synced")
	}
	holds(t, s, x)
}

func TestResume(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "blobs")
	s := open(t, nil, dir)
	x := makeBlob(4, 2_000_000)
	p, err := s.Partial(x.id, 2_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 5, 6, 20} {
		if err := x.write(p, i, 1); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.Close()
	s = open(t, nil, dir)
	if have, total := s.Progress(x.id); have != 4 || total != 32 {
		t.Fatalf("progress %d of %d", have, total)
	}
	if u, err := s.Usage(); err != nil || u.Partials != 1 || u.Bytes > 1_000_000 {
		t.Errorf("%+v, %v", u, err)
	}
	if p, err = s.Partial(x.id, 2_000_000); err != nil {
		t.Fatal(err)
	}
	if got, want := p.Missing(9), []Span{{1, 4}, {7, 13}, {21, 11}}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("missing %v", got)
	}
	buf := make([]byte, blob.LeafSize+10)
	off, _ := blob.LeafSpan(2_000_000, 5)
	if _, err := p.ReadAt(buf, off+7); err != nil || !bytes.Equal(buf, x.data[off+7:][:len(buf)]) {
		t.Errorf("read what is here: %v", err)
	}
	if _, err := p.ReadAt(buf, off+blob.LeafSize); !errors.Is(err, ErrAbsent) {
		t.Errorf("read what is not here: %v", err)
	}
	for _, m := range p.Missing(9) {
		if err := x.write(p, m.First, m.N); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	holds(t, s, x)
}

func TestPartialRules(t *testing.T) {
	t.Parallel()
	s := open(t, nil, filepath.Join(t.TempDir(), "blobs"))
	x := makeBlob(5, 300_000)
	p, err := s.Partial(x.id, 300_000)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"past the end": p.Write(5, x.span(5, 1), x.leaves[4:6]),
		"negative":     p.Write(-1, nil, x.leaves[:1]),
		"nothing":      p.Write(0, nil, nil),
		"short":        p.Write(1, x.span(1, 1)[1:], x.leaves[1:2]),
		"long":         p.Write(1, x.span(1, 2), x.leaves[1:2]),
	} {
		if !errors.Is(err, errRange) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Partial(x.id, 1<<63); err == nil {
		t.Error("enormous blob accepted")
	}
	if err := x.write(p, 0, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Partial(x.id, 300_001); !errors.Is(err, errLength) {
		t.Errorf("another length: %v", err)
	}
	if err := s.Remove(x.id); err != nil {
		t.Fatal(err)
	}
	if err := x.write(p, 2, 1); !errors.Is(err, errGone) {
		t.Errorf("write to a removed blob: %v", err)
	}
}

// Leaves whose hashes do not give the name never become a blob.
func TestPartialLies(t *testing.T) {
	t.Parallel()
	s := open(t, nil, filepath.Join(t.TempDir(), "blobs"))
	x, y := makeBlob(6, 300_000), makeBlob(7, 300_000)
	p, err := s.Partial(x.id, 300_000)
	if err != nil {
		t.Fatal(err)
	}
	if err := y.write(p, 1, 1); err != nil { // the caller did not verify
		t.Fatal(err)
	}
	for _, i := range []int{0, 2, 3, 4, 5} {
		if err := x.write(p, i, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	if have, _ := p.Progress(); have != 0 || s.Has(x.id) {
		t.Error("a lie was kept")
	}
	if err := x.write(p, 0, 6); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	holds(t, s, x)
}

func TestPartialFaults(t *testing.T) {
	t.Parallel()
	x := makeBlob(8, 2_000_000)
	for n := range 8 {
		var faults storagetest.Faults
		s := open(t, faults.Disk(), filepath.Join(t.TempDir(), "blobs"))
		p, err := s.Partial(x.id, 2_000_000)
		if err != nil {
			t.Fatal(err)
		}
		if n < 5 {
			faults.FailSync(n)
		} else {
			faults.Full(n * 100_000)
		}
		var lost sync.Map
		s.OnLost(func(id blob.ID) { lost.Store(id, true) })
		failed := false
		for i := 0; i < 32; i += 8 {
			_ = x.write(p, i, 8)
			if i == 8 {
				failed = s.Flush() != nil
			}
		}
		failed = s.Flush() != nil || failed
		if _, told := lost.Load(x.id); failed && p.Missing(1) != nil && n < 5 && !told {
			t.Errorf("fault %d: leaves were lost and nobody was told", n)
		}
		faults.Heal()
		for _, m := range p.Missing(100) {
			if err := x.write(p, m.First, m.N); err != nil {
				t.Fatal(n, err)
			}
		}
		if err := s.Flush(); err != nil {
			t.Fatal(n, err)
		}
		holds(t, s, x)
	}
}

func TestCrashes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "blobs")
	x, y, z := makeBlob(1, 300_000), makeBlob(2, 5000), makeBlob(3, 100_000)
	crashes := storagetest.Crashes(t, filepath.Dir(dir), func(disk *durable.Disk, acked *int) {
		s := open(t, disk, dir)
		p, err := s.Partial(x.id, 300_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []int{3, 0, 2} {
			if err := errors.Join(x.write(p, i, 1), s.Flush()); err != nil {
				t.Error(err)
			}
			*acked++
		}
		put(t, s, y, z)
		*acked++
		if err := errors.Join(x.write(p, 1, 1), x.write(p, 4, 2), s.Flush()); err != nil {
			t.Error(err)
		}
		*acked++
		_ = s.Close()
	})
	for i, c := range crashes {
		s := open(t, nil, filepath.Join(c.Dir, "blobs"))
		p, err := s.Partial(x.id, 300_000)
		if err != nil {
			t.Fatal(err)
		}
		for n, leaf := range []int{3, 0, 2} {
			if c.Acked > n && !p.Has(leaf, 1) {
				t.Errorf("crash %d (%+v): leaf %d is lost", i, c, leaf)
			}
		}
		if c.Acked >= 4 {
			holds(t, s, y)
			holds(t, s, z)
		}
		if c.Acked >= 5 {
			holds(t, s, x)
		}
		// What is said to be here is here, and right.
		err = s.Check(context.Background(), func(d Damage) {
			if d.What != BadTable && d.What != BadPart {
				t.Errorf("crash %d (%+v): %v %v", i, c, d.ID, d.What)
			}
		})
		if err != nil {
			t.Error(err)
		}
		for _, m := range p.Missing(100) {
			if err := x.write(p, m.First, m.N); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		holds(t, s, x)
		_ = s.Close()
	}
}

func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	s := open(t, nil, filepath.Join(t.TempDir(), "blobs"))
	x, y := makeBlob(1, 6_000_000), makeBlob(2, 6_000_000)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			b := x
			if g%2 == 1 {
				b = y
			}
			p, err := s.Partial(b.id, uint64(len(b.data)))
			if err != nil {
				t.Error(err)
				return
			}
			for _, i := range rand.Perm(len(b.leaves)) {
				if err := b.write(p, i, 1); err != nil {
					t.Error(err)
				}
				if i%40 == 0 {
					_ = s.Flush()
				}
			}
		})
	}
	wg.Wait()
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	holds(t, s, x)
	holds(t, s, y)
}

// A blob may arrive from a peer and by import at once.
func TestBatchOverPartial(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "blobs")
	s := open(t, nil, dir)
	x := makeBlob(1, 300_000)
	p, err := s.Partial(x.id, 300_000)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.write(p, 0, 2); err != nil {
		t.Fatal(err)
	}
	put(t, s, x)
	if !p.Whole() || x.write(p, 3, 1) != nil || s.Flush() != nil {
		t.Error("the partial blob does not know")
	}
	holds(t, s, x)
}

func TestCheckAndRepair(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "blobs")
	s := open(t, nil, dir)
	var list []sealed
	for i := range 4 {
		list = append(list, makeBlob(uint64(i), 1_200_000))
	}
	put(t, s, list...)
	part := makeBlob(9, 1_200_000)
	p, err := s.Partial(part.id, 1_200_000)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(part.write(p, 0, 5), s.Flush()); err != nil {
		t.Fatal(err)
	}
	if found := check(t, s); len(found) > 0 {
		t.Fatalf("healthy store: %v", found)
	}
	off, _ := blob.LeafSpan(1_200_000, 2)
	storagetest.Flip(t, s.path(list[0].id), off+5)
	storagetest.Cut(t, s.path(list[1].id), 1)
	storagetest.Flip(t, s.path(list[2].id)+leavesSuffix, 50)
	if err := os.Remove(s.path(list[3].id) + leavesSuffix); err != nil {
		t.Fatal(err)
	}
	storagetest.Flip(t, s.path(part.id)+partSuffix, off+5)
	want := map[blob.ID]Fault{
		list[0].id: BadBlob, list[1].id: BadBlob, list[2].id: BadTable, list[3].id: BadTable, part.id: BadLeaf,
	}
	if found := check(t, s); fmt.Sprint(found) != fmt.Sprint(want) {
		t.Errorf("found %v, want %v", found, want)
	}
	if found := check(t, s); len(found) != 2 {
		t.Errorf("tables and leaves were not repaired: %v", found)
	}
	f, err := s.Open(list[0].id)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, _, err := f.ReadRange(2, 1, nil); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("a damaged leaf is served: %v", err)
	}
	if _, _, err := f.ReadRange(3, 1, make([]byte, 1<<20)); err != nil {
		t.Errorf("a good leaf beside it: %v", err)
	}
	if p.Has(2, 1) || !p.Has(3, 1) {
		t.Error("the bad leaf was not dropped")
	}
}

func check(t *testing.T, s *Store) map[blob.ID]Fault {
	t.Helper()
	found := map[blob.ID]Fault{}
	if err := s.Check(context.Background(), func(d Damage) { found[d.ID] = d.What }); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSweep(t *testing.T) {
	t.Parallel()
	s := open(t, nil, filepath.Join(t.TempDir(), "blobs"))
	x, y, z := makeBlob(1, 300_000), makeBlob(2, 5000), makeBlob(3, 300_000)
	put(t, s, x, y)
	p, err := s.Partial(z.id, 300_000)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(z.write(p, 0, 2), s.Flush()); err != nil {
		t.Fatal(err)
	}
	n, bytes, err := s.Sweep(func(id blob.ID) bool { return id == y.id })
	if err != nil || n != 2 || bytes < 300_000 {
		t.Errorf("swept %d, %d bytes, %v", n, bytes, err)
	}
	if s.Has(x.id) || !s.Has(y.id) {
		t.Error("swept the wrong one")
	}
	if have, _ := s.Progress(z.id); have != 0 {
		t.Error("a partial blob stays")
	}
}

// writeForever is the process that TestKill kills. It tells each leaf that Flush
// has acknowledged.
func writeForever(dir string) {
	s, err := Open(dir)
	if err != nil {
		os.Exit(1)
	}
	x := makeBlob(77, 60_000_000)
	p, err := s.Partial(x.id, uint64(len(x.data)))
	if err != nil {
		os.Exit(1)
	}
	for i := 0; ; i++ {
		if x.write(p, i, 1) != nil || s.Flush() != nil {
			os.Exit(1)
		}
		fmt.Println(i)
	}
}

func TestKill(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "blobs")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CURBSIDE_TEST_BLOBS="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	r := bufio.NewReader(out)
	said := readLines(t, r, 50) // in the middle of its work
	_ = cmd.Process.Kill()
	rest, err := io.ReadAll(r)
	said += string(rest)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	acked := strings.Count(said, "\n")
	s := open(t, nil, dir)
	x := makeBlob(77, 60_000_000)
	p, err := s.Partial(x.id, uint64(len(x.data)))
	if err != nil {
		t.Fatal(err)
	}
	if acked == 0 || !p.Has(0, acked) {
		t.Errorf("%d leaves were acknowledged, missing %v", acked, p.Missing(1))
	}
	if found := check(t, s); len(found) > 0 {
		t.Errorf("after kill -9: %v", found)
	}
}

func FuzzTable(f *testing.F) {
	x := makeBlob(1, 300_000)
	f.Add(encodeTable(300_000, x.leaves), uint64(300_000))
	f.Add(encodeTable(300_000, x.leaves)[:100], uint64(300_000))
	f.Fuzz(func(t *testing.T, b []byte, length uint64) {
		if checkLength(length) != nil || length > 1<<30 {
			return
		}
		_, _ = decodeHeader(b)
		leaves, err := decodeTable(b, length)
		if err != nil {
			return
		}
		if len(leaves) != blob.LeafCount(length) || !bytes.HasPrefix(encodeTable(length, leaves), b[:len(b)-(len(b)-tableHeader)%hashSize]) {
			t.Error("does not encode to itself")
		}
	})
}

// FuzzResume opens a partial blob on whatever a table holds.
func FuzzResume(f *testing.F) {
	x := makeBlob(1, 300_000)
	f.Add(encodeTable(300_000, x.leaves))
	f.Add([]byte{})
	dir := storagetest.FastDir(f)
	f.Fuzz(func(t *testing.T, table []byte) {
		s := open(t, nil, filepath.Join(dir, fmt.Sprint(rand.Uint64())))
		defer func() { _ = s.Close(); _ = os.RemoveAll(s.dir) }()
		if err := s.makeDir(filepath.Dir(s.path(x.id))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.path(x.id)+partSuffix, x.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.path(x.id)+leavesSuffix, table, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := s.Partial(x.id, 300_000)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // lies in the table are found at the end, and then all is fetched again
			for _, m := range p.Missing(100) {
				if err := x.write(p, m.First, m.N); err != nil {
					t.Fatal(err)
				}
			}
			_ = s.Flush()
		}
		holds(t, s, x)
	})
}

func BenchmarkBatch(b *testing.B) {
	var list []sealed
	total := 0
	for i := range 64 {
		list = append(list, makeBlob(uint64(i), 526_000), makeBlob(uint64(1000+i), 5000))
		total += 531_000
	}
	b.SetBytes(int64(total))
	dir := b.TempDir()
	for n := 0; b.Loop(); n++ {
		s := open(b, nil, filepath.Join(dir, fmt.Sprint(n)))
		put(b, s, list...)
		_ = s.Close()
		b.StopTimer()
		_ = os.RemoveAll(s.dir)
		b.StartTimer()
	}
}

func BenchmarkPartial(b *testing.B) {
	x := makeBlob(1, 64<<20)
	b.SetBytes(64 << 20)
	dir := b.TempDir()
	for n := 0; b.Loop(); n++ {
		s := open(b, nil, filepath.Join(dir, fmt.Sprint(n)))
		p, err := s.Partial(x.id, uint64(len(x.data)))
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < len(x.leaves); i += blob.RangeMax {
			if err := x.write(p, i, min(blob.RangeMax, len(x.leaves)-i)); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Flush(); err != nil || !p.Whole() {
			b.Fatal("not whole", err)
		}
		_ = s.Close()
		b.StopTimer()
		_ = os.RemoveAll(s.dir)
		b.StartTimer()
	}
}

func readLines(t *testing.T, r *bufio.Reader, n int) string {
	t.Helper()
	var b strings.Builder
	for range n {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(line)
	}
	return b.String()
}
