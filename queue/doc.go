// Package queue is the in-tray: what a job is, where every video stands, and who works on what next.
//
// Two records in Redis are the truth. The ledger holds every accepted video that is not settled yet, with its due
// time; the index holds one small record for every video that is. asynq is only the motor: it carries "do this step
// of this video, epoch n" to a free slot, and nothing is lost if it forgets.
//
//	Enqueue ─► ledger ──dispatch──► asynq ──► Handler
//	             ▲  (epoch n)                    │ outcome
//	             └───────────────────────────────┤
//	                                             └─► index (archived, failed, gone, cancelled)
//
// asynq's queues are first in, first out, so the dispatcher in every server keeps them nearly empty: it lets in what
// free slots will soon take, most urgent first. Every hand-out raises the video's epoch and makes a new asynq task
// id of it. So a task left over from a crash can't block a new one, and a run that comes late finds that its epoch
// has passed and does nothing.
//
// What can go wrong, and who notices:
//
//   - A worker dies: its runs show no sign of life, and the reconciler in any server hands them out again. That counts
//     as a failure unless parts were stored, since a video that kills its worker must not loop for ever.
//   - A worker is told to stop: handlers see ErrDraining, and their videos are free at once. No failure.
//   - Redis is away: runs go on, and their outcome is written when Redis is back.
//   - Redis is emptied: runs write themselves into the ledger again; sweeps find the rest.
//   - asynq runs a task twice: the second run sees the first one's outcome, or that it is alive, and does nothing.
//   - Redis can't be used (wrong password, replica, full …): Explain puts it into a sentence, and says whether a person
//     must act (RedisError) or it may pass by itself (AwayError). CheckRedis finds out at the start.
//
// Where Redis can (7.2 and later, with an append-only file), a receipt is given when the videos are on its disk.
//
// Budget is the fleet's other common good: how many requests one HeyGen account bears.
//
// Scripts only compare, set and file: all rules are Go. Redis must be 6.2 or later and must not evict keys
// (CheckRedis says so); Redis Cluster, Sentinel, and miniredis work.
package queue
