package desk

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// other is a person whose program is the test.
type other struct {
	t       *testing.T
	root    *identity.Root
	id      identity.PersonID
	person  identity.Person
	device  *identity.Device
	kem     *seal.KEM
	cert    []byte
	records [][]byte
	cards   map[identity.DeviceID]*identity.Card
	profile map[identity.PersonID]*identity.Profile
	ahead   time.Duration // of the device's clock, when it posts
}

func newOther(t *testing.T, name string) *other {
	t.Helper()
	root := identity.NewRoot()
	o := &other{
		t: t, root: root, id: root.ID(), person: root.Person(), device: identity.NewDevice(root.ID(), wire.NewSecret()), kem: seal.NewKEM(),
		cards: map[identity.DeviceID]*identity.Card{}, profile: map[identity.PersonID]*identity.Profile{},
	}
	now := time.Now().UnixMilli()
	var err error
	if o.cert, err = root.CertifyDevice(o.device.Public(), "", 1, nil, now); err != nil {
		t.Fatal(err)
	}
	card, err := o.device.SignCard(identity.Card{Number: 1, IssuedMS: now, KEM: o.kem.Public(), Name: name, Kind: 1})
	if err != nil {
		t.Fatal(err)
	}
	o.records = [][]byte{o.person.Encode(), o.cert, card}
	own, err := identity.LoadProfile(o.records)
	if err != nil {
		t.Fatal(err)
	}
	o.learn(own)
	return o
}

func (o *other) learn(p *identity.Profile) {
	o.profile[p.ID] = p
	maps.Copy(o.cards, p.Cards)
}

func (o *other) Card(d identity.DeviceID) *identity.Card { return o.cards[d] }
func (o *other) local() ledger.Local                     { return ledger.Local{Device: o.device, KEMs: []*seal.KEM{o.kem}} }

func (o *other) peer() exchange.Peer {
	return exchange.Peer{ID: identity.PeerID(o.id[:]), Devices: []identity.DeviceID{o.device.ID()}, Known: true}
}

// befriend makes contacts of a desk's person and another.
func (o *other) befriend(d *Desk) *identity.Profile {
	o.t.Helper()
	card, err := d.GetCard(o.t.Context(), control.CardRequest{})
	if err != nil {
		o.t.Fatal(err)
	}
	inv, err := identity.ParseInvite(*card.Invite)
	if err != nil {
		o.t.Fatal(err)
	}
	join, err := inv.Join(o.records)
	if err != nil {
		o.t.Fatal(err)
	}
	accept, err := d.Join(join)
	if err != nil {
		o.t.Fatal(err)
	}
	prof, err := identity.OpenAccept(inv, join, accept)
	if err != nil {
		o.t.Fatal(err)
	}
	o.learn(prof)
	return prof
}

// found opens a case with others as members.
func (o *other) found(with ...*identity.Profile) (*ledger.Thread, [][]byte) {
	o.t.Helper()
	now := time.Now().UnixMilli()
	lt, items, err := ledger.Found(o.local(), []identity.Person{o.person}, [][]byte{o.cert}, now, o)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, p := range with {
		body := ledger.RoleBody{Person: p.ID, Rank: ledger.RankWriter, Record: &p.Person}
		for _, c := range p.Devices {
			body.Certs = append(body.Certs, wire.Raw(c.Bytes))
		}
		more, err := lt.Role(o.local(), body, now, o)
		if err != nil {
			o.t.Fatal(err)
		}
		items = append(items, more...)
	}
	return lt, append(sealedOf(items), o.post(lt, ledger.Request, consult.RequestBody{
		Question: "?", Priority: consult.PriorityRoutine, Consent: consult.ConsentTreatment,
	})...)
}

func (o *other) post(lt *ledger.Thread, kind ledger.Kind, body any) [][]byte {
	o.t.Helper()
	items, err := lt.Append(o.local(), kind, body, time.Now().Add(o.ahead).UnixMilli(), o)
	if err != nil {
		o.t.Fatal(err)
	}
	return sealedOf(items)
}

// grant lists the blobs of a manifest in a case, as if they were the granter's own.
func (o *other) grant(lt *ledger.Thread, m study.Manifest, to *Desk) [][]byte {
	o.t.Helper()
	m.Lineage, m.Version, m.Previous, m.Preview = [16]byte{9}, 1, nil, nil
	b, err := m.Encode()
	if err != nil {
		o.t.Fatal(err)
	}
	sealed, ref, leaves := seal.BlobRandom(seal.Manifest, b)
	batch := to.blobs.NewBatch()
	if err := batch.Put(ref.ID, sealed, leaves); err != nil {
		o.t.Fatal(err)
	}
	if err := batch.Commit(); err != nil {
		o.t.Fatal(err)
	}
	body := consult.GrantBody{Lineage: m.Lineage, Version: 1, Manifest: ref, Mode: m.Mode}
	body.Counts.Series, body.Counts.Instances, body.Counts.Bytes = uint64(len(m.Series)), m.Complete.Listed, 1
	return o.post(lt, ledger.Grant, body)
}

func firstBlob(m *study.Manifest) exchange.Want {
	ref := m.Series[0].Instances[0].Head.Ref
	return exchange.Want{Blob: ref.ID, Length: ref.SealedLen(), First: 0, N: 1}
}

func onlyStudy(t *testing.T, d *Desk) *holding {
	t.Helper()
	for _, h := range d.studies.held {
		return h
	}
	t.Fatal("no study")
	return nil
}

// TestBlobOfAnotherCase: who knows the names and keys of blobs of a case they are not in does not
// get them by listing them in a case of their own.
func TestBlobOfAnotherCase(t *testing.T) {
	d := openDesk(t, t.TempDir())
	friend, foe := newOther(t, "Friend"), newOther(t, "Foe")
	friend.befriend(d)
	own := foe.befriend(d)
	res := importAll(t, d, write(t, smallCT(3).Files))
	_, err := d.Request(t.Context(), control.NewCase{
		Studies: []string{res.Studies[0].Study}, To: []string{"Friend"}, Question: "?", Identified: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	h := onlyStudy(t, d)
	w := firstBlob(h.manifest)
	if _, _, err := d.Serve(friend.peer(), w, nil); err != nil {
		t.Fatalf("a member is not served: %v", err)
	}
	if _, _, err := d.Serve(foe.peer(), w, nil); !errors.Is(err, exchange.ErrNotAllowed) {
		t.Fatalf("no member is served: %v", err)
	}

	lt, items := foe.found(own)
	items = append(items, foe.grant(lt, *h.manifest, d)...)
	if got := d.Receive(foe.peer(), nil, items); got.Bad > 0 || !got.Known {
		t.Fatalf("the foe's case did not arrive: %+v", got)
	}
	if d.studies.held[holdingKey{[16]byte{9}, foe.id}] == nil {
		t.Fatal("the foe's manifest was not read: the test shows nothing")
	}
	if _, _, err := d.Serve(foe.peer(), w, nil); !errors.Is(err, exchange.ErrNotAllowed) {
		t.Errorf("a contact got a blob of another case by granting it to their own: %v", err)
	}
	if _, _, err := d.Serve(friend.peer(), w, nil); err != nil {
		t.Errorf("a member is not served any more: %v", err)
	}
	if _, err := d.Join([]byte("nothing")); err == nil {
		t.Error("a Join of nothing")
	}
}

// TestReceivedBlobOfAnotherCase is the same for images that somebody else granted to us.
func TestReceivedBlobOfAnotherCase(t *testing.T) {
	d := openDesk(t, t.TempDir())
	friend, foe := newOther(t, "Friend"), newOther(t, "Foe")
	own := friend.befriend(d)
	foe.befriend(d)
	elsewhere := openDesk(t, t.TempDir())
	importAll(t, elsewhere, write(t, smallCT(3).Files))
	m := onlyStudy(t, elsewhere).manifest
	copyBlobs(t, elsewhere, d, m)

	lt, items := friend.found(own)
	items = append(items, friend.grant(lt, *m, d)...)
	d.Receive(friend.peer(), nil, items)
	w := firstBlob(m)
	if _, _, err := d.Serve(friend.peer(), w, nil); err != nil {
		t.Fatalf("a member is not served: %v", err)
	}
	lt2, items := foe.found(own)
	items = append(items, foe.grant(lt2, *m, d)...)
	d.Receive(foe.peer(), nil, items)
	if _, _, err := d.Serve(foe.peer(), w, nil); !errors.Is(err, exchange.ErrNotAllowed) {
		t.Errorf("a contact got a blob of another case by granting it to their own: %v", err)
	}
}

func copyBlobs(t *testing.T, from, to *Desk, m *study.Manifest) {
	t.Helper()
	batch := to.blobs.NewBatch()
	for i := range m.Series[0].Instances {
		for _, id := range blobsOf(&m.Series[0].Instances[i]) {
			b, err := from.blobs.Read(id, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if err := batch.Put(id, b, blob.Leaves(b)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := batch.Commit(); err != nil {
		t.Fatal(err)
	}
}

// TestStrangers: a stranger's case waits apart, fetches nothing, gets no receipt and cannot grow
// without end; it comes in once its requester is a contact.
func TestStrangers(t *testing.T) {
	t.Parallel()
	d := openDesk(t, t.TempDir())
	friend, stranger := newOther(t, "Friend"), newOther(t, "Stranger")
	own := friend.befriend(d)
	stranger.learn(own)
	elsewhere := openDesk(t, t.TempDir())
	importAll(t, elsewhere, write(t, smallCT(3).Files))
	lt, items := stranger.found(own)
	items = append(items, stranger.grant(lt, *onlyStudy(t, elsewhere).manifest, d)...)
	peer := stranger.peer()
	peer.Known = d.Known(peer.Devices)
	if peer.Known {
		t.Fatal("a stranger is known")
	}
	d.Receive(peer, nil, items)
	cases, err := d.CaseList(t.Context(), control.None{})
	if err != nil || len(cases) != 1 || !cases[0].Stranger {
		t.Fatalf("cases: %+v, %v", cases, err)
	}
	if n := d.plan.Len(); n > 0 {
		t.Errorf("%d blobs of a stranger are wanted", n)
	}
	if d.Known(peer.Devices) {
		t.Error("a stranger's case makes them known")
	}
	id := lt.ID()
	for range 3 * strangerEntriesMax / 100 {
		var more [][]byte
		for range 100 {
			more = append(more, stranger.post(lt, ledger.Message, consult.MessageBody{Text: "let me in"})...)
		}
		d.Receive(peer, &id, more)
	}
	if n := len(d.threads[id].items); n > strangerEntriesMax+200 {
		t.Errorf("a stranger left %d entries", n)
	}
	for i := range strangersMax + 10 {
		x, more := stranger.found(own)
		d.Receive(exchange.Peer{Devices: peer.Devices, Known: i%2 == 0}, nil, more)
		_ = x
	}
	if n := d.strangers(); n > strangersMax {
		t.Errorf("%d cases of strangers", n)
	}
	d.postReceipts(map[ledger.ThreadID]bool{id: true})
	for _, e := range d.threads[id].ledger.Entries() {
		if d.personOf(e.Person) != nil {
			t.Error("a stranger got a receipt")
		}
	}
	stranger.befriend(d)
	if c, err := d.CaseShow(t.Context(), control.CaseShowRequest{Case: id.String()}); err != nil || c.Stranger {
		t.Errorf("still a stranger's: %v", err)
	}
	if n := d.plan.Len(); n == 0 {
		t.Error("nothing is wanted from a contact")
	}
	d.Receive(stranger.peer(), &id, sealedOf(lt.Missing(d.Rows(id))))
	if got, want := len(d.threads[id].items), len(lt.Entries()); got < want {
		t.Errorf("%d of %d entries", got, want)
	}
}

// TestManyEntries is issue 2: 5,000 entries in random order with duplicates, and both have the same
// state.
func TestManyEntries(t *testing.T) {
	t.Parallel()
	n := 5000
	if testing.Short() {
		n = 500
	}
	d := openDesk(t, t.TempDir())
	o := newOther(t, "Other")
	own := o.befriend(d)
	lt, items := o.found(own)
	d.Receive(o.peer(), nil, items)
	id := lt.ID()
	r := rand.New(rand.NewPCG(5, 5))

	// Both write a while without hearing of each other, then exchange, and again.
	start := time.Now()
	for lap := range 5 {
		var mine [][]byte
		for i := range n / 10 {
			mine = append(mine, o.post(lt, ledger.Message, consult.MessageBody{Text: "from afar"})...)
			d.mu.Lock()
			_, err := d.threads[id].ledger.Append(d.persons[0].local(), ledger.Message, consult.MessageBody{Text: "from here"}, d.nowMS(), d)
			d.mu.Unlock()
			if err != nil {
				t.Fatal(lap, i, err)
			}
		}
		d.mu.Lock()
		theirs := lt.Rows()
		fresh := d.threads[id].ledger.Missing(theirs)
		d.threads[id].changed()
		err := d.keepItems(d.threads[id], fresh)
		d.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		sent := twice(r, sealedOf(fresh))
		for _, b := range sent {
			if _, err := lt.Receive(b, []ledger.Local{o.local()}); err != nil && !errors.Is(err, ledger.ErrFull) {
				t.Fatal(err)
			}
		}
		for part := range slices.Chunk(twice(r, mine), 97) {
			if got := d.Receive(o.peer(), &id, part); got.Bad > 0 {
				t.Fatalf("%d bad entries", got.Bad)
			}
		}
		for rounds := 0; lt.Root() != ledger.RootOf(d.Rows(id)); rounds++ {
			if rounds == 10 {
				t.Fatal("they do not become level")
			}
			d.Receive(o.peer(), &id, sealedOf(lt.Missing(d.Rows(id))))
			for _, b := range d.Missing(id, lt.Rows()) {
				_, _ = lt.Receive(b, []ledger.Local{o.local()})
			}
		}
	}
	t.Logf("%d entries in %s", len(lt.Entries()), time.Since(start))
	d.postReceipts(map[ledger.ThreadID]bool{id: true})
	want := consult.Fold(lt).Hash()
	got := d.threads[id].fold().Hash()
	if len(lt.Entries()) < n || got != want {
		t.Errorf("%d entries; hashes differ: %x, %x", len(lt.Entries()), got[:4], want[:4])
	}
	// What is on the disk says the same.
	d.mu.Lock()
	d.reload(d.threads[id])
	again := d.threads[id].fold().Hash()
	d.mu.Unlock()
	if again != want {
		t.Error("after reading the journal the state is another")
	}
}

// twice shuffles, with a third of all twice.
func twice(r *rand.Rand, items [][]byte) [][]byte {
	out := slices.Clone(items)
	for i := range items {
		if r.IntN(3) == 0 {
			out = append(out, items[i])
		}
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// TestLateImagesAreGrantedAfterACrash: images that were committed to a study of an open case, and
// not granted before the node ended, are granted at the next start, once.
func TestLateImagesAreGrantedAfterACrash(t *testing.T) {
	d := openDesk(t, t.TempDir())
	o := newOther(t, "Dr Other")
	o.befriend(d)
	ct := smallCT(6)
	importAll(t, d, write(t, ct.Files[:4]))
	ref, err := d.Request(t.Context(), control.NewCase{
		Studies: []string{only(t, d).Study}, To: []string{"Dr Other"}, Question: "?", Identified: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	// The import ends between its commit and the grant.
	r := &importRun{
		d: d, p: d.persons[0], drafts: map[string]*holding{}, batch: d.blobs.NewBatch(),
	}
	var files []*sealedFile
	err = walk(t.Context(), []string{write(t, ct.Files[4:])}, func(s source) error {
		files = append(files, r.take(s).sealed)
		return nil
	}, func(string, string, string) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.commit(files, &control.ImportResult{}, map[*holding]*control.ImportedStudy{}); err != nil {
		t.Fatal(err)
	}
	grants := func() (n, listed int) {
		d.mu.Lock()
		defer d.mu.Unlock()
		for id, th := range d.threads {
			if id.String() == ref.Case {
				n, listed = len(th.fold().AllGrants), int(th.fold().Grants[0].Instances)
			}
		}
		return n, listed
	}
	d.regrant(t.Context())
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if n, listed := grants(); n == 2 && listed == 6 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d grants, the newest of %d images", n, listed)
		}
	}
	d.mu.Lock()
	again := d.behind(onlyHeld(d))
	d.mu.Unlock()
	if again {
		t.Error("what was granted is to be granted again")
	}
}

func onlyHeld(d *Desk) *holding {
	for _, h := range d.studies.held {
		return h
	}
	return nil
}

// TestPriors: a study that is named as a prior too stays a study, and does not make a prior of another.
func TestPriors(t *testing.T) {
	d := openDesk(t, t.TempDir())
	newOther(t, "Friend").befriend(d)
	var ids []string
	for i, date := range []string{"20260101", "20260202", "20250303"} {
		o := phantom.Options{Seed: uint64(i), Slices: 1, Side: 64, PatientName: "Doe^Jane", PatientID: "P1", BirthDate: "19700101", Sex: "F", StudyDate: date}
		ids = append(ids, importAll(t, d, write(t, phantom.CT(o).Files)).Studies[0].Study)
	}
	ref, err := d.Request(t.Context(), control.NewCase{
		Studies: ids[:2], Priors: []string{ids[0], ids[2]}, To: []string{"Friend"}, Question: "?", Identified: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.CaseShow(t.Context(), control.CaseShowRequest{Case: ref.Case})
	if err != nil || len(c.Studies) != 3 {
		t.Fatal(c.Studies, err)
	}
	for _, s := range c.Studies {
		if s.Prior != (s.Study == ids[2]) {
			t.Errorf("study %s: prior %v", s.Study, s.Prior)
		}
	}
}

// TestBlockedGetsNothing: what is posted by itself, a receipt, does not go to a blocked member, nor
// to one with a device that was revoked and not cut.
func TestBlockedGetsNothing(t *testing.T) {
	d := openDesk(t, t.TempDir())
	o := newOther(t, "Other")
	own := o.befriend(d)
	lt, items := o.found(own)
	d.Receive(o.peer(), nil, items)
	id := lt.ID()
	mine := func() int {
		n := 0
		for _, e := range d.threads[id].ledger.Entries() {
			if d.personOf(e.Person) != nil {
				n++
			}
		}
		return n
	}
	_, err := d.ContactVerify(t.Context(), control.ContactVerifyRequest{Contact: "Other", Number: "00000"})
	if err == nil {
		t.Fatal("nonsense verifies")
	}
	d.postReceipts(map[ledger.ThreadID]bool{id: true})
	if mine() > 0 {
		t.Error("a blocked member got a receipt")
	}
	if _, err := d.CaseAccept(t.Context(), control.CaseRequest{Case: id.String()}); control.AsError(err).Code != control.Refused {
		t.Errorf("accepted to a blocked member: %v", err)
	}
	d.profiles[o.id].Devices[o.device.ID()].Revoked = 2
	if d.Known(o.peer().Devices) {
		t.Error("a revoked device is known")
	}
	if shared, _ := d.Shared(o.peer()); len(shared) > 0 {
		t.Error("a revoked device shares a case")
	}
	d.profiles[o.id].Devices[o.device.ID()].Revoked = 0
	o.befriend(d)
	d.postReceipts(map[ledger.ThreadID]bool{id: true})
	if mine() == 0 {
		t.Error("no receipt after a new invite")
	}
}

// TestLostLeaves: a blob of which the disk lost what it had taken is wanted again.
func TestLostLeaves(t *testing.T) {
	d := openDesk(t, t.TempDir())
	friend := newOther(t, "Friend")
	own := friend.befriend(d)
	elsewhere := openDesk(t, t.TempDir())
	importAll(t, elsewhere, write(t, smallCT(3).Files))
	m := onlyStudy(t, elsewhere).manifest
	lt, items := friend.found(own)
	items = append(items, friend.grant(lt, *m, d)...)
	d.Receive(friend.peer(), nil, items)
	all := d.plan.Len()
	if all != 6 {
		t.Fatalf("%d blobs are wanted", all)
	}
	ref := m.Series[0].Instances[0].Bulk.Ref
	// The plan believes every leaf stored and has forgotten the blob; the disk has none.
	d.plan.Stored("", exchange.Want{Blob: ref.ID, Length: ref.SealedLen(), First: 0, N: blob.LeafCount(ref.SealedLen())})
	if n := d.plan.Len(); n != all-1 {
		t.Fatalf("%d blobs are wanted", n)
	}
	d.mu.Lock()
	d.wantAgain(ref.ID)
	d.mu.Unlock()
	if have, total, wanted := d.plan.Progress(ref.ID); !wanted || have != 0 || total == 0 {
		t.Errorf("lost leaves are not wanted again: %d of %d", have, total)
	}
}

// TestVouched: a case of somebody unknown is no stranger's where a contact invited this node to it,
// and one where somebody unknown did so is.
func TestVouched(t *testing.T) {
	t.Parallel()
	for _, contact := range []bool{true, false} {
		d := openDesk(t, t.TempDir())
		friend, requester := newOther(t, "Friend"), newOther(t, "Requester")
		own := d.persons[0].profile
		if contact {
			friend.befriend(d)
		}
		friend.learn(own)
		requester.learn(friend.profile[friend.id])
		lt, items := requester.found()
		role := func(by, to *other, prof *identity.Profile, rank ledger.Rank) {
			body := ledger.RoleBody{Person: prof.ID, Rank: rank, Record: &prof.Person}
			for _, c := range prof.Devices {
				body.Certs = append(body.Certs, wire.Raw(c.Bytes))
			}
			more, err := lt.Role(by.local(), body, time.Now().UnixMilli(), to)
			if err != nil {
				t.Fatal(err)
			}
			items = append(items, sealedOf(more)...)
		}
		role(requester, requester, friend.profile[friend.id], ledger.RankAdmin)
		friend.learn(requester.profile[requester.id])
		role(friend, friend, own, ledger.RankWriter)
		d.Receive(friend.peer(), nil, items)
		cases, err := d.CaseList(t.Context(), control.None{})
		if err != nil || len(cases) != 1 || cases[0].Stranger == contact {
			t.Errorf("invited by a contact %v: cases %+v, %v", contact, cases, err)
		}
	}
}

// TestMeasuredClock: what a session measured of a peer's clock puts its entries right, and a little
// is not minded.
func TestMeasuredClock(t *testing.T) {
	t.Parallel()
	d := openDesk(t, t.TempDir())
	o := newOther(t, "Other")
	o.befriend(d)
	for _, tc := range []struct {
		skew time.Duration
		want int64
	}{{20 * time.Minute, -20 * 60_000}, {-time.Hour, 3_600_000}, {time.Second, 0}} {
		peer := o.peer()
		peer.Skew = tc.skew
		d.Session(peer, true)
		d.mu.Lock()
		if got := d.clock(d.persons[0]).Skew(o.device.ID()); got != tc.want {
			t.Errorf("%v ahead: %d, want %d", tc.skew, got, tc.want)
		}
		d.mu.Unlock()
		d.Session(peer, false)
	}
}
