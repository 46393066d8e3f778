package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/gateway"
	"github.com/curbside-p2p/curbside/storage"
)

// stopTime is how long a node may take to stop cleanly: the contract says 5 s with everything.
const stopTime = 4500 * time.Millisecond

// netFlags are the flags of serve, and of the interface where it brings its own node.
type netFlags struct {
	listen, bootstrap, relay []string
	mailbox                  []string
	mailStudies, mailKeep    bool
	lanOnly, noDHT           bool
	dicom                    gateway.Listen
	web                      node.WebConfig
}

func (n *netFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&n.listen, "listen", nil, "listen on `ADDR`: HOST:PORT or multiaddr (repeatable; default port 4001)")
	f.BoolVar(&n.lanOnly, "lan-only", false, "stay in the local network: no DHT, no relays, no public addresses")
	f.BoolVar(&n.noDHT, "no-dht", false, "do not use the DHT: contacts at their last addresses, the directory on the local network only")
	f.StringArrayVar(&n.bootstrap, "bootstrap", nil, "`ADDR` of a node that knows others (repeatable)")
	f.StringArrayVar(&n.relay, "relay", nil, "`ADDR` of a curbside-relay, to be reached through where nothing else works (repeatable)")
	f.StringArrayVar(&n.mailbox, "mailbox", nil, "`ADDR` of a node that keeps what comes while this one is away (repeatable; default the relays)")
	f.BoolVar(&n.mailStudies, "mailbox-studies", false, "leave images in mailboxes too, not only messages")
	f.BoolVar(&n.mailKeep, "mailbox-for-contacts", false, "keep mailboxes here for contacts: for a node that is always on")
	n.dicomFlags(cmd)
	n.webFlags(cmd)
}

// config joins flags and settings; flags win.
func (n *netFlags) config(a *app, cmd *cobra.Command) (node.Config, error) {
	s, err := node.LoadConfig(a.home)
	if err != nil {
		return node.Config{}, err
	}
	for _, k := range s.Unknown {
		a.warn("config.toml: this version does not know %q", k)
	}
	cfg := node.Config{
		Home: a.home, Passphrase: a.pass,
		Listen: s.Listen, LANOnly: s.LANOnly, NoDHT: s.NoDHT, Bootstrap: s.Bootstrap, Relays: s.Relay,
		Mailboxes: s.Mailbox, MailboxStudies: s.MailboxStudies, MailboxForContacts: s.MailboxForContacts,
	}
	changed := cmd.Flags().Changed
	if changed("listen") {
		cfg.Listen = n.listen
	}
	if changed("lan-only") {
		cfg.LANOnly = n.lanOnly
	}
	if changed("no-dht") {
		cfg.NoDHT = n.noDHT
	}
	if changed("bootstrap") {
		cfg.Bootstrap = n.bootstrap
	}
	if changed("relay") {
		cfg.Relays = n.relay
	}
	if changed("mailbox") {
		cfg.Mailboxes = n.mailbox
	}
	if changed("mailbox-studies") {
		cfg.MailboxStudies = n.mailStudies
	}
	if changed("mailbox-for-contacts") {
		cfg.MailboxForContacts = n.mailKeep
	}
	if cfg.LANOnly && len(cfg.Relays) > 0 {
		a.warn("--lan-only: the relays are left out")
		cfg.Relays = nil
	}
	cfg.DICOM = n.dicomConfig(s, changed)
	if cfg.Web, err = n.webConfig(s, changed); err != nil {
		return cfg, err
	}
	return cfg, nil
}

func (a *app) serveCmd() *cobra.Command {
	var n netFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "be reachable: run the node until it is stopped",
		Long: `serve runs the node: it exchanges cases with contacts and members, and answers the other
commands. It prints "ready" on stderr when it accepts them, and logs to stderr. Ctrl-C or
SIGTERM stops it cleanly.

Nobody is contacted but colleagues, the nodes named with --bootstrap and --relay, those of the
local network and, through these, nodes of the same private DHT, unless --no-dht is given.

With --dicom, callers named by --dicom-allow store studies, find them (C-FIND) and have them sent
to a destination that "gateway destination add" named (C-MOVE, by its AE title). Nobody else may.`,
		Example: `  curbside serve
  curbside serve --listen 0.0.0.0:4001 --bootstrap /dns/node.example.org/tcp/4001/p2p/12D3…
  curbside serve --relay /dns/relay.example.org/tcp/4001/p2p/12D3…      behind NAT
  curbside serve --lan-only                a mesh without internet
  curbside serve --dicom 127.0.0.1:11112 --dicom-allow CT1 --dicom-allow PACS@10.0.0.7
  curbside serve --web 127.0.0.1:8042 --watch ~/incoming`,
		Args: places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error { return a.serve(cmd, &n) }),
	}
	n.flags(cmd)
	return cmd
}

func (a *app) serve(cmd *cobra.Command, flags *netFlags) error {
	ctx := cmd.Context()
	if !storage.Exists(a.home) {
		return node.ErrNoPerson
	}
	cfg, err := flags.config(a, cmd)
	if err != nil {
		return err
	}
	cfg.Log = a.logger(slog.LevelInfo)
	n, err := a.openAlone(ctx, cfg)
	if err != nil {
		return err
	}
	a.node = n
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx, func() { a.sayWeb(n); a.say("ready") }) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		if err = waitStop(done); err != nil {
			a.node = nil // it does not answer: the process ends without it
		}
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// waitStop gives a node its time to stop.
func waitStop(done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-time.After(stopTime):
		return fmt.Errorf("the node did not stop within %v", stopTime)
	}
}

// openAlone opens the home for a node: a node that runs on it already is a failure that names it.
func (a *app) openAlone(ctx context.Context, cfg node.Config) (*node.Node, error) {
	n, err := a.openNode(ctx, cfg)
	if err != nil || n != nil {
		return n, err
	}
	_, err = node.Open(ctx, cfg) // the holder's answer was at the socket; its name is in LOCK
	if err == nil {
		err = storage.ErrLocked
	}
	return nil, control.Errorf(control.Refused, "%v", err).WithHint("a node serves this home already; stop it, or use another --home")
}
