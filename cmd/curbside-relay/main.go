// Command curbside-relay is a host that carries for curbside nodes and can read nothing of
// it: circuit relay, bootstrap node of the DHT and mailbox in one small program. It has no
// person and no vault; its import graph reaches nothing that knows of cases or images.
//
// Manners as those of curbside: its addresses go to stdout, talk to stderr, a line "ready"
// on stderr once it serves; SIGINT or SIGTERM stops it cleanly; exit status 0 done, 1
// failed with a line "error: …", 2 wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/peering"
	"github.com/curbside-p2p/curbside/node/relay"
	"github.com/curbside-p2p/curbside/storage"
	"github.com/curbside-p2p/curbside/storage/mailbox"
)

// Exit statuses, a promise to scripts.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(mainCode()) }

func mainCode() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
}

// flags are what the command line says.
type flags struct {
	home      string
	cfg       relay.Config
	allowFile string
	budget    string
	rate      string
	noMailbox bool
	noImages  bool
	items     string
	images    string
	boxImages string
	boxes     int
	verbose   bool
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	began := false
	cmd := command(out, errs, &began) //nolint:contextcheck // it gets the context below
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(errs)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(errs, "error: %v\n", err)
	if hint := hintFor(err, began); hint != "" {
		fmt.Fprintf(errs, "hint: %s\n", hint)
	}
	if !began {
		return exitUsage
	}
	return exitFailed
}

func hintFor(err error, began bool) string {
	switch {
	case !began:
		return "see: curbside-relay --help"
	case errors.Is(err, storage.ErrLocked):
		return "a relay runs on this home already; stop it, or use another --home"
	case errors.Is(err, relay.ErrPeerID):
		return "a peer id begins with 12D3; curbside id shows it at the end of each address"
	case errors.Is(err, errSize):
		return "write it as 500MiB or 20GiB"
	}
	return ""
}

func command(out, errs io.Writer, began *bool) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "curbside-relay",
		Short: "carry for curbside nodes without being able to read it",
		Long: `curbside-relay lets nodes behind NAT reach one another. It stands on a host that
everybody reaches (TCP and UDP port 4001, or 443 where a hospital lets nothing else
out), and is a node of the DHT that others may begin at with --bootstrap.

It is a mailbox too: nodes that may use it have what colleagues send them kept here,
sealed, while they are away.

It sees which nodes connect, from where, when and how much; nothing of what they say.
Without --allow anybody may use it, within --budget.`,
		Example: `  curbside-relay --home /var/lib/curbside-relay
  curbside-relay --home R --listen 0.0.0.0:443 --listen 0.0.0.0:4001 --allow-file clinics.txt
  curbside serve --relay /dns/relay.example.org/tcp/4001/p2p/12D3…      on a node`,
		Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			*began = true
			return serve(cmd.Context(), &f, out, errs)
		},
	}
	cmd.CompletionOptions.DisableDefaultCmd = true
	p := cmd.Flags()
	p.SortFlags = false
	p.StringVar(&f.home, "home", "", "data directory `DIR` (else the user's data folder + curbside-relay)")
	p.StringArrayVar(&f.cfg.Listen, "listen", nil, "listen on `ADDR`: HOST:PORT or multiaddr (repeatable; default port 4001)")
	p.StringArrayVar(&f.cfg.Allow, "allow", nil, "`PEERID` that may hold a reservation and a mailbox (repeatable; default everybody)")
	p.StringVar(&f.allowFile, "allow-file", "", "`FILE` with one such peer id a line; # begins a comment")
	p.StringVar(&f.budget, "budget", "20GiB", "`SIZE` that one peer may move in 24 hours; 0 is no bound")
	p.StringArrayVar(&f.cfg.Bootstrap, "bootstrap", nil, "`ADDR` of another relay, to join its DHT (repeatable)")
	p.BoolVar(&f.cfg.NoDHT, "no-dht", false, "be no node of the DHT")
	p.BoolVar(&f.cfg.Private, "private", false, "dial private addresses too: for a closed network")
	p.BoolVar(&f.noMailbox, "no-mailbox", false, "keep nothing for nodes that are away")
	p.BoolVar(&f.noImages, "no-images", false, "keep messages for them, but no images")
	p.IntVar(&f.boxes, "boxes", 4096, "`NUMBER` of mailboxes")
	p.StringVar(&f.items, "mailbox-size", "16GiB", "`SIZE` of the messages of all mailboxes; one holds 64 MiB, for 30 days")
	p.StringVar(&f.images, "images-size", "50GiB", "`SIZE` of the images of all mailboxes")
	p.StringVar(&f.boxImages, "images-box", "2GiB", "`SIZE` of the images of one mailbox")
	p.StringVar(&f.rate, "rate", "16MiB", "`SIZE` that one peer may move through mailboxes a second; 0 is no bound")
	p.BoolVar(&f.verbose, "verbose", false, "log who connects, by peer id")
	return cmd
}

func serve(ctx context.Context, f *flags, out, errs io.Writer) error {
	home, err := homeDir(f.home)
	if err != nil {
		return err
	}
	cfg := f.cfg
	limits := mailbox.Limits{Boxes: f.boxes}
	for _, s := range []struct {
		flag, text string
		to         *int64
	}{
		{"budget", f.budget, &cfg.Budget},
		{"rate", f.rate, &cfg.Rate},
		{"mailbox-size", f.items, &limits.ItemBytes},
		{"images-size", f.images, &limits.StudyBytes},
		{"images-box", f.boxImages, &limits.BoxStudyBytes},
	} {
		if *s.to, err = parseSize(s.text); err != nil {
			return fmt.Errorf("--%s: %w", s.flag, err)
		}
	}
	if f.noImages {
		limits.BoxStudyBytes = -1
	}
	if f.allowFile != "" {
		more, err := readAllow(f.allowFile)
		if err != nil {
			return err
		}
		cfg.Allow = append(cfg.Allow, more...)
	}
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	cfg.Log = slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: level}))
	dir, err := storage.Open(home)
	if err != nil {
		return err
	}
	if f.noMailbox {
		err = serveDir(ctx, dir, cfg, out, errs)
	} else {
		err = withMailbox(ctx, dir, cfg, limits, out, errs)
	}
	return errors.Join(err, dir.Close())
}

func withMailbox(ctx context.Context, dir *storage.Dir, cfg relay.Config, limits mailbox.Limits, out, errs io.Writer) error {
	store, err := mailbox.Open(dir.Path("mailbox"), limits, time.Now)
	if err != nil {
		return err
	}
	cfg.Mailbox, cfg.Sweep = store, store.Sweep
	err = serveDir(ctx, dir, cfg, out, errs)
	return errors.Join(err, store.Close())
}

func serveDir(ctx context.Context, dir *storage.Dir, cfg relay.Config, out, errs io.Writer) error {
	var keyErr error
	key, err := dir.NodeKey(func() []byte {
		var k []byte
		k, keyErr = peering.NewKey()
		return k
	})
	if err = errors.Join(keyErr, err); err != nil {
		return err
	}
	cfg.Key = key
	n, err := relay.New(cfg)
	if err != nil {
		return err
	}
	return n.Run(ctx, func(addrs []string) {
		for _, a := range addrs {
			fmt.Fprintln(out, a)
		}
		fmt.Fprintln(errs, "ready")
	})
}

// homeDir is where a relay keeps its key and its mailboxes unless told otherwise.
func homeDir(said string) (string, error) {
	if said != "" {
		return said, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "curbside-relay"), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("no home directory here: name one with --home")
	}
	return filepath.Join(user, ".local", "share", "curbside-relay"), nil
}

// readAllow reads peer ids, one a line.
func readAllow(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s names nobody: everybody would be let in", path)
	}
	return out, nil
}

var errSize = errors.New("not a size")

// parseSize reads 20GiB, 500MB or a number of bytes.
func parseSize(s string) (int64, error) {
	unit := int64(1)
	digits := strings.TrimRight(s, "KMGTiB")
	switch strings.TrimSuffix(strings.TrimSuffix(s[len(digits):], "B"), "i") {
	case "":
	case "K":
		unit = 1 << 10
	case "M":
		unit = 1 << 20
	case "G":
		unit = 1 << 30
	case "T":
		unit = 1 << 40
	default:
		return 0, fmt.Errorf("%q: %w", s, errSize)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > 1<<62/unit {
		return 0, fmt.Errorf("%q: %w", s, errSize)
	}
	return n * unit, nil
}
