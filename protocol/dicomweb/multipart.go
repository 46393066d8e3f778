package dicomweb

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"
)

var (
	// errMedia says that a body is not the multipart that it should be.
	errMedia = errors.New("body is not multipart/related")
	// errTooLong says that a body, a part or its headers are longer than their limit.
	errTooLong = errors.New("body is longer than its limit")
)

// parts reads a multipart/related body (RFC 2387) part by part, without keeping any.
type parts struct {
	r       *multipart.Reader
	budget  *budget
	partMax int64
	n       int
}

// newParts reads a body whose Content-Type is contentType. Of all of it at most total bytes are
// read, of one part partMax.
func newParts(body io.Reader, contentType string, total, partMax int64) (*parts, string, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind, params = looseMedia(contentType)
	}
	boundary := params["boundary"]
	if kind != typeRelated || boundary == "" || len(boundary) > boundaryMax {
		return nil, "", errMedia
	}
	b := &budget{r: body, total: total}
	return &parts{r: multipart.NewReader(b, boundary), budget: b, partMax: partMax}, strings.ToLower(params["type"]), nil
}

// next gives the next part; io.EOF after the last.
func (p *parts) next() (*multipart.Part, io.Reader, error) {
	if p.n++; p.n > partsMax {
		return nil, nil, errTooLong
	}
	// The reader looks ahead by a buffer, then reads the headers of the part.
	p.budget.allow(partHeaderMax + 2*bufferAhead)
	part, err := p.r.NextRawPart()
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil, io.EOF
	case p.budget.over:
		return nil, nil, errTooLong
	case err != nil:
		return nil, nil, fmt.Errorf("read part: %w", err)
	}
	headers := 0
	for k, v := range part.Header {
		headers += len(k) + len(strings.Join(v, ""))
	}
	if headers > partHeaderMax {
		return nil, nil, errTooLong
	}
	p.budget.allow(p.partMax + 2*bufferAhead)
	return part, &partBody{part, p}, nil
}

// bufferAhead is what mime/multipart reads ahead.
const bufferAhead = 8 << 10

// partBody is the body of a part; a cut or overlong one is a failure and never a short file.
type partBody struct {
	part *multipart.Part
	of   *parts
}

func (b *partBody) Read(p []byte) (int, error) {
	n, err := b.part.Read(p)
	if err != nil && b.of.budget.over {
		return n, errTooLong
	}
	return n, err
}

// budget lets so many bytes through and no more.
type budget struct {
	r     io.Reader
	total int64 // of the body
	left  int64 // until allow is called again
	over  bool
}

func (b *budget) allow(n int64) { b.left = n }

func (b *budget) Read(p []byte) (int, error) {
	most := min(b.left, b.total, int64(len(p)))
	if most <= 0 {
		b.over = true
		return 0, errTooLong
	}
	n, err := b.r.Read(p[:most])
	b.left -= int64(n)
	b.total -= int64(n)
	return n, err
}

// boundary is one that no file holds but by chance of 2^-128.
func newBoundary() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "curbside-" + hex.EncodeToString(b[:])
}

// relatedType is the Content-Type of a multipart/related body.
func relatedType(kind, boundary string) string {
	return fmt.Sprintf(`multipart/related; type="%s"; boundary=%s`, kind, boundary)
}

// partHead is what stands before a part's body, with the line that ends the part before.
func partHead(boundary string, first bool, h textproto.MIMEHeader) string {
	var b strings.Builder
	if !first {
		b.WriteString("\r\n")
	}
	b.WriteString("--" + boundary + "\r\n")
	for _, k := range []string{"Content-Type", "Content-Length", "Content-Location"} {
		if v := h.Get(k); v != "" {
			b.WriteString(k + ": " + v + "\r\n")
		}
	}
	b.WriteString("\r\n")
	return b.String()
}

// partsEnd ends a body; one without parts is a boundary and an end.
func partsEnd(boundary string) string { return "\r\n--" + boundary + "--\r\n" }
