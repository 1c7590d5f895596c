package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

func TestDenialsAreReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "denials")
	if _, err := ReadDenials(file, DenialQuery{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	l, err := openDenials(file)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now().UTC().Truncate(time.Second)
	for i := range 10 {
		if err := l.add(&Denial{ID: newID(), Time: begin.Add(time.Duration(i) * time.Minute), Site: []string{"a", "b"}[i%2], Reason: reasonExpired, Text: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	all, err := ReadDenials(file, DenialQuery{})
	if err != nil || len(all) != 10 || !all[9].Time.After(all[0].Time) {
		t.Fatalf("%d, %v", len(all), err)
	}
	for name, c := range map[string]struct {
		q    DenialQuery
		want int
	}{"id": {DenialQuery{ID: all[3].ID}, 1}, "since": {DenialQuery{Since: begin.Add(5 * time.Minute)}, 5}, "site": {DenialQuery{Site: "a"}, 5}, "last": {DenialQuery{Last: 3}, 3}, "last of a": {DenialQuery{Last: 3, Site: "a"}, 3}} {
		if got, err := ReadDenials(file, c.q); err != nil || len(got) != c.want {
			t.Errorf("%s: %d, %v", name, len(got), err)
		}
	}
	if got, _ := ReadDenials(file, DenialQuery{Last: 1}); got[0].ID != all[9].ID {
		t.Error("the last one is not the newest")
	}

	// A crash in the middle of a line costs that line.
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString(`{"id":"torn","time":"2026-`)
	_ = f.Close()
	if l, err = openDenials(file); err != nil {
		t.Fatal(err)
	}
	if err := l.add(&Denial{ID: "after", Reason: reasonExpired}); err != nil {
		t.Fatal(err)
	}
	_ = l.close()
	if got, err := ReadDenials(file, DenialQuery{}); err != nil || len(got) != 11 || got[10].ID != "after" {
		t.Errorf("%d, %v", len(got), err)
	}
}

func TestDenialsAreARing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "denials")
	l, err := openDenials(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 32<<10)
	var last string
	for range 3 * denialFileSize / len(text) {
		last = newID()
		if err := l.add(&Denial{ID: last, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	_ = l.close()
	for _, path := range []string{file, file + ".1"} {
		if info, err := os.Stat(path); err != nil || info.Size() > denialFileSize {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if got, err := ReadDenials(file, DenialQuery{Last: 1}); err != nil || len(got) != 1 || got[0].ID != last {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAFloodOfDenialsIsNoFloodOfLines(t *testing.T) {
	l, err := openDenials("")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	count := func() (n int) {
		for range 2 * denialsPerBurst {
			if l.mayTell(now) {
				n++
			}
		}
		return n
	}
	if n := count(); n != denialsPerBurst {
		t.Errorf("%d at once", n)
	}
	now = now.Add(time.Second)
	if n := count(); n != denialsPerTime {
		t.Errorf("%d in the second after", n)
	}
}

func TestEveryReasonHasAFix(t *testing.T) {
	fixes := Reasons()
	for reason, fix := range fixes {
		if len(fix) < 10 {
			t.Errorf("%s: %q", reason, fix)
		}
	}
	for r := pki.ReasonUnknownAuthority; r <= pki.ReasonStatus; r++ {
		var d Denial
		if !d.explain(&pki.VerifyError{Reason: r, Text: "text"}) || d.Fix == "" || d.Alert == "" || d.Rule == "" {
			t.Errorf("%v: %+v", r, d)
		}
	}
	for c := tlscore.CodeInternal; c <= tlscore.CodeAborted; c++ {
		var d Denial
		if told := d.explain(&tlscore.Error{Code: c}); told && (d.Fix == "" || d.Reason == "" || d.Text == "") {
			t.Errorf("%v: %+v", c, d)
		}
	}
	for _, err := range []error{&nameError{}, &nameError{name: "x"}, &pendingError{"x"}, &challengeError{"x"}, &policyError{"x", access.Decision{Reason: access.NoRule, Text: "t"}}} {
		var d Denial
		if !d.explain(err) || d.Fix == "" || fixes[d.Reason] == "" {
			t.Errorf("%T: %+v", err, d)
		}
	}
	var d Denial
	if d.explain(tlsnet.ErrHandshakeTimeout) {
		t.Error("a time-out is no refusal")
	}
}

func TestPeersCannotWriteIntoTheLog(t *testing.T) {
	w := newWorld(t)
	w.mutual(&w.config.Sites[0], access.Rule{CN: "alice"})
	w.start()
	evil := issueClient(w.ca, "evil\x1b[2J\nid=forged\u202e")
	if _, err := w.http(evil).Get("https://app.test/"); err == nil {
		t.Fatal("no error")
	}
	d := w.told.denial(t, "no-rule")
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{d.String(), string(text), d.Cert.Subject} {
		if strings.ContainsAny(s, "\x1b\n\u202e") {
			t.Errorf("%q", s)
		}
	}
}

func FuzzReadDenials(f *testing.F) {
	f.Add([]byte(`{"id":"a","time":"2026-01-01T00:00:00Z","certificate":{"subject":"x"}}`+"\n"), 1)
	f.Add([]byte("\n\n{\"id\":\"a\"}\n{\"id\":"), 0)
	f.Add(bytes.Repeat([]byte("x"), maxDenialLine+10), 2)
	f.Fuzz(func(t *testing.T, text []byte, last int) {
		got, err := readDenials(bytes.NewReader(text), DenialQuery{Last: last}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range got {
			if d.ID == "" {
				t.Error("a refusal without an id")
			}
		}
		if last > 0 && len(got) > last {
			t.Errorf("%d, not %d", len(got), last)
		}
	})
}
