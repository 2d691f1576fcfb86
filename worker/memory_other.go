//go:build !unix

package worker

const buffersOnHeap = true

func allocate(size int64) []byte { return make([]byte, size) }

func free([]byte) {}
