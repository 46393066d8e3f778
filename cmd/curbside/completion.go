package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
)

// completeTime bounds what a shell waits for while somebody types.
const completeTime = time.Second

func (a *app) completionCmd() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "print the completion script of a shell",
		Long: `completion prints a script that teaches a shell the commands, the flags and, where a node
runs, the ids of cases, studies and contacts. SHELL is bash, zsh, fish or powershell.`,
		Example: `  source <(curbside completion bash)
  curbside completion zsh > "${fpath[1]}/_curbside"
  curbside completion fish > ~/.config/fish/completions/curbside.fish`,
		Args:      places("SHELL"),
		ValidArgs: shells,
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "zsh":
				return root.GenZshCompletion(a.out)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.out)
			}
			return &usageError{msg: fmt.Sprintf("shell %q is not known", args[0]), hint: "one of: " + strings.Join(shells, ", ")}
		}),
	}
}

// ids lists what can be named, as "id<tab>description". Only a running node is asked: completion
// must not wait for a lock, nor ask for a passphrase.
type ids func(context.Context, *control.Client) []string

func (a *app) askNode(ctx context.Context, list ids) ([]string, cobra.ShellCompDirective) {
	home, err := homeDir(a.home)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	c, ok := control.Find(ctx, home)
	if !ok {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.Close()
	c.As = a.as
	return list(ctx, c), cobra.ShellCompDirectiveNoFileComp
}

// first completes the first argument.
func (a *app) first(list ids) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.askNode(cmd.Root().Context(), list)
	}
}

// complete completes a flag.
func (a *app) complete(cmd *cobra.Command, flag string, list ids) {
	_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.askNode(cmd.Root().Context(), list)
	})
}

// completeWords completes a flag that takes one of a few words.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// The names of patients stay out of completion: a shell shows it to whoever looks on.

func (a *app) caseIDs(ctx context.Context, c *control.Client) []string {
	list, err := control.CaseList.Call(ctx, c, control.None{})
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, k := range list {
		out = append(out, short(k.Case)+"\t"+k.State+", from "+text.Line(k.From))
	}
	return out
}

func (a *app) studyIDs(ctx context.Context, c *control.Client) []string {
	list, err := control.StudyList.Call(ctx, c, control.None{})
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, short(s.Study)+"\t"+text.Line(s.Modality)+" "+text.Line(s.Date)+", "+plural(s.Instances, "image"))
	}
	return out
}

func (a *app) contactIDs(ctx context.Context, c *control.Client) []string {
	list, err := control.ContactList.Call(ctx, c, control.None{})
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, k := range list {
		out = append(out, short(k.Person)+"\t"+text.Line(k.Name))
	}
	return out
}

func (a *app) personIDs(ctx context.Context, c *control.Client) []string {
	list, err := control.PersonList.Call(ctx, c, control.None{})
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, p := range list {
		out = append(out, short(p.Person)+"\t"+text.Line(p.Name))
	}
	return out
}
