package main

import (
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// file is one asset of one video.
type file struct{ video, asset string }

// sealedFile is what a manifest says of a file.
type sealedFile struct {
	key     string // below the video's folder
	bytes   int64
	etag    string // of the version at the source
	inOrder bool   // the source has no ranges
}

// bill says where the bytes went that the asset host sent. Every body byte of the journal is in exactly one line.
type bill struct {
	fetched int64 // all of them
	stored  int64 // what the manifests vouch for

	// What was fetched and is not stored, for reasons that are not reelkeep's.
	pages    int64 // of answers that are not the file: dead links, HTML, 4xx, 5xx
	replaced int64 // of versions of a file that its source then replaced by another
	unsealed int64 // of videos that their owner deleted before they were archived
	lies     int64 // of answers that were not what they said: another range, a wrong length
	cut      int64 // at most: of answers that the network cut; what had arrived of them by then is kept
	inOrder  int64 // of sources without ranges, which begin at their start after every stop
	seen     int64 // one byte for every time a file was recognised

	answers, cuts int
	rest          int64 // what is left, and is reelkeep's to answer for
}

// newBill reads the simulator's journal. What the network cut is only an upper bound (the bytes were sent, nobody knows
// how many arrived), so it is not taken off the rest but allowed for.
func newBill(journal []heygensim.Request, sealed map[file]sealedFile) bill {
	var b bill
	whole := map[file]int64{} // of sources without ranges: what came of the version that is stored
	for _, r := range journal {
		if r.Host != "asset" {
			continue
		}
		b.answers++
		b.fetched += r.Bytes
		f := file{r.VideoID, r.Asset}
		it, ok := sealed[f]
		switch {
		case r.ETag == "":
			b.pages += r.Bytes
		case !ok:
			b.unsealed += r.Bytes
		case r.ETag != it.etag:
			b.replaced += r.Bytes
		case it.inOrder:
			whole[f] += r.Bytes
		case lied(r.Fault):
			b.lies += r.Bytes
		case r.Header.Get("Range") == "bytes=0-0":
			b.seen += r.Bytes
		case r.Fault == heygensim.FaultDrop:
			b.cut += r.Bytes
			b.cuts++
		}
	}
	for f, it := range sealed {
		b.stored += it.bytes
		if it.inOrder {
			b.inOrder += max(whole[f]-it.bytes, 0)
		}
	}
	b.rest = b.fetched - b.stored - b.pages - b.replaced - b.unsealed - b.lies - b.inOrder - b.seen
	return b
}

func lied(fault string) bool {
	switch fault {
	case heygensim.FaultWrongRange, heygensim.FaultWrongLength, heygensim.FaultLonger, heygensim.FaultShorter:
		return true
	}
	return false
}

// allowance is the most that the rest of a bill may be.
type allowance struct {
	stops   int   // workers killed or stopped: each may lose the parts it had in flight
	wakings int   // workers that were frozen and woke
	cut     int64 // what the network cut
	lost    int64 // what MinIO lost while it put uploads together
}

// What a worker that wakes costs: the parts it had in flight, which others have fetched meanwhile; and what it reads, at
// three streams, until its next sign of life tells it that its videos are somebody else's, parts in flight included.
const waking = 2*memory + 3*bandwidth*6

func (a allowance) bytes() int64 {
	return int64(a.stops)*memory + int64(a.wakings)*waking + a.cut + a.lost
}
