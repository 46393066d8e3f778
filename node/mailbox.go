package node

import (
	"context"
	"fmt"
	"time"

	"github.com/curbside-p2p/curbside/node/desk"
	"github.com/curbside-p2p/curbside/node/peering"
	"github.com/curbside-p2p/curbside/storage/mailbox"
)

// contactBoxes is what a node keeps for its contacts at most, with mailbox-for-contacts: it is
// somebody's workstation or server, not a relay.
var contactBoxes = mailbox.Limits{Boxes: 128, BoxesPerPeer: 8, ItemBytes: 1 << 30, BoxStudyBytes: 2 << 30, StudyBytes: 20 << 30}

// sweepEvery is how often what waited too long is dropped.
const sweepEvery = time.Hour

// mailConfig is where the persons here have their boxes: as told, else at the relays.
func (c Config) mailConfig() (desk.MailConfig, error) {
	given := c.Mailboxes
	if len(given) == 0 {
		given = c.Relays
	}
	at, err := peering.ParseMailboxes(given)
	return desk.MailConfig{At: at, Studies: c.MailboxStudies}, err
}

// openMailboxes opens the boxes that are kept for contacts, if any are.
func (n *Node) openMailboxes() (*mailbox.Store, error) {
	if !n.cfg.MailboxForContacts {
		return nil, nil //nolint:nilnil // none are kept
	}
	s, err := mailbox.Open(n.dir.Path("mailbox"), contactBoxes, n.cfg.Now)
	if err != nil {
		return nil, fmt.Errorf("open mailboxes: %w", err)
	}
	return s, nil
}

// sweepMailboxes drops what waited too long, until ctx ends.
func sweepMailboxes(ctx context.Context, s *mailbox.Store) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.Sweep()
		}
	}
}
