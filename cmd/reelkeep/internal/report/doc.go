// Package report is the JSON in which a video and a receipt are told, by the commands and by the API alike: the shapes
// are a contract, so there is one place for them. Every key is always there; what is not known is null, and times are
// RFC 3339 in UTC. The tags doc, example and enum are for the description of the API.
package report
