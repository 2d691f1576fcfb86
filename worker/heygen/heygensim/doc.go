// Package heygensim is HeyGen in this process: the API in both generations and the host its links point to, on
// two ports of 127.0.0.1.
//
// It is for tests and for `reelkeep demo`. It imports nothing of reelkeep, so that it can contradict the client:
// both were written from HeyGen's public documentation and from bodies seen in the wild, not from each other.
//
// What it does as HeyGen does:
//
//	API    x-api-key is checked; /v1/video_status.get, /v1/video.list, /v3/videos, /v3/videos/{id} and
//	       /v3/videos/statuses answer in their own envelopes; a generation that is switched off answers an
//	       HTML page; a list pages by an opaque token; every answer carries fresh links
//	hooks  addresses are registered and tried out by OPTIONS in both generations; Deliver tells them of an event,
//	       signed in the dialect of each
//	       POST /v2/video/generate and POST /v3/videos create a video, which is Held
//	video  pending, then processing, then completed or failed; a GIF or captions may turn up later
//	asset  signed links end at their Expires second, and the query must come back byte for byte: another
//	       order or another spelling is 403, as it is with CloudFront; ranges, a strong ETag, Last-Modified
//
// What it does as the internet does: a Fault on an asset cuts the connection at a byte, stalls, lies about
// ranges or lengths, answers HTML with 200, and so on. APIFault does the same to the API.
//
// A render can be Held until Release. APIOutage is an outage that lasts until it is lifted. Several accounts are
// several simulators.
//
// It counts every request (Counts) and remembers it (Requests), every credential that reached the asset host (Leaks), and gives the
// right bytes for comparison (Open). An asset may be gigabytes long without costing memory: see Asset.Size.
package heygensim
