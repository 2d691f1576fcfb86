// Package storagetest is what any S3-compatible store must do for us, as a suite, and the means to run it.
//
// [Run] works on a [storage.Store] only, so it runs on the embedded store, on MinIO and on whatever a person names.
// [MinIO] starts a real one. [NewProxy] stands between a store and its client and breaks single requests: a reply that
// never arrives, an error in a 200, a body that ends early.
package storagetest
