package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/curbside-p2p/curbside/protocol/dicomweb"
)

// webSource is what a key of the web listener opens.
type webSource struct {
	Shelf

	w *Web
}

// errStream says that what a caller sent ended early or never came; it holds nothing of it.
var errStream = errors.New("the instance did not come whole")

// Take spools an instance and hands it to the door.
func (s *webSource) Take(ctx context.Context, file io.Reader, into dicomweb.Path) (func() dicomweb.Stored, error) {
	from := &noting{r: file}
	path, err := spool(s.w.cfg.Tmp, from)
	switch {
	case from.failed:
		return nil, fmt.Errorf("%w: %w", errStream, from.err)
	case err != nil: // our disk
		s.w.fault("an instance could not be kept for want of room")
		s.w.refused.Add(1)
		_, err = io.Copy(io.Discard, from) // the next one stands behind it
		return func() dicomweb.Stored { return dicomweb.Stored{Failure: dicomweb.FailResources} }, err
	}
	return func() dicomweb.Stored {
		defer os.Remove(path)
		res := s.w.cfg.Take(ctx, path, "web", into)
		if res.Failure != 0 {
			s.w.refused.Add(1)
			s.w.fault("an instance was refused: %s", dicomweb.Reason(res.Failure, 0))
			s.w.cfg.Log.WarnContext(ctx, "web: instance refused", slog.String("reason", fmt.Sprintf("%04X", res.Failure)))
		} else {
			s.w.received.Add(1)
		}
		return res
	}, nil
}

// noting tells a failure of the reader from one of the writer.
type noting struct {
	r      io.Reader
	failed bool
	err    error
}

func (n *noting) Read(p []byte) (int, error) {
	m, err := n.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		n.failed, n.err = true, err
	}
	return m, err
}
