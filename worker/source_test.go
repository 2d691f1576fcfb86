package worker

import (
	"errors"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/secret"
)

func silence(since time.Duration) error {
	link := secret.New("https://files.example/v.mp4")
	return &fetch.GiveUpError{Link: link, Tries: 8, Since: time.Now().Add(-since), Away: true, Cause: errors.New("status 503")}
}

// A CDN that is down for hours must not cost a video, but a file that is never served must come to an end.
func TestASourceThatIsAwayIsNoFailureOfItsVideos(t *testing.T) {
	t.Parallel()
	var outage *OutageError
	a := &Archiver{}
	for try := range 20 {
		if err := a.sourceError(silence(time.Minute)); !errors.As(err, &outage) || outage.Of != OfSource || outage.RetryAfter() < sourceWait {
			t.Fatalf("try %d: %v", try, err)
		}
	}
	a.sources.by["files.example"] = sourceHost{away: time.Now().Add(-2 * time.Hour)}
	if err := a.sourceError(silence(time.Minute)); !errors.As(err, &outage) || outage.RetryAfter() != sourceWaitMax {
		t.Errorf("after two hours: %v, again in %s", err, outage.RetryAfter())
	}
	a.sources.by["files.example"] = sourceHost{away: time.Now().Add(-25 * time.Hour)}
	if err := a.sourceError(silence(time.Minute)); errors.As(err, &outage) {
		t.Errorf("after a day: %v", err)
	}
}

func TestAFileThatIsBrokenAtItsSourceIsAFailureWhileOthersCome(t *testing.T) {
	t.Parallel()
	var outage *OutageError
	a := &Archiver{}
	a.sources.served("files.example", time.Now().Add(-50*time.Second)) // its last part was on its way when the trouble began
	if err := a.sourceError(silence(time.Minute)); !errors.As(err, &outage) {
		t.Errorf("the host fell silent: %v", err)
	}
	a.sources.served("other.example", time.Now())
	if err := a.sourceError(silence(time.Minute)); !errors.As(err, &outage) {
		t.Errorf("another host serves: %v", err)
	}
	a.sources.served("files.example", time.Now())
	if err := a.sourceError(silence(time.Minute)); errors.As(err, &outage) {
		t.Errorf("the host serves others: %v", err)
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
		if got := errors.As((&Archiver{}).sourceError(err), &refused); got != want || !errors.Is(err, fetch.ErrBlocked) {
			t.Errorf("%s: waits for a person: %v, %v", link, got, err)
		}
	}
}
