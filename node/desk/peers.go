package desk

import (
	"cmp"
	"context"
	"math/bits"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/consult"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/peering"
	"github.com/curbside-p2p/curbside/protocol/identity"
)

// PeerList lists contacts and members with how they are reached.
func (d *Desk) PeerList(_ context.Context, _ control.None) ([]control.Peer, error) {
	net, err := d.network()
	if err != nil {
		return nil, err
	}
	infos, absent := net.Peers(), absences(net)
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []control.Peer{}
	reached := map[identity.PersonID]bool{}
	for _, i := range infos {
		for _, dev := range i.Devices {
			id, ok := d.devices[dev]
			if !ok {
				continue
			}
			reached[id] = true
			row := control.Peer{Person: id.String(), Name: d.nameOf(id), Peer: peering.Text(i.PeerID), Path: i.Path, Since: &i.Since, Addr: i.Addr}
			if i.Skew != 0 {
				ms := i.Skew.Milliseconds()
				row.SkewMS = &ms
			}
			if i.RTT > 0 {
				ms := float64(i.RTT.Microseconds()) / 1000
				row.RTTMS = &ms
			}
			out = append(out, row)
		}
	}
	for id, prof := range d.profiles {
		if reached[id] || !d.wanted(id) {
			continue
		}
		row := control.Peer{Person: id.String(), Name: d.nameOf(id), Path: "none"}
		var a peering.Absence
		row.Peer, a = d.absence(prof, absent)
		row.Why = whyAbsent(row.Peer, a)
		if !a.Next.IsZero() {
			row.Next = &a.Next
		}
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b control.Peer) int { return strings.Compare(a.Name+a.Person, b.Name+b.Person) })
	return out, nil
}

// absences are the peers that the network looks for and does not have.
func absences(net Network) map[identity.PeerID]peering.Absence {
	out := map[identity.PeerID]peering.Absence{}
	for _, a := range net.Absent() {
		out[a.PeerID] = a
	}
	return out
}

// absence finds the node of somebody who is not connected, and what became of the last try. The
// lock is held.
func (d *Desk) absence(prof *identity.Profile, absent map[identity.PeerID]peering.Absence) (peer string, last peering.Absence) {
	for dev, c := range prof.Cards {
		if cert := prof.Devices[dev]; cert == nil || cert.Revoked != 0 {
			continue
		}
		for _, at := range c.Addrs {
			if a, ok := absent[at.PeerID]; ok && (peer == "" || a.Tried.After(last.Tried)) {
				peer, last = peering.Text(at.PeerID), a
			} else if peer == "" {
				peer = peering.Text(at.PeerID)
			}
		}
	}
	for _, p := range d.persons {
		row, _ := d.contact(p, prof.ID)
		for _, at := range row.Peers {
			if a, ok := absent[at.PeerID]; ok && peer == "" {
				peer, last = peering.Text(at.PeerID), a
			}
		}
	}
	return peer, last
}

func whyAbsent(peer string, a peering.Absence) string {
	switch {
	case peer == "":
		return "their node is not known: ask for a new invite"
	case a.Why == "":
		return "not tried yet"
	}
	return a.Why
}

// TransferList lists the studies on their way here, and the cases that wait for a peer.
func (d *Desk) TransferList(ctx context.Context, _ control.None) ([]control.Transfer, error) {
	net, err := d.network()
	if err != nil {
		return nil, err
	}
	infos, absent := net.Peers(), absences(net)
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.acting(ctx)
	if err != nil {
		return nil, err
	}
	out := []control.Transfer{}
	for _, h := range d.studies.held {
		if h.row == nil && h.absent > 0 && d.visible(p, h) {
			out = append(out, d.incoming(h, infos)...)
		}
	}
	out = append(out, d.outgoing(p, infos, absent)...)
	slices.SortFunc(out, func(a, b control.Transfer) int {
		return strings.Compare(a.Case+a.Study+a.Peer, b.Case+b.Study+b.Peer)
	})
	return out, nil
}

// A relay that lets only so much through carries entries; images wait for another way.
const (
	tooNarrow     = "waiting: the relay between is too narrow for images"
	tooNarrowHint = "name a relay without limits with curbside serve --relay ADDR, or forward port 4001"
)

func (d *Desk) incoming(h *holding, infos []peering.PeerInfo) []control.Transfer {
	var out []control.Transfer
	for tid := range h.threads {
		t := d.threads[tid]
		if t == nil {
			continue
		}
		row := control.Transfer{
			Case: tid.String(), Study: h.id(), Direction: "receive", State: "waiting for a peer",
			Sources: []control.TransferSource{}, Hint: "no member who has the images is connected: curbside peers says why",
		}
		for s := range h.manifest.Series {
			for i := range h.manifest.Series[s].Instances {
				in := &h.manifest.Series[s].Instances[i]
				row.BytesTotal += int64(in.Head.Ref.SealedLen())
				if in.Bulk.Ref != nil {
					row.BytesTotal += int64(in.Bulk.Ref.SealedLen())
				}
				for _, id := range blobsOf(in) {
					if size, ok := d.blobs.Size(id); ok {
						row.BytesDone += int64(size)
					}
				}
			}
		}
		for _, i := range infos {
			if d.member(t, i.Devices) {
				row.State, row.Hint = "running", ""
				if i.Limited {
					row.State, row.Hint = tooNarrow, tooNarrowHint
				}
				row.Rate += i.Stats.InRate
				row.Sources = append(row.Sources, d.transferSource(i))
			}
		}
		slices.SortFunc(row.Sources, func(a, b control.TransferSource) int {
			return cmp.Or(-cmp.Compare(a.Rate, b.Rate), cmp.Compare(a.Peer, b.Peer))
		})
		if len(row.Sources) > 0 {
			row.Peer = row.Sources[0].Peer
		}
		out = append(out, row)
	}
	return out
}

func (d *Desk) transferSource(i peering.PeerInfo) control.TransferSource {
	s := control.TransferSource{Peer: peering.Text(i.PeerID), Path: i.Path, Rate: i.Stats.InRate}
	for _, dev := range i.Devices {
		if id, ok := d.devices[dev]; ok {
			s.Name = d.nameOf(id)
		}
	}
	if o := d.online[i.PeerID]; o != nil {
		s.Spoiled = o.spoiled
	}
	return s
}

// arrivedAt is how many bytes of a case's studies a peer says it holds, and whether that is all or
// it has not said.
func (d *Desk) arrivedAt(s *consult.State, peer identity.PeerID) (n int64, all bool) {
	all = true
	for _, g := range s.Grants {
		held, said := d.plan.HeldBy(peer, g.Manifest.ID)
		of := 0
		for _, b := range d.granted[g.Manifest.ID] {
			of += bits.OnesCount8(b)
		}
		if said && of > 0 && held < of {
			all = false
		}
		if said && of > 0 {
			n += int64(g.Bytes) * int64(min(held, of)) / int64(of)
		}
	}
	return n, all
}

// outgoing lists the members who have not reported own cases as delivered.
func (d *Desk) outgoing(p *person, infos []peering.PeerInfo, absent map[identity.PeerID]peering.Absence) []control.Transfer {
	var out []control.Transfer
	for tid, t := range d.threads {
		s := t.fold()
		if s.Request == nil || s.Request.Author != p.id || !openState(s.State) {
			continue
		}
		for _, m := range s.Members {
			if m.Person == p.id || m.Rank == 0 || d.personOf(m.Person) != nil {
				continue
			}
			over := s.DeliveredTo(m.Person)
			row := control.Transfer{Case: tid.String(), Direction: "send", State: "queued: peer is offline", Name: d.nameOf(m.Person), Sources: []control.TransferSource{}}
			if prof := d.profiles[m.Person]; prof != nil {
				var a peering.Absence
				row.Peer, a = d.absence(prof, absent)
				row.State += ", " + whyAbsent(row.Peer, a)
				if !a.Next.IsZero() {
					row.Hint = "next try at " + a.Next.UTC().Format("15:04:05Z") + ", or as soon as they show themselves; another way: curbside bundle write"
				}
			}
			if w := d.waitsInMailbox(tid, m.Person); w != "" && !over {
				row.State = w
			}
			for _, g := range s.Grants {
				row.BytesTotal += int64(g.Bytes)
			}
			for _, i := range infos {
				if slices.ContainsFunc(i.Devices, func(dev identity.DeviceID) bool { return d.devices[dev] == m.Person }) {
					row.Peer, row.State, row.Rate, row.Hint = peering.Text(i.PeerID), "running", i.Stats.OutRate, ""
					if i.Limited {
						row.State, row.Hint = tooNarrow, tooNarrowHint
					}
					var all bool
					row.BytesDone, all = d.arrivedAt(s, i.PeerID)
					over = over && all // entries are there before the images are
				}
			}
			if !over {
				out = append(out, row)
			}
		}
	}
	return out
}
