package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node"
	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) peersCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "peers",
		Short:   "the colleagues' nodes that are connected or looked for",
		Long:    "peers says of every contact and member how they are reached: direct, relay, lan or none; and of who is\nnot, why and when the next try is.",
		Example: "  curbside peers\n  curbside peers --json | jq '.[] | select(.path == \"none\")'",
		Args:    places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			if err := a.connectRunning(cmd.Context()); err != nil {
				return err
			}
			list, err := call(cmd.Context(), a, control.PeerList, control.None{})
			if err != nil {
				return err
			}
			return a.emit(list, func(pg *page) {
				for _, p := range list {
					rtt := "-"
					if p.RTTMS != nil {
						rtt = fmt.Sprintf("%.1f ms", *p.RTTMS)
					}
					why := ""
					if p.Why != "" {
						why = p.Why
						if p.Next != nil {
							why += "; next try " + p.Next.Local().Format("15:04:05")
						}
					}
					pg.row(p.Path, rtt, p.Since, p.Name, p.Peer, why)
				}
			})
		}),
	}
}

func (a *app) transfersCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "transfers",
		Short:   "the studies that are on their way",
		Example: "  curbside transfers\n  watch curbside transfers --plain",
		Args:    places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			if err := a.connectRunning(cmd.Context()); err != nil {
				return err
			}
			list, err := call(cmd.Context(), a, control.TransferList, control.None{})
			if err != nil {
				return err
			}
			return a.emit(list, func(pg *page) {
				for _, t := range list {
					pg.row(t.Direction, t.State, size(t.BytesDone)+" of "+size(t.BytesTotal), size(int64(t.Rate))+"/s", short(t.Case), short(t.Study), cmp.Or(t.Name, t.Peer))
					if t.Hint != "" {
						pg.row("", "hint: "+t.Hint)
					}
					if len(t.Sources) > 1 {
						for _, s := range t.Sources {
							pg.row("", "from", s.Name, size(int64(s.Rate))+"/s", s.Path, "", s.Peer)
						}
					}
				}
			})
		}),
	}
}

func (a *app) doctorCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "check the node and say what to do",
		Long:  "doctor looks at the data directory, the keys, the clock and the network, says what is wrong and what to do about it, and fails if anything is.",
		Example: `  curbside doctor
  curbside doctor --json | jq '.checks[] | select(.ok | not)'`,
		Args: places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			r, err := call(cmd.Context(), a, control.Doctor, control.None{})
			if err != nil {
				return err
			}
			bad := 0
			for _, c := range r.Checks {
				if !c.OK {
					bad++
				}
			}
			err = a.emit(r, func(pg *page) {
				for _, c := range r.Checks {
					word := "ok"
					if !c.OK {
						word = "FAILS"
					}
					pg.row(word, c.Name, c.Detail)
					if c.Hint != nil {
						pg.row("", "", "hint: "+*c.Hint)
					}
				}
			})
			if err == nil && bad > 0 {
				return control.Errorf(control.Refused, "%s failed", plural(bad, "check"))
			}
			return err
		}),
	}
}

func (a *app) auditCmd() *cobra.Command {
	list := &cobra.Command{
		Use:     "list",
		Short:   "who did what on this node",
		Example: "  curbside audit list\n  curbside audit list --json",
		Args:    places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			list, err := call(cmd.Context(), a, control.AuditList, control.None{})
			if err != nil {
				return err
			}
			return a.emit(list, func(pg *page) {
				for _, r := range list {
					pg.row(r.Time, short(r.Person), r.Action, short(r.Object), r.Outcome)
				}
			})
		}),
	}
	verify := &cobra.Command{
		Use:     "verify",
		Short:   "check that the audit log was not cut or changed",
		Example: "  curbside audit verify",
		Args:    places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			r, err := call(cmd.Context(), a, control.AuditVerify, control.None{})
			if err != nil {
				return err
			}
			err = a.emit(r, func(pg *page) {
				pg.field("records", r.Records)
				pg.field("checkpoints", r.Checkpoints)
				pg.field("witnessed", r.Witnessed)
				pg.field("ok", r.OK)
			})
			if err == nil && !r.OK {
				return control.Errorf(control.Refused, "the audit log was changed or cut")
			}
			return err
		}),
	}
	return group("audit", "the log of who did what: list, verify", "  curbside audit list\n  curbside audit verify", list, verify)
}

func (a *app) configCmd() *cobra.Command {
	all := node.SettingKeys()
	keys := ""
	for half := range slices.Chunk(all, 6) {
		keys += strings.Join(half, ", ") + ",\n"
	}
	keys = strings.TrimSuffix(keys, ",\n")
	complete := func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return node.SettingKeys(), cobra.ShellCompDirectiveNoFileComp
	}
	get := &cobra.Command{
		Use:               "get [KEY]",
		Short:             "print a setting, or all",
		Long:              "get prints a setting, or all of them. There are\n" + keys + ".",
		Example:           "  curbside config get\n  curbside config get listen --json",
		Args:              places("[KEY]"),
		ValidArgsFunction: complete,
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			key := optional(args)
			all, err := call(cmd.Context(), a, control.ConfigGet, control.ConfigRequest{Key: key})
			if err != nil {
				return err
			}
			return a.emitSettings(key, all)
		}),
	}
	set := &cobra.Command{
		Use:   "set KEY VALUE",
		Short: "change a setting",
		Long: `set changes a setting in HOME/config.toml; lists are separated by commas. Flags win over
settings; a running node takes network settings at its next start. There are
` + keys + `.`,
		Example: `  curbside config set listen 0.0.0.0:4001
  curbside config set trust verified
  curbside config set lan-only true`,
		Args: cobra.MatchAll(func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 && args[0] != "" { // the value may be empty: that clears it
				return nil
			}
			return places("KEY", "VALUE")(cmd, args)
		}),
		ValidArgsFunction: complete,
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			all, err := call(cmd.Context(), a, control.ConfigSet, control.ConfigRequest{Key: args[0], Value: args[1]})
			if err != nil {
				return err
			}
			return a.emitSettings(args[0], all)
		}),
	}
	return group("config", "settings: get, set", "  curbside config get\n  curbside config set trust verified", get, set)
}

// emitSettings prints one setting's value, or all settings by name.
func (a *app) emitSettings(key string, all map[string]any) error {
	if key != "" {
		v, ok := all[key]
		if !ok {
			return control.Errorf(control.Refused, "no such setting: %s", key)
		}
		return a.emit(v, func(pg *page) { pg.row(settingText(v)) })
	}
	return a.emit(all, func(pg *page) {
		for _, k := range slices.Sorted(maps.Keys(all)) {
			pg.row(k, settingText(all[k]))
		}
	})
}

// settingText is a value as config set takes it.
func settingText(v any) string {
	list, ok := v.([]any)
	if !ok {
		return fmt.Sprint(v)
	}
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = fmt.Sprint(w)
	}
	return strings.Join(words, ",")
}
