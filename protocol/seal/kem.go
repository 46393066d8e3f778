package seal

import (
	"crypto/hpke"
	"errors"
	"fmt"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

const (
	// PublicSize is the length of an X-Wing public key: ML-KEM-768 1184 || X25519 32.
	PublicSize = 1184 + 32
	// ToSize is the length of what SealTo returns: enc 1120 || ct 32 + 16.
	ToSize = 1120 + 48
)

// ErrPublic says that a KEM public key cannot be sealed to. A card with such a
// key is refused, else it could block every epoch of its threads.
var ErrPublic = errors.New("kem public key is not usable")

// KEM is a device's X-Wing key pair. It prints as "[secret]"; the private half
// is in a closure, as fmt would print it in a copied struct. It is safe for
// concurrent use.
type KEM struct {
	secret func() kemSecret
	public []byte
	id     [32]byte
}

type kemSecret struct {
	seed wire.Secret
	priv hpke.PrivateKey
}

// NewKEM makes a random key pair.
func NewKEM() *KEM { return KEMFromSeed(wire.NewSecret()) }

// KEMFromSeed makes the key pair of a seed (X-Wing §5.2: the seed is the private key).
func KEMFromSeed(seed [32]byte) *KEM {
	priv, err := hpke.MLKEM768X25519().NewPrivateKey(seed[:])
	if err != nil {
		panic("seal: X-Wing refused a 32-byte seed")
	}
	public := priv.PublicKey().Bytes()
	secret := kemSecret{seed: seed, priv: priv}
	return &KEM{secret: func() kemSecret { return secret }, public: public, id: KeyID(public)}
}

// KeyID names a KEM public key.
func KeyID(public []byte) [32]byte { return wire.Hash("kem", public) }

// Public returns the public key.
func (k *KEM) Public() []byte { return append([]byte(nil), k.public...) }

// Seed returns what KEMFromSeed takes.
func (k *KEM) Seed() wire.Secret { return k.secret().seed }

// ID returns the KeyID.
func (k *KEM) ID() [32]byte { return k.id }

// Format prints "[secret]" for every verb.
func (k *KEM) Format(f fmt.State, verb rune) { wire.Secret{}.Format(f, verb) }

// SealTo seals a secret to the holder of a public key, HPKE Base, single shot.
func SealTo(public []byte, info string, s wire.Secret) ([]byte, error) { //nolint:revive // the name in FORMATS
	if len(public) != PublicSize {
		return nil, ErrPublic
	}
	pk, err := hpke.MLKEM768X25519().NewPublicKey(public)
	if err != nil {
		return nil, ErrPublic
	}
	out, err := hpke.Seal(pk, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(wire.Prefix+info), s[:])
	if err != nil {
		return nil, ErrPublic
	}
	return out, nil
}

// CheckPublic reports whether SealTo works for a public key. Some keys parse
// and fail only when used (X25519 points of low order), so it uses the key.
func CheckPublic(public []byte) error {
	_, err := SealTo(public, "check", wire.Secret{})
	return err
}

// OpenFrom opens what SealTo made. All its errors are ErrOpen.
func OpenFrom(k *KEM, info string, ct []byte) (wire.Secret, error) {
	if len(ct) != ToSize {
		return wire.Secret{}, ErrOpen
	}
	p, err := hpke.Open(k.secret().priv, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(wire.Prefix+info), ct)
	if err != nil || len(p) != len(wire.Secret{}) {
		return wire.Secret{}, ErrOpen
	}
	return wire.Secret(p), nil
}
