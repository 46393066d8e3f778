package exchange

import "time"

// Limits, FORMATS §12 and NETWORK §8. Each is checked before anything is allocated
// for what it bounds.
const (
	// frameMax is length's largest value: a range of 16 leaves with its proof.
	frameMax = 1<<20 + 64<<10
	// unprovenMax and unprovenTime bound what a peer may send before it has
	// proven a device: hello, prove, its certificates and a Join take 20 KiB.
	unprovenMax  = 64 << 10
	unprovenTime = 10 * time.Second
	// strangerMax and strangerTime bound a proven peer that is neither contact
	// nor member: enough to bring one case, not to fill a disk.
	strangerMax  = 4 << 20
	strangerTime = 60 * time.Second
	// strangerThreads is how many unknown threads it may bring.
	strangerThreads = 16
	// silentTime is how long a peer may owe something and send nothing.
	silentTime = 60 * time.Second
	// stallTime is how long it may do so before others are asked (NETWORK §9).
	stallTime = 3 * time.Second
	// drainTime is how long a session may go on after another took its place, looked at
	// every drainStep.
	drainTime = 5 * time.Second
	drainStep = 250 * time.Millisecond
	// endTime is how long an end may take to write.
	endTime = time.Second

	// versionsMax and softwareMax bound what a hello names.
	versionsMax = 16
	softwareMax = 128
	// skewMax is the latest time that a hello may claim, in the year 2200: a difference of clocks
	// must fit a duration.
	skewMax = 7_258_118_400_000
	// devicesMax bounds the devices one peer proves: the persons of a large node.
	devicesMax = 64
	// recordMax is one record (FORMATS §12).
	recordMax = 64 << 10
	// recordsMax bounds the records of a frame; 64 persons have 256 with cards.
	recordsMax = 1024
	// threadsMax and rowsMax are per session and per thread.
	threadsMax = 10_000
	rowsMax    = 512
	// itemMax is one packet or envelope.
	itemMax = 192 << 10
	// itemsMax bounds the items of a frame.
	itemsMax = 4096
	// entriesBytes is what a frame of entries is filled to, small enough that a
	// viewer's range is not kept waiting.
	entriesBytes = 128 << 10
	// needMax bounds each list of a need.
	needMax = 1024
	// needAsks is how often one thing is asked for in a session: a peer that
	// answers with something else must not keep us asking.
	needAsks = 2
	// answersMax bounds answers to needs that wait to be sent.
	answersMax = 64
	// partialsMax bounds the partly held blobs of a have.
	partialsMax = 4096
	// bitmapMax is the bitmap of a have: preview, and head and bulk of 100,000 instances.
	bitmapMax = (1 + 2*100_000 + 7) / 8
	// havesMax bounds the studies a peer's haves are remembered for.
	havesMax = 4096
	// joinMax is a Join or an Accept: person, statements and card, sealed.
	joinMax = 48 << 10

	// wantsMax and wantBytesMax bound what a peer may want at a time.
	wantsMax     = 4096
	wantBytesMax = 64 << 20
	// leavesMax is the longest range.
	leavesMax = 16
	// proofMax is the longest proof: twice the depth of a tree of 1 TiB.
	proofMax = 2 * 25
	// errorsMax is how many protocol errors end a session.
	errorsMax = 3
	// talkMax bounds the control frames that wait to be written: a peer that
	// asks and never reads must not fill memory.
	talkMax = 16 << 20

	// windowMin and windowMax bound the bytes wanted from one peer. Below the
	// wire limit, so that urgent wants always fit.
	windowMin   = 256 << 10
	windowStart = 1 << 20
	windowMax   = 32 << 20
	// urgentMax is what wants of priority 0 and 1 may add to the window.
	urgentMax = 8 << 20
	// rangeTime is how long a range should take, and how much is kept in flight
	// beyond the path itself.
	rangeTime = 100 * time.Millisecond
	// busyTime is how long a peer is left alone that refused with busy.
	busyTime = time.Second

	// recipientsMax bounds the devices a bundle is sealed to: as a packet's seals.
	recipientsMax = 128
	// bundleKeysMax bounds the keys tried on each seal: those of a large node's persons.
	bundleKeysMax = 5 * devicesMax
	// partsMax bounds the files of one writing: a terabyte on sticks of a gigabyte.
	partsMax = 1024

	// heardMax bounds the bitmaps kept of a peer: 300,000 instances at a bit for head and bulk each, forty times.
	heardMax = 4 << 20
	// shareWindow is how far ahead takers share a source out, so that all stay near reading order.
	shareWindow = 16 << 20
	// graceTime is how long members without a session count as takers when a study begins.
	graceTime = 5 * time.Second
	// progressTime is how long a taker may gain nothing and keep its share.
	progressTime = 5 * time.Second
	// helpTime is how long a taker has had nothing of its own to ask for before it helps others.
	helpTime = 2 * time.Second
	// cancelledMax is how many cancelled requests are remembered: their ranges may be on the way.
	cancelledMax = 4096

	// earlyMax bounds the haves of threads that are not known yet: a case has a few studies.
	earlyMax = 1 << 20
)
