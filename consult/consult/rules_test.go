package consult

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// TestRules posts what Authorize refuses for who somebody is, and wants it to
// have no effect; what it allows may have. Without a rule of Fold it must fail.
func TestRules(t *testing.T) {
	for _, tt := range []struct {
		name   string
		broken broken
		holds  bool
	}{
		{"whole", broken{}, true},
		{"anyone closes", broken{anyoneCloses: true}, false},
		{"anyone edits", broken{anyoneEdits: true}, false},
		{"anyone answers", broken{anyoneAnswers: true}, false},
		{"anyone takes", broken{anyoneTakes: true}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := 4 * *histories
			if !tt.holds {
				n *= 10 // stops at the first that shows it
			}
			for seed := range n {
				if fault := breach(t, uint64(seed), tt.broken); fault != "" && tt.holds {
					t.Fatalf("seed %d: %s", seed, fault)
				} else if fault != "" {
					return
				}
			}
			if !tt.holds {
				t.Fatal("nobody noticed that a rule is missing")
			}
		})
	}
}

// breach plays one history and says what had an effect that must not have one.
func breach(t *testing.T, seed uint64, missing broken) string {
	t.Helper()
	w, _, _, _, _, _ := asked(t, true)
	h := newRandom(w, rand.New(rand.NewPCG(seed, 11)))
	m := &Memory{broken: missing}
	for range 25 {
		a := h.anyone()
		kind, body := h.body(a)
		if a.rank() < ledger.RankNeeded(kind) || kind == 99 {
			continue
		}
		before := m.Fold(a.t)
		refusal := Authorize(before, a.id(), kind, body)
		items, err := a.t.Append(a.local, kind, body, w.tick(), w)
		if err != nil {
			continue
		}
		id := items[len(items)-1].Entry
		h.posted(kind, id)
		after := m.Fold(a.t)
		if x, y := effects(before, id), effects(after, id); x != y && personal(refusal) {
			return fmt.Sprintf("%s by %s, refused as %q, has an effect:\n%s", kind, a.name, refusal, differing(x, y))
		}
	}
	return ""
}

// personal reports whether a refusal is about who somebody is, which Fold holds
// everybody to; others spare people mistakes.
func personal(err error) bool {
	r, ok := AsRefusal(err)
	if ok && r.Message == "only its author may replace a report" {
		return false // it replaces nothing, and is a report all the same
	}
	return ok && slices.ContainsFunc([]string{"only ", "as observer", "not assigned", "in their own case", "somebody else", "not by you"}, func(s string) bool {
		return strings.Contains(r.Message, s)
	})
}

// effects is what a state says of everything but one entry.
func effects(s *State, but ledger.EntryID) string {
	var b strings.Builder
	fmt.Fprintln(&b, s.State, s.Flags, s.Round, s.Priority, s.NeededByMS, s.Title, short(s.Assigned))
	for _, m := range s.Members {
		fmt.Fprintln(&b, "member", m.Role, m.Primary, m.Assigned, m.Accepted, m.Declined)
	}
	for _, g := range s.Grants {
		if g.Entry != but {
			fmt.Fprintln(&b, "grant", g.Entry, g.Version, g.Quarantined)
		}
	}
	for _, r := range s.Reports {
		if r.Entry != but && r.Counts {
			fmt.Fprintln(&b, "report", r.Entry, r.Valid, r.SupersededBy, r.Stale, r.Acknowledged, len(r.Addenda))
		}
	}
	for _, c := range s.Criticals {
		if c.Entry != but {
			fmt.Fprintln(&b, "critical", c.Entry, c.AcknowledgedBy != nil)
		}
	}
	for _, a := range s.Asks {
		if a.Entry != but {
			fmt.Fprintln(&b, "ask", a.Entry, a.Open)
		}
	}
	for _, r := range s.Reads {
		if r.Entry != but {
			fmt.Fprintln(&b, "read", r.Entry, r.State, r.Twice)
		}
	}
	for _, d := range s.Drafts {
		if d.Entry != but {
			fmt.Fprintln(&b, "draft", d.Entry, d.Void, d.Reached, len(d.Votes))
		}
	}
	for _, p := range s.Posts {
		if p.Entry != but && counts(p.Kind) {
			fmt.Fprintln(&b, "post", p.Entry, p.Text, p.Edited, p.Retracted, p.Anchor != nil)
		}
	}
	return b.String()
}

// differing are the lines that only one of two texts has.
func differing(x, y string) string {
	var out []string
	for sign, pair := range map[string][2]string{"-": {x, y}, "+": {y, x}} {
		other := strings.Split(pair[1], "\n")
		for line := range strings.SplitSeq(pair[0], "\n") {
			if !slices.Contains(other, line) {
				out = append(out, sign+line)
			}
		}
	}
	return strings.Join(out, "\n")
}

func short(ps []identity.PersonID) (out []string) {
	for _, p := range ps {
		out = append(out, p.String()[:8])
	}
	return out
}
