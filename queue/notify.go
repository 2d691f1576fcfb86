package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hibiken/asynq"
)

const (
	// notifySlots is how many notifications are on their way at once. A dead receiver holds each for its time-out, and
	// nothing else waits for them.
	notifySlots                    = 16
	notifyFirstWait, notifyLongest = 5 * time.Second, 30 * time.Minute
)

// startNotifier starts the asynq server of notifications. Transfers and status calls have servers of their own, so that
// a receiver that is dead or slow delays nothing.
func (s *Server) startNotifier() (*asynq.Server, error) {
	cfg := s.motorConfig(StepNotify, notifySlots)
	cfg.RetryDelayFunc = notifyWait
	cfg.IsFailure = func(err error) bool { return !errors.Is(err, ErrDraining) } // that is no failure of the receiver's
	m := asynq.NewServerFromRedisClient(s.rdb, cfg)
	if err := m.Start(asynq.HandlerFunc(s.deliver)); err != nil {
		return nil, fmt.Errorf("start the %s queue: %w", StepNotify, err)
	}
	return m, nil
}

// notifyWait doubles from five seconds to half an hour, less up to a fifth by chance.
func notifyWait(n int, err error, _ *asynq.Task) time.Duration {
	if errors.Is(err, ErrDraining) {
		return 0
	}
	var wait retryAfter
	if errors.As(err, &wait) {
		return min(max(wait.RetryAfter(), time.Second), time.Hour)
	}
	d := notifyFirstWait
	for ; n > 0 && d < notifyLongest; n-- {
		d *= 2
	}
	d = min(d, notifyLongest)
	return d - time.Duration(rand.Int64N(int64(d)/5+1))
}

// deliver tries once. It answers nil if the notification is delivered or given up, so that asynq forgets it.
func (s *Server) deliver(ctx context.Context, t *asynq.Task) error {
	n, err := decodeNote(string(t.Payload()))
	if err != nil {
		s.log.Error("a task that is not ours is in our queue; dropped", "queue", string(StepNotify))
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.telling, func() { cancel(ErrDraining) })() //nolint:contextcheck // it only waits for the drain
	err = s.safelyNotify(ctx, n.notification())
	var final permanent
	switch {
	case err == nil:
		s.log.Info("notified", "event", string(n.Event), "video_id", n.Video.ID, "notification", n.ID)
		return nil
	case errors.Is(context.Cause(ctx), ErrDraining):
		return ErrDraining
	case errors.As(err, &final) && final.Permanent():
		s.log.Error("a notification is given up: its receiver wants no more of it", "event", string(n.Event), "video_id", n.Video.ID, "notification", n.ID, "err", err)
		return nil
	case s.clock.now().Sub(fromMillis(n.At)) > notifyLife:
		s.log.Error("a notification is given up: it could not be delivered for a day", "event", string(n.Event), "video_id", n.Video.ID, "notification", n.ID, "err", err)
		return nil
	}
	if s.speaks("notification") {
		tries, _ := asynq.GetRetryCount(ctx)
		s.log.Warn("a notification will be tried again", "event", string(n.Event), "video_id", n.Video.ID, "notification", n.ID, "attempt", tries+1, "err", err)
	}
	return err
}

func (s *Server) safelyNotify(ctx context.Context, n Notification) (err error) {
	defer func() {
		if x := recover(); x != nil {
			s.log.Error("notifier panicked", "video_id", n.VideoID, "err", fmt.Sprint(x))
			err = fmt.Errorf("internal error: %v", x)
		}
	}()
	return s.cfg.Notify.Notify(ctx, n)
}
