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
			play := randomCase{w: w, r: r, known: map[ledger.Kind][]ledger.EntryID{}}
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

// randomCase makes random steps, allowed or not.
type randomCase struct {
	w     *world
	r     *rand.Rand
	known map[ledger.Kind][]ledger.EntryID

	memory Memory // of the first one's replica
}

// some returns an entry of one of some kinds, or one that is nowhere.
func (h *randomCase) some(kinds ...ledger.Kind) ledger.EntryID {
	ids := h.known[kinds[h.r.IntN(len(kinds))]]
	if len(ids) == 0 {
		return ledger.EntryID{1}
	}
	return ids[h.r.IntN(len(ids))]
}

func (h *randomCase) anybody() *actor { return h.w.all[h.r.IntN(len(h.w.all))] }

func (h *randomCase) step() {
	h.memory.Fold(h.w.all[0].t)
	if h.r.IntN(3) == 0 {
		h.w.level(h.anybody(), h.anybody())
		return
	}
	if h.r.IntN(8) == 0 {
		h.change()
		return
	}
	a := h.anybody()
	kind, body := h.body(a)
	if a.rank() < ledger.RankNeeded(kind) || len(a.t.Entries()) == 0 {
		return
	}
	items, err := a.t.Append(a.local, kind, body, h.w.tick(), h.w)
	if err != nil {
		return // an observer without an epoch
	}
	h.known[kind] = append(h.known[kind], items[len(items)-1].Entry)
}

// change gives or takes a rank.
func (h *randomCase) change() {
	by, of := h.w.all[h.r.IntN(2)], h.w.all[1+h.r.IntN(len(h.w.all)-1)]
	body := ledger.RoleBody{Person: of.id(), Rank: ledger.Rank(h.r.IntN(4))}
	_, _ = by.t.Role(by.local, body, h.w.tick(), h.w) // refused for want of rank, as it may be
}

func (h *randomCase) body(a *actor) (ledger.Kind, any) {
	r := h.r
	round := 1 + r.Uint64N(3)
	persons := []identity.PersonID{h.anybody().id()}
	if p := h.anybody().id(); p != persons[0] {
		persons = append(persons, p)
	}
	switch r.IntN(24) {
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
			return ledger.Receipt, ReceiptBody{Type: 1 + r.Uint64N(2), Seen: []SeenRow{{Device: h.anybody().local.Device.ID(), Seq: 1 + r.Uint64N(9)}}}
		}
		return ledger.WrongPatient, WrongPatientBody{Lineage: [16]byte{1}, Text: "not he"}
	case 19:
		return ledger.Request, RequestBody{Question: "And now?", Priority: Priority(1 + r.IntN(3)), Consent: ConsentLaw, NeededByMS: r.Int64N(1 << 40)}
	case 20: // garbage under any kind
		kinds := []ledger.Kind{ledger.Request, ledger.Report, ledger.Status, ledger.Mark, ledger.Vote, 99}
		return kinds[r.IntN(len(kinds))], HeldBody{Version: 1}
	default:
		return ledger.Status, StatusBody{Round: round, Stage: []Stage{1, 1, 2, 2, 3, 5, 6}[r.IntN(7)]}
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
