package report

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	for name, want := range samples() {
		for _, f := range []Format{FormatJSON, FormatJSONLines} {
			got, err := Parse(written(t, f, want, Options{}))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s as %s: %s", name, f, diff)
			}
		}
	}
}

// TestABrokenRunIsReadUpToItsLastWholeLine cuts JSON lines at every byte: the whole lines come out, and Good says where
// they end.
func TestABrokenRunIsReadUpToItsLastWholeLine(t *testing.T) {
	text := written(t, FormatJSONLines, []Report{unreachable(), files(), unreachable()}, Options{})
	for cut := range len(text) + 1 {
		r := NewReader(bytes.NewReader(text[:cut]))
		count := 0
		var err error
		for ; err == nil; count++ {
			_, err = r.Next()
		}
		whole := bytes.Count(text[:min(cut+1, len(text))], []byte("\n")) // a line is whole without its end, too
		if count-1 != whole {
			t.Fatalf("cut at %d: %d reports, want %d (%v)", cut, count-1, whole, err)
		}
		if isWhole := errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF); !isWhole && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if good := int(r.Good()); good > cut || strings.Count(string(text[:good]), "{\"format\"") != whole {
			t.Fatalf("cut at %d: %d bytes are good", cut, good)
		}
	}
}

func TestWhatIsNoScanIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: `document 1 is no scan of ours: its format is ""`, `[]`: "document 1: json", `{"format":"tlswright-scan","version":9}`: "document 1 has version 9, known is 1",
		`{"format":"tlswright-scan","version":1,"reports":[]} x`: "document 2: invalid character", `{"format":"tlswright-scan-diff","version":1}`: "is no scan of ours", `{"format":"tlswright-scan"`: "not whole",
		`{"format":"tlswright-scan","version":1,"facts":{"port":"x"}}`: "document 1: json",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if reports, err := Parse(nil); err != nil || len(reports) != 0 {
		t.Errorf("nothing: %v, %v", reports, err)
	}
}

// FuzzReader reads anything; what can be read can be written in every format, and as JSON gives what gives the same again.
func FuzzReader(f *testing.F) {
	for _, reports := range [][]Report{{unreachable()}, {files()}, {old()}, {good(), mismatch()}, {poisoned(hostile[0])}} {
		var b bytes.Buffer
		if err := JSON(&b, reports); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte(`{"format":"tlswright-scan","version":1,"facts":{},"result":{}}`))
	f.Add([]byte(`{"format":"tlswright-scan","version":1,"reports":[{},{"facts":{"chains":[{"sent":[]}],"protocols":[{}]}},{"result":{"findings":[{"fix":{}}]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		reports, err := Parse(data)
		if err != nil {
			return
		}
		for _, format := range Formats() {
			if err := Write(io.Discard, format, reports, Options{Verbose: 1}); err != nil {
				t.Fatalf("%s: %v", format, err)
			}
		}
		var first, second bytes.Buffer
		if err := JSON(&first, reports); err != nil {
			t.Fatal(err)
		}
		again, err := Parse(first.Bytes())
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if err := JSON(&second, again); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("another document (%v)", err)
		}
	})
}
