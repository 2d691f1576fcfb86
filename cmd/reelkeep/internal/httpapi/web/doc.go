// Package web is the page: what is archived, what is under way and what went wrong, for people with a browser.
//
//	GET  /                            gallery, search and lists (?show=running|failed, ?q=, ?cursor=)
//	GET  /videos/{id}                 one video (?account=NAME for accounts other than default)
//	POST /videos/{id}/retry · /cancel · /share
//	GET  /events                      what changes, as server-sent events
//	POST /signin · /signout
//	GET  /assets/{version}/{file}     style and scripts; the only thing that is open to everybody
//
// Everything is made on the server (html/template) and works without JavaScript, but for what moves. htmx, which lies beside
// (assets/htmx.txt), fetches parts of the same pages; assets/app.js puts in place what /events sends to lists. The page of one video that may still
// change asks every two seconds whether it has (page.Poll), as one does that could not be filled.
//
// Links are relative: behind an ingress that puts a path in front of ours, they stay below it.
//
// Who may: whoever has an auth.Access, by a session, a token or by sitting at this machine, sees the accounts that it is
// for. Others see the form to sign in, and not a number more. No GET changes anything, and auth counts no cookie in a
// request that a page of another origin has made.
package web
