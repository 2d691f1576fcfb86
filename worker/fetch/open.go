package fetch

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
)

// Options say what is known before a file is opened.
type Options struct {
	// Pin from an earlier worker: the file must still be the same, else ErrChanged.
	Pin *Pin
	// The first range wanted; Length 0 means 1 MiB. Its answer is kept for the first Range call, so that a small
	// file is one request. It holds one of the host's connections until that call, or Close.
	Offset, Length int64
	// OneAnswer asks for no range at all: the file is read in order, from one answer that can only be of one version. It is
	// for a host whose validators change from answer to answer, since its machines don't agree on them.
	OneAnswer bool
	// Refused is called when the host turns a request away because it is one too many (429, 503 and the like). It MUST
	// return at once; several goroutines may call it.
	Refused func()
	// Log replaces the Client's, with the keys that say whose file it is.
	Log *slog.Logger
}

const defaultFirst = 1 << 20

// Open asks for the first range and pins the file. Without refresh (nil) the link has to last. The caller MUST
// Close the File.
func (c *Client) Open(ctx context.Context, link Link, refresh Refresh, opt Options) (*File, error) {
	if opt.Offset < 0 || opt.Length < 0 {
		return nil, fmt.Errorf("open %s: negative range %d+%d", link.URL, opt.Offset, opt.Length)
	}
	log := opt.Log
	if log == nil {
		log = c.cfg.Log
	}
	f := &File{
		client:  c,
		log:     log,
		turn:    newTurn(),
		refused: opt.Refused,
		links:   &links{refresh: refresh, now: c.cfg.Now, observe: c.cfg.Observe, link: link},
	}
	if err := f.open(ctx, opt); err != nil {
		return nil, fmt.Errorf("open %s: %w", f.links.shown(), err)
	}
	return f, nil
}

func (f *File) open(ctx context.Context, opt Options) error {
	q := firstQuestion(opt)
	q.turn = f.turn
	var e effort
	for {
		link, gen, err := f.fresh(ctx)
		if err != nil {
			return err
		}
		q.link = link
		var instead *question
		a, err := f.client.ask(ctx, q)
		if err == nil {
			instead, err = f.learn(a, q, opt.Pin)
		}
		switch {
		case err != nil:
			if err := f.recover(ctx, &e, used{link, gen}, err); err != nil {
				return err
			}
		case instead != nil:
			q = *instead
			q.turn = f.turn
		default:
			return nil
		}
	}
}

func firstQuestion(opt Options) question {
	if opt.OneAnswer {
		return whole()
	}
	q := question{off: opt.Offset, end: opt.Offset + opt.Length}
	if opt.Length == 0 {
		q.end = opt.Offset + defaultFirst
	}
	if opt.Pin != nil && opt.Pin.Size > 0 && q.off >= opt.Pin.Size {
		// Everything has been read; all that is left is to see that it still is the same file.
		q.off, q.end = 0, 1
	}
	return q
}

// whole is the question for everything, without a range.
func whole() question { return question{off: -1, end: -1} }

// learn pins the file by its first answer, or says what to ask instead.
func (f *File) learn(a *answer, q question, pin *Pin) (instead *question, err error) {
	defer func() {
		if err != nil || instead != nil {
			a.body.Close()
		}
	}()
	everything := whole()
	seen, err := a.read(q)
	switch {
	case a.status == http.StatusRequestedRangeNotSatisfiable && q.off > 0:
		return &question{off: 0, end: max(q.end-q.off, 1)}, nil
	case a.status == http.StatusRequestedRangeNotSatisfiable && seen.Size != 0 && q.off == 0:
		return &everything, nil
	case err != nil:
		return nil, err
	case a.status == http.StatusPartialContent && seen.Size < 0:
		// Ranges without a total prove nothing about where the file ends.
		return &everything, nil
	}
	if pin != nil {
		if !pin.holds(seen) {
			if a.page() {
				return nil, wrongAnswer("a web page instead of the file")
			}
			return nil, changed(q.link.URL, *pin, seen)
		}
		seen = pin.filled(seen)
	}
	f.pin = seen
	f.inOrder = a.status == http.StatusOK
	f.firstByte = a.took
	f.contentType = a.header.Get("Content-Type")
	if a.status == http.StatusRequestedRangeNotSatisfiable {
		a.body.Close()
		return nil, nil
	}
	f.keep(a.body)
	return nil, nil
}
