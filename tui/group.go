package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// groupActs are what a panel does (FIELD §4.8): read blinded, reveal, agree, vote.
func (c *casePage) groupActs(add func(string, func() tea.Cmd)) {
	add("who says what: agreement and votes", c.agreement)
	add("seal my read: nobody sees it before the reveal…", func() tea.Cmd {
		return c.r.open(newSheet(c.r, "Seal your read", "seal it", []string{
			c.who(), "Only its hash goes out. Until the reveal nobody can read it, and you cannot change it.",
		}, []blank{{name: "your read", must: true}}, func(v map[string]string) tea.Cmd {
			return act(c.r, control.CaseSeal, control.CaseReportRequest{Case: c.id, Text: v["your read"]}, "sealed", nil)
		}))
	})
	add("reveal the sealed reads…", func() tea.Cmd {
		return c.r.open(newChoice(c.r, "Reveal?", []string{"Every sealed read becomes readable for all members, also those that come from now on."}, []option{
			{"Cancel", nil}, {"Reveal", func() tea.Cmd {
				return act(c.r, control.CaseReveal, control.CaseRequest{Case: c.id}, "revealed", nil)
			}},
		}))
	})
	add("draft a consensus…", func() tea.Cmd {
		return c.r.open(newSheet(c.r, "Consensus draft", "put it to the vote", []string{
			c.who(), "The panel votes on these very words. A changed draft voids the votes.",
		}, []blank{{name: "text", must: true}}, func(v map[string]string) tea.Cmd {
			return act(c.r, control.CaseConsensus, control.CaseConsensusRequest{Case: c.id, Text: v["text"]}, "draft posted", nil)
		}))
	})
	add("vote on the consensus…", c.vote)
	add("sign the consensus as the report…", func() tea.Cmd {
		return act(c.r, control.CaseReport, control.CaseReportRequest{Case: c.id, Consensus: true}, "draft kept: S signs it", nil)
	})
}

func (c *casePage) vote() tea.Cmd {
	return act(c.r, control.CaseAgreement, control.CaseRequest{Case: c.id}, "", func(a control.Agreement) tea.Cmd {
		if a.Consensus == nil {
			return c.r.say("warn", "there is no consensus draft to vote on")
		}
		return c.r.open(newSheet(c.r, "Vote", "vote", []string{c.who(), "Draft by " + line(a.Consensus.Author) + ":", excerpt(a.Consensus.Text)}, []blank{
			{name: "choice", options: []string{"agree", "reservation", "dissent", "abstain"}},
			{name: "in words", hint: "needed for a reservation or dissent; it is printed in full"},
		}, func(v map[string]string) tea.Cmd {
			return act(c.r, control.CaseVote, control.CaseVoteRequest{Case: c.id, Consensus: a.Consensus.Entry, Choice: v["choice"], Text: v["in words"]}, "voted", nil)
		}))
	})
}

// agreement is the table of who says what. Within a case there is only raw agreement.
func (c *casePage) agreement() tea.Cmd {
	return act(c.r, control.CaseAgreement, control.CaseRequest{Case: c.id}, "", func(a control.Agreement) tea.Cmd {
		return c.r.open(newReader(c.r, "Agreement · "+short(c.id), agreementLines(a, c.r.th)))
	})
}

func agreementLines(a control.Agreement, th theme) []string {
	var out []string
	if a.Blind && !a.Revealed {
		out = append(out, th.warn.Render("reads are sealed until the reveal"), "")
	}
	for _, r := range a.Reads {
		s := th.strong.Render(line(r.Name))
		if r.State != "" {
			s += " · " + line(r.State)
		}
		if a.Revealed && !r.Blinded && r.Report != nil {
			s += th.warn.Render(" · not blinded")
		}
		out = append(out, s)
		if r.Text != "" {
			out = append(out, "  "+excerpt(r.Text))
		}
	}
	for _, it := range a.Items {
		out = append(out, "", th.title.Render(line(it.Title))+fmt.Sprintf(" · %d of %d say the same", it.Agree, it.Of))
		for _, v := range it.Values {
			out = append(out, "  "+fit(line(v.Name), 24)+" "+line(v.Value))
		}
		if it.Spread != nil {
			out = append(out, fmt.Sprintf("  median %g, %g to %g", it.Spread.Median, it.Spread.Min, it.Spread.Max))
		}
	}
	if d := a.Consensus; d != nil {
		reached := "quorum not reached: opinions, no consensus"
		if d.Reached {
			reached = "quorum reached"
		}
		out = append(out, "", th.title.Render("Consensus")+fmt.Sprintf(" · draft by %s · quorum %d of %d · %s", line(d.Author), d.Quorum, len(d.Panel), reached), "  "+excerpt(d.Text))
		for _, v := range d.Votes {
			out = append(out, strings.TrimRight("  "+fit(line(v.Name), 24)+" "+fit(v.Choice, 12)+" "+line(v.Text), " "))
		}
	}
	if len(out) == 0 {
		out = append(out, "nobody has given an opinion yet")
	}
	return out
}
