package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	watchEvery = time.Second
	// watchPatience is how long Redis may be away, once it has answered, before a watch ends.
	watchPatience = 5 * time.Minute
)

// watched is what a watch looks at again and again.
type watched interface {
	// look asks Redis. It says whether there is nothing left to wait for.
	look(ctx context.Context) (done bool, err error)
	// screen is what it found, for a terminal: a head and lines that may be cut.
	screen() []string
	// tell prints what has changed since the last time.
	tell(news *news) error
	// end is the error that the command ends with when there is nothing left to wait for.
	end() error
}

// watch shows something until it is done or somebody presses Ctrl-C.
type watch struct {
	con      *console
	every    time.Duration
	patience time.Duration
	frame    *frame // nil: not on a terminal
	news     news

	away     time.Time // since when Redis does not answer; zero: it does
	answered bool
}

func (r *statusRun) newWatch() *watch {
	w := &watch{con: r.con, every: watchEvery, patience: watchPatience, news: news{con: r.con, json: r.json, last: map[string]string{}}}
	if r.con.outTerminal && !r.json {
		w.frame = newFrame(r.con)
	}
	return w
}

// do looks at once and then once in a while. Redis may be away for some time in between: a watch lives through a restart.
func (w *watch) do(ctx context.Context, what watched) error {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		done, err := what.look(ctx)
		if err == nil {
			err = w.show(what)
		} else {
			err = w.troubled(ctx, what, err)
		}
		if ctx.Err() != nil {
			return withCode(exitInterrupted, errReported)
		}
		if err != nil {
			return err
		}
		if done {
			return what.end()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (w *watch) show(what watched) error {
	if !w.away.IsZero() && w.frame == nil {
		w.con.sayf("Redis is back")
	}
	w.away, w.answered = time.Time{}, true
	if w.frame != nil {
		return w.frame.draw(what.screen())
	}
	return what.tell(&w.news)
}

// troubled decides whether to look again after Redis could not be asked. It returns the error if not.
func (w *watch) troubled(ctx context.Context, what watched, err error) error {
	var coded *exitError
	if !w.answered || ctx.Err() != nil || !errors.As(err, &coded) || coded.code != exitDependency {
		return err
	}
	if w.away.IsZero() {
		w.away = time.Now()
		if w.frame == nil {
			w.con.sayf("%v; looking again until it answers", err)
		}
	}
	if time.Since(w.away) >= w.patience {
		return err
	}
	if w.frame == nil {
		return nil
	}
	return w.frame.draw(append([]string{"for " + roughly(time.Since(w.away)) + " without an answer: " + err.Error(), ""}, what.screen()...))
}

// news prints what is new: the same text about the same thing is told once.
type news struct {
	con  *console
	json bool
	last map[string]string
}

func (n *news) tell(about, line string, doc any) error {
	if !n.json {
		if n.last[about] == line {
			return nil
		}
		n.last[about] = line
		return n.con.dataf("%s", line)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	if n.last[about] == string(text) {
		return nil
	}
	n.last[about] = string(text)
	return n.con.dataJSON(doc)
}

// once says whether nothing has been told about this yet.
func (n *news) once(about string) bool {
	_, told := n.last[about]
	n.last[about] = ""
	return !told
}
