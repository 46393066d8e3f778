package blobs

import (
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
)

const (
	// groupBytes and groupTime say when received leaves are synced: often
	// enough that a crash costs little, seldom enough that an fsync is shared.
	groupBytes = 8 << 20
	groupTime  = 100 * time.Millisecond
	// groupFiles bounds the files kept open between two syncs.
	groupFiles = 256
	// syncers is how many fsyncs run at once. They wait for the disk, not the
	// processor, and a journalling file system commits many together.
	syncers = 16
	// leavesKept is the smallest leaf count worth a file of leaf hashes. Blobs
	// with fewer, of less than 1 MiB, fit one range and are mostly asked for whole;
	// for a part, hashing the blob again costs less than another file at import.
	leavesKept = blob.RangeMax + 1
	// leavesCached bounds the leaf hashes in memory: 4 MB, the leaves of 8 GiB.
	leavesCached = 128 << 10
)
