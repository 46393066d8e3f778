package wire

// Limits on foreign CBOR. They bound work and memory before a type is known.
const (
	// DepthMax is how deep containers nest; the deepest format, a manifest's
	// slice of a head pack, needs 7.
	DepthMax = 8
	// ArrayMax bounds arrays: 4,096 is far above any list of keys or entries
	// and keeps a 64 KiB record from naming more.
	ArrayMax = 4096
	// ManifestArrayMax bounds the instances of a manifest.
	ManifestArrayMax = 100_000
	// MapMax bounds map pairs; no format has more than 20 fields.
	MapMax = 64
)
