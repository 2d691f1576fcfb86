package queue

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"time"
)

// wire is how connections are made. Tests lay one of their own, and bring a CA.
type wire struct {
	dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	roots *x509.CertPool // nil: what the machine trusts
}

const (
	dialTimeout = 5 * time.Second
	// handshakeTimeout ends the wait for a plain Redis that takes a TLS greeting for the beginning of a long command.
	handshakeTimeout = 5 * time.Second
)

// tcpDialer finds a peer that is gone in 45 s, even between two commands.
func tcpDialer() *net.Dialer {
	return &net.Dialer{Timeout: dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3}}
}

// dialer replaces go-redis's own, which neither listens to the context during a TLS handshake nor knows more than
// one host name. named are the addresses in the URL.
func (w wire) dialer(conf *tls.Config, named ...string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := w.dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if conf == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				return &plainConn{TCPConn: tcp, addr: addr}, nil
			}
			return conn, nil
		}
		secured := tls.Client(conn, w.secured(conf, addr, named))
		ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, &handshakeError{addr: addr, err: err}
		}
		return secured, nil
	}
}

// secured is the configuration for one address. A node that was found through others may be known by an address that
// no certificate holds; it passes for any host of the URL, all of which the user trusts.
func (w wire) secured(conf *tls.Config, addr string, named []string) *tls.Config {
	conf = conf.Clone()
	conf.RootCAs = w.roots
	conf.ServerName = hostOf(addr)
	if conf.InsecureSkipVerify || slices.Contains(named, addr) {
		return conf
	}
	names := []string{hostOf(addr)}
	for _, n := range named {
		names = append(names, hostOf(n))
	}
	conf.InsecureSkipVerify = true // verify does the same work for several names
	conf.VerifyConnection = func(cs tls.ConnectionState) error { return verify(cs, w.roots, names) }
	return conf
}

// verify is crypto/tls's own check, for the first name that fits.
func verify(cs tls.ConnectionState, roots *x509.CertPool, names []string) error {
	opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range cs.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	var first error
	for _, name := range names {
		opts.DNSName = name
		_, err := cs.PeerCertificates[0].Verify(opts)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return &tls.CertificateVerificationError{UnverifiedCertificates: cs.PeerCertificates, Err: first}
}

func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// handshakeError is a TLS handshake that failed.
type handshakeError struct {
	addr string
	err  error
}

func (e *handshakeError) Error() string {
	return fmt.Sprintf("TLS handshake with %s: %v", e.addr, e.err)
}

// Unwrap hides silence from go-redis, which would ask four times more what takes five seconds each.
func (e *handshakeError) Unwrap() error {
	if e.silent() {
		return nil
	}
	return e.err
}

func (e *handshakeError) silent() bool {
	var timeout net.Error
	return errors.Is(e.err, context.DeadlineExceeded) || errors.As(e.err, &timeout) && timeout.Timeout()
}

// plainConn tells a Redis that hangs up before it has said a word, as one does that speaks only TLS, from one that
// went away later.
type plainConn struct {
	*net.TCPConn
	addr  string
	heard bool
}

func (c *plainConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if n > 0 {
		c.heard = true
	} else if !c.heard && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)) {
		return n, &hungUpError{addr: c.addr, err: err}
	}
	return n, err
}

// hungUpError is a connection that was closed at the first word.
type hungUpError struct {
	addr string
	err  error
}

func (e *hungUpError) Error() string { return e.addr + " closed the connection without a word" }

// Unwrap keeps it a broken connection for go-redis. A list, since go-redis takes the first wrapping off errors of a new
// connection.
func (e *hungUpError) Unwrap() []error { return []error{e.err} }

// speaksTLS says whether somebody answers a TLS greeting at addr. Nothing of ours is said there.
func speaksTLS(ctx context.Context, addr string) bool {
	conn, err := tcpDialer().DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	answered := false
	// The certificate is not asked for: whoever shows one speaks TLS.
	greeting := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: hostOf(addr), VerifyConnection: func(tls.ConnectionState) error {
		answered = true
		return nil
	}})
	return greeting.HandshakeContext(ctx) == nil || answered
}

// speaksPlain says whether a Redis without TLS answers at addr.
func speaksPlain(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, err := tcpDialer().DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok && conn.SetDeadline(deadline) != nil {
		return false
	}
	first := make([]byte, 1)
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	if _, err := io.ReadFull(conn, first); err != nil {
		return false
	}
	return first[0] == '+' || first[0] == '-'
}
