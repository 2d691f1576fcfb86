// Package storage is the shelf: it puts the files of a video into an S3-compatible store and says, with one write,
// that they are all there.
//
// # The keys of one video
//
//	<prefix>/<video_id>/video.mp4               an asset, written once
//	<prefix>/<video_id>/thumbnail.jpeg
//	<prefix>/<video_id>/.upload/video.json      how to continue the upload of video.mp4; gone when the video is sealed
//	<prefix>/<video_id>/manifest.json           written last: this write is the commit
//	<prefix>/<video_id>/manifest.g1.json        the manifest of an earlier generation; manifest.g1.<sum>.json if it has two
//	<prefix>/<video_id>/g2/video.mp4            an asset of a later generation
//	<prefix>/@<account>/<video_id>/…            the same for accounts other than "default"
//
// A video without manifest.json is not archived, whatever else lies there. [Store.Seal] writes it under the
// condition that nothing is there yet, after it has looked at every asset once more. Nothing that a manifest
// refers to is ever overwritten or deleted.
//
// # One asset
//
// [Store.Upload] opens an upload, new or begun by a worker that has died. [Upload.Next] says which part is missing,
// [Upload.Put] stores it, [Upload.Complete] makes the object and proves it. Who has many parts in hand at once gives each
// to [Upload.Send], in any order, and to [Upload.Hash], in order.
//
//	Upload ──► no .upload record ───────────────► fresh
//	       ──► record, store knows the upload ──► go on after the parts it holds
//	       ──► record, object is there ─────────► a dead worker completed it; Complete only proves it
//	       ──► record of another source or size ► abort that upload, start afresh
//
// An asset of one part is a single conditional PutObject and leaves no record. A longer one is a multipart upload.
// The record says how far the SHA-256 of the whole has come; Go can store and restore that state, so the next worker
// hashes on where the last one stopped. If parts lie in the store that no recorded state covers, the
// finished object is read back once, because parts of an unfinished upload cannot be read.
//
// # Several workers
//
// Two workers may hold the same video: a queue cannot rule that out. They meet here. The first to write the record
// owns the upload and the other joins it. The record is replaced by If-Match, so a worker that was left behind
// learns it ([ErrUploadGone]) and cannot harm its successor. Seal decides who wins ([ErrExists] is a normal outcome).
// On stores without conditional writes every such step is: read, compare, write, read again.
//
// # Answers that lie
//
// A lost reply turns a success into "no such upload" or "precondition failed" on the next try. So no doubtful answer
// is believed: we look at the object first. Every multipart object carries a random name of its upload in its
// metadata, which tells our own success from somebody else's object.
//
// # Errors
//
// [RefusedError]: the store says no, and a person must change a setting. [UnreachableError]: it cannot be reached or
// is overloaded or full, and waiting helps. Both have RetryAfter, because neither is the fault of a video.
// [DamagedError]: what is stored is not what was sent. No error carries a key, a signature or the query of an address.
//
// No type of the S3 SDK appears in this package's API.
package storage
