package storage

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A Store is the shelf: one prefix of one bucket. It is safe for concurrent use.
type Store struct {
	cfg       Config
	loc       location
	client    *s3.Client
	signer    *s3.PresignClient
	creds     aws.CredentialsProvider
	log       *slog.Logger
	now       func() time.Time
	closeIdle func()
	plainHTTP bool // no TLS: the payload must be part of the signature
	loopback  bool // the store is on this machine

	probing chan struct{}                // holds one token while a probe runs
	caps    atomic.Pointer[Capabilities] // nil until a probe succeeded
}

// Open reads the settings and prepares the client. It contacts nothing; Check does.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	loc, err := parseLocation(cfg.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, loc: loc, log: cfg.Log, now: cfg.Now, closeIdle: func() {}, probing: make(chan struct{}, 1)}
	if err := s.connect(ctx); err != nil {
		return nil, fmt.Errorf("open store %s: %w", loc, err)
	}
	return s, nil
}

// Close lets go of idle connections. Running requests are not touched.
func (s *Store) Close() { s.closeIdle() }

// Fingerprint is the same for every worker of a fleet and differs for another place, whichever endpoint leads there.
func (s *Store) Fingerprint() string { return s.loc.String() }

// PartSize returns the part size of an upload of the given total; -1 means that the total is not known. It fails if S3 takes
// no object that large.
func (s *Store) PartSize(total int64) (int64, error) {
	p, err := newPlan(total, s.cfg.PartSize)
	return p.partSize, err
}
