package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/gateway"
)

// webFlags are those of the web listener and the watched folders.
func (n *netFlags) webFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&n.web.Listen, "web", "", "serve DICOMweb to viewers at `HOST:PORT`, by key")
	f.StringVar(&n.web.Cert, "web-cert", "", "PEM `FILE` with the certificate of --web; needed beyond this machine")
	f.StringVar(&n.web.Key, "web-key", "", "PEM `FILE` with the key of --web-cert")
	f.StringArrayVar(&n.web.Origins, "web-origin", nil, "`ORIGIN` whose web pages may ask --web, as https://viewer.example.org (repeatable)")
	f.StringArrayVar(&n.web.Watch, "watch", nil, "take in what is put into folder `DIR` (repeatable)")
	f.StringVar(&n.web.WatchDone, "watch-done", "", "move files that were taken to folder `DIR`; else they stay")
}

// webConfig joins flags and settings; flags win.
func (n *netFlags) webConfig(s node.Settings, changed func(string) bool) (node.WebConfig, error) {
	w := node.WebConfig{Listen: s.Web, Cert: s.WebCert, Key: s.WebKey, Origins: s.WebOrigin, Watch: s.Watch, WatchDone: s.WatchDone}
	for name, set := range map[string]func(){
		"web": func() { w.Listen = n.web.Listen }, "web-cert": func() { w.Cert = n.web.Cert }, "web-key": func() { w.Key = n.web.Key },
		"web-origin": func() { w.Origins = n.web.Origins }, "watch": func() { w.Watch = n.web.Watch }, "watch-done": func() { w.WatchDone = n.web.WatchDone },
	} {
		if changed(name) {
			set()
		}
	}
	if err := gateway.CheckWeb(w.Listen, w.Cert, w.Key); err != nil {
		return w, &usageError{msg: "--web " + w.Listen + ": " + err.Error(), hint: "as in: curbside serve --web 127.0.0.1:8042"}
	}
	paths := append([]string{}, w.Watch...)
	for i, p := range paths {
		var err error
		if paths[i], err = filepath.Abs(p); err != nil {
			return w, err
		}
	}
	w.Watch = paths
	if w.WatchDone != "" {
		var err error
		if w.WatchDone, err = filepath.Abs(w.WatchDone); err != nil {
			return w, err
		}
	}
	return w, nil
}

// sayWeb says where viewers find DICOMweb, and the files of the keys, never a key.
func (a *app) sayWeb(n *node.Node) {
	url, read, write := n.WebAt()
	if url == "" {
		return
	}
	a.say("web: %s", url)
	a.say("web: read key in %s, key that also stores in %s", read, write)
}

// web shows the web listener and the watched folders.
func (pg *page) web(w *control.Web) {
	if w == nil || w.Listen == nil {
		pg.field("web", "no listener")
	} else {
		pg.field("web", *w.Listen)
		pg.field("web keys", w.ReadToken+", and to store: "+w.WriteToken)
		pg.field("instances", fmt.Sprintf("%d received, %d refused", w.Received, w.Refused))
		pg.field("wrong keys", w.Denied)
		if w.LastError != "" {
			pg.row("", w.LastError)
		}
	}
	if w == nil || w.Watch == nil {
		pg.field("watch", "no folder")
		return
	}
	for _, d := range w.Watch.Dirs {
		pg.field("watch", d)
	}
	pg.field("files", fmt.Sprintf("%d taken, %d waiting, %d refused", w.Watch.Taken, w.Watch.Waiting, len(w.Watch.Refused)))
	if w.Watch.Error != "" {
		pg.row("", w.Watch.Error)
	}
	for _, f := range w.Watch.Refused {
		pg.row("refused", f.Reason, f.Path)
	}
}
