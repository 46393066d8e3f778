package peering

import "time"

// Limits, NETWORK §2 and §8.
const (
	// streamWindow is yamux's window: at 256 KiB one stream gets 1.3 of 9.5 Mbit/s
	// at 600 ms, at 4 MiB all of it.
	streamWindow = 4 << 20
	// connWriteTime bounds a write of the muxer and its keepalive; 10 s, the
	// default, dies of a stall that the path survives.
	connWriteTime = 60 * time.Second
	// connsLow and connsHigh are where the connection manager trims to and from.
	connsLow, connsHigh = 32, 96
	connsGrace          = 30 * time.Second

	// streamsIn and streamsPeer bound exchange streams: each may cost a window
	// that no resource manager accounts.
	streamsIn, streamsPeer = 128, 8
	// unprovenIn and unprovenPeer bound those whose peer has proven nothing yet.
	unprovenIn, unprovenPeer = 32, 4
	// sessionMemory is what a session reserves: frames on their way in and out.
	sessionMemory = 4 << 20
	// exchangeMemory bounds that for all sessions.
	exchangeMemory = 1 << 30

	// connsPerAddr is per IPv4 address or IPv6 /56: fourteen workstations behind
	// one public address are normal, and the default is eight.
	connsPerAddr = 64
	// connsPerSite is per IPv6 /48.
	connsPerSite = 256
	// connsPerLAN is for an IPv6 network that is not public, and for loopback.
	connsPerLAN = 512
	// connsIn bounds connections of others, handshakesIn those that are not secured yet: eight
	// addresses that leave all theirs half open leave room for a ninth.
	connsIn, handshakesIn = 1024, 576
	// connRate and connBurst bound new connections per address.
	connRate, connBurst = 2, 64

	// dialTime bounds one try to reach a peer, on all its addresses.
	dialTime = 20 * time.Second
	// findTime bounds a lookup in the DHT.
	findTime = 20 * time.Second
	// backoffMin and backoffMax bound the wait between tries.
	backoffMin, backoffMax = time.Second, 5 * time.Minute
	// goodTime is how long a session must have lasted to be worth an immediate redial.
	goodTime = 10 * time.Second
	// briefMax is how many sessions in a row may break young before redials wait.
	briefMax = 3
	// onceTime is within how long two sessions of one pair count as begun at once,
	// freshTime how long one may have lasted that another does not replace.
	onceTime  = time.Second
	freshTime = 5 * time.Second
	// yieldTime is how long the node with the higher PeerID lets the other dial first.
	yieldTime = 250 * time.Millisecond

	// mdnsEvery is how often interfaces are compared; libp2p freezes its records at start.
	mdnsEvery = 2 * time.Second
	// beaconPort is where beacons go. beaconEvery is how often, beaconMax how long one may be,
	// beaconRate how many a second are verified, beaconForget when a number is forgotten (NETWORK §5).
	beaconPort   = 4002
	beaconEvery  = 60 * time.Second
	beaconMax    = 512
	beaconRate   = 5
	beaconForget = 3 * beaconEvery
	// mdnsAddrTime is how long an address found by mDNS is kept.
	mdnsAddrTime = 10 * time.Minute
	// lanDialsMax bounds dials to strangers found by mDNS, for the DHT's sake.
	lanDialsMax = 4
	// anchorEvery is how often the connection to a bootstrap node is looked at.
	anchorEvery = 15 * time.Second
	// foundMax bounds the addresses taken from one announcement.
	foundMax = 32

	// mailIn and mailPeer bound mailbox streams, each with mailMemory: a frame and the
	// range in it, both ways.
	mailIn, mailPeer = 128, 4
	mailMemory       = 4 << 20

	// relayBackoffMax bounds the wait for a relay that is away; libp2p's own is an hour.
	relayBackoffMax = 30 * time.Second
	// circuitAddrsMax bounds the addresses of a relay that ours are told by.
	circuitAddrsMax = 4
	// directEvery is how often a direct path is looked for where a relay carries.
	directEvery = 5 * time.Minute
	// upgradeYield is how long the node with the higher PeerID lets the other begin the
	// session on a direct path.
	upgradeYield = 2 * time.Second

	// skewBad is by how much a clock may differ from those of others before doctor minds.
	skewBad = 2 * time.Minute
	// targetsMax bounds the peers looked after: contacts and members of cases.
	targetsMax = 4096
	// quicDelayLAN, quicDelay and relayDelay are how long the better ways to dial lead.
	quicDelayLAN = 100 * time.Millisecond
	quicDelay    = 250 * time.Millisecond
	relayDelay   = 500 * time.Millisecond

	// provideValid is how long a provider record is kept, provideAddrs how long its addresses.
	provideValid, provideAddrs = 6 * time.Hour, time.Hour
	// provideEvery is how often one's own are renewed: before they are over, with room for a bad day.
	provideEvery = 4 * time.Hour
	// provideTime bounds announcing one topic.
	provideTime = time.Minute
	// providersPerKey, keysPerPeer and providersMax bound the records kept: NETWORK §4.2, and 20 MB in all.
	providersPerKey, keysPerPeer, providersMax = 1000, 64, 65_536
	// provideRate and provideBurst bound new ones a second from a peer and from its /24: a listing has 16 topics.
	provideRate, provideBurst = 5, 32
	// ratesMax bounds what is remembered for that, meterSweep is how often it is looked through.
	ratesMax, meterSweep = 65_536, 10 * time.Minute
	// diversePerBucket and diversePerTable bound the peers of one public /16 in the routing table.
	diversePerBucket, diversePerTable = 2, 3

	// findProviders is how many providers of a topic are asked for, findDials how many are dialled
	// at a time, askTime how long each may take.
	findProviders, findDials, askTime = 64, 16, 5 * time.Second
	// badMax is how many frames that do not count a peer may pass on before it counts as lying.
	badMax = 3
	// namedMax bounds the providers heard of one node of the DHT, kadAnswerMax its answer: a full
	// topic of 1,000 providers with their addresses.
	namedMax, kadAnswerMax = 256, 1 << 20
	// lieTime is how long a peer that lied is not asked, liarsMax how many are remembered.
	lieTime, liarsMax = time.Hour, 1024
	// passEvery is how often a LAN peer is asked for what it holds, and how often it is answered.
	passEvery = 10 * time.Minute
	// passMax bounds the peers whose last time is remembered, asksMax those asked at a time.
	passMax, asksMax = 4096, 4
	// serveStreams bounds the directory streams served at a time, serveTime each.
	serveStreams, serveTime = 32, 30 * time.Second
	// verifiesMax bounds the peers that wait for a person here to compare words.
	verifiesMax = 8
	// directoryMemory is what a stream reserves: a frame in and out.
	directoryMemory = 256 << 10
)
