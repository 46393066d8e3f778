package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/curbside-p2p/curbside/consult/object"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

// dicom is a destination that speaks DIMSE.
type dicom struct {
	g   *Gateway
	set Settings
}

func (g *Gateway) dicom(s Settings) (*dicom, error) { return &dicom{g: g, set: s}, nil }

// destinationOf finds the destination that goes by an AE title, if one does.
func (g *Gateway) destinationOf(aet string) (*dicom, bool) {
	all, err := g.cfg.Destinations()
	if err != nil {
		return nil, false
	}
	var found *Settings
	for _, s := range all {
		if s.AET != aet || s.Check() != nil {
			continue
		}
		if found != nil && (s.Host != found.Host || s.Port != found.Port) {
			return nil, false // two go by it: which one asks is not known
		}
		found = &s
	}
	if found == nil {
		return nil, false
	}
	return &dicom{g: g, set: *found}, true
}

// plain are the syntaxes of data sets without pixels.
var plain = []string{dimse.ExplicitLE, dimse.ImplicitLE}

func (d *dicom) calling() string {
	if d.set.Calling != "" {
		return d.set.Calling
	}
	return d.g.cfg.AETitle
}

// open makes an association.
func (d *dicom) open(ctx context.Context, proposals ...dimse.Proposal) (*dimse.Assoc, error) {
	addr := net.JoinHostPort(d.set.Host, strconv.Itoa(d.set.Port))
	dialer := net.Dialer{Timeout: dialTime}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if d.set.TLS {
		if conn, err = d.secure(ctx, conn); err != nil {
			return nil, fmt.Errorf("TLS: %w", err)
		}
	}
	return dimse.Open(ctx, conn, dimse.Dial{Calling: d.calling(), Called: d.set.AET, Proposals: proposals})
}

func (d *dicom) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	conf, err := clientTLS(d.set)
	if err == nil {
		c := tls.Client(conn, conf)
		ctx, cancel := context.WithTimeout(ctx, dialTime)
		defer cancel()
		if err = c.HandshakeContext(ctx); err == nil {
			return c, nil
		}
	}
	_ = conn.Close()
	return nil, err
}

// Echo is C-ECHO.
func (d *dicom) Echo(ctx context.Context) error {
	a, err := d.open(ctx, dimse.Proposal{Abstract: dimse.Verification, Syntaxes: slices.Clone(plain)})
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.Echo(); err != nil {
		return err
	}
	return released(a)
}

// released ends an association whose work is done: how it ends does not change that.
func released(a *dimse.Assoc) error {
	err := a.Release()
	if _, aborted := errors.AsType[*dimse.AbortError](err); aborted || errors.Is(err, dimse.ErrTimeout) {
		return nil
	}
	return err
}

// report tells a caller of ours what became of its request for commitment.
func (d *dicom) report(ctx context.Context, event uint16, set object.Set) error {
	a, err := d.open(ctx, dimse.Proposal{Abstract: dimse.StorageCommitment, Syntaxes: slices.Clone(plain), Serve: true})
	if err != nil {
		return err
	}
	defer a.Close()
	c := a.Context(dimse.StorageCommitment)
	if c == nil {
		return dimse.ErrNoContext
	}
	if err := a.Report(event, encode(set, c.Syntax)); err != nil {
		return err
	}
	return released(a)
}
