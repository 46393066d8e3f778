package mailbox

import "time"

// Limits are what a mailbox may take of a disk. The zero value of a field is its default.
type Limits struct {
	// Boxes is how many boxes there are, BoxesPerPeer how many one node may open: a
	// clinic's server has one for each of its persons.
	Boxes, BoxesPerPeer int
	// ItemBytes is what the items of all boxes take together.
	ItemBytes int64
	// BoxStudyBytes and StudyBytes are what the blobs of one box and of all take. A
	// negative BoxStudyBytes keeps no blobs at all.
	BoxStudyBytes, StudyBytes int64
}

// Defaults of Limits, for a small machine with a disk of 100 GB.
const (
	boxesMax        = 4096
	boxesPerPeerMax = 32
	itemBytesMax    = 16 << 30
	boxStudyMax     = 2 << 30
	studyMax        = 50 << 30
)

const (
	// partialAge is how long a blob waits for the rest of it: room that was asked for and
	// not used must not be lost for a month.
	partialAge = 24 * time.Hour
	// boxFileMax is the longest file of a box: the list of its blobs.
	boxFileMax = 8 << 20
	// blobsMax bounds the blobs of a box.
	blobsMax = 32768
)

func (l Limits) filled() Limits {
	set := func(v *int64, def int64) {
		if *v == 0 {
			*v = def
		}
	}
	set(&l.ItemBytes, itemBytesMax)
	set(&l.BoxStudyBytes, boxStudyMax)
	set(&l.StudyBytes, studyMax)
	if l.Boxes == 0 {
		l.Boxes = boxesMax
	}
	if l.BoxesPerPeer == 0 {
		l.BoxesPerPeer = boxesPerPeerMax
	}
	return l
}
