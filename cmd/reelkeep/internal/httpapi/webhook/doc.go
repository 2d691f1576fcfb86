// Package webhook takes HeyGen's deliveries.
//
//	POST /webhooks/heygen          signed: hex HMAC-SHA256 of the raw body, in Signature or Heygen-Signature
//	POST /webhooks/heygen/{token}  unsigned, as HeyGen calls a callback_url; ?account=NAME says whose video it is
//
// OPTIONS, with which HeyGen tries an address out, GET and HEAD are answered at once on both, also before there is a
// secret that could verify anything: HeyGen gives the secret only after the trial.
//
// An event is only a signal. Of a delivery nothing is used but the video's id: the links in it are neither fetched nor
// kept, for the token's route is unsigned and what it names could lie anywhere. Unknown events and duplicates are
// answered like any other, or HeyGen would deliver them again.
//
//	200  Redis holds it, or there is nothing in it for us
//	401  it is not proven to be HeyGen's, whatever is wrong with it, or it is for no account of the fleet
//	503  Redis is away, or nobody knows the fleet's accounts yet: HeyGen delivers it again
package webhook
