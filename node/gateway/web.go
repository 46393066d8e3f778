package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/curbside-p2p/curbside/protocol/dicomweb"
)

const (
	// tokenBytesMax bounds the file of a token or of name and password.
	tokenBytesMax = 16 << 10
	// webTries is how often a request that may succeed later is made, with webPause before the second
	// and twice as long before each further one.
	webTries = 4
	webPause = 500 * time.Millisecond
)

// webPlace is a destination that speaks DICOMweb.
type webPlace struct {
	c   *dicomweb.Client
	tmp string
}

// web makes a client of a DICOMweb service.
func (g *Gateway) web(s Settings) (Destination, error) {
	secret, err := readSecret(s.Token)
	if err != nil {
		return nil, err
	}
	transport, err := webTransport(s)
	if err != nil {
		return nil, err
	}
	c, err := dicomweb.NewClient(dicomweb.ClientConfig{URL: s.STOW, Secret: secret, Cleartext: s.Cleartext, Transport: transport})
	if err != nil {
		return nil, err
	}
	return &webPlace{c: c, tmp: g.cfg.Tmp}, nil
}

// readSecret reads a token's file: a bearer token, or NAME:PASSWORD.
func readSecret(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", errors.New("the token's file cannot be read")
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, tokenBytesMax))
	if err != nil {
		return "", errors.New("the token's file cannot be read")
	}
	secret := strings.TrimSpace(string(b))
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", errors.New("the token's file is not one line: a token, or NAME:PASSWORD")
	}
	return secret, nil
}

// Echo asks for one study at most.
func (w *webPlace) Echo(ctx context.Context) error {
	defer w.c.Close()
	return w.c.Echo(ctx)
}

// Find lists studies by QIDO-RS.
func (w *webPlace) Find(ctx context.Context, q Query) ([]FoundStudy, error) {
	defer w.c.Close()
	rows, err := w.c.Search(ctx, dicomweb.Studies, dicomweb.Path{}, webQuery(q))
	if err != nil {
		return nil, err
	}
	out := make([]FoundStudy, 0, len(rows))
	for _, row := range rows {
		s := FoundStudy{
			StudyUID: row.Text(0x0020000D), PatientID: row.Text(0x00100020), PatientName: row.Text(0x00100010),
			BirthDate: row.Text(0x00100030), Sex: row.Text(0x00100040), Accession: row.Text(0x00080050),
			Date: row.Text(0x00080020), Time: row.Text(0x00080030), Description: row.Text(0x00081030),
			Modalities: row.Texts(0x00080061), Series: int(row.Int(0x00201206)), Instances: int(row.Int(0x00201208)),
		}
		if s.Modalities == nil {
			s.Modalities = []string{}
		}
		if webFits(q, &s) {
			out = append(out, s)
		}
	}
	return out, nil
}

func webQuery(q Query) url.Values {
	limit := q.Limit
	if limit <= 0 {
		limit = webMatches
	}
	v := url.Values{"limit": {strconv.Itoa(limit)}, "includefield": {"00081030,00201206,00201208,00080061"}}
	for key, value := range map[string]string{
		"PatientID": q.PatientID, "PatientName": q.PatientName, "StudyInstanceUID": q.StudyUID,
		"AccessionNumber": q.Accession, "StudyDate": q.Date, "ModalitiesInStudy": q.Modality,
	} {
		if value != "" {
			v.Set(key, value)
		}
	}
	return v
}

// webMatches is the limit of a search that names none.
const webMatches = 200

// webFits looks again at what a server gave: one that ignores a key would mix patients.
func webFits(q Query, s *FoundStudy) bool {
	exact := func(want, have string) bool {
		return want == "" || strings.ContainsAny(want, "*?") || strings.TrimSpace(want) == strings.TrimSpace(have)
	}
	return s.StudyUID != "" && exact(q.PatientID, s.PatientID) && exact(q.StudyUID, s.StudyUID) && exact(q.Accession, s.Accession)
}

// Fetch brings a study by WADO-RS, each instance in the transfer syntax that the server has it in.
func (w *webPlace) Fetch(ctx context.Context, studyUID string, take func(path string) error) error {
	defer w.c.Close()
	n, err := w.c.Retrieve(ctx, dicomweb.Path{Study: studyUID}, func(file io.Reader) error {
		path, err := spool(w.tmp, file)
		if err != nil {
			return err
		}
		defer os.Remove(path)
		return take(path)
	})
	if err == nil && n == 0 {
		err = errors.New("the server has no instance of this study")
	}
	return err
}

// spool writes what comes to a file of its own in dir. The name says nothing.
func spool(dir string, r io.Reader) (string, error) {
	f, err := os.CreateTemp(dir, "web-*.dcm")
	if err != nil {
		return "", fmt.Errorf("spool instance: %w", err)
	}
	_, err = io.Copy(f, r)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error before says what is wrong
		return "", fmt.Errorf("spool instance: %w", err)
	}
	return f.Name(), nil
}

// Store sends instances by STOW-RS, then asks by QIDO-RS whether the server has them: it knows
// nothing of storage commitment.
func (w *webPlace) Store(ctx context.Context, files []File) ([]Stored, Commitment, error) {
	defer w.c.Close()
	var out []Stored
	var failed error
	for len(files) > len(out) {
		res, err := w.storeSome(ctx, files[len(out):])
		out = append(out, res...)
		if err != nil {
			failed = err
			break
		}
	}
	for i := len(out); i < len(files); i++ {
		out = append(out, Stored{SOPClass: files[i].SOPClass, SOPUID: files[i].SOPUID, State: Failed, Detail: "not tried"})
	}
	w.confirm(ctx, files, out)
	return out, least(out), failed
}

// storeSome sends one request's worth, again where the server or the way to it had a moment.
func (w *webPlace) storeSome(ctx context.Context, files []File) ([]Stored, error) {
	files = files[:min(len(files), dicomweb.ChunkInstances)]
	send := make([]dicomweb.File, len(files))
	for i := range files {
		send[i] = webFile(ctx, &files[i])
	}
	pause := webPause
	for try := 1; ; try++ {
		res, err := w.c.Store(ctx, send, nil)
		if one := blamed(err); one && len(files) > 1 && len(res) == 0 {
			return w.storeHalf(ctx, files)
		} else if one && len(res) == 0 {
			return []Stored{{SOPClass: files[0].SOPClass, SOPUID: files[0].SOPUID, State: Failed, Status: dicomweb.FailUnderstand, Detail: err.Error()}}, nil
		}
		if err == nil || !again(err) || try == webTries || ctx.Err() != nil {
			return webStored(res), err
		}
		send = send[len(res):]
		if len(res) > 0 {
			return webStored(res), nil // the rest is the next call's
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// blamed reports whether a server refuses what is in a request, without saying which of it: Orthanc
// answers 400 to a hundred instances of which it cannot read one.
func blamed(err error) bool {
	s, ok := errors.AsType[*dicomweb.StatusError](err)
	return ok && (s.Status == http.StatusBadRequest || s.Status == http.StatusUnsupportedMediaType ||
		s.Status == http.StatusRequestEntityTooLarge || s.Status == http.StatusUnprocessableEntity)
}

// storeHalf finds what is refused by halves; the others are stored.
func (w *webPlace) storeHalf(ctx context.Context, files []File) ([]Stored, error) {
	var out []Stored
	for _, half := range [][]File{files[:len(files)/2], files[len(files)/2:]} {
		for len(half) > 0 {
			res, err := w.storeSome(ctx, half)
			out = append(out, res...)
			if err != nil {
				return out, err
			}
			half = half[len(res):]
		}
	}
	return out, nil
}

// again reports whether a failure may pass.
func again(err error) bool {
	if s, ok := errors.AsType[*dicomweb.StatusError](err); ok {
		return s.Temporary()
	}
	return !errors.Is(err, context.Canceled)
}

func webFile(ctx context.Context, f *File) dicomweb.File {
	return dicomweb.File{
		Path:  dicomweb.Path{Study: f.StudyUID, Instance: f.SOPUID},
		Class: f.SOPClass, Syntax: f.Syntax, Size: f.Size,
		Open: func() (io.ReadCloser, error) {
			b, err := f.Read(ctx)
			return io.NopCloser(bytes.NewReader(b)), err
		},
	}
}

func webStored(res []dicomweb.Stored) []Stored {
	out := make([]Stored, 0, len(res))
	for _, s := range res {
		x := Stored{SOPClass: s.Class, SOPUID: s.Instance, State: StoredYes, Status: s.Warning, Detail: s.Detail}
		if s.Failure != 0 {
			x.State, x.Status = Failed, s.Failure
		}
		out = append(out, x)
	}
	return out
}

// confirm asks for the instances of each study that were stored. A server that cannot say leaves
// them stored.
func (w *webPlace) confirm(ctx context.Context, files []File, out []Stored) {
	has := map[string]map[string]bool{} // instances by study
	for i := range files {
		if out[i].State != StoredYes {
			continue
		}
		study := files[i].StudyUID
		if _, asked := has[study]; !asked {
			has[study] = w.held(ctx, study)
		}
		if has[study][out[i].SOPUID] {
			out[i].State = Confirmed
		}
	}
}

// held lists the instances of a study that a server says it has.
func (w *webPlace) held(ctx context.Context, study string) map[string]bool {
	uids := map[string]bool{}
	for study != "" {
		q := url.Values{"limit": {"1000"}, "offset": {strconv.Itoa(len(uids))}}
		rows, err := w.c.Search(ctx, dicomweb.Instances, dicomweb.Path{Study: study}, q)
		if err != nil {
			return uids
		}
		before := len(uids)
		for _, row := range rows {
			uids[row.Text(0x00080018)] = true
		}
		if len(uids) == before || len(rows) < 1000 {
			return uids
		}
	}
	return uids
}

// sureness orders commitments.
var sureness = map[Commitment]int{Failed: 0, StoredYes: 1, Confirmed: 2, Committed: 3}

// least is how sure all instances are.
func least(all []Stored) Commitment {
	if len(all) == 0 {
		return Failed
	}
	out := Committed
	for _, s := range all {
		if sureness[s.State] < sureness[out] {
			out = s.State
		}
	}
	return out
}
