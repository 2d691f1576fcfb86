package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// persist archives a video as the queue does: again and again, as long as it fails.
func (b *bundle) persist(id string) *storage.Manifest {
	b.t.Helper()
	m, err := b.archive(worker.Video{ID: id})
	for try := 0; err != nil && try < 8; try++ {
		b.nothingSealed(id)
		m, err = b.archive(worker.Video{ID: id})
	}
	must(b.t, err)
	b.proveExact(m)
	return m
}

// Many streams, and everything that can happen to each of them.
func TestManyStreamsThroughEveryFaultEndInAnExactArchive(t *testing.T) {
	const size = 10*part + 12345
	for name, fault := range map[string]heygensim.Fault{
		"none":                     {},
		"dropped every 700 kB":     {Kind: heygensim.FaultDrop, At: -700_000},
		"dropped in each part":     {Kind: heygensim.FaultDrop, At: -part + 10, Times: 20},
		"some stall":               {Kind: heygensim.FaultStall, At: -part / 2, Times: 4},
		"some are short":           {Kind: heygensim.FaultShort, At: -1000, Times: 12},
		"a storm of 503":           {Kind: heygensim.FaultServerError, At: part, Times: 25},
		"403 to some":              {Kind: heygensim.FaultForbidden, At: part, Times: 6},
		"wrong ranges":             {Kind: heygensim.FaultWrongRange, At: 2 * part, Times: 6},
		"pages of HTML":            {Kind: heygensim.FaultHTML, At: 2 * part, Times: 6},
		"replaced half-way":        {Kind: heygensim.FaultReplaced, At: 5*part + part/2},
		"ranges stop half-way":     {Kind: heygensim.FaultNoRanges, At: 5 * part, Times: 4},
		"no ranges":                {Kind: heygensim.FaultNoRanges},
		"no length":                {Kind: heygensim.FaultChunked},
		"one byte less than there": {Kind: heygensim.FaultWrongLength, At: part, Times: 3},
		"another ETag half-way":    {Kind: heygensim.FaultRetagged, At: 5*part + part/2},
		"longer from then on":      {Kind: heygensim.FaultLonger, At: 3 * part, Times: 6},
		"shorter from then on":     {Kind: heygensim.FaultShorter, At: 3 * part, Times: 6},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, heygensim.Options{})
			b.memory = 8 * part
			b.sim.Add(bigVideo(1, size, &fault))
			if m := b.persist(id(1)); m.Assets[0].Bytes != size {
				t.Errorf("%d bytes are sealed, want %d", m.Assets[0].Bytes, size)
			}
		})
	}
}

// A source that shows neither ETag nor date proves nothing but the size, which two versions may share.
func TestAFileWithoutValidatorsIsNeverSealedOfTwoVersions(t *testing.T) {
	const many, one = 6*part + 12345, part - 1000
	for name, c := range map[string]struct {
		size   int64
		fault  *heygensim.Fault
		beside int64 // bytes that are fetched besides, at the most; -1: as many as it takes
	}{
		"many parts":                    {many, nil, 7 << 10},
		"many parts, replaced half-way": {many, &heygensim.Fault{Kind: heygensim.FaultReplaced, At: 3*part + part/2}, -1},
		"many parts, dropped":           {many, &heygensim.Fault{Kind: heygensim.FaultDrop, At: -part / 2, Times: 4}, -1},
		"one part":                      {one, nil, 0},
		"one part, replaced half-way":   {one, &heygensim.Fault{Kind: heygensim.FaultReplaced, At: part / 2}, -1},
		"one part, dropped":             {one, &heygensim.Fault{Kind: heygensim.FaultDrop, At: part / 2, Times: 1}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, heygensim.Options{})
			b.memory = 8 * part
			v := bigVideo(1, c.size, c.fault)
			video := v.Assets["video"]
			video.Bare = true
			v.Assets["video"] = video
			b.sim.Add(v)
			m := b.persist(id(1))
			if m.Assets[0].Bytes != c.size {
				t.Errorf("%d bytes are sealed, want %d", m.Assets[0].Bytes, c.size)
			}
			if beside := b.fetched(id(1), "video") - c.size; c.beside >= 0 && beside > c.beside {
				t.Errorf("%d bytes were fetched besides, want %d at the most", beside, c.beside)
			}
		})
	}
}

// A link lives two seconds, the transfer far longer: each new link serves all streams, and nothing is fetched twice.
func TestLinksThatDieUnderManyStreamsCostNothing(t *testing.T) {
	b := setup(t, heygensim.Options{LinkLife: 2 * time.Second, Bandwidth: 1 << 20})
	b.memory, b.cfg.Streams = 8*part, 4
	const size = 8 * part
	b.sim.Add(bigVideo(1, size, nil))
	b.mustArchive(id(1))
	if n := b.fetched(id(1), "video"); n != size {
		t.Errorf("%d bytes were fetched for %d", n, size)
	}
	// Ten seconds at four streams; a refresh for each stream alone would be four times as many.
	if n := b.sim.Counts().Detail; n > 12 {
		t.Errorf("HeyGen was asked %d times for links", n)
	}
}

func TestStreamsNeverExceedTheirLimits(t *testing.T) {
	for _, c := range []struct{ streams, host, want int }{{6, 0, 6}, {32, 3, 3}, {1, 0, 1}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			b := setup(t, heygensim.Options{Bandwidth: 2 << 20})
			b.memory, b.cfg.Streams, b.host = 12*part, c.streams, c.host
			b.sim.Add(bigVideo(1, int64(c.want)*3*part, nil))
			b.mustArchive(id(1))
			if got := b.sim.Counts().AtOnce; got != c.want {
				t.Errorf("%d requests at once, want %d", got, c.want)
			}
		})
	}
}

// Behind a long line most videos would be over before it has paid to ask for more.
func TestASourceThatIsFarIsReadByMoreStreamsFromTheBeginning(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.memory = 16 * part
	b.sim.Add(bigVideo(1, 9*part, &heygensim.Fault{Delay: 200 * time.Millisecond}))
	b.mustArchive(id(1))
	if got := b.sim.Counts().AtOnce; got < 7 {
		t.Errorf("%d requests at once for nine parts", got)
	}
}

func TestASmallFileTakesOneRequest(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.memory = 12 * part
	b.sim.Add(bigVideo(1, part, nil))
	b.mustArchive(id(1))
	if c := b.sim.Counts(); c.Asset != 1 {
		t.Errorf("%d requests for a file of one part", c.Asset)
	}
}

// Eight videos of several parts, one buffer in all: they take turns, and every one ends.
func TestOneBufferInAllServesEightVideos(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.memory = part
	a := b.bench()
	var all sync.WaitGroup
	for n := range 8 {
		b.sim.Add(bigVideo(n, 2*part+int64(n), nil))
		all.Go(func() {
			if _, err := a.Transfer(b.ctx, worker.Video{ID: id(n)}, nil); err != nil {
				t.Errorf("video %d: %v", n, err)
			}
		})
	}
	all.Wait()
	for n := range 8 {
		m, err := b.store.Manifest(b.ctx, storage.VideoKey{VideoID: id(n)})
		must(t, err)
		b.proveExact(m)
	}
}

// One buffer and one connection in all: whoever has the one must not wait for the other.
func TestSourcesThatAreReadInOrderShareOneBufferAndOneConnection(t *testing.T) {
	for _, kind := range []string{heygensim.FaultChunked, heygensim.FaultNoRanges} {
		t.Run(kind, func(t *testing.T) {
			b := setup(t, heygensim.Options{})
			b.memory, b.host = part, 1
			ctx, cancel := context.WithTimeout(b.ctx, 2*time.Minute)
			defer cancel()
			a := b.bench()
			var all sync.WaitGroup
			for n := range 3 {
				b.sim.Add(bigVideo(n, 3*part+int64(n), &heygensim.Fault{Kind: kind}))
				all.Go(func() {
					if _, err := a.Transfer(ctx, worker.Video{ID: id(n)}, nil); err != nil {
						t.Errorf("video %d: %v", n, err)
					}
				})
			}
			all.Wait()
			for n := range 3 {
				m, err := b.store.Manifest(b.ctx, storage.VideoKey{VideoID: id(n)})
				must(t, err)
				b.proveExact(m)
			}
		})
	}
}

// A giant has all the memory and all the connections when twenty small videos come: they are done before it is.
func TestAGiantDoesNotKeepSmallVideosWaiting(t *testing.T) {
	b := setup(t, heygensim.Options{Bandwidth: 4 << 20})
	b.memory, b.host = 6*part, 6
	b.sim.Add(bigVideo(99, 40*part, nil))
	a := b.bench()
	var mu sync.Mutex
	var order []string
	var giant int64 // what had come of it when the last small one was done
	var all sync.WaitGroup
	transfer := func(n int) {
		all.Go(func() {
			if _, err := a.Transfer(b.ctx, worker.Video{ID: id(n)}, nil); err != nil {
				t.Errorf("video %d: %v", n, err)
			}
			mu.Lock()
			defer mu.Unlock()
			order = append(order, id(n))
			if len(order) == 20 {
				giant = b.fetched(id(99), "video")
			}
		})
	}
	full := make(chan struct{})
	b.seen.when(4*part, func() { close(full) })
	transfer(99)
	<-full
	for n := range 20 {
		b.sim.Add(bigVideo(n, 100_000, nil))
		transfer(n)
	}
	all.Wait()
	if at := slices.Index(order, id(99)); at != 20 {
		t.Errorf("the giant ended as number %d of 21", at+1)
	}
	if giant > 20*part {
		t.Errorf("half of the giant, %d bytes, came before the small ones were done", giant)
	}
}

func TestARefusingSourceGetsFewerStreamsAndItsPause(t *testing.T) {
	b := setup(t, heygensim.Options{Bandwidth: 4 << 20})
	b.memory, b.cfg.Streams = 8*part, 8
	b.sim.Add(bigVideo(1, 12*part, &heygensim.Fault{Kind: heygensim.FaultServerError, At: part, Times: 6}))
	b.persist(id(1))
	if !strings.Contains(b.log.String(), "source in trouble") {
		t.Error("no refusal was seen")
	}
}

// The limit is on the whole process, and waiting for it is no stall, which would be one second here.
func TestTheBandwidthHoldsForAllTransfersTogether(t *testing.T) {
	b := setup(t, heygensim.Options{})
	b.memory, b.rate = 6*part, 5<<20
	a := b.bench()
	started := time.Now()
	var all sync.WaitGroup
	for n := range 3 {
		b.sim.Add(bigVideo(n, 2*part, nil))
		all.Go(func() {
			if _, err := a.Transfer(b.ctx, worker.Video{ID: id(n)}, nil); err != nil {
				t.Errorf("video %d: %v", n, err)
			}
		})
	}
	all.Wait()
	// 30 MiB at 5 MiB a second.
	if took := time.Since(started); took < 5900*time.Millisecond {
		t.Errorf("it took %s, want at least 6 s", took)
	}
	if strings.Contains(b.log.String(), "no byte for") {
		t.Error("the limit was taken for a stall")
	}
}

// A deploy stops the work in the middle of four parts. They need only a moment more, so the next worker fetches none of
// them again.
func TestPartsUnderWayAreFinishedWhenTheWorkIsStopped(t *testing.T) {
	const size = 8 * part
	b := setup(t, heygensim.Options{Bandwidth: 16 << 20})
	b.memory = 8 * part
	b.sim.Add(bigVideo(1, size, nil))
	ctx, stop := context.WithCancelCause(b.ctx)
	stopped := errors.New("the worker is told to stop")
	b.seen.when(1<<20, func() { stop(stopped) })
	if _, err := b.bench().Transfer(ctx, worker.Video{ID: id(1)}, nil); !errors.Is(err, stopped) && !errors.Is(err, context.Canceled) {
		t.Fatalf("the stopped transfer ended with %v", err)
	}
	if n := b.fetched(id(1), "video"); n == 0 || n >= size || n%part != 0 {
		t.Errorf("%d bytes were fetched by then, want some whole parts of %d", n, part)
	}
	b.proveExact(b.mustArchive(id(1)))
	const recognised = 1 // by one byte the next worker sees that it is still the same file
	if n := b.fetched(id(1), "video"); n != size+recognised {
		t.Errorf("%d bytes were fetched in all for a file of %d, want one more", n, size)
	}
}
