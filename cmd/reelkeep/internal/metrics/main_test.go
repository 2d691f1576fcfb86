package metrics

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"github.com/reelkeep/reelkeep/queue"
)

func TestMain(m *testing.M) {
	queue.SilenceRedisLog()
	goleak.VerifyTestMain(closing{m})
}

// closing ends the connections that tests leave to http.DefaultTransport.
type closing struct{ m *testing.M }

func (c closing) Run() int {
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	return c.m.Run()
}
