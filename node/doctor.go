package node

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/peering"
)

// Bounds that doctor compares with.
const (
	diskFreeMin = 1 << 30 // a CT and its packed copy
)

// doctor looks at what goes wrong in practice, each with what to do about it.
func (n *Node) doctor(ctx context.Context, _ control.None) (control.DoctorReport, error) {
	var rep control.DoctorReport
	add := func(name string, ok bool, detail, hint string) {
		c := control.Check{Name: name, OK: ok, Detail: detail}
		if !ok && hint != "" {
			c.Hint = &hint
		}
		rep.Checks = append(rep.Checks, c)
	}
	info, err := os.Stat(n.cfg.Home)
	private := err == nil && (runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0)
	add("home", private, "data directory is readable by its owner only", "chmod 700 the data directory")
	if free, ok := diskFree(n.cfg.Home); ok {
		add("disk", free >= diskFreeMin, fmt.Sprintf("%d MiB free", free>>20), "make room: a full disk refuses imports and what peers send")
	}
	_, err = LoadConfig(n.cfg.Home)
	add("settings", err == nil, "config.toml is read", "mend or remove HOME/config.toml")
	n.webHealth(add)
	for _, c := range n.desk.Health(ctx) {
		add(c.Name, c.OK, c.Detail, c.Hint)
	}
	n.checkGateway(ctx, add)
	findings := peering.SystemChecks()
	if net := n.network.Load(); net != nil {
		findings = append(net.Checks(), findings...)
	}
	for _, f := range findings {
		c := control.Check{Name: f.Name, OK: f.OK, Detail: f.Detail}
		if f.Hint != "" {
			c.Hint = &f.Hint // also of what works and could be better
		}
		rep.Checks = append(rep.Checks, c)
	}
	return rep, nil
}
