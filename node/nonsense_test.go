package node_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/node/control"
)

// TestNonsense: whatever is asked of a node, it answers, does not fall over, and its lock is free
// afterwards.
func TestNonsense(t *testing.T) {
	t.Parallel()
	a, b := serving(t, "Ask"), serving(t, "Answer")
	befriend(a, b)
	study := a.take(small(13))
	id := a.ask(study, "q", "Answer")
	b.complete(id)
	paths := []string{
		"unlock", "lock", "status", "id", "contact/add", "contact/list", "contact/show", "contact/verify", "contact/remove",
		"study/list", "study/show", "study/verify", "study/export", "study/remove", "study/series", "request", "case/list", "case/show",
		"case/reply", "case/report", "case/draft", "case/sign", "case/opine", "case/accept", "case/decline", "case/invite", "case/remove",
		"case/close", "case/history", "peers", "transfers", "doctor", "config/get", "config/set", "audit/list", "audit/verify", "pixel",
		"study/frame", "import", "person/add", "person/list",
	}
	bodies := []string{
		`{}`, `nonsense`, ``, `[]`, `null`,
		`{"study":"ffff"}`, `{"study":"` + study + `"}`, `{"study":"` + study + `","out":"relative"}`, `{"study":"` + study + `","series_uid":"9.9"}`,
		`{"case":"ffff"}`, `{"case":"` + id + `"}`, `{"case":"` + id + `","text":""}`, `{"case":"` + id + `","status":"odd","text":"x"}`,
		`{"case":"` + id + `","status":"addendum","text":"x","of":"ffff"}`, `{"case":"` + id + `","reason":"odd"}`, `{"case":"` + id + `","member":"nobody"}`,
		`{"case":"` + id + `","to":["nobody"]}`, `{"case":"` + id + `","to":[],"role":"king"}`, `{"case":"` + id + `","text":"x","anchor":"ffff"}`,
		`{"contact":"nobody"}`, `{"contact":"Answer","live":true}`, `{"contact":"Answer"}`, `{"link":"curbside:i/AAAA"}`, `{"file":"AAAA"}`,
		`{"studies":["ffff"],"to":["Answer"],"identified":true}`, `{"studies":["` + study + `"],"to":["Answer","Answer"],"priority":"odd","identified":true}`,
		`{"studies":["` + study + `"],"priors":["` + study + `"],"to":["Answer"],"question":"","identified":true}`,
		`{"studies":["` + study + `"],"to":["Answer"],"question":"q","consent":"odd","identified":true,"form":{"a":[1,{"b":null}]}}`,
		`{"sop_uid":"1.2.3","frame":-1}`, `{"sop_uid":"","frame":99999999}`, `{"study":"` + study + `","sop_uid":"1.2.3"}`,
		`{"paths":["relative"]}`, `{"paths":["/nonexistent/x"]}`, `{"key":"colour"}`, `{"key":"trust","value":"blind"}`, `{"passphrase":"AAAA"}`,
	}
	h := a.n.Handler()
	for _, path := range paths {
		for _, body := range bodies {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(a.ctx(), http.MethodPost, "/v1/"+path, strings.NewReader(body))
			done := make(chan struct{})
			go func() {
				defer close(done)
				h.ServeHTTP(w, r)
			}()
			select {
			case <-done:
			case <-time.After(patience):
				t.Fatalf("%s %s does not answer", path, body)
			}
			out, _ := io.ReadAll(w.Result().Body)
			if w.Code == http.StatusInternalServerError || strings.Contains(string(out), `"code":"internal"`) {
				t.Errorf("%s %s: %s", path, body, out)
			}
		}
	}
	if s := call(a, control.GetStatus, control.None{}); s.Name != "Ask" {
		t.Errorf("status %+v", s)
	}
}
