package heygensim

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options set what HeyGen is like. The zero value is HeyGen as it is, with both generations.
type Options struct {
	// Key is the one valid API key; random where empty.
	Key string

	// V1 and V3 switch a generation on. Both false means both; a generation that is off answers an HTML page.
	V1, V3 bool

	// LinkLife is how long a link lives; 7 days where zero. Links end on whole seconds, never early.
	LinkLife time.Duration

	// Now is the clock of everything but network delays; time.Now where nil.
	Now func() time.Time

	// PageSize caps a page of a list, so that few videos make many pages; 100 where zero, as with HeyGen.
	PageSize int

	// AssetTLS serves the assets by https, with a certificate that only RootCAs knows.
	AssetTLS bool

	// Bandwidth is what one answer of the asset host may carry in bytes a second; zero means no limit.
	Bandwidth int64

	// Messy makes the API answer as it sometimes does: null keys left out, whole numbers as floats, the code
	// as a string, fields nobody has heard of.
	Messy bool

	// LateSecret leaves the secret out of the answer that registers a webhook.
	LateSecret bool

	// CountOnly keeps no journal of the requests but their Counts, so that hundreds of thousands of them cost nothing.
	CountOnly bool
}

const week = 7 * 24 * time.Hour

// Sim is a running simulator. Its methods may be called at any time from any goroutine.
type Sim struct {
	opt     Options
	signer  signer
	roots   *x509.CertPool
	servers []*http.Server
	apiURL  string
	fileURL string
	done    chan struct{} // closed by Close, so that a stalled answer ends
	serving sync.WaitGroup
	buffers sync.Pool
	journal journal

	mu      sync.Mutex
	closed  bool
	seq     int64
	videos  map[string]*entry
	sorted  []*entry // the videos in the order of a list; nil after a change
	paths   map[string]*object
	samples samples
	faults  []apiFault
	hooks   []*hook
	outage  *outage // comes before the faults
}

// New starts the API and the asset host. Close stops them.
func New(opt Options) (*Sim, error) {
	if !opt.V1 && !opt.V3 {
		opt.V1, opt.V3 = true, true
	}
	if opt.LinkLife == 0 {
		opt.LinkLife = week
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.PageSize == 0 {
		opt.PageSize = maxPage
	}
	if opt.Key == "" {
		opt.Key = "sk_V2_sim_" + randomHex(16)
	}
	s := &Sim{
		opt:     opt,
		signer:  newSigner(),
		done:    make(chan struct{}),
		buffers: sync.Pool{New: func() any { return new([bufferSize]byte) }},
		videos:  map[string]*entry{},
		paths:   map[string]*object{},
		samples: samples{},
	}
	s.journal.key, s.journal.brief = opt.Key, opt.CountOnly
	var tlsConfig *tls.Config
	if opt.AssetTLS {
		var err error
		if tlsConfig, s.roots, err = selfSigned(); err != nil {
			return nil, fmt.Errorf("make a certificate for the simulated asset host: %w", err)
		}
	}
	var err error
	if s.apiURL, err = s.listen(s.serveAPI, nil); err == nil {
		s.fileURL, err = s.listen(s.serveAsset, tlsConfig)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the HeyGen simulator: %w", err), s.Close())
	}
	return s, nil
}

// listen serves h on a free port of 127.0.0.1 and returns its address.
func (s *Sim) listen(h http.HandlerFunc, tlsConfig *tls.Config) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := "http://" + l.Addr().String()
	if tlsConfig != nil {
		address = "https://" + l.Addr().String()
		l = tls.NewListener(l, tlsConfig)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !s.enter() {
				return
			}
			defer s.serving.Done()
			h(w, r)
		}),
		ReadHeaderTimeout: time.Minute,
		// Clients that hang up are this server's daily business, nothing to print about.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	s.servers = append(s.servers, server)
	s.serving.Go(func() { _ = server.Serve(l) }) // ends with ErrServerClosed
	return address, nil
}

// enter counts a request in, unless Close has begun.
func (s *Sim) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.serving.Add(1)
	return true
}

// APIURL is what HEYGEN_API_URL is set to.
func (s *Sim) APIURL() string { return s.apiURL }

// AssetURL is the origin of the links.
func (s *Sim) AssetURL() string { return s.fileURL }

// Key is the valid API key.
func (s *Sim) Key() string { return s.opt.Key }

// RootCAs verifies the asset host's certificate; nil without AssetTLS.
func (s *Sim) RootCAs() *x509.CertPool { return s.roots }

// Close cuts every connection and returns when nothing of the simulator runs any more. It may be called twice.
func (s *Sim) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	s.mu.Unlock()
	var errs []error
	for _, server := range s.servers {
		errs = append(errs, server.Close())
	}
	s.serving.Wait()
	return errors.Join(errs...)
}

// Add puts a video into the account; one with the same id is replaced, and its render starts anew.
func (s *Sim) Add(v Video) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opt.Now()
	if v.CreatedAt.IsZero() {
		v.CreatedAt = now
	}
	s.seq++
	s.put(s.newEntry(v, now, s.seq, nil))
}

// Release ends the render of videos that were added with Held; of all of them where no id is given.
func (s *Sim) Release(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opt.Now()
	if len(ids) == 0 {
		for _, e := range s.videos {
			e.release(now)
		}
	}
	for _, id := range ids {
		if e := s.videos[id]; e != nil {
			e.release(now)
		}
	}
}

// Remove deletes a video, its files included, as a user of HeyGen may at any time.
func (s *Sim) Remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(id)
}

// Update changes a video in place: another title, a new render, an asset more. Its id stays.
func (s *Sim) Update(id string, change func(*Video)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.videos[id]
	if old == nil {
		return
	}
	// A copy of the map: a caller who keeps the one given to Add must not see it change.
	v := s.newEntry(old.Video, old.added, old.seq, old).Video
	change(&v)
	v.ID = id
	s.put(s.newEntry(v, old.added, old.seq, old))
}

// put needs the lock.
func (s *Sim) put(e *entry) {
	s.drop(e.ID)
	s.videos[e.ID], s.sorted = e, nil
	for _, o := range e.objects {
		for _, p := range o.paths {
			s.paths[p] = o
		}
	}
}

// drop needs the lock.
func (s *Sim) drop(id string) {
	old := s.videos[id]
	if old == nil {
		return
	}
	for _, o := range old.objects {
		for _, p := range o.paths {
			delete(s.paths, p)
		}
	}
	delete(s.videos, id)
	s.sorted = nil
}

// Open returns the bytes that the asset host has for an asset, for comparison: the original, and after the
// fault "replaced" has struck, the replacement. Nil and 0 where there is no such asset.
func (s *Sim) Open(id, asset string) (io.ReaderAt, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.videos[id]
	if e == nil || e.objects[asset] == nil {
		return nil, 0
	}
	c := e.objects[asset].current()
	return c.ReaderAt, c.size
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails, by its own promise
	return hex.EncodeToString(b)
}
