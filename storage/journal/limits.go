package journal

const (
	// DataMax is the longest record: a packet of FORMATS §12 has at most 192 KiB.
	DataMax = 256 << 10
	// frameMax bounds one append on disk and so the memory of a reader.
	frameMax = 4 << 20
	// segmentMax is when a new file is begun: small enough to rewrite when a
	// thread is dropped, large enough that a clinic has a few dozen in a year.
	segmentMax = 64 << 20
	// recordHead is length, thread and entry.
	recordHead = 4 + 32 + 32
)
