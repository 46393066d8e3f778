package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curbside-p2p/curbside/protocol/dicomweb"
)

var (
	errWebTLS = errors.New("beyond this machine the web listener wants TLS: web-cert and web-key")
	errWebOff = errors.New("the web listener is not running")
)

// webDrain is how long requests under way may take once the listener stops.
const webDrain = time.Second

// Shelf is what the web listener reads from: a dicomweb.Source without its way in. The desk has it.
type Shelf interface {
	Rows(ctx context.Context, level dicomweb.Level, in dicomweb.Path, yield func(dicomweb.Dataset) bool) error
	Instances(ctx context.Context, in dicomweb.Path) ([]dicomweb.Instance, error)
	Metadata(ctx context.Context, in dicomweb.Instance, bulk func(path string) string) (dicomweb.Dataset, error)
	File(ctx context.Context, in dicomweb.Instance) ([]byte, error)
	Bulk(ctx context.Context, in dicomweb.Instance, path string) ([]byte, error)
	Frame(ctx context.Context, in dicomweb.Instance, n int) ([]byte, error)
	Render(ctx context.Context, in dicomweb.Instance, r dicomweb.Rendering) ([]byte, error)
}

// WebConfig is what the web listener is made of.
type WebConfig struct {
	// Listen is HOST:PORT; empty for none but the hand-offs, which then have a port of their own.
	Listen    string
	Cert, Key string   // PEM files; needed beyond loopback
	Origins   []string // of viewers that are served from elsewhere
	Keys      string   // folder of the keys' files
	Tmp       string   // folder for what is half-done
	// Shelf opens the studies that the listener's keys read.
	Shelf func(ctx context.Context) (Shelf, error)
	// Take hands one file to the door; what it returns as stored is durable.
	Take func(ctx context.Context, path, from string, into dicomweb.Path) dicomweb.Stored
	Log  *slog.Logger
	Now  func() time.Time
}

// Web is the web listener: DICOMweb for the viewers and systems of the hospital, by key.
type Web struct {
	cfg     WebConfig
	handler http.Handler
	offers  *offers
	read    keyHash
	write   keyHash

	received, refused, denied atomic.Int64

	mu      sync.Mutex // guards what follows
	main    net.Listener
	tls     *tls.Config
	serve   func(net.Listener) // while Run runs
	private net.Listener       // of hand-offs, where main does not do
	last    string             // what went wrong last, and when
	lastAt  time.Time
}

// NewWeb makes the web listener; nothing listens yet.
func NewWeb(cfg WebConfig) *Web {
	return &Web{cfg: cfg, offers: newOffers(cfg.Now)}
}

// CheckWeb says what is wrong with an address that the web listener is to have.
func CheckWeb(listen, cert, key string) error {
	if listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return errors.New("want HOST:PORT, such as 127.0.0.1:8042")
	}
	switch {
	case (cert == "") != (key == ""):
		return errPair
	case cert == "" && !Loopback(host):
		return errWebTLS
	}
	return nil
}

// Open reads the keys, makes them the first time, and listens. Requests wait until Run.
func (w *Web) Open(ctx context.Context) error {
	if err := CheckWeb(w.cfg.Listen, w.cfg.Cert, w.cfg.Key); err != nil {
		return err
	}
	hosts := []string{}
	if w.cfg.Listen != "" {
		var err error
		if w.read, w.write, err = openKeys(w.cfg.Keys); err != nil {
			return err
		}
		if hosts, err = w.listen(ctx); err != nil {
			return err
		}
	}
	w.handler = dicomweb.NewHandler(dicomweb.Config{Open: w.open, Hosts: hosts, Origins: w.cfg.Origins, Now: w.cfg.Now})
	return nil
}

// listen opens the configured address and returns the names that it may be asked by.
func (w *Web) listen(ctx context.Context) ([]string, error) {
	host, _, _ := net.SplitHostPort(w.cfg.Listen) // was checked
	hosts := []string{host}
	if w.cfg.Cert != "" {
		pair, err := tls.LoadX509KeyPair(w.cfg.Cert, w.cfg.Key)
		if err != nil {
			return nil, errors.New("the web listener's certificate or its key cannot be read")
		}
		w.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		hosts = append(hosts, namesOf(pair)...)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", w.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("open web listener: %w", err)
	}
	w.mu.Lock()
	w.main = l
	w.mu.Unlock()
	return hosts, nil
}

// namesOf are the names and addresses that a certificate is for.
func namesOf(pair tls.Certificate) []string {
	c, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil
	}
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// Addr is where the listener is, "" where it has no address of its own.
func (w *Web) Addr() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.main == nil {
		return ""
	}
	return w.main.Addr().String()
}

// URL is the root of the services at the configured address.
func (w *Web) URL() string {
	addr := w.Addr()
	if addr == "" {
		return ""
	}
	scheme := "http"
	if w.tls != nil {
		scheme = "https"
	}
	return scheme + "://" + addr + dicomweb.Root
}

// Run serves until ctx ends.
func (w *Web) Run(ctx context.Context) error {
	server := dicomweb.Server(w.handler)
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // it would log what peers send
	var wg sync.WaitGroup
	failed := make(chan error, 2)
	serve := func(l net.Listener) {
		wg.Go(func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve web listener: %w", err)
			}
		})
	}
	w.mu.Lock()
	w.serve = serve
	if w.main != nil {
		l := w.main
		if w.tls != nil {
			l = tls.NewListener(l, w.tls)
		}
		serve(l)
	}
	w.mu.Unlock()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	w.mu.Lock()
	w.serve = nil
	w.mu.Unlock()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), webDrain)
	defer cancel()
	if server.Shutdown(last) != nil {
		_ = server.Close() // what is still under way ends
	}
	wg.Wait()
	return err
}

// Close gives the addresses back, also where Run never began.
func (w *Web) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range []net.Listener{w.main, w.private} {
		if l != nil {
			_ = l.Close() // closed already where Run ended
		}
	}
}

// open finds what a key opens.
func (w *Web) open(key string) (dicomweb.Access, bool) {
	h := hashKey(key)
	if shelf, ok := w.offers.find(h); ok {
		return dicomweb.Access{Source: &webSource{Shelf: shelf, w: w}, Read: true}, true
	}
	read, write := h == w.read && w.read != keyHash{}, h == w.write && w.write != keyHash{}
	if !read && !write {
		w.denied.Add(1)
		return dicomweb.Access{}, false
	}
	shelf, err := w.cfg.Shelf(context.Background())
	if err != nil {
		w.fault("no studies to serve: %v", err)
		return dicomweb.Access{}, false
	}
	return dicomweb.Access{Source: &webSource{Shelf: shelf, w: w}, Read: true, Write: write}, true
}

func (w *Web) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.lastAt = fmt.Sprintf(format, args...), w.cfg.Now()
}

// WebStatus is the web listener as it is.
type WebStatus struct {
	URL       string // "" where it has no address of its own
	ReadKey   string // files of the keys
	WriteKey  string
	Received  int64
	Refused   int64 // instances that were not taken
	Denied    int64 // requests with a wrong key
	LastFault string
	LastAt    time.Time
}

// Status says how the listener fares.
func (w *Web) Status() WebStatus {
	s := WebStatus{URL: w.URL(), Received: w.received.Load(), Refused: w.refused.Load(), Denied: w.denied.Load()}
	if s.URL != "" {
		s.ReadKey, s.WriteKey = keyFiles(w.cfg.Keys)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.LastFault, s.LastAt = w.last, w.lastAt
	return s
}

// Handoff is a key for some studies and a short time.
type Handoff struct {
	Root  string // of the services, the key in its path
	Until time.Time
}

// Offer makes a key for what shelf opens: for a viewer on this machine. It lasts while it is used.
func (w *Web) Offer(ctx context.Context, shelf Shelf) (Handoff, error) {
	base, err := w.loopback(ctx)
	if err != nil {
		return Handoff{}, err
	}
	key, until := w.offers.add(shelf)
	return Handoff{Root: base + "/t/" + key + dicomweb.Root, Until: until}, nil
}

// loopback is a loopback address without TLS: viewers on this machine need no certificate.
func (w *Web) loopback(ctx context.Context) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.serve == nil {
		return "", errWebOff
	}
	if w.main != nil && w.tls == nil {
		return "http://" + w.main.Addr().String(), nil
	}
	if w.private == nil {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", fmt.Errorf("open a port for the viewer: %w", err)
		}
		w.private = l
		w.serve(l)
	}
	return "http://" + w.private.Addr().String(), nil
}
