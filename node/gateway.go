package node

import (
	"errors"
	"regexp"

	"github.com/curbside-p2p/curbside/node/gateway"
)

// aeTitle is ours where nobody says another.
const aeTitle = "CURBSIDE"

// errDestinationName says what a destination may be called.
var errDestinationName = errors.New("a destination is called by 1 to 32 letters, digits, - and _")

var destinationName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

func (n *Node) newGateway() *gateway.Gateway {
	title := n.cfg.AETitle
	if title == "" {
		title = aeTitle
	}
	return gateway.New(gateway.Config{
		AETitle: title, Tmp: n.dir.Tmp(), Log: n.cfg.Log, Now: n.cfg.Now,
		Destinations: func() (map[string]gateway.Settings, error) {
			s, err := LoadConfig(n.cfg.Home)
			return s.Destinations, err
		},
	})
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
