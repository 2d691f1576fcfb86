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
	"github.com/redis/go-redis/v9/maintnotifications"
)

const urlForms = "want redis://host:6379/0 (user:password@ before the host where it needs them), rediss://… for TLS, redis-sentinel://h1:26379,h2:26379/0?master=NAME or redis-cluster://h1,h2"

// Connect builds a Redis client from any of the URL forms that REELKEEP_REDIS takes:
//
//	redis://[user:pass@]host:6379/0             rediss://…            (TLS)
//	redis-sentinel://h1,h2:26379/0?master=NAME  rediss-sentinel://…
//	redis-cluster://h1,h2:6379                  rediss-cluster://…
//
// Special characters in user and password are percent-encoded, as in every URL. On Sentinel, user, password and
// database are those of the data nodes; Sentinels that want a password of their own get it from the parameters
// sentinel_username and sentinel_password. A cluster has no database but 0.
//
// With TLS, the certificate must be signed by a CA that this machine trusts. A private CA is named in the
// environment variable SSL_CERT_FILE (or SSL_CERT_DIR), which Go reads on Linux and the BSDs. A node that a Sentinel or
// a cluster tells of may show a certificate for its own address or for any host in the URL.
//
// Deadlines of contexts interrupt calls, and after an error reply the client rests a moment: asynq asks again at
// once after any error, so that a Redis that is full or refuses the password would be asked tens of
// thousands of times a second. Errors never repeat the URL, since it may hold a password.
// Close the client after everything that uses it has stopped.
func Connect(rawURL string) (redis.UniversalClient, error) { return connect(rawURL, wire{}) }

func connect(rawURL string, w wire) (redis.UniversalClient, error) {
	if w.dial == nil {
		w.dial = tcpDialer().DialContext
	}
	rdb, err := connectAny(rawURL, w)
	if err != nil {
		return nil, fmt.Errorf("REELKEEP_REDIS: %w", err)
	}
	return rdb, nil
}

func connectAny(rawURL string, w wire) (redis.UniversalClient, error) {
	if strayAt(rawURL) && !strings.Contains(authority(rawURL), "@") {
		return nil, errEscape
	}
	var rdb redis.UniversalClient
	hook := restHook{rest: errorRest}
	var err error
	switch scheme, _, _ := strings.Cut(rawURL, "://"); scheme {
	case "redis", "rediss", "unix":
		rdb, err = connectSingle(rawURL, w)
	case "redis-sentinel", "rediss-sentinel":
		rdb, hook.master, err = connectSentinel(rawURL, w)
	case "redis-cluster", "rediss-cluster":
		rdb, err = connectCluster(rawURL, w)
	default:
		return nil, errors.New(urlForms)
	}
	if err == nil {
		err = checkHosts(rawURL)
	}
	if err != nil {
		return nil, err
	}
	rdb.AddHook(hook)
	return rdb, nil
}

// CheckURL says whether REELKEEP_REDIS can be understood. Nothing is contacted.
func CheckURL(rawURL string) error {
	rdb, err := Connect(rawURL)
	if err != nil {
		return err
	}
	return rdb.Close()
}

// checkHosts refuses what can never be reached: go-redis would only find out when it dials, and that looks like an outage.
func checkHosts(rawURL string) error {
	scheme, _, _ := strings.Cut(rawURL, "://")
	if scheme == "unix" {
		return nil
	}
	hosts := authority(rawURL)
	hosts = hosts[strings.LastIndexByte(hosts, '@')+1:]
	for _, host := range strings.Split(hosts, ",") {
		name, port := host, ""
		if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
			name, port = host[:i], host[i+1:]
		}
		if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
			return fmt.Errorf("the port of a host is not a number from 1 to 65535; %s", urlForms)
		}
		if name == "" {
			return fmt.Errorf("a host is missing; %s", urlForms)
		}
	}
	return nil
}

func connectSingle(rawURL string, w wire) (redis.UniversalClient, error) {
	opt, err := redis.ParseURL(rawURL)
	if err != nil {
		return nil, blame(rawURL, err)
	}
	opt.ContextTimeoutEnabled = true
	// Both are announcements of the library's that Redis 7.0 and older answer with an error: each would cost a new
	// connection one rest.
	opt.DisableIdentity = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	opt.Dialer = w.dialer(opt.TLSConfig, opt.Addr)
	if opt.TLSConfig != nil {
		opt.DialerRetries = 1
	}
	return redis.NewClient(opt), nil
}

// connectSentinel reads user, password and database as those of the data node: what a person means who changes
// redis:// into redis-sentinel://. go-redis reads them as the Sentinels'.
func connectSentinel(rawURL string, w wire) (redis.UniversalClient, string, error) {
	p, err := splitURL(strings.Replace(rawURL, "-sentinel", "", 1), "26379")
	if err != nil {
		return nil, "", err
	}
	if p.params.Has("master") {
		p.params.Set("master_name", p.params.Get("master"))
		p.params.Del("master")
	}
	user, pass := p.params.Get("sentinel_username"), p.params.Get("sentinel_password")
	p.params.Del("sentinel_username")
	p.params.Del("sentinel_password")
	opt, err := redis.ParseFailoverURL(p.String())
	if err != nil {
		return nil, "", blame(rawURL, err)
	}
	if opt.MasterName == "" {
		return nil, "", errors.New("the name of the master is missing: add ?master=NAME")
	}
	opt.Username, opt.Password = opt.SentinelUsername, opt.SentinelPassword
	opt.SentinelUsername, opt.SentinelPassword = user, pass
	opt.ContextTimeoutEnabled = true
	opt.DisableIdentity = true
	opt.Dialer = w.dialer(opt.TLSConfig, opt.SentinelAddrs...)
	if opt.DialerRetries == 0 {
		// The Sentinels are asked in the dialer, with retries of their own: five times those would be a minute.
		opt.DialerRetries = 1
	}
	return redis.NewFailoverClient(opt), opt.MasterName, nil
}

func connectCluster(rawURL string, w wire) (redis.UniversalClient, error) {
	p, err := splitURL(strings.Replace(rawURL, "-cluster", "", 1), "6379")
	if err != nil {
		return nil, err
	}
	if db := strings.Trim(p.path, "/"); db != "" && db != "0" && !strayAt(rawURL) {
		return nil, errors.New("a cluster has no databases but 0: leave the number out")
	}
	opt, err := redis.ParseClusterURL(p.String())
	if err != nil {
		return nil, blame(rawURL, err)
	}
	opt.ContextTimeoutEnabled = true
	opt.DisableIdentity = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	opt.Dialer = w.dialer(opt.TLSConfig, opt.Addrs...)
	if opt.TLSConfig != nil && opt.DialerRetries == 0 {
		opt.DialerRetries = 1
	}
	return redis.NewClusterClient(opt), nil
}

// manyHosts is a URL with several hosts.
type manyHosts struct {
	scheme, user, path string // user ends in @ unless it is empty
	hosts              []string
	params             url.Values
}

// splitURL reads "scheme://user:pass@h1,h2:port/path?params". Hosts without a port get that of the last host
// ("h1,h2:26379" means both), else the usual one.
func splitURL(raw, port string) (manyHosts, error) {
	var p manyHosts
	var rest, query string
	var err error
	p.scheme, rest, _ = strings.Cut(raw, "://")
	hosts := authority(raw)
	p.path, query, _ = strings.Cut(rest[len(hosts):], "?")
	if p.params, err = url.ParseQuery(query); err != nil {
		return p, fmt.Errorf("not a URL; %s", urlForms) // err repeats what may be half a password
	}
	if i := strings.LastIndexByte(hosts, '@'); i >= 0 {
		p.user, hosts = hosts[:i+1], hosts[i+1:]
	}
	p.hosts = strings.Split(hosts, ",")
	if own := portOf(p.hosts[len(p.hosts)-1]); own != "" {
		port = own
	}
	for i, h := range p.hosts {
		if portOf(h) == "" {
			p.hosts[i] = strings.TrimSuffix(h, ":") + ":" + port
		}
	}
	return p, nil
}

// String is the URL in go-redis's form: one host, and the others as parameters.
func (p manyHosts) String() string {
	params := url.Values{}
	for k, v := range p.params {
		params[k] = v
	}
	for _, h := range p.hosts[1:] {
		params.Add("addr", h)
	}
	s := p.scheme + "://" + p.user + p.hosts[0] + p.path
	if len(params) > 0 {
		s += "?" + params.Encode()
	}
	return s
}

func portOf(host string) string {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.HasSuffix(host, "]") {
		return ""
	}
	if _, err := strconv.Atoi(host[i+1:]); err != nil {
		return ""
	}
	return host[i+1:]
}

// authority is what stands between "://" and the path.
func authority(raw string) string {
	_, rest, _ := strings.Cut(raw, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		return rest[:i]
	}
	return rest
}

// strayAt finds the sign of a password with a bare / ? or #: an @ behind where the hosts seem to end.
func strayAt(raw string) bool {
	_, rest, _ := strings.Cut(raw, "://")
	return strings.Contains(rest[len(authority(raw)):], "@")
}

var errEscape = errors.New("not a URL: special characters in the user or the password must be percent-encoded (/ is %2F, ? is %3F, # is %23, @ is %40, % is %25)")

// blame repeats only what can't hold a password: url.Error carries the whole URL, go-redis's own
// errors name a part or a parameter.
func blame(rawURL string, err error) error {
	if strayAt(rawURL) {
		return errEscape
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		if strings.Contains(authority(rawURL), "@") {
			return errEscape
		}
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
