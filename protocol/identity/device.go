package identity

import (
	"fmt"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// Device holds the author keys of one device of a person. It prints as
// "[secret]". It is safe for concurrent use.
type Device struct {
	keys   func() *keys
	person PersonID
	id     DeviceID
}

// NewDevice makes the device of a seed D; wire.NewSecret makes a new one.
func NewDevice(person PersonID, seed wire.Secret) *Device {
	d := &Device{person: person, keys: newKeys(seed,
		wire.KDF32(seed, "device/ed25519", nil),
		wire.KDF32(seed, "device/mldsa65", nil),
	)}
	d.id = d.keys().public.ID(person)
	return d
}

// ID names the device.
func (d *Device) ID() DeviceID { return d.id }

// Person names the person the device belongs to.
func (d *Device) Person() PersonID { return d.person }

// Seed returns what NewDevice takes.
func (d *Device) Seed() wire.Secret { return d.keys().seed }

// Public returns the public half.
func (d *Device) Public() DevicePublic {
	return DevicePublic{Ed25519: d.keys().public.Ed25519, MLDSA65: slices.Clone(d.keys().public.MLDSA65)}
}

// Sign signs a message under a label with the given algs, ascending; with both
// if none is given.
func (d *Device) Sign(label string, msg []byte, algs ...int) Sigs {
	return d.keys().sign(label, msg, algs...)
}

// SignCard signs what the device says of itself. It sets version and device, and
// leaves out addresses beyond the limits.
func (d *Device) SignCard(c Card) ([]byte, error) {
	c.Version, c.Device, c.Addrs = 1, d.id, fitPeers(c.Addrs)
	if err := c.check(); err != nil {
		return nil, err
	}
	return d.keys().record(labelCard, c)
}

// Format prints "[secret]" for every verb.
func (d *Device) Format(f fmt.State, verb rune) { wire.Secret{}.Format(f, verb) }
