package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// opsServer answers the platform: is the process alive, is it ready, how does it go. It asks for no token and tells no
// secret, and it listens before anything else is contacted.
type opsServer struct {
	listener net.Listener
	server   *http.Server
	done     chan error
}

// startOps listens on addr.
func startOps(ctx context.Context, addr string, b *board, metrics http.Handler, log *slog.Logger) (*opsServer, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, withCode(exitUsage, fmt.Errorf("REELKEEP_OPS_LISTEN: %w: choose another address, or port 0 for any free one", err))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answerPlain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", b.serveReady)
	mux.Handle("GET /metrics", metrics)
	o := &opsServer{listener: l, done: make(chan error, 1), server: &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	go func() { o.done <- o.server.Serve(l) }()
	log.Info("serving /livez, /readyz and /metrics", "addr", l.Addr().String())
	return o, nil
}

// Close stops listening and cuts what is under way: whoever asks how we are asks again.
func (o *opsServer) Close() error {
	err := o.server.Close()
	if served := <-o.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func (b *board) serveReady(w http.ResponseWriter, _ *http.Request) {
	ok, lines := b.ready()
	if !ok {
		answerPlain(w, http.StatusServiceUnavailable, strings.Join(lines, "\n"))
		return
	}
	answerPlain(w, http.StatusOK, strings.Join(append([]string{"ok"}, lines...), "\n"))
}

func answerPlain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // whoever asked may be gone
}

// askOps asks the service that listens on addr. An answer other than 200 is an error that says what the service said.
func askOps(ctx context.Context, addr, path string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("read the address %s: %w", addr, err)
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1" // a service that listens everywhere is asked on this machine; an image from scratch knows no names
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return "", fmt.Errorf("ask %s: %w", addr, err)
	}
	transport := &http.Transport{DisableKeepAlives: true} // no proxy of the environment stands between us and ourselves
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", fmt.Errorf("ask the service: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return "", fmt.Errorf("ask the service: %w", err)
	}
	text := strings.TrimSpace(string(body))
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the service answers %s: %s", res.Status, text)
	}
	return text, nil
}
