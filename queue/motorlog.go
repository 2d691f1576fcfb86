package queue

import (
	"fmt"
	"log/slog"
)

// motorLog passes asynq's own talk on. Its messages are free text with values inside, so the text goes into an
// attribute; in an outage there is one for every task, so only the first of a kind is told; and its Fatal must not end
// the process.
type motorLog struct {
	log    *slog.Logger
	speaks func(what string) bool
}

func (m motorLog) Debug(args ...any) { m.log.Debug("asynq", "text", clip(fmt.Sprint(args...), 500)) }
func (m motorLog) Info(args ...any)  { m.log.Debug("asynq", "text", clip(fmt.Sprint(args...), 500)) }
func (m motorLog) Warn(args ...any)  { m.tell(fmt.Sprint(args...)) }
func (m motorLog) Error(args ...any) { m.tell(fmt.Sprint(args...)) }
func (m motorLog) Fatal(args ...any) { m.log.Error("asynq", "text", clip(fmt.Sprint(args...), 500)) }

// kindLength is how much of a message tells its kind: behind it come ids and addresses.
const kindLength = 16

func (m motorLog) tell(text string) {
	if m.speaks("asynq: " + clip(text, kindLength)) {
		m.log.Warn("asynq", "text", clip(text, 500))
	}
}
