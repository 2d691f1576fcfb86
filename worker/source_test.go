package worker

import (
	"errors"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/secret"
)

const cdn = "files.example"

// rehearsal plays what the hosts of files do over days.
type rehearsal struct {
	sources
	now time.Time
}

func rehearse() *rehearsal {
	return &rehearsal{now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
}

// serves: another file comes from the host.
func (r *rehearsal) serves() { r.served(cdn, sourceFile{id: "another"}, r.now) }

// fails: a try of the file that takes a minute. It says whether the failure counts.
func (r *rehearsal) fails(id string) bool {
	began := r.now
	r.now = r.now.Add(time.Minute)
	_, outage := r.failed(cdn, sourceFile{id: id}, began, r.now)
	return !outage
}

// givesUp says how long it takes until the file has failed ten times for good while others come every so often. The queue waits
// for at most a quarter of an hour after a failure, and we for ten minutes in an outage.
func (r *rehearsal) givesUp(id string, every time.Duration) time.Duration {
	began, next := r.now, r.now.Add(every)
	for failures := 0; failures < 10 && r.now.Sub(began) < 30*24*time.Hour; {
		wait := sourceWaitMax
		if r.fails(id) {
			failures++
			wait = min(30*time.Second<<(failures-1), 15*time.Minute)
		}
		r.now = r.now.Add(wait)
		for ; every > 0 && next.Before(r.now); next = next.Add(every) {
			r.serves()
		}
	}
	return r.now.Sub(began)
}

// A CDN that is down for hours must not cost a video, whatever came from it before.
func TestASourceThatIsAwayIsNoFailureOfItsVideos(t *testing.T) {
	t.Parallel()
	r := rehearse()
	r.serves()
	for down := r.now.Add(20 * time.Hour); r.now.Before(down); r.now = r.now.Add(sourceWait) {
		if r.fails("a") || r.fails("b") {
			t.Fatalf("at %s a failure counts", r.now)
		}
	}
	// It comes back for others, and goes again before a's turn; c has no share in the first trouble.
	r.serves()
	r.fails("c")
	if r.fails("a") {
		t.Error("the second outage counts for what the first has hit as well")
	}
}

func TestAFileThatIsBrokenAtItsSourceComesToAnEnd(t *testing.T) {
	t.Parallel()
	for every, most := range map[time.Duration]time.Duration{
		20 * time.Second: 2 * time.Hour,
		time.Hour:        4 * time.Hour,
		12 * time.Hour:   15 * time.Hour,
		0:                27 * time.Hour, // nothing else is fetched from there
	} {
		if took := rehearse().givesUp("broken", every); took > most || took < 30*time.Minute {
			t.Errorf("others come every %s: given up after %s, want no more than %s", every, took, most)
		}
	}
}

// Two broken files are no witnesses for each other.
func TestTwoFilesThatAreBrokenComeToAnEnd(t *testing.T) {
	t.Parallel()
	r := rehearse()
	r.fails("a")
	r.fails("b")
	r.serves()
	for range 10 {
		if !r.fails("a") || !r.fails("b") {
			t.Fatal("one hides behind the other")
		}
	}
}

func TestAFileThatCameHasAClearRecord(t *testing.T) {
	t.Parallel()
	r := rehearse()
	r.fails("a")
	r.served(cdn, sourceFile{id: "a"}, r.now)
	r.now = r.now.Add(25 * time.Hour)
	if r.fails("a") {
		t.Error("the outage before counts")
	}
	for id := range 2 * mostFiles {
		r.failed(cdn, sourceFile{accepted: int64(id)}, r.now, r.now)
		r.served(string(rune(id)), sourceFile{}, r.now)
	}
	if len(r.files) > mostFiles || len(r.hosts) > mostHosts {
		t.Errorf("remembers %d files and %d hosts", len(r.files), len(r.hosts))
	}
}

func TestTriesOfASourceThatIsAwayGrowApart(t *testing.T) {
	t.Parallel()
	silence := func(since time.Duration) error {
		link := secret.New("https://" + cdn + "/v.mp4")
		return &fetch.GiveUpError{Link: link, Tries: 8, Since: time.Now().Add(-since), Away: true, Cause: errors.New("status 503")}
	}
	var outage *OutageError
	for since, want := range map[time.Duration]time.Duration{time.Minute: sourceWait, 2 * time.Hour: sourceWaitMax} {
		err := (&Archiver{}).sourceError(Video{ID: "v"}, cdn, silence(since))
		if !errors.As(err, &outage) || outage.Of != OfSource || outage.Host != cdn || outage.RetryAfter() != want {
			t.Errorf("after %s: %v", since, err)
		}
	}
}

func TestALinkThatASettingForbidsWaitsForAPerson(t *testing.T) {
	t.Parallel()
	sources, err := fetch.New(fetch.Config{SourceHosts: []string{"files.example"}})
	if err != nil {
		t.Fatal(err)
	}
	defer sources.Close()
	for link, want := range map[string]bool{
		"https://moved.example/v.mp4":           true,  // not in REELKEEP_SOURCE_HOSTS
		"ftp://files.example/v.mp4":             false, // no setting makes that good
		"https://user:pw@files.example/v.mp4":   false,
		"https://files.example.evil.test/v.mp4": true,
	} {
		_, err := sources.Open(t.Context(), fetch.Link{URL: secret.New(link)}, nil, fetch.Options{})
		var refused *RefusedError
		if got := errors.As((&Archiver{}).sourceError(Video{}, cdn, err), &refused); got != want || !errors.Is(err, fetch.ErrBlocked) {
			t.Errorf("%s: waits for a person: %v, %v", link, got, err)
		}
	}
}
