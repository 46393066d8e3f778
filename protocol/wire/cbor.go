package wire

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Raw is one encoded CBOR item inside another: written as it is, read verbatim.
// It is checked with the item around it.
type Raw = cbor.RawMessage

// ErrCanonical says that bytes are not what Marshal would have written for the
// value they hold. Whoever sent them is at fault; the bytes are dropped.
var ErrCanonical = errors.New("not canonical")

// encMode is RFC 8949 §4.2.1 core deterministic encoding without tags.
var encMode = must(cbor.EncOptions{
	Sort:          cbor.SortCoreDeterministic,
	ShortestFloat: cbor.ShortestFloat16,
	NaNConvert:    cbor.NaNConvert7e00,
	InfConvert:    cbor.InfConvertFloat16,
	IndefLength:   cbor.IndefLengthForbidden,
	NilContainers: cbor.NilContainerAsEmpty,
	TagsMd:        cbor.TagsForbidden,
}.EncMode())

// decMode is strict; limits that scan has checked already are only repeated.
var decMode = must(cbor.DecOptions{
	DupMapKey:         cbor.DupMapKeyEnforcedAPF,
	MaxNestedLevels:   DepthMax,
	MaxArrayElements:  ManifestArrayMax,
	MaxMapPairs:       MapMax,
	IndefLength:       cbor.IndefLengthForbidden,
	TagsMd:            cbor.TagsForbidden,
	ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	UTF8:              cbor.UTF8RejectInvalid,
	FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
}.DecMode())

func must[T any](v T, err error) T {
	if err != nil {
		panic("wire: " + err.Error()) // options above contradict each other
	}
	return v
}

// Marshal encodes v, a struct with `cbor:"1,keyasint,omitempty"` or
// `cbor:",toarray"` tags or a plain value. It fails with ErrCanonical if the
// result could not be read back: a nil pointer that is not omitempty, a float,
// a text key, too many elements.
func Marshal(v any) ([]byte, error) {
	b, err := encMode.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if err := scan(b, ManifestArrayMax); err != nil {
		return nil, err
	}
	return b, nil
}

// MustMarshal is Marshal for types that cannot fail. It panics if one does.
func MustMarshal(v any) []byte {
	b, err := Marshal(v)
	if err != nil {
		panic("wire: " + err.Error())
	}
	return b
}

// Unmarshal decodes exactly one canonical item into v.
func Unmarshal(b []byte, v any) error { return UnmarshalLimit(b, v, ArrayMax) }

// UnmarshalLimit is Unmarshal with another bound on arrays.
func UnmarshalLimit(b []byte, v any, maxArray int) error {
	if err := scan(b, maxArray); err != nil {
		return err
	}
	if err := decMode.Unmarshal(b, v); err != nil {
		return shape(err)
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return shape(err)
	}
	if !bytes.Equal(b, again) {
		return ErrReencode
	}
	return nil
}

// shape names the reason of a decoder's error without repeating foreign bytes.
func shape(err error) error {
	if _, ok := errors.AsType[*cbor.UnknownFieldError](err); ok {
		return ErrUnknownKey
	}
	return ErrShape
}
