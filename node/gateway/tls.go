package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
)

var errNoCert = errors.New("no certificate in it")

// serverTLS is PS3.15 §B.12, the BCP 195 profile: TLS 1.2 with forward secrecy, or 1.3. Go's
// default suites of 1.2 are those that the profile wants. With a CA every caller shows a
// certificate of it.
func serverTLS(l Listen) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(l.Cert, l.Key)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if l.CA != "" {
		if conf.ClientCAs, err = pool(l.CA); err != nil {
			return nil, err
		}
		conf.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return conf, nil
}

// clientTLS is the same from the other end.
func clientTLS(s Settings) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.Host}
	if s.CA != "" {
		var err error
		if conf.RootCAs, err = pool(s.CA); err != nil {
			return nil, err
		}
	}
	if s.Cert != "" {
		cert, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			return nil, err
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf, nil
}

func pool(path string) (*x509.CertPool, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, certMax))
	if err != nil {
		return nil, err
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s: %w", path, errNoCert)
	}
	return p, nil
}
