package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
)

const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10
	// closePatience is how long requests under way may take once the service stops; all of it has to be over within 10 s.
	closePatience = 6 * time.Second
)

// Server listens before there is anything to serve: until Serve has given it a handler it answers that it is starting.
type Server struct {
	listener net.Listener
	server   *http.Server
	handler  atomic.Pointer[http.Handler]
	cancel   context.CancelFunc
	done     chan struct{}
	err      error // set before done is closed
}

// Listen opens the door at addr. Starting says what is waited for.
func Listen(ctx context.Context, addr string, starting func() []string, log *slog.Logger) (*Server, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("REELKEEP_LISTEN: %w: choose another address, or port 0 for any free one", err)
	}
	// Requests outlive the order to stop by closePatience.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{listener: l, cancel: cancel, done: make(chan struct{})}
	s.handle(notYet(starting))
	s.server = &http.Server{
		Handler:           recovering(http.HandlerFunc(s.serve), log),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("serve the API at %s: %w", l.Addr(), err)
		}
	}()
	return s, nil
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers with h until ctx ends or the listener fails. From the moment on that serving is called there is no other answer.
func (s *Server) Serve(ctx context.Context, h http.Handler, serving func()) error {
	s.handle(h)
	serving()
	select {
	case <-ctx.Done():
		return s.Close() //nolint:contextcheck // ctx has ended
	case <-s.done:
		return s.err
	}
}

// Close stops listening, gives requests under way some seconds, and cuts off the rest. It may be called twice.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	err := s.server.Shutdown(ctx)
	s.cancel()
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.server.Close() // a long film: the player asks for the rest, and another process answers
	}
	<-s.done
	return errors.Join(err, s.err)
}

func (s *Server) handle(h http.Handler) { s.handler.Store(&h) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) { (*s.handler.Load()).ServeHTTP(w, r) }

// notYet answers while the parts of the service are not there.
func notYet(starting func() []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := problem.New(http.StatusServiceUnavailable, "starting", "the service is starting", "ask again in a moment; /readyz tells what is waited for")
		if len(starting()) > 0 {
			p.Detail = "the service is waiting for what it depends on"
		}
		p.RetryAfter = 2 * time.Second
		p.ServeHTTP(w, r)
	})
}

// recovering turns a panic into an answer.
func recovering(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v)
			default:
				log.Error("a request made the service panic", "method", r.Method, "panic", fmt.Sprint(v), "stack", stack())
				problem.Write(w, http.StatusInternalServerError, "internal", "something is wrong with reelkeep itself", "its log tells more; please report it")
			}
		}()
		next.ServeHTTP(w, r)
	})
}
