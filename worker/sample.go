package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/reelkeep/reelkeep/worker/fetch"
)

// sampleBytes is how much is kept of each part's beginning.
const sampleBytes = 1 << 10

// samples are the beginnings of the parts of a file whose source shows neither ETag nor date. Two versions of one size can't be told
// apart there while they are read. But a part's beginning is what was read of it first: if the source still shows all of them in
// the end, nothing was replaced on the way.
type samples map[int]sample

type sample struct {
	off  int64
	head []byte
}

// keep takes a part's beginning; nil takes none.
func (s samples) keep(it *part) {
	if s == nil {
		return
	}
	s[it.Number] = sample{it.Offset, bytes.Clone(it.buf[:min(len(it.buf), sampleBytes)])}
}

// unproven returns where to keep samples; nil where the source's own word is enough.
func (t *assetTransfer) unproven() samples {
	if t.file.Proven() {
		return nil
	}
	return samples{}
}

// compare asks the source once more for each sample, and returns fetch.ErrChanged if it shows another. A source that can't be asked
// any more does not count against what was read.
func (t *assetTransfer) compare(ctx context.Context, all samples) error {
	if len(all) < 2 && !t.file.Mended() {
		return nil // it is of one answer
	}
	for n, s := range all {
		if n > 1 && !t.file.Seekable() {
			continue // only its beginning is there without reading all that is before
		}
		same, err := t.shows(ctx, s)
		switch {
		case errors.Is(err, fetch.ErrChanged):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			t.cfg.Log.Warn("the source shows neither ETag nor date, and could not be asked whether it was replaced", "video_id", t.v.ID, "asset", t.asset, "err", err)
			return nil
		case !same:
			return fmt.Errorf("compare part %d of %s with its source: %w", n, t.name, fetch.ErrChanged)
		}
	}
	return nil
}

func (t *assetTransfer) shows(ctx context.Context, s sample) (bool, error) {
	body, err := t.file.Range(ctx, s.off, int64(len(s.head)))
	if err != nil {
		return false, err
	}
	defer body.Close()
	now := make([]byte, len(s.head))
	if _, err := io.ReadFull(body, now); err != nil {
		return false, err
	}
	return bytes.Equal(now, s.head), nil
}
