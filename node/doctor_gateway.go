package node

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// destinationTime is how long doctor waits for a destination.
const destinationTime = 5 * time.Second

// checkGateway looks at the hospital side: whether the listener runs, what it said last, and
// whether the destinations answer.
func (n *Node) checkGateway(ctx context.Context, add func(name string, ok bool, detail, hint string)) {
	if s, ok := n.gateway.Listener(); ok {
		detail := fmt.Sprintf("%s as %s: %d received, %d refused", s.Listen, s.AETitle, s.Received, s.Refused)
		if len(s.Errors) > 0 {
			detail += "; last trouble " + s.Errors[0]
		}
		add("dicom", true, detail, "")
		if len(s.Allow) == 0 {
			add("dicom-allow", false, "nobody may store: only C-ECHO is answered", "name who may: curbside config set dicom-allow AET@HOST, and serve again")
		}
	} else if n.setting("dicom") != "" {
		add("dicom", false, "a DICOM listener is configured, and none runs here", "start it with: curbside serve")
	}
	names, err := n.gateway.Names()
	if err != nil {
		return // settings says so
	}
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, destinationTime)
			defer cancel()
			d, err := n.gateway.Destination(name)
			if err == nil {
				err = d.Echo(ctx)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i, name := range names {
		if errs[i] != nil {
			add("destination "+name, false, errs[i].Error(), "see: curbside gateway echo "+name)
			continue
		}
		add("destination "+name, true, "answers", "")
	}
}
