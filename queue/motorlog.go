package queue

import (
	"fmt"
	"log/slog"
)

// motorLog passes asynq's own talk on. Its messages are free text with values inside, so the text goes into an
// attribute; and its Fatal must not end the process.
type motorLog struct{ log *slog.Logger }

func (m motorLog) Debug(args ...any) { m.log.Debug("asynq", "text", clip(fmt.Sprint(args...), 500)) }
func (m motorLog) Info(args ...any)  { m.log.Debug("asynq", "text", clip(fmt.Sprint(args...), 500)) }
func (m motorLog) Warn(args ...any)  { m.log.Warn("asynq", "text", clip(fmt.Sprint(args...), 500)) }
func (m motorLog) Error(args ...any) { m.log.Warn("asynq", "text", clip(fmt.Sprint(args...), 500)) }
func (m motorLog) Fatal(args ...any) { m.log.Error("asynq", "text", clip(fmt.Sprint(args...), 500)) }
