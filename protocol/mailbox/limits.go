package mailbox

import "time"

// Limits, FORMATS §12. Each is checked before anything is allocated for what it bounds.
const (
	// ItemMax is the longest item, a packet for 128 devices with its type.
	ItemMax = 192<<10 + 1
	// BoxMax is what the items of one box take.
	BoxMax = 64 << 20
	// ItemsMax is how many items a box holds: small ones cost a file each.
	ItemsMax = 16384
	// DepositorMax is what one peer may fill of a box, so that one who floods it leaves
	// room for the others.
	DepositorMax = BoxMax / 4
	// ItemAge is how long an item waits.
	ItemAge = 30 * 24 * time.Hour
	// BoxAge is how long a box stays that nobody opens or collects from.
	BoxAge = 90 * 24 * time.Hour

	// BlobMax is the longest blob; a mailbox is for studies, not for archives.
	BlobMax = 4 << 30
	// offerBlobs and offerLeaves bound an offer, and with it the bitmaps of the answer.
	offerBlobs  = 256
	offerLeaves = 1 << 16
	// listMax bounds the blobs of a box: ten studies of 1,600 images.
	listMax = 32768
	// wantsMax bounds the ranges of one want.
	wantsMax = 16
	// leavesMax is the longest range.
	leavesMax = 16

	// frameMax is the longest frame: a range of 16 leaves with its proof. Before an
	// offer was taken smallMax is: a deposit.
	frameMax = 1<<20 + 64<<10
	smallMax = ItemMax + 1024
	// itemsBytes is what a frame of items is filled to.
	itemsBytes = 768 << 10
	// versionsMax and softwareMax bound what a hello names.
	versionsMax = 16
	softwareMax = 128
	// refusalsMax is how many wrong proofs end a session.
	refusalsMax = 3

	// firstTime, idleTime and writeTime are how long a peer may take to say hello, to
	// send a frame, and to take one.
	firstTime = 10 * time.Second
	idleTime  = 60 * time.Second
	writeTime = 15 * time.Second
)
