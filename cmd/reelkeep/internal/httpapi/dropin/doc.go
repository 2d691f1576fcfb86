// Package dropin answers HeyGen's own routes, so that an app which only has its base URL changed gets links that never
// expire.
//
//	GET /v1/video_status.get?video_id=   GET /v3/videos/{id}       mode status
//	every other route of /v1, /v2 and /v3                          mode full
//
// The key in x-api-key decides:
//
//	the key of an account of ours,    archived:  answered from the manifest; HeyGen is not asked
//	or a reelkeep token               else:      passed through and enqueued
//	                                  a list:    passed through; items that are archived get our links
//	                                  a POST:    passed through; the video that the answer names is enqueued
//	any other key, or none            passed through: nothing of ours is shown, looked up or enqueued
//
// A token is never passed through, in whichever form x-api-key or Authorization hold it: the account's key takes its place, and
// that of all else that says who asks. A token for everything is for the account default, or for the only one there is.
// Cookies pass in neither direction.
//
// What was archived from one generation of the API is answered in the shape of the other one too. Links are share links
// without an end. What HeyGen had a link to and we have not stored is null: a link without its query is of no use.
//
// Only HEYGEN_API_URL is ever dialled, whatever a request says. That it leads back to us is noticed by the Via header
// that RFC 9110 wants from a gateway. Uploads to upload.heygen.com are not ours: that is another host with a base URL of
// its own.
package dropin
