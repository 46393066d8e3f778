package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/consult/deid"
	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) deidCmd() *cobra.Command {
	var req control.DeidRequest
	preview := &cobra.Command{
		Use:   "preview STUDY [--profile PROFILE]",
		Short: "what goes and what stays when a study is shared under a pseudonym",
		Long: `preview reads every image of a study as a pseudonymous request would, and changes nothing. It
lists what is done with each attribute, the images that a person must look at since text may
stand in their pixels, and what does not go by itself: reports, presentation states,
documents. A request wants a decision about each: --release, --blacken or --leave-out.

Profiles: default (dates moved, age and sex kept, descriptions cleaned), basic (none of these),
full-dates, device, institution.`,
		Example: "  curbside deid preview 81b4\n  curbside deid preview 81b4 --profile basic --json | jq '.risky'\n  curbside render 81b4 --instance UID --out look.png    # look at a risky image",
		Args:    places("STUDY"),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			if req.Profile != "" {
				if err := oneOf("profile", req.Profile, deid.Profiles()...); err != nil {
					return err
				}
			}
			req.Study = args[0]
			d, err := call(cmd.Context(), a, control.DeidPreview, req)
			if err != nil {
				return err
			}
			a.warnAll(d.Warnings)
			d.Warnings = nil
			return a.emit(d, func(pg *page) { pg.deid(d) })
		}),
	}
	preview.Flags().StringVar(&req.Profile, "profile", "", "`PROFILE`: "+strings.Join(deid.Profiles(), ", ")+" (default default)")
	completeWords(preview, "profile", deid.Profiles()...)
	preview.ValidArgsFunction = a.first(a.studyIDs)
	return group("deid", "take identity out of what is shared: preview", "  curbside deid preview 81b4", preview)
}

func (pg *page) deid(d control.Deid) {
	pg.field("profile", d.Profile)
	pg.field("options", strings.Join(d.Options, " "))
	pg.field("ready", fmt.Sprintf("%d of %s", d.Ready, plural(d.Images, "image")))
	for _, c := range d.Changes {
		pg.row(c.Action, c.Tag, c.Name, strconv.Itoa(c.Count))
	}
	for _, c := range d.Kept {
		pg.row(c.Action, c.Tag, c.Name, strconv.Itoa(c.Count))
	}
	for _, r := range d.Risky {
		pg.row("risky", r.SOPUID, "frame "+strconv.Itoa(r.Frame), r.Reason)
	}
	for _, e := range d.Excluded {
		pg.row("excluded", e.SOPUID, e.Reason)
	}
}

// choiceFlags are what a person decided about the risky and the excluded.
type choiceFlags struct {
	release, leaveOut, blacken []string
}

func (f *choiceFlags) flags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringArrayVar(&f.release, "release", nil, "send this risky or excluded instance after you looked: its SOP Instance `UID`, or all (repeatable)")
	fs.StringArrayVar(&f.blacken, "blacken", nil, "make `UID:x,y,w,h` black in every frame of an image, in pixels from its top left corner (repeatable)")
	fs.StringArrayVar(&f.leaveOut, "leave-out", nil, "do not send the instance with this SOP Instance `UID` (repeatable)")
}

func (f *choiceFlags) choices() (control.Choices, error) {
	out := control.Choices{Release: f.release, LeaveOut: f.leaveOut}
	for _, s := range f.blacken {
		b, err := parseBlacken(s)
		if err != nil {
			return out, err
		}
		out.Blacken = append(out.Blacken, b)
	}
	return out, nil
}

func parseBlacken(s string) (control.Blacken, error) {
	uid, rect, ok := strings.Cut(s, ":")
	numbers := strings.Split(rect, ",")
	b := control.Blacken{SOPUID: uid}
	to := []*int{&b.X, &b.Y, &b.W, &b.H}
	ok = ok && uid != "" && len(numbers) == len(to)
	for i := 0; ok && i < len(to); i++ {
		n, err := strconv.Atoi(strings.TrimSpace(numbers[i]))
		*to[i] = n
		ok = err == nil && n >= 0
	}
	if !ok || b.W == 0 || b.H == 0 {
		return b, &usageError{msg: fmt.Sprintf("%q is no rectangle of an image", s), hint: "UID:x,y,width,height in pixels, as in 1.2.3:0,0,640,40"}
	}
	return b, nil
}
