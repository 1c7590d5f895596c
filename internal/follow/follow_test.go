package follow

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/logtest"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki/ct"
)

func TestDomainsAreThoseAndWhatIsBelow(t *testing.T) {
	var d Domains
	for _, text := range []string{"Corp.Test.", "*.other.test"} {
		domain, err := ParseDomain(text)
		if err != nil {
			t.Fatal(err)
		}
		d = append(d, domain)
	}
	for name, want := range map[string]bool{"corp.test": true, "A.corp.TEST": true, "*.corp.test": true, "corp.test.": true, "notcorp.test": false, "corp.test.evil": false, "other.test": true, "": false} {
		if d.Has(name) != want {
			t.Errorf("%q: %v", name, d.Has(name))
		}
	}
	for _, text := range []string{"", ".", "a b", "https://a.test", "a.*.test", "a@b", strings.Repeat("a", 254)} {
		if _, err := ParseDomain(text); err == nil {
			t.Errorf("%q is taken for a domain", text)
		}
	}
}

// TestALogIsReadOnFromAnyPosition reads a log in steps, with each position through JSON as who keeps them has it, and holds a log that
// forks against its own past.
func TestALogIsReadOnFromAnyPosition(t *testing.T) {
	for _, isTiled := range []bool{false, true} {
		served := logtest.Start(t, "log", isTiled)
		text, err := logtest.List(served)
		if err != nil {
			t.Fatal(err)
		}
		list, err := ct.ParseLogList(text)
		if err != nil {
			t.Fatal(err)
		}
		f := fetch.New(fetch.Options{AllowPrivate: true})
		t.Cleanup(f.Close)
		ca := pkitest.New(t, pkitest.P256)
		domains := Domains{"corp.test"}
		var position []byte
		found := 0
		read := func() error {
			l := &Log{Log: f.Log(list.Logs[0]), Backlog: -1,
				Look: func(index uint64, e ct.LogEntry) int {
					hit, ok := domains.Find(index, e)
					if ok && (hit.Identity() == "" || hit.SHA256 == "") {
						t.Errorf("%+v", hit)
					}
					if ok {
						found++
					}
					return 0
				},
				Keep: func(p *Position) (err error) { position, err = json.Marshal(p); return err }}
			if position != nil {
				l.From = new(Position)
				if err := json.Unmarshal(position, l.From); err != nil {
					t.Fatal(err)
				}
			}
			return l.Read(t.Context())
		}
		for i := range 3 {
			for _, name := range []string{"a.corp.test", "elsewhere.test"} {
				leaf := ca.Server(pkitest.P256, name)
				if _, err := f.Log(list.Logs[0]).Submit(t.Context(), [][]byte{leaf.Chain[0], ca.Intermediate.Raw}, ct.Entry{Data: leaf.Chain[0]}); err != nil {
					t.Fatal(err)
				}
			}
			if err := read(); err != nil || found != i+1 {
				t.Fatalf("%v, %d found", err, found)
			}
		}
		if err := read(); err != nil || found != 3 {
			t.Errorf("%v, %d found", err, found)
		}
		served.Misbehave(logtest.Fork)
		var trouble *Trouble
		if err := read(); !errors.As(err, &trouble) || !errors.Is(err, fetch.ErrLog) || trouble.Before == nil || trouble.Shown == nil {
			t.Errorf("a fork: %v", err)
		}
	}
}

func TestBrokenPositionsAreRefused(t *testing.T) {
	for _, p := range []Position{{}, {Root: make([]byte, 32), Read: 1}, {Root: make([]byte, 32), Size: 1, Read: 1, Signature: []byte{4, 3, 0, 0}, Hashes: [][]byte{{1}}}} {
		if _, _, err := p.Resume(); err == nil {
			t.Errorf("%+v is taken", p)
		}
	}
}
