package dicomweb

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// instances are what a path names; a failure is answered.
func (r *request) instances(p Path) ([]Instance, bool) {
	list, err := r.access.Source.Instances(r.Context(), p)
	if err == nil && len(list) == 0 {
		err = ErrAbsent
	}
	if err != nil {
		r.failWith(err)
		return nil, false
	}
	return list, true
}

// files answers WADO-RS for studies, series and instances (PS3.18 §10.4.1.1.1): as they are stored.
func (r *request) files(p Path) {
	list, ok := r.instances(p)
	if !ok {
		return
	}
	alternatives := r.accepts()
	takes := func(in *Instance, related bool) bool {
		return slices.ContainsFunc(alternatives, func(a accepted) bool {
			return a.takes(typeDICOM, related) && a.syntaxOK(in.Syntax)
		})
	}
	// A single file is what some clients ask for with application/dicom.
	single := len(list) == 1 && p.Instance != "" && !takes(&list[0], true)
	send := slices.DeleteFunc(list, func(in Instance) bool { return !takes(&in, !single) })
	if len(send) == 0 {
		fail(r.w, http.StatusNotAcceptable, "files are given as they are stored: "+typeDICOM+"; transfer-syntax=*")
		return
	}
	if single {
		r.single(&send[0])
		return
	}
	out := r.related(typeDICOM)
	for i := range send {
		in := &send[i]
		file, free, err := r.load(in)
		if errors.Is(err, ErrAbsent) && len(send) > 1 {
			continue // of a study that is still arriving: what is here is given
		}
		if err != nil {
			out.abort(err)
			return
		}
		err = out.part(typeDICOM+"; transfer-syntax="+in.Syntax, r.base+in.String(), file)
		free()
		if err != nil {
			return // the caller is gone
		}
	}
	out.end()
}

func (r *request) single(in *Instance) {
	file, free, err := r.load(in)
	if err != nil {
		r.failWith(err)
		return
	}
	defer free()
	h := r.w.Header()
	h.Set("Content-Type", typeDICOM+"; transfer-syntax="+in.Syntax)
	h.Set("Content-Length", strconv.Itoa(len(file)))
	_, _ = r.pace().Write(file) // the caller is gone if this fails
}

// load reads a file within the bound of what is in memory at one time.
func (r *request) load(in *Instance) (file []byte, free func(), err error) {
	weight := min(max(in.Size, 1), memoryMax)
	if err := r.h.memory.Acquire(r.Context(), weight); err != nil {
		return nil, nil, err
	}
	file, err = r.access.Source.File(r.Context(), *in)
	if err != nil {
		r.h.memory.Release(weight)
		return nil, nil, err
	}
	return file, func() { r.h.memory.Release(weight) }, nil
}

// related writes a multipart/related reply. The status is sent with the first part, so that what
// fails before has one of its own.
type related struct {
	r        *request
	w        io.Writer
	kind     string
	boundary string
	n        int
}

func (r *request) related(kind string) *related {
	return &related{r: r, w: r.pace(), kind: kind, boundary: newBoundary()}
}

func (m *related) part(kind, location string, body []byte) error {
	if m.n == 0 {
		m.r.w.Header().Set("Content-Type", relatedType(m.kind, m.boundary))
	}
	h := textproto.MIMEHeader{
		"Content-Type": {kind}, "Content-Length": {strconv.Itoa(len(body))}, "Content-Location": {location},
	}
	_, err := io.WriteString(m.w, partHead(m.boundary, m.n == 0, h))
	m.n++
	if err == nil {
		_, err = m.w.Write(body)
	}
	return err
}

func (m *related) end() {
	if m.n == 0 {
		m.r.failWith(ErrAbsent)
		return
	}
	_, _ = io.WriteString(m.w, partsEnd(m.boundary)) // the caller is gone if this fails
}

// abort ends a reply that cannot be whole. What was begun is cut, so that nobody takes it for
// all there is.
func (m *related) abort(err error) {
	if m.n == 0 {
		m.r.failWith(err)
		return
	}
	panic(http.ErrAbortHandler)
}

// metadata answers with the data sets without their bulk data (PS3.18 §10.4.1.1.2).
func (r *request) metadata(p Path) {
	if !r.takesJSON() {
		fail(r.w, http.StatusNotAcceptable, "metadata is given as "+typeJSON)
		return
	}
	list, ok := r.instances(p)
	if !ok {
		return
	}
	out := r.pace()
	sent := 0
	for i := range list {
		in := &list[i]
		ds, err := r.access.Source.Metadata(r.Context(), *in, func(path string) string {
			return r.base + in.String() + "/bulkdata/" + path
		})
		if errors.Is(err, ErrAbsent) && len(list) > 1 {
			continue // of a study that is still arriving
		}
		if err != nil {
			(&related{r: r, n: sent}).abort(err)
			return
		}
		b, err := json.Marshal(ds)
		if err != nil {
			(&related{r: r, n: sent}).abort(err)
			return
		}
		open := "["
		if sent > 0 {
			open = ","
		} else {
			r.w.Header().Set("Content-Type", typeJSON)
		}
		sent++
		if _, err := out.Write(append([]byte(open), b...)); err != nil {
			return // the caller is gone
		}
	}
	if sent == 0 {
		r.failWith(ErrAbsent)
		return
	}
	_, _ = io.WriteString(out, "]") // the caller is gone if this fails
}

// bulk answers with a value that metadata gave a URI (PS3.18 §10.4.1.1.5).
func (r *request) bulk(p Path, path string) {
	list, ok := r.instances(p)
	if !ok {
		return
	}
	in := &list[0]
	if path == "7FE00010" && !native(in.Syntax) {
		all := make([]int, max(in.Frames, 1))
		for i := range all {
			all[i] = i + 1
		}
		r.someFrames(in, all) // encapsulated: its value is its frames, PS3.18 §8.7.3.2
		return
	}
	weight := min(max(in.Size, 1), memoryMax)
	if err := r.h.memory.Acquire(r.Context(), weight); err != nil {
		r.failWith(err)
		return
	}
	defer r.h.memory.Release(weight)
	b, err := r.access.Source.Bulk(r.Context(), *in, path)
	if err != nil {
		r.failWith(err)
		return
	}
	r.octets(b, r.base+in.String()+"/bulkdata/"+path)
}

// octets sends bytes, wrapped or not as the request wants.
func (r *request) octets(b []byte, location string) {
	for _, a := range r.accepts() {
		switch {
		case a.takes(typeOctets, true):
			out := r.related(typeOctets)
			if out.part(typeOctets, location, b) == nil {
				out.end()
			}
			return
		case a.takes(typeOctets, false):
			r.w.Header().Set("Content-Type", typeOctets)
			r.w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			_, _ = r.pace().Write(b) // the caller is gone if this fails
			return
		}
	}
	fail(r.w, http.StatusNotAcceptable, "bulk data is given as "+typeOctets)
}

// frames answers frames/1,2 and what may follow.
func (r *request) frames(p Path, list string, tail []string) {
	numbers, ok := frameList(list)
	if !ok {
		fail(r.w, http.StatusBadRequest, "frames are numbers from 1, separated by commas")
		return
	}
	if len(tail) == 1 && (tail[0] == "rendered" || tail[0] == "thumbnail") {
		r.rendered(p, numbers)
		return
	}
	if len(tail) > 0 {
		fail(r.w, http.StatusNotFound, "no such resource")
		return
	}
	found, ok := r.instances(p)
	if !ok {
		return
	}
	in := &found[0]
	for _, n := range numbers {
		if n > in.Frames {
			fail(r.w, http.StatusNotFound, "no such frame")
			return
		}
	}
	r.someFrames(in, numbers)
}

// someFrames sends frames as they are stored (PS3.18 §10.4.1.1.6, §8.7.3).
func (r *request) someFrames(in *Instance, numbers []int) {
	kind, syntax := frameType(in.Syntax), in.Syntax
	if native(in.Syntax) {
		syntax = explicitLE
	}
	kind, wrapped, ok := chooseFrame(r.accepts(), kind, syntax)
	if !ok || !wrapped && len(numbers) > 1 {
		fail(r.w, http.StatusNotAcceptable, "frames are given as they are stored: "+kind+"; transfer-syntax="+syntax)
		return
	}
	full := kind + "; transfer-syntax=" + syntax
	out := r.related(kind)
	for _, n := range numbers {
		weight := min(max(in.Size/int64(max(in.Frames, 1)), 1), memoryMax)
		if err := r.h.memory.Acquire(r.Context(), weight); err != nil {
			return // the caller is gone
		}
		b, err := r.access.Source.Frame(r.Context(), *in, n)
		switch {
		case err != nil:
			r.h.memory.Release(weight)
			out.abort(err)
			return
		case !wrapped:
			r.w.Header().Set("Content-Type", full)
			r.w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			_, _ = r.pace().Write(b) // the caller is gone if this fails
			r.h.memory.Release(weight)
			return
		}
		err = out.part(full, r.base+in.String()+"/frames/"+strconv.Itoa(n), b)
		r.h.memory.Release(weight)
		if err != nil {
			return // the caller is gone
		}
	}
	out.end()
}

// chooseFrame finds how a frame may be sent: as its own media type, or as octets, which most
// viewers ask for whatever it is.
func chooseFrame(alternatives []accepted, kind, syntax string) (as string, wrapped, ok bool) {
	for _, a := range alternatives {
		if !a.syntaxOK(syntax) {
			continue
		}
		for _, k := range []string{kind, typeOctets} {
			for _, related := range []bool{true, false} {
				if a.takes(k, related) {
					return k, related, true
				}
			}
		}
	}
	return kind, false, false
}

// rendered draws an instance, or one frame, as PNG (PS3.18 §10.4.1.1.3).
func (r *request) rendered(p Path, frames []int) {
	if !slices.ContainsFunc(r.accepts(), func(a accepted) bool { return a.takes(typePNG, false) }) {
		fail(r.w, http.StatusNotAcceptable, "pictures are given as "+typePNG)
		return
	}
	o, ok := parseRendering(r.URL.Query())
	if !ok || len(frames) > 1 {
		fail(r.w, http.StatusBadRequest, "window is CENTRE,WIDTH[,FUNCTION], viewport is WIDTH,HEIGHT, and one frame is drawn at a time")
		return
	}
	list, ok := r.instances(p)
	if !ok {
		return
	}
	in := &list[len(list)/2] // of a series its middle says most
	if p.Instance != "" {
		in = &list[0]
	}
	o.Frame = 1
	if len(frames) == 1 {
		o.Frame = frames[0]
	}
	if o.Frame > in.Frames {
		fail(r.w, http.StatusNotFound, "no such frame")
		return
	}
	b, err := r.access.Source.Render(r.Context(), *in, o)
	if err != nil {
		r.failWith(err)
		return
	}
	r.w.Header().Set("Content-Type", typePNG)
	r.w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = r.pace().Write(b) // the caller is gone if this fails
}

func parseRendering(q url.Values) (Rendering, bool) {
	var o Rendering
	if v := q.Get("window"); v != "" {
		parts := strings.Split(v, ",")
		if len(parts) != 2 && len(parts) != 3 {
			return o, false
		}
		c, cerr := strconv.ParseFloat(parts[0], 64)
		w, werr := strconv.ParseFloat(parts[1], 64)
		if cerr != nil || werr != nil || c != c || w != w || w <= 0 {
			return o, false
		}
		o.Window = &[2]float64{c, w}
		if len(parts) == 3 {
			o.Function = strings.ToLower(parts[2])
		}
	}
	if v := q.Get("viewport"); v != "" {
		parts := strings.Split(v, ",")
		if len(parts) < 2 {
			return o, false
		}
		w, werr := strconv.Atoi(parts[0])
		h, herr := strconv.Atoi(parts[1])
		if werr != nil || herr != nil || w < 1 || h < 1 {
			return o, false
		}
		o.Width, o.Height = w, h
	}
	return o, true
}
