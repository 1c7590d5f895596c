// Package openapi writes the schemas of an OpenAPI 3.1 document (JSON Schema 2020-12) from Go types: what an API answers with and what it
// is described to answer with are then the same type. It knows types and their JSON tags. It does NOT know routes, HTTP, or what
// anything means; those who serve an API describe that themselves.
package openapi

import (
	"encoding"
	"reflect"
	"strings"
	"time"
)

// Object is a JSON object that is being made.
type Object = map[string]any

// Path is where schemas stand in a document, with a slash behind it.
const Path = "#/components/schemas/"

// Schemas collects the JSON schemas of types. The zero Schemas is empty and ready.
type Schemas struct {
	Made Object // by name, for the components of a document
}

// Of gives the schema of a type: structs by reference.
func (s *Schemas) Of(t reflect.Type) Object {
	if t.Kind() != reflect.Pointer && t != reflect.TypeFor[time.Time]() && t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return Object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.Of(t.Elem())
	case reflect.String:
		return Object{"type": "string"}
	case reflect.Bool:
		return Object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return Object{"type": "integer"}
	case reflect.Float64:
		return Object{"type": "number"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return Object{} // JSON as it came
		}
		return Object{"type": "array", "items": s.Of(t.Elem())}
	case reflect.Map:
		return Object{"type": "object", "additionalProperties": s.Of(t.Elem())}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return Object{"type": "string", "format": "date-time"}
		}
		return s.structure(t)
	}
	return Object{}
}

func (s *Schemas) structure(t reflect.Type) Object {
	name := nameOf(t)
	ref := Object{"$ref": Path + name}
	if s.Made[name] != nil {
		return ref
	}
	if s.Made == nil {
		s.Made = Object{}
	}
	properties := Object{}
	schema := Object{"type": "object", "properties": properties}
	s.Made[name] = schema // before the fields, which may be of the same type
	if required := s.fields(t, properties); len(required) > 0 {
		schema["required"] = required
	}
	return ref
}

// fields describes the fields of a struct, those of embedded ones included, and lists what is always there.
func (s *Schemas) fields(t reflect.Type, properties Object) (required []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct {
			required = append(required, s.fields(f.Type, properties)...)
			continue
		}
		if tag == "" || tag == "-" {
			continue
		}
		properties[tag] = s.Of(f.Type)
		if options == "" {
			required = append(required, tag)
		}
	}
	return required
}

// nameOf is a type's name; page[…/admin.Certificate] is CertificatePage.
func nameOf(t reflect.Type) string {
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
