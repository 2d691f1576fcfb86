package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Server works on videos with the slots it has, and shares in the upkeep of the queue: every server
// dispatches, reconciles and beats, so that any one of them is enough.
type Server struct {
	cfg     ServerConfig
	handler Handler
	rdb     redis.UniversalClient
	ledger  *ledger
	log     *slog.Logger
	owner   string
	clock   *clock

	tasks     *asynq.Client
	inspector *asynq.Inspector
	beat      *redis.Script
	tick      *redis.Script
	risk      *redis.Script
	kicks     chan struct{}
	wakes     chan struct{}
	mail      chan struct{} // something lies in the outbox
	slots     map[Step]chan struct{}

	mu         sync.Mutex
	runs       map[string]*run // by flight member
	draining   bool
	trouble    time.Time            // when Redis was last seen to fail, or we to sleep
	beating    time.Time            // since when a beat waits for Redis; zero: none does
	complained map[string]time.Time // by kind of trouble
	started    bool
	working    sync.WaitGroup

	hook       *drainHook
	bell       *doorbell
	stopAsking context.CancelFunc // ends what was asked of Redis before the drain
	grace      context.Context    // ends when handlers have had their time
	endGrace   context.CancelFunc
	telling    context.Context // ends when a drain begins: whoever is being told is told again
	endTelling context.CancelFunc
	stuck      func() // tells the client that the connection must stay open
}

// NewServer checks the configuration; nothing is contacted. rdb must outlive Run: asynq crashes the
// process if its connection is closed first.
func NewServer(rdb redis.UniversalClient, cfg ServerConfig, h Handler) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if h == nil {
		return nil, errors.New("queue: a server needs a handler")
	}
	owner := cfg.Name
	if owner == "" {
		owner = uuid.NewString()
	}
	asking, stopAsking := context.WithCancel(context.Background())
	grace, endGrace := context.WithCancel(context.Background())
	telling, endTelling := context.WithCancel(context.Background())
	return &Server{
		hook: &drainHook{over: asking}, bell: newDoorbell(cfg.IdlePoll), stopAsking: stopAsking, grace: grace, endGrace: endGrace, telling: telling, endTelling: endTelling, stuck: func() {},
		cfg: cfg, handler: h, rdb: rdb, ledger: newLedger(rdb), log: cfg.Log, owner: owner,
		clock:     newClock(rdb, cfg.Now),
		tasks:     asynq.NewClientFromRedisClient(rdb),
		inspector: asynq.NewInspectorFromRedisClient(rdb),
		beat:      beatScript(),
		tick:      tickScript(),
		risk:      riskScript(),
		kicks:     make(chan struct{}, 1),
		wakes:     make(chan struct{}, 1),
		mail:      make(chan struct{}, 1),
		slots: map[Step]chan struct{}{
			StepStatus:   make(chan struct{}, cfg.StatusConcurrency),
			StepTransfer: make(chan struct{}, cfg.Concurrency),
		},
		runs: map[string]*run{}, complained: map[string]time.Time{},
	}, nil
}

// Client returns a client of the same Redis whose jobs this server takes up at once instead of at its next look.
func (s *Server) Client() *Client {
	c := NewClientFromRedis(s.rdb)
	c.now = s.cfg.Now
	c.kick = s.kick
	return c
}

func (s *Server) kick() { poke(s.kicks) }

// Wake makes the server look at once for videos that another process has handed in, instead of at its next look. Of all
// servers of a fleet that are woken for the same videos one looks.
func (s *Server) Wake() { poke(s.wakes) }

// poke leaves a token in a channel that holds one: whoever receives from it looks at all there is.
func poke(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, then drains: handlers see ErrDraining, their videos are handed back, and Run returns when
// all goroutines are gone except those of a handler that ignores its context. It returns nil then, and ErrNotStopped if
// that took longer than DrainGrace and two seconds because Redis hangs. Before any work it returns an error if the fleet has another fingerprint or Redis refuses us (*RedisError); while
// Redis is out of reach or full it keeps trying. A server runs once.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.started {
		s.mu.Unlock()
		return errors.New("queue: this server has run already; make a new one")
	}
	s.started = true
	s.trouble = time.Now() // a server that has just come knows nothing of the time before
	s.mu.Unlock()
	s.rdb.AddHook(s.hook)
	defer s.stopAsking()
	defer s.endGrace()
	defer s.endTelling()

	// Upkeep must outlive ctx: draining means writing to Redis after ctx has ended.
	live, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	if err := s.arrive(ctx); err != nil || ctx.Err() != nil {
		s.hook.lift()
		return err
	}
	motors, err := s.startMotors()
	if err != nil {
		s.hook.lift()
		return err
	}
	var loops sync.WaitGroup
	dispatching, stopDispatch := context.WithCancel(live)
	defer stopDispatch()
	loops.Go(func() { s.dispatchLoop(dispatching) })
	loops.Go(func() { s.beatLoop(live) })
	loops.Go(func() { s.reconcileLoop(dispatching) })
	loops.Go(func() { s.recentLoop(dispatching) })
	if s.cfg.Notify != nil {
		loops.Go(func() { s.postLoop(dispatching) })
		loops.Go(func() { s.riskLoop(dispatching) })
	}

	<-ctx.Done()
	stopDispatch()
	err = s.drain(live, motors)
	stop()
	loops.Wait()
	if err == nil {
		s.hook.lift()
	}
	return err
}

// arrive waits until Redis answers and the fingerprint is known to be ours. A Redis that refuses us is not waited for.
func (s *Server) arrive(ctx context.Context) error {
	wait := 100 * time.Millisecond
	for {
		err := Explain(s.present(ctx))
		var other *FingerprintError
		var refused *RedisError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &other), errors.As(err, &refused) && !refused.Passing:
			return err
		case ctx.Err() != nil:
			return nil
		}
		s.log.Warn("redis can't be used yet; still trying", "err", err)
		if !pause(ctx, wait) {
			return nil
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// startMotors starts one asynq server for each step, so that long transfers never hold up status calls, and one for
// notifications.
func (s *Server) startMotors() ([]*asynq.Server, error) {
	s.rdb.AddHook(s.bell)
	var motors []*asynq.Server
	fail := func(err error) ([]*asynq.Server, error) {
		for _, running := range motors {
			running.Shutdown()
		}
		return nil, err
	}
	for _, step := range []Step{StepStatus, StepTransfer} {
		cfg := s.motorConfig(step, s.cfg.slots(step))
		cfg.TaskCheckInterval = asynqPause
		// Only trouble with Redis reaches these two: what handlers say is settled in the ledger.
		cfg.RetryDelayFunc = func(int, error, *asynq.Task) time.Duration { return 2 * time.Second }
		cfg.IsFailure = func(err error) bool { return errors.Is(err, asynq.ErrLeaseExpired) }
		m := asynq.NewServerFromRedisClient(s.rdb, cfg)
		if err := m.Start(s.motorHandler(step)); err != nil {
			return fail(fmt.Errorf("start the %s queue: %w", step, err))
		}
		motors = append(motors, m)
	}
	if s.cfg.Notify != nil {
		m, err := s.startNotifier()
		if err != nil {
			return fail(err)
		}
		motors = append(motors, m)
	}
	return motors, nil
}

// motorConfig is what all asynq servers have in common.
func (s *Server) motorConfig(step Step, slots int) asynq.Config {
	return asynq.Config{
		Concurrency: slots, Queues: map[string]int{string(step): 1},
		TaskCheckInterval: s.cfg.IdlePoll, DelayedTaskCheckInterval: max(s.cfg.Poll, time.Second),
		ShutdownTimeout: s.cfg.DrainGrace, Logger: motorLog{s.log, s.speaks}, LogLevel: asynq.WarnLevel,
	}
}

// pause waits d unless ctx ends first, and says whether it waited.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
