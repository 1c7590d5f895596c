package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
)

// publishedSchema is the copy that people find.
const publishedSchema = "../../docs/scan.schema.json"

// enums are the types whose values are a closed list.
func enums() map[reflect.Type][]any {
	return map[reflect.Type][]any{
		reflect.TypeFor[grade.Answer]():    {grade.Unasked, grade.Yes, grade.No, grade.Unknown},
		reflect.TypeFor[grade.Verdict]():   {grade.Vulnerable, grade.Potential, grade.NotVulnerable, grade.Inconclusive, grade.NotApplicable},
		reflect.TypeFor[grade.Severity]():  {grade.Critical, grade.High, grade.Medium, grade.Low, grade.Info, grade.Good},
		reflect.TypeFor[grade.Direction](): {grade.Better, grade.Worse, grade.Neutral},
		reflect.TypeFor[grade.Letter]():    {grade.Letter(""), grade.Letter("A+"), grade.Letter("A"), grade.Letter("A-"), grade.Letter("B"), grade.Letter("C"), grade.Letter("D"), grade.Letter("E"), grade.Letter("F"), grade.Letter("M"), grade.Letter("T")},
	}
}

// schemaMaker walks over types and writes their schemas down.
type schemaMaker struct {
	defs  map[string]any
	docs  map[string]string // "Facts", "Facts.Host": what the source says
	enums map[reflect.Type][]any
}

func (m *schemaMaker) of(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case m.enums[t] != nil:
		if _, ok := m.defs[t.Name()]; !ok {
			m.defs[t.Name()] = map[string]any{"description": m.docs[t.Name()], "type": "string", "enum": m.enums[t]}
		}
		return ref(t.Name())
	}
	switch t.Kind() {
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Float64, reflect.Float32:
		return map[string]any{"type": "number"}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Pointer:
		return m.of(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return map[string]any{"type": "string", "contentEncoding": "base64"}
		}
		return map[string]any{"type": "array", "items": m.of(t.Elem())}
	case reflect.Struct:
		m.define(t)
		return ref(t.Name())
	}
	panic("no schema for " + t.String())
}

func ref(name string) map[string]any { return map[string]any{"$ref": "#/$defs/" + name} }

func (m *schemaMaker) define(t reflect.Type) {
	if _, ok := m.defs[t.Name()]; ok {
		return
	}
	def := map[string]any{"type": "object"}
	m.defs[t.Name()] = def
	if text := m.docs[t.Name()]; text != "" {
		def["description"] = text
	}
	properties, required := m.fields(t)
	def["properties"] = properties
	if len(required) > 0 {
		def["required"] = required
	}
}

func (m *schemaMaker) fields(t reflect.Type) (properties map[string]any, required []string) {
	properties = make(map[string]any)
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if field.Anonymous {
			more, needed := m.fields(field.Type)
			for k, v := range more {
				properties[k] = v
			}
			required = append(required, needed...)
			continue
		}
		s := m.of(field.Type)
		mayLack := strings.Contains(options, "omit")
		if field.Type.Kind() == reflect.Slice && !mayLack {
			s["type"] = []string{"array", "null"}
		}
		if text := m.docs[t.Name()+"."+field.Name]; text != "" {
			s["description"] = text
		}
		properties[name] = s
		if !mayLack {
			required = append(required, name)
		}
	}
	return properties, required
}

// comments reads the doc comments of types and fields out of the source.
func comments(t *testing.T, patterns ...string) map[string]string {
	t.Helper()
	docs := make(map[string]string)
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range file.Decls {
				gen, ok := decl.(*ast.GenDecl)
				if !ok || gen.Tok != token.TYPE {
					continue
				}
				for _, spec := range gen.Specs {
					typ := spec.(*ast.TypeSpec)
					docs[typ.Name.Name] = oneLine(gen.Doc, typ.Doc)
					structure, ok := typ.Type.(*ast.StructType)
					if !ok {
						continue
					}
					for _, field := range structure.Fields.List {
						for _, n := range field.Names {
							docs[typ.Name.Name+"."+n.Name] = oneLine(field.Doc, field.Comment)
						}
					}
				}
			}
		}
	}
	return docs
}

func oneLine(groups ...*ast.CommentGroup) string {
	var words []string
	for _, g := range groups {
		words = append(words, strings.Fields(g.Text())...)
	}
	return strings.Join(words, " ")
}

func makeSchema(t *testing.T) []byte {
	t.Helper()
	m := &schemaMaker{defs: map[string]any{}, docs: comments(t, "../*.go", "*.go"), enums: enums()}
	m.define(reflect.TypeFor[document]())
	m.define(reflect.TypeFor[line]())
	m.define(reflect.TypeFor[diffDocument]())
	for _, name := range []string{"document", "line", "diffDocument"} {
		properties := m.defs[name].(map[string]any)["properties"].(map[string]any)
		properties["version"].(map[string]any)["const"] = Version
		properties["format"].(map[string]any)["const"] = documentFormat
		if name == "diffDocument" {
			properties["format"].(map[string]any)["const"] = diffFormat
		}
	}
	out, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": fmt.Sprintf("urn:tlswright:scan:%d", Version), "title": "tlswright scan",
		"description": "A scan as a document, one report of it as a line, or the difference between two scans.",
		"anyOf":       []any{ref("document"), ref("line"), ref("diffDocument")}, "$defs": m.defs,
	}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

func TestTheSchemaIsFresh(t *testing.T) {
	want := makeSchema(t)
	for _, file := range []string{"scan.schema.json", publishedSchema} {
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the types of grade say: run go test ./grade/report -update", file)
		}
	}
}

func TestOutputKeepsToTheSchema(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(makeSchema(t), &schema); err != nil {
		t.Fatal(err)
	}
	for name, reports := range samples() {
		var document bytes.Buffer
		if err := JSON(&document, reports); err != nil {
			t.Fatal(err)
		}
		holdAgainst(t, name, schema, document.Bytes())
		for _, r := range reports {
			var one bytes.Buffer
			if err := JSONLine(&one, r); err != nil {
				t.Fatal(err)
			}
			holdAgainst(t, name+", a line", schema, one.Bytes())
		}
		var diff bytes.Buffer
		if err := DiffJSON(&diff, Pair(samples()["good"], reports, someChanges)); err != nil {
			t.Fatal(err)
		}
		holdAgainst(t, name+", compared", schema, diff.Bytes())
	}
}

func holdAgainst(t *testing.T, name string, schema map[string]any, text []byte) {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	v := &validator{root: schema}
	if v.check(schema, value, "$"); len(v.problems) > 0 {
		t.Errorf("%s: %s", name, strings.Join(v.problems, "\n"))
	}
}

func TestTheSchemaRefusesWhatIsWrong(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(makeSchema(t), &schema); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{}`, `[]`, `{"format":"tlswright-scan","version":2,"reports":[]}`, `{"format":"x","version":1,"reports":[]}`, `{"format":"tlswright-scan","version":1,"reports":[{"facts":{}}]}`,
		`{"format":"tlswright-scan","version":1,"reports":[],"more":1}`, `{"format":"tlswright-scan","version":1,"reports":[{"result":{"schema":1,"rules":"x","grade":"Z","gradeIgnoringTrust":"","score":0,"protocolScore":0,"keyExchangeScore":0,"cipherScore":0,"findings":[]}}]}`,
	} {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		v := &validator{root: schema}
		if v.check(schema, value, "$"); len(v.problems) == 0 {
			t.Errorf("%s passes", text)
		}
	}
}

// validator knows as much of JSON Schema as ours uses, and is stricter in one thing: a property that the schema does not
// name is an error, so that none is forgotten.
type validator struct {
	root     map[string]any
	problems []string
}

func (v *validator) fail(path, format string, args ...any) {
	v.problems = append(v.problems, path+": "+fmt.Sprintf(format, args...))
}

func (v *validator) check(s map[string]any, value any, path string) {
	if r, ok := s["$ref"].(string); ok {
		def := v.root["$defs"].(map[string]any)[strings.TrimPrefix(r, "#/$defs/")]
		v.check(def.(map[string]any), value, path)
	}
	if choices, ok := s["anyOf"].([]any); ok {
		var reasons []string
		for _, c := range choices {
			try := &validator{root: v.root}
			try.check(c.(map[string]any), value, path)
			if len(try.problems) == 0 {
				reasons = nil
				break
			}
			reasons = append(reasons, try.problems...)
		}
		v.problems = append(v.problems, reasons...)
	}
	if c, ok := s["const"]; ok && c != value {
		v.fail(path, "is %v, not %v", value, c)
	}
	if list, ok := s["enum"].([]any); ok {
		found := false
		for _, e := range list {
			found = found || e == value
		}
		if !found {
			v.fail(path, "%v is none of %v", value, list)
		}
	}
	if s["type"] != nil && !isOfType(s["type"], value) {
		v.fail(path, "%v is no %v", value, s["type"])
		return
	}
	switch value := value.(type) {
	case []any:
		for i, e := range value {
			v.check(s["items"].(map[string]any), e, fmt.Sprintf("%s[%d]", path, i))
		}
	case map[string]any:
		v.object(s, value, path)
	case string:
		if s["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339Nano, value); err != nil {
				v.fail(path, "%v", err)
			}
		}
	}
}

func (v *validator) object(s map[string]any, value map[string]any, path string) {
	properties, ok := s["properties"].(map[string]any)
	if !ok {
		return
	}
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, ok := value[name.(string)]; !ok {
			v.fail(path, "%v is missing", name)
		}
	}
	for name, e := range value {
		p, ok := properties[name].(map[string]any)
		if !ok {
			v.fail(path, "%s is not in the schema", name)
			continue
		}
		v.check(p, e, path+"."+name)
	}
}

func isOfType(want, value any) bool {
	if list, ok := want.([]any); ok {
		for _, w := range list {
			if isOfType(w, value) {
				return true
			}
		}
		return false
	}
	switch value := value.(type) {
	case nil:
		return want == "null"
	case bool:
		return want == "boolean"
	case string:
		return want == "string"
	case float64:
		return want == "number" || want == "integer" && value == float64(int64(value))
	case []any:
		return want == "array"
	case map[string]any:
		return want == "object"
	}
	return false
}
