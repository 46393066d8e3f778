package gateway

import (
	"errors"
	"net"
	"net/url"

	"github.com/curbside-p2p/curbside/protocol/dimse"
)

var (
	errNeither   = errors.New("name an AE title, host and port, or the URL of a DICOMweb service")
	errBoth      = errors.New("a destination speaks DICOM or DICOMweb, not both")
	errPort      = errors.New("want a port from 1 to 65535")
	errRetrieve  = errors.New("retrieve is get or move")
	errURL       = errors.New("want a URL such as https://pacs.example.org/dicom-web")
	errPair      = errors.New("a certificate wants its key, and a key its certificate")
	errCleartext = errors.New("without TLS everybody on the way can read it: say tls, or cleartext if the network is yours")
)

// Check says what is wrong with a destination.
func (s Settings) Check() error {
	switch {
	case (s.Cert == "") != (s.Key == ""):
		return errPair
	case s.STOW != "" && (s.AET != "" || s.Host != "" || s.Port != 0):
		return errBoth
	case s.STOW != "":
		return s.checkWeb()
	case s.AET == "" || s.Host == "":
		return errNeither
	case s.Port < 1 || s.Port > 65535:
		return errPort
	case s.Retrieve != "" && s.Retrieve != "get" && s.Retrieve != "move":
		return errRetrieve
	case !s.TLS && !s.Cleartext && !Loopback(s.Host):
		return errCleartext
	}
	if err := CheckAET(s.AET); err != nil {
		return err
	}
	if s.Calling != "" {
		return CheckAET(s.Calling)
	}
	return nil
}

func (s Settings) checkWeb() error {
	u, err := url.Parse(s.STOW)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return errURL
	}
	if u.Scheme == "http" && !s.Cleartext && !Loopback(u.Hostname()) {
		return errCleartext
	}
	return nil
}

// CheckAET says whether a text can be an AE title.
func CheckAET(s string) error { return dimse.CheckAET(s) }

// Loopback reports whether a host is this machine and nothing leaves it.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
