package heygen

import (
	"bytes"
	"net/http"
)

// answer is what came back over HTTP, whatever it is.
type answer struct {
	api    string
	status int
	header http.Header
	body   []byte // without a byte order mark and surrounding space
}

// page says whether the body is markup: the edge and every proxy in between answer with pages, with any status.
func (a *answer) page() bool { return bytes.HasPrefix(a.body, []byte("<")) }

// envelope is what HeyGen says beside the data.
type envelope struct {
	ours          bool // it is one of HeyGen's error envelopes, not some router's
	code, message string
}

// envelope reads the three shapes of HeyGen's errors: v1's code and message, v2's and v3's "error" object, and v2's "error" text.
func (a *answer) envelope() envelope {
	f, ok := object(a.body)
	if !ok {
		return envelope{}
	}
	if e, ok := object(f["error"]); ok {
		out := envelope{code: e.text("code"), message: e.text("message", "msg", "detail")}
		out.ours = len(out.code) > longestHTTP || (out.code == "" && out.message != "")
		return out
	}
	out := envelope{code: f.text("code"), message: f.text("message", "msg", "error")}
	out.ours = len(out.code) > longestHTTP
	return out
}

// longestHTTP is the length of an HTTP status. Routers write {"error":"Not Found"}, {"message":"Not Found"} and
// {"code":404}; HeyGen's own codes are words or longer numbers.
const longestHTTP = len("404")

// success is v1's code for it.
const success = "100"

// fine returns the members of a successful answer. A 200 may still carry an error, in either generation's envelope.
func (a *answer) fine() (fields, bool) {
	f, ok := object(a.body)
	if !ok || a.status < 200 || a.status > 299 {
		return f, false
	}
	data, _ := object(f["data"])
	if code := f.text("code"); code != "" && code != success && len(data) == 0 {
		return f, false
	}
	_, refused := object(f["error"])
	return f, !refused && f.text("error") == ""
}
