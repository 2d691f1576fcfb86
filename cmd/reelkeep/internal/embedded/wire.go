package embedded

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// childArg is the only argument of the child. No command of reelkeep has this name.
const childArg = "embedded-s3-child"

// readyMark begins the one line of the child's standard output that is meant for the parent. The gateway prints there
// too, whenever it likes.
const readyMark = "reelkeep-s3-ready "

// maxLine cuts what the gateway prints; a longer line says no more and would sit in memory.
const maxLine = 4096

// start is what the parent writes to the child's standard input: one line of JSON. It travels there because arguments
// and environment of a process can be read by others.
type start struct {
	Root      string        `json:"root"`    // private folder that holds one symbolic link, the bucket
	Folder    string        `json:"folder"`  // the person's folder, absolute
	SideCar   string        `json:"sidecar"` // "" = extended attributes
	Bucket    string        `json:"bucket"`
	Region    string        `json:"region"`
	AccessKey string        `json:"access_key"`
	SecretKey string        `json:"secret_key"`
	LockWait  time.Duration `json:"lock_wait"`
	ReadOnly  bool          `json:"read_only"`
}

// ready is the child's answer: an endpoint, or what went wrong.
type ready struct {
	Endpoint string `json:"endpoint,omitempty"`
	InUse    bool   `json:"in_use,omitempty"` // another process holds the folder
	Error    string `json:"error,omitempty"`
}

func readStart(r *bufio.Reader) (start, error) {
	var s start
	line, err := r.ReadBytes('\n')
	if err != nil {
		return s, fmt.Errorf("read the start message: %w", err)
	}
	if err := json.Unmarshal(line, &s); err != nil {
		return s, fmt.Errorf("read the start message: %w", err)
	}
	if s.Root == "" || s.Folder == "" || s.AccessKey == "" || s.SecretKey == "" || s.Bucket == "" {
		return s, errors.New("read the start message: something is missing")
	}
	return s, nil
}

func writeReady(w io.Writer, r ready) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the ready message: %w", err)
	}
	if _, err := fmt.Fprintf(w, "%s%s\n", readyMark, body); err != nil {
		return fmt.Errorf("write the ready message: %w", err)
	}
	return nil
}

// parseReady says whether line is the ready message, and reads it.
func parseReady(line string) (ready, bool) {
	body, ok := strings.CutPrefix(line, readyMark)
	if !ok {
		return ready{}, false
	}
	var r ready
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return ready{Error: "the ready message is not JSON"}, true
	}
	return r, true
}

// eachLine calls fn for every line of r until r ends. It never stops early: a child whose output nobody reads blocks
// as soon as the pipe is full.
func eachLine(r io.Reader, fn func(string)) {
	br := bufio.NewReaderSize(r, maxLine)
	for {
		line, more, err := br.ReadLine()
		if len(line) > 0 {
			fn(string(line))
		}
		for more && err == nil {
			_, more, err = br.ReadLine()
		}
		if err != nil {
			return
		}
	}
}
