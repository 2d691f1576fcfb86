//go:build linux

package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
	"github.com/reelkeep/reelkeep/worker/media"
)

func TestEveryFileIsOneThatReelkeepSeals(t *testing.T) {
	t.Parallel()
	sets := []*dataset{plain("p", 2, 3*mib+17), small("s", 3)}
	for size := int64(8_000); size < 8_600; size++ { // every way in which padding may come out
		v := video{id: "v"}
		for _, a := range [][2]string{{"thumbnail", "thumbnail.jpeg"}, {"gif", "preview.gif"}, {"captions", "captions.ass"}} {
			v.files = append(v.files, &file{set: "x", video: "v", asset: a[0], name: a[1], size: size})
		}
		sets = append(sets, &dataset{name: "x", videos: []video{v}})
	}
	pictures := &dataset{name: "x", videos: []video{{id: "v"}}}
	for size := int64(65_600); size < 67_000; size++ { // a comment of a JPEG ends at 64 KiB
		pictures.videos[0].files = append(pictures.videos[0].files, &file{set: "x", video: "v", asset: "thumbnail", name: "thumbnail.jpeg", size: size})
	}
	sets = append(sets, pictures)
	sim, err := heygensim.New(heygensim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	for _, s := range sets {
		for _, f := range s.files() {
			body, err := io.ReadAll(f.content(sim))
			if err != nil || int64(len(body)) != f.size {
				t.Errorf("%s has %d bytes, want %d (%v)", f.path(), len(body), f.size, err)
			}
			if err := media.Verify(t.Context(), f.asset, bytes.NewReader(body), f.size, 0); err != nil {
				t.Errorf("%s of %d bytes: %v", f.path(), f.size, err)
			}
		}
	}
}

func TestSmallFilesAreThoseOfTheDesign(t *testing.T) {
	t.Parallel()
	s := small("small", 500)
	least, most := int64(1<<62), int64(0)
	for _, f := range s.files() {
		least, most = min(least, f.size), max(most, f.size)
	}
	if n := len(s.files()); n != 2000 || least < 8_000 || most > 1_000_000 {
		t.Errorf("%d files of %d to %d bytes", n, least, most)
	}
	if mb := s.bytes() / 1e6; mb < 720 || mb > 750 {
		t.Errorf("%d MB in all, want about 734", mb)
	}
}

// A store of one upload at a time, and a source, both in this process.
func TestTheBareLoopCopiesEveryByte(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789"), 100_000)
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Unix(1, 0), bytes.NewReader(body))
	}))
	defer source.Close()
	var mu sync.Mutex
	parts, done := map[int][]byte{}, ""
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		q := r.URL.Query()
		switch {
		case q.Has("uploads"):
			io.WriteString(w, "<R><UploadId>u1</UploadId></R>")
		case r.Method == http.MethodPost:
			done = string(got)
			io.WriteString(w, "<CompleteMultipartUploadResult/>")
		default:
			n, _ := strconv.Atoi(q.Get("partNumber"))
			parts[n] = got
			w.Header().Set("ETag", `"e`+strconv.Itoa(n)+`"`)
		}
	}))
	defer store.Close()
	list := source.URL + "/big /b/big " + strconv.Itoa(len(body)) + "\n" + source.URL + "/small /b/small 10\n"
	err := bareMain(t.Context(), []string{"-endpoint", store.URL, "-streams", "3", "-part", "300000"}, strings.NewReader(list))
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Join([][]byte{parts[1], parts[2], parts[3], parts[4]}, nil); !bytes.Equal(got, body) || string(parts[0]) != "0123456789" {
		t.Errorf("%d bytes arrived in parts, %q whole", len(got), parts[0])
	}
	if !strings.Contains(done, "<PartNumber>4</PartNumber><ETag>e4</ETag>") {
		t.Errorf("completed with %s", done)
	}
}

// That MinIO takes it every run shows; here: each part of a request goes into it.
func TestTheSignatureCoversTheRequest(t *testing.T) {
	t.Parallel()
	c := &s3{key: "k", secret: "s"}
	now := time.Unix(1_700_000_000, 0).UTC()
	sign := func(method, url string, at time.Time) string {
		req := httptest.NewRequestWithContext(t.Context(), method, url, nil)
		c.sign(req, at)
		return req.Header.Get("Authorization")
	}
	first := sign("GET", "http://a/b/c?x=1", now)
	if again := sign("GET", "http://a/b/c?x=1", now); again != first {
		t.Error("the same request is signed in two ways")
	}
	for _, other := range []string{sign("PUT", "http://a/b/c?x=1", now), sign("GET", "http://z/b/c?x=1", now), sign("GET", "http://a/b/d?x=1", now),
		sign("GET", "http://a/b/c?x=2", now), sign("GET", "http://a/b/c?x=1", now.Add(time.Second))} {
		if other == first {
			t.Error("another request has the same signature")
		}
	}
}

func TestThePacketsOfTheLineComeLateAndInOrder(t *testing.T) {
	t.Parallel()
	left, outside := pipe(t)
	right, end := pipe(t)
	const delay = 40 * time.Millisecond
	r := startRelay(left, right, delay)
	defer r.close()
	begun := time.Now()
	for _, text := range []string{"one", "two"} {
		if _, err := outside.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 10)
		n, err := end.Read(buf)
		if err != nil || string(buf[:n]) != text {
			t.Fatalf("%q came (%v), want %q", buf[:n], err, text)
		}
	}
	if took := time.Since(begun); took < 2*delay {
		t.Errorf("two packets, one after the other, took %s", took)
	}
}

func TestOptionsThatAreWrongAreNamed(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-case plain,nothing": `there is no "nothing"`,
		"-runs 0":             "-runs",
		"-shrink 0":           "-shrink",
		"plain":               "only flags",
	} {
		if _, err := parseOptions(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// Figures of a try must never come into the page.
func TestATryWritesNoPage(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]bool{"": true, "-case plain": true, "-runs 5": true, "-runs 2": false, "-shrink 8": false, "-clients rclone": false, "-profile x": false} {
		o, err := parseOptions(strings.Fields(args), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.page != "" && o.results != ""; got != want {
			t.Errorf("%q: written is %v, want %v", args, got, want)
		}
	}
}

func TestThePageTellsWhatWasMeasured(t *testing.T) {
	t.Parallel()
	c := &benchCase{Name: "plain", Title: "One", set: plain("plain", 1, mib), goals: []goal{timesLimit(1.25), timesBestPeer(0.8), secondsAtMost(4)}}
	clients := []client{{name: subject + " archive"}, {name: "bare loop", limit: true}, {name: "peer"}, {name: "slow peer", once: true}}
	ours, limit, peer, slowPeer := runsOf(3, 3, 3), runsOf(2, 2, 2), runsOf(4, 6, 5), []*measured{runsOf(50)[0], nil, nil}
	peer[2].Before = 2 * time.Second
	slowPeer[0].Before = 2 * time.Second // its only pair, which therefore stays
	folder := t.TempDir()
	if err := judge(c, clients, rounds(ours, limit, peer, slowPeer), "reelkeep").save(folder); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(folder, "page.md")
	if err := writePage(page, folder); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| **reelkeep archive** | 3.00 (3.00 … 3.00) |  |", "| *bare loop* | 2.00 (2.00 … 2.00) | **1.50** (1.50 … 1.50) |",
		"| peer | 5.00 (4.00 … 6.00) | **0.62** (0.50 … 0.75) |", "| slow peer | 50.0, 1 run | **0.06** |", "1 pair was thrown away",
		"at most 1.25 × the limit: missed (1.50)", "at most 0.80 × the best peer: reached (0.62)", "at most 4.0 s: reached (3.00)", "MinIO",
		"| One | **3.00 s** | 2.00 s, reelkeep **1.50** of that (bare loop) | 5.00 s, reelkeep **0.62** of that (peer) |",
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the page does not say %q:\n%s", want, b)
		}
	}
	all, err := loadOutcomes(folder)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d outcomes (%v)", len(all), err)
	}
	if diff := cmp.Diff(spread{3, 3, 3}, all[0].ours().Wall); diff != "" {
		t.Error(diff)
	}
}

func TestWhatPeopleWroteOnThePageStays(t *testing.T) {
	t.Parallel()
	c := &benchCase{Name: "plain", Title: "One", set: plain("plain", 1, mib)}
	clients := []client{{name: subject + " archive"}, {name: "bare loop", limit: true}}
	folder := t.TempDir()
	if err := judge(c, clients, rounds(runsOf(3, 3, 3), runsOf(2, 2, 2)), "reelkeep").save(folder); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(folder, "page.md")
	if err := os.WriteFile(page, []byte("# Old\n\n"+handHead+"\nIn the kernel.\n\n- Mostly.\n\n## How it was measured\n\nold\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := writePage(page, folder); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(page)
	if err != nil || strings.Count(string(b), handHead+"\nIn the kernel.\n\n- Mostly.\n\n## How it was measured\n") != 1 || strings.Contains(string(b), "\nold\n") {
		t.Errorf("%v: %s", err, b)
	}
}

func TestAPipeOfProcessesIsMeasuredWhole(t *testing.T) {
	t.Parallel()
	wall, used, err := measure(command(t.Context(), nil, "sh", "-c", "sleep 0.1; printf reelkeep"), command(t.Context(), nil, "sh", "-c", `read x; test "$x" = reelkeep || test -n "$x"`))
	if err != nil || wall < 100*time.Millisecond || used.RSS == 0 {
		t.Errorf("%s, %+v, %v", wall, used, err)
	}
	_, _, err = measure(command(t.Context(), nil, "sh", "-c", "echo it broke >&2; exit 3"))
	if err == nil || !strings.Contains(err.Error(), "it broke") {
		t.Errorf("a process that failed: %v", err)
	}
}

// pipe is two ends of a line that keeps packets apart, as a TUN device does.
func pipe(t *testing.T) (a, b *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b = os.NewFile(uintptr(fds[0]), "a"), os.NewFile(uintptr(fds[1]), "b")
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return a, b
}
