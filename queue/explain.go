package queue

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// ErrFull is wrapped by the RedisError of a Redis that has reached its maxmemory.
var ErrFull = errors.New("redis is full")

// RedisError says that this Redis can't be used as it is: a person must act.
type RedisError struct {
	Message, Advice string
	// Passing says that the same Redis may do later without a change of our settings: it is full, or its disk is.
	// A service goes on asking; a command ends.
	Passing bool

	err error
}

func (e *RedisError) Error() string { return e.Message }

// Hint says what a person can do.
func (e *RedisError) Hint() string { return e.Advice }

func (e *RedisError) Unwrap() error { return e.err }

// AwayError says that Redis is out of reach or can't answer just now: the same call may succeed later.
type AwayError struct {
	Message, Advice string

	err error
}

func (e *AwayError) Error() string { return e.Message }

// Hint says what a person can do.
func (e *AwayError) Hint() string { return e.Advice }

func (e *AwayError) Unwrap() error { return e.err }

// Explain puts an error of Redis into words: one sentence that names REELKEEP_REDIS and never holds a password. What
// a person must mend becomes a *RedisError, what may pass by itself an *AwayError; the original stays
// within reach of errors.Is and errors.As. Other errors, and contexts that were cancelled, come back as they are.
//
// All methods of Client and Server return errors that went through it.
func Explain(err error) error {
	switch {
	case err == nil, explained(err), errors.Is(err, context.Canceled), errors.Is(err, redis.ErrClosed), errors.Is(err, redis.Nil):
		return err
	}
	if _, ok := errors.AsType[*handshakeError](err); ok {
		return explainTLS(err)
	}
	if answer, ok := errors.AsType[redis.Error](err); ok {
		return explainReply(err, reply(answer))
	}
	return explainSilence(err)
}

func explained(err error) bool {
	if _, ok := errors.AsType[*RedisError](err); ok {
		return true
	}
	_, ok := errors.AsType[*AwayError](err)
	return ok
}

const (
	accessRefused = "does not accept the user or password in REELKEEP_REDIS"

	waitAdvice = "nothing needs to be done unless it stays so: what Redis holds is kept"
	// aclAdvice is what a user needs for all that a worker does. Keep it in step with the test that works with it.
	aclAdvice = "allow it with ACL SETUSER NAME ~{reelkeep}:* ~rate:{reelkeep}:* ~asynq:* &asynq:* +@read +@write +@scripting +@pubsub +@connection +@transaction -@dangerous +time +info +config|get +cluster|slots"
)

// remedy is an error reply with what it means for us.
type remedy struct {
	starts          string // of the reply
	message, advice string // message: what follows "Redis "
	away, passing   bool
	is              error
}

// remedies in the order in which they are looked for.
func remedies() []remedy {
	const cluster = "(REELKEEP_REDIS) is a Redis Cluster, and its URL is that of a single Redis"
	const clusterAdvice = "write redis-cluster:// or rediss-cluster:// instead of redis:// or rediss://"
	return []remedy{
		{starts: "WRONGPASS", message: accessRefused, advice: "put the right ones into REELKEEP_REDIS; special characters must be percent-encoded"},
		{starts: "NOAUTH", message: accessRefused + ": it wants a password, and the URL has none", advice: "write redis://user:password@host, or redis://:password@host for the default user"},
		{starts: "ERR invalid password", message: accessRefused, advice: "put the right one into REELKEEP_REDIS; special characters must be percent-encoded"},
		{starts: "ERR AUTH <password> called without any password", message: accessRefused + ": it has no password set", advice: "leave the password out of REELKEEP_REDIS"},
		{starts: "ERR Client sent AUTH, but no password is set", message: accessRefused + ": it has no password set", advice: "leave the password out of REELKEEP_REDIS"},
		{starts: "ERR wrong number of arguments for 'auth'", message: "(REELKEEP_REDIS) is too old: it knows no user names, and 6.2 or later is needed", advice: "upgrade Redis, or use Valkey"},
		{starts: "NOPERM", message: "(REELKEEP_REDIS) does not let this user do what is needed", advice: aclAdvice},
		{starts: "READONLY", message: "(REELKEEP_REDIS) is a read-only replica", advice: "name the primary in REELKEEP_REDIS, or let Sentinels name it: redis-sentinel://h1,h2/0?master=NAME"},
		{starts: "OOM", message: "(REELKEEP_REDIS) is full: it has reached its maxmemory", advice: "raise maxmemory; work goes on by itself then", passing: true, is: ErrFull},
		{starts: "MISCONF", message: "(REELKEEP_REDIS) refuses to write because it can't save to its disk", advice: "look at Redis's log and at the space on its disk", passing: true},
		{starts: "MOVED", message: cluster, advice: clusterAdvice},
		{starts: "ASK ", message: cluster, advice: clusterAdvice},
		{starts: "ERR SELECT is not allowed in cluster mode", message: cluster, advice: clusterAdvice + ", without a database number"},
		{starts: "ERR This instance has cluster support disabled", message: "(REELKEEP_REDIS) is a single Redis, and its URL is that of a cluster", advice: "write redis:// or rediss:// instead of redis-cluster:// or rediss-cluster://"},
		{starts: "ERR unknown command 'sentinel'", message: "(REELKEEP_REDIS) is a Redis itself, and its URL is that of a Sentinel", advice: "write redis:// or rediss://, or name the Sentinels, whose usual port is 26379"},
		{starts: "ERR DB index is out of range", message: "(REELKEEP_REDIS) has no database of this number", advice: "use a smaller one: redis://host:6379/0, or raise `databases` in Redis's configuration"},
		{starts: "DENIED", message: "(REELKEEP_REDIS) is in protected mode and lets only its own machine in", advice: "set a password, or bind Redis to an inner network and set protected-mode no"},
		{starts: "LOADING", message: "(REELKEEP_REDIS) is loading its data", advice: waitAdvice, away: true},
		{starts: "MASTERDOWN", message: "(REELKEEP_REDIS) has lost its primary", advice: waitAdvice, away: true},
		{starts: "CLUSTERDOWN", message: "(REELKEEP_REDIS) is a cluster that is not whole", advice: "look at CLUSTER INFO: every slot needs a node", away: true},
		{starts: "TRYAGAIN", message: "(REELKEEP_REDIS) is moving its keys between nodes", advice: waitAdvice, away: true},
		{starts: "NOREPLICAS", message: "(REELKEEP_REDIS) has too few replicas to accept writes (min-replicas-to-write)", advice: "bring its replicas back", away: true},
		{starts: "BUSY ", message: "(REELKEEP_REDIS) is busy with a script", advice: waitAdvice, away: true},
		{starts: "ERR max number of clients reached", message: "(REELKEEP_REDIS) has no connection left for us", advice: "raise its maxclients, or see who holds the connections (CLIENT LIST)", away: true},
		{starts: "ERR unknown command", message: "(REELKEEP_REDIS) does not know a command that is needed", advice: "use Redis 6.2 or later, or Valkey, and no proxy that holds commands back"},
	}
}

// explainReply knows the replies of Redis. Of the reply itself only the first words of a refusal for lack of
// permission are repeated: an old Redis quotes the arguments of a command it does not know, password included.
func explainReply(err error, text string) error {
	text = insideScript(text)
	for _, r := range remedies() {
		if !strings.HasPrefix(text, r.starts) {
			continue
		}
		message := "Redis " + r.message
		if strings.HasPrefix(r.message, accessRefused) && strings.Contains(err.Error(), sentinelsSilent) {
			message = "the Sentinels do not accept the sentinel_username or sentinel_password in REELKEEP_REDIS"
		}
		switch {
		case r.away:
			return &AwayError{Message: message, Advice: r.advice, err: err}
		case r.starts == "NOPERM":
			message += ": " + clip(text, 120)
		case r.is != nil:
			err = errors.Join(r.is, err)
		}
		return &RedisError{Message: message, Advice: r.advice, Passing: r.passing, err: err}
	}
	return err
}

// insideScript finds the reply that ended a script: Redis 6.2 wraps it, Redis 7 does not.
func insideScript(text string) string {
	if !strings.HasPrefix(text, "ERR Error running script") {
		return text
	}
	if m := regexp.MustCompile(`: -([A-Z]+ .*)`).FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return text
}

// sentinelsSilent is how go-redis begins when no Sentinel gave it an address.
const sentinelsSilent = "redis: all sentinels specified in configuration are unreachable"

func unknownMaster(name string) error {
	return &RedisError{Message: "no Sentinel in REELKEEP_REDIS knows a master named " + clip(name, 60),
		Advice: "compare ?master=NAME with `sentinel monitor NAME …` in the Sentinels' configuration"}
}

// explainTLS is about a handshake that failed.
func explainTLS(err error) error {
	e, _ := errors.AsType[*handshakeError](err)
	at := "Redis at " + e.addr + " (REELKEEP_REDIS) "
	refused := func(message, advice string) error {
		return &RedisError{Message: at + message, Advice: advice, err: err}
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](e.err); ok {
		return refused("shows a certificate that nobody has signed whom this machine trusts", "put the certificate of its CA into a file and name that in the environment variable SSL_CERT_FILE")
	}
	if _, ok := errors.AsType[x509.HostnameError](e.err); ok {
		return refused("shows a certificate for another name", "write the host in REELKEEP_REDIS as the certificate names it")
	}
	if bad, ok := errors.AsType[x509.CertificateInvalidError](e.err); ok {
		return refused("shows a certificate that is not valid: "+clip(bad.Error(), 120), "renew the certificate, or set this machine's clock")
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](e.err); ok {
		return refused("does not speak TLS", plainAdvice)
	}
	if e.silent() {
		return &AwayError{Message: at + "did not answer the TLS greeting", Advice: "if it speaks no TLS, " + plainAdvice, err: err}
	}
	if remote(e.err) {
		return refused("refused the TLS connection: "+clip(e.err.Error(), 120), clientCertAdvice)
	}
	return &AwayError{Message: at + "broke off the TLS handshake", Advice: "if it speaks no TLS, " + plainAdvice, err: err}
}

const (
	plainAdvice      = "write redis:// instead of rediss:// (redis-sentinel://, redis-cluster://)"
	tlsAdvice        = "write rediss:// instead of redis:// (rediss-sentinel://, rediss-cluster://)"
	clientCertAdvice = "REELKEEP_REDIS can't carry a client certificate: set tls-auth-clients no, or optional, in Redis's configuration"
	awayAdvice       = "check host, port and network of REELKEEP_REDIS; what Redis holds is kept"
)

// remote says whether the other side sent a TLS alert. TLS 1.3 asks for a client's certificate after the handshake, and
// go-redis takes the type off that error.
func remote(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error" || strings.Contains(err.Error(), "tls: certificate required")
}

// explainSilence is about everything that is not a reply.
func explainSilence(err error) error {
	const out = "Redis (REELKEEP_REDIS) is out of reach: "
	if e, ok := errors.AsType[*hungUpError](err); ok {
		return &AwayError{Message: out + e.Error(), Advice: "if it speaks only TLS, " + tlsAdvice, err: err}
	}
	if remote(err) {
		return &RedisError{Message: "Redis (REELKEEP_REDIS) refused the TLS connection", Advice: clientCertAdvice, err: err}
	}
	if strings.Contains(err.Error(), sentinelsSilent) {
		return &AwayError{Message: "no Sentinel in REELKEEP_REDIS answers", Advice: awayAdvice, err: err}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return &AwayError{Message: out + op.Error(), Advice: awayAdvice, err: err}
	}
	if silent, ok := errors.AsType[net.Error](err); ok && silent.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return &AwayError{Message: out + "no answer in time", Advice: awayAdvice, err: err}
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return &AwayError{Message: out + errno.Error(), Advice: awayAdvice, err: err}
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &AwayError{Message: out + "it closed the connection", Advice: awayAdvice, err: err}
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return &AwayError{Message: "Redis (REELKEEP_REDIS) is too slow: all our connections wait for it", Advice: awayAdvice, err: err}
	case strings.Contains(err.Error(), "redis: cluster has no nodes"):
		return &AwayError{Message: out + "no node of the cluster answers", Advice: awayAdvice, err: err}
	}
	return err
}
