package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) attestCmd() *cobra.Command {
	return group("attest", "vouch for colleagues: issue, revoke, list, renew",
		"  curbside attest issue \"Dr. Quispe\" --role clinician --words-file words.txt\n  curbside attest list",
		a.attestIssueCmd(), a.attestRevokeCmd(), a.attestRenewCmd(), a.attestListCmd())
}

// wordsFlag is where the 24 words come from: the root signs, and is in no vault.
func wordsFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "words-file", "", "`FILE` that holds your 24 words (else they are asked for)")
	_ = cmd.MarkFlagFilename("words-file")
}

// words reads the 24 words from the file, or asks for them without echo.
func (a *app) words(file string) (string, error) {
	if file != "" {
		b, err := readFile(file, wordsBytesMax)
		if err != nil {
			return "", control.Errorf(control.Refused, "the words cannot be read: %v", err)
		}
		return strings.TrimSpace(string(b)), nil
	}
	if !a.inTTY {
		return "", nil // the node says what is missing, and that there is a flag
	}
	b, err := a.askPassphrase("your 24 words: ")
	return string(b), err
}

// wordsBytesMax bounds a file of 24 words.
const wordsBytesMax = 4 << 10

func (a *app) attestIssueCmd() *cobra.Command {
	var req control.AttestRequest
	var until, file string
	cmd := &cobra.Command{
		Use:   "issue CONTACT --role ROLE",
		Short: "vouch for a contact: who they are and what they work as",
		Long: `issue signs, with the root keys made of your 24 words, that you know a contact and what they
work as. Whoever has pinned you sees it beside their name and may send them cases; the role
also limits: a trainee signs no final report, a technologist no opinion.`,
		Example: `  curbside attest issue "Dr. Quispe" --role clinician --specialty neuroradiology --words-file words.txt
  curbside attest issue "M. Lind" --role trainee --until 2027-08-31
  curbside attest issue "Dr. Quispe" --role clinician --organisation "Hospital Puno" --licence "CMP 12345"`,
		Args:              places("CONTACT"),
		ValidArgsFunction: a.first(a.contactIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			if err := oneOf("role", req.Role, attestRoles...); err != nil {
				return err
			}
			t, err := parseUntil(until, time.Now())
			if err != nil {
				return err
			}
			req.Until, req.Contact = t, args[0]
			if req.Words, err = a.words(file); err != nil {
				return err
			}
			return a.attest(cmd.Context(), func(ctx context.Context) (control.Attestation, error) {
				return call(ctx, a, control.AttestIssue, req)
			})
		}),
	}
	f := cmd.Flags()
	f.StringVar(&req.Role, "role", "", "what they work as: clinician, technologist, coordinator, clinic or trainee (`ROLE`)")
	f.StringArrayVar(&req.Specialties, "specialty", nil, "a `SPECIALTY` of theirs (repeatable)")
	f.StringVar(&req.Organisation, "organisation", "", "the `NAME` of where they work")
	f.StringVar(&req.Authority, "authority", "", "the `NAME` of who licensed them")
	f.StringVar(&req.Licence, "licence", "", "the `NUMBER` of their licence")
	f.StringVar(&until, "until", "", "until when, as a `DATE`, time or duration (default one year)")
	wordsFlag(cmd, &file)
	_ = cmd.MarkFlagRequired("role")
	completeWords(cmd, "role", attestRoles...)
	return cmd
}

var attestRoles = []string{"clinician", "technologist", "coordinator", "clinic", "trainee"}

// parseUntil reads a date, a time or a duration from now.
func parseUntil(s string, now time.Time) (*time.Time, error) {
	if s == "" {
		return nil, nil //nolint:nilnil // the default
	}
	if d, err := time.ParseDuration(s); err == nil {
		t := now.Add(d)
		return &t, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return &t, nil
		}
	}
	return nil, &usageError{msg: "--until is neither a date, a time nor a duration", hint: "such as 2027-08-31 or 720h"}
}

func (a *app) attest(ctx context.Context, act func(context.Context) (control.Attestation, error)) error {
	r, err := act(ctx)
	if err != nil {
		return err
	}
	return a.emit(r, func(pg *page) {
		pg.field("serial", r.Serial)
		pg.field("person", r.Person)
		pg.field("name", r.Name)
		pg.field("role", r.Role)
		pg.field("specialties", r.Specialties)
		pg.field("from", r.From)
		pg.field("until", r.Until)
		pg.field("standing", r.Standing)
	})
}

func (a *app) attestRevokeCmd() *cobra.Command {
	var req control.AttestRevokeRequest
	var file string
	cmd := &cobra.Command{
		Use:     "revoke SERIAL",
		Short:   "take an attestation back",
		Long:    "revoke signs a new revocation list that names the attestation. It reaches your contacts when their nodes meet yours, and others through them.",
		Example: "  curbside attest revoke 3 --words-file words.txt",
		Args:    places("SERIAL"),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			serial, err := parseSerial(args[0])
			if err != nil {
				return err
			}
			req.Serial = serial
			if req.Words, err = a.words(file); err != nil {
				return err
			}
			return a.attest(cmd.Context(), func(ctx context.Context) (control.Attestation, error) {
				return call(ctx, a, control.AttestRevoke, req)
			})
		}),
	}
	wordsFlag(cmd, &file)
	return cmd
}

func (a *app) attestRenewCmd() *cobra.Command {
	var req control.AttestRevokeRequest
	var file string
	cmd := &cobra.Command{
		Use:     "renew",
		Short:   "sign the revocation list again, unchanged",
		Long:    "renew says that nothing more was taken back. A list is good for 30 days; after that your attestations count on, but show that they could not be checked since. Every issue and revoke renews it too.",
		Example: "  curbside attest renew --words-file words.txt",
		Args:    places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			var err error
			if req.Words, err = a.words(file); err != nil {
				return err
			}
			if _, err := call(cmd.Context(), a, control.AttestRevoke, req); err != nil {
				return err
			}
			return a.attestations(cmd.Context())
		}),
	}
	wordsFlag(cmd, &file)
	return cmd
}

func (a *app) attestListCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "list what you attested, and what was attested of you",
		Example: "  curbside attest list",
		Args:    places(),
		RunE:    a.work(func(cmd *cobra.Command, _ []string) error { return a.attestations(cmd.Context()) }),
	}
}

func (a *app) attestations(ctx context.Context) error {
	list, err := call(ctx, a, control.AttestList, control.None{})
	if err != nil {
		return err
	}
	return a.emit(list, func(pg *page) {
		for _, r := range list {
			pg.row(r.Serial, short(r.Person), r.Name, r.Role, r.Specialties, "by", r.IssuerName, "until", r.Until, r.Standing)
		}
	})
}

func parseSerial(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		return 0, &usageError{msg: "SERIAL is a number from 1", hint: "list them with: curbside attest list"}
	}
	return n, nil
}
