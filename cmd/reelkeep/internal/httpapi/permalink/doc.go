// Package permalink serves archived files under addresses that never expire.
//
//	GET, HEAD /v/{id}            the video itself
//	GET, HEAD /v/{id}/{asset}    any asset; ?account=NAME for accounts other than default, ?download=1 to save it
//
// Who may: whoever brings a token for the account, whoever has a share link (?e=…&s=…), and everybody where permalinks
// are public. Nobody else learns whether there is such a video: without either the answer is 401 before anything is
// looked up, and with another account's token it is the same 404 as for a video that nobody knows.
//
//	may not            401, or 404 with another account's token
//	archived           redirect:  302 to a presigned link, signed for the request's own method
//	                   proxy:     the bytes through us, with Range (a folder has no links of its own)
//	accepted, late     409 and Retry-After
//	anything else      404
//	store or Redis away  503 and Retry-After
//
// A redirect is fresh each time, never lives longer than the share link it came from, and no cache may hold it for more
// than half of its life.
package permalink
