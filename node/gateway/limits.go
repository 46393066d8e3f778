package gateway

import "time"

const (
	matchesMax  = 500 // studies that a query brings, unless it says fewer
	spoolBuffer = 256 << 10
	commentMax  = 64 // characters of an error comment
	errorsKept  = 20

	lookupTime = 2 * time.Second
	dialTime   = 10 * time.Second

	reportTime = time.Minute

	certMax = 1 << 20 // a PEM file
)
