// Package desk is every use case of a node: it imports and exports studies, opens and answers
// cases, keeps contacts, and is what a peer's session talks to. It is the only writer of local
// entries.
//
//	control request -> desk -> consult.Authorize -> ledger -> journal -> peering, control events
//	peering         -> desk -> ledger admits     -> journal           -> blobs wanted, control events
//
// Everything that a caller was told is done is on the medium before: blobs first, then the rows
// or entries that name them, so that nothing ever names what is not there. What is half-done
// after a crash is never visible and is done again by repeating the command.
//
// One mutex guards what the desk holds in memory: persons, contacts, threads and studies.
// Sealing, packing and reading of blobs happen outside it. All foreign text is passed through
// consult/text on its way to control. No log line, error or event holds patient data.
package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/directory"
	"github.com/curbside-p2p/curbside/node/peering"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/mailbox"
	"github.com/curbside-p2p/curbside/storage"
	"github.com/curbside-p2p/curbside/storage/audit"
	"github.com/curbside-p2p/curbside/storage/blobs"
	"github.com/curbside-p2p/curbside/storage/index"
	"github.com/curbside-p2p/curbside/storage/journal"
)

// Network is what the desk needs of the network while the node serves; *peering.Node is one.
type Network interface {
	Changed(t ledger.ThreadID)
	Held(t ledger.ThreadID)
	Wanted()
	Renew()
	Restart()
	Join(ctx context.Context, peers []identity.PeerAddrs, join []byte) ([]byte, error)
	Self() identity.PeerAddrs
	Addrs() []string
	Peers() []peering.PeerInfo
	Absent() []peering.Absence
	Mailbox(ctx context.Context, at identity.PeerAddrs, f func(*mailbox.Client) error) error
	Find(ctx context.Context, topics [][32]byte) (peering.Search, error)
	Relist()
	OpenVerify(ctx context.Context, peers []identity.PeerAddrs, f func(context.Context, peering.Stream)) error
}

// Config is what a desk is made of.
type Config struct {
	Dir        *storage.Dir
	PeerID     identity.PeerID // the node's, for cards and invites made before it has an address
	Passphrase []byte
	Now        func() time.Time
	Log        *slog.Logger
	// PassphraseKiB is the cost of new passphrases, 0 for the default; tests lower it.
	PassphraseKiB uint32
	// Setting reads a setting of the configuration file: trust, consent. The parts of a list are lines.
	Setting func(key string) string
	Mail    MailConfig
}

// Desk is an open data directory at work.
type Desk struct {
	dir     *storage.Dir
	peer    identity.PeerID // own
	blobs   *blobs.Store
	journal *journal.Journal
	index   *index.Index
	audit   *audit.Log
	now     func() time.Time
	log     *slog.Logger
	setting func(string) string

	passphraseKiB uint32

	plan     *exchange.Plan
	events   *bus
	receipts chan ledger.ThreadID // threads whose receipts are due
	whole    *queue               // blobs that became whole
	fresh    *freshHaves          // what others are to be told of
	lost     *queue               // blobs of which leaves were lost again
	notes    chan note            // notices for hooks
	frames   *frames              // decodes images
	placed   placedSeries
	checks   *checks // what was measured of marks
	closing  chan struct{}
	close    sync.Once
	loops    sync.WaitGroup

	importing sync.Mutex   // one import at a time
	removing  sync.RWMutex // held for reading while files are taken in, for writing while a study goes
	door      *door

	archive Archive    // nil while nothing is attached
	filing  sync.Mutex // one filing at a time names objects

	mu       sync.Mutex // guards all below
	net      Network    // nil while no node serves
	persons  []*person
	threads  map[ledger.ThreadID]*thread
	profiles map[identity.PersonID]*identity.Profile // contacts and members
	vouches  vouches
	found    *directory.Cache // who was found; nil until the index is open
	own      map[identity.PersonID]*listed
	finders  map[chan directory.Taken]struct{}       // searches under way
	lives    map[string]*live                        // live words under way, by session
	offers   []*offer                                // peers that wait to compare words
	devices  map[identity.DeviceID]identity.PersonID // of profiles and of the persons here
	online   map[identity.PeerID]*onlinePeer
	ahead    map[identity.DeviceID]int64 // by how many ms the clocks of devices were ahead, as sessions measured
	grants   map[blob.ID][]claim         // which threads were granted a blob, and by whom
	granted  map[blob.ID][]byte          // manifests that persons here granted, with the have of all they list
	unusable map[blob.ID]bool            // manifests that were read and are none
	studies  *catalogue
	drafts   map[draftKey]*holding // studies begun by imports at work
	strange  [][]byte              // records of peers who are nobody here
	unplaced [][]byte              // records of people who are nobody here yet
	forgotMS int64                 // when waiting entries were dropped last
	shares   map[holdingKey]*share // studies that persons here shared under pseudonyms
	inTime   targetsRead
	views    map[viewKey]int64        // when a person's looking at a study was recorded last
	came     map[ledger.EntryID]int64 // when entries came that claim a later time
	mail     mail
}

// onlinePeer counts the sessions with one peer.
type onlinePeer struct {
	sessions int
	devices  []identity.DeviceID
	since    time.Time
	spoiled  int // ranges that did not verify
}

// Open opens the stores and loads every person, contact, study and case.
func Open(ctx context.Context, cfg Config) (*Desk, error) {
	d := &Desk{
		dir: cfg.Dir, peer: cfg.PeerID, now: cfg.Now, log: cfg.Log, setting: cfg.Setting, passphraseKiB: cfg.PassphraseKiB,
		plan: exchange.NewPlan(), events: newBus(), whole: newQueue(),
		receipts: make(chan ledger.ThreadID, 1024),
		notes:    make(chan note, noticesMax),
		threads:  map[ledger.ThreadID]*thread{},
		profiles: map[identity.PersonID]*identity.Profile{},
		vouches:  newVouches(),
		own:      map[identity.PersonID]*listed{},
		finders:  map[chan directory.Taken]struct{}{},
		lives:    map[string]*live{},
		devices:  map[identity.DeviceID]identity.PersonID{},
		online:   map[identity.PeerID]*onlinePeer{},
		ahead:    map[identity.DeviceID]int64{},
		grants:   map[blob.ID][]claim{},
		granted:  map[blob.ID][]byte{},
		unusable: map[blob.ID]bool{},
		lost:     newQueue(),
		fresh:    newFreshHaves(),
		frames:   newFrames(),
		checks:   newChecks(),
		views:    map[viewKey]int64{},
		came:     map[ledger.EntryID]int64{},
		closing:  make(chan struct{}),
		studies:  newCatalogue(),
		drafts:   map[draftKey]*holding{},
		shares:   map[holdingKey]*share{},
	}
	d.mail = newMail(cfg.Mail)
	d.door = newDoor(d)
	if err := d.open(ctx, cfg.Passphrase); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Desk) open(ctx context.Context, passphrase []byte) error {
	var err error
	if d.blobs, err = blobs.Open(d.dir.Blobs()); err != nil {
		return fmt.Errorf("open blobs: %w", err)
	}
	d.blobs.OnWhole(d.blobWhole)
	d.blobs.OnLost(d.lost.put)
	d.loops.Go(d.wholeLoop)
	d.loops.Go(d.lostLoop)
	if d.journal, err = journal.Open(d.dir.Journal()); err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	if f := d.journal.Found(); !f.Healthy() {
		d.log.WarnContext(ctx, "journal is damaged", slog.Int("faults", len(f.Damage)))
	}
	if err := d.openPersons(passphrase); err != nil {
		return err
	}
	if err := d.openIndex(); err != nil {
		return err
	}
	if err := d.openAudit(); err != nil {
		return err
	}
	if err := errors.Join(d.loadCame(), d.loadThreads(ctx)); err != nil {
		return err
	}
	return d.loadStudies()
}

// Close gives everything back. What was acknowledged is on the medium already.
func (d *Desk) Close() error {
	d.close.Do(func() { close(d.closing) })
	d.fresh.close()
	d.whole.close()
	d.lost.close()
	d.loops.Wait()
	var errs []error
	if d.audit != nil {
		errs = append(errs, d.closeAudit())
	}
	if d.index != nil {
		errs = append(errs, d.index.Close())
	}
	if d.journal != nil {
		errs = append(errs, d.journal.Close())
	}
	if d.blobs != nil {
		errs = append(errs, d.blobs.Close())
	}
	for _, p := range d.persons {
		errs = append(errs, p.vault.Close())
	}
	return errors.Join(errs...)
}

// Attach gives the desk the network, once it listens; nil takes it away.
//
// Cards name the addresses from the first moment on, or an invite used right after would make
// contacts of two who cannot find each other.
func (d *Desk) Attach(n Network) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.net = n
	if n == nil {
		return nil
	}
	defer d.refreshListings()
	return d.refreshCards()
}

// Run does what must be done in time while the node serves: receipts, pending invites, cards, what is due.
func (d *Desk) Run(ctx context.Context) error {
	tick := time.NewTicker(pendingEvery)
	defer tick.Stop()
	swarm := time.NewTicker(haveEvery)
	defer swarm.Stop()
	var pending sync.WaitGroup
	defer pending.Wait()
	pending.Go(func() { d.pendingLoop(ctx) })
	pending.Go(func() { d.mailLoop(ctx) })
	pending.Go(func() { d.attendLoop(ctx) })
	pending.Go(func() { d.hookLoop(ctx) })
	pending.Go(func() { d.door.settleLoop(ctx) })
	due := map[ledger.ThreadID]bool{}
	var quiet <-chan time.Time
	d.queueReceipts()
	d.regrant(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case t := <-d.receipts:
			// A receipt waits until entries stop coming, so that one covers many.
			due[t] = true
			quiet = time.After(receiptAfter)
		case <-swarm.C:
			if d.plan.Waits() {
				_, _ = hold(d, func() (struct{}, error) { d.tell(func(n Network) { n.Wanted() }); return struct{}{}, nil })
			}
		case <-quiet:
			d.postReceipts(due)
			clear(due)
			quiet = nil
		case <-tick.C:
			if _, err := hold(d, func() (struct{}, error) { return struct{}{}, d.refreshed() }); err != nil {
				d.log.WarnContext(ctx, "own card not refreshed", slog.Any("error", err))
			}
			d.forgetWaiting()
		}
	}
}

// pendingLoop tries unanswered invites again. A try waits for the network, so it has a loop of
// its own.
func (d *Desk) pendingLoop(ctx context.Context) {
	tick := time.NewTicker(pendingEvery)
	defer tick.Stop()
	for {
		d.retryPending(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

const (
	pendingEvery = 5 * time.Second
	receiptAfter = 300 * time.Millisecond
)

// hold runs f under the desk's lock, which also a panic in f gives back: net/http survives a
// handler's panic, and the node must not be deaf after it.
func hold[T any](d *Desk, f func() (T, error)) (T, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return f()
}

func (d *Desk) nowMS() int64 { return d.now().UnixMilli() }

// instant is a time that somebody claims, within the years that RFC 3339 can say: one that no
// answer could hold would hide every other case of the list.
func instant(ms int64) time.Time { return time.UnixMilli(min(max(ms, instantMin), instantMax)).UTC() }

const (
	instantMin = -62167219200000 // 0000-01-01T00:00:00Z
	instantMax = 253402300799000 // 9999-12-31T23:59:59Z
)

// network returns the network, or says that no node is running.
func (d *Desk) network() (Network, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.net == nil {
		return nil, control.Errorf(control.NotRunning, "no node is running here").WithHint("start one with: curbside serve")
	}
	return d.net, nil
}

// tell runs f with the network if there is one. Its methods never block, so the lock may be held.
func (d *Desk) tell(f func(Network)) {
	if d.net != nil {
		f(d.net)
	}
}

func internal(doing string, err error) error {
	return control.Errorf(control.Internal, "%s: %v", doing, err)
}
