//go:build linux

package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// The bare loop is the limit: ranged GETs whose bodies are the bodies of PUTs, several at once, and nothing else. No
// checksum, no retry, no manifest. It runs as a process of its own, so that it is measured like every other client.
const bareCommand = "bare"

const bareBuffer = 128 << 10 // of a connection; larger ones bring nothing more

// barePart is one range on its way: one part of an upload, or a whole small file.
type barePart struct {
	file     *bareFile
	number   int
	off, len int64
}

// bareFile is one file and what is known of its upload.
type bareFile struct {
	url, path string
	size      int64

	mu    sync.Mutex
	id    string // of the multipart upload
	etags []string
	left  int
}

// bareMain reads lines of "url path size" and copies each url to that path of the store.
func bareMain(ctx context.Context, args []string, in io.Reader) error {
	f := flag.NewFlagSet(bareCommand, flag.ContinueOnError)
	endpoint := f.String("endpoint", "", "of the store")
	streams := f.Int("streams", 4, "ranges at once")
	part := f.Int64("part", 16<<20, "bytes of a part")
	if err := f.Parse(args); err != nil {
		return err
	}
	parts, err := readBareParts(in, *part)
	if err != nil {
		return err
	}
	newClient := func() *http.Client {
		return &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: *streams, DisableCompression: true, ReadBufferSize: bareBuffer, WriteBufferSize: bareBuffer,
		}}
	}
	source, store := newClient(), &s3{endpoint: *endpoint, key: os.Getenv("AWS_ACCESS_KEY_ID"), secret: os.Getenv("AWS_SECRET_ACCESS_KEY"), http: newClient()}
	work := make(chan barePart)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(work)
		for _, p := range parts {
			select {
			case work <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range *streams {
		g.Go(func() error {
			for p := range work {
				if err := p.carry(ctx, source, store); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func readBareParts(in io.Reader, part int64) ([]barePart, error) {
	var out []barePart
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			return nil, fmt.Errorf("bare: want url, path and size, got %q", lines.Text())
		}
		size, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("bare: size of %s: %w", fields[0], err)
		}
		n := int(max(1, (size+part-1)/part))
		f := &bareFile{url: fields[0], path: fields[1], size: size, etags: make([]string, n), left: n}
		for i := range n {
			off := int64(i) * part
			out = append(out, barePart{file: f, number: i + 1, off: off, len: min(part, size-off)})
		}
	}
	return out, lines.Err()
}

// carry moves one part, and completes the file with the last of them.
func (p barePart) carry(ctx context.Context, source *http.Client, store *s3) error {
	f := p.file
	var query url.Values
	if len(f.etags) > 1 {
		id, err := f.upload(ctx, store)
		if err != nil {
			return err
		}
		query = url.Values{"uploadId": {id}, "partNumber": {strconv.Itoa(p.number)}}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, nil)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.url, err)
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", p.off, p.off+p.len-1))
	res, err := source.Do(req)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.url, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusPartialContent {
		return fmt.Errorf("read %s: %s", f.url, res.Status)
	}
	etag, err := store.put(ctx, f.path, query, res.Body, p.len)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.etags[p.number-1] = etag
	f.left--
	last := f.left == 0 && len(f.etags) > 1
	f.mu.Unlock()
	if !last {
		return nil
	}
	return store.completeUpload(ctx, f.path, f.id, f.etags)
}

// upload starts the file's upload if no other part has.
func (f *bareFile) upload(ctx context.Context, store *s3) (id string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.id == "" {
		f.id, err = store.createUpload(ctx, f.path)
	}
	return f.id, err
}
