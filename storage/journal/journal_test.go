package journal

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/storage/durable"
	"github.com/curbside-p2p/curbside/storage/storagetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("CURBSIDE_TEST_JOURNAL"); dir != "" {
		appendForever(dir)
	}
	os.Exit(m.Run())
}

func rec(i int) Record {
	return Record{Thread: [32]byte{byte(i % 3)}, Entry: [32]byte{byte(i >> 8), byte(i)}, Data: bytes.Repeat([]byte{byte(i)}, 100+i%50)}
}

func open(t *testing.T, disk *durable.Disk, dir string) *Journal {
	t.Helper()
	j, err := OpenOn(disk, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// numbers reads which records are in a journal and checks their bytes.
func numbers(t *testing.T, j *Journal) []int {
	t.Helper()
	var out []int
	err := j.Replay(func(r Record) error {
		i := int(r.Entry[0])<<8 | int(r.Entry[1])
		if w := rec(i); r.Thread != w.Thread || !bytes.Equal(r.Data, w.Data) {
			return fmt.Errorf("record %d differs", i)
		}
		out = append(out, i)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func appendN(t *testing.T, j *Journal, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		if err := j.Append([]Record{rec(i)}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAppendReplay(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	j := open(t, nil, dir)
	if err := j.Append([]Record{rec(0), rec(1), rec(2)}); err != nil {
		t.Fatal(err)
	}
	appendN(t, j, 3, 4)
	_ = j.Close()
	j = open(t, nil, dir)
	if got := fmt.Sprint(numbers(t, j)); got != "[0 1 2 3 4 5 6]" {
		t.Error(got)
	}
	if r := j.Found(); len(r.Damage) > 0 || r.Records != 7 {
		t.Errorf("%+v", r)
	}
	if err := j.Append([]Record{{Data: make([]byte, DataMax+1)}}); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
	storagetest.Private(t, dir)
}

// More than a frame and more than a segment at once.
func TestLarge(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	j := open(t, nil, dir)
	batch := make([]Record, 300)
	for i := range batch {
		batch[i] = Record{Entry: [32]byte{byte(i >> 8), byte(i)}, Data: make([]byte, DataMax)}
	}
	if err := j.Append(batch); err != nil {
		t.Fatal(err)
	}
	if len(j.segments) != 2 {
		t.Errorf("%d segments", len(j.segments))
	}
	_ = j.Close()
	j = open(t, nil, dir)
	n := 0
	if err := j.Replay(func(Record) error { n++; return nil }); err != nil || n != 300 {
		t.Errorf("%d records, %v", n, err)
	}
	if err := j.Compact(func(r Record) bool { return r.Entry[1]%2 == 0 }); err != nil {
		t.Fatal(err)
	}
	if r, err := j.Check(context.Background()); err != nil || r.Records != 150 || len(r.Damage) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestDrop(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	j := open(t, nil, dir)
	appendN(t, j, 0, 6)
	if err := j.Drop([32]byte{1}); err != nil {
		t.Fatal(err)
	}
	appendN(t, j, 6, 1)
	_ = j.Close()
	j = open(t, nil, dir)
	if got := fmt.Sprint(numbers(t, j)); got != "[0 2 3 5 6]" {
		t.Error(got)
	}
	b, err := os.ReadFile(filepath.Join(dir, "00000001.seg"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, rec(1).Data) {
		t.Error("a dropped record is still on disk")
	}
}

func TestTornAndRot(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	j := open(t, nil, dir)
	appendN(t, j, 0, 5)
	_ = j.Close()
	torn := storagetest.Copy(t, dir)
	storagetest.Cut(t, filepath.Join(torn, "00000001.seg"), 7)
	j = open(t, nil, torn)
	if got := fmt.Sprint(numbers(t, j)); got != "[0 1 2 3]" || !j.Found().Healthy() || len(j.Found().Damage) != 1 {
		t.Error(got, j.Found())
	}
	appendN(t, j, 5, 1)
	if got := fmt.Sprint(numbers(t, j)); got != "[0 1 2 3 5]" {
		t.Error(got)
	}

	rot := storagetest.Copy(t, dir)
	storagetest.Flip(t, filepath.Join(rot, "00000001.seg"), 64+200)
	j = open(t, nil, rot)
	if got := fmt.Sprint(numbers(t, j)); got != "[0 2 3 4]" || j.Found().Healthy() {
		t.Error(got, j.Found())
	}
	if r, err := j.Check(context.Background()); err != nil || r.Healthy() {
		t.Errorf("rot is not reported: %+v %v", r, err)
	}

	gone := storagetest.Copy(t, dir)
	if err := os.WriteFile(filepath.Join(gone, "00000001.seg"), make([]byte, 500), 0o600); err != nil {
		t.Fatal(err)
	}
	j = open(t, nil, gone)
	if j.Found().Healthy() {
		t.Error("a lost segment is not reported")
	}
	appendN(t, j, 9, 1)
	if got := fmt.Sprint(numbers(t, j)); got != "[9]" {
		t.Error(got)
	}
}

func TestCrashes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	crashes := storagetest.Crashes(t, filepath.Dir(dir), func(disk *durable.Disk, acked *int) {
		j := open(t, disk, dir)
		for i := range 6 {
			if err := j.Append([]Record{rec(2 * i), rec(2*i + 1)}); err != nil {
				t.Error(err)
			}
			*acked = 2*i + 2
		}
	})
	for i, c := range crashes {
		j := open(t, nil, filepath.Join(c.Dir, "journal"))
		got := numbers(t, j)
		if len(got) < c.Acked || len(got)%2 != 0 {
			t.Errorf("crash %d (%+v): %v", i, c, got)
		}
		if !j.Found().Healthy() {
			t.Errorf("crash %d: %+v", i, j.Found())
		}
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	var faults storagetest.Faults
	j := open(t, faults.Disk(), filepath.Join(t.TempDir(), "journal"))
	appendN(t, j, 0, 2)
	faults.Full(50)
	if err := j.Append([]Record{rec(2)}); !errors.Is(err, storagetest.ErrFull) {
		t.Fatal(err)
	}
	faults.Heal()
	appendN(t, j, 3, 2)
	if got := fmt.Sprint(numbers(t, j)); got != "[0 1 3 4]" {
		t.Error(got)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	j := open(t, nil, filepath.Join(t.TempDir(), "journal"))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 10 {
				if err := j.Append([]Record{rec(g*10 + i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := numbers(t, j); len(got) != 40 {
		t.Errorf("%d records", len(got))
	}
}

// appendForever is the process that TestKill kills: it says each record's number
// once the journal has acknowledged it.
func appendForever(dir string) {
	j, err := Open(dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		if err := j.Append([]Record{rec(i)}); err != nil {
			os.Exit(1)
		}
		fmt.Println(i)
	}
}

// What a process said it has appended is there after kill -9.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CURBSIDE_TEST_JOURNAL="+dir)
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
	lines := strings.Split(strings.TrimSpace(said), "\n")
	last, err := strconv.Atoi(lines[len(lines)-1])
	if err != nil {
		t.Fatalf("child said %q", said)
	}
	j := open(t, nil, dir)
	got := numbers(t, j)
	if len(got) <= last {
		t.Errorf("%d records after kill -9, %d were acknowledged", len(got), last+1)
	}
}

func FuzzFrame(f *testing.F) {
	frames, err := encode([]Record{rec(1), {}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frames[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		var records []Record
		if eachRecord(b, func(r Record) error { records = append(records, r); return nil }) != nil {
			return
		}
		again, err := encode(records)
		if err != nil || !bytes.Equal(bytes.Join(again, nil), b) {
			t.Error("does not encode to itself")
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	j, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	r := []Record{rec(1)}
	b.SetBytes(int64(len(r[0].Data)))
	for b.Loop() {
		if err := j.Append(r); err != nil {
			b.Fatal(err)
		}
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
