// Package httpapi is the HTTP door of a service (role api): one listener, one mux, and the REST API.
//
//	/api/v1/…                     the REST API; needs an auth.Access
//	/openapi.json · /docs         its description and a page of it; open
//	/v/…                          permalinks           (mounted)
//	/v1/… /v2/… /v3/…             drop-in              (mounted)
//	/webhooks/…                   deliveries of HeyGen (mounted)
//	/ and what the page needs     the page             (mounted)
//
// What is mounted (Deps.Mounts) is a plain http.Handler from another room, for a pattern of net/http.ServeMux. It finds
// the caller's Access in the request's context (auth.Of) and decides itself whom it answers: a share link or a
// signature may open what no token does. auth.Guard.Require is there for those that want a token.
//
// A handler must know this about the server around it:
//
//   - Reading a request ends after readTimeout, writing the answer after writeTimeout. What takes longer (a film, a
//     stream of events) moves the deadlines on by http.ResponseController while it makes progress.
//   - Bodies are not limited by the server: http.MaxBytesReader is the handler's.
//   - When the service stops, requests under way have some seconds (Server.Close). Then their contexts are cancelled.
//   - A panic becomes a problem document and a line in the log; http.ErrAbortHandler cuts the connection.
//   - Trouble is told by problem documents (package problem), unless the route speaks somebody else's language.
//   - No query, no path with a token in it and no header goes into a log.
package httpapi
