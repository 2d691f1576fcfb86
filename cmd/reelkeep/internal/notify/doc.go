// Package notify tells an app of ours what has become of its videos: one POST for each event, signed as Standard Webhooks
// says (webhook-id, webhook-timestamp, webhook-signature). When and how often it is tried is the queue's affair.
//
// The receiver's address is guarded like a link: what is private is only dialled if REELKEEP_PRIVATE_SOURCES names it, and no
// redirect is followed. Its path and query are nobody's business; errors and the log have its host.
package notify
