package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files in testdata, and docs/scan.schema.json, anew")

// checkGolden holds output against a golden file.
func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run go test ./grade/report -update", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not as before; if that is meant: go test ./grade/report -update\n%s", name, cmp.Diff(string(want), string(got)))
	}
}

func TestEveryFormatIsAsBefore(t *testing.T) {
	suffix := map[Format]string{FormatText: ".txt", FormatJSON: ".json", FormatJSONLines: ".jsonl", FormatHTML: ".html", FormatCSV: ".csv", FormatSARIF: ".sarif", FormatJUnit: ".xml", FormatMarkdown: ".md", FormatBadge: ".svg"}
	for name, reports := range samples() {
		for _, f := range Formats() {
			if name == "fleet" && f != FormatText && f != FormatMarkdown || f == FormatHTML && name != "old" {
				continue // large, and nothing new in it
			}
			var b bytes.Buffer
			if err := Write(&b, f, reports, Options{MinGrade: "A-", Tool: "0.6", Policies: []string{"mozilla-modern-6.0"}}); err != nil {
				t.Fatal(err)
			}
			checkGolden(t, name+suffix[f], b.Bytes())
		}
		var b bytes.Buffer
		if err := Text(&b, reports, Options{Verbose: 1}); err != nil {
			t.Fatal(err)
		}
		if name != "fleet" {
			checkGolden(t, name+".v.txt", b.Bytes())
		}
	}
}
