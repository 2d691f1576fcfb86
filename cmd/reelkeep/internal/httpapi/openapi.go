package httpapi

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/problem"
)

const schemas = "#/components/schemas/"

func apiConfig(d Deps) huma.Config {
	registry := huma.NewMapRegistry(schemas, schemaName)
	server := d.PublicURL
	if server == "" {
		server = "/"
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "reelkeep", Version: "1",
				Description: "Archives finished HeyGen videos before their links die, and answers with links that never expire.\n\n" +
					"Every key of an answer is always there; what is not known is null. Times are RFC 3339 in UTC. What did not go as asked is told by a problem document (RFC 9457) with a code for programs and a hint for people.\n\n" +
					"A token for one account reaches the videos of that account only; those of others do not exist for it.",
				Contact: &huma.Contact{Name: "reelkeep", URL: "https://github.com/reelkeep/reelkeep"},
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Servers:  []*huma.Server{{URL: server, Description: "This service"}},
			Tags:     []*huma.Tag{{Name: tagVideos, Description: "Handing videos in, watching them, and making links to them"}},
			Security: []map[string][]string{{"bearer": {}}},
			Components: &huma.Components{
				Schemas: registry, Responses: problemResponses(registry),
				SecuritySchemes: map[string]*huma.SecurityScheme{"bearer": {
					Type: "http", Scheme: "bearer",
					Description: "One of REELKEEP_API_TOKENS. Where none is set, requests of the same machine need none.",
				}},
			},
		},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{inOurWords},
	}
}

// schemaName names the bodies of requests and answers for their operation, and all else for its type.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if name == "" { // no struct of ours
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

func responseName(status int) string {
	return strings.ReplaceAll(http.StatusText(status), " ", "")
}

// problemResponses describes every way in which a request may not go as asked.
func problemResponses(registry huma.Registry) map[string]*huma.Response {
	ref := registry.Schema(reflect.TypeFor[problem.Problem](), true, "Problem")
	out := map[string]*huma.Response{}
	for status, r := range map[int]struct{ description, code, detail, hint string }{
		http.StatusBadRequest:            {"The body is missing or no JSON", "malformed", "request body is required", "the body has to be a JSON object; see /docs"},
		http.StatusUnauthorized:          {"The token is missing or wrong", "unauthorized", "this needs a token", "send it as Authorization: Bearer TOKEN; tokens are set by REELKEEP_API_TOKENS"},
		http.StatusForbidden:             {"The token is for another account", "forbidden", "this token is not for this account", "use a token that is, or leave account out"},
		http.StatusNotFound:              {"Nobody knows the video, or the token must not know of it", "unknown", "this video is neither archived nor waiting", "hand it in: POST /api/v1/videos"},
		http.StatusRequestTimeout:        {"The body came too slowly", "too_slow", "request body read timeout", "send the body faster, or in smaller requests"},
		http.StatusConflict:              {"The video is in a state in which this can't be done", "archived", "it is archived already: there is nothing left to cancel", "what is archived stays"},
		http.StatusRequestEntityTooLarge: {"The body is too large", "too_large", "request body is too large limit=2097152 bytes", "send fewer ids at once, or less metadata"},
		http.StatusUnsupportedMediaType:  {"The body is no JSON by its Content-Type", "unsupported_media_type", "unknown content type", "send JSON, with Content-Type: application/json"},
		http.StatusUnprocessableEntity:   {"A value is not what it should be; errors tells which", "invalid", "validation failed", "see errors, and /docs"},
		http.StatusInternalServerError:   {"Something is wrong with reelkeep itself", "internal", "something is wrong with reelkeep itself", "its log tells more"},
		http.StatusServiceUnavailable:    {"Redis or the store is out of reach, or the service is starting. Nothing is known of what was asked for; asking again is harmless", "unavailable", "Redis, where every accepted video is written down, is out of reach", "ask again in a moment"},
	} {
		response := &huma.Response{Description: r.description, Content: map[string]*huma.MediaType{
			problem.ContentType: {Schema: ref, Example: problem.New(status, r.code, r.detail, r.hint)},
		}}
		if status == http.StatusServiceUnavailable {
			response.Headers = map[string]*huma.Header{"Retry-After": {
				Description: "After how many seconds to ask again", Schema: &huma.Schema{Type: huma.TypeInteger}, Example: 5,
			}}
		}
		out[responseName(status)] = response
	}
	return out
}

// polish mends what the framework can't say by tags.
func polish(doc *huma.OpenAPI) {
	all := doc.Components.Schemas.Map()
	delete(all, "ErrorModel") // of the framework; ours is Problem
	delete(all, "ErrorDetail")
	for name, s := range all {
		if !strings.HasSuffix(name, "Request") && s.Type == huma.TypeObject && len(s.Properties) > 0 {
			s.AdditionalProperties = nil // answers may get more keys one day
		}
		for key, p := range s.Properties {
			if key == "error" && p.Ref != "" {
				s.Properties[key] = &huma.Schema{AnyOf: []*huma.Schema{{Ref: p.Ref}, {Type: "null"}}, Description: p.Description}
			}
		}
	}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post} {
			if op != nil && op.DefaultStatus != 0 && op.Responses[strconv.Itoa(op.DefaultStatus)].Headers != nil {
				op.Responses[strconv.Itoa(op.DefaultStatus)].Headers = nil // empty, and some readers want none or some
			}
		}
	}
}
