package queue

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
)

type deaf struct{}

func (deaf) Notify(context.Context, Notification) error { return nil }

// A dead receiver must not fill Redis: then nobody could hand in another video. Wherever the notifications pile up, the video
// is archived, nothing is added to the pile, and the log names the setting.
func TestWhatADeadReceiverLeavesIsBounded(t *testing.T) {
	t.Parallel()
	later := asynqKey(StepNotify, "retry")
	for name, c := range map[string]struct {
		pile func(mr *miniredis.Miniredis) error
		size func(mr *miniredis.Miniredis) int
	}{
		"with asynq": {
			func(mr *miniredis.Miniredis) (err error) {
				for i := 0; i < mostWaiting && err == nil; i++ {
					_, err = mr.ZAdd(later, 9e15, strconv.Itoa(i))
				}
				return err
			},
			func(mr *miniredis.Miniredis) int {
				waits, _ := mr.ZMembers(later)
				pending, _ := mr.List(asynqKey(StepNotify, "pending"))
				outbox, _ := mr.List(keyOutbox)
				return len(waits) + len(pending) + len(outbox)
			},
		},
		"in the outbox": {
			func(mr *miniredis.Miniredis) error {
				_, err := mr.Push(keyOutbox, make([]string, mostWaiting)...)
				return err
			},
			func(mr *miniredis.Miniredis) int { outbox, _ := mr.List(keyOutbox); return len(outbox) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said strings.Builder
			s, mr := insider(t, ServerConfig{Notify: deaf{}, Log: slog.New(slog.NewTextHandler(&said, nil))}, func(context.Context, Work, Progress) (Outcome, error) {
				return Outcome{State: StateArchived}, nil
			})
			if err := c.pile(mr); err != nil {
				t.Fatal(err)
			}
			enqueueAndDispatch(t, s, "v")
			task := asynq.NewTask("status", []byte(`{"a":"default","i":"v","s":"status","e":1}`))
			if err := s.motorHandler(StepStatus).ProcessTask(t.Context(), task); err != nil {
				t.Fatal(err)
			}
			s.working.Wait()
			if st, err := s.Client().Status(t.Context(), "v"); err != nil || st.State != StateArchived {
				t.Errorf("%s, %v; the receiver must not matter to it", st.State, err)
			}
			if name == "with asynq" {
				if err := s.post(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if n := c.size(mr); n != mostWaiting {
				t.Errorf("%d notifications wait; want no more than %d", n, mostWaiting)
			}
			s.tellUnheard()
			s.tellUnheard()
			if n := strings.Count(said.String(), "REELKEEP_NOTIFY_URL"); n != 1 || !strings.Contains(said.String(), "dropped=1") {
				t.Errorf("it was told %d times, want once:\n%s", n, said.String())
			}
		})
	}
}

// A risk is no news that passes: it is told when there is room again.
func TestARiskThatFindsTheOutboxFullIsToldLater(t *testing.T) {
	t.Parallel()
	s, mr := insider(t, ServerConfig{Notify: deaf{}}, func(context.Context, Work, Progress) (Outcome, error) { return Outcome{}, nil })
	ctx := t.Context()
	if _, err := s.Client().Enqueue(ctx, Job{VideoID: "v", Deadline: s.clock.now().Add(riskWindow / 2)}); err != nil {
		t.Fatal(err)
	}
	if _, err := mr.Push(keyOutbox, make([]string, mostWaiting)...); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{mostWaiting, 1} {
		if err := s.tellRisks(ctx); err != nil {
			t.Fatal(err)
		}
		if outbox, _ := mr.List(keyOutbox); len(outbox) != want {
			t.Errorf("%d lie in the outbox; want %d", len(outbox), want)
		}
		if want == mostWaiting {
			mr.Del(keyOutbox)
		}
	}
}
