package report

import (
	"reflect"
	"strings"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
)

// clean copies a report and makes every string in it safe to show, by walking over its types: no field can be forgotten.
// What a scan writes into facts is clean already, but a stored scan may have been written by anybody. The certificates
// themselves (DER) are left out: no format but JSON shows them.
func clean(r Report) Report {
	out := reflect.New(reflect.TypeFor[Report]()).Elem()
	if r.Facts != nil && r.Facts.Unreachable != "" {
		r.Result = nil // there was nothing to judge, and the reason says it all
	}
	cleanInto(out, reflect.ValueOf(r))
	return out.Interface().(Report)
}

func cleanAll(reports []Report) []Report {
	cleaned := make([]Report, len(reports))
	for i, r := range reports {
		cleaned[i] = clean(r)
	}
	return cleaned
}

// cleanInto fills to, which is settable and zero, with a cleaned copy of from.
func cleanInto(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.String:
		to.SetString(pki.Printable(from.String()))
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(from.Type().Elem()))
			cleanInto(to.Elem(), from.Elem())
		}
	case reflect.Slice:
		if from.IsNil() || from.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			cleanInto(to.Index(i), from.Index(i))
		}
	case reflect.Struct:
		if from.Type().PkgPath() == "time" {
			to.Set(from)
			return
		}
		for i := range from.NumField() {
			if from.Type().Field(i).IsExported() {
				cleanInto(to.Field(i), from.Field(i))
			}
		}
		if s, ok := from.Interface().(grade.Snippet); ok {
			to.FieldByName("Text").SetString(printableLines(s.Text))
		}
	default:
		to.Set(from)
	}
}

// printableLines makes each line safe to show and keeps the lines apart; tabs become blanks.
func printableLines(text string) string {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\t", "    "), "\n"), "\n")
	for i, l := range lines {
		lines[i] = pki.Printable(l)
	}
	return strings.Join(lines, "\n")
}

func cleanChange(c grade.Change) grade.Change {
	c.Area, c.Direction, c.Text = pki.Printable(c.Area), grade.Direction(pki.Printable(string(c.Direction))), pki.Printable(c.Text)
	c.Old, c.New = pki.Printable(c.Old), pki.Printable(c.New)
	return c
}
