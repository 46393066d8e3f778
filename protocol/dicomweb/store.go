package dicomweb

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"sync"
)

// store answers STOW-RS (PS3.18 §10.5).
func (r *request) store(ctx context.Context, into Path) {
	files, status, why := r.received()
	if files == nil {
		fail(r.w, status, why)
		return
	}
	results, err := takeAll(ctx, r.access.Source, files, into)
	if err != nil && len(results) == 0 {
		status, why = storeFailure(err)
		fail(r.w, status, why)
		return
	}
	if err != nil { // what came whole before is kept, and said
		results = append(results, Stored{Failure: FailUnderstand})
	}
	if len(results) == 0 {
		fail(r.w, http.StatusBadRequest, "the body has no instances")
		return
	}
	r.w.Header().Set("Content-Type", typeJSON)
	r.w.WriteHeader(storeStatus(results))
	_ = json.NewEncoder(r.pace()).Encode(r.storeReply(results, into)) // the caller is gone if this fails
}

// received gives the instances of the body one by one; nil where it is of another kind.
func (r *request) received() (next func() (io.Reader, error), status int, why string) {
	contentType := r.Header.Get("Content-Type")
	body := r.body()
	if kind, _, err := mime.ParseMediaType(contentType); err == nil && kind == typeDICOM {
		// One instance without the wrapping: not in the standard, sent by scripts.
		done := false
		return func() (io.Reader, error) {
			if done {
				return nil, io.EOF
			}
			done = true
			return &limited{body, PartBytesMax}, nil
		}, 0, ""
	}
	p, kind, err := newParts(body, contentType, StoreBytesMax, PartBytesMax)
	if err != nil {
		return nil, http.StatusUnsupportedMediaType, `multipart/related; type="application/dicom" is taken`
	}
	if kind != typeDICOM && kind != "" {
		return nil, http.StatusUnsupportedMediaType, "only whole files are taken: " + typeDICOM
	}
	return func() (io.Reader, error) {
		part, file, err := p.next()
		if err != nil {
			return nil, err
		}
		if k, _, err := mime.ParseMediaType(part.Header.Get("Content-Type")); err == nil && k != typeDICOM {
			return nil, errMedia
		}
		return file, nil
	}, 0, ""
}

// limited fails beyond its limit, where io.LimitReader would end as if that were all.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// takeAll hands instances over as they come. They become durable while the next ones are read.
func takeAll(ctx context.Context, to Source, next func() (io.Reader, error), into Path) ([]Stored, error) {
	var results []*Stored
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, finishMax)
	collect := func(err error) ([]Stored, error) {
		wg.Wait()
		out := make([]Stored, 0, len(results))
		for _, s := range results {
			out = append(out, *s)
		}
		return out, err
	}
	for {
		file, err := next()
		if errors.Is(err, io.EOF) {
			return collect(nil)
		}
		if err != nil {
			return collect(err)
		}
		finish, err := to.Take(ctx, file, into)
		if err != nil {
			return collect(err)
		}
		s := new(Stored)
		results = append(results, s)
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			*s = finish()
		})
	}
}

func storeFailure(err error) (int, string) {
	switch {
	case errors.Is(err, errTooLong):
		return http.StatusRequestEntityTooLarge, errTooLong.Error()
	case errors.Is(err, errMedia):
		return http.StatusUnsupportedMediaType, "only whole files are taken: " + typeDICOM
	case errors.Is(err, ErrRefused):
		return http.StatusServiceUnavailable, err.Error()
	}
	return http.StatusBadRequest, "the body cannot be read to its end"
}

// storeStatus is PS3.18 table 10.5.3-1.
func storeStatus(results []Stored) int {
	bad, warned := 0, 0
	for _, s := range results {
		switch {
		case s.Failure != 0:
			bad++
		case s.Warning != 0:
			warned++
		}
	}
	switch {
	case bad == len(results):
		return http.StatusConflict
	case bad+warned > 0:
		return http.StatusAccepted
	}
	return http.StatusOK
}

// storeReply is the Store Instances Response module (PS3.18 §I.2).
func (r *request) storeReply(results []Stored, into Path) Dataset {
	var stored, failed []any
	study := into.Study
	one := true
	for i := range results {
		s := &results[i]
		item := Dataset{}
		item.Set(0x00081150, "UI", s.Class)
		item.Set(0x00081155, "UI", s.Instance)
		if s.Failure != 0 {
			item.SetInt(0x00081197, "US", int64(s.Failure))
			failed = append(failed, item)
			continue
		}
		if s.Warning != 0 {
			item.SetInt(0x00081196, "US", int64(s.Warning))
		}
		item.Set(0x00081190, "UR", r.base+Path{s.Study, s.Series, s.Instance}.String())
		stored = append(stored, item)
		one = one && (study == "" || study == s.Study)
		study = s.Study
	}
	out := Dataset{}
	if study != "" && one && len(stored) > 0 {
		out.Set(0x00081190, "UR", r.base+Path{Study: study}.String())
	}
	if len(failed) > 0 {
		out[Key(0x00081198)] = Element{VR: "SQ", Value: failed}
	}
	if len(stored) > 0 {
		out[Key(0x00081199)] = Element{VR: "SQ", Value: stored}
	}
	return out
}
