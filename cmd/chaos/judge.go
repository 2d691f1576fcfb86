package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/minio/crc64nvme"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

// verdict is what came of a run.
type verdict struct {
	archived  int
	explained map[string]int // by state and reason
	assets    int
	bill      bill
	again     int64          // bytes fetched though the store held them
	woken     int64          // the same, by workers that had just woken
	lost      int64          // the same, of uploads that a kill cut off while they were put together
	cuts      map[string]int // ends of uploads that a kill cut off, by video
	allowed   allowance
	sealed    int // manifests written
	completed int // partial manifests replaced by complete ones
	refused   int // manifests that came when there was one
	broken    []string
}

func (v *verdict) breaks(format string, args ...any) {
	v.broken = append(v.broken, fmt.Sprintf(format, args...))
}

// judge compares the archive with what HeyGen served, and everything else with what was promised.
func (d *director) judge(ctx context.Context, p *plan, s *settling) (*verdict, error) {
	v := &verdict{explained: map[string]int{}}
	for _, m := range d.fleet {
		m.proxy.Wait() // the last of what comes late
	}
	store, err := d.store(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	defer store.Close()
	if _, err := store.Check(ctx); err != nil { // so that it tells checksums
		return nil, err
	}
	sealed := map[file]sealedFile{}
	for _, it := range p.Videos {
		m, err := store.Manifest(ctx, storage.VideoKey{VideoID: it.ID})
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			v.breaks("the manifest of %s can't be read: %v", it.ID, err)
			continue
		}
		d.judgeEnd(v, it, m, s)
		if m == nil {
			continue
		}
		v.broken = append(v.broken, d.seals.broken(it.ID, m.Bytes())...)
		for _, a := range m.Assets {
			v.assets++
			sealed[file{it.ID, a.Asset}] = sealedFile{a.Key, a.Bytes, a.Source.ETag, it.InOrder && a.Asset == "video"}
			if err := d.judgeAsset(ctx, store, it, m, a); err != nil {
				v.breaks("%s of %s (%s): %v", a.Asset, it.ID, it.What, err)
			}
		}
	}
	v.sealed, v.completed, v.refused = d.seals.written()
	if err := d.judgeLeftovers(v, p, sealed); err != nil {
		return nil, err
	}
	if err := d.judgeSecrets(v); err != nil {
		return nil, err
	}
	d.judgeBytes(v, p, sealed)
	for _, m := range d.fleet {
		v.broken = append(v.broken, m.deaths...)
	}
	return v, nil
}

// judgeEnd: every video is archived, or there is a reason that we know to be true.
func (d *director) judgeEnd(v *verdict, it *video, m *storage.Manifest, s *settling) {
	st, known := s.statuses[it.ID]
	word := string(st.State)
	if st.Reason != "" {
		word += ", " + st.Reason
	}
	if st.State == queue.StateArchived && m != nil && m.State == storage.StateArchived && it.Fail == nil {
		v.archived++
		return
	}
	right := (it.Fail != nil && st.State == queue.StateFailed && st.Reason == "render_failed") || (it.Removed && st.State == queue.StateGone)
	if right && m == nil {
		v.explained[word]++
		return
	}
	if !known {
		word = "unknown to Redis"
	}
	sealed := "no manifest"
	if m != nil {
		sealed = "a manifest that says " + m.State
	}
	v.breaks("%s (%s) ends as %s with %s; %d failures, last error: %s", it.ID, it.What, word, sealed, st.Failures, text(st.Error))
}

// judgeAsset: what is stored is, byte for byte, what HeyGen has, and the manifest tells the truth about it.
func (d *director) judgeAsset(ctx context.Context, store *storage.Store, it *video, m *storage.Manifest, a storage.Asset) error {
	stored, err := store.Open(ctx, m.Key(), a.Key, 0, -1)
	if err != nil {
		return err
	}
	defer stored.Close()
	got, crc := sha256.New(), crc64nvme.New()
	n, err := io.Copy(io.MultiWriter(got, crc), stored)
	if err != nil {
		return err
	}
	gotHex := hex.EncodeToString(got.Sum(nil))
	if n != a.Bytes || gotHex != a.SHA256 {
		return fmt.Errorf("stored are %d bytes with SHA-256 %s, the manifest says %d and %s", n, gotHex, a.Bytes, a.SHA256)
	}
	if told := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc.Sum64())); a.CRC64NVME != told {
		return fmt.Errorf("the manifest says CRC64NVME %q, the bytes have %s", a.CRC64NVME, told)
	}
	o, err := store.Stat(ctx, m.Key(), a.Key)
	if err != nil || o.ETag != a.ETag || (o.CRC64NVME != "" && o.CRC64NVME != a.CRC64NVME) {
		return fmt.Errorf("the store says %+v (%w), the manifest says ETag %s, CRC64NVME %s", o, err, a.ETag, a.CRC64NVME)
	}
	original, size := d.sim.Open(it.ID, a.Asset)
	if original == nil {
		if it.Removed {
			return nil // there is nothing left to compare with
		}
		return errors.New("HeyGen has no such file")
	}
	want := sha256.New()
	if _, err := io.Copy(want, io.NewSectionReader(original, 0, size)); err != nil {
		return err
	}
	if wantHex := hex.EncodeToString(want.Sum(nil)); wantHex != gotHex {
		return fmt.Errorf("stored are %d bytes with SHA-256 %s, HeyGen has %d with %s", n, gotHex, size, wantHex)
	}
	return nil
}

// probes is where a worker tries out the store when it starts. One that is killed right then leaves what it made; later
// starts clear that away, when it is old enough to be nobody's.
const probes = ".reelkeep-probe/"

// judgeLeftovers: nothing is in the bucket that no manifest vouches for, and no unfinished upload. MinIO is not asked but
// looked into: it would list uploads for an exact key only.
func (d *director) judgeLeftovers(v *verdict, p *plan, sealed map[file]sealedFile) error {
	keys, err := d.minio.Keys(d.bucket)
	if err != nil {
		return err
	}
	archived, uploadable := map[string]bool{}, []string{}
	for f := range sealed {
		archived[f.video] = true
	}
	for _, it := range p.Videos {
		uploadable = append(uploadable, prefix+"/"+it.ID+"/video.mp4")
	}
	for _, key := range keys {
		id, name, _ := strings.Cut(strings.TrimPrefix(key, prefix+"/"), "/")
		switch {
		case id+"/" == probes:
			v.explained["left by workers that were killed while they probed the store: files"]++
			dir := path.Dir(key)
			uploadable = append(uploadable, dir+"/multipart", dir+"/complete", dir+"/crc")
		case strings.HasPrefix(name, ".upload/"):
			v.breaks("an upload's record is left: %s", key)
		case !archived[id]: // of a video that its owner deleted
			v.explained["files of videos deleted on the way"]++
		case name == "manifest.json":
		case !slices.ContainsFunc(slices.Collect(maps.Keys(sealed)), func(f file) bool { return f.video == id && sealed[f].key == name }):
			v.breaks("no manifest vouches for %s", key)
		}
	}
	slices.Sort(uploadable)
	unfinished, others, err := d.minio.Unfinished(d.bucket, slices.Compact(uploadable))
	if err != nil {
		return fmt.Errorf("look for unfinished uploads: %w", err)
	}
	for key, n := range unfinished {
		if strings.Contains(key, probes) {
			v.explained["left by workers that were killed while they probed the store: uploads"] += n
		} else {
			v.breaks("%d unfinished uploads are left of %s", n, key)
		}
	}
	if others > 0 {
		v.breaks("%d unfinished uploads are left of keys that nobody remembers", others)
	}
	return nil
}

// judgeSecrets: no key and no link's query has reached a log, Redis's disk or the asset host.
func (d *director) judgeSecrets(v *verdict) error {
	for _, leak := range d.sim.Leaks() {
		v.breaks("the asset host saw a secret: %s", leak)
	}
	hidden := []string{d.sim.Key(), d.minio.SecretKey, "Signature=", "Key-Pair-Id="}
	for _, dir := range []string{"log", "redis"} {
		err := filepath.WalkDir(filepath.Join(d.dir, dir), func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			raw, err := os.ReadFile(path)
			for _, secret := range hidden {
				if strings.Contains(string(raw), secret) {
					v.breaks("%s shows a secret", path)
				}
			}
			for _, trouble := range []string{"DATA RACE", "panic:", "fatal error:"} {
				if n := strings.Count(string(raw), trouble); n > 0 {
					v.breaks("%s has %d × %q", path, n, trouble)
				}
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("look for secrets: %w", err)
		}
	}
	return nil
}

// judgeBytes: what was fetched beyond what is stored has a reason, or is within what kills may cost.
func (d *director) judgeBytes(v *verdict, p *plan, sealed map[file]sealedFile) {
	journal := d.sim.Requests()
	v.bill = newBill(journal, sealed)
	steady := map[string]bool{}
	for _, it := range p.Videos {
		// If the end of an upload arrives while its successor looks what there is, the upload is gone and the object not there
		// yet: the file begins again.
		steady[it.ID] = it.steady() && !d.lateEnds[it.ID]
	}
	woken, again := d.parts.fetchedAgain(journal, steady, d.wakings)
	v.woken = woken
	v.cuts = d.endings.cut(d.kills)
	for id, n := range again {
		if n <= int64(v.cuts[id])*sealed[file{id, "video"}].bytes {
			v.lost += n
			continue
		}
		v.again += n
		v.breaks("%d bytes of %s were fetched again though the store held them; %d ends of its upload were cut", n, id, v.cuts[id])
	}
	v.allowed = allowance{
		stops: d.happened[killWorker] + d.happened[stopWorker], wakings: d.happened[freezeWorker], cut: v.bill.cut, lost: v.lost,
	}
	if v.bill.rest > v.allowed.bytes() {
		v.breaks("%d bytes were fetched that nothing explains, at most %d may be", v.bill.rest, v.allowed.bytes())
	}
}
