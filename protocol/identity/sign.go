package identity

import (
	"crypto/ed25519"

	"filippo.io/mldsa"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// The signature algorithms.
const (
	AlgEd25519 = 1 // RFC 8032, 64 bytes
	AlgMLDSA65 = 2 // FIPS 204, pure, empty context, 3309 bytes
)

// Sig is one signature.
type Sig struct {
	_     struct{} `cbor:",toarray"`
	Alg   uint64
	Bytes []byte
}

// Sigs are the signatures of one message, ascending by alg.
type Sigs []Sig

// signed is the form of all signed records: [ bstr P, SIGS(label, P) ].
type signed struct {
	_       struct{} `cbor:",toarray"`
	Payload []byte
	Sigs    Sigs
}

// RecordID names a signed record by its bytes.
func RecordID(record []byte) [32]byte { return wire.Hash("record", record) }

// message separates what one key signs by label, so that no record passes for
// another.
func message(label string, msg []byte) []byte {
	return append([]byte(wire.Prefix+"sig/"+label+"\x00"), msg...)
}

// keys is a pair of author keys and the seed they are made of. Root and Device
// hold it in a closure: of a copied struct, fmt prints the fields without asking
// its methods, but cannot look into a function.
type keys struct {
	seed   wire.Secret
	ed     ed25519.PrivateKey
	ml     *mldsa.PrivateKey
	public DevicePublic
}

func newKeys(seed, edSeed, mlSeed wire.Secret) func() *keys {
	ed := ed25519.NewKeyFromSeed(edSeed[:])
	ml, err := mldsa.NewPrivateKey(mldsa.MLDSA65(), mlSeed[:])
	if err != nil {
		panic("identity: ML-DSA refused a 32-byte seed")
	}
	k := &keys{seed: seed, ed: ed, ml: ml, public: DevicePublic{
		Ed25519: [32]byte(ed.Public().(ed25519.PublicKey)),
		MLDSA65: ml.PublicKey().Bytes(),
	}}
	return func() *keys { return k }
}

// sign signs with the given algs, or with both if none is given.
func (k *keys) sign(label string, msg []byte, algs ...int) Sigs {
	if len(algs) == 0 {
		algs = []int{AlgEd25519, AlgMLDSA65}
	}
	m := message(label, msg)
	var sigs Sigs
	for _, alg := range algs {
		switch alg {
		case AlgEd25519:
			sigs = append(sigs, Sig{Alg: AlgEd25519, Bytes: ed25519.Sign(k.ed, m)})
		case AlgMLDSA65:
			b, err := k.ml.Sign(nil, m, nil)
			if err != nil {
				panic("identity: ML-DSA refused a message")
			}
			sigs = append(sigs, Sig{Alg: AlgMLDSA65, Bytes: b})
		default:
			panic("identity: unknown algorithm")
		}
	}
	return sigs
}

// record signs a payload with both algs.
func (k *keys) record(label string, payload any) ([]byte, error) {
	p, err := wire.Marshal(payload)
	if err != nil {
		return nil, err
	}
	b := wire.MustMarshal(signed{Payload: p, Sigs: k.sign(label, p)})
	if len(b) > RecordMax {
		return nil, ErrTooLong
	}
	return b, nil
}

// VerifySigs checks that sigs are exactly the wanted algs, ascending, and that
// each verifies. Verdicts on ledgers must converge, so nothing is lenient: a
// missing, additional or repeated alg fails as a wrong signature does.
func VerifySigs(label string, msg []byte, sigs Sigs, ed, ml []byte, want ...int) error {
	if len(want) == 0 || len(sigs) != len(want) {
		return ErrSignature
	}
	m, last := message(label, msg), 0
	for i, alg := range want {
		if sigs[i].Alg != uint64(alg) || alg <= last {
			return ErrSignature
		}
		last = alg
		if !verify(alg, m, sigs[i].Bytes, ed, ml) {
			return ErrSignature
		}
	}
	return nil
}

func verify(alg int, m, sig, ed, ml []byte) bool {
	switch alg {
	case AlgEd25519:
		// crypto/ed25519 is cofactorless, requires S < L and compares R byte
		// for byte, but accepts any public key that decodes.
		return checkEd25519(ed) == nil && ed25519.Verify(ed, m, sig)
	case AlgMLDSA65:
		pk, err := mldsa.NewPublicKey(mldsa.MLDSA65(), ml)
		return err == nil && mldsa.Verify(pk, m, sig, nil) == nil
	default:
		return false
	}
}
