package dicomweb

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// Client speaks to one server.
type Client struct {
	base *url.URL
	auth string // the Authorization header
	http *http.Client
}

// ClientConfig is what a client is made of.
type ClientConfig struct {
	URL string // of the services: https://pacs.example.org/dicom-web
	// Secret is a bearer token, or NAME:PASSWORD; empty for none.
	Secret string
	// Cleartext allows http beyond loopback.
	Cleartext bool
	// Transport is the way out; nil for one with sane limits.
	Transport http.RoundTripper
}

// ErrCleartext says that a URL is http and not of this machine, which the user must allow.
var ErrCleartext = errors.New("the address is not encrypted: https is needed beyond this machine")

// NewClient makes a client; nothing is dialled.
func NewClient(cfg ClientConfig) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the address is not a plain http or https URL")
	}
	if u.Scheme == "http" && !cfg.Cleartext && !loopback(u.Hostname()) {
		return nil, ErrCleartext
	}
	u.Path = strings.TrimRight(u.Path, "/")
	c := &Client{base: u, http: &http.Client{Transport: cfg.Transport}}
	if cfg.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ResponseHeaderTimeout = replyTime
		t.MaxResponseHeaderBytes = HeaderBytesMax
		c.http.Transport = t
	}
	// A server that sends us elsewhere with what we carry is not the one that was configured.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	switch {
	case strings.Contains(cfg.Secret, ":"):
		c.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(cfg.Secret))
	case cfg.Secret != "":
		c.auth = "Bearer " + cfg.Secret
	}
	return c, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// StatusError is an answer of the server that is none of success.
type StatusError struct{ Status int }

func (e *StatusError) Error() string {
	s := "the server answered " + strconv.Itoa(e.Status) + " " + http.StatusText(e.Status)
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return s + ": it wants another token or name and password"
	case http.StatusNotFound:
		return s + ": there are no such services at this address"
	}
	return strings.TrimSpace(s)
}

// Temporary reports whether the same may succeed later.
func (e *StatusError) Temporary() bool {
	return e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooManyRequests || e.Status >= http.StatusInternalServerError
}

func (c *Client) do(ctx context.Context, method, path string, q url.Values, accept string, body io.Reader, set func(*http.Request)) (*http.Response, error) {
	u := *c.base
	u.Path += path
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept", accept)
	if c.auth != "" {
		req.Header.Set("Authorization", c.auth)
	}
	if set != nil {
		set(req)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, reachError(err)
	}
	return resp, nil
}

// reachError says why a server was not reached. A *url.Error names the address with its query,
// which may name a patient.
func reachError(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fmt.Errorf("reach server: %w", err)
}

// Search runs a QIDO-RS search; at most 1,000 rows come back.
func (c *Client) Search(ctx context.Context, level Level, in Path, q url.Values) ([]Dataset, error) {
	path := [...]string{"/studies", "/series", "/instances"}[level]
	if in.Study != "" {
		path = in.String() + path
	}
	resp, err := c.do(ctx, http.MethodGet, path, q, typeJSON, nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
	case http.StatusNoContent:
		return nil, nil
	default:
		return nil, &StatusError{resp.StatusCode}
	}
	rows, err := ReadDatasets(resp.Body, resultsMax)
	if err != nil {
		return nil, fmt.Errorf("read search results: %w", err)
	}
	return rows, nil
}

// Echo asks the server for at most one study, to see whether it answers.
func (c *Client) Echo(ctx context.Context) error {
	_, err := c.Search(ctx, Studies, Path{}, url.Values{"limit": {"1"}})
	return err
}

// Retrieve fetches the files of what a path names, as they are stored, and hands each to take.
// It returns how many there were; a reply that is cut is a failure.
func (c *Client) Retrieve(ctx context.Context, in Path, take func(file io.Reader) error) (int, error) {
	accept := typeRelated + `; type="` + typeDICOM + `"; transfer-syntax=*`
	resp, err := c.do(ctx, http.MethodGet, in.String(), nil, accept, nil, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, &StatusError{resp.StatusCode}
	}
	contentType := resp.Header.Get("Content-Type")
	if kind, _, err := mime.ParseMediaType(contentType); err == nil && kind == typeDICOM {
		return 1, take(&limited{resp.Body, PartBytesMax})
	}
	p, _, err := newParts(resp.Body, contentType, StoreBytesMax, PartBytesMax)
	if err != nil {
		return 0, err
	}
	for n := 0; ; n++ {
		_, file, err := p.next()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if err := take(file); err != nil {
			return n, err
		}
	}
}

// File is one instance to be stored.
type File struct {
	Path
	Class, Syntax string
	Size          int64
	Open          func() (io.ReadCloser, error)
}

// Store sends instances, at most 100 in a request, and says of each what became of it. What a
// failure left unsaid is not in the result: a caller may send it again. done is called after each
// request with how many were answered so far; it may be nil.
func (c *Client) Store(ctx context.Context, files []File, done func(n int)) ([]Stored, error) {
	var out []Stored
	for len(files) > 0 {
		n, bytes := 0, int64(0)
		for n < len(files) && n < ChunkInstances && (n == 0 || bytes+files[n].Size <= chunkBytes) {
			bytes += files[n].Size
			n++
		}
		res, err := c.storeChunk(ctx, files[:n])
		if err != nil {
			return out, err
		}
		out = append(out, res...)
		files = files[n:]
		if done != nil {
			done(len(out))
		}
	}
	return out, nil
}

func (c *Client) storeChunk(ctx context.Context, files []File) ([]Stored, error) {
	boundary := newBoundary()
	r, w := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		err := writeFiles(w, boundary, files)
		_ = w.CloseWithError(err) // never fails
		sent <- err
	}()
	resp, err := c.do(ctx, http.MethodPost, "/studies", nil, typeJSON, r, func(req *http.Request) {
		req.Header.Set("Content-Type", relatedType(typeDICOM, boundary))
		req.ContentLength = bodyLength(boundary, files) // some servers take no chunked body
	})
	_ = r.Close() // ends the writer where the server answered early
	werr := <-sent
	if err != nil {
		if werr != nil && !errors.Is(werr, io.ErrClosedPipe) {
			return nil, werr
		}
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusConflict:
	default:
		return nil, &StatusError{resp.StatusCode}
	}
	rows, err := ReadDatasets(resp.Body, 1)
	if err != nil {
		return nil, fmt.Errorf("read what was stored: %w", err)
	}
	var reply Dataset
	if len(rows) > 0 {
		reply = rows[0]
	}
	return outcome(files, reply), nil
}

// filePart has no transfer-syntax parameter: Orthanc refuses a part with one, and the file says it.
func filePart(boundary string, i int) string {
	return partHead(boundary, i == 0, textproto.MIMEHeader{"Content-Type": {typeDICOM}})
}

func bodyLength(boundary string, files []File) int64 {
	n := int64(len(partsEnd(boundary)))
	for i := range files {
		n += int64(len(filePart(boundary, i))) + files[i].Size
	}
	return n
}

func writeFiles(w io.Writer, boundary string, files []File) error {
	for i := range files {
		f := &files[i]
		if _, err := io.WriteString(w, filePart(boundary, i)); err != nil {
			return err
		}
		if err := copyFile(w, f); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, partsEnd(boundary))
	return err
}

func copyFile(w io.Writer, f *File) error {
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("open instance: %w", err)
	}
	defer r.Close()
	n, err := io.Copy(w, io.LimitReader(r, f.Size))
	if err == nil && n < f.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// outcome reads the Store Instances Response module: what is referenced is stored, what failed has
// its reason, and about the rest the server said nothing.
func outcome(files []File, reply Dataset) []Stored {
	said := map[string]Stored{}
	for _, item := range reply.Items(0x00081199) {
		uid := item.Text(0x00081155)
		said[uid] = Stored{Warning: uint16(item.Int(0x00081196))}
	}
	for _, item := range reply.Items(0x00081198) {
		reason := uint16(item.Int(0x00081197))
		if reason == 0 {
			reason = FailProcessing
		}
		said[item.Text(0x00081155)] = Stored{Failure: reason}
	}
	out := make([]Stored, 0, len(files))
	for i := range files {
		s, ok := said[files[i].Instance]
		if !ok {
			s = Stored{Failure: FailNotMentioned}
		}
		s.Class, s.Instance, s.Study, s.Series = files[i].Class, files[i].Instance, files[i].Study, files[i].Series
		s.Detail = Reason(s.Failure, s.Warning)
		out = append(out, s)
	}
	return out
}

// Reason says a reason in words.
func Reason(failure, warning uint16) string {
	switch {
	case failure == 0 && warning == 0:
		return ""
	case failure == 0:
		return fmt.Sprintf("stored with a warning (%04X)", warning)
	}
	switch {
	case failure == FailNotMentioned:
		return "the server did not say what became of it"
	case failure == FailProcessing:
		return "the server could not process it (0110)"
	case failure == FailClass:
		return "the server does not take this kind of object (0122)"
	case failure == FailSyntax:
		return "the server does not take this transfer syntax (C122)"
	case failure&0xFF00 == FailResources:
		return fmt.Sprintf("the server is out of room (%04X)", failure)
	case failure&0xFF00 == FailMismatch:
		return fmt.Sprintf("the server says that it does not match its class (%04X)", failure)
	}
	return fmt.Sprintf("refused by the server (%04X)", failure)
}
