package config

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestYAMLBecomesTheJSONThatSaysTheSame(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "null",
		"# nothing":                   "null",
		"name: own\nminRSABits: 3072": `{"name":"own","minRSABits":3072}`,
		"a:\n  - TLS 1.2\n  - \"1.3\"\n  - [x, 2]\nb: {c: true, d: null, e: 'no'}": `{"a":["TLS 1.2","1.3",["x",2]],"b":{"c":true,"d":null,"e":"no"}}`,
		"n: 0x10":               `{"n":"0x10"}`, // JSON has no such number: the reader may say what it thinks of the text
		"t: |\n  two\n  lines":  `{"t":"two\nlines"}`,
		"quoted: 'a \"b\" <c>'": `{"quoted":"a \"b\" \u003cc\u003e"}`,
	} {
		got, err := JSON([]byte(text))
		if err != nil || string(got) != want {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
	}
}

func TestYAMLThatIsNoneHasAPlace(t *testing.T) {
	for _, text := range []string{"a: 1\na: 2", "a: [1", "x: &a 1\ny: *a", "a: 1\n---\nb: 2"} {
		_, err := JSON([]byte(text))
		var e *Error
		if !errors.As(err, &e) || e.Line == 0 {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte("name: own\nversions: [TLS 1.2, TLS 1.3]\nminRSABits: 2048\n"))
	f.Add([]byte("a:\n- .inf\n- 0o17\n- 1_000\n- ~\n- 'x'\n- |\n  y\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if out, err := JSON(text); err == nil && !json.Valid(out) {
			t.Errorf("%q became %q, which is no JSON", text, out)
		}
	})
}
