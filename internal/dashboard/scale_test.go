package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
)

// crowd fills the history with many targets: one in ten stands badly, and one in a hundred has an incident.
func (l *lab) crowd(n int) {
	l.Helper()
	var all []history.Wanted
	for i := range n {
		name := fmt.Sprintf("host-%06d.example.com:443", i)
		all = append(all, history.Wanted{Name: name, Spec: json.RawMessage(`{"Address":"` + name + `"}`), First: l.now})
	}
	_, err := l.h.Synchronize(l.Context(), history.FromFile, all)
	l.must(err)
	for begin := 0; begin < n; begin += 1000 {
		due, err := l.h.Claim(l.Context(), l.now, l.now.Add(time.Hour), "lab", 1000)
		l.must(err)
		var results []history.Result
		for k := range due {
			results = append(results, l.oneOfMany(begin+k, due[k].Name))
		}
		_, err = l.h.File(l.Context(), "lab", results, history.Rules{})
		l.must(err)
	}
}

func (l *lab) oneOfMany(i int, name string) history.Result {
	o := l.served(name, 20+i%300)
	o.Target, o.At = name, l.now
	o.Leaves[0].Chain[0].Fingerprint = fmt.Sprintf("%064x", i)
	r := history.Result{Target: name, At: l.now, Next: l.now.Add(time.Hour), Took: time.Duration(i%50) * time.Millisecond, Grade: []string{"A+", "A", "B", "C"}[i%4],
		Verdict: watch.Verdict{State: watch.OK, Reason: "all is well", Leaf: o.Leaves[0].Chain[0].NotAfter}}
	if i%10 == 0 {
		r.Verdict.State, r.Verdict.Reason = []watch.State{watch.Warning, watch.Critical, watch.Expired, watch.Error}[i/10%4], "it does not stand well"
	}
	if i%100 == 0 {
		r.Findings = []incident.Finding{{Key: incident.Key{Kind: "expiry", Subject: name}, Severity: incident.Warning, Title: "the certificate of " + name + " runs out"}}
	}
	r.Places = []history.Seen{{Observation: o, State: r.Verdict.State, Reason: r.Verdict.Reason}}
	return r
}

// crowded are the pages that must be fast with many targets.
func crowded() []string {
	return []string{"/", "/targets", "/targets?page=900", "/targets?q=0421", "/targets?state=CRITICAL,EXPIRED", "/targets?order=end&page=500", "/targets?order=name&q=host&page=3", "/target?name=host-000421.example.com:443",
		"/certificates", "/certificates?q=000421", "/incidents", "/incidents?page=9", "/api/v1/targets?limit=1000", "/api/v1/summary"}
}

func TestPagesAreFastWithManyTargets(t *testing.T) { measurePages(t, 2000, 5*time.Second) }

// TestAcceptPagesAreFastWith50000Targets takes the time of each page over as many targets as one node is to watch.
func TestAcceptPagesAreFastWith50000Targets(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip("a minute long: make accept runs it")
	}
	measurePages(t, 50_000, 2*time.Second)
}

// measurePages tells how long pages take. Others share the machine, so that only what a missing index explains is a failure.
func measurePages(t *testing.T, n int, most time.Duration) {
	l := newLab(t, nil)
	begin := time.Now()
	l.crowd(n)
	t.Logf("%d targets filed in %v", n, time.Since(begin))
	for _, path := range crowded() {
		var times []time.Duration
		for range 9 {
			begin := time.Now()
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.Host = "localhost"
			l.server.ServeHTTP(w, r)
			times = append(times, time.Since(begin))
			if w.Code != http.StatusOK {
				t.Fatalf("%s: %d\n%.300s", path, w.Code, w.Body)
			}
		}
		sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
		t.Logf("%-45s %v in the middle, %v at most", path, times[len(times)/2].Round(100*time.Microsecond), times[len(times)-1].Round(100*time.Microsecond))
		if times[len(times)/2] > most {
			t.Errorf("%s takes %v", path, times[len(times)/2])
		}
	}
}
