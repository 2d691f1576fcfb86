package queue

import (
	"context"
	"crypto/x509"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// ConnectOver is Connect over a line that the test holds, with a CA that only the test trusts.
func ConnectOver(rawURL string, dial func(ctx context.Context, network, addr string) (net.Conn, error), roots *x509.CertPool) (redis.UniversalClient, error) {
	return connect(rawURL, wire{dial: dial, roots: roots})
}

// ACLAdvice is the hint about what a user must be allowed.
const ACLAdvice = aclAdvice

// SweepsAt is Client.Sweeps with a clock of the test's own.
func SweepsAt(c *Client, now func() time.Time) *Sweeps {
	s := c.Sweeps()
	s.now = now
	return s
}
