package queue

import (
	"encoding/json"
	"fmt"
)

// maxRecord keeps the index small: with its name and its place in the hash, a settled video takes 400 bytes of Redis's
// memory at the very most, so that a million are 400 MB.
const maxRecord = 300

// record is one settled video in the index. What does not fit into maxRecord is dropped, least needed first: the
// manifest has it all. See pack for what is written.
type record struct {
	State    State             `json:"s"`
	Reason   string            `json:"r,omitempty"`
	Epoch    int64             `json:"e"`
	Accepted int64             `json:"a,omitempty"`
	Settled  int64             `json:"u,omitempty"`
	Sealed   int64             `json:"z,omitempty"`
	Deadline int64             `json:"d,omitempty"`
	Title    string            `json:"t,omitempty"`
	Bytes    int64             `json:"b,omitempty"`
	Attempts int               `json:"n,omitempty"`
	Files    string            `json:"f,omitempty"` // see packFiles
	Times    string            `json:"w,omitempty"` // see packTimes
	Code     string            `json:"c,omitempty"`
	Message  string            `json:"m,omitempty"`
	Hint     string            `json:"h,omitempty"`
	Priority Priority          `json:"p,omitempty"`
	Metadata map[string]string `json:"x,omitempty"`
}

func recordOf(e *entry) record {
	r := record{
		State: e.State, Reason: clip(e.Reason, 40), Epoch: e.Epoch, Accepted: e.Accepted, Settled: e.Updated,
		Sealed: e.Sealed, Deadline: e.Deadline, Title: clip(e.Title, 120), Bytes: e.Bytes, Attempts: e.Attempts,
		Files: packFiles(e.Assets), Metadata: e.Metadata,
	}
	if e.Priority != PriorityInteractive {
		r.Priority = e.Priority
	}
	if e.Error != nil {
		r.Code, r.Message, r.Hint = clip(e.Error.Code, 40), clip(e.Error.Message, 160), clip(e.Error.Hint, 100)
	}
	return r
}

// encode drops parts of the record until it fits. JSON may blow a text up six times (control characters), so the
// last steps cut hard; what is left without texts is far below the limit.
func (r record) encode() (string, error) {
	shrink := []func(){
		func() {},
		func() { r.Metadata = nil },
		func() { r.Hint = "" },
		func() { r.Message, r.Title = clip(r.Message, 100), clip(r.Title, 60) },
		func() { r.Message, r.Title, r.Files = clip(r.Message, 50), clip(r.Title, 30), "" },
		func() { r.Message, r.Title = "", "" },
		func() { r.Code, r.Reason = clip(r.Code, 8), clip(r.Reason, 8) },
	}
	var raw string
	for _, step := range shrink {
		step()
		var err error
		if raw, err = encode(r.pack()); err != nil {
			return "", err
		}
		if len(raw) <= maxRecord {
			break
		}
	}
	return raw, nil
}

func decodeRecord(field, raw string) (*record, error) {
	r := new(record)
	if err := json.Unmarshal([]byte(raw), r); err != nil {
		return nil, fmt.Errorf("read index record of %s: %w", field, err)
	}
	if err := r.unpack(); err != nil {
		return nil, fmt.Errorf("read index record of %s: %w", field, err)
	}
	return r, nil
}

func (r *record) status(field string) Status {
	account, id := splitField(field)
	s := Status{
		VideoID: id, Account: account, State: r.State, Reason: r.Reason, Title: r.Title,
		Deadline: timePtr(r.Deadline), Attempts: r.Attempts, AcceptedAt: fromMillis(r.Accepted),
		UpdatedAt: fromMillis(r.Settled), SealedAt: timePtr(r.Sealed), Bytes: r.Bytes,
		Assets: unpackFiles(r.Files), Metadata: r.Metadata, Priority: r.Priority,
	}
	if s.Priority == "" {
		s.Priority = PriorityInteractive
	}
	if r.Message != "" || r.Code != "" {
		s.Error = &ErrorInfo{Code: r.Code, Message: r.Message, Hint: r.Hint}
	}
	return s
}
