package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/curbside-p2p/curbside/node/control"
)

// acts offers what can be done in the case, by what it waits for and who one is in it. The node
// decides; what it refuses it says in a sentence.
func (c *casePage) acts() tea.Cmd {
	var items []option
	add := func(label string, run func() tea.Cmd) { items = append(items, option{label, run}) }
	owner := c.d.Mine
	open := !slices.Contains([]string{"closed", "withdrawn"}, c.d.State)
	for _, x := range c.d.Criticals {
		if !x.Open {
			continue
		}
		if x.ForMe {
			add("! read back the critical finding: "+line(x.Text), func() tea.Cmd { return c.readBack(x) })
		}
		add("record an attempt to reach somebody about: "+line(x.Text), func() tea.Cmd { return c.attempt(x) })
	}
	if owner && c.d.Report != nil {
		add("acknowledge the report…", c.acknowledge)
	}
	if !owner && c.d.State == "accepted" {
		add("I am reading the images", func() tea.Cmd {
			return act(c.r, control.CaseReading, control.CaseRequest{Case: c.id}, "reading", nil)
		})
	}
	add("ask back: the case waits for the answer…", c.ask)
	add("report a critical finding…", c.critical)
	if !owner || c.d.Report != nil {
		add("add to a report, or correct it…", c.addendum)
	}
	add("hand the case over, or assign it…", c.assign)
	add("set the priority…", c.triage)
	add("what became of the patient: the outcome…", c.outcome)
	if len(c.d.Members) > 2 {
		c.groupActs(add)
	}
	if owner && open {
		add("withdraw the request…", func() tea.Cmd {
			return c.because("Withdraw", "The request is taken back for all members. A report that was signed stays and still wants to be acknowledged.", control.CaseWithdraw, "withdrawn")
		})
	}
	if owner && (!open || c.d.State == "declined") {
		add("open the case again…", func() tea.Cmd {
			return c.because("Open again", "A new round begins; everything from before is kept.", control.CaseReopen, "opened again")
		})
	}
	add("remove a member…", c.expel)
	add("wrong patient: lock the images on every node…", c.quarantine)
	if c.d.Report != nil {
		add("file it in the hospital's archive…", c.archive)
	}
	add("write a bundle for a stick…", c.stick)
	add("write a file: PDF, FHIR, JSON, text or DICOM…", c.export)
	return c.r.open(newPicker(c.r, "In "+short(c.id), items))
}

// who repeats what identifies the case, for sheets that disclose or bind.
func (c *casePage) who() string {
	s := strings.TrimSpace(line(c.d.PatientName) + " " + line(c.d.PatientID))
	if s == "" {
		s = line(c.d.Patient)
	}
	return "Case " + short(c.id) + " · " + s + " · " + line(c.d.Title)
}

func (c *casePage) acknowledge() tea.Cmd {
	var newest *control.Report
	for i := range c.d.Reports {
		if r := &c.d.Reports[i]; r.Valid && r.SupersededBy == nil {
			newest = r
		}
	}
	text := []string{c.who(), "You say that you took note of the newest report and everything added to it. That stays on record."}
	if newest != nil {
		text = append(text, "", line(newest.Status)+" by "+line(newest.AuthorName)+", "+newest.SignedAt.Local().Format("02 Jan 15:04 MST")+":", excerpt(newest.Text))
	}
	return c.r.open(newSheet(c.r, "Acknowledge the report", "acknowledge", text, []blank{
		{name: "what will be done", hint: "such as: biopsy on Monday. May stay empty."},
	}, func(v map[string]string) tea.Cmd {
		return act(c.r, control.CaseAcknowledge, control.CaseAcknowledgeRequest{Case: c.id, Action: v["what will be done"]}, "acknowledged", nil)
	}))
}

// excerpt is the beginning of a long text.
func excerpt(s string) string {
	s = line(s)
	if width(s) > excerptWide {
		return fit(s, excerptWide-1) + "…"
	}
	return s
}

const excerptWide = 300

func (c *casePage) readBack(x control.Critical) tea.Cmd {
	return c.r.open(newSheet(c.r, "Read back the critical finding", "send", []string{
		c.who(), fmt.Sprintf("! tier %d, %s, %s: %s", x.Category, line(x.AuthorName), x.Time.Local().Format("02 Jan 15:04 MST"), line(x.Text)),
	}, []blank{
		{name: "in your own words", must: true, hint: "so that its author sees that it was understood"},
		{name: "what will be done", must: true},
	}, func(v map[string]string) tea.Cmd {
		return act(c.r, control.CaseAcknowledge, control.CaseAcknowledgeRequest{Case: c.id, Critical: x.Entry, ReadBack: v["in your own words"], Action: v["what will be done"]}, "read back", nil)
	}))
}

func (c *casePage) attempt(x control.Critical) tea.Cmd {
	return c.r.open(newSheet(c.r, "Attempt to reach somebody", "record", []string{c.who(), "! " + line(x.Text)}, []blank{
		{name: "how", must: true, hint: "telephone, in person, pager, message"},
		{name: "whom", must: true},
		{name: "result", must: true, hint: "such as: no answer; told in person"},
	}, func(v map[string]string) tea.Cmd {
		return act(c.r, control.CaseAttempt, control.CaseAttemptRequest{Case: c.id, Critical: x.Entry, Method: v["how"], Whom: v["whom"], Result: v["result"]}, "recorded", nil)
	}))
}

// names are the members that can be named, "" first where nobody need be.
func (c *casePage) names(first string, others bool) (names []string, ids map[string]string) {
	ids = map[string]string{}
	if first != "" {
		names = append(names, first)
	}
	for _, m := range c.d.Members {
		if m.Role == "removed" || others && m.Person == c.r.me.Person {
			continue
		}
		name := line(m.Name)
		if !m.Verified && m.Person != c.r.me.Person {
			name += " ?"
		}
		if ids[name] != "" {
			name += " " + short(m.Person)
		}
		names, ids[name] = append(names, name), m.Person
	}
	return names, ids
}

const theOwners = "the asking side"

func (c *casePage) ask() tea.Cmd {
	names, ids := c.names(theOwners, true)
	return c.r.open(newSheet(c.r, "Ask back", "ask", []string{c.who(), "The case waits until they reply to it."}, []blank{
		{name: "whom", options: names}, {name: "question", must: true},
	}, func(v map[string]string) tea.Cmd {
		return act(c.r, control.CaseAsk, control.CaseAskRequest{Case: c.id, To: some(ids[v["whom"]]), Text: v["question"]}, "asked", nil)
	}))
}

func some(id string) []string {
	if id == "" {
		return nil
	}
	return []string{id}
}

var tiers = []string{"1 minutes, spoken contact", "2 hours", "3 days"}

func (c *casePage) critical() tea.Cmd {
	names, ids := c.names(theOwners, true)
	return c.r.open(newSheet(c.r, "Critical finding", "report it", []string{
		c.who(), "It stays on top of everybody's list until the person named has read it back. It cannot be taken back, only explained.",
	}, []blank{
		{name: "finding", must: true}, {name: "tier", options: tiers, hint: "how soon somebody must have read it back"}, {name: "for", options: names},
	}, func(v map[string]string) tea.Cmd {
		return act(c.r, control.CaseCritical, control.CaseCriticalRequest{
			Case: c.id, Category: slices.Index(tiers, v["tier"]) + 1, Text: v["finding"], Who: some(ids[v["for"]]),
		}, "reported; watch for the read-back", nil)
	}))
}

func (c *casePage) addendum() tea.Cmd {
	return c.r.open(newSheet(c.r, "Add to your newest report", "keep the draft", []string{
		c.who(), "The draft is kept here; S signs and posts it. A correction is shown with the report and has to be acknowledged anew.",
	}, []blank{{name: "text", must: true}, {name: "kind", options: []string{"addition", "correction"}}}, func(v map[string]string) tea.Cmd {
		return act(c.r, control.CaseReport, control.CaseReportRequest{
			Case: c.id, Text: v["text"], Status: "addendum", Correction: v["kind"] == "correction",
		}, "draft kept: S signs it", nil)
	}))
}

func (c *casePage) assign() tea.Cmd {
	names, ids := c.names("", false)
	return c.r.open(newSheet(c.r, "Assign", "assign", []string{
		c.who(), "The first is to answer. Who had the case has it until the other accepts.",
	}, []blank{{name: "first", options: names}, {name: "and", options: append([]string{"nobody else"}, names...)}}, func(v map[string]string) tea.Cmd {
		to := some(ids[v["first"]])
		if id := ids[v["and"]]; id != "" && id != to[0] {
			to = append(to, id)
		}
		return act(c.r, control.CaseAssign, control.CaseAssignRequest{Case: c.id, To: to}, "assigned", nil)
	}))
}

func (c *casePage) triage() tea.Cmd {
	return c.r.open(newSheet(c.r, "Priority", "set", []string{c.who(), "It is " + line(c.d.Priority) + " now."}, []blank{
		{name: "priority", options: []string{"routine", "urgent", "stat"}, value: line(c.d.Priority)}, {name: "reason", must: true},
	}, func(v map[string]string) tea.Cmd {
		return act(c.r, control.CaseTriage, control.CaseTriageRequest{Case: c.id, Priority: v["priority"], Reason: v["reason"]}, "priority set", nil)
	}))
}

func (c *casePage) outcome() tea.Cmd {
	return c.r.open(newSheet(c.r, "Outcome", "tell them", []string{c.who(), "Everybody who gave an opinion learns what became of the patient."}, []blank{
		{name: "result", must: true}, {name: "source", options: []string{"pathology", "surgery", "follow-up", "other"}}, {name: "date", hint: "YYYY-MM-DD, or nothing"},
	}, func(v map[string]string) tea.Cmd {
		return act(c.r, control.CaseOutcome, control.CaseOutcomeRequest{Case: c.id, Result: v["result"], Source: v["source"], Date: v["date"]}, "outcome posted", nil)
	}))
}

func (c *casePage) because(title, what string, op control.Op[control.CaseTextRequest, control.EntryRef], done string) tea.Cmd {
	return c.r.open(newSheet(c.r, title+" "+short(c.id)+"?", strings.ToLower(title), []string{c.who(), what}, []blank{{name: "reason", hint: "goes to the members as a message; may stay empty"}},
		func(v map[string]string) tea.Cmd {
			return act(c.r, op, control.CaseTextRequest{Case: c.id, Text: v["reason"]}, done, nil)
		}))
}

func (c *casePage) expel() tea.Cmd {
	names, ids := c.names("", true)
	if len(names) == 0 {
		return c.r.say("warn", "nobody else is in this case")
	}
	return c.r.open(newSheet(c.r, "Remove a member", "go on", []string{
		c.who(), "They get nothing that comes after. What was delivered to them cannot be recalled.",
	}, []blank{{name: "who", options: names}}, func(v map[string]string) tea.Cmd {
		name := v["who"]
		d := newPrompt(c.r, "Remove "+name, []string{"This cannot be undone: they can be invited again, but the record keeps that they were removed."}, false, func(string) tea.Cmd {
			return act(c.r, control.CaseRemove, control.CaseMemberRequest{Case: c.id, Member: ids[name]}, "removed "+name, nil)
		})
		d.must = "remove"
		d.armed = c.r.now().Add(armAfter)
		return c.r.open(d)
	}))
}

func (c *casePage) quarantine() tea.Cmd {
	var names []string
	ids := map[string]string{}
	for _, s := range c.d.Studies {
		name := short(s.Study)
		if d, ok := c.studies[s.Study]; ok {
			name = dateWord(d.Date) + " " + line(d.Modality) + " " + name
		}
		names, ids[name] = append(names, name), s.Study
	}
	if len(names) == 0 {
		return c.r.say("warn", "the case has no study")
	}
	return c.r.open(newSheet(c.r, "Wrong patient", "go on", []string{
		c.who(), "The images are locked at once on every node of the case, and the opinions are struck out. Only an owner can go on, with the right study.",
	}, []blank{{name: "study", options: names}, {name: "what is wrong", must: true}}, func(v map[string]string) tea.Cmd {
		d := newPrompt(c.r, "Lock the images of "+v["study"]+"?", []string{"Wrong patient: " + v["what is wrong"]}, false, func(string) tea.Cmd {
			return act(c.r, control.CaseQuarantine, control.CaseQuarantineRequest{Case: c.id, Study: ids[v["study"]], Text: v["what is wrong"]}, "locked on every node that hears it", nil)
		})
		d.must = "wrong patient"
		d.armed = c.r.now().Add(armAfter)
		return c.r.open(d)
	}))
}

func (c *casePage) export() tea.Cmd {
	return c.r.open(newSheet(c.r, "Write a file", "write", []string{c.who(), "Files outside curbside are not encrypted: keep them as you keep the patient's record."}, []blank{
		{name: "format", options: []string{"pdf", "text", "json", "fhir", "dicom"}}, {name: "folder", must: true, hint: "an absolute path, on the node's computer; it is made"},
	}, func(v map[string]string) tea.Cmd {
		return act(c.r, control.CaseExport, control.CaseExportRequest{Case: c.id, Out: v["folder"], Format: v["format"]}, "", func(e control.CaseExported) tea.Cmd {
			return c.r.say("good", fmt.Sprintf("✓ wrote %d files", len(e.Files)))
		})
	}))
}
