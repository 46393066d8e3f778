package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/tui"
)

const (
	demoSlices  = 60
	demoSeed    = 7
	demoTimeout = 2 * time.Minute
	demoPatient = "Ramos^Elena"
)

func (a *app) demoCmd() *cobra.Command {
	var headless bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "a whole second opinion on this machine",
		Long: `demo starts three throw-away nodes on this machine, a clinic and two specialists, with keys,
data directories and sockets of their own. The clinic imports a CT made in code, asks both for a
second opinion, and gets a signed report back. On a terminal it ends in the clinic's interface, on
that case; elsewhere, or with --headless, it prints each step with its time and exits.

Nothing of it is kept, and no home is touched.`,
		Example: `  curbside demo
  curbside demo --headless`,
		Args: places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			return a.demo(cmd.Context(), headless || !a.inTTY || !a.outTTY)
		}),
	}
	cmd.Flags().BoolVar(&headless, "headless", false, "print each step and exit, also on a terminal")
	return cmd
}

// demoNode is one of the throw-away nodes.
type demoNode struct {
	name   string
	kind   string
	node   *node.Node
	client *control.Client
	person string
}

// demoRun is the demo at work: its nodes, and the clock of its steps.
type demoRun struct {
	out   io.Writer
	dir   string
	start time.Time
	nodes []*demoNode
}

func (a *app) demo(ctx context.Context, headless bool) error {
	dir, err := os.MkdirTemp("", "curbside-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d := &demoRun{out: a.out, dir: dir, start: time.Now()}
	var g errgroup.Group
	defer func() {
		stop()
		_ = g.Wait() // the nodes end because the demo does
		d.close()
	}()
	id, err := d.play(ctx, &g)
	if err != nil {
		return err
	}
	if headless {
		return nil
	}
	return tui.Run(ctx, tui.Config{Client: d.nodes[0].client, Graphics: "auto", Case: id, In: a.in, Out: a.out})
}

func (d *demoRun) step(format string, args ...any) {
	fmt.Fprintf(d.out, "%6.2fs  %s\n", time.Since(d.start).Seconds(), fmt.Sprintf(format, args...))
}

// play is the whole second opinion; it returns the case. The nodes live until life ends.
func (d *demoRun) play(life context.Context, g *errgroup.Group) (string, error) {
	ctx, cancel := context.WithTimeout(life, demoTimeout)
	defer cancel()
	people := []struct{ name, kind string }{
		{"Puno Clinic", "clinic"}, {"Dr Okafor", "clinician"}, {"Dr Lind", "clinician"},
	}
	for i, p := range people {
		n, err := d.begin(life, i, p.name, p.kind, g)
		if err != nil {
			return "", err
		}
		d.nodes = append(d.nodes, n)
		d.step("%s: keys made, node listens at %s", n.name, n.address(ctx))
	}
	clinic, okafor, lind := d.nodes[0], d.nodes[1], d.nodes[2]
	for _, s := range []*demoNode{okafor, lind} {
		card, err := control.GetCard.Call(ctx, s.client, control.CardRequest{})
		if err != nil {
			return "", err
		}
		c, err := control.ContactAdd.Call(ctx, clinic.client, control.ContactAddRequest{Link: *card.Invite})
		if err != nil {
			return "", err
		}
		d.step("%s and %s are contacts by a one-time invite (%s)", clinic.name, s.name, c.Trust)
	}
	study, files, lesion, err := d.importCT(ctx, clinic)
	if err != nil {
		return "", err
	}
	ref, err := control.Request.Call(ctx, clinic.client, control.NewCase{
		Studies: []string{study}, To: []string{okafor.person, lind.person}, Priority: "urgent",
		Question: "58 y, smoker, nodule in the right lung found by chance. Malignant? Which follow-up, and when?",
	})
	if err != nil {
		return "", err
	}
	d.step("%s asks %s and %s under a pseudonym: case %s, sealed to their keys", clinic.name, okafor.name, lind.name, ref.Case[:8])
	return ref.Case, d.answer(ctx, ref.Case, files, lesion)
}

// answer is what the specialists do, and what the clinic gets.
func (d *demoRun) answer(ctx context.Context, id string, files map[[32]byte]bool, lesion phantom.Lesion) error {
	clinic, okafor, lind := d.nodes[0], d.nodes[1], d.nodes[2]
	study := ""
	for _, s := range []*demoNode{okafor, lind} {
		c, err := control.CaseWait.Call(ctx, s.client, control.CaseWaitRequest{Case: id, For: "complete", Timeout: demoTimeout})
		if err != nil {
			return err
		}
		d.step("%s has %d of %d images, every byte verified", s.name, c.Studies[0].Present, c.Studies[0].Listed)
		study = c.Studies[0].Study
	}
	if err := d.samePixels(ctx, okafor, study, files); err != nil {
		return err
	}
	if err := d.talk(ctx, id, lesion); err != nil {
		return err
	}
	text := fmt.Sprintf("Solid nodule of %.0f mm in the right lung, slice %d, mean %.0f HU, smooth. No prior for comparison.\n\n"+
		"Impression: indeterminate solid nodule. Recommendation: CT in 3 months, then by growth.\n", lesion.Diam, lesion.Slice+1, lesion.MeanHU)
	if _, err := control.CaseReport.Call(ctx, okafor.client, control.CaseReportRequest{Case: id, Text: text}); err != nil {
		return err
	}
	if _, err := control.CaseSign.Call(ctx, okafor.client, control.CaseRequest{Case: id}); err != nil {
		return err
	}
	d.step("%s signs the report (Ed25519 and ML-DSA-65)", okafor.name)
	for _, n := range []*demoNode{clinic, lind} {
		c, err := control.CaseWait.Call(ctx, n.client, control.CaseWaitRequest{Case: id, For: "report", Timeout: demoTimeout})
		if err != nil {
			return err
		}
		r := c.Reports[len(c.Reports)-1]
		if !r.Valid {
			return errors.New("the report's signature is not valid")
		}
		d.step("%s has the report: %s by %s, signature valid, case %s", n.name, r.Status, r.AuthorName, c.State)
	}
	return d.sameState(ctx, id)
}

func (d *demoRun) talk(ctx context.Context, id string, lesion phantom.Lesion) error {
	okafor, lind := d.nodes[1], d.nodes[2]
	for _, s := range []struct {
		who  *demoNode
		text string
	}{
		{okafor, fmt.Sprintf("Slice %d, at column %.0f, row %.0f: solid, round, about %.0f mm. No calcification that I can see.",
			lesion.Slice+1, lesion.X, lesion.Y, lesion.Diam)},
		{lind, "Agreed on size and place. Margin smooth, no second nodule. I would not biopsy yet."},
	} {
		if _, err := control.CaseAccept.Call(ctx, s.who.client, control.CaseRequest{Case: id}); err != nil {
			return err
		}
		if _, err := control.CaseReply.Call(ctx, s.who.client, control.CaseReplyRequest{Case: id, Text: s.text}); err != nil {
			return err
		}
		d.step("%s accepts and replies", s.who.name)
	}
	_, err := control.CaseWait.Call(ctx, okafor.client, control.CaseWaitRequest{Case: id, For: "entry:message", Timeout: demoTimeout})
	return err
}

// begin makes a node with a person of its own and lets it serve on loopback.
func (d *demoRun) begin(ctx context.Context, i int, name, kind string, g *errgroup.Group) (*demoNode, error) {
	n, err := node.Open(ctx, node.Config{
		Home: filepath.Join(d.dir, fmt.Sprintf("node%d", i+1)), Listen: []string{"127.0.0.1:0"},
		NoMDNS: true, NoDHT: true, Version: version(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	s := &demoNode{name: name, kind: kind, node: n, client: control.InProcess(n.Handler())}
	p, err := control.PersonAdd.Call(ctx, s.client, control.PersonAddRequest{Name: name, Kind: kind, NoPassphrase: true})
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	s.person = p.Person.Person
	ready := make(chan struct{})
	failed := make(chan error, 1)
	g.Go(func() error {
		err := n.Run(ctx, func() { close(ready) })
		failed <- err
		return err
	})
	select {
	case <-ready:
		return s, nil
	case err := <-failed:
		return nil, errors.Join(err, n.Close())
	}
}

func (n *demoNode) address(ctx context.Context) string {
	card, err := control.GetCard.Call(ctx, n.client, control.CardRequest{NoInvite: true})
	if err != nil || len(card.Addresses) == 0 {
		return "no address"
	}
	addr, _, _ := strings.Cut(card.Addresses[0], "/p2p/")
	return addr
}

// importCT writes a CT made in code as files and imports them as anybody would.
func (d *demoRun) importCT(ctx context.Context, clinic *demoNode) (study string, files map[[32]byte]bool, lesion phantom.Lesion, err error) {
	ct := phantom.CT(phantom.Options{Seed: demoSeed, Slices: demoSlices, PatientName: demoPatient})
	folder := filepath.Join(d.dir, "ct")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", nil, ct.Lesion, err
	}
	files = map[[32]byte]bool{}
	for i, f := range ct.Files {
		sum, err := pixelSum(f)
		if err != nil {
			return "", nil, ct.Lesion, err
		}
		files[sum] = true
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%03d.dcm", i+1)), f, 0o600); err != nil {
			return "", nil, ct.Lesion, err
		}
	}
	d.step("a CT of %d slices is made, with one lesion of %.0f mm", len(ct.Files), ct.Lesion.Diam)
	var res *control.ImportResult
	err = control.Import.Call(ctx, clinic.client, control.ImportRequest{Paths: []string{folder}}, func(e control.ImportEvent) error {
		res = e.Result
		return nil
	})
	if err != nil {
		return "", nil, ct.Lesion, err
	}
	if res == nil || len(res.Studies) != 1 {
		return "", nil, ct.Lesion, errors.New("the CT was not imported as one study")
	}
	s := res.Studies[0]
	st, err := control.StudyShow.Call(ctx, clinic.client, control.StudyRequest{Study: s.Study})
	if err != nil {
		return "", nil, ct.Lesion, err
	}
	d.step("%s imports it: %d images, %.1f MB packed and sealed to %.1f MB, proven to give every byte back",
		clinic.name, s.New, float64(st.Bytes)/1e6, float64(st.StoredBytes)/1e6)
	return s.Study, files, ct.Lesion, nil
}

// pixelSum hashes the pixels of a file.
func pixelSum(file []byte) ([32]byte, error) {
	in, err := study.Parse(file)
	if err != nil {
		return [32]byte{}, err
	}
	_, bulk := study.Split(file, in)
	return sha256.Sum256(bulk), nil
}

// samePixels exports the study where it arrived: the pixels are those that were imported, and the
// patient's name is in none of the files.
func (d *demoRun) samePixels(ctx context.Context, s *demoNode, id string, files map[[32]byte]bool) error {
	out := filepath.Join(d.dir, "export")
	if _, err := control.StudyExport.Call(ctx, s.client, control.StudyExportRequest{Study: id, Out: out}); err != nil {
		return err
	}
	list, err := os.ReadDir(out)
	if err != nil {
		return err
	}
	for _, e := range list {
		b, err := os.ReadFile(filepath.Join(out, e.Name()))
		if err != nil {
			return err
		}
		sum, err := pixelSum(b)
		if err != nil {
			return err
		}
		if !files[sum] {
			return errors.New("the pixels of an exported file are not those that were imported")
		}
		if bytes.Contains(b, []byte(demoPatient)) {
			return errors.New("an exported file names the patient")
		}
	}
	if len(list) != len(files) {
		return fmt.Errorf("%d files were exported of %d imported", len(list), len(files))
	}
	d.step("%s exports it: %d files, pixels byte for byte those of the clinic, the patient's name in none", s.name, len(list))
	return nil
}

// sameState waits until all three hold the same history.
func (d *demoRun) sameState(ctx context.Context, id string) error {
	hashes := map[string]bool{}
	last := ""
	for _, n := range d.nodes {
		err := control.CaseHistory.Call(ctx, n.client, control.CaseRequest{Case: id}, func(e control.HistoryEvent) error {
			if e.StateHash != nil {
				last = *e.StateHash
			}
			return nil
		})
		if err != nil {
			return err
		}
		hashes[last] = true
	}
	if len(hashes) != 1 {
		return errors.New("the nodes do not hold the same history")
	}
	d.step("all three hold the same history: state %s", last[:16])
	return nil
}

func (d *demoRun) close() {
	for _, n := range d.nodes {
		n.client.Close()
		_ = n.node.Close() // the folder goes in a moment
	}
}
