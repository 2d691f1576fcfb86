// Package live tells open pages what changes, by server-sent events. However many are open, one watcher looks, and only
// while anybody listens; what there is to tell is the watcher's business.
package live
