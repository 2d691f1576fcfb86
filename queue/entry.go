package queue

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// entry is one video in the ledger. Only Go reads and writes it: the scripts compare it as a string, so that the
// rules of the queue live in one language. Times are Unix milliseconds; 0 is unknown.
type entry struct {
	ID       string            `json:"id"`
	Account  string            `json:"acc"`
	Priority Priority          `json:"prio"`
	Metadata map[string]string `json:"meta,omitempty"`
	State    State             `json:"state"`
	Step     Step              `json:"step"`
	Epoch    int64             `json:"epoch"`
	Flight   bool              `json:"fly,omitempty"`  // handed to asynq under Epoch
	Due      int64             `json:"due,omitempty"`  // not before; 0 is now
	Called   bool              `json:"call,omitempty"` // HeyGen has told of it since it was handed out

	Accepted  int64 `json:"at"`
	Updated   int64 `json:"upd"`
	Deadline  int64 `json:"dead,omitempty"`
	Completed int64 `json:"comp,omitempty"`
	Sealed    int64 `json:"seal,omitempty"`

	Title    string        `json:"title,omitempty"`
	Reason   string        `json:"why,omitempty"`
	Error    *ErrorInfo    `json:"err,omitempty"`
	Attempts int           `json:"try,omitempty"`
	Failures int           `json:"fail,omitempty"`
	Cut      Interruption  `json:"cut,omitempty"` // how the last transfer that stored anything ended, if not by an answer
	Bytes    int64         `json:"bytes,omitempty"`
	Assets   []AssetStatus `json:"assets,omitempty"`
}

// progress is what a running handler has reached; kept beside the ledger so that writing it never collides with a
// change of the entry.
type progress struct {
	Owner  string        `json:"own"`
	Epoch  int64         `json:"epoch"`
	Parts  int64         `json:"parts,omitempty"`
	Title  string        `json:"title,omitempty"`
	Assets []AssetStatus `json:"assets,omitempty"`
}

func fieldOf(account, id string) string { return account + "/" + id }

func splitField(field string) (account, id string) {
	account, id, _ = strings.Cut(field, "/")
	return account, id
}

func (e *entry) field() string { return fieldOf(e.Account, e.ID) }

// flightMember names this run among those under way: a stale run asks for a name that is no longer there.
func (e *entry) flightMember() string { return e.field() + "/" + strconv.FormatInt(e.Epoch, 10) }

func splitFlight(member string) (field string, epoch int64, ok bool) {
	i := strings.LastIndexByte(member, '/')
	if i < 0 {
		return "", 0, false
	}
	epoch, err := strconv.ParseInt(member[i+1:], 10, 64)
	return member[:i], epoch, err == nil
}

// orderBy is the deadline, or what stands in for it.
func (e *entry) orderBy() int64 {
	if e.Deadline != 0 {
		return e.Deadline
	}
	return e.Accepted + linkLife.Milliseconds()
}

func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode ledger entry: %w", err)
	}
	return string(b), nil
}

func decodeEntry(field, raw string) (*entry, error) {
	e := new(entry)
	if err := json.Unmarshal([]byte(raw), e); err != nil {
		return nil, fmt.Errorf("read ledger entry of %s: %w", field, err)
	}
	if e.field() != field {
		return nil, fmt.Errorf("read ledger entry of %s: it names %s", field, e.field())
	}
	return e, nil
}

func (e *entry) clone() *entry {
	c := *e
	return &c
}

func (e *entry) work() Work {
	return Work{
		Job: Job{VideoID: e.ID, Account: e.Account, Priority: e.Priority, Metadata: e.Metadata,
			Deadline: fromMillis(e.Deadline)},
		Step: e.Step, State: e.State, AcceptedAt: fromMillis(e.Accepted),
		FirstCompleted: fromMillis(e.Completed), Attempts: e.Attempts, Failures: e.Failures, Epoch: e.Epoch,
		Interrupted: e.Cut,
	}
}

func (e *entry) status(p *progress) Status {
	s := Status{
		VideoID: e.ID, Account: e.Account, State: e.State, Reason: e.Reason, Error: e.Error, Title: e.Title,
		Deadline: timePtr(e.Deadline), Attempts: e.Attempts, Failures: e.Failures, NotBefore: timePtr(e.Due),
		Working: e.Flight, AcceptedAt: fromMillis(e.Accepted), UpdatedAt: fromMillis(e.Updated),
		SealedAt: timePtr(e.Sealed), Bytes: e.Bytes, Assets: e.Assets, Metadata: e.Metadata, Priority: e.Priority,
	}
	if p != nil && e.Flight && p.Epoch == e.Epoch && len(p.Assets) > 0 {
		if s.Title == "" {
			s.Title = p.Title
		}
		s.Assets = mergeAssets(e.Assets, p.Assets)
		s.Bytes = 0
		for _, a := range s.Assets {
			s.Bytes += a.Bytes
		}
	}
	return s
}

// mergeAssets lays what a running handler reports over what the last outcome knew.
func mergeAssets(known, now []AssetStatus) []AssetStatus {
	out := append([]AssetStatus(nil), known...)
next:
	for _, a := range now {
		for i := range out {
			if out[i].Asset == a.Asset {
				out[i] = a
				continue next
			}
		}
		out = append(out, a)
	}
	return out
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func timePtr(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := fromMillis(ms)
	return &t
}

// clip cuts s to at most n bytes without splitting a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
