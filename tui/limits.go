package tui

import "time"

const (
	colsMin, rowsMin = 80, 24 // below it a card says what size is needed
	colsWide         = 110    // from here on the thread stands beside the image

	castMax      = 10 * time.Minute // reading and rewriting every image of a large study
	callMax      = 20 * time.Second // a call that takes longer has failed as far as a reader is concerned
	bundleMax    = 4 * time.Hour    // a terabyte on an old stick
	signMax      = 2 * time.Minute  // Argon2 on a slow machine, and a whole report
	toastFor     = 5 * time.Second
	logMax       = 200                    // lines of past toasts kept
	eventsEvery  = 50 * time.Millisecond  // at most 20 messages a second from the event stream
	eventsBuffer = 4096                   // events that wait; beyond, one "all" stands for them
	frameTime    = 17 * time.Millisecond  // the program draws 60 frames a second
	detectMax    = time.Second            // for terminals that never answer
	ackMax       = time.Second            // some multiplexers eat the cursor report
	armAfter     = 600 * time.Millisecond // typing in flight confirms nothing
	idleLock     = 10 * time.Minute
	sixelSettle  = 60 * time.Millisecond // after the frame that it must not be drawn over by

	frameCacheBytes     = 96 << 20        // decoded frames kept for scrolling back
	cutCacheBytes       = 32 << 20        // the same beside a volume, of which they are soon made again
	pictureCacheBytes   = 32 << 20        // pictures drawn, kept for scrolling back and for the next round of a cine
	prefetchAhead       = 8               // in scroll direction; half as many behind
	aheadFor            = 2 * time.Second // after the last scrolling, pictures are drawn in advance
	loadsMax            = 3               // frames asked for at once
	volumeLoads         = 4               // the same while a volume is loaded
	zoomMin, zoomMax    = 0.25, 32        // times fit
	fineSide            = 1100.0          // pixels of a side that drawings may ask of kitty
	lensPart, lensTimes = 0.4, 3.0        // of the picture's shorter side; how much larger
	slicesMax           = 100_000         // frames of one series that are listed

	volumeMax  = 10 * time.Minute // to load a whole series on a slow disk
	colsLabels = 90               // narrower pictures have names beside marks, not values
	undoFor    = 8 * time.Second  // before a deleted mark is taken back in the case
	freeStep   = 2.0              // source pixels between the points of an outline drawn by mouse
	freePoints = 8                // more than this between press and release is an outline, not clicks
	clickSlack = 4.0              // source pixels that a click may slip

	readerMax = 84       // columns of a text in a box
	textMax   = 30 << 10 // an entry's text: FORMATS §12 has 32 KiB
	filterMax = 100
	lineMax   = 2000 // of a link or a passphrase
)
