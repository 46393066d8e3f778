package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/vectest"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// The anchors of FORMATS §14; another implementation computed them.
func TestAnchors(t *testing.T) {
	got := hex.EncodeToString(SealWithSalt(wire.Secret{}, "test", nil, [24]byte{}))
	want := "000000000000000000000000000000000000000000000000b3fcf6387b766d1a550349e64946f08a270a2621bc91a2f4ba60dc9424be7e924011d29a76e6b2146ebb9161508df300"
	if got != want {
		t.Errorf("SEAL: got %s, want %s", got, want)
	}
	sealed, ref, leaves := Blob(wire.Secret{}, Bulk, make([]byte, 65536))
	if got, want := ref.ID.String(), "4e2f0de2b56e8d9656a6e8630fa4478a0c0412af5ea92c452c7085b6c2e0cb60"; got != want {
		t.Errorf("BlobID: got %s, want %s", got, want)
	}
	if len(sealed) != 65672 || len(leaves) != 3 {
		t.Errorf("blob: got %d bytes, %d leaves, want 65672, 3", len(sealed), len(leaves))
	}
}

func counting(from byte) (s wire.Secret) {
	for i := range s {
		s[i] = from + byte(i)
	}
	return s
}

// Sums of what a second implementation made (Python's cryptography 48, its
// HKDFExpand and AESGCM) of key 00..1f, salt 64..7b, context "vector" and
// vectest.Pattern.
func TestAgainstPython(t *testing.T) {
	salt := counting(100)
	for n, want := range map[int]string{
		0:       "f6e7c9f91d2cf8a68fb9fa3a6f7c975b7b98f84f2d575e2650a889f30a99047b",
		1:       "c2b17d5252f6efd0357e936166c0d36ff5ab3823f956e8b32b776b13845d225f",
		16383:   "dfe780ca125c3f3225e413af2d169211bd9726e07fdf345b08af9838ff85afa6",
		16384:   "ed87f0c993f753bba0c5346512975ab1fac3cd7d4020c7d6513c98c540da6456",
		16385:   "b57dca3a2ca96c9b0075bb557b5b51d57e272bb6f6a5730669e1deeb716ced80",
		65535:   "70e46ef39badacf5b8a8e7a8dd22bca2ed94bda2a5675c03402d2abcf832613a",
		65536:   "58449198b615cc7e21bbeeda1a477cb805c68a7e9df769290feab14ffeb99a27",
		65537:   "9ebfe1ce3056d0ec80dc750d03ed9ee2153f37147def3d3889f0280548d6427a",
		1 << 20: "2add07fb4e4ae687f4d0f792e5bc4219ef01db380ff5badf3b0e0fc95aff0aa7",
	} {
		sealed := SealWithSalt(counting(0), "vector", vectest.Pattern(n), [24]byte(salt[:24]))
		if got := fmt.Sprintf("%x", sha256.Sum256(sealed)); got != want {
			t.Errorf("%d bytes: got %s, want %s", n, got, want)
		}
	}
}

// The hash of 100,000 seals, which Python computed too: case i seals the first
// i mod 300 bytes of the pattern.
func TestAccumulated(t *testing.T) {
	acc, pattern := sha256.New(), vectest.Pattern(300)
	for i := range 100_000 {
		u := binary.BigEndian.AppendUint64(nil, uint64(i))
		key, salt := wire.KDF32([32]byte{}, "acc/key", u), wire.KDF([32]byte{}, "acc/salt", u, 24)
		acc.Write(SealWithSalt(key, "acc", pattern[:i%300], [24]byte(salt)))
	}
	if got, want := hex.EncodeToString(acc.Sum(nil)), "6d06ef12f22fa67590456994dfd5f8d1bedf1e39f95930dce408339ac83120a2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSealOpen(t *testing.T) {
	key := wire.NewSecret()
	for _, n := range []int{0, 1, 16383, 16384, 16385, 65535, 65536, 65537} {
		p := vectest.Pattern(n)
		sealed := Seal(key, "ctx", p)
		if uint64(len(sealed)) != blob.SealedLen(uint64(n)) {
			t.Errorf("%d bytes: sealed %d, want %d", n, len(sealed), blob.SealedLen(uint64(n)))
		}
		got, err := Open(key, "ctx", sealed)
		if err != nil || !bytes.Equal(got, p) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if bytes.Equal(sealed, Seal(key, "ctx", p)) {
			t.Errorf("%d bytes: two seals are equal", n)
		}
	}
}

// Every flipped bit, every cut, every wrong key and context is noticed.
func TestOpenRefuses(t *testing.T) {
	key := counting(7)
	p := vectest.Pattern(2*chunkSize + 50)
	sealed := Seal(key, "ctx", p)
	c := func(i int) []byte {
		return sealed[headerSize+i*sealedChunk:][:min(sealedChunk, len(sealed)-headerSize-i*sealedChunk)]
	}
	head := sealed[:headerSize]
	cases := map[string][]byte{
		"empty":                nil,
		"header only":          head,
		"no last chunk":        sealed[:headerSize+2*sealedChunk],
		"one chunk":            sealed[:headerSize+sealedChunk],
		"last chunk only":      slices.Concat(head, c(2)),
		"first chunk missing":  slices.Concat(head, c(1), c(2)),
		"middle chunk missing": slices.Concat(head, c(0), c(2)),
		"chunks swapped":       slices.Concat(head, c(1), c(0), c(2)),
		"chunk repeated":       slices.Concat(head, c(0), c(1), c(1), c(2)),
		"byte added":           append(slices.Clone(sealed), 0),
		"last chunk twice":     slices.Concat(sealed, c(2)),
	}
	for _, cut := range []int{1, 15, 16, 17, 49, 50, 65, 66, 67} {
		cases[fmt.Sprintf("cut by %d", cut)] = sealed[:len(sealed)-cut]
	}
	for i := 0; i < len(sealed); i += 1 + i/100 {
		bad := slices.Clone(sealed)
		bad[i] ^= 1 << (i % 8)
		cases[fmt.Sprintf("bit flipped at %d", i)] = bad
	}
	for name, bad := range cases {
		if got, err := Open(key, "ctx", bad); !errors.Is(err, ErrOpen) || !errors.Is(err, blob.ErrCorrupt) || got != nil {
			t.Errorf("%s: got %d bytes, %v, want ErrOpen", name, len(got), err)
		}
	}
	if _, err := Open(counting(8), "ctx", sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("wrong key: got %v, want ErrOpen", err)
	}
	if _, err := Open(key, "ctx2", sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("wrong context: got %v, want ErrOpen", err)
	}
}

func TestBlobIsDeterministic(t *testing.T) {
	s, p := counting(1), vectest.Pattern(40000)
	a, ref, leaves := Blob(s, Head, p)
	b, again, _ := Blob(s, Head, p)
	if !bytes.Equal(a, b) || ref != again {
		t.Error("importing twice gives two blobs")
	}
	if blob.IDOf(uint64(len(a)), leaves) != ref.ID || !slices.Equal(leaves, blob.Leaves(a)) {
		t.Error("ref does not name the blob")
	}
	_, bulk, _ := Blob(s, Bulk, p)
	_, other, _ := Blob(counting(2), Head, p)
	_, longer, _ := Blob(s, Head, append(slices.Clone(p), 0))
	_, random, _ := BlobRandom(Head, p)
	for name, r := range map[string]blob.Ref{"kind": bulk, "secret": other, "content": longer, "random": random} {
		if r.Key.Equal(ref.Key) || r.ID == ref.ID {
			t.Errorf("another %s gives the same key or blob", name)
		}
	}
}

func TestOpenBlobRefuses(t *testing.T) {
	sealed, ref, _ := Blob(counting(1), Head, vectest.Pattern(100))
	if _, err := OpenBlob(ref, Head, sealed); err != nil {
		t.Fatal(err)
	}
	key, length, long := ref, ref, ref
	key.Key[0] ^= 1
	length.Len--
	long.Len = blob.LenMax + 1
	for _, c := range []struct {
		name   string
		ref    blob.Ref
		kind   Kind
		sealed []byte
		want   error
	}{
		{"other kind", ref, Bulk, sealed, blob.ErrCorrupt},
		{"other key", key, Head, sealed, blob.ErrCorrupt},
		{"other length", length, Head, sealed, blob.ErrCorrupt},
		{"length that fits the cut", length, Head, sealed[:len(sealed)-1], blob.ErrCorrupt},
		{"cut", ref, Head, sealed[:len(sealed)-1], blob.ErrCorrupt},
		{"too long", long, Head, sealed, blob.ErrTooLong},
	} {
		if _, err := OpenBlob(c.ref, c.kind, c.sealed); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if _, err := BlobReader(c.ref, c.kind, bytes.NewReader(c.sealed)); !errors.Is(err, c.want) && c.name != "cut" {
			t.Errorf("%s: reader: got %v, want %v", c.name, err, c.want)
		}
	}
}

// The reader gives what Open gives, at any place, also to many at once.
func TestReaderAgainstOpen(t *testing.T) {
	seed := rand.Uint64()
	for _, n := range []int{0, 1, 16384, 70000} {
		p := vectest.Pattern(n)
		sealed, ref, _ := BlobRandom(Bulk, p)
		r, err := BlobReader(ref, Bulk, bytes.NewReader(sealed))
		if err != nil || r.Size() != int64(n) {
			t.Fatalf("%d bytes: got size %d, %v", n, r.Size(), err)
		}
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(g)))
				for range 100 {
					off, size := rng.IntN(n+10), rng.IntN(n+10)
					checkRead(t, r, p, off, size)
				}
			})
		}
		wg.Wait()
		all, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		if err != nil || !bytes.Equal(all, p) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func checkRead(t *testing.T, r *Reader, p []byte, off, size int) {
	t.Helper()
	buf := make([]byte, size)
	n, err := r.ReadAt(buf, int64(off))
	want := p[min(off, len(p)):min(off+size, len(p))]
	if !bytes.Equal(buf[:n], want) {
		t.Errorf("read %d at %d: got %d bytes, want %d", size, off, n, len(want))
	}
	if n < size && !errors.Is(err, io.EOF) || n == size && off < len(p) && err != nil {
		t.Errorf("read %d at %d of %d: got %d, %v", size, off, len(p), n, err)
	}
}

// A blob that is still arriving opens where it is here.
func TestReaderOfPartialBlob(t *testing.T) {
	p := vectest.Pattern(5 * chunkSize)
	sealed, ref, _ := BlobRandom(Bulk, p)
	holes := slices.Clone(sealed)
	clear(holes[headerSize+sealedChunk:]) // only the first chunk is here
	r, err := BlobReader(ref, Bulk, bytes.NewReader(holes))
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, chunkSize)
	if _, err := r.ReadAt(buf, 0); err != nil || !bytes.Equal(buf, p[:chunkSize]) {
		t.Errorf("first chunk: %v", err)
	}
	if n, err := r.ReadAt(buf, chunkSize-100); n != 100 || !errors.Is(err, ErrOpen) {
		t.Errorf("across the hole: got %d, %v, want 100, ErrOpen", n, err)
	}
	// Without a length in the context, the last chunk must be genuine.
	if _, err := NewReader(ref.Key, blobContext(Bulk, ref.Len), bytes.NewReader(holes), int64(len(holes))); !errors.Is(err, ErrOpen) {
		t.Errorf("NewReader: got %v, want ErrOpen", err)
	}
	cut := sealed[:headerSize+2*sealedChunk+tagSize]
	if _, err := NewReader(ref.Key, blobContext(Bulk, ref.Len), bytes.NewReader(cut), int64(len(cut))); !errors.Is(err, ErrOpen) {
		t.Errorf("NewReader of a cut: got %v, want ErrOpen", err)
	}
}

type brokenDisk struct{ io.ReaderAt }

var errDisk = errors.New("disk")

func (b brokenDisk) ReadAt(p []byte, off int64) (int, error) {
	if off > headerSize {
		return 0, errDisk
	}
	return b.ReaderAt.ReadAt(p, off)
}

// A disk that fails is not a corrupt blob, a file that ends early is.
func TestReaderTellsDiskFromCorruption(t *testing.T) {
	sealed, ref, _ := BlobRandom(Bulk, vectest.Pattern(3*chunkSize))
	r, err := BlobReader(ref, Bulk, brokenDisk{bytes.NewReader(sealed)})
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if _, err := r.ReadAt(buf, 2*chunkSize); !errors.Is(err, errDisk) || errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("disk: got %v", err)
	}
	r, err = BlobReader(ref, Bulk, bytes.NewReader(sealed[:headerSize+100]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(buf, 0); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("short file: got %v", err)
	}
	if _, err := r.ReadAt(buf, -1); err == nil || errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("negative offset: got %v", err)
	}
	if _, err := BlobReader(ref, Bulk, strings.NewReader("short")); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("no header: got %v", err)
	}
}

func TestSealTo(t *testing.T) {
	k, s := NewKEM(), wire.NewSecret()
	ct, err := SealTo(k.Public(), "info", s)
	if err != nil || len(ct) != ToSize || len(k.Public()) != PublicSize {
		t.Fatalf("got %d bytes, %v", len(ct), err)
	}
	again := KEMFromSeed(k.Seed())
	if got, err := OpenFrom(again, "info", ct); err != nil || !got.Equal(s) {
		t.Errorf("got %v", err)
	}
	if again.ID() != k.ID() || KeyID(k.Public()) != k.ID() {
		t.Error("two ids of one key")
	}
	for i := 0; i < len(ct); i += 13 {
		bad := slices.Clone(ct)
		bad[i] ^= 1
		if _, err := OpenFrom(k, "info", bad); !errors.Is(err, ErrOpen) {
			t.Errorf("byte %d: got %v, want ErrOpen", i, err)
		}
	}
	for name, open := range map[string]func() (wire.Secret, error){
		"other key":  func() (wire.Secret, error) { return OpenFrom(NewKEM(), "info", ct) },
		"other info": func() (wire.Secret, error) { return OpenFrom(k, "info2", ct) },
		"short":      func() (wire.Secret, error) { return OpenFrom(k, "info", ct[:len(ct)-1]) },
		"long":       func() (wire.Secret, error) { return OpenFrom(k, "info", append(slices.Clone(ct), 0)) },
	} {
		if got, err := open(); !errors.Is(err, ErrOpen) || !got.Equal(wire.Secret{}) {
			t.Errorf("%s: got %v, want ErrOpen", name, err)
		}
	}
}

// Keys that parse but cannot be sealed to must be found out before an epoch.
func TestCheckPublic(t *testing.T) {
	good := NewKEM().Public()
	lowOrder := slices.Clone(good)
	clear(lowOrder[1184:]) // X25519 point of order 4
	modulus := slices.Clone(good)
	for i := range 12 {
		modulus[i] = 0xff // coefficients above the modulus, FIPS 203 §7.2
	}
	for name, pk := range map[string][]byte{
		"empty": nil, "short": good[1:], "long": append(slices.Clone(good), 0), "low order": lowOrder, "modulus": modulus,
	} {
		if err := CheckPublic(pk); !errors.Is(err, ErrPublic) {
			t.Errorf("%s: got %v, want ErrPublic", name, err)
		}
	}
	if err := CheckPublic(good); err != nil {
		t.Error(err)
	}
}

func TestKEMDoesNotPrint(t *testing.T) {
	var seed wire.Secret
	for i := range seed {
		seed[i] = 0xab
	}
	k := KEMFromSeed(seed)
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d", "%s"} {
		for _, v := range []any{k, []*KEM{k}, struct{ K *KEM }{k}} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, "171") || strings.Contains(strings.ToLower(out), "ab") {
				t.Errorf("%s of %T: %s", verb, v, out)
			}
		}
		if out := fmt.Sprintf(verb, *k); strings.Contains(out, "171 171") || strings.Contains(out, "abab") || strings.Contains(out, "ABAB") {
			t.Errorf("%s of a copy: %s", verb, out)
		}
	}
}

func FuzzOpen(f *testing.F) {
	key := counting(3)
	for _, n := range []int{0, 1, 300, chunkSize, chunkSize + 1} {
		f.Add(SealWithSalt(key, "fuzz", vectest.Pattern(n), [24]byte{}))
	}
	f.Fuzz(func(t *testing.T, sealed []byte) {
		p, err := Open(key, "fuzz", sealed)
		r, rerr := NewReader(key, "fuzz", bytes.NewReader(sealed), int64(len(sealed)))
		if err != nil {
			if !errors.Is(err, ErrOpen) {
				t.Errorf("got %v, want ErrOpen", err)
			}
			return
		}
		if again := SealWithSalt(key, "fuzz", p, [24]byte(sealed)); !bytes.Equal(again, sealed) {
			t.Error("sealing again gives other bytes")
		}
		if rerr != nil || r.Size() != int64(len(p)) {
			t.Errorf("reader: %v", rerr)
		}
	})
}

func FuzzOpenFrom(f *testing.F) {
	k := KEMFromSeed(counting(3))
	ct, err := SealTo(k.Public(), "fuzz", counting(4))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ct)
	f.Add(ct[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := OpenFrom(k, "fuzz", b); err == nil && !s.Equal(counting(4)) {
			t.Error("a forged seal opens")
		}
		_ = CheckPublic(b)
	})
}

func BenchmarkSeal(b *testing.B) {
	for _, n := range []int{600, 512 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, key := vectest.Pattern(n), counting(0)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				Seal(key, "bench", p)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	p, key := vectest.Pattern(512<<10), counting(0)
	sealed := Seal(key, "bench", p)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Open(key, "bench", sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBlob(b *testing.B) {
	p := vectest.Pattern(512 << 10)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		Blob(counting(0), Bulk, p)
	}
}

func BenchmarkReaderAt(b *testing.B) {
	p := vectest.Pattern(512 << 10)
	sealed, ref, _ := Blob(counting(0), Bulk, p)
	r, err := BlobReader(ref, Bulk, bytes.NewReader(sealed))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.ReadAt(p, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealTo(b *testing.B) {
	pk := KEMFromSeed(counting(0)).Public()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := SealTo(pk, "bench", counting(1)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenFrom(b *testing.B) {
	k := KEMFromSeed(counting(0))
	ct, err := SealTo(k.Public(), "bench", counting(1))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := OpenFrom(k, "bench", ct); err != nil {
			b.Fatal(err)
		}
	}
}
