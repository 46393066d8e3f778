package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/ledger"
)

// What notices say beside the clocks' own due-STEP and overdue-STEP. A notice is the short id of a
// case and one of these verbs, never anything of a patient or what somebody wrote (F26).
const (
	noticeOrphan    = "orphan"
	noticePhone     = "phone" // nobody has taken this: use the telephone
	noticeEscalated = "escalated"
	noticeDeclined  = "declined"
)

// noticeVerbs are the entries of others that a person is told of.
var noticeVerbs = map[ledger.Kind]string{
	ledger.Request: "asked", ledger.Message: "message", ledger.Ask: "question", ledger.Report: "report", ledger.Addendum: "addendum",
	ledger.Critical: "critical", ledger.Acknowledge: "acknowledged", ledger.Taken: "taken", ledger.Status: "status",
	ledger.Assign: "assigned", ledger.Decline: noticeDeclined, ledger.WrongPatient: "quarantined", ledger.Outcome: "outcome",
	ledger.SealedRead: "sealed", ledger.Vote: "vote", ledger.Consensus: "consensus", ledger.Triage: "triage",
}

const (
	hookTimeout   = 10 * time.Second
	noticesMax    = 64 // waiting for a slow hook; what is beyond is dropped, the worklist has it
	shortID       = 12 // characters of a case id that a notice carries
	webhookAnswer = 4 << 10
)

// note is one notice on its way to hooks.
type note struct{ short, verb string }

// newsOf are the notices of changes that came together, by case and verb.
type newsOf map[*person]map[ledger.ThreadID]map[string]bool

// hear notes what an entry of somebody else says to the members here. Reports whether anything
// changed that clocks may depend on.
func (d *Desk) hear(news newsOf, e control.Event) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	id, err1 := ledger.ParseThreadID(e.Case)
	entry, err2 := ledger.ParseEntryID(e.Entry)
	t := d.threads[id]
	if err1 != nil || err2 != nil || t == nil || t.stranger {
		return false
	}
	found := t.ledger.Entry(entry)
	if found == nil {
		return false
	}
	if found.Kind == ledger.Receipt || found.Kind == ledger.Held {
		return found.Kind == ledger.Receipt // a delivery stops a clock
	}
	verb := noticeVerbs[found.Kind]
	for _, p := range d.persons {
		if verb == "" || p.id == found.Person || t.ledger.Members().Ranks[p.id] == ledger.RankNone {
			continue
		}
		if news[p] == nil {
			news[p] = map[ledger.ThreadID]map[string]bool{}
		}
		if news[p][t.ledger.ID()] == nil {
			news[p][t.ledger.ID()] = map[string]bool{}
		}
		news[p][t.ledger.ID()][verb] = true
	}
	return true
}

func (d *Desk) tellNews(news newsOf) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for p, cases := range news {
		for id, verbs := range cases {
			t := d.threads[id]
			if t == nil {
				continue
			}
			if verbs["asked"] {
				delete(verbs, "assigned") // a new case is one piece of news
			}
			delete(verbs, "critical") // its clock tells it, until it is acknowledged
			for verb := range verbs {
				d.notify(p, t, verb)
			}
		}
	}
}

// notify tells the interfaces of a person, and the hooks. The lock is held.
func (d *Desk) notify(p *person, t *thread, verb string) {
	id := t.ledger.ID().String()
	d.publish(control.Event{Event: "notice", Case: id, Kind: verb, Person: p.id.String()})
	select {
	case d.notes <- note{short: id[:shortID], verb: verb}:
	default:
		d.log.Warn("a notice was dropped: hooks are slow", slog.String("verb", verb))
	}
}

// hookLoop runs what the settings hook, webhook and desktop-notices ask for, one notice at a time.
func (d *Desk) hookLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-d.notes:
			d.runHooks(ctx, n)
		}
	}
}

func (d *Desk) runHooks(ctx context.Context, n note) {
	if argv := strings.Split(d.setting("hook"), settingSeparator); argv[0] != "" {
		if err := runCommand(ctx, append(argv, n.short, n.verb)); err != nil {
			d.log.WarnContext(ctx, "hook failed", slog.Any("error", err))
		}
	}
	if to := d.setting("webhook"); to != "" {
		if err := postNotice(ctx, to, n); err != nil {
			d.log.WarnContext(ctx, "webhook failed", slog.Any("error", err))
		}
	}
	if d.setting("desktop-notices") == "true" && runtime.GOOS == "linux" {
		if err := runCommand(ctx, []string{"notify-send", "--app-name=curbside", "curbside", "case " + n.short + ": " + n.verb}); err != nil {
			d.log.InfoContext(ctx, "desktop notice failed", slog.Any("error", err))
		}
	}
}

// runCommand runs a program with a list of arguments, never through a shell, within a time, with
// nothing of this process's environment but where programs and the desktop are.
func runCommand(ctx context.Context, argv []string) error {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the user's own setting
	cmd.Env = []string{}
	for _, key := range []string{"PATH", "HOME", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "SystemRoot"} {
		if v, ok := os.LookupEnv(key); ok {
			cmd.Env = append(cmd.Env, key+"="+v)
		}
	}
	cmd.WaitDelay = time.Second // children that keep its streams open do not keep us
	return cmd.Run()
}

// postNotice sends a notice to a webhook. It follows no redirect: what the user named is what is told.
func postNotice(ctx context.Context, to string, n note) error {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]string{"case": n.short, "verb": n.verb})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return errWebhook // without the address, which may hold a key
	}
	r.Header.Set("Content-Type", "application/json")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			return u.Err // without the address, which may hold a key
		}
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, webhookAnswer))
	return err
}

var errWebhook = errors.New("want an address such as https://example.org/hook")

// CheckWebhook says whether a setting names a webhook: an http or https address, or nothing.
func CheckWebhook(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errWebhook
	}
	return nil
}
