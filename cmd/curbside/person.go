package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/curbside-p2p/curbside/node"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/storage"
	"github.com/curbside-p2p/curbside/tui"
)

// newPerson are the flags of init and person add.
type newPerson struct {
	req       control.PersonAddRequest
	wordsFile string
}

func (p *newPerson) flags(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.req.Name, "name", "", "`NAME` that colleagues read, such as \"Clinic Puno\"")
	f.StringVar(&p.req.Kind, "kind", "clinician", "`KIND`: clinic or clinician")
	f.StringArrayVar(&p.req.Specialties, "specialty", nil, "a `SPECIALTY`, such as neuroradiology (repeatable)")
	f.StringVar(&p.wordsFile, "words-file", "", "write the 24 recovery words to this `FILE` (mode 0600)")
	f.BoolVar(&p.req.NoPassphrase, "no-passphrase", false, "keep the key in HOME/credential, for tests and kiosks")
	_ = cmd.MarkFlagRequired("name")
	_ = cmd.MarkFlagFilename("words-file")
	completeWords(cmd, "kind", "clinic", "clinician")
}

func (a *app) initCmd() *cobra.Command {
	var p newPerson
	cmd := &cobra.Command{
		Use:   "init --name NAME",
		Short: "make the keys of the first person of this node",
		Long: `init makes the keys of the first person and the data directory they live in.

The passphrase opens the vault and is wanted again for each signature. The 24 words
restore the person when the disk is lost: they are shown once and asked back.`,
		Example: `  curbside init --name "Clinic Puno" --kind clinic
  curbside init --name "Dr. Zoë Quispe" --specialty neuroradiology
  curbside init --name Kiosk --no-passphrase --words-file words.txt`,
		Args: places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error { return a.initPerson(cmd, &p) }),
	}
	p.flags(a, cmd)
	return cmd
}

func (a *app) initPerson(cmd *cobra.Command, p *newPerson) error {
	ctx := cmd.Context()
	if err := p.check(); err != nil {
		return err
	}
	there := a.hasPerson()
	if a.find(ctx) {
		persons, err := control.PersonList.Call(ctx, a.conn, control.None{})
		if err != nil {
			return err
		}
		there = len(persons) > 0
	}
	if there {
		return control.Errorf(control.Refused, "this home has a person already").
			WithHint("another one: curbside person add --name NAME; another home: --home DIR")
	}
	return a.makePerson(cmd, p)
}

// hasPerson looks for a vault, which needs neither lock nor passphrase.
func (a *app) hasPerson() bool {
	vaults, err := filepath.Glob(filepath.Join(a.home, "persons", "*", "vault"))
	return err == nil && len(vaults) > 0
}

// check finds what is wrong before any key is made.
func (p *newPerson) check() error {
	if err := oneOf("kind", p.req.Kind, "clinic", "clinician"); err != nil {
		return err
	}
	if strings.TrimSpace(p.req.Name) == "" {
		return usage("--name is empty")
	}
	if p.wordsFile != "" {
		if err := vacant(p.wordsFile); err != nil {
			return fmt.Errorf("write the recovery words: %w", err)
		}
	}
	return nil
}

func (a *app) makePerson(cmd *cobra.Command, p *newPerson) error {
	if !p.req.NoPassphrase {
		pass, err := a.newPassphrase()
		if err != nil {
			return err
		}
		p.req.Passphrase = pass
	}
	if a.conn == nil {
		if err := a.open(cmd.Context()); err != nil {
			return err
		}
	}
	added, err := control.PersonAdd.Call(cmd.Context(), a.conn, p.req)
	if err != nil {
		return err
	}
	if p.req.NoPassphrase {
		a.warn("no passphrase: whoever can read %s/credential can sign in this name", a.home)
	}
	if err := a.handOverWords(p.wordsFile, added.Words); err != nil {
		return err
	}
	if err := a.emit(added.Person, func(pg *page) { pg.person(added.Person) }); err != nil {
		return err
	}
	if a.inTTY && a.errTTY {
		a.say("next: curbside id, and send the link to a colleague; curbside serve to be reachable")
	}
	return nil
}

// handOverWords gives the recovery words away, once: to a file, to a person at a terminal who is
// asked for some of them, or to stderr.
func (a *app) handOverWords(file string, words []string) error {
	switch {
	case file != "":
		if err := writeFile(file, []byte(strings.Join(words, " ")+"\n")); err != nil {
			a.say("recovery words: %s", strings.Join(words, " ")) // there is no second chance
			return fmt.Errorf("write the recovery words: %w", err)
		}
		return nil
	case a.inTTY && a.errTTY:
		return a.showWords(words)
	}
	a.say("recovery words, shown once, keep them on paper: %s", strings.Join(words, " "))
	return nil
}

func (pg *page) person(p control.Person) {
	pg.field("person", p.Person)
	pg.field("name", p.Name)
	pg.field("kind", p.Kind)
	pg.field("home", p.Home)
}

func (a *app) personCmd() *cobra.Command {
	var p newPerson
	add := &cobra.Command{
		Use:   "add --name NAME",
		Short: "add another person to this node",
		Long: `add makes the keys of another person on this node, such as a second clinician of one
clinic. From then on --as NAME says who acts.`,
		Example: `  curbside person add --name "Dr. Condori" --specialty orthopaedics
  curbside case list --as "Dr. Condori"`,
		Args: places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			if err := p.check(); err != nil {
				return err
			}
			if !a.find(cmd.Context()) && !storage.Exists(a.home) {
				return node.ErrNoPerson
			}
			return a.makePerson(cmd, &p)
		}),
	}
	p.flags(a, add)
	list := &cobra.Command{
		Use:     "list",
		Short:   "list the persons of this node",
		Example: "  curbside person list",
		Args:    places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			list, err := call(cmd.Context(), a, control.PersonList, control.None{})
			if err != nil {
				return err
			}
			return a.emit(list, func(pg *page) {
				for _, p := range list {
					pg.row(short(p.Person), p.Kind, p.Name)
				}
			})
		}),
	}
	return group("person", "persons of this node: add, list",
		"  curbside person list\n  curbside person add --name \"Dr. Condori\"", add, list)
}

func (a *app) idCmd() *cobra.Command {
	var req control.CardRequest
	var code bool
	cmd := &cobra.Command{
		Use:   "id",
		Short: "show my card, with an invite link for a colleague",
		Long: `id shows what others may know: the person's id, the half of the safety number and the
nine words that are read on the phone, the addresses of this node, and a fresh invite
link, good for one colleague.`,
		Example: `  curbside id
  curbside id --no-invite
  curbside id --qr                  for a phone's camera
  curbside id --json`,
		Args: places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			card, err := call(cmd.Context(), a, control.GetCard, req)
			if err != nil {
				return err
			}
			if err := a.emit(card, func(pg *page) { pg.card(card) }); err != nil || !code || a.json {
				return err
			}
			return a.qr(card)
		}),
	}
	cmd.Flags().BoolVar(&req.NoInvite, "no-invite", false, "make no invite link")
	cmd.Flags().BoolVar(&code, "qr", false, "show the invite, or without one the safety number, as a QR code too")
	return cmd
}

// qr draws a card's link as a QR code for a camera, or its number.
func (a *app) qr(c control.Card) error {
	what := c.SafetyNumber
	if c.Invite != nil {
		what = *c.Invite
	}
	cols := qrColsMax
	if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && a.outTTY {
		cols = w
	}
	lines := tui.QR(what, cols)
	if lines == nil {
		a.warn("the window is too narrow for a QR code of this")
		return nil
	}
	for _, l := range lines {
		if a.outTTY {
			l = "\x1b[97;40m" + l + "\x1b[0m" // light modules are drawn, whatever the theme
		}
		if _, err := fmt.Fprintln(a.out, l); err != nil {
			return err
		}
	}
	return nil
}

// qrColsMax is the width of the largest QR code there is, with its border.
const qrColsMax = 185

func (pg *page) card(c control.Card) {
	pg.field("person", c.Person)
	pg.field("name", c.Name)
	pg.field("kind", c.Kind)
	pg.field("specialties", c.Specialties)
	pg.field("safety number", c.SafetyNumber)
	pg.field("words", strings.Join(c.Words, " "))
	for _, addr := range c.Addresses {
		pg.field("address", addr)
	}
	if len(c.Addresses) == 0 {
		pg.field("address", nil)
	}
	if c.Invite != nil {
		pg.field("invite", *c.Invite)
	}
}
