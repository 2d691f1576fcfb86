package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/fetch"
	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// Two rooms that don't know each other share one word; if it differed, every caller that gives up would close the gate.
func TestTheGateAndTheBudgetMeanTheSameByInconclusive(t *testing.T) {
	t.Parallel()
	var _ heygen.Gate = (*queue.Budget)(nil)
	if queue.WhyInconclusive != heygen.Inconclusive {
		t.Errorf("the budget says %q, HeyGen's gate %q", queue.WhyInconclusive, heygen.Inconclusive)
	}
}

// shut is a gate that others have closed.
type shut string

func (s shut) Enter(context.Context) (time.Duration, string, error) {
	return 30 * time.Second, string(s), nil
}
func (shut) Leave(context.Context, string, time.Duration) {}

// behind is a service whose HeyGen stands behind a shut gate.
func behind(t *testing.T, gate shut) (*service, *heygen.Client) {
	t.Helper()
	api, err := heygen.New(heygen.Config{BaseURL: "http://127.0.0.1:1", Key: secret.New("good"), Gate: gate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	log := slog.New(slog.DiscardHandler)
	return &service{log: log, board: newBoard(log)}, api
}

// While a new key is rolled out, the old processes keep the account's gate closed. That must not end the new ones.
func TestAGateThatOthersClosedOverTheirKeyDoesNotEndANewProcess(t *testing.T) {
	t.Parallel()
	s, api := behind(t, "unauthorized")
	if err := s.checkKeys(t.Context(), &parts{heygen: map[string]*heygen.Client{"default": api}}); err != nil {
		t.Errorf("serve would end with %d: %v", codeOf(t.Context(), err), err)
	}
}

// A used-up allowance is no trouble of HeyGen's.
func TestABusyFleetIsReady(t *testing.T) {
	t.Parallel()
	s, api := behind(t, queue.WhyBusy)
	if err := s.checkKeys(t.Context(), &parts{heygen: map[string]*heygen.Client{"default": api}}); err != nil {
		t.Fatal(err)
	}
	archiver, err := worker.NewArchiver(worker.Config{}, worker.Deps{
		Catalogs: map[string]worker.Catalog{"default": heygen.NewDesk(api, heygen.DeskConfig{})},
		Opener:   &fetch.Client{}, Store: &storage.Store{}, Buffers: &worker.Buffers{},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{archiver: archiver, outlook: s, wait: true}
	_, err = b.Handle(t.Context(), queue.Work{Job: queue.Job{VideoID: "v", Account: "default"}, Step: queue.StepStatus, State: queue.StateRendering}, nil)
	var busy *worker.BusyError
	if !errors.As(err, &busy) || busy.RetryAfter() <= 0 {
		t.Fatalf("got %v, want that the fleet is busy", err)
	}
	if s.board.hopeless() || len(s.board.problems()) > 0 {
		t.Errorf("/readyz tells of %v", s.board.problems())
	}
}
