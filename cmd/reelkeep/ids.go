package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

const (
	// idBatch is how many ids are handed on at once, idPatience how long one that is there waits for others: whoever
	// types ids, or makes them one by one, sees each accepted at once.
	idBatch    = 1000
	idPatience = 100 * time.Millisecond
	// longestLine is how much of a line is kept: more than any id, enough to recognise what it was.
	longestLine = 200
)

// namedIDs yields the ids of a command line, and in the place of "-" those of in, one a line. Blank lines and those that
// begin with # are skipped. Nothing is checked, only cut if it is far too long for an id.
func namedIDs(args []string, in io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, arg := range args {
			if arg != "-" {
				if !yield(cut(arg), nil) {
					return
				}
				continue
			}
			for line, err := range lines(in) {
				if err != nil {
					yield("", fmt.Errorf("read ids from stdin: %w", err))
					return
				}
				if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
					continue
				}
				if !yield(line, nil) {
					return
				}
			}
		}
	}
}

// lines yields the lines of a text, each cut to what could be an id: somebody may feed us a film.
func lines(in io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		r := bufio.NewReader(in)
		for first := true; ; first = false {
			line, more, err := r.ReadLine()
			if errors.Is(err, io.EOF) {
				return
			}
			text := cut(string(line))
			for more && err == nil {
				_, more, err = r.ReadLine()
			}
			if errors.Is(err, io.EOF) {
				err = nil // the next read says it again
			}
			if first {
				text = strings.TrimPrefix(text, "\ufeff") // a file from Windows
			}
			if !yield(text, err) || err != nil {
				return
			}
		}
	}
}

func cut(text string) string {
	if len(text) > longestLine {
		text = text[:longestLine] + "…"
	}
	return strings.ToValidUTF8(text, "�")
}

// batches gathers ids: up to size of them, fewer if no more come for a moment. It ends with ctx. What reads the ids may
// then still wait for stdin, which nothing but its end can interrupt; the process is about to end as well.
func batches(ctx context.Context, ids iter.Seq2[string, error], size int) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		found, failed := make(chan string), make(chan error, 1)
		go func() {
			defer close(found)
			for id, err := range ids {
				if err != nil {
					failed <- err
					return
				}
				select {
				case found <- id:
				case <-ctx.Done():
					return
				}
			}
		}()
		for {
			batch := gather(ctx, found, size)
			if ctx.Err() != nil {
				return
			}
			if len(batch) == 0 {
				break
			}
			if !yield(batch, nil) {
				return
			}
		}
		select {
		case err := <-failed:
			yield(nil, err)
		default:
		}
	}
}

// gather returns the next batch; an empty one is the end.
func gather(ctx context.Context, found <-chan string, size int) []string {
	var batch []string
	var patience <-chan time.Time
	for len(batch) < size {
		select {
		case id, ok := <-found:
			if !ok {
				return batch
			}
			batch = append(batch, id)
			if patience == nil {
				t := time.NewTimer(idPatience)
				defer t.Stop()
				patience = t.C
			}
		case <-patience:
			return batch
		case <-ctx.Done():
			return nil
		}
	}
	return batch
}
