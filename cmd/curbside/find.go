package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) contactFindCmd() *cobra.Command {
	var req control.FindRequest
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "find [--specialty S] [--language L] [--species S] [--awake]",
		Short: "look for specialists in the directory",
		Long: `find looks for people who want to be found: first among those this node knows, then in the
local network and in the directory of all nodes. Who is found prints as it comes; those
somebody you trust vouches for say so, all others are only what they say of themselves.

A search shows this node's address and what is looked for to the nodes it asks, never a
patient or a case. serve --no-dht asks the local network only.

To use who was found: contact add ID, then compare words on the phone with contact verify
ID --live, then request --to ID. To be found yourself: config set listed true.`,
		Example: `  curbside contact find --specialty neuroradiology --language es
  curbside contact find --specialty radiology --species dog --awake
  curbside contact find --specialty thoracic --json`,
		Args: places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("timeout") && timeout <= 0 {
				return usage("--timeout is less than nothing")
			}
			req.Timeout = timeout
			return a.search(cmd.Context(), req)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&req.Specialty, "specialty", "", "of this `SPECIALTY`, as a code: neuroradiology")
	f.StringVar(&req.Language, "language", "", "who speaks this `LANGUAGE`, as a tag: es, pt-br")
	f.StringVar(&req.Species, "species", "", "who reads this `SPECIES`: human, dog, horse")
	f.BoolVar(&req.Awake, "awake", false, "who takes cases now")
	f.DurationVar(&timeout, "timeout", 0, "how long (`TIME`) to ask the network (default 15s)")
	return cmd
}

func (a *app) search(ctx context.Context, req control.FindRequest) error {
	if err := a.connectRunning(ctx); err != nil {
		return err
	}
	n := 0
	err := stream(ctx, a, control.ContactFind, req, func(e control.FindEvent) error {
		switch {
		case e.Notice != "":
			a.say("note: %s", e.Notice)
		case e.Done != nil && e.Done.Warning != "":
			a.warn("%s", e.Done.Warning)
		case e.Found != nil:
			n++
			return a.emit(*e.Found, func(pg *page) { pg.found(e.Found) })
		}
		return nil
	})
	if ctx.Err() != nil && n > 0 {
		return nil // stopped: what was found is printed
	}
	if err == nil && n == 0 {
		a.say("nobody was found")
	}
	return err
}

func (pg *page) found(f *control.Found) {
	word := "unattested: only what they say of themselves"
	if f.Vouched {
		word = strings.Join(f.Attestations, "; ")
	}
	awake := "away"
	if f.Accepting {
		awake = "awake"
	}
	pg.row(short(f.Person), f.Name, f.Kind, f.Specialties, f.Languages, f.Country, awake, f.Trust, word)
}

func (a *app) contactListingCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "listing",
		Short: "what strangers find about you in the directory",
		Long: `listing shows what the directory says of you: nothing, unless the setting listed is true.
Everybody can read it. It is made of your name and kind and of the settings specialties,
languages, species, country and availability, and of this node's addresses.`,
		Example: `  curbside config set specialties neuroradiology
  curbside config set languages es,en
  curbside config set listed true
  curbside contact listing`,
		Args: places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			l, err := call(cmd.Context(), a, control.ContactListing, control.None{})
			if err != nil {
				return err
			}
			if l.Problem != nil {
				a.warn("not listed: %s", *l.Problem)
			}
			return a.emit(l, func(pg *page) {
				pg.field("listed", l.Listed)
				pg.field("name", l.Name)
				pg.field("kind", l.Kind)
				pg.field("specialties", l.Specialties)
				pg.field("languages", l.Languages)
				pg.field("species", l.Species)
				pg.field("country", l.Country)
				pg.field("hours", l.Hours)
				pg.field("accepting", l.Accepting)
				pg.field("until", l.Until)
			})
		}),
	}
}

func (a *app) contactPinCmd(pinned bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "pin CONTACT",
		Short:   "let a contact's attestations count here",
		Long:    "pin lets the word of a verified contact count: whoever they vouch for may be sent cases. A verified clinic is pinned by itself; see contact unpin.",
		Example: "  curbside contact pin \"Radiology Association\"",
	}
	if !pinned {
		cmd = &cobra.Command{
			Use:     "unpin CONTACT",
			Short:   "let a contact's attestations count no more",
			Long:    "unpin takes back what pin, or verifying a clinic, gave: the contact stays verified, its word for others does not count.",
			Example: "  curbside contact unpin \"Radiology Association\"",
		}
	}
	return a.contactAct(cmd, func(ctx context.Context, who string) (control.Contact, error) {
		return call(ctx, a, control.ContactPin, control.PinRequest{Contact: who, Pinned: pinned})
	})
}
