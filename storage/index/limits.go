package index

import "time"

const (
	// Memory: two memtables and two caches, together below 32 MB.
	memTable   = 4 << 20
	blockCache = 4 << 20
	indexCache = 4 << 20
	// valueLogFile is mapped twice its size while open.
	valueLogFile = 8 << 20
	// valueThreshold keeps all but large values out of the value log.
	valueThreshold = 64 << 10
	// ValueMax is far above any row of a worklist.
	ValueMax = 512 << 10
	// nameMax bounds table and key together; badger allows 65,000.
	nameMax = 4 << 10
	// closeMax is far more than writing two memtables takes.
	closeMax = 20 * time.Second
	// cleanMax bounds the seal: it is one HMAC.
	cleanMax = 64
)
