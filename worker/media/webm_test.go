package media_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/reelkeep/reelkeep/worker/media"
)

// ebml is an element: id, a size of eight bytes, body.
func ebml(id uint32, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	head := binary.BigEndian.AppendUint32(nil, id)
	for len(head) > 1 && head[0] == 0 {
		head = head[1:]
	}
	return slices.Concat(head, binary.BigEndian.AppendUint64(nil, 1<<56|uint64(len(body))), body)
}

const (
	idHeader   = 0x1a45dfa3
	idDocType  = 0x4282
	idSegment  = 0x18538067
	idInfo     = 0x1549a966
	idTracks   = 0x1654ae6b
	idCluster  = 0x1f43b675
	idScale    = 0x2ad7b1
	idDuration = 0x4489
	idVoid     = 0xec
)

func webmHeader() []byte { return ebml(idHeader, ebml(idDocType, []byte("webm"))) }

func f32(v float32) []byte { return binary.BigEndian.AppendUint32(nil, math.Float32bits(v)) }

func f64(v float64) []byte { return binary.BigEndian.AppendUint64(nil, math.Float64bits(v)) }

func TestOddButHealthyWebMsPass(t *testing.T) {
	t.Parallel()
	tracks, cluster := ebml(idTracks, []byte("t")), ebml(idCluster, []byte("pictures"))
	scale := ebml(idScale, []byte{0x0f, 0x42, 0x40})
	endless := append(binary.BigEndian.AppendUint32(nil, idSegment), 0xff)
	for name, b := range map[string][]byte{
		"a short duration":          slices.Concat(webmHeader(), ebml(idSegment, ebml(idInfo, scale, ebml(idDuration, f32(2000))), tracks, cluster)),
		"a long duration":           slices.Concat(webmHeader(), ebml(idSegment, ebml(idInfo, ebml(idDuration, f64(2000))), tracks, cluster)),
		"ticks of a second":         slices.Concat(webmHeader(), ebml(idSegment, ebml(idInfo, ebml(idScale, []byte{0x3b, 0x9a, 0xca, 0}), ebml(idDuration, f64(2))), tracks, cluster)),
		"no duration":               slices.Concat(webmHeader(), ebml(idSegment, ebml(idInfo, scale), tracks, cluster)),
		"a duration that is none":   slices.Concat(webmHeader(), ebml(idSegment, ebml(idInfo, ebml(idDuration, f64(math.NaN()))), tracks, cluster)),
		"a duration without end":    slices.Concat(webmHeader(), ebml(idSegment, ebml(idInfo, ebml(idDuration, f64(math.Inf(1)))), tracks, cluster)),
		"something in between":      slices.Concat(webmHeader(), ebml(idVoid, make([]byte, 9)), ebml(idSegment, tracks, ebml(idVoid), cluster)),
		"something behind":          slices.Concat(webmHeader(), ebml(idSegment, tracks, cluster), ebml(idVoid, make([]byte, 9))),
		"a segment without a size":  slices.Concat(webmHeader(), endless, tracks, cluster),
		"the tracks at the far end": slices.Concat(webmHeader(), ebml(idSegment, cluster, ebml(idVoid, make([]byte, 100_000)), tracks)),
	} {
		if err := verify(t, "video", b, 2); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBrokenWebMsAreNamed(t *testing.T) {
	t.Parallel()
	tracks, cluster := ebml(idTracks, []byte("t")), ebml(idCluster, []byte("pictures"))
	whole := slices.Concat(webmHeader(), ebml(idSegment, tracks, cluster))
	for name, c := range map[string]struct {
		b    []byte
		word string
	}{
		"no segment":               {webmHeader(), "no segment"},
		"a header without a size":  {append(binary.BigEndian.AppendUint32(nil, idHeader), slices.Concat([]byte{0xff}, []byte("webm"), cluster)...), "no segment"},
		"no pictures":              {slices.Concat(webmHeader(), ebml(idSegment, tracks)), "no pictures"},
		"no tracks":                {slices.Concat(webmHeader(), ebml(idSegment, cluster)), "no tracks"},
		"a byte is missing":        {whole[:len(whole)-1], "are there"},
		"zeros in place of a part": {slices.Concat(webmHeader(), ebml(idSegment, tracks, make([]byte, 20))), "no element"},
		"a size beyond all":        {bytes.Replace(whole, cluster[:12], slices.Concat(cluster[:4], []byte("\x01\xff\xff\xff\xff\xff\xff\xfe")), 1), "are there"},
		"an id of five bytes":      {slices.Concat(webmHeader(), ebml(idSegment, tracks, []byte{0x08, 1, 2, 3, 4, 0x81, 0}, cluster)), "no element"},
		"an info inside out":       {slices.Concat(webmHeader(), ebml(idSegment, ebml(idInfo, []byte{0x44, 0x89, 0x88}), tracks, cluster)), "are there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantDamage(t, verify(t, "video", c.b, 2), c.word)
		})
	}
}

func TestAWebMOfAnotherLengthIsToldApart(t *testing.T) {
	t.Parallel()
	tracks, cluster := ebml(idTracks, []byte("t")), ebml(idCluster, []byte("pictures"))
	long := slices.Concat(webmHeader(), ebml(idSegment, ebml(idInfo, ebml(idDuration, f64(90_000))), tracks, cluster))
	var odd *media.DurationError
	if err := verify(t, "video", long, 2); !errors.As(err, &odd) || odd.Plays != 90 || odd.Says != 2 {
		t.Errorf("Verify = %v, want a *DurationError of 90 s and 2 s", err)
	}
}
