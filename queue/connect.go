package queue

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const urlForms = "want redis://[user:pass@]host:6379/0, rediss://… for TLS, redis-sentinel://h1:26379,h2:26379/0?master=NAME or redis-cluster://h1,h2"

// Connect builds a Redis client from any of the URL forms that REELKEEP_REDIS takes:
//
//	redis://[user:pass@]host:6379/0             rediss://…            (TLS)
//	redis-sentinel://h1,h2:26379/0?master=NAME  rediss-sentinel://…
//	redis-cluster://h1,h2:6379                  rediss-cluster://…
//
// Deadlines of contexts interrupt calls, and after an error reply the client rests a moment: asynq asks again at
// once after any error, so that a Redis that is full or refuses the password would be asked tens of
// thousands of times a second. Errors never repeat the URL, since it may hold a password.
// Close the client after everything that uses it has stopped.
func Connect(rawURL string) (redis.UniversalClient, error) {
	scheme, _, _ := strings.Cut(rawURL, "://")
	var rdb redis.UniversalClient
	var err error
	switch scheme {
	case "redis", "rediss", "unix":
		rdb, err = connectSingle(rawURL)
	case "redis-sentinel", "rediss-sentinel":
		rdb, err = connectSentinel(rawURL)
	case "redis-cluster", "rediss-cluster":
		rdb, err = connectCluster(rawURL)
	default:
		err = errors.New(urlForms)
	}
	if err != nil {
		return nil, fmt.Errorf("REELKEEP_REDIS: %w", err)
	}
	rdb.AddHook(restHook{rest: errorRest})
	return rdb, nil
}

func connectSingle(rawURL string) (redis.UniversalClient, error) {
	opt, err := redis.ParseURL(rawURL)
	if err != nil {
		return nil, blame(rawURL, err)
	}
	opt.ContextTimeoutEnabled = true
	return redis.NewClient(opt), nil
}

// connectSentinel reads user, password and database as those of the data node: what a person means who changes
// redis:// into redis-sentinel://. Sentinels get their own from sentinel_username and sentinel_password.
func connectSentinel(rawURL string) (redis.UniversalClient, error) {
	opt, err := redis.ParseFailoverURL(hostsToParams(strings.Replace(rawURL, "-sentinel", "", 1), "master", "master_name"))
	if err != nil {
		return nil, blame(rawURL, err)
	}
	if opt.MasterName == "" {
		return nil, errors.New("the name of the master is missing: add ?master=NAME")
	}
	opt.ContextTimeoutEnabled = true
	return redis.NewFailoverClient(opt), nil
}

func connectCluster(rawURL string) (redis.UniversalClient, error) {
	opt, err := redis.ParseClusterURL(hostsToParams(strings.Replace(rawURL, "-cluster", "", 1), "", ""))
	if err != nil {
		return nil, blame(rawURL, err)
	}
	opt.ContextTimeoutEnabled = true
	return redis.NewClusterClient(opt), nil
}

// hostsToParams turns "h1,h2,h3" in the host into the addr parameters that go-redis wants, and renames a parameter.
// What it can't read it leaves as it is: go-redis then says what is wrong.
func hostsToParams(raw, from, to string) string {
	scheme, rest, _ := strings.Cut(raw, "://")
	auth, path := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		auth, path = rest[:i], rest[i:]
	}
	user := ""
	if i := strings.LastIndexByte(auth, '@'); i >= 0 {
		user, auth = auth[:i+1], auth[i+1:]
	}
	path, query, _ := strings.Cut(path, "?")
	params, err := url.ParseQuery(query)
	if err != nil {
		return raw
	}
	if from != "" && params.Has(from) {
		params.Set(to, params.Get(from))
		params.Del(from)
	}
	hosts := strings.Split(auth, ",")
	port := defaultPort(hosts, to)
	for i, h := range hosts {
		if !strings.Contains(h, ":") || strings.HasSuffix(h, "]") {
			hosts[i] = h + ":" + port
		}
	}
	for _, h := range hosts[1:] {
		params.Add("addr", h)
	}
	if len(params) > 0 {
		path += "?" + params.Encode()
	}
	return scheme + "://" + user + hosts[0] + path
}

// defaultPort is the port of the last host if it has one ("h1,h2:26379" means both), else the usual one.
func defaultPort(hosts []string, sentinel string) string {
	last := hosts[len(hosts)-1]
	if i := strings.LastIndexByte(last, ':'); i >= 0 && !strings.HasSuffix(last, "]") {
		if _, err := strconv.Atoi(last[i+1:]); err == nil {
			return last[i+1:]
		}
	}
	if sentinel != "" {
		return "26379"
	}
	return "6379"
}

// blame repeats only what can't hold a password: url.Error carries the whole URL, go-redis's own
// errors name a part or a parameter.
func blame(rawURL string, err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return fmt.Errorf("not a URL; %s", urlForms)
	}
	msg := err.Error()
	if u, perr := url.Parse(rawURL); perr == nil && u.User != nil {
		if pass, ok := u.User.Password(); ok && pass != "" && strings.Contains(msg, pass) {
			return fmt.Errorf("not a URL that Redis understands; %s", urlForms)
		}
	}
	return fmt.Errorf("%s; %s", msg, urlForms)
}

// errorRest is long enough that a refusing Redis costs nothing, short enough that nobody notices the recovery.
const errorRest = 200 * time.Millisecond

// SilenceRedisLog stops go-redis from writing to stderr about every failed dial. It sets a global of that
// library, so only a program's main may call it; errors are returned to callers all the same.
func SilenceRedisLog() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
