package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

// openReply is what curbside open prints.
type openReply struct {
	control.Opened
	Weasis  string   `json:"weasis"`  // the studies as a weasis:// URL
	Started []string `json:"started"` // the viewer's program and arguments, or the URL; [] where none was
}

func (a *app) openCmd() *cobra.Command {
	var studies []string
	var viewer string
	var print bool
	cmd := &cobra.Command{
		Use:   "open [CASE]",
		Short: "open a case's images in another viewer",
		Long: `open gives the studies of a case, priors behind them, to the viewer that the setting viewer
names. The viewer reads them from this node alone, by DICOMweb on a loopback address, with a
key for these studies that ends 15 minutes after it was last used. Each opening is in the
audit log. It needs a running node.

The setting is a URL or a program with arguments, in which
  {weasis}  is a weasis:// URL          {url}    the root of the DICOMweb services
  {study}   the Study Instance UIDs     {dir}    a folder with the files, decrypted
and %u is {weasis} for a program called weasis, else {url}. "weasis" alone opens {weasis}.
A web viewer must be allowed to ask: see serve --web-origin.`,
		Example: `  curbside config set viewer weasis
  curbside open 7f3a
  curbside open 7f3a --viewer "aliza {dir}"
  curbside config set viewer "https://viewer.example.org/viewer?StudyInstanceUIDs={study}"
  curbside open --study 81b4 --print         the addresses alone`,
		Args:              places("[CASE]"),
		ValidArgsFunction: a.first(a.caseIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) == (len(studies) == 0) {
				return usage("name a case, or studies with --study")
			}
			if err := a.connectRunning(cmd.Context()); err != nil {
				return err
			}
			return a.openIn(cmd.Context(), control.OpenRequest{Case: optional(args), Studies: studies}, viewer, print)
		}),
	}
	f := cmd.Flags()
	f.StringArrayVar(&studies, "study", nil, "open `STUDY` instead of a case (repeatable)")
	f.StringVar(&viewer, "viewer", "", "`VIEWER` instead of the setting viewer")
	f.BoolVar(&print, "print", false, "print the addresses and start nothing")
	a.complete(cmd, "study", a.studyIDs)
	return cmd
}

func (a *app) openIn(ctx context.Context, req control.OpenRequest, viewer string, print bool) error {
	opened, err := call(ctx, a, control.OpenStudies, req)
	if err != nil {
		return err
	}
	a.warnAll(opened.Warnings)
	out := openReply{Opened: opened, Weasis: weasisURL(opened), Started: []string{}}
	viewer = cmpOr(viewer, opened.Viewer)
	if viewer != "" && !print {
		if out.Started, err = a.launch(ctx, viewer, &out); err != nil {
			return err
		}
	}
	err = a.emit(out, func(pg *page) {
		pg.field("dicomweb", out.Root)
		pg.field("weasis", out.Weasis)
		for _, s := range out.Studies {
			pg.field("study uid", s.StudyUID)
		}
		pg.field("until", out.Until.Local().Format("15:04"))
		if len(out.Started) > 0 {
			pg.field("started", out.Started[0])
		}
	})
	if err == nil && viewer == "" && !print {
		a.say("hint: no viewer is set: open one of these addresses in yours, or: curbside config set viewer weasis")
	}
	return err
}

// weasisURL asks Weasis to read studies from the services (FIELD §7).
func weasisURL(o control.Opened) string {
	var b strings.Builder
	fmt.Fprintf(&b, `$dicom:rs --url "%s"`, o.Root)
	for _, s := range o.Studies {
		fmt.Fprintf(&b, ` -r "studyUID=%s"`, s.StudyUID)
	}
	return "weasis://" + strings.ReplaceAll(url.QueryEscape(b.String()), "+", "%20")
}

// launch starts the viewer and does not wait for it. It runs in this process' session, not in the
// node's, so that it has a screen.
func (a *app) launch(ctx context.Context, viewer string, o *openReply) ([]string, error) {
	argv, err := a.viewerArgs(ctx, viewer, o)
	if err != nil {
		return nil, err
	}
	if strings.Contains(argv[0], "://") {
		argv = append(opener(), argv[0])
	}
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, control.Errorf(control.Refused, "the viewer %s is not there", argv[0]).
			WithHint("set another with: curbside config set viewer …, or see the addresses with --print")
	}
	cmd := exec.Command(program, argv[1:]...) //nolint:noctx // the user's own choice; it outlives this command
	if err := cmd.Start(); err != nil {
		return nil, control.Errorf(control.Refused, "the viewer does not start: %v", errors.Unwrap(err))
	}
	return argv, cmd.Process.Release()
}

// viewerArgs fills a template in: split at spaces first, so that nothing put in is split or reaches a shell.
func (a *app) viewerArgs(ctx context.Context, viewer string, o *openReply) ([]string, error) {
	if viewer == "weasis" {
		return []string{o.Weasis}, nil
	}
	argv := strings.Fields(viewer)
	if len(argv) == 0 {
		return nil, usage("the viewer is empty")
	}
	uids := make([]string, 0, len(o.Studies))
	for _, s := range o.Studies {
		uids = append(uids, s.StudyUID)
	}
	list, root := strings.Join(uids, ","), o.Root
	if strings.Contains(argv[0], "://") {
		root = url.QueryEscape(root)
	}
	u := root
	if name := filepath.Base(argv[0]); strings.HasPrefix(strings.ToLower(name), "weasis") {
		u = o.Weasis
	}
	dir := ""
	if strings.Contains(viewer, "{dir}") {
		var err error
		if dir, err = a.exportFor(ctx, o); err != nil {
			return nil, err
		}
	}
	fill := strings.NewReplacer("{weasis}", o.Weasis, "{url}", root, "{study}", list, "{dir}", dir, "%u", u)
	for i := range argv {
		argv[i] = fill.Replace(argv[i])
	}
	return argv, nil
}

// exportFor writes the files for a viewer that reads folders. They are decrypted, and stay until the
// node starts next.
func (a *app) exportFor(ctx context.Context, o *openReply) (string, error) {
	dir, err := os.MkdirTemp(filepath.Join(a.home, "tmp"), "open-")
	if err != nil {
		return "", control.Errorf(control.Refused, "no folder for the viewer: %v", err)
	}
	for _, s := range o.Studies {
		if _, err := call(ctx, a, control.StudyExport, control.StudyExportRequest{Study: s.Study, Out: dir}); err != nil {
			_ = os.RemoveAll(dir) // the error before says what is wrong
			return "", err
		}
	}
	a.warn("the files lie decrypted in %s until the node starts next", dir)
	return dir, nil
}

// opener is the system's program that opens a URL.
func opener() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}
	case "darwin":
		return []string{"open"}
	}
	return []string{"xdg-open"}
}
