//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// dataset is the videos of a case, as files in the source's folder.
type dataset struct {
	name   string
	videos []video
}

type video struct {
	id    string
	files []*file
}

// file is one asset: what the source serves and what the store must hold afterwards.
type file struct {
	set, video, asset, name string
	size                    int64
	sum                     string // SHA-256 in hex
}

const assetVideo = "video"

// path is below the source's folder.
func (f *file) path() string { return f.set + "/" + f.key() }

// key is below the bucket: where reelkeep puts it, and where all others are told to.
func (f *file) key() string { return f.video + "/" + f.name }

func (s *dataset) files() []*file {
	var out []*file
	for _, v := range s.videos {
		out = append(out, v.files...)
	}
	return out
}

func (s *dataset) bytes() int64 {
	var n int64
	for _, f := range s.files() {
		n += f.size
	}
	return n
}

// plain is n videos of nothing but an MP4 of size bytes.
func plain(name string, n int, size int64) *dataset {
	s := &dataset{name: name}
	for i := range n {
		id := fmt.Sprintf("%s-%d", name, i)
		s.videos = append(s.videos, video{id: id, files: []*file{{set: name, video: id, asset: assetVideo, name: "video.mp4", size: size}}})
	}
	return s
}

const (
	smallLeast, smallMost = 8_000, 1_000_000
	// smallBend makes the mean 367 KB: few large files and many small ones.
	smallBend = 1.763
)

// small is n videos with four small assets each. The same in every run.
func small(name string, n int) *dataset {
	s := &dataset{name: name}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		v := video{id: fmt.Sprintf("%s-%d", name, i)}
		for _, a := range [][2]string{{assetVideo, "video.mp4"}, {"thumbnail", "thumbnail.jpeg"}, {"gif", "preview.gif"}, {"captions", "captions.ass"}} {
			size := smallLeast + int64((smallMost-smallLeast)*math.Pow(random.Float64(), smallBend))
			v.files = append(v.files, &file{set: name, video: v.id, asset: a[0], name: a[1], size: size})
		}
		s.videos = append(s.videos, v)
	}
	return s
}

// write makes the files and learns their sums.
func (s *dataset) write(dir string) error {
	sim, err := heygensim.New(heygensim.Options{})
	if err != nil {
		return fmt.Errorf("make videos: %w", err)
	}
	defer sim.Close()
	for _, f := range s.files() {
		if err := f.write(dir, sim); err != nil {
			return fmt.Errorf("make %s: %w", f.path(), err)
		}
	}
	return nil
}

func (s *dataset) remove(dir string) error { return os.RemoveAll(filepath.Join(dir, s.name)) }

func (f *file) write(dir string, sim *heygensim.Sim) error {
	path := filepath.Join(dir, f.path())
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), bufio.NewReaderSize(f.content(sim), 1<<20))
	f.sum = hex.EncodeToString(sum.Sum(nil))
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

// content is a whole file of the right kind and exactly the size, most of which is noise where the format allows any.
func (f *file) content(sim *heygensim.Sim) io.Reader {
	if f.asset == assetVideo {
		sim.Add(heygensim.Video{ID: f.video, Assets: map[string]heygensim.Asset{assetVideo: {Size: f.size}}})
		at, size := sim.Open(f.video, assetVideo)
		return io.NewSectionReader(at, 0, size)
	}
	noise := noiseOf(f.path())
	switch filepath.Ext(f.name) {
	case ".jpeg":
		return bytes.NewReader(padJPEG(f.size, noise))
	case ".gif":
		return bytes.NewReader(padGIF(f.size, noise))
	}
	return bytes.NewReader(padASS(f.size, noise))
}

func noiseOf(name string) io.Reader { return rand.NewChaCha8(sha256.Sum256([]byte(name))) }

func picture() *image.Paletted {
	return image.NewPaletted(image.Rect(0, 0, 16, 16), color.Palette{color.Black, color.White})
}

// padJPEG is a small picture with comments behind its first marker.
func padJPEG(size int64, noise io.Reader) []byte {
	const most = math.MaxUint16
	var small bytes.Buffer
	_ = jpeg.Encode(&small, picture(), nil) // writes to memory
	body := small.Bytes()
	out := bytes.NewBuffer(bytes.Clone(body[:2]))
	for left := size - int64(len(body)); left > 0; {
		n := min(left, most+2) // with the marker
		if rest := left - n; rest > 0 && rest < 4 {
			n -= 4
		}
		out.Write([]byte{0xff, 0xfe})
		out.Write(binary.BigEndian.AppendUint16(nil, uint16(n-2)))
		_, _ = io.CopyN(out, noise, n-4) // noise never ends
		left -= n
	}
	out.Write(body[2:])
	return out.Bytes()
}

// padGIF is a small picture with comments before its end.
func padGIF(size int64, noise io.Reader) []byte {
	var small bytes.Buffer
	_ = gif.Encode(&small, picture(), nil) // writes to memory
	body := small.Bytes()
	out := bytes.NewBuffer(bytes.Clone(body[:len(body)-1]))
	left := size - int64(len(body)) - 3 // the extension's head and its last block
	out.Write([]byte{'!', 0xfe})
	for left > 0 {
		n := min(left, 256)
		if left-n == 1 {
			n--
		}
		out.WriteByte(byte(n - 1))
		_, _ = io.CopyN(out, noise, n-1) // noise never ends
		left -= n
	}
	out.WriteByte(0)
	out.WriteByte(body[len(body)-1])
	return out.Bytes()
}

// padASS is captions with comments at their end.
func padASS(size int64, noise io.Reader) []byte {
	out := bytes.NewBufferString("[Script Info]\nTitle: bench\n\n[V4+ Styles]\nFormat: Name\nStyle: Default\n\n[Events]\nFormat: Start, End, Text\nDialogue: 0:00:00.00,0:00:02.00,Hello\n")
	const line = 100
	var raw [line / 2]byte
	for int64(out.Len()) < size {
		_, _ = io.ReadFull(noise, raw[:]) // noise never ends
		fmt.Fprintf(out, "; %x\n", raw)
	}
	out.Truncate(int(size))
	return out.Bytes()
}
