// Package problem is how every door of ours says that something did not go as asked: a problem document (RFC 9457)
// with a hint that says what to do next.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// ContentType is the media type of a problem document.
const ContentType = "application/problem+json"

// Problem is one problem document. It is an error, so that a handler may return it.
type Problem struct {
	Type   string  `json:"type" doc:"Always about:blank: status and code say what kind of problem it is" example:"about:blank"`
	Title  string  `json:"title" doc:"The status in words" example:"Not Found"`
	Status int     `json:"status" doc:"The HTTP status" example:"404"`
	Code   string  `json:"code" doc:"What kind of problem it is, in one word, for programs" example:"unknown"`
	Detail string  `json:"detail" doc:"What went wrong, for people" example:"the fleet does not know this video"`
	Hint   string  `json:"hint" doc:"What can be done about it; may be empty" example:"hand it in: POST /api/v1/videos"`
	Errors []Field `json:"errors,omitempty" doc:"What is wrong with the request, value by value" nullable:"false"`

	// RetryAfter is sent as a header; 0 sends none.
	RetryAfter time.Duration `json:"-"`
	// Header holds further headers of the answer.
	Header http.Header `json:"-"`
}

// Field says what is wrong with one value of a request. The value itself is not repeated: it may be a secret, or large.
type Field struct {
	Location string `json:"location" doc:"Where the value stands in the request" example:"body.video_ids"`
	Message  string `json:"message" doc:"What is wrong with it" example:"expected array length <= 10000"`
}

// New makes a problem document.
func New(status int, code, detail, hint string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Hint: hint}
}

// NotAllowed refuses a method; allow names those that a route has, parted by commas.
func NotAllowed(method, allow string) *Problem {
	p := New(http.StatusMethodNotAllowed, "method_not_allowed", method+" is not done here", "allowed: "+allow)
	p.Header = http.Header{"Allow": {allow}}
	return p
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus is the status of the answer.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is the media type of the answer, whatever else was negotiated.
func (*Problem) ContentType(string) string { return ContentType }

// GetHeaders are the headers of the answer.
func (p *Problem) GetHeaders() http.Header {
	h := p.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.RetryAfter+time.Second-1)/time.Second)))
	}
	h.Set("Cache-Control", "no-store")
	return h
}

// ServeHTTP answers with the problem.
func (p *Problem) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // whoever asked may be gone
}

// Write answers with a problem document.
func Write(w http.ResponseWriter, status int, code, detail, hint string) {
	New(status, code, detail, hint).ServeHTTP(w, nil)
}
