package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) gatewayCmd() *cobra.Command {
	return group("gateway", "the hospital side: status, destination, echo, find, fetch, send",
		"  curbside gateway destination add pacs --aet ARCHIVE --host 10.0.0.7 --port 104 --cleartext\n"+
			"  curbside gateway find pacs --patient-id 4711\n  curbside gateway fetch pacs --study-uid 1.2.840.113619.2.55",
		a.gatewayStatusCmd(), a.destinationCmd(), a.gatewayEchoCmd(), a.gatewayFindCmd(), a.gatewayFetchCmd(), a.gatewaySendCmd())
}

func (a *app) gatewayStatusCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "the listeners, what they received and refused, and the destinations",
		Example: "  curbside gateway status\n  curbside gateway status --json | jq .dicom.received",
		Args:    places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			r, err := call(cmd.Context(), a, control.GatewayStatus, control.None{})
			if err != nil {
				return err
			}
			return a.emit(r, func(pg *page) { pg.gateway(r) })
		}),
	}
}

func (pg *page) gateway(r control.GatewayReport) {
	if d := r.DICOM; d == nil {
		pg.field("dicom", "no listener")
	} else {
		how := "cleartext"
		if d.TLS {
			how = "TLS"
		}
		pg.field("dicom", fmt.Sprintf("%s as %s, %s", d.Listen, d.AETitle, how))
		allow := strings.Join(d.Allow, ", ")
		if allow == "" {
			allow = "nobody: only C-ECHO is answered"
		}
		pg.field("may store", allow)
		pg.field("instances", fmt.Sprintf("%d received, %d kept apart, %d refused", d.Received, d.Conflict, d.Refused))
		pg.field("associations", fmt.Sprintf("%d rejected, %d ended early", d.Rejected, d.Aborted))
		for _, e := range d.Errors {
			pg.row("", e)
		}
	}
	pg.web(r.Web)
	pg.gap()
	pg.destinations(r.Destinations)
}

func (pg *page) destinations(list []control.Destination) {
	for _, d := range list {
		where, how := d.STOW, "DICOMweb"
		if d.STOW == "" {
			where, how = fmt.Sprintf("%s@%s:%d", d.AET, d.Host, d.Port), "DICOM"
		}
		if d.TLS {
			how += " TLS"
		}
		pg.row(d.Name, how, where)
	}
}

func (a *app) destinationCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "list the destinations", Args: places(),
		Example: "  curbside gateway destination list",
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			l, err := call(cmd.Context(), a, control.DestinationList, control.None{})
			if err != nil {
				return err
			}
			return a.emit(l, func(pg *page) { pg.destinations(l) })
		}),
	}
	remove := &cobra.Command{
		Use: "remove NAME", Short: "forget a destination", Args: places("NAME"),
		Example: "  curbside gateway destination remove pacs", ValidArgsFunction: a.first(a.destinationNames),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			return a.done(call(cmd.Context(), a, control.DestinationRemove, control.DestinationRequest{Name: args[0]}))
		}),
	}
	return group("destination", "PACS and archives: add, list, remove", "  curbside gateway destination list", a.destinationAddCmd(), list, remove)
}

func (a *app) destinationAddCmd() *cobra.Command {
	var d control.Destination
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "name a PACS, an archive or a DICOMweb service",
		Long: `add keeps a destination in config.toml, or replaces the one of that name. Beyond this
machine it wants TLS, or --cleartext if the network is yours. No secret is kept there: a
token is named by its file.`,
		Example: `  curbside gateway destination add pacs --aet ARCHIVE --host 10.0.0.7 --port 2762 --tls --tls-ca ca.pem
  curbside gateway destination add old --aet OLD --host 10.0.0.8 --port 104 --cleartext --retrieve move
  curbside gateway destination add web --stow https://pacs.example.org/dicom-web --token-file token`,
		Args: places("NAME"),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			d.Name = args[0]
			for _, p := range []*string{&d.CA, &d.Cert, &d.Key, &d.Token} {
				if *p == "" {
					continue
				}
				abs, err := absolute([]string{*p})
				if err != nil {
					return err
				}
				*p = abs[0]
			}
			return a.done(call(cmd.Context(), a, control.DestinationAdd, d))
		}),
	}
	f := cmd.Flags()
	f.StringVar(&d.AET, "aet", "", "AE `TITLE` that it goes by")
	f.StringVar(&d.Host, "host", "", "`HOST` where it answers")
	f.IntVar(&d.Port, "port", 0, "`PORT` where it answers")
	f.StringVar(&d.Calling, "calling-aet", "", "`TITLE` by which we call, where it is not --ae-title")
	f.BoolVar(&d.TLS, "tls", false, "speak TLS")
	f.StringVar(&d.CA, "tls-ca", "", "PEM `FILE` that vouches for it, where the system does not")
	f.StringVar(&d.Cert, "tls-cert", "", "PEM `FILE` with the certificate that we show")
	f.StringVar(&d.Key, "tls-key", "", "PEM `FILE` with its key")
	f.BoolVar(&d.Cleartext, "cleartext", false, "without TLS, also beyond this machine: the network is yours")
	f.StringVar(&d.Retrieve, "retrieve", "", "fetch by get or by move; by get and then move where not said (`HOW`)")
	f.BoolVar(&d.Decode, "decode", false, "send plain pixels where it takes no compressed ones and nothing is lost")
	f.StringVar(&d.STOW, "stow", "", "`URL` of a DICOMweb service instead")
	f.StringVar(&d.Token, "token-file", "", "`FILE` that holds the service's token")
	for _, name := range []string{"tls-ca", "tls-cert", "tls-key", "token-file"} {
		_ = cmd.MarkFlagFilename(name)
	}
	return cmd
}

// done shows what became of something asked of a destination.
func (a *app) done(r control.GatewayDone, err error) error {
	if err != nil {
		return err
	}
	return a.emit(r, func(pg *page) { pg.row(r.Name, r.Detail) })
}

func (a *app) destinationNames(ctx context.Context, c *control.Client) []string {
	list, err := control.DestinationList.Call(ctx, c, control.None{})
	if err != nil {
		return nil
	}
	var out []string
	for _, d := range list {
		out = append(out, d.Name)
	}
	return out
}

func (a *app) gatewayEchoCmd() *cobra.Command {
	return &cobra.Command{
		Use: "echo NAME", Short: "ask a destination whether it answers", Args: places("NAME"),
		Example: "  curbside gateway echo pacs", ValidArgsFunction: a.first(a.destinationNames),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			stop := a.during("asking", nil)
			r, err := call(cmd.Context(), a, control.GatewayEcho, control.DestinationRequest{Name: args[0]})
			stop()
			return a.done(r, err)
		}),
	}
}

func (a *app) gatewayFindCmd() *cobra.Command {
	var q control.GatewayFindRequest
	cmd := &cobra.Command{
		Use: "find NAME", Short: "look for studies at a destination", Args: places("NAME"),
		Long: `find asks a destination for studies: of a patient, by accession number, by date. What is
here already is marked.`,
		Example: `  curbside gateway find pacs --patient-id 4711
  curbside gateway find pacs --patient-name 'Doe*' --date 20250101-20261231 --modality CT
  curbside gateway find pacs --patient-id 4711 --json | jq -r '.[].study_uid'`,
		ValidArgsFunction: a.first(a.destinationNames),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			q.Name = args[0]
			if q.PatientID+q.PatientName+q.StudyUID+q.Accession+q.Date+q.Modality == "" {
				return usage("%s wants to know what to look for", cmd.CommandPath())
			}
			stop := a.during("asking", nil)
			list, err := call(cmd.Context(), a, control.GatewayFind, q)
			stop()
			if err != nil {
				return err
			}
			return a.emit(list, func(pg *page) {
				for _, s := range list {
					here := ""
					if s.Here != "" {
						here = "here: " + short(s.Here)
					}
					pg.row(s.Date, strings.Join(s.Modalities, "\\"), s.PatientID, s.PatientName, s.Accession, cut(s.Description, 40), s.StudyUID, here)
				}
			})
		}),
	}
	f := cmd.Flags()
	f.StringVar(&q.PatientID, "patient-id", "", "patient `ID`")
	f.StringVar(&q.PatientName, "patient-name", "", "patient `NAME`, with * and ?")
	f.StringVar(&q.StudyUID, "study-uid", "", "Study Instance `UID`")
	f.StringVar(&q.Accession, "accession", "", "accession `NUMBER`")
	f.StringVar(&q.Date, "date", "", "study `DATE` as YYYYMMDD, or a range with -")
	f.StringVar(&q.Modality, "modality", "", "`MODALITY` in the study")
	f.IntVar(&q.Limit, "limit", 0, "at most `N` studies (default 500)")
	return cmd
}

func (a *app) gatewayFetchCmd() *cobra.Command {
	var uid string
	cmd := &cobra.Command{
		Use: "fetch NAME", Short: "bring a study from a destination", Args: places("NAME"),
		Long: `fetch brings a study from a destination, as import does: by C-GET, or by C-MOVE to the
DICOM listener of the running node, or over DICOMweb.`,
		Example:           "  curbside gateway fetch pacs --study-uid 1.2.840.113619.2.55",
		ValidArgsFunction: a.first(a.destinationNames),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			req := control.GatewayFetchRequest{Name: args[0], StudyUID: uid}
			res, err := tracked(cmd.Context(), a, control.GatewayFetch, req, func(b *bar, e control.GatewayFetchEvent) *control.ImportResult {
				b.set(e.Bytes, 0, fmt.Sprintf("%s, %s", plural(e.Done, "image"), size(e.Bytes)))
				return e.Result
			})
			if err != nil {
				return err
			}
			return a.emit(*res, func(pg *page) { pg.imported(res) })
		}),
	}
	cmd.Flags().StringVar(&uid, "study-uid", "", "Study Instance `UID`, from gateway find")
	_ = cmd.MarkFlagRequired("study-uid")
	return cmd
}

func (a *app) gatewaySendCmd() *cobra.Command {
	var said string
	cmd := &cobra.Command{
		Use: "send NAME --study STUDY", Short: "send a study to a destination", Args: places("NAME"),
		Long: `send sends the images of a study to a destination, each as it is, and asks it to commit to
them. The answer says of each image whether it is stored, confirmed by a query, or
committed. It fails if any was not stored.`,
		Example:           "  curbside gateway send pacs --study 81b4",
		ValidArgsFunction: a.first(a.destinationNames),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			req := control.GatewaySendRequest{Name: args[0], Study: said}
			res, err := tracked(cmd.Context(), a, control.GatewaySend, req, func(b *bar, e control.GatewaySendEvent) *control.GatewaySent {
				b.set(e.Bytes, e.Total, fmt.Sprintf("%d of %s, %s", e.Done, plural(e.Files, "image"), size(e.Bytes)))
				return e.Result
			})
			if err != nil {
				return err
			}
			if err := a.emit(*res, func(pg *page) { pg.sent(res) }); err != nil {
				return err
			}
			if !res.OK {
				return control.Errorf(control.Refused, "not all images were stored: %s", res.Detail).WithHint("send again: what is there already is known there")
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&said, "study", "", "`STUDY` to send")
	_ = cmd.MarkFlagRequired("study")
	a.complete(cmd, "study", a.studyIDs)
	return cmd
}

func (pg *page) sent(r *control.GatewaySent) {
	pg.row(r.Name, r.State, r.Detail, fmt.Sprintf("%.1f s", r.Seconds))
	for _, i := range r.Instances {
		if i.State == "failed" || i.Detail != "" {
			pg.row(i.State, i.Status, i.SOPUID, i.Detail)
		}
	}
}
