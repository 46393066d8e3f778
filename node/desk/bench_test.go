package desk_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/desk"
	"github.com/curbside-p2p/curbside/storage"
)

// These measure the import as a whole: reading, packing, sealing, proving that what was sealed
// gives the file back, and waiting for the disk.
//
//	go test ./node/desk -run '^$' -bench Import -cpu 1
//
// With -cpu 1, MB/s are per core, and MB/cpu-s leave out the waiting. TMPDIR=/dev/shm leaves out
// the file system: ext4 without a journal takes ten times as long to make a file where many were
// removed within the last minutes, as a benchmark does. The pixels are those of the phantom, noisier
// than most scanners'; with BENCH_CT=DIR the files of DIR are imported as well.

func BenchmarkImport(b *testing.B) {
	const slices = 60
	ct := phantom.CT(phantom.Options{Seed: 1, Slices: slices}).Files
	b.Run("transform=2", func(b *testing.B) { importBench(b, ct) })
	b.Run("transform=1", func(b *testing.B) { importBench(b, each(ct, wide)) })
	b.Run("transform=0", func(b *testing.B) { importBench(b, each(ct, encapsulated)) })
	if dir := os.Getenv("BENCH_CT"); dir != "" {
		b.Run("given", func(b *testing.B) { importFolder(b, dir) })
	}
}

func BenchmarkImportSmall(b *testing.B) {
	importBench(b, phantom.CT(phantom.Options{Seed: 1, Slices: 1000, Side: 64}).Files)
}

func each(files [][]byte, f func([]byte) []byte) [][]byte {
	out := make([][]byte, len(files))
	for i := range files {
		out[i] = f(files[i])
	}
	return out
}

// The phantom's Pixel Data is its last element: OW with a length of 32 bits.
func parts(file []byte) (head, pixels []byte) {
	const pixelBytes = 512 * 512 * 2
	at := len(file) - pixelBytes
	return append([]byte(nil), file[:at]...), file[at:]
}

// wide makes the pixels 32 bits each, which are packed without prediction.
func wide(file []byte) []byte {
	head, pixels := parts(file)
	setUS(head, 0x0100, 32)
	setUS(head, 0x0101, 32)
	setUS(head, 0x0102, 31)
	binary.LittleEndian.PutUint32(head[len(head)-4:], uint32(2*len(pixels)))
	for i := 0; i < len(pixels); i += 2 {
		head = append(head, pixels[i], pixels[i+1], 0, 0)
	}
	return head
}

// encapsulated makes the pixels one fragment, as compressed ones are; nobody decodes them here.
func encapsulated(file []byte) []byte {
	head, pixels := parts(file)
	const native, jpegLS = "1.2.840.10008.1.2.1\x00", "1.2.840.10008.1.2.4.80"
	for i := range head[:512] {
		if string(head[i:i+len(native)]) == native {
			// The group length grows by the two characters.
			binary.LittleEndian.PutUint16(head[i-2:], uint16(len(jpegLS)))
			head = append(head[:i:i], append([]byte(jpegLS), head[i+len(native):]...)...)
			n := binary.LittleEndian.Uint32(head[140:])
			binary.LittleEndian.PutUint32(head[140:], n+2)
			break
		}
	}
	binary.LittleEndian.PutUint32(head[len(head)-4:], 0xFFFFFFFF)
	copy(head[len(head)-8:], "OB")
	item := func(tag uint16, n int) {
		head = binary.LittleEndian.AppendUint16(head, 0xFFFE)
		head = binary.LittleEndian.AppendUint16(head, tag)
		head = binary.LittleEndian.AppendUint32(head, uint32(n))
	}
	item(0xE000, 0)
	item(0xE000, len(pixels))
	head = append(head, pixels...)
	item(0xE0DD, 0)
	return head
}

// setUS sets an element of group 0028.
func setUS(head []byte, element, v uint16) {
	want := binary.LittleEndian.AppendUint16([]byte{0x28, 0}, element)
	want = append(want, "US\x02\x00"...)
	for i := range len(head) - len(want) - 2 {
		if string(head[i:i+len(want)]) == string(want) {
			binary.LittleEndian.PutUint16(head[i+len(want):], v)
		}
	}
}

func importBench(b *testing.B, files [][]byte) {
	dir := b.TempDir()
	for i, f := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.dcm", i)), f, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	importFolder(b, dir)
}

// importFolder imports a folder again and again, each time into a home of its own.
func importFolder(b *testing.B, dir string) {
	cpu, total := 0.0, 0.0
	for b.Loop() {
		b.StopTimer()
		d, done := newDesk(b)
		runtime.GC() // of what the desk before left
		cpu -= cpuSeconds()
		b.StartTimer()
		var res *control.ImportResult
		err := d.Import(b.Context(), control.ImportRequest{Paths: []string{dir}}, func(e control.ImportEvent) error {
			res = e.Result
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		cpu += cpuSeconds()
		if len(res.Refused) > 0 || len(res.Studies) == 0 {
			b.Fatalf("refused %d files", len(res.Refused))
		}
		bytes := int64(0)
		for _, s := range res.Studies {
			bytes += s.Bytes
		}
		b.SetBytes(bytes)
		total += float64(bytes) / 1e6
		if list, err := d.StudyList(b.Context(), control.None{}); err == nil && len(list) == 1 {
			b.ReportMetric(float64(list[0].Bytes)/float64(list[0].StoredBytes), "ratio")
		}
		done()
		b.StartTimer()
	}
	if cpu > 0 {
		b.ReportMetric(total/cpu, "MB/cpu-s")
	}
}

func newDesk(tb testing.TB) (*desk.Desk, func()) {
	tb.Helper()
	home := filepath.Join(tb.TempDir(), "home")
	dir, err := storage.Open(home)
	if err != nil {
		tb.Fatal(err)
	}
	d, err := desk.Open(context.Background(), desk.Config{
		Dir: dir, Now: time.Now, Log: slog.New(slog.DiscardHandler), Setting: func(key string) string { return map[string]string{"consent": "treatment"}[key] },
	})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := d.PersonAdd(context.Background(), control.PersonAddRequest{Name: "Bench", NoPassphrase: true}); err != nil {
		tb.Fatal(err)
	}
	return d, func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
		_ = dir.Close()
		_ = os.RemoveAll(home)
	}
}
