package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/desk"
	"github.com/curbside-p2p/curbside/node/gateway"
)

// WebConfig is the web listener and the watched folders of a node.
type WebConfig struct {
	Listen    string // HOST:PORT, empty for none
	Cert, Key string
	Origins   []string
	Watch     []string
	WatchDone string
}

// web are the settings of the web listener and the watched folders.
func (s Settings) web() WebConfig {
	return WebConfig{Listen: s.Web, Cert: s.WebCert, Key: s.WebKey, Origins: s.WebOrigin, Watch: s.Watch, WatchDone: s.WatchDone}
}

// newWeb makes the web listener and the watch; nothing listens or looks yet.
func (n *Node) newWeb() error {
	w := n.cfg.Web
	n.web = gateway.NewWeb(gateway.WebConfig{
		Listen: w.Listen, Cert: w.Cert, Key: w.Key, Origins: w.Origins,
		Keys: n.dir.Path("web"), Tmp: n.dir.Tmp(), Log: n.cfg.Log, Now: n.cfg.Now,
		Shelf: func(ctx context.Context) (gateway.Shelf, error) { return shelf(n.desk.Shelf(ctx)) },
		Take:  n.desk.TakeStored,
	})
	if len(w.Watch) == 0 {
		return nil
	}
	var err error
	n.watch, err = gateway.NewWatch(gateway.WatchConfig{
		Dirs: w.Watch, Done: w.WatchDone, State: n.dir.Path("web", "watched"), Log: n.cfg.Log, Now: n.cfg.Now,
		Import: n.importWatched,
	})
	return err
}

// shelf makes an interface of a shelf that is there.
func shelf(s *desk.Shelf, err error) (gateway.Shelf, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (n *Node) importWatched(ctx context.Context, paths []string) ([]gateway.Refusal, error) {
	refused, err := n.desk.ImportWatched(ctx, paths)
	out := make([]gateway.Refusal, 0, len(refused))
	for _, r := range refused {
		out = append(out, gateway.Refusal{Path: r.Path, Reason: r.Reason, Detail: r.Detail})
	}
	return out, err
}

// runWeb serves the web listener and looks into the watched folders until ctx ends.
func (n *Node) runWeb(ctx context.Context, group func(func() error)) {
	group(func() error { return n.web.Run(ctx) })
	if n.watch != nil {
		group(func() error { return n.watch.Run(ctx) })
	}
}

// WebAt says where DICOMweb is served and in which files its keys are; url is empty where it is off.
func (n *Node) WebAt() (url, readKey, writeKey string) {
	s := n.web.Status()
	return s.URL, s.ReadKey, s.WriteKey
}

func (n *Node) registerWeb(mux *http.ServeMux) {
	control.OpenStudies.Handle(mux, n.openStudies)
}

// openStudies makes a key for a viewer.
func (n *Node) openStudies(ctx context.Context, req control.OpenRequest) (control.Opened, error) {
	if (req.Case == "") == (len(req.Studies) == 0) {
		return control.Opened{}, control.Errorf(control.Usage, "name a case, or studies")
	}
	s, out, err := n.desk.ShelfFor(ctx, req)
	if err != nil {
		return out, err
	}
	offer, err := n.web.Offer(ctx, s)
	if err != nil {
		return out, control.Errorf(control.NotRunning, "a viewer needs a running node: %v", err).WithHint("start one with: curbside serve")
	}
	out.Root, out.Until, out.Viewer = offer.Root, offer.Until, n.setting("viewer")
	return out, nil
}

// webReport says how the web listener and the watch fare; nil where there is neither.
func (n *Node) webReport() *control.Web {
	s := n.web.Status()
	if s.URL == "" && n.watch == nil {
		return nil
	}
	out := &control.Web{
		ReadToken: s.ReadKey, WriteToken: s.WriteKey, Received: s.Received, Refused: s.Refused, Denied: s.Denied,
		LastError: text.Line(s.LastFault),
	}
	if s.URL != "" {
		out.Listen = &s.URL
	}
	if s.LastFault != "" {
		at := s.LastAt.UTC()
		out.LastTime = &at
	}
	if n.watch != nil {
		w := n.watch.Status()
		out.Watch = &control.Watched{Dirs: w.Dirs, Done: w.Done, Waiting: w.Waiting, Taken: w.Taken, Refused: []control.RefusedFile{}, Error: w.Fault}
		for _, r := range w.Refused {
			out.Watch.Refused = append(out.Watch.Refused, control.RefusedFile{Path: text.Line(r.Path), Reason: r.Reason, Detail: r.Detail})
		}
	}
	return out
}

// parseViewer checks the setting viewer: a URL, or a program with its arguments.
func parseViewer(s string) (any, error) {
	if strings.Count(s, "{")+strings.Count(s, "%u") == 0 && s != "" && s != "weasis" {
		return s, errors.New("want weasis, a URL or a program with {url}, {weasis}, {study}, {dir} or %u for what is opened")
	}
	return s, nil
}

func parseOrigins(s string) (any, error) {
	list, _ := parseList(s)
	for _, o := range list.([]string) {
		u, err := url.Parse(o)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" {
			return list, fmt.Errorf("%q is no origin: want SCHEME://HOST[:PORT], such as https://viewer.example.org", o)
		}
	}
	return list, nil
}

func parseWeb(s string) (any, error) {
	if s == "" {
		return s, nil
	}
	if _, _, err := net.SplitHostPort(s); err != nil {
		return s, errors.New("want HOST:PORT, such as 127.0.0.1:8042")
	}
	return s, nil
}

func parseFolders(s string) (any, error) {
	list, _ := parseList(s)
	for _, d := range list.([]string) {
		if !filepath.IsAbs(d) {
			return list, errors.New("want whole paths")
		}
	}
	return list, nil
}

func parseFolder(s string) (any, error) {
	if s != "" && !filepath.IsAbs(s) {
		return s, errors.New("want a whole path")
	}
	return s, nil
}

// webHealth are doctor's checks of the web listener, the watched folders and the viewer.
func (n *Node) webHealth(add func(name string, ok bool, detail, hint string)) {
	w := n.cfg.Web
	if s, err := LoadConfig(n.cfg.Home); err == nil && n.cfg.Offline { // what the next serve will do
		w = s.web()
	}
	if l := w.Listen; l != "" {
		err := gateway.CheckWeb(l, w.Cert, w.Key)
		add("web", err == nil, "web listener at "+l, "set web to a loopback address, or web-cert and web-key to PEM files")
	}
	for _, d := range w.Watch {
		f, err := os.Open(d)
		if err == nil {
			_, err = f.Readdirnames(1)
			_ = f.Close() // only read from
			if errors.Is(err, io.EOF) {
				err = nil
			}
		}
		add("watch", err == nil, "a watched folder can be read", "mount or make the folder, or change the setting watch")
	}
}
