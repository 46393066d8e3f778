package node

import (
	"context"
	"errors"
	"regexp"

	"golang.org/x/sync/errgroup"

	"github.com/curbside-p2p/curbside/node/desk"
	"github.com/curbside-p2p/curbside/node/gateway"
)

// aeTitle is ours where nobody says another.
const aeTitle = "CURBSIDE"

// errDestinationName says what a destination may be called.
var errDestinationName = errors.New("a destination is called by 1 to 32 letters, digits, - and _")

var destinationName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

func (n *Node) newGateway() *gateway.Gateway {
	if n.cfg.DICOM.AETitle == "" {
		n.cfg.DICOM.AETitle = n.setting("ae-title")
	}
	return gateway.New(gateway.Config{
		AETitle: n.cfg.DICOM.AETitle, Tmp: n.dir.Tmp(), Log: n.cfg.Log, Now: n.cfg.Now,
		Destinations: func() (map[string]gateway.Settings, error) {
			s, err := LoadConfig(n.cfg.Home)
			return s.Destinations, err
		},
	})
}

// serveHospital starts the listeners of the hospital side, and returns once they accept.
func (n *Node) serveHospital(ctx context.Context, g *errgroup.Group) {
	if n.cfg.DICOM.Addr == "" {
		return
	}
	up := make(chan struct{})
	g.Go(func() error {
		return n.gateway.Serve(ctx, n.cfg.DICOM, door{n}, func(string) { close(up) })
	})
	select {
	case <-up:
	case <-ctx.Done():
	}
}

// diskFloor is what the hospital leaves free: what a case's members send needs room, too.
const diskFloor = 512 << 20

// door is the desk as the gateway needs it.
type door struct{ n *Node }

func (o door) Take(ctx context.Context, path, from, sopClass, sopUID string) (gateway.Taken, error) {
	t, err := o.n.desk.TakeAs(ctx, path, from, sopClass, sopUID)
	if errors.Is(err, desk.ErrMismatch) {
		return gateway.Taken{Status: desk.TakenRefused, Reason: gateway.ReasonMismatch, Detail: err.Error()}, nil
	}
	return gateway.Taken{Status: t.Status, Reason: t.Reason, Detail: t.Detail}, err
}

func (o door) Holds(sopClass, sopUID string) bool { return o.n.desk.Holds(sopClass, sopUID) }

func (o door) Shelf(ctx context.Context) (gateway.Shelf, error) { return shelf(o.n.desk.OwnShelf(ctx)) }

func (o door) Room() bool {
	free, ok := diskFree(o.n.cfg.Home)
	return !ok || free >= diskFloor
}

// SaveDestination keeps a destination in config.toml, or removes it where s is nil; removing what is
// not there is gateway.ErrUnknown.
func SaveDestination(home, name string, s *gateway.Settings) error {
	if !destinationName.MatchString(name) {
		return errDestinationName
	}
	if s != nil {
		if err := s.Check(); err != nil {
			return err
		}
	}
	found := true
	err := changeSettings(home, func(file map[string]any) {
		all, _ := file["destination"].(map[string]any)
		if all == nil {
			all = map[string]any{}
			file["destination"] = all
		}
		if s == nil {
			_, found = all[name]
			delete(all, name)
			return
		}
		all[name] = *s
	})
	if err == nil && !found {
		return gateway.ErrUnknown
	}
	return err
}
