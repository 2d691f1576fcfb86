package heygen_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

// BenchmarkListPage is one page of a large account: reading and redacting must not cost more than asking.
func BenchmarkListPage(b *testing.B) {
	link := "https://files2.heygen.ai/aws_pacific/avatar_tmp/feedface/0a1b.mp4?Expires=1790604800&Signature=" + strings.Repeat("aB3~", 86) + "&Key-Pair-Id=K2EXAMPLE"
	var items []string
	for i := range 100 {
		items = append(items, fmt.Sprintf(`{"id":"v%d","status":"completed","title":"Launch","video_url":%q,"captioned_video_url":%q,"subtitle_url":%q,"thumbnail_url":%q,"created_at":1790000000}`, i, link, link, link, link))
	}
	body := `{"data":[` + strings.Join(items, ",") + `],"has_more":false}`
	c := newClient(b, "v3", always(ok(body)))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		for _, err := range c.Videos(b.Context(), heygen.ListOptions{Since: time.Unix(1, 0)}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
