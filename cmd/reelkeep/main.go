// Command reelkeep archives finished HeyGen videos before their links die.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	// An image made from scratch has no root certificates; without these, no https there. A system's own win.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/embedded"
	"github.com/reelkeep/reelkeep/queue"
)

// errInterrupted is the cause of a context that a person ended.
var errInterrupted = errors.New("interrupted")

func main() {
	embedded.RunIfChild()
	// Libraries that print by themselves (net/http, go-redis) have nothing to say that our own errors do not.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	queue.SilenceRedisLog()
	endProfile := startProfile()
	ctx, stop := untilSignal()
	code := run(ctx, os.Args, newConsole(os.Stdin, os.Stdout, os.Stderr))
	stop()
	endProfile()
	os.Exit(code)
}

// untilSignal returns a context that the first SIGINT or SIGTERM ends. A second one ends the process at once:
// whoever presses Ctrl-C twice means it, and a killed process loses only parts in flight.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-signals; !ok {
			return
		}
		cancel(errInterrupted)
		if _, ok := <-signals; ok {
			os.Exit(exitInterrupted)
		}
	}()
	return ctx, func() { signal.Stop(signals); close(signals); cancel(nil) }
}
