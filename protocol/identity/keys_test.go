package identity

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math/big"
	"slices"
	"testing"
)

func TestSigsAreExact(t *testing.T) {
	s := newSomeone(t, 0)
	p, msg := s.root.Person(), []byte("message")
	both := s.root.keys().sign("a", msg)
	ed, ml := both[:1], both[1:]
	bad := func(sigs Sigs) Sigs {
		out := slices.Clone(sigs)
		out[len(out)-1].Bytes = slices.Clone(out[len(out)-1].Bytes)
		out[len(out)-1].Bytes[0] ^= 1
		return out
	}
	for _, c := range []struct {
		name  string
		label string
		msg   []byte
		sigs  Sigs
		want  []int
		ok    bool
	}{
		{"both", "a", msg, both, []int{1, 2}, true},
		{"one", "a", msg, ed, []int{1}, true},
		{"two", "a", msg, ml, []int{2}, true},
		{"missing 2", "a", msg, ed, []int{1, 2}, false},
		{"missing 1", "a", msg, ml, []int{1, 2}, false},
		{"unwanted 2", "a", msg, both, []int{1}, false},
		{"none", "a", msg, nil, []int{1}, false},
		{"none wanted", "a", msg, nil, nil, false},
		{"order", "a", msg, Sigs{both[1], both[0]}, []int{1, 2}, false},
		{"order wanted", "a", msg, Sigs{both[1], both[0]}, []int{2, 1}, false},
		{"repeated", "a", msg, Sigs{both[0], both[0]}, []int{1, 2}, false},
		{"repeated wanted", "a", msg, Sigs{both[0], both[0]}, []int{1, 1}, false},
		{"unknown alg", "a", msg, Sigs{{Alg: 3, Bytes: both[0].Bytes}}, []int{3}, false},
		{"wrong 1", "a", msg, bad(ed), []int{1}, false},
		{"wrong 2", "a", msg, bad(both), []int{1, 2}, false},
		{"label", "b", msg, both, []int{1, 2}, false},
		{"message", "a", []byte("Message"), both, []int{1, 2}, false},
		{"label moved into message", "", append([]byte("a\x00"), msg...), both, []int{1, 2}, false},
	} {
		err := p.Verify(c.label, c.msg, c.sigs, c.want...)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	if err := VerifySigs("a", msg, both, p.Ed25519[:31], p.MLDSA65, 1, 2); !errors.Is(err, ErrSignature) {
		t.Errorf("short Ed25519 key: got %v", err)
	}
	if err := VerifySigs("a", msg, both, p.Ed25519[:], p.MLDSA65[1:], 1, 2); !errors.Is(err, ErrSignature) {
		t.Errorf("short ML-DSA key: got %v", err)
	}
}

// groupOrder is L of RFC 8032 §5.1.
var groupOrder, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

func littleEndian(x *big.Int) []byte {
	b := x.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

// addOrder makes of a signature another one that a lenient verifier accepts.
func addOrder(sig []byte) []byte {
	s := slices.Clone(sig[32:])
	slices.Reverse(s)
	x := new(big.Int).SetBytes(s)
	return append(slices.Clone(sig[:32]), littleEndian(x.Add(x, groupOrder))...)
}

func TestEd25519IsExact(t *testing.T) {
	s := newSomeone(t, 0)
	p, msg := s.root.Person(), []byte("message")
	sig := s.root.keys().sign("a", msg, AlgEd25519)
	if err := p.Verify("a", msg, Sigs{{Alg: 1, Bytes: addOrder(sig[0].Bytes)}}, 1); !errors.Is(err, ErrSignature) {
		t.Errorf("S >= L: got %v, want ErrSignature", err)
	}
	// Under the identity as key, R = identity and S = 0 sign every message.
	identity := append([]byte{1}, make([]byte, 31)...)
	universal := append(slices.Clone(identity), make([]byte, 32)...)
	if !ed25519.Verify(identity, msg, universal) {
		t.Error("crypto/ed25519 refuses the small-order key by itself now: the check can go")
	}
	if err := VerifySigs("a", msg, Sigs{{Alg: 1, Bytes: universal}}, identity, nil, 1); !errors.Is(err, ErrSignature) {
		t.Errorf("small order: got %v, want ErrSignature", err)
	}
}

func TestKeysOfSmallOrderOrNotCanonical(t *testing.T) {
	prime := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	if !bytes.Equal(littleEndian(prime), fieldPrime) {
		t.Fatalf("got %x for the field prime", fieldPrime)
	}
	for _, y := range smallOrderY {
		if order := pointOrder(t, prime, y); order == 0 {
			t.Errorf("%x is not of small order", y)
		}
		for _, sign := range []byte{0, 0x80} {
			key := slices.Clone(y)
			key[31] |= sign
			if checkEd25519(key) == nil {
				t.Errorf("%x: accepted", key)
			}
		}
	}
	for i := range int64(19) { // y = p .. p+18 = 2^255 - 1
		key := littleEndian(new(big.Int).Add(prime, big.NewInt(i)))
		if checkEd25519(key) == nil {
			t.Errorf("p+%d: accepted", i)
		}
	}
	if err := checkEd25519(littleEndian(new(big.Int).Sub(prime, big.NewInt(2)))); err != nil {
		t.Errorf("p-2: %v", err)
	}
}

// pointOrder returns the order of a point with the given y if it divides 8,
// else 0, by textbook Edwards addition (RFC 8032 §5.1.4).
func pointOrder(t *testing.T, p *big.Int, yBytes []byte) int {
	t.Helper()
	mod := func(x *big.Int) *big.Int { return x.Mod(x, p) }
	mul := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Mul(a, b)) }
	inv := func(a *big.Int) *big.Int { return new(big.Int).ModInverse(a, p) }
	one := big.NewInt(1)
	d := mod(new(big.Int).Neg(mul(big.NewInt(121665), inv(big.NewInt(121666)))))
	be := slices.Clone(yBytes)
	slices.Reverse(be)
	y := new(big.Int).SetBytes(be)
	yy := mul(y, y)
	// x^2 = (y^2 - 1) / (d y^2 + 1)
	xx := mul(mod(new(big.Int).Sub(yy, one)), inv(mod(new(big.Int).Add(mul(d, yy), one))))
	x := new(big.Int).ModSqrt(xx, p)
	if x == nil {
		t.Fatalf("%x is not on the curve", yBytes)
	}
	px, py := x, y
	for order := 1; order <= 8; order++ {
		if px.Sign() == 0 && py.Cmp(one) == 0 {
			return order
		}
		k := mul(d, mul(mul(px, x), mul(py, y)))
		nx := mul(mod(new(big.Int).Add(mul(px, y), mul(x, py))), inv(mod(new(big.Int).Add(one, k))))
		ny := mul(mod(new(big.Int).Add(mul(py, y), mul(px, x))), inv(mod(new(big.Int).Sub(one, k))))
		px, py = nx, ny
	}
	return 0
}

func BenchmarkVerify(b *testing.B) {
	s := newSomeone(b, 0)
	p, msg := s.root.Person(), make([]byte, 300)
	for name, algs := range map[string][]int{"ed25519": {1}, "mldsa65": {2}, "both": {1, 2}} {
		sigs := s.root.keys().sign("bench", msg, algs...)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Verify("bench", msg, sigs, algs...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	d := NewDevice(PersonID{}, counting(1))
	msg := make([]byte, 300)
	for name, algs := range map[string][]int{"ed25519": {1}, "both": {1, 2}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.Sign("bench", msg, algs...)
			}
		})
	}
}

func BenchmarkLoadProfile(b *testing.B) {
	s := newSomeone(b, 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := LoadProfile(s.records); err != nil {
			b.Fatal(err)
		}
	}
}
