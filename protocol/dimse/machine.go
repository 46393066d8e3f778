package dimse

// This is the state machine of PS3.8 §9.2 and nothing else: no connection, no clock. An event of
// the other side, of the user or of the timer goes in, what is to be done comes out.

// state is one of PS3.8 table 9-1 to 9-5.
type state byte

const (
	sta1  state = iota + 1 // idle
	sta2                   // transport open, awaiting A-ASSOCIATE-RQ
	sta3                   // awaiting the local response to it
	sta4                   // awaiting the transport
	sta5                   // awaiting A-ASSOCIATE-AC or -RJ
	sta6                   // ready for data
	sta7                   // awaiting A-RELEASE-RP
	sta8                   // awaiting the local release response
	sta9                   // release collision, requestor: awaiting the local response
	sta10                  // release collision, acceptor: awaiting A-RELEASE-RP
	sta11                  // release collision, requestor: awaiting A-RELEASE-RP
	sta12                  // release collision, acceptor: awaiting the local response
	sta13                  // awaiting the end of the transport
)

// event is a row of PS3.8 table 9-10, in its order.
type event byte

const (
	evRequest event = iota
	evConnected
	evAC
	evRJ
	evIncoming
	evRQ
	evAccept
	evReject
	evSend
	evData
	evRelease
	evReleaseRQ
	evReleaseRP
	evReleaseAnswer
	evAbort
	evAbortPDU
	evClosed
	evTimer
	evInvalid
	events
)

// effect is what an action asks for; an action is several.
type effect uint32

const (
	doConnect effect = 1 << iota
	doRQ
	doAC
	doRJ
	doData
	doReleaseRQ
	doReleaseRP
	doAbortUser
	doAbortProvider
	doTimer // start or restart
	doStop  // the timer
	doClose
	tellAssociate // request, acceptance or rejection
	tellData
	tellRelease
	tellReleased
	tellAbort
	doCheck // AE-6: whether the request can be taken is for the user
)

// action is an entry of the table: what is done, and the state after.
type action struct {
	effect effect
	next   state
}

// PS3.8 tables 9-6 to 9-9.
var (
	ae1  = action{doConnect, sta4}
	ae2  = action{doRQ, sta5}
	ae3  = action{tellAssociate, sta6}
	ae4  = action{tellAssociate | doClose, sta1}
	ae5  = action{doTimer, sta2}
	ae6  = action{doStop | doCheck, sta3}
	ae7  = action{doAC, sta6}
	ae8  = action{doRJ | doTimer, sta13}
	dt1  = action{doData, sta6}
	dt2  = action{tellData, sta6}
	ar1  = action{doReleaseRQ, sta7}
	ar2  = action{tellRelease, sta8}
	ar3  = action{tellReleased | doClose, sta1}
	ar4  = action{doReleaseRP | doTimer, sta13}
	ar5  = action{doStop, sta1}
	ar6  = action{tellData, sta7}
	ar7  = action{doData, sta8}
	ar8r = action{tellRelease, sta9}
	ar8a = action{tellRelease, sta10}
	ar9  = action{doReleaseRP, sta11}
	ar10 = action{tellReleased, sta12}
	aa1  = action{doAbortUser | doTimer, sta13}
	aa2  = action{doStop | doClose, sta1}
	aa3  = action{tellAbort | doClose, sta1}
	aa4  = action{tellAbort, sta1}
	aa5  = action{doStop, sta1}
	aa6  = action{0, sta13}
	aa7  = action{doAbortProvider, sta13}
	aa8  = action{doAbortProvider | tellAbort | doTimer, sta13}
)

// table is PS3.8 table 9-10: by event, then by state. What is not in it cannot happen but by a
// fault of this package.
var table = [events]map[state]action{
	evRequest:       {sta1: ae1},
	evConnected:     {sta4: ae2},
	evAC:            with(map[state]action{sta2: aa1, sta5: ae3, sta13: aa6}, aa8),
	evRJ:            with(map[state]action{sta2: aa1, sta5: ae4, sta13: aa6}, aa8),
	evIncoming:      {sta1: ae5},
	evRQ:            with(map[state]action{sta2: ae6, sta13: aa7}, aa8),
	evAccept:        {sta3: ae7},
	evReject:        {sta3: ae8},
	evSend:          {sta6: dt1, sta8: ar7},
	evData:          with(map[state]action{sta2: aa1, sta6: dt2, sta7: ar6, sta13: aa6}, aa8),
	evRelease:       {sta6: ar1},
	evReleaseRQ:     with(map[state]action{sta2: aa1, sta6: ar2, sta13: aa6}, aa8), // in sta7 the role decides
	evReleaseRP:     with(map[state]action{sta2: aa1, sta7: ar3, sta10: ar10, sta11: ar3, sta13: aa6}, aa8),
	evReleaseAnswer: {sta8: ar4, sta9: ar9, sta12: ar4},
	evAbort:         with(map[state]action{sta4: aa2}, aa1),
	evAbortPDU:      with(map[state]action{sta2: aa2, sta13: aa2}, aa3),
	evClosed:        with(map[state]action{sta2: aa5, sta4: aa4, sta13: ar5}, aa4),
	evTimer:         {sta2: aa2, sta13: aa2},
	evInvalid:       with(map[state]action{sta2: aa1, sta13: aa7}, aa8),
}

// with fills the columns of an open association that a row does not name: sta3, sta5 to sta12.
func with(row map[state]action, rest action) map[state]action {
	for s := sta3; s <= sta12; s++ {
		if _, ok := row[s]; !ok && s != sta4 {
			row[s] = rest
		}
	}
	return row
}

// machine is one association's place in the table.
type machine struct {
	state     state
	requestor bool
}

// step takes an event. It reports false, and does nothing, where the table has no entry.
func (m *machine) step(e event) (effect, bool) {
	a, ok := table[e][m.state]
	if e == evReleaseRQ && m.state == sta7 { // AR-8
		if a = ar8a; m.requestor {
			a = ar8r
		}
	}
	if !ok {
		return 0, false
	}
	m.state = a.next
	return a.effect, true
}
