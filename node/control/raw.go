package control

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// A reply that carries pixels or a picture is its JSON, then the bytes as they are: as base64
// within JSON a frame of 512 KB would take longer to read than to decode. The header says how long
// the JSON is.
//
//	Content-Type: application/octet-stream
//	Curbside-Json: 1234
const (
	headerJSON = "Curbside-Json"
	// rawBytesMax bounds a reply's bytes: a frame is at most 2 GiB (IMAGING §1.2).
	rawBytesMax = 2<<30 + 1<<20
)

// carrier is a reply whose bytes travel beside its JSON.
type carrier interface {
	// unload takes the bytes out, without touching what the reply shares with others.
	unload() []byte
	load(b []byte)
}

func (p *Pixels) unload() []byte {
	b := p.Data
	p.Data = nil
	return b
}

func (p *Pixels) load(b []byte) { p.Data = b }

func (i *Image) unload() []byte {
	if i.Native == nil {
		return nil
	}
	n := *i.Native
	i.Native = &n
	b := n.Data
	n.Data = nil
	return b
}

func (i *Image) load(b []byte) {
	if i.Native != nil {
		i.Native.Data = b
	}
}

func (r *Rendered) unload() []byte {
	b := r.PNG
	r.PNG = nil
	return b
}

func (r *Rendered) load(b []byte) { r.PNG = b }

// writeRaw sends a carrier.
func writeRaw(w http.ResponseWriter, c carrier) {
	raw := c.unload()
	head, err := json.Marshal(c)
	if err != nil {
		writeError(w, fmt.Errorf("encode reply: %w", err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set(headerJSON, strconv.Itoa(len(head)))
	h.Set("Content-Length", strconv.Itoa(len(head)+len(raw)))
	if _, err := w.Write(head); err == nil {
		_, _ = w.Write(raw) // the caller is gone if this fails
	}
}

// readRaw receives a carrier.
func readRaw(resp *http.Response, c carrier) error {
	n, err := strconv.Atoi(resp.Header.Get(headerJSON))
	if err != nil || n < 0 || n > requestBytesMax*16 {
		return Errorf(Internal, "the node's reply has no length")
	}
	total, err := strconv.ParseInt(resp.Header.Get("Content-Length"), 10, 64)
	if err != nil || total < int64(n) || total-int64(n) > rawBytesMax {
		return Errorf(Internal, "the node's reply has no length")
	}
	head := make([]byte, n)
	if _, err := io.ReadFull(resp.Body, head); err != nil {
		return fmt.Errorf("read reply: %w", err)
	}
	if err := json.Unmarshal(head, c); err != nil {
		return fmt.Errorf("read reply: %w", err)
	}
	raw := make([]byte, total-int64(n))
	if _, err := io.ReadFull(resp.Body, raw); err != nil {
		return fmt.Errorf("read reply: %w", err)
	}
	if len(raw) > 0 {
		c.load(raw)
	}
	return nil
}
