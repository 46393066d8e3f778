package consult

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/vectest"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

var update = flag.Bool("update", false, "write the vectors")

// classes name errors in vectors.
var classes = []struct {
	name string
	err  error
}{
	{"canonical", wire.ErrCanonical}, {"kind", ErrKind}, {"field", ErrField}, {"text", ErrText}, {"many", ErrMany}, {"length", ErrLen}, {"blob-length", blob.ErrTooLong},
}

func class(err error) string {
	if err == nil {
		return vectest.OK
	}
	for _, c := range classes {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	return err.Error()
}

var kinds = func() map[string]ledger.Kind {
	out := map[string]ledger.Kind{}
	for k := ledger.Request; k <= ledger.Archived; k++ {
		out[k.String()] = k
	}
	return out
}()

// judge reads a body of the kind named, or a part of one.
func judge(tb testing.TB, v vectest.Vector) string {
	tb.Helper()
	switch of := v.Get("of"); of {
	case "context":
		_, err := DecodeContext(v.Body)
		return class(err)
	case "geometry":
		_, err := DecodeGeometry(v.Body)
		return class(err)
	case "values":
		_, err := DecodeValues(v.Body)
		return class(err)
	default:
		k, ok := kinds[of]
		if !ok && of == "retired" {
			k, ok = ledger.Archived+1, true
		}
		if !ok {
			tb.Fatalf("no kind %q", of)
		}
		_, err := Decode(k, v.Body)
		return class(err)
	}
}

func TestVectors(t *testing.T) {
	const dir = "testdata/vectors/body"
	var write func(string, []byte) error
	if *update {
		write = func(name string, text []byte) error {
			return os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
	}
	vectest.Run(t, os.DirFS(dir), append(samples(), failures()...), write, judge)
}

var (
	id1, id2 = ledger.EntryID{1}, ledger.EntryID{2}
	p1, p2   = identity.PersonID{3}, identity.PersonID{4}
	ref      = blob.Ref{ID: blob.ID{5}, Len: 1000, Key: wire.Secret{6}}
)

// full is one body of each kind with every field.
func full() map[ledger.Kind]body {
	mark := markBody(1.5)
	values, err := Values{{Name: "length", Thousandths: 12_345, Unit: "mm", Calibration: "PixelSpacing"}}.Encode()
	if err != nil {
		panic(err)
	}
	mark.Values, mark.DerivedFrom = values, &id1
	context, err := fullContext().Encode()
	if err != nil {
		panic(err)
	}
	return map[ledger.Kind]body{
		ledger.Request:    &RequestBody{Question: "Is it new?", Priority: PriorityStat, NeededByMS: 1_700_000_000_000, Context: context, Consent: ConsentOther},
		ledger.Message:    &MessageBody{Text: "hello", ReplyTo: &id1, Attachments: []Attachment{{Ref: ref, Type: "application/pdf", Name: "letter.pdf"}}},
		ledger.Edit:       &EditBody{Message: id1, Text: "hallo"},
		ledger.Retract:    &RetractBody{Message: id1, Reason: "names the patient"},
		ledger.Grant:      &GrantBody{Lineage: [16]byte{1}, Version: 2, Manifest: ref, Mode: 2, Counts: Counts{Series: 3, Instances: 60, Bytes: 1 << 40}, Supersedes: &id2},
		ledger.Mark:       &mark,
		ledger.MarkEdit:   &MarkEditBody{Mark: id1, Geometry: mark.Geometry, Label: "bigger", Values: values},
		ledger.MarkRemove: &MarkRemoveBody{Mark: id1},
		ledger.Status:     &StatusBody{Round: 2, Stage: StageReading, Why: "new images"},
		ledger.Assign:     &AssignBody{Persons: []identity.PersonID{p2, p1}},
		ledger.Report: &ReportBody{
			Type: ReportFinal, Round: 1, Document: wire.Raw{0xa0}, Blob: &ref, Supersedes: []ledger.EntryID{id1}, Attests: [][32]byte{{7}}, Opens: &Opening{Sealed: id2, Salt: [32]byte{8}}, Consensus: &id1,
			Images: []ImageCount{{Manifest: blob.ID{5}, Version: 1, Seen: 54, Expected: new(uint64(60))}, {Manifest: blob.ID{8}, Version: 2, Seen: 3}},
		},
		ledger.Addendum:     &AddendumBody{Report: id1, Type: AddendumCorrection, Text: "left, not right", Significant: 1},
		ledger.Critical:     &CriticalBody{Of: id1, Category: 1, Text: "aneurysm", Who: []identity.PersonID{p1}, DueMS: 1_700_000_000_000, List: "clinic list 3", FoundMS: 1_699_999_999_000},
		ledger.Acknowledge:  &AcknowledgeBody{Critical: id1, ReadBack: "aneurysm of 6 cm", Action: "surgery called"},
		ledger.Receipt:      &ReceiptBody{Type: ReceiptRead, Seen: []SeenRow{{Device: identity.DeviceID{1}, Seq: 5}, {Device: identity.DeviceID{2}, Seq: 1}}},
		ledger.Decline:      &DeclineBody{Round: 1, Reason: DeclineOther, Text: "on holiday"},
		ledger.Ask:          &AskBody{Who: []identity.PersonID{p1}, Text: "Which side?"},
		ledger.Held:         &HeldBody{Lineage: [16]byte{1}, Version: 1, Present: 54, Expected: 60, Verified: 54},
		ledger.Taken:        &TakenBody{Report: id1, Action: "patient told"},
		ledger.Triage:       &TriageBody{Priority: PriorityUrgent, Reason: "worse"},
		ledger.Attempt:      &AttemptBody{Critical: id1, Method: "telephone", Whom: "Dr. A", Result: "no answer"},
		ledger.WrongPatient: &WrongPatientBody{Lineage: [16]byte{1}, Text: "another birth date"},
		ledger.SealedRead:   &SealedReadBody{Round: 1, Commitment: &[32]byte{9}},
		ledger.Vote:         &VoteBody{Consensus: id1, Choice: VoteDissent, Text: "too early to say", Name: "Dr. B"},
		ledger.Consensus:    &ConsensusBody{Round: 1, Text: "Benign.", Panel: []identity.PersonID{p2, p1}, Quorum: 2},
		ledger.Outcome:      &OutcomeBody{Result: "benign", Source: 1, Date: "2026-02-01"},
		ledger.Archived:     &ArchivedBody{To: "PACS", Objects: []ArchivedObject{{SOPUID: "1.2.3", Class: "1.2.840.10008.5.1.4.1.1.88.22", Stored: 2}}, Committed: 1},
	}
}

func fullContext() Context {
	return Context{
		Priors: [][16]byte{{1}, {2}}, ReplyTo: "555-0100, weekdays", Form: map[string]string{"side": "left", "history": "cough"}, ConsentNote: "by telephone",
		Delegates: []identity.PersonID{p1, p2},
	}
}

// samples are the bodies that must be accepted, one of each kind.
func samples() []vectest.Vector {
	var out []vectest.Vector
	for k := ledger.Request; k <= ledger.Archived; k++ {
		b := full()[k]
		if b == nil {
			continue
		}
		out = append(out, vector(k.String(), k.String(), "ok", "every field", wire.MustMarshal(b)))
	}
	raw, err := fullContext().Encode()
	if err != nil {
		panic(err)
	}
	mark := full()[ledger.Mark].(*MarkBody)
	return append(out, vector("context", "context", "ok", "every field", raw),
		vector("geometry", "geometry", "ok", "a distance", mark.Geometry),
		vector("geometry-tool", "geometry", "ok", "an angle that is drawn for a named construct", wire.MustMarshal(Geometry{
			Shape: ShapeCobb, Points: []GeometryPoint{{X: 1}, {X: 2}, {X: 3}, {X: 4}}, Tool: "hallux-valgus",
		})),
		vector("geometry-key", "geometry", "ok", "a key image", wire.MustMarshal(Geometry{Shape: ShapeKey, Points: []GeometryPoint{{X: 500, Y: 500}}})),
		vector("values", "values", "ok", "one value", mark.Values))
}

func vector(name, of, expect, comment string, b []byte) vectest.Vector {
	return vectest.Vector{Name: name, Expect: expect, Comment: comment, Fields: []vectest.Field{{Name: "of", Value: of}}, Body: b}
}

// spoilt changes one thing in the full body of a kind.
func spoilt[B any](k ledger.Kind, name, expect, comment string, change func(b *B)) vectest.Vector {
	b := full()[k]
	change(any(b).(*B))
	return vector(k.String()+"-"+name, k.String(), expect, comment, wire.MustMarshal(b))
}

// failures are bodies with one fault each.
func failures() []vectest.Vector {
	long := strings.Repeat("x", NameMax+1)
	out := []vectest.Vector{
		spoilt(ledger.Request, "no-question", "text", "empty question", func(b *RequestBody) { b.Question = "" }),
		spoilt(ledger.Request, "priority", "field", "priority 4", func(b *RequestBody) { b.Priority = 4 }),
		spoilt(ledger.Request, "consent", "field", "consent 0", func(b *RequestBody) { b.Consent = 0 }),
		spoilt(ledger.Request, "needed-by", "field", "a time before 1970", func(b *RequestBody) { b.NeededByMS = -1 }),
		spoilt(ledger.Request, "context", "canonical", "context is an empty map", func(b *RequestBody) { b.Context = wire.Raw{0xa0} }),
		spoilt(ledger.Message, "empty", "text", "neither text nor attachment", func(b *MessageBody) { b.Text, b.Attachments = "", nil }),
		spoilt(ledger.Message, "long", "text", "a text of 32 KiB and a byte", func(b *MessageBody) { b.Text = strings.Repeat("x", TextMax+1) }),
		spoilt(ledger.Message, "attachment-type", "text", "attachment without a media type", func(b *MessageBody) { b.Attachments[0].Type = "" }),
		spoilt(ledger.Message, "attachment-length", "blob-length", "attachment longer than any blob", func(b *MessageBody) { b.Attachments[0].Ref.Len = 1 << 60 }),
		spoilt(ledger.Edit, "empty", "text", "no text", func(b *EditBody) { b.Text = "" }),
		spoilt(ledger.Grant, "version", "field", "version 0", func(b *GrantBody) { b.Version = 0 }),
		spoilt(ledger.Grant, "mode", "field", "mode 3", func(b *GrantBody) { b.Mode = 3 }),
		spoilt(ledger.Grant, "length", "blob-length", "manifest longer than any blob", func(b *GrantBody) { b.Manifest.Len = 1 << 60 }),
		spoilt(ledger.Mark, "frame", "field", "frame 0", func(b *MarkBody) { b.Place.Frame = 0 }),
		spoilt(ledger.Mark, "uid", "text", "no instance", func(b *MarkBody) { b.Place.SOPUID = "" }),
		spoilt(ledger.Mark, "uid-long", "text", "instance UID too long", func(b *MarkBody) { b.Place.SOPUID = long }),
		spoilt(ledger.Status, "stage", "field", "stage 4 is a report's", func(b *StatusBody) { b.Stage = 4 }),
		spoilt(ledger.Status, "round", "field", "round 0", func(b *StatusBody) { b.Round = 0 }),
		spoilt(ledger.Status, "round-far", "field", "round beyond its limit", func(b *StatusBody) { b.Round = RoundMax + 1 }),
		spoilt(ledger.Assign, "nobody", "many", "no person", func(b *AssignBody) { b.Persons = []identity.PersonID{} }),
		spoilt(ledger.Assign, "twice", "many", "a person twice", func(b *AssignBody) { b.Persons = []identity.PersonID{p1, p1} }),
		spoilt(ledger.Report, "type", "field", "type 3", func(b *ReportBody) { b.Type = 3 }),
		spoilt(ledger.Report, "round", "field", "round 0", func(b *ReportBody) { b.Round = 0 }),
		spoilt(ledger.Report, "image-version", "field", "pins version 0", func(b *ReportBody) { b.Images[0].Version = 0 }),
		spoilt(ledger.Report, "images", "many", "pins too many", func(b *ReportBody) {
			b.Images = make([]ImageCount, ImagesMax+1)
		}),
		spoilt(ledger.Addendum, "type", "field", "type 0", func(b *AddendumBody) { b.Type = 0 }),
		spoilt(ledger.Addendum, "empty", "text", "no text", func(b *AddendumBody) { b.Text = "" }),
		spoilt(ledger.Critical, "category", "field", "category 4", func(b *CriticalBody) { b.Category = 4 }),
		spoilt(ledger.Critical, "twice", "many", "a person twice", func(b *CriticalBody) { b.Who = []identity.PersonID{p1, p1} }),
		spoilt(ledger.Acknowledge, "read-back", "text", "no read-back", func(b *AcknowledgeBody) { b.ReadBack = "" }),
		spoilt(ledger.Acknowledge, "action", "text", "no action", func(b *AcknowledgeBody) { b.Action = "" }),
		spoilt(ledger.Receipt, "type", "field", "type 3", func(b *ReceiptBody) { b.Type = 3 }),
		spoilt(ledger.Receipt, "empty", "many", "covers nothing", func(b *ReceiptBody) { b.Seen = []SeenRow{} }),
		spoilt(ledger.Receipt, "unsorted", "many", "devices not sorted", func(b *ReceiptBody) { b.Seen[0], b.Seen[1] = b.Seen[1], b.Seen[0] }),
		spoilt(ledger.Receipt, "twice", "many", "a device twice", func(b *ReceiptBody) { b.Seen[1].Device = b.Seen[0].Device }),
		spoilt(ledger.Receipt, "seq", "field", "seq 0", func(b *ReceiptBody) { b.Seen[0].Seq = 0 }),
		spoilt(ledger.Decline, "reason", "field", "reason 7", func(b *DeclineBody) { b.Reason = 7 }),
		spoilt(ledger.Ask, "empty", "text", "no text", func(b *AskBody) { b.Text = "" }),
		spoilt(ledger.Held, "counts", "field", "more present than expected", func(b *HeldBody) { b.Present = 61 }),
		spoilt(ledger.Triage, "reason", "text", "no reason", func(b *TriageBody) { b.Reason = "" }),
		spoilt(ledger.Attempt, "whom", "text", "to nobody", func(b *AttemptBody) { b.Whom = "" }),
		spoilt(ledger.WrongPatient, "empty", "text", "not said what is wrong", func(b *WrongPatientBody) { b.Text = "" }),
		spoilt(ledger.Outcome, "source", "field", "source 5", func(b *OutcomeBody) { b.Source = 5 }),
		spoilt(ledger.Outcome, "date", "field", "date with slashes", func(b *OutcomeBody) { b.Date = "2026/02/01" }),
		spoilt(ledger.Archived, "stored", "field", "stored 0", func(b *ArchivedBody) { b.Objects[0].Stored = 0 }),
		vector("unknown-kind", "retired", "kind", "a kind without a body", []byte{0xa0}),
		vector("status-unknown-key", "status", "canonical", "a field of a later version", []byte{0xa3, 1, 1, 2, 2, 4, 0}),
		spoilt(ledger.Status, "why", "text", "a reason of 32 KiB and a byte", func(b *StatusBody) { b.Why = strings.Repeat("x", TextMax+1) }),
		spoilt(ledger.Report, "consensus-preliminary", "field", "a preliminary opinion signs a consensus", func(b *ReportBody) { b.Type = ReportOpinion }),
		spoilt(ledger.Addendum, "significant", "field", "significant 2", func(b *AddendumBody) { b.Significant = 2 }),
		spoilt(ledger.Critical, "list", "text", "the name of a list is too long", func(b *CriticalBody) { b.List = long }),
		spoilt(ledger.Critical, "found", "field", "a time before 1970", func(b *CriticalBody) { b.FoundMS = -1 }),
		spoilt(ledger.SealedRead, "round", "field", "round 0", func(b *SealedReadBody) { b.Round = 0 }),
		vector("sealed-read-reveal", "sealed-read", "ok", "no commitment: the reveal", wire.MustMarshal(&SealedReadBody{Round: 1})),
		vector("sealed-read-short", "sealed-read", "canonical", "a commitment of 31 bytes", append([]byte{0xa2, 1, 1, 2, 0x58, 31}, make([]byte, 31)...)),
		spoilt(ledger.Vote, "choice", "field", "choice 5", func(b *VoteBody) { b.Choice = 5 }),
		spoilt(ledger.Vote, "dissent-untold", "text", "a dissent that does not say why", func(b *VoteBody) { b.Text = " " }),
		spoilt(ledger.Vote, "reservation-untold", "text", "a reservation that says none", func(b *VoteBody) { b.Choice, b.Text = VoteReservation, "" }),
		spoilt(ledger.Vote, "name", "text", "no name", func(b *VoteBody) { b.Name = "" }),
		spoilt(ledger.Vote, "long", "text", "a text beyond its limit", func(b *VoteBody) { b.Text = strings.Repeat("x", VoteMax+1) }),
		spoilt(ledger.Consensus, "empty", "text", "no text", func(b *ConsensusBody) { b.Text = "" }),
		spoilt(ledger.Consensus, "panel", "many", "nobody", func(b *ConsensusBody) { b.Panel = []identity.PersonID{} }),
		spoilt(ledger.Consensus, "twice", "many", "a person twice", func(b *ConsensusBody) { b.Panel = []identity.PersonID{p1, p1} }),
		spoilt(ledger.Consensus, "quorum-none", "field", "quorum 0", func(b *ConsensusBody) { b.Quorum = 0 }),
		spoilt(ledger.Consensus, "quorum", "field", "more than the panel", func(b *ConsensusBody) { b.Quorum = 3 }),
		vector("status-missing", "status", "canonical", "no stage", []byte{0xa1, 1, 1}),
		vector("status-array", "status", "canonical", "an array", []byte{0x82, 1, 1}),
		vector("image-count-short", "report", "canonical", "an image of two fields", []byte{0xa4, 1, 1, 2, 1, 3, 0xa0, 5, 0x81, 0x82, 1, 1}),
	}
	return append(out, partFailures()...)
}

func partFailures() []vectest.Vector {
	context := func(name, expect, comment string, change func(b *contextBody)) vectest.Vector {
		var b contextBody
		raw, err := fullContext().Encode()
		if err == nil {
			err = wire.Unmarshal(raw, &b)
		}
		if err != nil {
			panic(err)
		}
		change(&b)
		return vector("context-"+name, "context", expect, comment, wire.MustMarshal(b))
	}
	geometry := func(name, expect, comment string, g Geometry) vectest.Vector {
		return vector("geometry-"+name, "geometry", expect, comment, wire.MustMarshal(g))
	}
	point := GeometryPoint{X: 1, Y: 1}
	return []vectest.Vector{
		context("format", "field", "format 2", func(b *contextBody) { b.Format = 2 }),
		context("priors", "many", "priors not sorted", func(b *contextBody) { b.Priors[0], b.Priors[1] = b.Priors[1], b.Priors[0] }),
		context("delegates", "many", "delegates not sorted", func(b *contextBody) { b.Delegates[0], b.Delegates[1] = b.Delegates[1], b.Delegates[0] }),
		context("form", "many", "fields not sorted", func(b *contextBody) { b.Form[0], b.Form[1] = b.Form[1], b.Form[0] }),
		context("form-name", "text", "field without a name", func(b *contextBody) { b.Form[0].Name = "" }),
		geometry("shape", "field", "shape 13", Geometry{Shape: 13, Points: []GeometryPoint{point}}),
		geometry("few", "many", "a distance of one point", Geometry{Shape: ShapeDistance, Points: []GeometryPoint{point}}),
		geometry("more", "many", "a point of two", Geometry{Shape: ShapePoint, Points: []GeometryPoint{point, point}}),
		geometry("far", "field", "a point beyond any image", Geometry{Shape: ShapePoint, Points: []GeometryPoint{{X: 1 << 41}}}),
		geometry("far-back", "field", "the lowest number there is", Geometry{Shape: ShapePoint, Points: []GeometryPoint{{Y: -1 << 63}}}),
		geometry("tool-long", "text", "a tool of 65 letters", Geometry{Shape: ShapePoint, Points: []GeometryPoint{point}, Tool: strings.Repeat("x", ToolMax+1)}),
		geometry("tool-upper", "text", "a tool with a capital and a space", Geometry{Shape: ShapePoint, Points: []GeometryPoint{point}, Tool: "Hallux valgus"}),
		vector("geometry-tool-empty", "geometry", "canonical", "an empty tool", []byte{0xa3, 1, 1, 2, 0x81, 0x82, 1, 1, 3, 0x60}),
		vector("values-empty", "values", "many", "no value", []byte{0x80}),
		vector("values-name", "values", "text", "a value without a name", wire.MustMarshal([]Value{{Unit: "mm"}})),
	}
}

// TestSamplesDecode reads each full body back as what it was.
func TestSamplesDecode(t *testing.T) {
	for k, b := range full() {
		got, err := Decode(k, wire.MustMarshal(b))
		if err != nil {
			t.Errorf("%s: %v", k, err)
			continue
		}
		if string(wire.MustMarshal(got)) != string(wire.MustMarshal(b)) {
			t.Errorf("%s: another body", k)
		}
	}
	raw, err := fullContext().Encode()
	if err != nil {
		t.Fatal(err)
	}
	c, err := DecodeContext(raw)
	if err != nil || len(c.Priors) != 2 || c.Form["history"] != "cough" || c.ReplyTo == "" || c.ConsentNote == "" {
		t.Errorf("context: %+v, %v", c, err)
	}
	if raw, err := (Context{}).Encode(); raw != nil || err != nil {
		t.Errorf("an empty context is %x, %v", raw, err)
	}
}

func FuzzDecode(f *testing.F) {
	for k, b := range full() {
		f.Add(uint64(k), wire.MustMarshal(b))
	}
	f.Fuzz(func(t *testing.T, k uint64, b []byte) {
		if v, err := Decode(ledger.Kind(k), b); err == nil && string(wire.MustMarshal(v)) != string(b) {
			t.Fatal("encodes to other bytes")
		}
		if c, err := DecodeContext(b); err == nil {
			if raw, err := c.Encode(); err != nil || len(b) > 0 && !c.Empty() && string(raw) != string(b) {
				t.Fatalf("context encodes to other bytes: %v", err)
			}
		}
		if g, err := DecodeGeometry(b); err == nil {
			if raw, err := g.Encode(); err != nil || string(raw) != string(b) {
				t.Fatalf("geometry encodes to other bytes: %v", err)
			}
			if again, err := NewGeometry(g.Shape, g.Pixels()); err != nil || len(again.Points) != len(g.Points) {
				t.Fatalf("geometry does not come back from pixels: %v", err)
			}
		}
		if v, err := DecodeValues(b); err == nil {
			if raw, err := v.Encode(); err != nil || string(raw) != string(b) {
				t.Fatalf("values encode to other bytes: %v", err)
			}
		}
	})
}
