package dimse

import "time"

// Limits of what a peer may cost, checked before anything is read (IMAGING §9.1).
const (
	associateMax = 256 << 10 // an A-ASSOCIATE PDU
	// MaxPDU is what we take in a P-DATA-TF PDU, and say so.
	MaxPDU      = 128 << 10
	pduSendMax  = 128 << 10 // what we send, where the other side sets no limit
	pduSendMin  = 1 << 10   // a peer with a smaller limit would cost more headers than data
	contextsMax = 128       // odd ids from 1 to 255
	syntaxesMax = 64        // of a context
	rolesMax    = 128       // role selections
	uidMax      = 64        // characters
	aetMax      = 16
	commandMax  = 64 << 10
	commentMax  = 64 // characters of an error comment: LO

	// InstanceMax bounds an instance that streams in.
	InstanceMax = 8 << 30
	// IdentifierMax bounds the data set of a query, an answer or a commitment.
	IdentifierMax = 1 << 20

	assocsMax     = 16  // at work at a time
	assocsPeerMax = 4   // of one address
	connsMax      = 256 // with those that wait for their turn
)

const (
	artim      = 30 * time.Second // PS3.8 §9.1.5: for what opens and closes an association
	lingerTime = 5 * time.Second  // ARTIM where we wait for the other side to close: nothing is to come
	idleTime   = 60 * time.Second // between PDUs, and for a PDU to come whole
	turnTime   = 25 * time.Second // how long a new association waits for one of the places
	writeTime  = 60 * time.Second

	// A data set must come on: less than this within idleTime is no transfer but a hold-up.
	paceBytes = 16 << 10

	lingerBytes = 1 << 20 // read and dropped while waiting for the other side to close

	pendingMax = 10_000 // answers to a query after it was called off
)
