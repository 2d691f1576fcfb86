package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// begin sends the head of a request and a little of its body, and no more.
func (r *rig) begin(path, contentType, headers string) net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: 100000000\r\n%s\r\ntoken=", path, c.RemoteAddr(), contentType, headers)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// Whoever is refused hears so at once, and nothing of what he sends is taken in.
func TestOfARefusedRequestNothingIsRead(t *testing.T) {
	r := setup(t, options{tokens: true})
	const multipart = "multipart/form-data; boundary=x"
	for _, c := range [][3]string{
		{"/videos/x/retry", multipart, ""}, {"/videos/x/share", "application/x-www-form-urlencoded", ""},
		{"/signin", multipart, "Sec-Fetch-Site: cross-site\r\n"}, {"/signin", multipart, ""},
	} {
		res, err := http.ReadResponse(bufio.NewReader(r.begin(c[0], c[1], c[2])), nil)
		if err != nil {
			t.Fatalf("%s %s: %v", c[0], c[1], err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || !strings.Contains(string(body), "Sign in") || !res.Close {
			t.Errorf("%s %s: %d %v, %v", c[0], c[1], res.StatusCode, res.Header, err)
		}
	}
}

func TestSlowVisitorsLockNobodyOut(t *testing.T) {
	r := setup(t, options{tokens: true})
	for range 20 {
		r.begin("/signin", "application/x-www-form-urlencoded", sameOrigin+"\r\n")
	}
	r.signIn(everything)
}
