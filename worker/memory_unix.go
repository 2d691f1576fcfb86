//go:build unix

package worker

import "syscall"

// buffersOnHeap says whether part buffers are memory that the garbage collector knows of.
const buffersOnHeap = false

// allocate gets the memory of a buffer from the system. On Go's heap, a hundred megabytes of buffers would make the
// collector wait until another hundred megabytes of garbage lie beside them. Memory that can't be had from the system is
// taken from the heap.
func allocate(size int64) []byte {
	if size == 0 {
		return nil
	}
	buf, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]byte, size)
	}
	return buf
}

// free gives memory of allocate back. Nobody may look at it any more. What is not of Mmap is refused and left to the
// collector.
func free(buf []byte) {
	if cap(buf) > 0 {
		_ = syscall.Munmap(buf[:cap(buf)])
	}
}
