package heygensim

import (
	"bytes"
	"crypto/md5" // what S3 uses for the ETag of an object; not for safety
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"path"
	"strings"
	"time"
)

// The keys of Video.Assets.
const (
	assetVideo     = "video"
	assetThumbnail = "thumbnail"
	assetGIF       = "gif"
	assetCaptions  = "captions"
	assetCaptioned = "captioned_video"
)

// Video is one video of the simulated account.
type Video struct {
	ID, Title, CallbackID string

	// CreatedAt is what the API says; zero means the moment of Add.
	CreatedAt time.Time

	// RenderFor is how long the video renders, counted from Add: a quarter of it pending, the rest processing.
	// Zero means it was completed at CreatedAt.
	RenderFor time.Duration

	// Held keeps the video rendering until Release, whatever RenderFor says.
	Held bool

	// Fail ends the render as failed instead of completed.
	Fail *Failure

	// Draft is a video that was never rendered.
	Draft bool

	// Duration is what the API says, in seconds. Zero: right for media made by this package, unknown for a Body.
	Duration float64

	// Assets by name: video, thumbnail, gif, captions, captioned_video.
	Assets map[string]Asset
}

// Failure is why a render failed. A Code of digits is sent as a number, as v1 does for some of them.
type Failure struct{ Code, Message, Detail string }

// Asset is one file of a video. The zero Asset is a small real file of the right kind.
type Asset struct {
	// Body is the file. It must not be changed after Add.
	Body []byte

	// Size, where Body is nil, asks for a valid MP4 of exactly this many bytes (at least MinSize), made
	// while it is read. It never stands in memory.
	Size int64

	// Path is the path of its link, as it goes over the wire; made up where empty.
	Path string

	// ContentType is what the asset host says; what HeyGen says for that kind where empty.
	ContentType string

	// ETag replaces the one computed from the bytes, quotes included; "-" means none.
	ETag string
	// Bare: neither an ETag nor a date is shown.
	Bare bool

	// After is how long after the completion the link appears; before that the file isn't there either.
	After time.Duration

	// Fault is what goes wrong while the file is fetched.
	Fault *Fault
}

// object is an asset as it lies on the asset host. It never changes; Update makes another one.
type object struct {
	video, asset string
	spec         Asset
	paths        []string // where it can be fetched; the first needs a signature, see open
	open         string   // the path that works without one; empty: none
	data         content
	replacement  content
	duration     float64
	wear         *wear
}

// wear is what the fault did to an asset so far, guarded by Sim.mu. It is shared with the object that comes after
// an Update, since an answer may be under way from the one before.
type wear struct {
	faulted  int  // how often the fault struck
	replaced bool // by the fault of that name
}

// content is some bytes and the validator that goes with them.
type content struct {
	io.ReaderAt
	size int64
	etag string
}

// entry is a video with its life and its objects.
type entry struct {
	Video
	seq     int64 // later added is newer where CreatedAt is the same
	added   time.Time
	freed   time.Time // by Release
	objects map[string]*object
}

func (e *entry) release(now time.Time) {
	if e.Held && e.freed.IsZero() {
		e.freed = now
	}
}

// newEntry builds the objects of v. What old says about faults that struck already is kept for assets
// that are the same. It needs the lock.
func (s *Sim) newEntry(v Video, added time.Time, seq int64, old *entry) *entry {
	v.Assets = maps.Clone(v.Assets)
	e := &entry{Video: v, added: added, seq: seq, objects: map[string]*object{}}
	if old != nil {
		e.freed = old.freed
	}
	for name, spec := range v.Assets {
		o := s.samples.newObject(v.ID, name, spec)
		if old != nil {
			if was := old.objects[name]; was != nil && was.spec.Fault == spec.Fault && was.data.etag == o.data.etag {
				o.wear = was.wear
			}
		}
		e.objects[name] = o
	}
	return e
}

func (s samples) newObject(video, name string, spec Asset) *object {
	o := &object{video: video, asset: name, spec: spec, wear: &wear{}}
	seed := hash64(video + "/" + name)
	ext := extension(name)
	replaceable := spec.Fault.replaces()
	switch {
	case spec.Body != nil:
		o.data = bytesContent(spec.Body)
	case spec.Size > 0:
		o.data, o.duration = synthetic(spec.Size, seed)
		if replaceable {
			o.replacement, _ = synthetic(spec.Size, ^seed)
		}
	default:
		it := s.get(name)
		ext, o.duration, o.data = it.ext, it.seconds, it.content
		spec.Body = it.body
	}
	if replaceable && spec.Body != nil {
		o.replacement = bytesContent(replaced(spec))
	}
	if replaceable && spec.Fault.Kind == FaultRetagged {
		o.replacement = content{o.data.ReaderAt, o.data.size, strings.TrimSuffix(o.data.etag, `"`) + `-2"`}
	}
	if spec.ETag != "" {
		o.data.etag = strings.TrimPrefix(spec.ETag, "-")
	}
	o.setPaths(ext)
	return o
}

// setPaths spells the links as HeyGen does: the GIF and v1's captions lie unsigned on another host there, so
// here on other paths; the thumbnail's name is not the video's id.
func (o *object) setPaths(ext string) {
	const dir = "/aws_pacific/avatar_tmp/0bf6e51cbbc44f0f9e6f5b2f7c1d9a38/"
	if p := o.spec.Path; p != "" {
		p = "/" + strings.TrimPrefix(p, "/")
		o.paths = []string{p}
		if o.asset == assetGIF || o.asset == assetCaptions {
			o.open = p
		}
		return
	}
	switch o.asset {
	case assetThumbnail:
		sum := md5.Sum([]byte("thumbnail of " + o.video))
		o.paths = []string{dir + hex.EncodeToString(sum[:]) + ext}
	case assetGIF:
		o.open = "/video/gifs/" + o.video + ext
		o.paths = []string{o.open}
	case assetCaptions:
		o.open = "/caption/" + o.video + ext
		o.paths = []string{dir + o.video + ext, o.open}
	case assetCaptioned:
		o.paths = []string{dir + o.video + "_captioned" + ext}
	default:
		o.paths = []string{dir + o.video + ext}
	}
}

// current returns the bytes the asset host serves at the moment.
func (o *object) current() content {
	if o.wear.replaced {
		return o.replacement
	}
	return o.data
}

func (o *object) contentType() string {
	if o.spec.ContentType != "" {
		return o.spec.ContentType
	}
	switch strings.ToLower(path.Ext(o.paths[0])) {
	case ".mp4":
		return "video/mp4"
	case ".webm":
		return "video/webm"
	case ".jpeg", ".jpg":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".srt":
		return "text/plain"
	}
	return "binary/octet-stream"
}

// status says where in its life the video is, and since when it is settled.
func (e *entry) status(now time.Time) (word string, settled time.Time) {
	if e.Draft {
		return "draft", time.Time{}
	}
	settled = e.CreatedAt
	if e.Held {
		if settled = e.freed; settled.IsZero() {
			return "processing", time.Time{}
		}
	} else if e.RenderFor > 0 {
		settled = e.added.Add(e.RenderFor)
		switch {
		case now.Before(e.added.Add(e.RenderFor / 4)):
			return "pending", time.Time{}
		case now.Before(settled):
			return "processing", time.Time{}
		}
	}
	if e.Fail != nil {
		return "failed", settled
	}
	return "completed", settled
}

// offered returns the asset if its link is to be shown now.
func (e *entry) offered(asset string, now time.Time) *object {
	word, settled := e.status(now)
	o := e.objects[asset]
	if o == nil || word != "completed" || now.Before(settled.Add(o.spec.After)) {
		return nil
	}
	return o
}

func (e *entry) seconds() float64 {
	if o := e.objects[assetVideo]; e.Duration == 0 && o != nil {
		return o.duration
	}
	return e.Duration
}

func bytesContent(b []byte) content {
	sum := md5.Sum(b)
	return content{bytes.NewReader(b), int64(len(b)), fmt.Sprintf("%q", hex.EncodeToString(sum[:]))}
}

func hash64(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

func extension(asset string) string {
	switch asset {
	case assetThumbnail:
		return ".jpeg"
	case assetGIF:
		return ".gif"
	case assetCaptions:
		return ".ass"
	}
	return ".mp4"
}
