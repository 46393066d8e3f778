package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/storage"
	"github.com/curbside-p2p/curbside/storage/vault"
)

// Exit statuses, a promise to scripts.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// app is one run of the program: its streams, its global flags and its way to a node.
type app struct {
	in     *os.File
	out    io.Writer
	err    io.Writer
	inTTY  bool // questions may be asked
	outTTY bool
	errTTY bool // progress may be drawn

	home     string
	json     bool
	plain    bool
	as       string
	passFile string
	pass     []byte // what passFile holds

	began   bool // a command's own work began: what fails from here is not wrong usage
	conn    *control.Client
	node    *node.Node // the home, opened in process
	running bool       // conn leads to another process
	asked   bool       // the passphrase was asked for once
}

func run(ctx context.Context, args []string, in, out, errs *os.File) int {
	a := &app{
		in: in, out: out, err: errs,
		inTTY: isTerminal(in), outTTY: isTerminal(out), errTTY: isTerminal(errs),
	}
	root := a.root() //nolint:contextcheck // completion takes it from the root command, which gets it below
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	cmd, err := root.ExecuteContextC(ctx)
	if cerr := a.disconnect(); err == nil {
		err = cerr
	}
	return a.report(ctx, cmd, err)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// root makes the whole command line.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "curbside",
		Short: "second opinions on medical images, from node to node",
		Long: `curbside asks a colleague for a second opinion: images, question, discussion and a
signed report travel end-to-end encrypted from one node to the other, with nobody
in between.

Without a command it opens the terminal interface; where there is no node yet it
sets one up.`,
		Example: `  curbside demo                        a whole second opinion on this machine
  curbside init --name "Clinic Puno"   make the keys
  curbside id                          my card, with an invite link for a colleague
  curbside import /media/cdrom         take studies in
  curbside serve                       be reachable
  curbside case list                   the worklist`,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          a.work(a.bare),
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{msg: err.Error()} })
	flags := root.PersistentFlags()
	flags.StringVar(&a.home, "home", "", "data directory `DIR` (else CURBSIDE_HOME, else the user's data folder)")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	flags.BoolVar(&a.plain, "plain", false, "print plain lines, the default where stdout is no terminal")
	flags.StringVar(&a.as, "as", "", "the `PERSON` who acts, where this node has several")
	flags.StringVar(&a.passFile, "passphrase-file", "", "`FILE` that holds the passphrase of the vault")
	_ = root.MarkPersistentFlagFilename("passphrase-file")
	_ = root.MarkPersistentFlagDirname("home")
	a.complete(root, "as", a.personIDs)

	root.AddGroup(
		&cobra.Group{ID: "start", Title: "Start:"},
		&cobra.Group{ID: "work", Title: "Work:"},
		&cobra.Group{ID: "house", Title: "Look after the node:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("start", a.demoCmd(), a.initCmd(), a.idCmd(), a.contactCmd(), a.serveCmd(), a.tuiCmd())
	add("work", a.importCmd(), a.openCmd(), a.studyCmd(), a.requestCmd(), a.deidCmd(), a.caseCmd(), a.bundleCmd(), a.patientCmd(), a.formCmd(), a.rosterCmd(), a.templateCmd(), a.renderCmd(), a.pixelCmd())
	add("house", a.gatewayCmd(), a.personCmd(), a.peersCmd(), a.transfersCmd(), a.doctorCmd(), a.attestCmd(), a.auditCmd(), a.configCmd(), a.versionCmd(), a.completionCmd())
	root.SetHelpCommandGroupID("house")
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.Short = "explain a command"
		}
	}
	return root
}

// work wraps a command's own part: before it, whatever fails is wrong usage.
func (a *app) work(fn func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if a.json && a.plain {
			return usage("--json and --plain exclude each other")
		}
		a.began = true
		var err error
		if a.home, err = homeDir(a.home); err != nil {
			return err
		}
		if a.pass, err = a.passphraseFile(); err != nil {
			return err
		}
		return fn(cmd, args)
	}
}

// group makes a command that only has others below it.
func group(use, short, example string, cmds ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use: use, Short: short, Example: example,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("%s wants to know what to do", cmd.CommandPath())
			}
			return unknownCommand(cmd, args[0])
		},
	}
	g.AddCommand(cmds...)
	return g
}

// usageError is a failure of the one who called: exit status 2.
type usageError struct{ msg, hint string }

func (e *usageError) Error() string { return e.msg }

func usage(format string, args ...any) error {
	return &usageError{msg: fmt.Sprintf(format, args...)}
}

func unknownCommand(cmd *cobra.Command, name string) error {
	e := &usageError{msg: fmt.Sprintf("unknown command %q for %q", name, cmd.CommandPath())}
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	switch near := cmd.SuggestionsFor(name); {
	case len(near) > 0:
		e.hint = "did you mean: " + cmd.CommandPath() + " " + near[0]
	case later[strings.TrimPrefix(cmd.CommandPath()+" "+name, "curbside ")]:
		e.hint = "it is planned; this version does not have it yet"
	}
	return e
}

// later are commands of the scripting contract that a later version brings.
var later = map[string]bool{
	"backup":       true,
	"audit export": true,
}

// places checks positional arguments by their names in Use: "CASE", "[STUDY]", "PATH...".
func places(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		need, most := 0, len(names)
		for _, n := range names {
			if strings.HasSuffix(n, "...") {
				most = int(^uint(0) >> 1)
			}
			if n[0] != '[' {
				need++
			}
		}
		switch {
		case len(args) < need:
			return usage("%s: %s is missing", cmd.CommandPath(), strings.TrimSuffix(names[len(args)], "..."))
		case len(args) > most:
			return usage("%s: %q is one argument too many", cmd.CommandPath(), args[most])
		}
		if slices.Contains(args, "") {
			return usage("%s: an argument is empty", cmd.CommandPath())
		}
		return nil
	}
}

// oneOf checks a flag that takes one of a few words.
func oneOf(flag, value string, words ...string) error {
	if slices.Contains(words, value) {
		return nil
	}
	return &usageError{msg: fmt.Sprintf("--%s %q is not known", flag, value), hint: "one of: " + strings.Join(words, ", ")}
}

// report says what failed, in one line, and turns it into the exit status.
func (a *app) report(ctx context.Context, cmd *cobra.Command, err error) int {
	if err == nil {
		return exitDone
	}
	code, msg, hint := a.describe(ctx, cmd, err)
	fmt.Fprintf(a.err, "error: %s\n", text.Line(msg))
	if hint != "" {
		fmt.Fprintf(a.err, "hint: %s\n", text.Line(hint))
	}
	return code
}

func (a *app) describe(ctx context.Context, cmd *cobra.Command, err error) (code int, msg, hint string) {
	var wrong *usageError
	var failed *control.Error
	help := "see: " + cmd.CommandPath() + " --help"
	switch {
	case errors.As(err, &wrong):
		return exitUsage, wrong.msg, cmpOr(wrong.hint, help)
	case !a.began: // cobra's own words
		return exitUsage, missingFlags(err.Error()), help
	case errors.As(err, &failed):
		if failed.Code == control.Usage {
			return exitUsage, failed.Message, cmpOr(failed.Hint, help)
		}
		return exitFailed, failed.Message, failed.Hint
	case ctx.Err() != nil:
		return exitFailed, "interrupted", ""
	}
	return exitFailed, err.Error(), hintFor(err)
}

// missingFlags turns cobra's `required flag(s) "a", "b" not set` into flags as they are typed.
func missingFlags(msg string) string {
	list, ok := strings.CutPrefix(msg, "required flag(s) ")
	if !ok {
		return msg
	}
	list = strings.TrimSuffix(list, " not set")
	return "missing: --" + strings.ReplaceAll(strings.ReplaceAll(list, `", "`, ", --"), "\"", "")
}

// hintFor knows what to do about failures that come from rooms which do not know the command line.
func hintFor(err error) string {
	switch {
	case errors.Is(err, node.ErrNoPerson), errors.Is(err, storage.ErrAbsent):
		return "make one with: curbside init --name NAME"
	case errors.Is(err, storage.ErrLocked):
		return "wait for it, stop it, or use another --home"
	case errors.Is(err, storage.ErrForeign):
		return "name an empty or a new folder with --home"
	case errors.Is(err, storage.ErrVersion):
		return "update curbside"
	case errors.Is(err, vault.ErrPassphrase):
		return "check --passphrase-file"
	}
	return ""
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// warn says something on stderr that changes nothing about the outcome.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintf(a.err, "warning: %s\n", text.Line(fmt.Sprintf(format, args...)))
}

func (a *app) warnAll(warnings []string) {
	for _, w := range warnings {
		a.warn("%s", w)
	}
}

// say is talk: stderr.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }
