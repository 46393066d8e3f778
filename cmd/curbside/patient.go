package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) patientCmd() *cobra.Command {
	list := &cobra.Command{
		Use:   "list",
		Short: "the patients whose studies are here",
		Long: `list lists patients by issuer and identifier, as the studies name them. Two who may be one are
shown as doubtful and never merged: look, and say so with patient link.`,
		Example: "  curbside patient list\n  curbside patient list --json | jq '.[] | select(.doubtful != [])'",
		Args:    places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			list, err := call(cmd.Context(), a, control.PatientList, control.None{})
			if err != nil {
				return err
			}
			return a.emit(list, func(pg *page) {
				for _, x := range list {
					doubt := ""
					if n := len(x.Doubtful); n > 0 {
						doubt = plural(n, "doubtful match")
					}
					pg.row(short(x.Patient), x.Name, x.PatientID, x.BirthDate, plural(x.Studies, "study"), plural(x.Cases, "case"), x.Last, doubt)
				}
			})
		}),
	}
	show := &cobra.Command{
		Use:   "show PATIENT|STUDY",
		Short: "all of one patient on a time line, and what to compare with",
		Long: `show prints the studies, cases, opinions, reports, critical findings and outcomes of one patient,
the newest first, and suggests older studies to compare with, by body part and modality: for the
study that is named, or for the newest one.`,
		Example:           "  curbside patient show 81b4\n  curbside patient show PAT-0042 --json",
		Args:              places("PATIENT"),
		ValidArgsFunction: a.first(a.patientIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			return a.emitPatient(call(cmd.Context(), a, control.PatientShow, control.PatientRequest{Patient: args[0]}))
		}),
	}
	return group("patient", "patients: list, show, link, unlink", "  curbside patient list\n  curbside patient show 81b4",
		list, show, a.patientLinkCmd(), a.patientUnlinkCmd())
}

func (a *app) patientLinkCmd() *cobra.Command {
	var req control.PatientLinkRequest
	cmd := &cobra.Command{
		Use:   "link PATIENT OTHER --reason TEXT",
		Short: "say that two patients are one; they are shown together",
		Long: `link says that two patients are one and the same, for a reason. From then on they are shown
together on this node; nothing that was stored changes, and unlink takes it back.`,
		Example: `  curbside patient link 81b4 c02a --reason "Maiden name, asked the patient"`,
		Args:    places("PATIENT", "OTHER"),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			if blank(req.Reason) {
				return usage("--reason is empty")
			}
			req.Patient, req.Other = args[0], args[1]
			return a.emitPatient(call(cmd.Context(), a, control.PatientLink, req))
		}),
	}
	cmd.Flags().StringVar(&req.Reason, "reason", "", "`TEXT`: how you know")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func (a *app) patientUnlinkCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "unlink PATIENT OTHER",
		Short:   "take back that two patients are one",
		Example: "  curbside patient unlink 81b4 c02a",
		Args:    places("PATIENT", "OTHER"),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			return a.emitPatient(call(cmd.Context(), a, control.PatientUnlink, control.PatientLinkRequest{Patient: args[0], Other: args[1]}))
		}),
	}
}

func (a *app) emitPatient(x control.PatientDetail, err error) error {
	if err != nil {
		return err
	}
	return a.emit(x, func(pg *page) { pg.patient(x) })
}

func (pg *page) patient(x control.PatientDetail) {
	pg.field("patient", x.Patient.Patient)
	pg.field("name", x.Name)
	pg.field("identifier", x.PatientID)
	pg.field("issuer", x.Issuer)
	pg.field("birth date", x.BirthDate)
	pg.field("sex", x.Sex)
	for _, m := range x.Linked {
		pg.row("linked", short(m.Patient), m.Name, m.PatientID, m.BirthDate, m.Why)
	}
	for _, m := range x.Doubtful {
		pg.row("DOUBTFUL", short(m.Patient), m.Name, m.PatientID, m.BirthDate, m.Why)
	}
	pg.gap()
	for _, i := range x.Timeline {
		when, id := cell(i.Date), i.Study
		if i.Time != nil {
			when, id = cell(i.Time), i.Case
		}
		what := i.State
		switch {
		case i.Quarantined:
			what = "DO NOT USE: said to be another patient's"
		case i.Superseded:
			what += ", superseded"
		case i.Kind == "study":
			what = i.Modality + " " + i.BodyPart
		}
		pg.row(when, i.Kind, short(id), what, i.Author, cut(i.Title, 60))
	}
	if len(x.Priors) > 0 {
		pg.gap()
		pg.row("to compare", short(*x.PriorsOf), "with")
		for _, p := range x.Priors {
			pg.row("", short(p.Study), p.Date, p.Modality, p.BodyPart, cut(p.Title, 40), p.Why)
		}
	}
}

// patientIDs completes without names: a shell shows it to whoever looks on.
func (a *app) patientIDs(ctx context.Context, c *control.Client) []string {
	list, err := control.PatientList.Call(ctx, c, control.None{})
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, x := range list {
		out = append(out, short(x.Patient)+"\t"+plural(x.Studies, "study"))
	}
	return out
}
