package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/seal"
	"github.com/curbside-p2p/curbside/protocol/wire"
	"github.com/curbside-p2p/curbside/storage/vault"
)

const (
	nameMax     = 128 // characters of a person's name
	personsMax  = 64  // persons of one node, as in a thread
	dayMS       = 24 * 60 * 60 * 1000
	kemNewMS    = 30 * dayMS  // FORMATS §2: a new KEM key every 30 days
	kemDropMS   = 150 * dayMS // the old private half goes 120 days after
	liveKEMsMax = 5           // FORMATS §12
)

// person is one person of this node with an open vault.
type person struct {
	id      identity.PersonID
	vault   *vault.Vault
	device  *identity.Device
	kems    []*seal.KEM // newest first
	profile *identity.Profile
	self    selfRow
	confirm bool // signing wants the passphrase at that moment
	locked  bool // no command of this person is served until Unlock; receiving goes on
}

// selfRow is what a person says of themselves on their cards.
type selfRow struct {
	Name        string   `cbor:"1,keyasint"`
	Kind        uint64   `cbor:"2,keyasint"`
	Specialties []string `cbor:"3,keyasint,omitempty"`
}

func (p *person) local() ledger.Local { return ledger.Local{Device: p.device, KEMs: p.kems} }

func (p *person) kind() string {
	if p.self.Kind == identity.RoleClinic {
		return "clinic"
	}
	return "clinician"
}

// openPersons opens every vault of the home. A vault that does not open keeps the node shut: a
// node that could not read its own cases would look healthy and be deaf.
func (d *Desk) openPersons(passphrase []byte) error {
	ids, err := d.dir.Persons()
	if err != nil {
		return fmt.Errorf("list persons: %w", err)
	}
	for _, id := range ids {
		dir := d.dir.Person(id)
		unlock, confirm, err := d.unlockFor(dir, passphrase)
		if err != nil {
			return err
		}
		v, err := vault.Open(dir, unlock)
		if err != nil {
			return vaultError(err)
		}
		p, err := newPerson(v, confirm)
		if err != nil {
			return err
		}
		if len(v.Damage()) > 0 {
			d.log.Warn("rows of a vault are damaged", slog.String("person", id), slog.Int("faults", len(v.Damage())))
		}
		if err := d.rotateKEM(p); err != nil {
			return err
		}
		d.persons = append(d.persons, p)
		if err := d.loadContacts(p); err != nil {
			return err
		}
		d.devices[p.device.ID()] = p.id
	}
	for _, p := range d.persons {
		if err := d.loadVouches(p); err != nil {
			return err
		}
	}
	return nil
}

// unlockFor chooses how a vault is opened: by the home's credential if the vault has that slot.
func (d *Desk) unlockFor(dir string, passphrase []byte) (u vault.Unlock, confirm bool, err error) {
	slots, err := vault.Slots(dir)
	if err != nil {
		return u, false, vaultError(err)
	}
	if slices.Contains(slots, vault.SlotCredential) {
		return vault.Unlock{KeyFile: d.dir.Credential()}, false, nil
	}
	if len(passphrase) == 0 {
		return u, true, control.Errorf(control.Locked, "the vault is locked").
			WithHint("give the passphrase: at the prompt, or with --passphrase-file FILE")
	}
	return vault.Unlock{Passphrase: passphrase}, true, nil
}

func newPerson(v *vault.Vault, confirm bool) (*person, error) {
	body := v.Body()
	p := &person{vault: v, confirm: confirm}
	var err error
	if p.profile, err = identity.NewProfile(body.Person); err != nil {
		return nil, fmt.Errorf("read own person: %w", err)
	}
	for _, s := range body.Statements {
		if err := p.profile.AddStatement(s); err != nil {
			return nil, fmt.Errorf("read own statement: %w", err)
		}
	}
	if len(body.Card) > 0 {
		if _, err := p.profile.AddCard(body.Card); err != nil {
			return nil, fmt.Errorf("read own card: %w", err)
		}
	}
	p.id = p.profile.ID
	p.device = identity.NewDevice(p.id, body.Device)
	p.setKEMs(body.KEMs)
	if err := wire.Unmarshal(body.Settings, &p.self); err != nil {
		return nil, fmt.Errorf("read own settings: %w", err)
	}
	return p, nil
}

func (p *person) setKEMs(seeds []vault.KEM) {
	p.kems = nil
	for _, k := range slices.Backward(seeds) {
		p.kems = append(p.kems, seal.KEMFromSeed(k.Seed))
	}
}

// rotateKEM makes a new KEM key when the newest is old, and deletes what nobody seals to any more.
func (d *Desk) rotateKEM(p *person) error {
	now := d.nowMS()
	kems := p.vault.Body().KEMs
	fresh := len(kems) > 0 && now-kems[len(kems)-1].CreatedMS < kemNewMS
	if fresh {
		return nil
	}
	return p.vault.Update(func(b *vault.Body) {
		b.KEMs = append(b.KEMs, vault.KEM{Seed: wire.NewSecret(), CreatedMS: now})
		b.KEMs = slices.DeleteFunc(b.KEMs, func(k vault.KEM) bool { return now-k.CreatedMS > kemDropMS })
		if n := len(b.KEMs) - liveKEMsMax; n > 0 {
			b.KEMs = b.KEMs[n:]
		}
		p.setKEMs(b.KEMs)
	})
}

// PersonAdd makes a person: root keys that only the returned words bring back, device keys and
// KEM keys in a new vault, a first card.
func (d *Desk) PersonAdd(_ context.Context, req control.PersonAddRequest) (control.PersonAdded, error) {
	var none control.PersonAdded
	name := text.Line(strings.TrimSpace(req.Name))
	if name == "" || len([]rune(name)) > nameMax {
		return none, control.Errorf(control.Usage, "a name of 1 to %d characters is needed", nameMax)
	}
	self := selfRow{Name: name, Kind: identity.RoleClinician, Specialties: req.Specialties}
	switch req.Kind {
	case "", "clinician":
	case "clinic":
		self.Kind = identity.RoleClinic
	default:
		return none, control.Errorf(control.Usage, "kind is clinic or clinician")
	}
	if !req.NoPassphrase && len(req.Passphrase) == 0 {
		return none, control.Errorf(control.Refused, "a passphrase is needed").
			WithHint("at the prompt, with --passphrase-file FILE, or --no-passphrase for a kiosk")
	}
	if err := d.samePassphrase(req); err != nil {
		return none, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.persons) >= personsMax {
		return none, control.Errorf(control.Refused, "this node has %d persons already", personsMax)
	}
	root := identity.NewRoot()
	p, err := d.createPerson(root, self, req)
	if err != nil {
		return none, err
	}
	d.persons = append(d.persons, p)
	d.devices[p.device.ID()] = p.id
	if d.index == nil {
		if err := d.openIndex(); err != nil {
			return none, err
		}
	}
	if err := d.refreshCards(); err != nil { // where the node serves, the card says so
		return none, err
	}
	d.tell(func(n Network) { n.Restart() })
	d.record(p, actionKey, "person", p.id[:])
	return control.PersonAdded{Person: d.personRow(p), Words: root.Words()}, nil
}

// samePassphrase refuses a passphrase other than that of the persons who are here: a node opens
// all its vaults at once, with one.
func (d *Desk) samePassphrase(req control.PersonAddRequest) error {
	if req.NoPassphrase {
		return nil
	}
	d.mu.Lock()
	persons := slices.Clone(d.persons)
	d.mu.Unlock()
	for _, p := range persons {
		if !p.confirm {
			continue
		}
		if p.vault.Confirm(vault.Unlock{Passphrase: req.Passphrase}) != nil {
			return control.Errorf(control.Refused, "this node has a person with another passphrase").
				WithHint("one node opens with one passphrase: give that one, or make a home of its own with --home")
		}
		return nil // they all have the same
	}
	return nil
}

func (d *Desk) createPerson(root *identity.Root, self selfRow, req control.PersonAddRequest) (*person, error) {
	now := d.nowMS()
	person := root.Person()
	device := identity.NewDevice(person.ID(), wire.NewSecret())
	cert, err := root.CertifyDevice(device.Public(), "", 1, nil, now)
	if err != nil {
		return nil, internal("certify device", err)
	}
	kem := seal.NewKEM()
	card, err := device.SignCard(identity.Card{
		Number: 1, IssuedMS: now, KEM: kem.Public(), Name: self.Name, Kind: self.Kind, Specialties: self.Specialties,
		Addrs: d.unaddressed(),
	})
	if err != nil {
		return nil, control.Errorf(control.Usage, "name or specialty cannot be used: %v", err)
	}
	unlock := vault.Unlock{Passphrase: req.Passphrase, MemoryKiB: d.passphraseKiB}
	if req.NoPassphrase {
		unlock = vault.Unlock{KeyFile: d.dir.Credential()}
	}
	v, err := vault.Create(d.dir.Person(person.ID().String()), unlock, vault.Body{
		Device: device.Seed(), KEMs: []vault.KEM{{Seed: kem.Seed(), CreatedMS: now}},
		Person: person.Encode(), Statements: [][]byte{cert}, CardNumber: 1, Card: card,
		IndexKey: wire.NewSecret(), Settings: wire.MustMarshal(self),
	})
	if err != nil {
		return nil, vaultError(err)
	}
	return newPerson(v, !req.NoPassphrase)
}

// PersonList lists the persons of this node.
func (d *Desk) PersonList(context.Context, control.None) ([]control.Person, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []control.Person{}
	for _, p := range d.persons {
		out = append(out, d.personRow(p))
	}
	return out, nil
}

func (d *Desk) personRow(p *person) control.Person {
	return control.Person{Person: p.id.String(), Name: p.self.Name, Kind: p.kind(), Home: d.dir.Home()}
}

// acting finds who acts, and refuses while they are locked. The desk's lock is held.
func (d *Desk) acting(ctx context.Context) (*person, error) {
	p, err := d.whoActs(ctx)
	if err == nil && p.locked {
		return nil, control.Errorf(control.Locked, "the vault is locked").
			WithHint("give the passphrase: at the prompt, or with --passphrase-file FILE")
	}
	return p, err
}

// whoActs finds the only person, or the one that --as names.
func (d *Desk) whoActs(ctx context.Context) (*person, error) {
	as := control.As(ctx)
	switch {
	case len(d.persons) == 0:
		return nil, control.Errorf(control.Refused, "no person here yet").WithHint("make one with: curbside init --name NAME")
	case as == "" && len(d.persons) == 1:
		return d.persons[0], nil
	case as == "":
		return nil, control.Errorf(control.Refused, "this node has several persons").WithHint("say who acts with --as PERSON; list them with: curbside person list")
	}
	var found []*person
	for _, p := range d.persons {
		if p.self.Name == as || idMatches(p.id.String(), as) {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		return nil, control.Errorf(control.NotFound, "no single person of this node is named so").WithHint("list them with: curbside person list")
	}
	return found[0], nil
}

// prefixMin is the shortest prefix of an id that names something (SCRIPTING, Manners).
const prefixMin = 4

func idMatches(id, said string) bool {
	return len(said) >= prefixMin && strings.HasPrefix(id, strings.ToLower(said))
}

func (d *Desk) personOf(id identity.PersonID) *person {
	for _, p := range d.persons {
		if p.id == id {
			return p
		}
	}
	return nil
}

// confirm checks that the signer is there at this moment: by passphrase, unless the vault has none.
func (d *Desk) confirm(ctx context.Context, p *person) error {
	if !p.confirm {
		return nil
	}
	pass := control.Passphrase(ctx)
	if len(pass) == 0 {
		return control.Errorf(control.Locked, "signing wants the passphrase").
			WithHint("give it at the prompt, or with --passphrase-file FILE")
	}
	if err := p.vault.Confirm(vault.Unlock{Passphrase: pass}); err != nil {
		return vaultError(err)
	}
	return nil
}

// Lock refuses every command of a person until Unlock. The node goes on receiving and keeps its
// keys in memory for that; a vault without a passphrase has nothing to lock with.
func (d *Desk) Lock(ctx context.Context, _ control.None) (control.Status, error) {
	d.mu.Lock()
	p, err := d.whoActs(ctx)
	if err == nil {
		p.locked = p.confirm
	}
	d.mu.Unlock()
	if err != nil {
		return control.Status{}, err
	}
	d.publish(control.Event{Event: "status"})
	return d.Status(ctx, control.None{})
}

// Unlock ends Lock, for who knows the passphrase.
func (d *Desk) Unlock(ctx context.Context, req control.UnlockRequest) (control.Status, error) {
	d.mu.Lock()
	p, err := d.whoActs(ctx)
	d.mu.Unlock()
	if err != nil {
		return control.Status{}, err
	}
	if p.confirm {
		if err := p.vault.Confirm(vault.Unlock{Passphrase: req.Passphrase}); err != nil {
			return control.Status{}, vaultError(err)
		}
	}
	d.mu.Lock()
	p.locked = false
	d.mu.Unlock()
	return d.Status(ctx, control.None{})
}

// Status says what the node is.
func (d *Desk) Status(ctx context.Context, _ control.None) (control.Status, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := control.Status{Running: d.net != nil}
	for _, o := range d.online {
		if o.sessions > 0 {
			s.Peers++
		}
	}
	for _, h := range d.studies.held {
		if h.row == nil && h.absent > 0 {
			s.Transfers++
		}
	}
	p, err := d.whoActs(ctx)
	if err != nil {
		return s, nil
	}
	s.Locked = p.locked
	s.Person, s.Name, s.Kind, s.MustConfirm = p.id.String(), p.self.Name, p.kind(), p.confirm
	for _, t := range d.threads {
		if t.queued(p) {
			s.Queued++
		}
	}
	return s, nil
}

func vaultError(err error) error {
	switch {
	case errors.Is(err, vault.ErrPassphrase):
		return control.Errorf(control.Refused, "wrong passphrase")
	case errors.Is(err, vault.ErrText):
		return control.Errorf(control.Refused, "passphrase must be text and not empty")
	case errors.Is(err, vault.ErrKeyFile):
		return control.Errorf(control.Refused, "the credential must be 32 bytes and readable by its owner only").
			WithHint("restore HOME/credential from a copy, with mode 0600")
	case errors.Is(err, vault.ErrDamaged):
		return control.Errorf(control.Refused, "the vault is damaged").WithHint("restore HOME/persons from a backup")
	default:
		return internal("open vault", err)
	}
}
