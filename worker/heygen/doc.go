// Package heygen asks HeyGen about videos. It knows two generations of the API, v3 and v1, and shows one model.
//
//	Client ── Video ───────────────► GET /v3/videos/{id}        or  /v1/video_status.get?video_id=
//	       ── Videos, Pages, Check ► GET /v3/videos             or  /v1/video.list
//	       ── Statuses ────────────► GET /v3/videos/statuses        (v3 only: ErrUnsupported elsewhere)
//
//	Desk   ── Video ── of a page read lately ── by reading a page ── Client.Video      links, as few calls as can be
//	       ── Look ─── of a page read lately ── Client.Statuses ──── Client.Video      how far is it?
//
// # Which generation answers
//
// The end of v1 was announced for 31 October 2026; nobody has told what it answers since. With VersionAuto the client finds out
// and remembers:
//
//	nothing known ──► ask v3. A good answer: remember v3.
//	                  No endpoint there (404 without HeyGen's own words, 405, 410, 426, 501, a redirect, a web page),
//	                  a refused key, an unknown video, an unreadable answer, a failing server: ask v1 too.
//	                  A good answer there: remember v1, unless v3 only had a bad moment.
//	v3 known      ──► ask v3 alone, until its endpoint is gone: then ask v1 again.
//	v1 known      ──► the same the other way round. Besides, "no such video" in words that v1 never used before is checked
//	                  with v3, because it may be v1 speaking of its own end.
//
// What v1 does not tell: completion time, title of a single video, links in lists. What v3 does not tell: the callback id.
//
// # What is believed
//
// Absent, null and empty mean the same. A number may come as text and text as a number; a date as seconds, with or without a
// fraction, or as ISO 8601. An unknown status means waiting. A failed render is an answer and not an error. An error that ends
// the life of a job, NotFound, is only given when HeyGen itself said it, or when the video's address is missing while the list
// beside it answers. A description of another video than the one asked for is never passed on.
//
// # Few calls for many videos
//
// A Desk keeps the number of calls below one for each video. On v3 a bulk call tells the status of 100 videos, and a page of
// the list the links of 100; v1 has neither, so there every video takes its own calls.
//
//	Look ──► asked together? ─ no ──────► a plain call; the transfer that follows needs no other
//	            │ yes
//	         one bulk call ── rendering, completed: Brief ── anything else: a plain call decides
//
//	Video ─► on a page read lately, not given yet? ── yes ──► that, once
//	            │ no
//	         many wanted? ─ no ──────────► a plain call
//	            │ yes
//	         read its page again by its token, or the next page that nobody has read ──► from the start
//
// What is spent on pages that serve nobody is bounded by a tenth of what could be saved, so in whatever order an account is
// listed and asked for, a Desk is never much worse than plain calls. It holds less than 10 MB.
//
// # What leaves this package
//
// The API key goes to the configured address and nowhere else: redirects are refused and there is no cookie jar. Links are
// of type secret.String. Video.Response has lost every query; error texts have lost queries, keys and control characters.
//
// Errors are of type *Error and say what a person can do. Nothing is repeated here except pages of a list: when to ask
// again is the queue's decision. A Gate may hold every request back, for all who ask with one key.
package heygen
