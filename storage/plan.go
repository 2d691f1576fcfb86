package storage

import "fmt"

const (
	maxParts    = 10_000
	maxPartSize = 5 << 30
)

// A Part is a range of an asset and one part of its multipart upload. Numbers start at 1.
type Part struct {
	Number       int
	Offset, Size int64
}

// plan cuts an asset into equal parts, the last one shorter. It is made once, at the start of an upload, and written
// down: a store tells only at the end that a part was too small, and R2 refuses parts of different sizes.
type plan struct {
	total    int64 // -1: not known
	partSize int64
}

func newPlan(total, configured int64) (plan, error) {
	p := plan{total: total, partSize: max(configured, MinPartSize)}
	if total < 0 {
		// Not larger than any other: a part is a buffer in memory. 8 MiB reach 78 GiB in 10,000 parts.
		p.total = -1
		return p, nil
	}
	if total > maxParts*maxPartSize {
		return plan{}, fmt.Errorf("%d bytes are more than S3 takes in one object (10,000 parts of 5 GiB)", total)
	}
	if least := ceilDiv(total, maxParts); least > p.partSize {
		p.partSize = ceilDiv(least, mib) * mib
	}
	return p, nil
}

// parts returns how many parts there are, 0 while the total is not known. An empty asset is one empty part.
func (p plan) parts() int {
	if p.total < 0 {
		return 0
	}
	return max(1, int(ceilDiv(p.total, p.partSize)))
}

// single says whether the asset fits one PutObject.
func (p plan) single() bool { return p.total >= 0 && p.total <= p.partSize }

// part returns the range of part n. While the total is not known, every part is as long as it may be.
func (p plan) part(n int) (Part, bool) {
	if n < 1 || n > maxParts || (p.total >= 0 && n > p.parts()) {
		return Part{}, false
	}
	off := int64(n-1) * p.partSize
	size := p.partSize
	if p.total >= 0 {
		size = min(size, p.total-off)
	}
	return Part{Number: n, Offset: off, Size: size}, true
}

func ceilDiv(a, b int64) int64 {
	n := a / b
	if a%b != 0 {
		n++
	}
	return n
}
