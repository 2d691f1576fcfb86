package worker

// Waiting is how many wait for a buffer.
func (b *Buffers) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}
