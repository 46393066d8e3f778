package wire

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
)

// redacted is what a secret shows of itself, whoever asks.
const redacted = "[secret]"

// Secret is 32 bytes of key material. It prints, logs and marshals to text and
// JSON as "[secret]"; only CBOR writes its bytes, as a byte string. (slog asks
// the marshalers, so it needs no LogValue, which would bring log into protocol.)
//
// Two holes of fmt remain. It cannot see methods of unexported fields, and with
// a verb that does not fit follows pointers too, so a type that hides a Secret
// in one keeps it in a closure, which fmt cannot look into. And it asks no
// method for %p, which go vet refuses.
type Secret [32]byte

// NewSecret returns a random secret.
func NewSecret() Secret {
	var s Secret
	_, _ = rand.Read(s[:]) // never fails since Go 1.24
	return s
}

// Equal compares in constant time.
func (s Secret) Equal(o Secret) bool { return subtle.ConstantTimeCompare(s[:], o[:]) == 1 }

// String returns "[secret]".
func (Secret) String() string { return redacted }

// GoString returns "[secret]".
func (Secret) GoString() string { return redacted }

// Format writes "[secret]" for every verb, %x and %d among them.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText returns "[secret]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns the string "[secret]".
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
