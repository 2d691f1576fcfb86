// Command chaos runs a fleet of reelkeep while everything around it breaks, and then says whether it kept its promises.
//
//	go run ./cmd/chaos -seed 7 -for 10m
//
// The fleet is real: several `reelkeep serve` processes, a redis-server, a MinIO. HeyGen is worker/heygen/heygensim. The
// seed decides which videos there are, what is wrong with each source, and what breaks when (plan.go); how the processes
// interleave it does not. When the time is over everything is mended, the fleet gets some minutes to settle, and then the
// archive is compared with what HeyGen served (judge.go) and the bytes that were fetched with the bytes that are stored
// (bytes.go). docs/reliability.md tells which promises that tries.
package main
