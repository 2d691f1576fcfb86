package storage_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/storage/storagetest"
)

// A worker that misjudges the store throws away what others have begun there. A lost answer must not make it do so.
func TestALostAnswerDoesNotMakeAProbeMisjudgeTheStore(t *testing.T) {
	t.Parallel()
	want, err := open(t, config(t)).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, match := range map[string]func(*http.Request) bool{
		"complete":      storagetest.Request(http.MethodPost, "/multipart?", "uploadId="),
		"begin":         storagetest.Request(http.MethodPost, "/multipart?uploads"),
		"part":          storagetest.Request(http.MethodPut, "/multipart?", "partNumber="),
		"list of parts": storagetest.Request(http.MethodGet, "/multipart?", "uploadId="),
		"checksum":      func(r *http.Request) bool { return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/crc") },
		"create": func(r *http.Request) bool {
			return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/create")
		},
		"replace": func(r *http.Request) bool {
			return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/replace") && r.Header.Get("If-Match") != ""
		},
		"complete if absent": storagetest.Request(http.MethodPost, "/complete?", "uploadId="),
	} {
		for _, status := range []int{0, http.StatusServiceUnavailable} {
			for _, times := range []int{1, 3} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					cfg := config(t)
					p := storagetest.NewProxy(t, cfg.Endpoint)
					cfg.Endpoint = p.URL
					p.Break(storagetest.Rule{Match: match, Times: times, Status: status, DropReply: status == 0})
					got, err := open(t, cfg).Check(t.Context())
					if err != nil {
						return // it says that it does not know, and is asked again
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("status %d, %d times (-want +got):\n%s", status, times, diff)
					}
				})
			}
		}
	}
}
