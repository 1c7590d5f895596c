package pki

import (
	"strings"
	"testing"
	"unicode"
)

func TestPrintableEscapesWhatHarmsATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"www.example":               "www.example",
		"Müller & Söhne, 東京 – 5 €":  "Müller & Söhne, 東京 – 5 €",
		"a\x1b[2Jb":                 `a\x1b[2Jb`,
		"line\r\nline":              `line\x0d\x0aline`,
		"nul\x00tab\tdel\x7f":       `nul\x00tab\x09del\x7f`,
		"c1\u0085\u009b31m":         `c1\u0085\u009b31m`,
		"evil\u202egpj.exe":         `evil\u202egpj.exe`,
		"iso\u2066late\u2069":       `iso\u2066late\u2069`,
		"mark\u200e\u200f\u061c":    `mark\u200e\u200f\u061c`,
		"zero\u200bwidth\ufeff":     `zero\u200bwidth\ufeff`,
		"line\u2028par\u2029":       `line\u2028par\u2029`,
		"hard\u00a0space":           `hard\u00a0space`,
		"tag\U000e0041":             `tag\U000e0041`,
		"broken\xff\xc3":            `broken\xff\xc3`,
		"real replacement \ufffd":   "real replacement \ufffd",
		"both \ufffd and \xe2\x82x": "both \ufffd and \\xe2\\x82x",
		`back\slash`:                `back\slash`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b[0m\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := Printable(s)
		if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Fatalf("%q holds an unprintable character at %d", got, i)
		}
		if Printable(got) != got {
			t.Fatalf("%q is not stable", got)
		}
	})
}
