package main

import (
	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node"
	"github.com/curbside-p2p/curbside/node/gateway"
)

// dicomFlags are the flags of the hospital side's DICOM listener.
func (n *netFlags) dicomFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&n.dicom.Addr, "dicom", "", "take DICOM at `HOST:PORT` from modalities and PACS, and answer their queries")
	f.StringVar(&n.dicom.AETitle, "ae-title", "", "`TITLE` that the DICOM listener goes by (default CURBSIDE)")
	f.StringArrayVar(&n.dicom.Allow, "dicom-allow", nil, "`AET[@HOST]` that may store, query and retrieve; without one only C-ECHO is answered (repeatable)")
	f.BoolVar(&n.dicom.Cleartext, "dicom-cleartext", false, "DICOM without TLS, also beyond this machine: the network is yours")
	f.StringVar(&n.dicom.Cert, "dicom-tls-cert", "", "PEM `FILE` with the DICOM listener's certificate")
	f.StringVar(&n.dicom.Key, "dicom-tls-key", "", "PEM `FILE` with its key")
	f.StringVar(&n.dicom.CA, "dicom-tls-ca", "", "PEM `FILE` with the authority of which callers must show a certificate")
	for _, name := range []string{"dicom-tls-cert", "dicom-tls-key", "dicom-tls-ca"} {
		_ = cmd.MarkFlagFilename(name)
	}
}

// dicomConfig joins flags and settings; flags win.
func (n *netFlags) dicomConfig(s node.Settings, changed func(string) bool) gateway.Listen {
	l := gateway.Listen{
		Addr: s.DICOM, AETitle: s.AETitle, Allow: s.DICOMAllow, Cleartext: s.DICOMCleartext,
		Cert: s.DICOMCert, Key: s.DICOMKey, CA: s.DICOMCA,
	}
	for name, set := range map[string]func(){
		"dicom":           func() { l.Addr = n.dicom.Addr },
		"ae-title":        func() { l.AETitle = n.dicom.AETitle },
		"dicom-allow":     func() { l.Allow = n.dicom.Allow },
		"dicom-cleartext": func() { l.Cleartext = n.dicom.Cleartext },
		"dicom-tls-cert":  func() { l.Cert = n.dicom.Cert },
		"dicom-tls-key":   func() { l.Key = n.dicom.Key },
		"dicom-tls-ca":    func() { l.CA = n.dicom.CA },
	} {
		if changed(name) {
			set()
		}
	}
	return l
}
