package httpapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

//go:embed docs.html
var docsHTML string

// docsPage makes the page for people from the description for programs. It needs nothing from anywhere else.
func docsPage(document []byte) ([]byte, error) {
	var d description
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, fmt.Errorf("make the page of the API: %w", err)
	}
	t, err := template.New("docs").Funcs(template.FuncMap{"upper": strings.ToUpper, "paragraphs": func(s string) []string { return strings.Split(s, "\n\n") }}).Parse(docsHTML)
	if err != nil {
		return nil, fmt.Errorf("make the page of the API: %w", err)
	}
	var page bytes.Buffer
	if err := t.Execute(&page, d.view()); err != nil {
		return nil, fmt.Errorf("make the page of the API: %w", err)
	}
	return page.Bytes(), nil
}

// description is what the page shows of an OpenAPI document.
type description struct {
	Info       struct{ Title, Description string }
	Paths      map[string]map[string]docOperation
	Components struct {
		Schemas   map[string]docSchema
		Responses map[string]docResponse
	}
}

type docOperation struct {
	OperationID, Summary, Description string
	Parameters                        []docParameter
	RequestBody                       *struct{ Content map[string]docContent }
	Responses                         map[string]docResponse
}

type docParameter struct {
	Name, In, Description string
	Required              bool
	Schema                docSchema
}

type docResponse struct {
	Ref         string `json:"$ref"`
	Description string
	Content     map[string]docContent
}

type docContent struct{ Schema docSchema }

type docSchema struct {
	Ref                  string `json:"$ref"`
	Type                 any
	Description, Pattern string
	Enum                 []any
	Examples             []any
	Default              any
	Minimum, Maximum     *float64
	MinItems, MaxItems   *int
	Properties           map[string]docSchema
	Required             []string
	Items                *docSchema
	AnyOf                []docSchema
	AdditionalProperties any
}

// docView is the page's data.
type docView struct {
	Title, Description string
	Operations         []docOperationView
	Schemas            []docSchemaView
}

type docOperationView struct {
	ID, Method, Path, Summary, Description string
	Parameters                             []docRow
	Request                                *docRow
	Responses                              []docRow
}

type docSchemaView struct {
	Name string
	Rows []docRow
}

// docRow is one line of a table; Link names a schema of the page.
type docRow struct{ Name, In, Type, Link, Description, Example string }

func (d description) view() docView {
	v := docView{Title: d.Info.Title, Description: d.Info.Description}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			v.Operations = append(v.Operations, d.operation(method, path))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		s := docSchemaView{Name: name}
		schema := d.Components.Schemas[name]
		for _, key := range slices.Sorted(maps.Keys(schema.Properties)) {
			row := schema.Properties[key].row(key)
			if !slices.Contains(schema.Required, key) {
				row.In = "optional"
			}
			s.Rows = append(s.Rows, row)
		}
		v.Schemas = append(v.Schemas, s)
	}
	return v
}

func (d description) operation(method, path string) docOperationView {
	op := d.Paths[path][method]
	v := docOperationView{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Description: op.Description}
	for _, p := range op.Parameters {
		row := p.Schema.row(p.Name)
		row.In, row.Description = p.In, p.Description
		v.Parameters = append(v.Parameters, row)
	}
	if op.RequestBody != nil {
		for _, c := range op.RequestBody.Content {
			row := c.Schema.row("body")
			v.Request = &row
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		if name := strings.TrimPrefix(r.Ref, "#/components/responses/"); r.Ref != "" {
			r = d.Components.Responses[name]
		}
		row := docRow{Name: status, Description: r.Description}
		for _, c := range r.Content {
			shown := c.Schema.row(status)
			row.Type, row.Link = shown.Type, shown.Link
		}
		v.Responses = append(v.Responses, row)
	}
	return v
}

func (s docSchema) row(name string) docRow {
	text, link := s.kind()
	row := docRow{Name: name, Type: text, Link: link, Description: s.Description}
	if len(s.Examples) > 0 {
		if raw, err := json.Marshal(s.Examples[0]); err == nil {
			row.Example = string(raw)
		}
	}
	return row
}

// kind says in words what a value is, and which schema of the page it leads to.
func (s docSchema) kind() (text, link string) {
	switch {
	case s.Ref != "":
		link = strings.TrimPrefix(s.Ref, schemas)
		return link, link
	case len(s.AnyOf) > 0:
		var parts []string
		for _, one := range s.AnyOf {
			word, to := one.kind()
			parts, link = append(parts, word), link+to
		}
		return strings.Join(parts, " or "), link
	case s.Items != nil:
		word, to := s.Items.kind()
		return "list of " + word + s.limits(), to
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, e := range s.Enum {
			words[i] = fmt.Sprint(e)
		}
		return strings.Join(words, " · "), ""
	}
	if list, ok := s.Type.([]any); ok {
		words := make([]string, len(list))
		for i, e := range list {
			words[i] = fmt.Sprint(e)
		}
		return strings.Join(words, " or "), ""
	}
	return fmt.Sprint(s.Type) + s.limits(), ""
}

func (s docSchema) limits() string {
	switch {
	case s.MinItems != nil && s.MaxItems != nil:
		return fmt.Sprintf(", %d to %d", *s.MinItems, *s.MaxItems)
	case s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf(", %g to %g", *s.Minimum, *s.Maximum)
	}
	return ""
}
