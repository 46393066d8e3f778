package relay

import "time"

// Limits, NETWORK §6. libp2p's defaults end a circuit after 128 KiB, give an address
// eight reservations and take an hour to try again: none of that carries a study.
const (
	// reservationsMax is how many nodes a relay serves at a time.
	reservationsMax = 1024
	// circuitsMax is per node: members of its cases that reach it at once.
	circuitsMax = 64
	// reservationsIP is per public address: a clinic's workstations share one.
	reservationsIP = 64
	// bufferSize of a circuit, each way: 2 KiB moves a third of what 64 KiB does.
	bufferSize = 64 << 10
	// relayMemory bounds the buffers of all circuits, and of those of one peer.
	relayMemory     = 2 * bufferSize * 4 * reservationsMax
	relayMemoryPeer = 2 * bufferSize * circuitsMax
	// connsLow and connsHigh are where the connection manager trims to and from; nodes
	// with a reservation are kept.
	connsLow, connsHigh = 1536, 2048
	// budgetSpan is the span a peer's budget is for.
	budgetSpan = 24 * time.Hour
	// requestCost is what any request costs of a rate: a deposit is two writes to the disk.
	requestCost = 16 << 10
	// rateBurst is how far a peer may run ahead of its rate.
	rateBurst = 2 * time.Second
	// ratesMax is when peers that have waited are forgotten.
	ratesMax = 4096
	// sweepEvery is how often expired items are looked for.
	sweepEvery = time.Hour
	// peersCounted bounds the peers whose bytes are counted. Beyond it those are
	// forgotten that used least.
	peersCounted = 1 << 16
)
