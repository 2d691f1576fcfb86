package heygen_test

import (
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

func TestExpiryIsReadFromTheLink(t *testing.T) {
	t.Parallel()
	const amz = "X-Amz-Date=20261120T100000Z&X-Amz-Expires=3600"
	for link, want := range map[string]string{
		"https://h/x.mp4?Expires=1790604800&Signature=a~_-&Key-Pair-Id=K": "2026-09-28T14:13:20Z",
		"https://h/x.mp4?download_id=1&Expires=1790604800&Signature=s":    "2026-09-28T14:13:20Z",
		"https://h/x.mp4?expires=1790604800":                              "2026-09-28T14:13:20Z",
		"https://h/x.mp4?a;Expires=1790604800":                            "2026-09-28T14:13:20Z",
		"https://h/x.mp4?X-Amz-Algorithm=AWS4-HMAC-SHA256&" + amz:         "2026-11-20T11:00:00Z",
		"https://h/x.mp4?x-amz-expires=3600&x-amz-date=20261120T100000Z":  "2026-11-20T11:00:00Z",
		"https://h/x.mp4?" + amz + "&Expires=1790604800":                  "2026-09-28T14:13:20Z",
		"https://h/x.mp4?" + amz + "&Expires=1990604800":                  "2026-11-20T11:00:00Z",
		"https://h/x.mp4?%zz=1&Expires=%31790604800":                      "2026-09-28T14:13:20Z",
		"https://h/x.mp4":                                                        "",
		"https://h/Expires=1790604800/x.mp4":                                     "",
		"https://h/x.mp4#?Expires=1790604800":                                    "2026-09-28T14:13:20Z",
		"https://h/x.mp4?x=1#Expires=1790604800":                                 "",
		"https://h/x.mp4?Expires=":                                               "",
		"https://h/x.mp4?Expires=0":                                              "",
		"https://h/x.mp4?Expires=-1":                                             "",
		"https://h/x.mp4?Expires=soon":                                           "",
		"https://h/x.mp4?Expires=99999999999999999999":                           "",
		"https://h/x.mp4?Expires=9223372036854775807":                            "",
		"https://h/x.mp4?X-Amz-Date=20261120T100000Z":                            "",
		"https://h/x.mp4?X-Amz-Expires=3600":                                     "",
		"https://h/x.mp4?X-Amz-Date=today&X-Amz-Expires=3600":                    "",
		"https://h/x.mp4?X-Amz-Date=99991231T235959Z&X-Amz-Expires=2147483647":   "",
		"https://h/x.mp4?X-Amz-Date=20261120T100000Z&X-Amz-Expires=999999999999": "",
		"": "",
	} {
		got, ok := heygen.Expiry(link)
		shown := ""
		if ok {
			shown = got.Format(time.RFC3339)
		}
		if shown != want || ok == got.IsZero() {
			t.Errorf("%s: got %q, want %q", link, shown, want)
		}
	}
}

func TestAssetsAreInTheirOrder(t *testing.T) {
	t.Parallel()
	want := []heygen.Asset{"video", "thumbnail", "gif", "captions", "captioned_video"}
	got := heygen.Assets()
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	got[0] = "changed"
	if heygen.Assets()[0] != heygen.AssetVideo {
		t.Error("a caller can change the order for others")
	}
}
