package admin

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"github.com/tlswright/tlswright/internal/openapi"
)

// object is a JSON object that is being made.
type object = openapi.Object

// openAPI describes the API (OpenAPI 3.1), made of the table that it is served from.
func (s *Server) openAPI() object {
	paths, schemas := object{}, new(openapi.Schemas)
	for _, r := range s.table() {
		at, ok := paths[r.path].(object)
		if !ok {
			at = object{}
			paths[r.path] = at
		}
		at[strings.ToLower(r.method)] = r.describe(schemas)
	}
	schemas.Of(reflect.TypeFor[Problem]())
	return object{
		"openapi": "3.1.0",
		"info": object{"title": "tlswright CA, admin API", "version": "1",
			"description": "Requests are authenticated by a client certificate of the admin CA. Lists come in pages: send the field next as the parameter after. Refusals are problem documents (RFC 9457)."},
		"paths":      paths,
		"components": object{"schemas": schemas.Made, "securitySchemes": object{"admin": object{"type": "mutualTLS", "description": "a certificate of `tlswright ca admin issue`"}}},
		"security":   []any{object{"admin": []any{}}},
	}
}

func (r *route) describe(s *openapi.Schemas) object {
	words := strings.FieldsFunc(strings.ToLower(r.method)+" "+r.path, func(c rune) bool { return !unicode.IsLetter(c) })
	d := object{"summary": r.summary, "operationId": strings.Join(words, "_")}
	if r.role != "" {
		d["description"] = "Needs the role " + string(r.role) + "."
		d["x-role"] = string(r.role)
	}
	var parameters []any
	for _, segment := range strings.Split(r.path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			parameters = append(parameters, object{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	for _, p := range r.query {
		schema := object{"type": p.kind}
		if p.words != nil {
			schema["enum"] = p.words
		}
		parameters = append(parameters, object{"name": p.name, "in": "query", "description": p.about, "schema": schema})
	}
	if parameters != nil {
		d["parameters"] = parameters
	}
	if r.body != nil {
		d["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": s.Of(reflect.TypeOf(r.body))}}}
	}
	success := object{"description": http.StatusText(r.successStatus())}
	switch {
	case r.kind != "":
		success["content"] = object{r.kind: object{}}
	case r.answer != nil:
		success["content"] = object{"application/json": object{"schema": s.Of(reflect.TypeOf(r.answer))}}
	}
	d["responses"] = object{
		strconv.Itoa(r.successStatus()): success,
		"default":                       object{"description": "why not", "content": object{"application/problem+json": object{"schema": object{"$ref": openapi.Path + "Problem"}}}},
	}
	return d
}
