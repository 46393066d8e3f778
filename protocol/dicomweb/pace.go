package dicomweb

import (
	"io"
	"net/http"
	"time"
)

// pacedBody reads a request's body from a peer that must not be silent for long, nor slow for ever.
type pacedBody struct {
	r     io.Reader
	ctl   *http.ResponseController
	h     *Handler
	start time.Time
	n     int64
}

func (r *request) body() io.Reader {
	return &pacedBody{r: r.Body, ctl: http.NewResponseController(r.w), h: r.h, start: r.h.cfg.Now()}
}

func (b *pacedBody) Read(p []byte) (int, error) {
	// The body may take so long as its bytes so far are worth, and a silence on top.
	worth := time.Duration(b.n/b.h.cfg.Rate) * time.Second
	latest := b.start.Add(2*b.h.cfg.Quiet + worth)
	deadline := b.h.cfg.Now().Add(b.h.cfg.Quiet)
	if latest.Before(deadline) {
		deadline = latest
	}
	_ = b.ctl.SetReadDeadline(deadline) // a writer without deadlines is a test's
	n, err := b.r.Read(p)
	b.n += int64(n)
	if err != nil {
		// net/http reads on to see the peer go, which must not look like going when time is up.
		_ = b.ctl.SetReadDeadline(time.Time{}) // as above
	}
	return n, err
}

// pacedReply writes a reply to a peer that must go on taking it.
type pacedReply struct {
	w   io.Writer
	ctl *http.ResponseController
	h   *Handler
}

func (r *request) pace() io.Writer {
	return &pacedReply{w: r.w, ctl: http.NewResponseController(r.w), h: r.h}
}

// writeUnit is what is written under one deadline.
const writeUnit = 1 << 20

func (p *pacedReply) Write(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		_ = p.ctl.SetWriteDeadline(p.h.cfg.Now().Add(p.h.cfg.Quiet)) // a writer without deadlines is a test's
		m, err := p.w.Write(b[n:min(n+writeUnit, len(b))])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
