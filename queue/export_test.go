package queue

import "time"

// SweepsAt is Client.Sweeps with a clock of the test's own.
func SweepsAt(c *Client, now func() time.Time) *Sweeps {
	s := c.Sweeps()
	s.now = now
	return s
}
