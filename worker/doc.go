// Package worker is the bench: it takes one video from its links to its sealed manifest.
//
// The way of one video:
//
//	Check     is it sealed already? ── yes ──────────────────────────────▶ nothing to do
//	            │ no
//	          how far is it? (Look) ── rendering ──▶ NotReadyError (come back later)
//	            │ completed        ├── failed ─────▶ RenderFailedError (a person is told)
//	            ▼                  └── unknown ────▶ GoneError
//	Transfer  its links (Video); every asset: open, is it what it claims? stream into parts, complete, check its structure
//	            │
//	          look at every object once more (a stale worker may have been there)
//	            │
//	          seal: manifest.json, written last, only if there is none. This write is the commit.
//
// Nothing but that conditional write decides who wins when two workers hold the same video; everything before
// it may be done twice. A killed worker leaves its unfinished upload and the record of it in the store; the
// next one, on any machine, goes on there.
//
// The package knows the order of the steps. It knows no HTTP status (that is heygen and fetch), no S3 error
// (that is storage) and no queue: its errors say what should happen next (RetryAfter, Settle), and whoever
// drives the Archiver acts on that.
package worker
