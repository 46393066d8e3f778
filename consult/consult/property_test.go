package consult

import (
	"flag"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

var histories = flag.Int("histories", 15, "random histories to fold in several orders")

// TestOrder folds random histories, made on replicas that meet now and then, in
// other orders of arrival: state and hash must not differ.
func TestOrder(t *testing.T) {
	for n := range *histories {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(n), 7))
			w, _, _, _, _, _ := asked(t, false)
			play := newRandom(w, r)
			for range 30 {
				play.step()
			}
			w.level()
			want := w.all[0].fold()
			if got := play.memory.Fold(w.all[0].t); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: what was remembered differs", n)
			}
			for _, a := range w.all {
				if got := shuffled(w, a, r); !reflect.DeepEqual(got, want) || got.Hash() != want.Hash() {
					t.Fatalf("seed %d: %s sees another state in another order: %s %v, %s %v", n, a.name, got.State, got.Flags, want.State, want.Flags)
				}
			}
			quiet(w)
			if got := w.all[0].fold(); got.Hash() != want.Hash() {
				t.Fatalf("seed %d: receipts change the hash", n)
			}
		})
	}
}

// shuffled gives all that a member may have, in random order and some of it
// twice, to a new replica.
func shuffled(w *world, a *actor, r *rand.Rand) *State {
	w.Helper()
	items := w.all[0].t.Missing(nil)
	items = append(items, items[:len(items)/3]...)
	r.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	t := ledger.NewThread(w.id)
	for range 2 { // who was removed cannot open all; who opens late asks again
		for _, it := range items {
			_, err := t.Receive(it.Sealed, []ledger.Local{w.all[0].local, a.local})
			w.must(err)
		}
	}
	return Fold(t)
}

// quiet posts receipts until nobody has anything to say, which must come soon.
func quiet(w *world) {
	w.Helper()
	for range 3 {
		said := false
		for _, a := range w.all {
			if a.rank() == ledger.RankNone {
				continue
			}
			said = a.receipt(ReceiptDelivered) || said
			said = a.receipt(ReceiptRead) || said
		}
		w.level()
		if !said {
			return
		}
	}
	w.Fatal("receipts go on and on")
}

func (a *actor) rank() ledger.Rank { return a.t.Members().Ranks[a.id()] }

// author is who posts in a random history.
type author interface {
	id() identity.PersonID
	device() identity.DeviceID
	fold() *State
	sign(status uint64, text string, supersedes ...ledger.EntryID) *ReportBody
}

func (a *actor) device() identity.DeviceID { return a.local.Device.ID() }

// randomBodies makes random bodies, allowed or not.
type randomBodies struct {
	r     *rand.Rand
	all   []author
	known map[ledger.Kind][]ledger.EntryID
	reads map[ledger.EntryID]*ReportBody // what sealed reads hide, by their entry
	last  *ReportBody                    // what the last body sealed
}

// randomCase makes random steps.
type randomCase struct {
	randomBodies
	w      *world
	memory Memory // of the first one's replica
}

func newRandom(w *world, r *rand.Rand) *randomCase {
	h := &randomCase{w: w, randomBodies: newBodies(r)}
	for _, a := range w.all {
		h.all = append(h.all, a)
	}
	return h
}

func newBodies(r *rand.Rand) randomBodies {
	return randomBodies{r: r, known: map[ledger.Kind][]ledger.EntryID{}, reads: map[ledger.EntryID]*ReportBody{}}
}

// posted remembers an entry.
func (h *randomBodies) posted(kind ledger.Kind, id ledger.EntryID) {
	h.known[kind] = append(h.known[kind], id)
	if h.last != nil && kind == ledger.SealedRead {
		h.reads[id] = h.last
	}
}

// some returns an entry of one of some kinds, or one that is nowhere.
func (h *randomBodies) some(kinds ...ledger.Kind) ledger.EntryID {
	ids := h.known[kinds[h.r.IntN(len(kinds))]]
	if len(ids) == 0 {
		return ledger.EntryID{1}
	}
	return ids[h.r.IntN(len(ids))]
}

func (h *randomBodies) anybody() author { return h.all[h.r.IntN(len(h.all))] }

func (h *randomCase) anyone() *actor { return h.w.all[h.r.IntN(len(h.w.all))] }

func (h *randomCase) step() {
	h.memory.Fold(h.w.all[0].t)
	if h.r.IntN(3) == 0 {
		h.w.level(h.anyone(), h.anyone())
		return
	}
	if h.r.IntN(8) == 0 {
		h.change()
		return
	}
	a := h.anyone()
	kind, body := h.body(a)
	if a.rank() < ledger.RankNeeded(kind) || len(a.t.Entries()) == 0 {
		return
	}
	items, err := a.t.Append(a.local, kind, body, h.w.tick(), h.w)
	if err != nil {
		return // an observer without an epoch
	}
	h.posted(kind, items[len(items)-1].Entry)
}

// change gives or takes a rank.
func (h *randomCase) change() {
	by, of := h.w.all[h.r.IntN(2)], h.w.all[1+h.r.IntN(len(h.w.all)-1)]
	body := ledger.RoleBody{Person: of.id(), Rank: ledger.Rank(h.r.IntN(4))}
	_, _ = by.t.Role(by.local, body, h.w.tick(), h.w) // refused for want of rank, as it may be
}

func (h *randomBodies) body(a author) (ledger.Kind, any) {
	r := h.r
	round := 1 + r.Uint64N(3)
	persons := []identity.PersonID{h.anybody().id()}
	if p := h.anybody().id(); p != persons[0] {
		persons = append(persons, p)
	}
	switch r.IntN(30) {
	case 0:
		id := h.some(ledger.Ask, ledger.Mark, ledger.Message)
		return ledger.Message, MessageBody{Text: "hello", ReplyTo: &id}
	case 1:
		return ledger.Edit, EditBody{Message: h.some(ledger.Message), Text: "hallo"}
	case 2:
		return ledger.Retract, RetractBody{Message: h.some(ledger.Message, ledger.Ask)}
	case 3:
		return ledger.Grant, grantBody(byte(1+r.IntN(2)), 1+r.Uint64N(3))
	case 4:
		return ledger.Mark, markBody(r.Float64() * 100)
	case 5:
		m := markBody(r.Float64() * 100)
		return ledger.MarkEdit, MarkEditBody{Mark: h.some(ledger.Mark), Geometry: m.Geometry, Label: "edited"}
	case 6:
		return ledger.MarkRemove, MarkRemoveBody{Mark: h.some(ledger.Mark)}
	case 7:
		return ledger.Assign, AssignBody{Persons: persons}
	case 8, 9:
		return ledger.Report, a.sign(1+r.Uint64N(2), "No.", h.some(ledger.Report))
	case 10:
		return ledger.Addendum, AddendumBody{Report: h.some(ledger.Report), Type: 1 + r.Uint64N(2), Text: "also"}
	case 11:
		return ledger.Critical, CriticalBody{Of: h.some(ledger.Report, ledger.Mark), Category: 1, Text: "bleeding", Who: persons[1:]}
	case 12:
		return ledger.Acknowledge, AcknowledgeBody{Critical: h.some(ledger.Critical), ReadBack: "bleeding", Action: "surgery"}
	case 13:
		return ledger.Decline, DeclineBody{Round: round, Reason: DeclineQuality}
	case 14:
		return ledger.Ask, AskBody{Who: persons[1:], Text: "side?"}
	case 15, 16:
		return ledger.Taken, TakenBody{Report: h.some(ledger.Report, ledger.Addendum)}
	case 17:
		return ledger.Triage, TriageBody{Priority: Priority(1 + r.IntN(3)), Reason: "worse"}
	case 18:
		if r.IntN(4) > 0 {
			return ledger.Receipt, ReceiptBody{Type: 1 + r.Uint64N(2), Seen: []SeenRow{{Device: h.anybody().device(), Seq: 1 + r.Uint64N(9)}}}
		}
		return ledger.WrongPatient, WrongPatientBody{Lineage: [16]byte{1}, Text: "not he"}
	case 19:
		return ledger.Request, RequestBody{Question: "And now?", Priority: Priority(1 + r.IntN(3)), Consent: ConsentLaw, NeededByMS: r.Int64N(1 << 40)}
	case 20: // garbage under any kind
		kinds := []ledger.Kind{ledger.Request, ledger.Report, ledger.Status, ledger.Mark, ledger.Vote, ledger.SealedRead, ledger.Consensus, 99}
		return kinds[r.IntN(len(kinds))], HeldBody{Version: 1}
	case 21, 22, 23:
		return h.groupBody(a, round)
	default:
		return ledger.Status, StatusBody{Round: round, Stage: []Stage{1, 1, 2, 2, 2, 3, 5, 6}[r.IntN(8)]}
	}
}

// groupBody makes sealed reads, their openings, drafts, votes and what signs
// them; some with another's document or words.
func (h *randomBodies) groupBody(a author, round uint64) (ledger.Kind, any) {
	r := h.r
	salt := [32]byte{byte(r.IntN(2))}
	switch r.IntN(6) {
	case 0:
		if r.IntN(4) == 0 {
			return ledger.SealedRead, SealedReadBody{Round: round}
		}
		h.last = a.sign(1, "Benign.")
		commitment := Commit(salt, h.last.Document)
		h.last.Opens = &Opening{Salt: salt}
		return ledger.SealedRead, SealedReadBody{Round: h.last.Round, Commitment: &commitment}
	case 1, 2:
		id := h.some(ledger.SealedRead)
		b := a.sign(1, "Malignant.")
		if sealed := h.reads[id]; sealed != nil && r.IntN(5) > 0 {
			same := *sealed
			b = &same
		}
		b.Opens = &Opening{Sealed: id, Salt: salt}
		return ledger.Report, b
	case 3:
		panel := a.fold().Panel()
		if len(panel) == 0 || r.IntN(5) == 0 {
			panel = []identity.PersonID{a.id()}
		}
		return ledger.Consensus, ConsensusBody{Round: round, Text: "Benign.", Panel: panel, Quorum: 1 + r.Uint64N(uint64(len(panel)))}
	case 4:
		drafts := a.fold().Drafts
		if len(drafts) == 0 {
			return ledger.Report, a.sign(2, "Nothing to sign.")
		}
		d := drafts[r.IntN(len(drafts))]
		b := a.sign(2, ConsensusText(d))
		b.Consensus = &d.Entry
		return ledger.Report, b
	default:
		return ledger.Vote, VoteBody{Consensus: h.some(ledger.Consensus), Choice: Choice(1 + r.IntN(4)), Text: "why", Name: "N. N."}
	}
}

func markBody(x float64) MarkBody {
	g, err := NewGeometry(ShapeDistance, [][2]float64{{x, 2}, {10.5, 20}})
	if err != nil {
		panic(err)
	}
	raw, err := g.Encode()
	if err != nil {
		panic(err)
	}
	return MarkBody{Place: Place{Lineage: [16]byte{1}, SOPUID: "1.2.3", Frame: 1}, Geometry: raw, Label: "nodule"}
}
