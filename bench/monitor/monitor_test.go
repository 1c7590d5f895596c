package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/watch"
)

func TestAFarmHasAllKinds(t *testing.T) {
	for _, n := range []int{50, 1000} {
		count := make(map[kind]int)
		for _, k := range mix(n) {
			count[k]++
		}
		if len(mix(n)) != n || count[closed]+count[full] != max(2, n/50) || count[slow]+count[endless] != max(2, n/50) || count[healthy] < n/2 || count[withRSA] != n/10 {
			t.Errorf("%d: %v", n, count)
		}
	}
}

// farmFor starts a farm in this process.
func farmFor(t *testing.T, list []kind, pause time.Duration) *farm {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the farm wants all addresses of 127.0.0.0/8, as Linux has them")
	}
	f, err := newFarm(t.TempDir(), list, pause)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// Fifty servers, of which two are dead, two slow, and six wrong: every state and every incident is the right one.
func TestStatesOfAFarm(t *testing.T) {
	f := farmFor(t, mix(50), 5*time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := &config.Monitor{Defaults: config.Schedule{Timeout: 1500 * time.Millisecond, Grade: -1}, Policy: watch.Policy{Patience: 1}}
	w, err := newWatching(ctx, f, t.TempDir(), time.Second, time.Second, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.history.Close() })
	ended := make(chan error, 1)
	go func() { ended <- w.engine.Run(ctx) }()
	var o *outcome
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if o, err = w.judge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(o.Wrong) == 0 || time.Now().After(deadline) {
			break
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, text := range o.Wrong {
		t.Error(text)
	}
	if s := w.engine.Stats(); s.Unfiled != 0 || s.Looks < 50 || s.Lag.Count < s.Looks {
		t.Errorf("%+v", s)
	}
	t.Logf("after %v: %d looks, lag %v (99 %%), %v", time.Since(w.began).Round(time.Millisecond), o.Stats.Looks, o.Stats.Lag.P99, o.States)
}

// TestAccept1000Endpoints is what the monitor must show: a thousand servers in a process of their own, for five minutes; and a check
// of a thousand healthy ones by the program as users start it.
func TestAccept1000Endpoints(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip(`a long load: "make accept" runs it (TLSWRIGHT_ACCEPT=1)`)
	}
	dir := t.TempDir()
	for name, path := range map[string]string{"bench": ".", "tlswright": "../../cmd/tlswright"} {
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, name), path).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "bench"), "-run", "5m").CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "| wrong | 0 |") {
		t.Errorf("not all is as it should be: %v", err)
	}
	late := regexp.MustCompile(`99 % below ([^,]+),`).FindSubmatch(out)
	if late == nil {
		t.Fatal("nothing is said of the lag")
	}
	if d, err := time.ParseDuration(string(late[1])); err != nil || d > 10*time.Second {
		t.Errorf("one look in a hundred began more than %v after its time, %v", d, err)
	}
	out, err = exec.CommandContext(t.Context(), filepath.Join(dir, "bench"), "-tlswright", filepath.Join(dir, "tlswright")).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
	// What passes on the clock depends on who else is there; of two processors for 15 s a check must leave something.
	for _, row := range regexp.MustCompile(`(?m)^\| (as it comes.*?|again) \| [0-9.]+ s \| ([0-9.]+) s`).FindAllSubmatch(out, -1) {
		if cpu, err := strconv.ParseFloat(string(row[2]), 64); err != nil || cpu > 15 {
			t.Errorf("monitor check, %s, took %v s of CPU time, %v", row[1], cpu, err)
		}
	}
}
