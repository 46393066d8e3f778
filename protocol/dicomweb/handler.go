package dicomweb

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"
)

// Root is where the services are; with a key in the path it is /t/KEY/dicom-web.
const Root = "/dicom-web"

// Access is what a key opens.
type Access struct {
	Source Source
	Write  bool // also STOW
	Read   bool // also QIDO and WADO
}

// Config is what a handler is made of.
type Config struct {
	// Open finds what a key opens; it compares keys in constant time.
	Open func(key string) (Access, bool)
	// Hosts are the values of the Host header that are answered, without a port. Loopback
	// addresses and localhost always are.
	Hosts []string
	// Origins are web origins whose pages may use the services (CORS): of a viewer that is served
	// from somewhere else.
	Origins []string
	// Now is time.Now if nil.
	Now func() time.Time
	// Quiet and Rate are for tests: quietTime and slowRate if zero.
	Quiet time.Duration
	Rate  int64
}

// Handler serves DICOMweb to those who hold a key.
type Handler struct {
	cfg    Config
	slots  chan struct{}
	memory *semaphore.Weighted
}

// NewHandler makes a handler.
func NewHandler(cfg Config) *Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Quiet == 0 {
		cfg.Quiet = quietTime
	}
	if cfg.Rate == 0 {
		cfg.Rate = slowRate
	}
	return &Handler{cfg: cfg, slots: make(chan struct{}, requestsMax), memory: semaphore.NewWeighted(memoryMax)}
}

// Server is an http.Server with the limits that a Handler relies on.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: HeaderTime, IdleTimeout: idleTime, MaxHeaderBytes: HeaderBytesMax,
	}
}

// request is one request that was let in.
type request struct {
	*http.Request
	h      *Handler
	w      http.ResponseWriter
	access Access
	base   string // absolute, of the services: http://127.0.0.1:1234/dicom-web
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A deadline of the request before this one on the same connection must not end it.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a writer without deadlines is a test's
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer") // the key may be in the path
	head.Set("Cache-Control", "no-store")
	if !h.hostOK(r.Host) {
		fail(w, http.StatusMisdirectedRequest, "this name is not served here")
		return
	}
	h.allowOrigin(head, r)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent) // says the same to everybody: nothing
		return
	}
	key, rest, prefix := splitKey(r)
	access, ok := Access{}, false
	if key != "" {
		access, ok = h.cfg.Open(key)
	}
	if !ok {
		head.Set("WWW-Authenticate", `Bearer realm="curbside"`)
		head.Add("WWW-Authenticate", `Basic realm="curbside"`)
		fail(w, http.StatusUnauthorized, "a key is needed")
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		head.Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, "too many requests at one time")
		return
	}
	path, ok := strings.CutPrefix(rest, Root)
	if !ok || path != "" && path[0] != '/' {
		fail(w, http.StatusNotFound, "the services are below "+Root)
		return
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	req := &request{Request: r, h: h, w: w, access: access, base: scheme + "://" + r.Host + prefix + Root}
	req.route(r.Context(), strings.Split(strings.Trim(path, "/"), "/"))
}

// hostOK keeps web pages out that let a name of theirs point at this address (DNS rebinding).
func (h *Handler) hostOK(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	if ip := net.ParseIP(name); ip != nil && ip.IsLoopback() {
		return true
	}
	return strings.EqualFold(name, "localhost") || slices.ContainsFunc(h.cfg.Hosts, func(ok string) bool { return strings.EqualFold(ok, name) })
}

// allowOrigin lets the pages of named origins read the replies (Fetch standard, CORS protocol).
func (h *Handler) allowOrigin(head http.Header, r *http.Request) {
	head.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !slices.Contains(h.cfg.Origins, origin) {
		return
	}
	head.Set("Access-Control-Allow-Origin", origin)
	head.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	head.Set("Access-Control-Allow-Headers", "Authorization, Accept, Content-Type")
	head.Set("Access-Control-Expose-Headers", "Content-Type, Warning")
	head.Set("Access-Control-Max-Age", "600")
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		head.Set("Access-Control-Allow-Private-Network", "true")
	}
}

// splitKey finds the key: in the path for viewers that can send no header, else as bearer token
// or as the password of basic authorization.
func splitKey(r *http.Request) (key, rest, prefix string) {
	rest = r.URL.Path
	if tail, ok := strings.CutPrefix(rest, "/t/"); ok {
		key, rest, _ = strings.Cut(tail, "/")
		return key, "/" + rest, "/t/" + url.PathEscape(key)
	}
	kind, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(kind) {
	case "bearer":
		key = strings.TrimSpace(value)
	case "basic":
		if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value)); err == nil {
			_, key, _ = strings.Cut(string(b), ":")
		}
	}
	return key, rest, ""
}

// route finds the resource. A UID that is none is nothing that is here.
func (r *request) route(ctx context.Context, at []string) {
	if at[0] == "" {
		at = at[1:]
	}
	p, tail, ok := parsePath(at)
	if !ok {
		fail(r.w, http.StatusNotFound, "no such resource")
		return
	}
	post := r.Method == http.MethodPost && len(tail) == 1 && tail[0] == "studies" && p.Series == ""
	switch {
	case post && !r.access.Write:
		fail(r.w, http.StatusForbidden, "this key only reads")
	case post:
		r.store(ctx, p)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		r.w.Header().Set("Allow", "GET, HEAD, POST, OPTIONS")
		fail(r.w, http.StatusMethodNotAllowed, "method not allowed")
	case !r.access.Read:
		fail(r.w, http.StatusForbidden, "this key only stores")
	default:
		r.get(p, tail) //nolint:contextcheck // the request carries its context
	}
}

// parsePath reads studies/S/series/E/instances/I and what follows; the last segment before is
// repeated in tail, so that "studies/S/series" has tail "series" and "studies/S" has tail "studies".
func parsePath(at []string) (p Path, tail []string, ok bool) {
	names := []string{"studies", "series", "instances"}
	uids := []*string{&p.Study, &p.Series, &p.Instance}
	level := -1
	for i, name := range names {
		if len(at) == 0 || at[0] != name {
			continue
		}
		level = i
		at = at[1:]
		if len(at) == 0 {
			return p, []string{name}, true // a search, or POST studies
		}
		if !validUID(at[0]) {
			return p, nil, false
		}
		*uids[i] = at[0]
		at = at[1:]
	}
	if level < 0 || level > 0 && p.Study == "" {
		return p, nil, false
	}
	if len(at) == 0 {
		return p, []string{names[level]}, true
	}
	return p, at, true
}

// validUID is PS3.5 §9.1, leading zeros let through.
func validUID(s string) bool {
	if len(s) == 0 || len(s) > 64 || s[0] == '.' || s[len(s)-1] == '.' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
}

// get answers searches and retrievals.
func (r *request) get(p Path, tail []string) {
	full := map[string]bool{"studies": p.Study != "", "series": p.Series != "", "instances": p.Instance != ""}
	name := tail[0]
	isFull, plain := full[name]
	switch {
	case plain && !isFull && name == "studies":
		r.search(Studies, p)
	case plain && !isFull && name == "series" && p.Instance == "":
		r.search(Series, p)
	case plain && !isFull && name == "instances":
		r.search(Instances, p)
	case plain && len(tail) == 1:
		r.files(p)
	case name == "metadata" && len(tail) == 1:
		r.metadata(p)
	case name == "rendered" && len(tail) == 1, name == "thumbnail" && len(tail) == 1:
		r.rendered(p, nil)
	case name == "bulkdata" && p.Instance != "" && len(tail) > 1:
		r.bulk(p, strings.Join(tail[1:], "/"))
	case name == "frames" && p.Instance != "" && len(tail) >= 2:
		r.frames(p, tail[1], tail[2:])
	default:
		fail(r.w, http.StatusNotFound, "no such resource")
	}
}

// frameList reads "1,2,3".
func frameList(s string) ([]int, bool) {
	var out []int
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || len(out) == framesMax {
			return nil, false
		}
		out = append(out, n)
	}
	return out, true
}

// fail answers with a status and a sentence. Nothing of a data set is ever in it.
func fail(w http.ResponseWriter, status int, why string) {
	h := w.Header()
	h.Set("Content-Type", typeProblem)
	h.Del("Content-Length")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": why}) // the caller is gone if this fails
}

// failWith turns a failure of the source into a status.
func (r *request) failWith(err error) {
	switch {
	case r.Context().Err() != nil:
		fail(r.w, http.StatusServiceUnavailable, "stopped")
	case errors.Is(err, ErrAbsent):
		fail(r.w, http.StatusNotFound, "not here")
	case errors.Is(err, ErrRefused):
		fail(r.w, http.StatusConflict, err.Error())
	default:
		fail(r.w, http.StatusInternalServerError, "cannot be read")
	}
}

// accepts chooses among what the request takes; the accept parameter of the query counts, too.
func (r *request) accepts() []accepted {
	values := r.Header.Values("Accept")
	if v := r.URL.Query()["accept"]; len(v) > 0 {
		values = v // PS3.18 §8.3.3.1: it comes before the header
	}
	return parseAccept(values)
}

// takesJSON reports whether the request takes the DICOM JSON model.
func (r *request) takesJSON() bool {
	return slices.ContainsFunc(r.accepts(), func(a accepted) bool {
		return a.takes(typeJSON, false) || a.takes(typeProblem, false)
	})
}
