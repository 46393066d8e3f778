package exchange

// What the external tests need to know.
const (
	UnprovenMax  = unprovenMax
	UnprovenTime = unprovenTime
	SilentTime   = silentTime
	ReadBuffer   = readBuffer
)

// ErrFrameSize is a frame longer than allowed.
var ErrFrameSize = errFrameSize
