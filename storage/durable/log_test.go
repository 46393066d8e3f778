package durable_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/curbside-p2p/curbside/storage/durable"
	"github.com/curbside-p2p/curbside/storage/storagetest"
)

func spec() durable.LogSpec { return durable.LogSpec{Magic: "curbside/test/1\n", FrameMax: 1 << 16} }

func payload(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 20+i) }

func create(t *testing.T, disk *durable.Disk, n int) (path string, l *durable.Log) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "log")
	l, err := disk.CreateLog(path, spec())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for i := range n {
		if err := l.Append(payload(i)); err != nil {
			t.Fatal(err)
		}
	}
	return path, l
}

// read returns the numbers of the frames in a log.
func read(t *testing.T, path string) ([]int, durable.LogState) {
	t.Helper()
	var got []int
	l, state, err := (*durable.Disk)(nil).OpenLog(path, spec(), func(b []byte) error {
		i := len(b) - 20
		if i < 0 || !bytes.Equal(b, payload(i)) {
			return errors.New("not a frame that was written")
		}
		got = append(got, i)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return got, state
}

// A cut at any byte loses the frames it touches and no other, and the log takes
// appends again.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	path, l := create(t, nil, 3)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ends := []int{64, 64 + 32, 64 + 32 + 33, int(l.Size())}
	for n := 64; n < len(whole); n++ {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		got, state := read(t, path)
		want := 0
		for want < 3 && ends[want+1] <= n {
			want++
		}
		if len(got) != want || !state.Healthy() || state.Torn.Len != int64(n-ends[want]) {
			t.Fatalf("cut at %d: frames %v, state %+v", n, got, state)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != int64(ends[want]) {
			t.Fatalf("cut at %d: torn end stays", n)
		}
	}
}

// A flipped bit anywhere loses at most the frame it is in, and is told.
func TestFlipAnywhere(t *testing.T) {
	t.Parallel()
	path, _ := create(t, nil, 4)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		b := bytes.Clone(whole)
		b[at] ^= 4
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		got, state := read(t, path)
		if len(got) < 3 || at < 64 && len(got) != 4 {
			t.Fatalf("byte %d: frames %v", at, got)
		}
		if state.Healthy() && state.Torn.Len == 0 {
			t.Fatalf("byte %d: not noticed", at)
		}
	}
}

// A frame is worth nothing elsewhere, in the same file or in another.
func TestReordered(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l, err := (*durable.Disk)(nil).CreateLog(path, spec())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Append(payload(5)); err != nil {
			t.Fatal(err)
		}
	}
	_ = l.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size := (len(b) - 64) / 2
	swapped := append(bytes.Clone(b[:64]), b[64+size:]...)
	swapped = append(swapped, b[64:64+size]...)
	if err := os.WriteFile(path, swapped, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, path); len(got) != 0 {
		t.Errorf("swapped frames are accepted: %v", got)
	}
	otherPath, _ := create(t, nil, 0)
	other, err := os.ReadFile(otherPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(other, b[64:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, path); len(got) != 0 {
		t.Errorf("frames of another file are accepted: %v", got)
	}
}

// After an append that failed, at whatever byte, the log is as before and the
// next append is fine.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for room := range 40 {
		var faults storagetest.Faults
		path, l := create(t, faults.Disk(), 2)
		faults.Full(room)
		if err := l.Append(payload(20)); !errors.Is(err, storagetest.ErrFull) {
			t.Fatalf("room %d: got %v", room, err)
		}
		faults.Heal()
		if err := l.Append(payload(3)); err != nil {
			t.Fatalf("room %d: after the disk had room again: %v", room, err)
		}
		if got, state := read(t, path); fmt.Sprint(got) != "[0 1 3]" || !state.Healthy() || state.Torn.Len > 0 {
			t.Fatalf("room %d: frames %v, %+v", room, got, state)
		}
	}
}

func TestFailedSync(t *testing.T) {
	t.Parallel()
	var faults storagetest.Faults
	path, l := create(t, faults.Disk(), 1)
	faults.FailSync(0)
	if err := l.Append(payload(1)); !errors.Is(err, storagetest.ErrSync) {
		t.Fatal(err)
	}
	if err := l.Append(payload(2)); err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, path); fmt.Sprint(got) != "[0 2]" {
		t.Errorf("frames %v", got)
	}
}

// However long a bad frame is, the good ones after it are found.
func TestLongRot(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	long := durable.LogSpec{Magic: "curbside/test/1\n", FrameMax: 8 << 20}
	l, err := (*durable.Disk)(nil).CreateLog(path, long)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{10, 5 << 20, 11, 12} {
		if err := l.Append(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	_ = l.Close()
	storagetest.Flip(t, path, 64+12+10+2) // the length in the head of the long frame
	var got []int
	state, err := durable.ScanLog(path, long, func(b []byte) error { got = append(got, len(b)); return nil })
	if err != nil || fmt.Sprint(got) != "[10 11 12]" || len(state.Lost) != 1 || state.Torn.Len > 0 {
		t.Errorf("frames %v, %+v, %v", got, state, err)
	}
}

func TestLimitsAndKinds(t *testing.T) {
	t.Parallel()
	path, l := create(t, nil, 1)
	if err := l.Append(make([]byte, 1<<16+1)); !errors.Is(err, durable.ErrTooLong) {
		t.Errorf("got %v", err)
	}
	if err := l.Append(nil); err != nil {
		t.Errorf("empty frame: %v", err)
	}
	other := durable.LogSpec{Magic: "curbside/othr/1\n", FrameMax: 1}
	if _, err := durable.ScanLog(path, other, func([]byte) error { return nil }); !errors.Is(err, durable.ErrNotLog) {
		t.Errorf("another kind: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := durable.ScanLog(path, spec(), func([]byte) error { return nil }); !errors.Is(err, durable.ErrNotLog) {
		t.Errorf("empty file: %v", err)
	}
}

func TestReplaceSurvivesCrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := (*durable.Disk)(nil).Replace(path, payload(0)); err != nil {
		t.Fatal(err)
	}
	crashes := storagetest.Crashes(t, dir, func(disk *durable.Disk, acked *int) {
		_ = disk.Replace(path, payload(0)) // known to be on the medium
		for i := range 3 {
			if err := disk.Replace(path, payload(i)); err != nil {
				t.Error(err)
			}
			*acked = i
		}
	})
	for i, c := range crashes {
		if i < 4 && c.Strict {
			continue // before the first replacement was synced
		}
		b, err := os.ReadFile(filepath.Join(c.Dir, "file"))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(b) - 20; n < c.Acked || !bytes.Equal(b, payload(n)) {
			t.Errorf("crash %d: %d bytes, %d was acknowledged", i, len(b), c.Acked)
		}
	}
}

func FuzzLog(f *testing.F) {
	path := filepath.Join(f.TempDir(), "log")
	l, err := (*durable.Disk)(nil).CreateLog(path, spec())
	if err != nil {
		f.Fatal(err)
	}
	_ = l.Append(payload(1))
	_ = l.Append(payload(2))
	_ = l.Close()
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:100])
	dir := storagetest.FastDir(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, strconv.FormatUint(rand.Uint64(), 36))
		defer func() { _ = os.Remove(path) }()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		before := 0
		l, _, err := (*durable.Disk)(nil).OpenLog(path, spec(), func([]byte) error { before++; return nil })
		if err != nil {
			return
		}
		if err := l.Append([]byte("more")); err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		after := 0
		state, err := durable.ScanLog(path, spec(), func([]byte) error { after++; return nil })
		if err != nil || after != before+1 || state.Torn.Len > 0 {
			t.Errorf("%d frames, then %d, %v, %+v", before, after, err, state)
		}
	})
}
