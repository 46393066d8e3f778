package identity

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"slices"

	"filippo.io/mldsa"
)

// MLDSA65PublicSize is the length of an ML-DSA-65 public key.
const MLDSA65PublicSize = 1952

// fieldPrime is 2^255 - 19, little-endian.
var fieldPrime = append(append([]byte{0xed}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f)

// smallOrderY are the y coordinates of the eight points of small order, in
// canonical encoding: order 4, 1, 2 and two of order 8.
var smallOrderY = [][]byte{
	unhex("0000000000000000000000000000000000000000000000000000000000000000"),
	unhex("0100000000000000000000000000000000000000000000000000000000000000"),
	unhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	unhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
	unhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("identity: bad constant")
	}
	return b
}

// checkEd25519 refuses public keys whose verdict could differ between
// implementations: y not below the field prime (not canonical) and the points
// of small order, under which one signature fits many messages. The two other
// non-canonical encodings, of x = 0 with the sign set, are of small order.
func checkEd25519(key []byte) error {
	if len(key) != ed25519.PublicKeySize {
		return ErrKey
	}
	y := slices.Clone(key)
	y[31] &= 0x7f // the sign of x
	if !below(y, fieldPrime) {
		return ErrKey
	}
	for _, small := range smallOrderY {
		if bytes.Equal(y, small) {
			return ErrKey
		}
	}
	return nil
}

// below compares little-endian numbers of equal length.
func below(a, b []byte) bool {
	for i, x := range slices.Backward(a) {
		if x != b[i] {
			return x < b[i]
		}
	}
	return false
}

func checkKeys(ed, ml []byte) error {
	if len(ml) != MLDSA65PublicSize {
		return ErrKey
	}
	if _, err := mldsa.NewPublicKey(mldsa.MLDSA65(), ml); err != nil {
		return ErrKey
	}
	return checkEd25519(ed)
}
