package dicomweb

import "time"

const (
	// HeaderBytesMax bounds the headers of a request: a bearer token and some Accept alternatives.
	HeaderBytesMax = 64 << 10
	// partHeaderMax bounds the headers of one part of a multipart body: a media type and a location.
	partHeaderMax = 8 << 10
	// boundaryMax bounds a boundary: RFC 2046 §5.1.1 has 70 characters, Orthanc sends 73.
	boundaryMax = 256
	// PartBytesMax bounds one instance: what the import door takes.
	PartBytesMax = 4 << 30
	// partsMax bounds the instances of one STOW request; senders make several requests of more.
	partsMax = 20_000
	// StoreBytesMax bounds one STOW request.
	StoreBytesMax = 64 << 30
	// ChunkInstances is how many instances the client sends in one request: a failure costs no more.
	ChunkInstances = 100
	// chunkBytes ends a request of the client earlier: servers keep a request in memory.
	chunkBytes = 256 << 20
	// replyBytesMax bounds a JSON reply of a server: 1,000 rows of 50 KB.
	replyBytesMax = 64 << 20
	// resultsMax bounds what one search gives, in both directions (IMAGING §9.2).
	resultsMax = 1_000
	// framesMax bounds the frames of one request's list.
	framesMax = 10_000
	// acceptMax bounds the alternatives of an Accept header that are looked at.
	acceptMax = 32
	// queryMax bounds the parameters of a search, and queryValueMax one of their values.
	queryMax      = 128
	queryValueMax = 4 << 10
	// nestingMax bounds sequences within sequences of a JSON data set, as in a file.
	nestingMax = 64
	// wildcardMax bounds the stars of a pattern: each costs a pass over the value.
	wildcardMax = 16

	// requestsMax bounds the requests in work at one time; a viewer asks for a dozen at once.
	requestsMax = 64
	// memoryMax bounds the file bytes in work at one time for replies.
	memoryMax = 512 << 20
	// finishMax is how many received instances become durable at one time, so that they share
	// what a disk does at once.
	finishMax = 16

	// HeaderTime is how long the headers of a request may take, idleTime the next request of a
	// connection.
	HeaderTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	// quietTime is how long a peer may be silent within a body, or take nothing of a reply.
	quietTime = 30 * time.Second
	// slowRate is the least that a body must bring on average after quietTime, in bytes a second:
	// a peer that sends a byte now and then holds nothing for ever.
	slowRate = 4 << 10
	// replyTime is how long the client waits for a server's answer to begin.
	replyTime = 2 * time.Minute
)
