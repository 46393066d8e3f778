package directory

const (
	// FrameMax is the longest frame: person, certificate, card and listing take 17 KiB, two
	// attestations with their lists the rest.
	FrameMax = 32 << 10
	// AnswerMax bounds the listings of one answer, own and passed on.
	AnswerMax = 256
	// KnownMax bounds what an asker says it has: it fits a frame.
	KnownMax = 1024
	// CacheMax bounds the listings kept; a megabyte or two a thousand, on disk.
	CacheMax = 10_000

	// recordsMax bounds the records of a frame: a person, a chain and a card, as far as they fit.
	recordsMax = 16
	// vouchesMax bounds the attestations of a frame.
	vouchesMax = 8
)
