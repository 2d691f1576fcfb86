// Package fetch reads one remote file whose link expires, in exact ranges, over a network that breaks.
//
// The link may change, the bytes may not. Open asks for the first range and learns from the answer what the file is:
// its size and its validators, together the Pin. Every later answer is held against the Pin before a byte of it is
// believed; other bytes under the same link are ErrChanged, never a splice.
//
//	Open ──► first range, Pin ──► Range ─► bytes … break ─► ask again at that byte ─► … ─► exactly n bytes
//	                                │                              ▲
//	                                └─ 403/404, or nearly expired ─┴─ Refresh (once, however many ranges wait)
//
// What ends a read early: the caller's context; ErrChanged; ErrBlocked (the address guard or the redirect rule);
// ErrNotThere (a fresh link is still denied after FreshWait); an error of Refresh; and *GiveUpError, after a number
// of tries in a row that brought not one new byte. Nothing else does: a file may break a thousand times as long as
// every try moves it on. There is no total time-out, only one on silence.
//
// Why it speaks HTTP the way it does:
//   - ranged GET, never HEAD: presigned links of S3 refuse HEAD, and the first range is the answer to a small file;
//   - no content coding: a packed answer has neither the length nor the ETag of the file;
//   - HTTP/1.1: parallel ranges over one HTTP/2 connection share one TCP window and one loss;
//   - the link goes out byte for byte: signatures cover the spelling, not the meaning;
//   - no cookies, no Referer, no proxy: the link is a credential, and a proxy would walk around the address guard.
//
// Where a host knows no ranges the file is read in order; a break then starts over at byte 0 and passes over what
// the caller already has.
package fetch
