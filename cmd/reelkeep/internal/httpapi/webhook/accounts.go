package webhook

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/sharelink"
)

// rollLife is for how long the fleet's accounts are remembered: they change only while the whole fleet stands still, and a burst
// must not cost Redis a question for each event.
const rollLife = 10 * time.Second

var (
	errNoAccount  = errors.New("the fleet has no such account")
	errWhose      = errors.New("the fleet has several accounts, and none is called " + sharelink.DefaultAccount)
	errNobodysYet = errors.New("no worker of the fleet has ever started: nobody knows its accounts")
)

// roll knows the fleet's accounts.
type roll struct {
	ask func(context.Context) ([]string, error)
	now func() time.Time

	asking singleflight.Group
	mu     sync.Mutex
	names  []string
	until  time.Time
}

// whose is the account that a delivery is for. name is what it says itself, "" if nothing; then it is that of the default
// account, or of the only one there is. An event for an account that nobody has a key for would wait for ever.
func (r *roll) whose(ctx context.Context, name string) (string, error) {
	names, err := r.all(ctx)
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return "", errNobodysYet
	case name != "" && !slices.Contains(names, name):
		return "", errNoAccount
	case name != "":
		return name, nil
	case slices.Contains(names, sharelink.DefaultAccount):
		return sharelink.DefaultAccount, nil
	case len(names) == 1:
		return names[0], nil
	}
	return "", errWhose
}

func (r *roll) all(ctx context.Context) ([]string, error) {
	r.mu.Lock()
	names, until := r.names, r.until
	r.mu.Unlock()
	if r.now().Before(until) {
		return names, nil
	}
	answer := r.asking.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // what others wait for doesn't end with this request
		defer cancel()
		names, err := r.ask(ctx)
		if err == nil && len(names) > 0 {
			r.mu.Lock()
			r.names, r.until = names, r.now().Add(rollLife)
			r.mu.Unlock()
		}
		return names, err
	})
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case a := <-answer:
		names, _ := a.Val.([]string)
		return names, a.Err
	}
}
