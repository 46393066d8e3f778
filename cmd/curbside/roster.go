package main

import (
	"strings"
	_ "time/tzdata" // hours are in time zones, also where the system has no table of them

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) rosterCmd() *cobra.Command {
	set := &cobra.Command{
		Use:   "set [CONTACT[=HOURS]...]",
		Short: "say who is asked next when nobody accepts in time, in this order",
		Long: `set replaces your on-call roster. When nobody whom you asked has accepted a case within its target,
or nobody of them takes cases before that time is over, the next person of the roster who takes
cases at that moment is brought into the case and becomes its primary consultant: they will read
all of it. Those who were asked before may still accept. Without persons the roster is empty.

HOURS are those of the contact's own card unless said here: days, times and a time zone.`,
		Example: `  curbside roster set "Dr. Quispe" "Dr. Rojas=Mon-Sun 20:00-08:00 @ Europe/Madrid"
  curbside roster set "Dr. Lind=always"
  curbside roster set`,
		Args: places("[CONTACT]..."),
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return a.askNode(cmd.Root().Context(), a.contactIDs)
		},
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			req := control.RosterRequest{Members: []control.RosterMember{}}
			for _, s := range args {
				name, hours, _ := strings.Cut(s, "=")
				req.Members = append(req.Members, control.RosterMember{Contact: strings.TrimSpace(name), Hours: strings.TrimSpace(hours)})
			}
			list, err := call(cmd.Context(), a, control.RosterSet, req)
			if err != nil {
				return err
			}
			return a.emitRoster(list)
		}),
	}
	list := &cobra.Command{
		Use:     "list",
		Short:   "the on-call roster, and who takes cases now",
		Example: "  curbside roster list\n  curbside roster list --json",
		Args:    places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			list, err := call(cmd.Context(), a, control.RosterList, control.None{})
			if err != nil {
				return err
			}
			return a.emitRoster(list)
		}),
	}
	return group("roster", "who is asked next when nobody accepts in time: set, list",
		"  curbside roster set \"Dr. Quispe\" \"Dr. Rojas=Mon-Sun 20:00-08:00 @ Europe/Madrid\"\n  curbside roster list", set, list)
}

func (a *app) emitRoster(list []control.RosterEntry) error {
	return a.emit(list, func(pg *page) {
		for i, r := range list {
			now := "takes cases now"
			if !r.Accepting {
				now = "not now"
			}
			pg.row(i+1, short(r.Person), r.Name, r.Trust, now, r.Hours, inZone(r.OpensAt))
		}
	})
}
