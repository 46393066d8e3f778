package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

// linkPrefix begins every invite link, FORMATS §2.3.
const linkPrefix = "curbside:"

func (a *app) contactCmd() *cobra.Command {
	return group("contact", "colleagues: find, add, verify, list, show, remove",
		"  curbside contact list\n  curbside contact find --specialty neuroradiology\n  curbside contact add curbside:i/…",
		a.contactFindCmd(), a.contactAddCmd(), a.contactVerifyCmd(), a.contactListCmd(), a.contactShowCmd(), a.contactRemoveCmd(),
		a.contactListingCmd(), a.contactPinCmd(true), a.contactPinCmd(false))
}

func (a *app) contactAddCmd() *cobra.Command {
	var out string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "add LINK|FILE|PERSON",
		Short: "make a contact, by invite link, by file, or of somebody found",
		Long: `add makes a contact of whoever made the link, and a contact of you over there: one call
is enough for both sides. If the other node cannot be reached the contact is pending,
and serve goes on trying until the link expires.

By file it works with no network at all: the link with --out writes a Join; the
colleague adds the Join and writes an Accept; you add the Accept.

By id it makes a contact of somebody that contact find has found, or who has sent a case that
waits. Nothing is sent there before contact verify, or somebody pinned vouches for them.`,
		Example: `  curbside contact add curbside:i/…
  curbside contact add curbside:i/… --out join.bin     on a stick to the colleague
  curbside contact add join.bin --out accept.bin       there
  curbside contact add accept.bin                      and here again
  curbside contact add 3fa29c11                        found in the directory`,
		Args: places("LINK|FILE|PERSON"),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			if timeout < 0 {
				return usage("--timeout is less than nothing")
			}
			req, err := a.addRequest(args[0])
			if err != nil {
				return err
			}
			req.ToFile, req.Timeout = out != "", timeout
			return a.addContact(cmd.Context(), req, out)
		}),
	}
	cmd.Flags().StringVar(&out, "out", "", "write the Join or the Accept to this `FILE`")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "how long (`TIME`) to wait for the colleague's node (default 10s)")
	_ = cmd.MarkFlagFilename("out")
	return cmd
}

// addRequest tells a link from a file; a file may also hold a link.
func (a *app) addRequest(arg string) (control.ContactAddRequest, error) {
	if strings.HasPrefix(arg, linkPrefix) {
		return control.ContactAddRequest{Link: arg}, nil
	}
	if isID(arg) {
		if _, err := os.Stat(arg); errors.Is(err, fs.ErrNotExist) {
			return control.ContactAddRequest{Person: strings.ToLower(arg)}, nil
		}
	}
	b, err := readFile(arg, cardBytesMax)
	if err != nil {
		return control.ContactAddRequest{}, control.Errorf(control.Refused, "neither a link nor a file that can be read: %v", err).
			WithHint("a link begins with %s; the colleague's curbside id shows one; people of the directory are added by their id", linkPrefix)
	}
	if bytes.HasPrefix(b, []byte(linkPrefix)) {
		return control.ContactAddRequest{Link: string(bytes.TrimSpace(b))}, nil
	}
	return control.ContactAddRequest{File: b}, nil
}

// isID says whether this looks like a person's id or its beginning.
func isID(s string) bool {
	return len(s) >= 4 && len(s) <= 64 && strings.Trim(strings.ToLower(s), "0123456789abcdef") == ""
}

func (a *app) addContact(ctx context.Context, req control.ContactAddRequest, out string) error {
	if out != "" {
		if err := writable(out); err != nil {
			return fmt.Errorf("write %s: %w", out, err)
		}
	}
	c, err := call(ctx, a, control.ContactAdd, req)
	if err != nil {
		return err
	}
	if len(c.File) > 0 && out != "" {
		if err := writeFile(out, c.File); err != nil {
			return fmt.Errorf("write %s: %w", out, err)
		}
	} else if out != "" {
		a.warn("there was nothing to write to %s", out)
	}
	if c.Warning != "" {
		a.warn("%s", c.Warning)
	}
	return a.emitContact(c)
}

// emitContact prints a contact without what is no part of the contract.
func (a *app) emitContact(c control.Contact) error {
	c.File, c.Warning = nil, ""
	return a.emit(c, func(pg *page) { pg.contact(c) })
}

func (pg *page) contact(c control.Contact) {
	pg.field("person", c.Person)
	pg.field("name", c.Name)
	pg.field("kind", c.Kind)
	pg.field("specialties", c.Specialties)
	pg.field("trust", c.Trust)
	pg.field("verified", c.Verified)
	pg.field("verified how", c.VerifiedHow)
	pg.field("online", c.Online)
	pg.field("attestations", strings.Join(c.Attestations, "; "))
	pg.field("pinned", c.Pinned)
	pg.field("safety number", c.SafetyNumber)
}

func (a *app) contactListCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "list the contacts",
		Example: "  curbside contact list\n  curbside contact list --json",
		Args:    places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			list, err := call(cmd.Context(), a, control.ContactList, control.None{})
			if err != nil {
				return err
			}
			for i := range list {
				list[i].File, list[i].Warning = nil, ""
			}
			return a.emit(list, func(pg *page) {
				for _, c := range list {
					online := "offline"
					if c.Online {
						online = "online"
					}
					pg.row(short(c.Person), c.Trust, online, c.Kind, c.Name, c.Specialties)
				}
			})
		}),
	}
}

// contactAct is a command that names a contact and prints it afterwards.
func (a *app) contactAct(cmd *cobra.Command, act func(context.Context, string) (control.Contact, error)) *cobra.Command {
	cmd.Args = places("CONTACT")
	cmd.ValidArgsFunction = a.first(a.contactIDs)
	cmd.RunE = a.work(func(cmd *cobra.Command, args []string) error {
		c, err := act(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.emitContact(c)
	})
	return cmd
}

func (a *app) contactShowCmd() *cobra.Command {
	return a.contactAct(&cobra.Command{
		Use:     "show CONTACT",
		Short:   "show a contact",
		Long:    "show says what this node knows and believes about a contact, named by id, by the beginning of the id or by a name that only one has.",
		Example: "  curbside contact show \"Dr. Quispe\"\n  curbside contact show 3fa2 --json",
	}, func(ctx context.Context, who string) (control.Contact, error) {
		return call(ctx, a, control.ContactShow, control.ContactRequest{Contact: who})
	})
}

func (a *app) contactRemoveCmd() *cobra.Command {
	return a.contactAct(&cobra.Command{
		Use:     "remove CONTACT",
		Short:   "forget a contact",
		Long:    "remove forgets a contact. Cases that are shared stay what they are: to take a member out of one, see case remove.",
		Example: "  curbside contact remove \"Dr. Quispe\"",
	}, func(ctx context.Context, who string) (control.Contact, error) {
		return call(ctx, a, control.ContactRemove, control.ContactRequest{Contact: who})
	})
}

func (a *app) contactVerifyCmd() *cobra.Command {
	var req control.ContactVerifyRequest
	var live bool
	var said string
	cmd := &cobra.Command{
		Use:   "verify CONTACT --words \"…\" | --number \"…\" | --live [--said \"…\"]",
		Short: "compare what the colleague reads out with what is known",
		Long: `verify compares what a colleague reads to you, on the phone or face to face, from their
own curbside id: the nine words, or their half of the safety number (or all of it).
With --live both do this at the same time, on the phone, with running nodes: four words appear
on both sides and must be the same. It makes a verified contact on both sides, also of somebody
who was none there. Where no terminal is, the words go to stderr, and a second call with --live
--said says what the colleague read.

If they differ, the contact is marked and the command fails.`,
		Example: `  curbside contact verify "Dr. Quispe" --words "nine words as they were read out on the phone"
  curbside contact verify "Dr. Quispe" --number "41293 31229 50217 99120 44718 03276"
  curbside contact verify "Dr. Quispe" --live`,
	}
	cmd.Flags().StringVar(&req.Words, "words", "", "the nine `WORDS` of the colleague's curbside id")
	cmd.Flags().StringVar(&said, "said", "", "with --live: the four `WORDS` that the colleague read, to words that are shown elsewhere")
	cmd.Flags().StringVar(&req.Number, "number", "", "the colleague's half of the safety `NUMBER`, or all of it")
	cmd.Flags().BoolVar(&live, "live", false, "compare words made now, with both nodes running")
	return a.contactAct(cmd, func(ctx context.Context, who string) (control.Contact, error) {
		ways := 0
		for _, said := range []bool{req.Words != "", req.Number != "", live} {
			if said {
				ways++
			}
		}
		if ways != 1 || said != "" && !live {
			return control.Contact{}, usage("%s wants one of --words, --number and --live", cmd.CommandPath())
		}
		if live {
			return a.verifyLive(ctx, who, said)
		}
		req.Contact = who
		return call(ctx, a, control.ContactVerify, req)
	})
}
