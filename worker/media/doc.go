// Package media answers two questions about a file that came from a link: is it what it claims to be, and is
// all of it there?
//
// Sniff looks at the first bytes, before anything is stored: an HTML page with status 200, an XML error or a
// gzip stream must not become video.mp4. The bytes decide. The path and the Content-Type of a link are only
// asked which of the text formats a captions file is, because asset hosts call an MP4
// application/octet-stream and an SRT text/plain.
//
// Verify looks at the structure of what was stored, before it is sealed: the boxes of an MP4 add up to its
// size, the index is there and points at nothing beyond the end, a JPEG ends with its end marker. That is
// a second proof besides the byte count, and the only one where a source announced no length or a wrong one.
// It does not decode: a flipped bit in the middle of a picture is a matter of checksums.
//
// Verify reads through an io.ReaderAt that is a ranged GET of the store, so it takes few and small reads:
// a few kilobytes for each box header, and the index of a video once.
//
// Both are told of damage by bytes that anybody may have made. Nothing they read can make them panic, loop,
// or take memory out of proportion. A *WrongTypeError or a *DamagedError is about the file; any other error
// is about reading it.
package media
