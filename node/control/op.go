// Package control is the local front door of a node: the types of its API, a client and the
// HTTP plumbing between them. The command line, the terminal interface and scripts all use it;
// a command with no node running calls the same handler in process, so there is one path.
//
// Each use case is one [Op] or [Stream], a value that both ends share:
//
//	POST /v1/<path>   request JSON -> reply JSON             Op (pixels as bytes behind it: raw.go)
//	POST /v1/<path>   request JSON -> JSON lines, then end   Stream
//
// A failure is an [Error] with a message that a person may read, a hint, and a code that decides
// the exit status. The header Curbside-As names the acting person where a node has several.
// JSON names are those of SCRIPTING (the scripting contract, in README): fields may be added,
// none renamed or removed.
package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	// requestBytesMax bounds a request: the largest field is a report's text.
	requestBytesMax = 4 << 20
	headerAs        = "Curbside-As"
	headerUnlock    = "Curbside-Unlock"
	prefix          = "/v1/"
)

// Code says what kind of failure an [Error] is.
type Code string

// The codes that callers decide by.
const (
	Refused    Code = "refused"     // the request cannot be done; exit 1
	Usage      Code = "usage"       // the request is malformed; exit 2
	Locked     Code = "locked"      // the vault must be unlocked first; exit 1
	NotFound   Code = "not_found"   // no such study, case, person; exit 1
	NotRunning Code = "not_running" // the command needs a running node; exit 1
	Internal   Code = "internal"    // a defect or a broken disk; exit 1
)

// Error is a failure that may be shown to a person: it holds no patient data.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"error"`
	Hint    string `json:"hint,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Errorf makes an [Error] of a code; a hint is added with [Error.WithHint].
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithHint returns e with what the user can do about it.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Op is one use case with a single reply.
type Op[Req, Res any] string

// Stream is one use case that replies with JSON lines until it ends or the caller goes away.
type Stream[Req, Event any] string

type ctxKey int

const (
	keyAs ctxKey = iota
	keyUnlock
)

// As returns whom the caller acts as: an id, an id's prefix or a name; "" when not said.
func As(ctx context.Context) string { s, _ := ctx.Value(keyAs).(string); return s }

// WithAs names whom a call acts as that did not come through this door: of a hospital's key.
func WithAs(ctx context.Context, as string) context.Context { return context.WithValue(ctx, keyAs, as) }

// Passphrase returns the passphrase that came with this request for a signature; nil when none.
func Passphrase(ctx context.Context) []byte { b, _ := ctx.Value(keyUnlock).([]byte); return b }

// Client calls a node's handler.
type Client struct {
	http *http.Client
	// As names the acting person (--as); empty where the node has one person.
	As string
	// Passphrase goes along with each request, for what must be confirmed at that moment.
	Passphrase []byte
}

// Dial makes a client of the node that listens at a unix socket. It does not connect yet.
func Dial(socket string) *Client {
	var d net.Dialer
	t := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
		DisableCompression: true,
		// A viewer that looks ahead keeps several frames on their way.
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     time.Minute,
	}
	return &Client{http: &http.Client{Transport: t}}
}

// InProcess makes a client that calls a handler directly: for commands with no node running.
func InProcess(h http.Handler) *Client {
	return &Client{http: &http.Client{Transport: inProcess{h}}}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) post(ctx context.Context, path string, req any) (*http.Response, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encode request %s: %w", path, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://node"+prefix+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request %s: %w", path, err)
	}
	r.Header.Set("Content-Type", "application/json")
	if c.As != "" {
		r.Header.Set(headerAs, headerText(c.As))
	}
	if len(c.Passphrase) > 0 {
		r.Header.Set(headerUnlock, headerText(string(c.Passphrase)))
	}
	resp, err := c.http.Do(r)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return nil, Errorf(NotRunning, "no node is running here").WithHint("start one with: curbside serve")
		}
		return nil, fmt.Errorf("call %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, readError(resp)
	}
	return resp, nil
}

func readError(resp *http.Response) error {
	e := new(Error)
	if err := json.NewDecoder(io.LimitReader(resp.Body, requestBytesMax)).Decode(e); err != nil || e.Message == "" {
		return Errorf(Internal, "the node answered %s", resp.Status)
	}
	return e
}

// Call runs the use case at the client's node.
func (o Op[Req, Res]) Call(ctx context.Context, c *Client, req Req) (Res, error) {
	var res Res
	resp, err := c.post(ctx, string(o), req)
	if err != nil {
		return res, err
	}
	defer resp.Body.Close()
	if c, ok := any(&res).(carrier); ok {
		if err := readRaw(resp, c); err != nil {
			return res, fmt.Errorf("%s: %w", string(o), err)
		}
		return res, nil
	}
	if err := json.NewDecoder(resp.Body).Decode(&res); err != nil {
		return res, fmt.Errorf("read reply to %s: %w", string(o), err)
	}
	return res, nil
}

// Handle serves the use case on mux with fn.
func (o Op[Req, Res]) Handle(mux *http.ServeMux, fn func(context.Context, Req) (Res, error)) {
	mux.HandleFunc("POST "+prefix+string(o), func(w http.ResponseWriter, r *http.Request) {
		ctx, req, err := readRequest[Req](r.Context(), r)
		if err != nil {
			writeError(w, err)
			return
		}
		res, err := fn(ctx, req)
		if err != nil {
			writeError(w, err)
			return
		}
		if c, ok := any(&res).(carrier); ok {
			writeRaw(w, c)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(res) // the caller is gone if this fails
	})
}

// line is one line of a stream: an event, or the failure that ended it.
type line[Event any] struct {
	Event *Event `json:"event,omitempty"`
	Error *Error `json:"failure,omitempty"`
	End   bool   `json:"end,omitempty"`
}

// Call runs the use case and hands each event to emit; it stops when emit fails.
func (s Stream[Req, Event]) Call(ctx context.Context, c *Client, req Req, emit func(Event) error) error {
	resp, err := c.post(ctx, string(s), req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(bufio.NewReaderSize(resp.Body, 64<<10))
	for {
		var l line[Event]
		if err := dec.Decode(&l); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return Errorf(Internal, "the node went away")
		}
		switch {
		case l.Error != nil:
			return l.Error
		case l.End:
			return nil
		case l.Event != nil:
			if err := emit(*l.Event); err != nil {
				return err
			}
		}
	}
}

// Handle serves the stream on mux: fn sends events until it is done or ctx ends.
func (s Stream[Req, Event]) Handle(mux *http.ServeMux, fn func(context.Context, Req, func(Event) error) error) {
	mux.HandleFunc("POST "+prefix+string(s), func(w http.ResponseWriter, r *http.Request) {
		ctx, req, err := readRequest[Req](r.Context(), r)
		if err != nil {
			writeError(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		out := http.NewResponseController(w)
		enc := json.NewEncoder(w)
		send := func(l line[Event]) error {
			if err := enc.Encode(l); err != nil {
				return err
			}
			return out.Flush()
		}
		_ = out.Flush() // the caller may wait for the headers before the first event
		err = fn(ctx, req, func(e Event) error { return send(line[Event]{Event: &e}) })
		if err != nil {
			_ = send(line[Event]{Error: AsError(err)}) // the caller is gone if this fails
			return
		}
		_ = send(line[Event]{End: true})
	})
}

func readRequest[Req any](ctx context.Context, r *http.Request) (context.Context, Req, error) {
	var req Req
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, requestBytesMax))
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil {
		return nil, req, Errorf(Usage, "request not understood: %v", err)
	}
	if s := r.Header.Get(headerAs); s != "" {
		ctx = context.WithValue(ctx, keyAs, fromHeader(s))
	}
	if s := r.Header.Get(headerUnlock); s != "" {
		ctx = context.WithValue(ctx, keyUnlock, []byte(fromHeader(s)))
	}
	return ctx, req, nil
}

func writeError(w http.ResponseWriter, err error) {
	e := AsError(err)
	var status int
	switch e.Code {
	case Refused, NotRunning:
		status = http.StatusConflict
	case Usage:
		status = http.StatusBadRequest
	case NotFound:
		status = http.StatusNotFound
	case Locked:
		status = http.StatusLocked
	default: // Internal
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(e) // the caller is gone if this fails
}

// AsError turns any failure into one that can be sent and shown.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) {
		return Errorf(Refused, "cancelled")
	}
	return Errorf(Internal, "%v", err)
}
