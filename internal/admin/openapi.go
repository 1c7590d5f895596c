package admin

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// object is a JSON object that is being made.
type object = map[string]any

// openAPI describes the API (OpenAPI 3.1), made of the table that it is served from.
func (s *Server) openAPI() object {
	paths, schemas := object{}, &schemas{made: object{}}
	for _, r := range s.table() {
		at, ok := paths[r.path].(object)
		if !ok {
			at = object{}
			paths[r.path] = at
		}
		at[strings.ToLower(r.method)] = r.describe(schemas)
	}
	schemas.of(reflect.TypeFor[Problem]())
	return object{
		"openapi": "3.1.0",
		"info": object{"title": "tlswright CA, admin API", "version": "1",
			"description": "Requests are authenticated by a client certificate of the admin CA. Lists come in pages: send the field next as the parameter after. Refusals are problem documents (RFC 9457)."},
		"paths":      paths,
		"components": object{"schemas": schemas.made, "securitySchemes": object{"admin": object{"type": "mutualTLS", "description": "a certificate of `tlswright ca admin issue`"}}},
		"security":   []any{object{"admin": []any{}}},
	}
}

func (r *route) describe(s *schemas) object {
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
		d["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": s.of(reflect.TypeOf(r.body))}}}
	}
	success := object{"description": http.StatusText(r.successStatus())}
	switch {
	case r.kind != "":
		success["content"] = object{r.kind: object{}}
	case r.answer != nil:
		success["content"] = object{"application/json": object{"schema": s.of(reflect.TypeOf(r.answer))}}
	}
	d["responses"] = object{
		strconv.Itoa(r.successStatus()): success,
		"default":                       object{"description": "why not", "content": object{"application/problem+json": object{"schema": object{"$ref": schemaPath + "Problem"}}}},
	}
	return d
}

const schemaPath = "#/components/schemas/"

// schemas collects the JSON schemas of types.
type schemas struct{ made object }

// of gives the schema of a type: structs by reference.
func (s *schemas) of(t reflect.Type) object {
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint8:
		return object{"type": "integer"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{} // JSON as it came
		}
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return object{"type": "string", "format": "date-time"}
		}
		return s.structure(t)
	}
	return object{}
}

func (s *schemas) structure(t reflect.Type) object {
	name := schemaName(t)
	ref := object{"$ref": schemaPath + name}
	if s.made[name] != nil {
		return ref
	}
	properties, required := object{}, []string{}
	schema := object{"type": "object", "properties": properties}
	s.made[name] = schema // before the fields, which may be of the same type
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "" || tag == "-" {
			continue
		}
		properties[tag] = s.of(f.Type)
		if options == "" {
			required = append(required, tag)
		}
	}
	if len(required) > 0 {
		schema["required"] = required
	}
	return ref
}

// schemaName is a type's name; page[…/admin.Certificate] is CertificatePage.
func schemaName(t reflect.Type) string {
	name, of, ok := strings.Cut(t.Name(), "[")
	if !ok {
		if strings.HasSuffix(t.PkgPath(), "/acme") {
			return "ACME" + name
		}
		return name
	}
	of = strings.TrimSuffix(of, "]")
	of = of[strings.LastIndex(of, ".")+1:]
	return of + strings.ToUpper(name[:1]) + name[1:]
}
