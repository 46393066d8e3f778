package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/curbside-p2p/curbside/protocol/dicomweb"
)

// webReply is how long a server may take until its answer begins: one that stores 100 instances
// answers at the end.
const webReply = 5 * time.Minute

// webTransport is the way to a server: its certificate is checked, always.
func webTransport(s Settings) (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = webReply
	t.MaxResponseHeaderBytes = dicomweb.HeaderBytesMax
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CA != "" {
		pem, err := os.ReadFile(s.CA)
		if err != nil {
			return nil, errors.New("the CA's file cannot be read")
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("the CA's file holds no certificate")
		}
	}
	if s.Cert != "" {
		pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			return nil, errors.New("the certificate or its key cannot be read")
		}
		t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}
