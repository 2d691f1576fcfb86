// Package queuetest lends tests a Redis that can be broken.
//
// Redis starts a real redis-server on a free port of 127.0.0.1, with an append-only file in the test's own folder,
// so that it can be stopped, killed and started again with what it remembers; TLS and Guarded lock it, Cluster3 and
// Sentinel start several that are one. Line is the wire between a client and any Redis, and can be cut. Front stands
// before a Redis and says what the test wants to hear. Nothing here knows what a job is.
package queuetest
