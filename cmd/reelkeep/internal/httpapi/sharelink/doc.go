// Package sharelink spells our own links to archived files, and signs and checks those that need no token.
//
//	<REELKEEP_PUBLIC_URL>/v/<video id>/<asset>                                     permalink: a token opens it
//	<REELKEEP_PUBLIC_URL>/v/<video id>/<asset>?e=<unix seconds, or 0>&s=<signature>  share link: it opens itself
//
// Videos of another account than default carry ?account=<name>. The link itself must say whose video it names: a share
// link is opened by people who have no token that could tell.
//
// The signature is HMAC-SHA256, in base64url without padding, over
//
//	"reelkeep.sharelink/1" LF account LF video id LF asset LF e
//
// None of these can hold a line feed, so no two files have the same text. The first line keeps a secret that is used for
// something else too from signing links by accident. A signature and an expiry have one spelling each, so a link that
// was changed in any place opens nothing. There is no state: a link outlives restarts, and a rotation as long as its
// secret is still listed.
package sharelink
