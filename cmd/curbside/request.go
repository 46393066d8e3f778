package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/consult/deid"
	"github.com/curbside-p2p/curbside/node/control"
)

// Words of the scripting contract.
var (
	priorities = []string{"stat", "urgent", "routine"}
	consents   = []string{"treatment", "patient", "emergency", "law", "other"}
)

// requestFlags are the flags of request that are not fields of control.NewCase as they are.
type requestFlags struct {
	req          control.NewCase
	pseudonymous bool
	deadline     string
	form         string
	blind        bool
	samePatient  string
	reason       string
	choices      choiceFlags
}

func (a *app) requestCmd() *cobra.Command {
	var f requestFlags
	cmd := &cobra.Command{
		Use:   "request --study STUDY --to CONTACT --question TEXT",
		Short: "ask colleagues for a second opinion",
		Long: `request makes a case: studies, a question and the colleagues who are asked. The first --to is
the primary consultant. What is to be sent waits until the other node can be reached.

The patient's name and numbers stay here: the colleagues get a pseudonym, moved dates and new
UIDs, and what they mark and write comes back to your own images. --identified sends
everything as it is. Images that may have text in their pixels, reports and documents want
your decision first: curbside deid preview STUDY lists them.`,
		Example: `  curbside request --study 81b4 --to "Dr. Quispe" \
      --question "New lesion in the right upper lobe? Biopsy?"
  curbside request --study 5f02 --to "Dr. Quispe" --blacken 1.2.3.4:0,0,640,40 --leave-out 1.2.3.5 \
      --question "Thrombus?"
  curbside request --study 81b4 --prior 77aa --to "Dr. Quispe" --to "Dr. Rojas" --identified \
      --priority urgent --deadline 2026-03-04T12:00:00Z --consent patient --question "…"
  curbside form show orthopaedics > form.txt    # what to say; then write form.json
  curbside request --study 81b4 --to "Dr. Quispe" --form form.json --check`,
		Args: places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error { return a.request(cmd, &f) }),
	}
	f.flags(a, cmd)
	for _, name := range []string{"study", "to"} {
		_ = cmd.MarkFlagRequired(name)
	}
	cmd.MarkFlagsOneRequired("question", "form")
	cmd.AddCommand(a.draftsCmd(), a.draftSendCmd(), a.draftDiscardCmd())
	return cmd
}

func (a *app) request(cmd *cobra.Command, f *requestFlags) error {
	if err := f.finish(time.Now(), cmd); err != nil {
		return err
	}
	ref, err := a.sendRequest(cmd.Context(), f.req)
	if err != nil {
		return err
	}
	a.warnAll(ref.Warnings)
	ref.Warnings = nil
	return a.emit(ref, func(pg *page) { pg.field("case", ref.Case) })
}

// sendRequest sends a request. At a terminal what there is to warn of is said before.
func (a *app) sendRequest(ctx context.Context, req control.NewCase) (control.CaseRef, error) {
	if !a.inTTY || req.Check {
		return call(ctx, a, control.Request, req)
	}
	check := req
	check.Check = true
	ref, err := call(ctx, a, control.Request, check)
	if err != nil {
		return ref, err
	}
	if len(ref.Warnings) > 0 {
		a.warnAll(ref.Warnings)
		if ok, err := a.yes("send it all the same?"); err != nil || !ok {
			if err == nil {
				err = control.Errorf(control.Refused, "nothing was sent")
			}
			return ref, err
		}
	}
	ref, err = call(ctx, a, control.Request, req)
	ref.Warnings = nil // said before
	return ref, err
}

func (f *requestFlags) flags(a *app, cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringArrayVar(&f.req.Studies, "study", nil, "a `STUDY` to send (repeatable)")
	fs.StringArrayVar(&f.req.Priors, "prior", nil, "an older `STUDY` to compare with (repeatable)")
	fs.StringArrayVar(&f.req.To, "to", nil, "a `CONTACT` to ask; the first is the primary (repeatable)")
	fs.StringVar(&f.req.Question, "question", "", "`TEXT` of what is asked")
	fs.StringVar(&f.req.Priority, "priority", "", "`PRIORITY`: stat, urgent or routine (default routine)")
	fs.BoolVar(&f.req.Identified, "identified", false, "send the patient's name and identifiers")
	fs.BoolVar(&f.pseudonymous, "pseudonymous", false, "send under a pseudonym, without identifiers (the default)")
	fs.StringVar(&f.req.Profile, "profile", "", "`PROFILE` of de-identification: "+strings.Join(deid.Profiles(), ", ")+" (default default)")
	f.choices.flags(cmd)
	fs.StringVar(&f.deadline, "deadline", "", "`TIME` when the answer is needed: 2026-03-04T12:00:00Z, or 48h from now")
	fs.StringVar(&f.req.Consent, "consent", "", "`BASIS`: treatment, patient, emergency, law or other (default: the setting consent)")
	fs.StringVar(&f.form, "form", "", "a filled-in request form, a JSON `FILE` (see: curbside form list)")
	fs.BoolVar(&f.blind, "blind", false, "a group consult: opinions stay sealed until all are in, or the chair reveals them")
	fs.StringVar(&f.req.Key, "key", "", "your own `NAME` for this request: repeated with it, it is made once")
	fs.BoolVar(&f.req.Check, "check", false, "only say what would be warned of or refused; nothing is sent")
	fs.StringVar(&f.samePatient, "same-patient", "", "the patient `ID` of a study that differs, typed to say that it is one patient")
	fs.StringVar(&f.reason, "reason", "", "`TEXT`: why --same-patient is so")
	_ = cmd.MarkFlagFilename("form", "json")
	a.complete(cmd, "study", a.studyIDs)
	a.complete(cmd, "prior", a.studyIDs)
	a.complete(cmd, "to", a.contactIDs)
	completeWords(cmd, "priority", priorities...)
	completeWords(cmd, "profile", deid.Profiles()...)
	completeWords(cmd, "consent", consents...)
}

func (f *requestFlags) finish(now time.Time, cmd *cobra.Command) error {
	if f.req.Identified && f.pseudonymous {
		return usage("--identified and --pseudonymous exclude each other")
	}
	var err error
	if f.req.Choices, err = f.choices.choices(); err != nil {
		return err
	}
	if f.req.Profile != "" {
		if err := oneOf("profile", f.req.Profile, deid.Profiles()...); err != nil {
			return err
		}
	}
	if f.form == "" && blank(f.req.Question) && (f.req.Draft == "" || cmd.Flags().Changed("question")) {
		return usage("--question is empty")
	}
	if f.req.Priority != "" {
		if err := oneOf("priority", f.req.Priority, priorities...); err != nil {
			return err
		}
	}
	if cmd.Flags().Changed("consent") {
		if err := oneOf("consent", f.req.Consent, consents...); err != nil {
			return err
		}
	}
	if (f.samePatient == "") != blank(f.reason) {
		return usage("--same-patient and --reason go together")
	}
	if f.samePatient != "" {
		f.req.OtherPatient = &control.OtherPatient{ID: f.samePatient, Reason: f.reason}
	}
	if f.deadline != "" {
		t, err := parseTime(now, f.deadline)
		if err != nil {
			return err
		}
		f.req.Deadline = &t
	}
	if f.form != "" {
		if f.req.Form, err = readForm(f.form); err != nil {
			return err
		}
	}
	if f.blind {
		if f.req.Form == nil {
			f.req.Form = map[string]any{}
		}
		f.req.Form["reading"] = "blind"
	}
	return nil
}

// parseTime reads RFC 3339, or a duration from now.
func parseTime(now time.Time, s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return now.Add(d).UTC().Truncate(time.Second), nil
	}
	return time.Time{}, &usageError{msg: fmt.Sprintf("%q is no time", s), hint: "2026-03-04T12:00:00Z, or a duration such as 48h"}
}
