package gateway

import "time"

const (
	matchesMax   = 500 // studies that a query brings, unless it says fewer
	seriesMax    = 2_000
	instancesMax = 100_000
	answersMax   = 1_000  // matches of a caller's query
	answerMax    = 1_000  // characters of a value in a match
	pathsMax     = 1_000  // unique keys in a caller's C-MOVE
	movedMax     = 65_535 // instances of it: what its counters can say
	failedMax    = 1_000  // of those that are named as failed: a value of 64 KiB
	proposalsMax = 127    // contexts of an association, but for the retrieval's own
	spoolBuffer  = 256 << 10
	commentMax   = 64 // characters of an error comment
	errorsKept   = 20

	lookupTime = 2 * time.Second
	dialTime   = 10 * time.Second

	reportTime = time.Minute
	commitHere = 3 * time.Second // for the report on the association that asked
	commitStep = 100 * time.Millisecond
	commitTime = 30 * time.Second // for it by the listener

	triesMax   = 4 // associations in a row that bring nothing
	aheadFiles = 4 // read while one is sent
	aheadBytes = 64 << 20

	nativeMax = 1 << 30 // decoded pixels of an instance

	certMax = 1 << 20 // a PEM file
)
