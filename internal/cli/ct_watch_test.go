package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	outside "github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/logtest"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki/ct"
)

// crowd fills a log with n certificates, every tenth of them for the domain that is watched, and writes its list.
func crowd(t *testing.T, n int, isTiled bool) (list string, watched map[string]bool) {
	t.Helper()
	served := logtest.Start(t, "log", isTiled)
	text, err := logtest.List(served)
	if err != nil {
		t.Fatal(err)
	}
	logs, err := ct.ParseLogList(text)
	if err != nil {
		t.Fatal(err)
	}
	f := outside.New(outside.Options{AllowPrivate: true})
	defer f.Close()
	ca := pkitest.New(t, pkitest.P256)
	watched = make(map[string]bool)
	for i := range n {
		name := fmt.Sprintf("host%d.elsewhere.test", i)
		if i%10 == 0 {
			name = fmt.Sprintf("host%d.corp.test", i)
			watched[name] = true
		}
		leaf := ca.Server(pkitest.P256, name)
		if _, err := f.Log(logs.Logs[0]).Submit(t.Context(), [][]byte{leaf.Chain[0], ca.Intermediate.Raw}, ct.Entry{Data: leaf.Chain[0]}); err != nil {
			t.Fatal(err)
		}
	}
	list = filepath.Join(t.TempDir(), "logs.json")
	if err := os.WriteFile(list, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return list, watched
}

// watching runs the program on the log, and kills it after a while; 0: not at all. It gives the names that were told.
func watching(t *testing.T, list, state string, after time.Duration) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if after > 0 {
		timer := time.AfterFunc(after, cancel) // CommandContext kills outright
		defer timer.Stop()
	}
	cmd := exec.CommandContext(ctx, "tlswright", "ct", "watch", "corp.test", "--logs", list, "--state", state, "--backlog", "-1", "--once", "--json")
	cmd.Env = append(os.Environ(), "TLSWRIGHT_HOME="+t.TempDir(), "SSL_CERT_FILE="+os.DevNull, "SSL_CERT_DIR="+t.TempDir())
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil && ctx.Err() == nil {
		t.Fatalf("%v: %s", err, errOut.String())
	}
	var names []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var e watchEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // the kill came in the middle of the line
		}
		if e.Event != "certificate" || len(e.Names) == 0 {
			t.Fatalf("%s", lines.Bytes())
		}
		names = append(names, e.Names[0])
	}
	return names
}

// A watch that is killed at any moment leaves nothing out, and what it was done with it does not tell again.
func TestWatchesSurviveBeingKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts many processes")
	}
	for _, isTiled := range []bool{false, true} {
		t.Run(fmt.Sprintf("tiled %v", isTiled), func(t *testing.T) {
			list, watched := crowd(t, 600, isTiled)
			state := filepath.Join(t.TempDir(), "state.json")
			started := time.Now()
			whole := watching(t, list, filepath.Join(t.TempDir(), "other.json"), 0)
			takes := time.Since(started)
			if len(whole) != len(watched) {
				t.Fatalf("undisturbed, %d of %d are told", len(whole), len(watched))
			}
			told := make(map[string]int)
			kills := 0
			for range 40 {
				for _, name := range watching(t, list, state, 1+rand.N(takes)) {
					told[name]++
				}
				kills++
			}
			for _, name := range watching(t, list, state, 0) {
				told[name]++
			}
			repeated := 0
			for name := range watched {
				if told[name] == 0 {
					t.Errorf("%s was never told", name)
				}
				repeated += max(told[name]-1, 0)
			}
			if len(told) != len(watched) {
				t.Errorf("%d names told, %d are there", len(told), len(watched))
			}
			if repeated > kills {
				t.Errorf("%d kills, and %d told again: one for each at most", kills, repeated)
			}
			t.Logf("%d kills, %d told again", kills, repeated)
			if again := watching(t, list, state, 0); len(again) > 0 {
				t.Errorf("told again in the end: %v", again)
			}
		})
	}
}

func FuzzParseWatchState(f *testing.F) {
	f.Add([]byte(`{"version":1,"logs":{"00":{"log":"x","tree_size":1,"timestamp":1,"root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","signature":"BAMAAA==","read":1,"hashes":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}},"seen":{"00":"2026-01-01T00:00:00Z"}}`))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseWatchState(data)
		if err != nil {
			return
		}
		text, err := json.Marshal(s)
		if err != nil {
			return // a year that JSON has no form for
		}
		if _, err := parseWatchState(text); err != nil {
			t.Errorf("%s became %s: %v", data, text, err)
		}
	})
}
