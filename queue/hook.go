package queue

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// restHook makes the caller wait after Redis refused a command. Network errors need no rest: go-redis backs off
// by itself while it dials.
type restHook struct {
	rest   time.Duration
	master string // the name that Sentinels are asked for
}

// DialHook gives an unknown master a name: Sentinels answer with "no value", which callers take for the answer to
// their own command.
func (h restHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if errors.Is(err, redis.Nil) {
			return nil, unknownMaster(h.master)
		}
		return conn, err
	}
}

func (h restHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		h.after(ctx, err)
		return err
	}
}

func (h restHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		h.after(ctx, err)
		return err
	}
}

func (h restHook) after(ctx context.Context, err error) {
	if !refusal(err) {
		return
	}
	t := time.NewTimer(h.rest)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// refusal tells an error reply that will come again from one that is an answer: no value, a script that must be
// sent in full, a slot that moved, asynq's own "not found", and the news that there is no WAITAOF.
func refusal(err error) bool {
	var re redis.Error
	if err == nil || errors.Is(err, redis.Nil) || !errors.As(err, &re) {
		return false
	}
	msg := reply(re)
	for _, answer := range []string{"NOSCRIPT", "MOVED", "ASK", "BUSYGROUP", "NOT FOUND", "QUEUE NOT FOUND", "TASK NOT FOUND",
		"ERR unknown command 'waitaof'", "ERR unknown command 'WAITAOF'", "ERR WAITAOF"} {
		if strings.HasPrefix(msg, answer) {
			return false
		}
	}
	return true
}

// reply is the text of an error reply. Redis 6 quotes with backticks what Redis 7 quotes with apostrophes.
func reply(err redis.Error) string { return strings.ReplaceAll(err.Error(), "`", "'") }
