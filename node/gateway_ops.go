package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/curbside-p2p/curbside/consult/text"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/node/desk"
	"github.com/curbside-p2p/curbside/node/gateway"
	"github.com/curbside-p2p/curbside/protocol/dimse"
)

func (n *Node) registerGateway(mux *http.ServeMux) {
	control.GatewayStatus.Handle(mux, n.gatewayStatus)
	control.DestinationList.Handle(mux, n.destinationList)
	control.DestinationAdd.Handle(mux, n.destinationAdd)
	control.DestinationRemove.Handle(mux, n.destinationRemove)
	control.GatewayEcho.Handle(mux, n.gatewayEcho)
	control.GatewayFind.Handle(mux, n.gatewayFind)
	control.GatewayFetch.Handle(mux, n.gatewayFetch)
	control.GatewaySend.Handle(mux, n.gatewaySend)
}

func (n *Node) gatewayStatus(ctx context.Context, _ control.None) (control.GatewayReport, error) {
	var out control.GatewayReport
	var err error
	if out.Destinations, err = n.destinationList(ctx, control.None{}); err != nil {
		return out, err
	}
	if s, ok := n.gateway.Listener(); ok {
		l := control.DICOMListener{
			Listen: s.Listen, AETitle: s.AETitle, TLS: s.TLS, Allow: s.Allow, Received: s.Received, Conflict: s.Conflict,
			Refused: s.Refused, Rejected: s.Rejected, Aborted: s.Aborted, Errors: s.Errors,
		}
		if !s.Last.IsZero() {
			l.Last = &s.Last
		}
		out.DICOM = &l
	}
	out.Web = n.webReport()
	return out, nil
}

func (n *Node) destinationList(context.Context, control.None) ([]control.Destination, error) {
	s, err := LoadConfig(n.cfg.Home)
	if err != nil {
		return nil, control.Errorf(control.Refused, "%v", err).WithHint("mend or remove HOME/config.toml")
	}
	out := []control.Destination{}
	for name, d := range s.Destinations {
		out = append(out, control.Destination{
			Name: name, AET: d.AET, Host: d.Host, Port: d.Port, Calling: d.Calling, TLS: d.TLS, Cleartext: d.Cleartext,
			CA: d.CA, Cert: d.Cert, Key: d.Key, Retrieve: d.Retrieve, Decode: d.Decode, STOW: d.STOW, Token: d.Token,
		})
	}
	slices.SortFunc(out, func(a, b control.Destination) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (n *Node) destinationAdd(_ context.Context, d control.Destination) (control.GatewayDone, error) {
	s := gateway.Settings{
		AET: d.AET, Host: d.Host, Port: d.Port, Calling: d.Calling, TLS: d.TLS, Cleartext: d.Cleartext,
		CA: d.CA, Cert: d.Cert, Key: d.Key, Retrieve: d.Retrieve, Decode: d.Decode, STOW: d.STOW, Token: d.Token,
	}
	if err := SaveDestination(n.cfg.Home, d.Name, &s); err != nil {
		return control.GatewayDone{}, control.Errorf(control.Refused, "%v", err).WithHint("see: curbside gateway destination add --help")
	}
	return control.GatewayDone{Name: d.Name, OK: true, Detail: "kept"}, nil
}

func (n *Node) destinationRemove(_ context.Context, req control.DestinationRequest) (control.GatewayDone, error) {
	if err := SaveDestination(n.cfg.Home, req.Name, nil); err != nil {
		return control.GatewayDone{}, n.gatewayError(err)
	}
	return control.GatewayDone{Name: req.Name, OK: true, Detail: "removed"}, nil
}

// gatewayError says what went wrong with a destination, and what can be done about it.
func (n *Node) gatewayError(err error) error {
	if _, ok := errors.AsType[*control.Error](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	e := control.Errorf(control.Refused, "%s", text.Line(err.Error()))
	_, network := errors.AsType[*net.OpError](err)
	rejected, isRejected := errors.AsType[*dimse.RejectError](err)
	switch {
	case errors.Is(err, gateway.ErrUnknown):
		e.Code = control.NotFound
		names, _ := n.gateway.Names()
		if len(names) == 0 {
			return e.WithHint("name one with: curbside gateway destination add NAME --aet TITLE --host HOST --port PORT")
		}
		return e.WithHint("there are %s", strings.Join(names, ", "))
	case isRejected && !rejected.Transient():
		return e.WithHint("both sides must know each other's AE titles; ask who runs it to allow ours")
	case network || errors.Is(err, dimse.ErrTimeout):
		return e.WithHint("check host and port, and whether it wants TLS")
	case errors.Is(err, dimse.ErrNoContext):
		return e.WithHint("another way may work: see curbside gateway destination add --help")
	}
	return e
}

func (n *Node) gatewayEcho(ctx context.Context, req control.DestinationRequest) (control.GatewayDone, error) {
	d, err := n.gateway.Destination(req.Name)
	if err != nil {
		return control.GatewayDone{}, n.gatewayError(err)
	}
	start := time.Now()
	if err := d.Echo(ctx); err != nil {
		return control.GatewayDone{}, n.gatewayError(err)
	}
	return control.GatewayDone{Name: req.Name, OK: true, Detail: fmt.Sprintf("answered in %d ms", time.Since(start).Milliseconds())}, nil
}

func (n *Node) gatewayFind(ctx context.Context, req control.GatewayFindRequest) ([]control.FoundStudy, error) {
	d, err := n.gateway.Destination(req.Name)
	if err != nil {
		return nil, n.gatewayError(err)
	}
	found, err := d.Find(ctx, gateway.Query{
		PatientID: req.PatientID, PatientName: req.PatientName, StudyUID: req.StudyUID, Accession: req.Accession,
		Date: req.Date, Modality: req.Modality, Limit: req.Limit,
	})
	if err != nil {
		return nil, n.gatewayError(err)
	}
	here := map[string]string{}
	if list, err := n.desk.StudyList(ctx, control.None{}); err == nil {
		for _, s := range list {
			here[s.StudyUID] = s.Study
		}
	}
	out := []control.FoundStudy{}
	for _, f := range found {
		c := control.FoundStudy{
			StudyUID: text.Line(f.StudyUID), PatientID: text.Line(f.PatientID), PatientName: text.Line(f.PatientName),
			BirthDate: text.Line(f.BirthDate), Sex: text.Line(f.Sex), Accession: text.Line(f.Accession), Date: text.Line(f.Date),
			Time: text.Line(f.Time), Description: text.Line(f.Description), Modalities: []string{},
			Series: f.Series, Instances: f.Instances, Here: here[f.StudyUID],
		}
		for _, m := range f.Modalities {
			c.Modalities = append(c.Modalities, text.Line(m))
		}
		out = append(out, c)
	}
	return out, nil
}

// gatewayFetch brings a study through the same door as what modalities send.
func (n *Node) gatewayFetch(ctx context.Context, req control.GatewayFetchRequest, emit func(control.GatewayFetchEvent) error) error {
	d, err := n.gateway.Destination(req.Name)
	if err != nil {
		return n.gatewayError(err)
	}
	start := time.Now()
	var ev control.GatewayFetchEvent
	tally := &fetched{studies: map[string]*control.ImportedStudy{}}
	err = d.Fetch(ctx, req.StudyUID, func(path string) error {
		t, err := n.desk.Take(ctx, path, req.Name)
		if err != nil {
			return err
		}
		tally.add(t)
		ev.Done++
		ev.Bytes += t.Bytes
		return emit(ev)
	})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e := control.AsError(n.gatewayError(err))
		if ev.Done > 0 {
			e.Message += fmt.Sprintf("; %d instances were fetched before and are kept", ev.Done)
		}
		return e
	}
	if ev.Result, err = n.fetchedResult(ctx, tally); err != nil {
		return err
	}
	ev.Result.Seconds = time.Since(start).Seconds()
	return emit(ev)
}

// fetched counts what came, by study.
type fetched struct {
	studies map[string]*control.ImportedStudy
	refused []control.RefusedFile
}

func (f *fetched) add(t desk.Taken) {
	if t.Status == desk.TakenRefused {
		f.refused = append(f.refused, control.RefusedFile{Path: "instance", Reason: t.Reason, Detail: t.Detail})
		return
	}
	s := f.studies[t.Study]
	if s == nil {
		s = &control.ImportedStudy{Study: t.Study, StudyUID: t.StudyUID, Modality: t.Modality}
		f.studies[t.Study] = s
	}
	s.Bytes += t.Bytes
	switch t.Status {
	case desk.TakenNew:
		s.New++
	case desk.TakenDuplicate:
		s.Duplicate++
	case desk.TakenConflict:
		f.refused = append(f.refused, control.RefusedFile{
			Path: t.SOPUID, Reason: "conflict", Detail: "another instance with this SOP Instance UID is held; both are kept, this one apart",
		})
	}
}

func (n *Node) fetchedResult(ctx context.Context, f *fetched) (*control.ImportResult, error) {
	res := &control.ImportResult{Studies: []control.ImportedStudy{}, Refused: f.refused}
	if res.Refused == nil {
		res.Refused = []control.RefusedFile{}
	}
	list, err := n.desk.StudyList(ctx, control.None{})
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if t := f.studies[s.Study]; t != nil {
			t.Series, t.Instances = s.Series, s.Instances
			res.Studies = append(res.Studies, *t)
		}
	}
	return res, nil
}

// gatewaySend sends a study that is here.
func (n *Node) gatewaySend(ctx context.Context, req control.GatewaySendRequest, emit func(control.GatewaySendEvent) error) error {
	d, err := n.gateway.Destination(req.Name)
	if err != nil {
		return n.gatewayError(err)
	}
	list, err := n.desk.Outgoing(ctx, req.Study)
	if err != nil {
		return err
	}
	start := time.Now()
	ev := control.GatewaySendEvent{Files: len(list)}
	var done, bytes atomic.Int64
	files := make([]gateway.File, len(list))
	for i, o := range list {
		ev.Total += o.Size
		files[i] = gateway.File{
			SOPClass: o.SOPClass, SOPUID: o.SOPUID, Syntax: o.Syntax, StudyUID: o.StudyUID, Size: o.Size,
			Read: func(ctx context.Context) ([]byte, error) {
				b, err := o.Read(ctx)
				done.Add(1)
				bytes.Add(o.Size)
				return b, err
			},
		}
	}
	stop := every(ctx, sendProgress, func() {
		now := ev
		now.Done, now.Bytes = int(min(done.Load(), int64(len(files)))), min(bytes.Load(), ev.Total)
		_ = emit(now) // the caller is gone if this fails, and ctx with it
	})
	out, state, err := d.Store(ctx, files)
	stop()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && state == gateway.Failed && countStored(out) == 0 {
		return n.gatewayError(err)
	}
	ev.Done, ev.Bytes = len(files), ev.Total
	ev.Result = sentResult(req.Name, out, state, err)
	ev.Result.Seconds = time.Since(start).Seconds()
	return emit(ev)
}

const sendProgress = 200 * time.Millisecond

// every runs f from time to time until stop, which waits for it.
func every(ctx context.Context, d time.Duration, f func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(d)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				f()
			}
		}
	}()
	return func() { cancel(); <-done }
}

func countStored(out []gateway.Stored) int {
	k := 0
	for _, s := range out {
		if s.State != gateway.Failed {
			k++
		}
	}
	return k
}

func sentResult(name string, out []gateway.Stored, state gateway.Commitment, err error) *control.GatewaySent {
	res := &control.GatewaySent{Name: name, State: string(state), Instances: []control.SentInstance{}}
	stored := countStored(out)
	res.OK = stored == len(out) && err == nil
	res.Detail = fmt.Sprintf("%d of %d stored", stored, len(out))
	if err != nil {
		res.Detail += ": " + text.Line(err.Error())
	}
	for _, s := range out {
		res.Instances = append(res.Instances, control.SentInstance{
			SOPClass: s.SOPClass, SOPUID: s.SOPUID, State: string(s.State), Status: dimse.Status(s.Status).String(), Detail: text.Line(s.Detail),
		})
	}
	return res
}
