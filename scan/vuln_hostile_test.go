package scan

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/relics"
	"github.com/tlswright/tlswright/wire"
)

// What a hostile server may cost.
const (
	hostileConnections = 400
	hostileBytes       = 600 << 20
	hostileHeap        = 64 << 20
)

// scanHostile scans a server that means harm to the end.
func scanHostile(t *testing.T, s *relics.Server, startTLS string, httpPort int) *grade.Facts {
	t.Helper()
	return scanPatiently(t, s, startTLS, httpPort, impatient)
}

// impatient is long enough for what never comes.
const impatient = 300 * time.Millisecond

func scanPatiently(t *testing.T, s *relics.Server, startTLS string, httpPort int, patience time.Duration) *grade.Facts {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f := scanBounded(t, s, startTLS, httpPort, patience)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > hostileHeap {
		t.Errorf("%d MB are kept", grown>>20)
	}
	return f
}

// scanBounded scans a server, and looks at how many connections and bytes that took.
func scanBounded(t *testing.T, s *relics.Server, startTLS string, httpPort int, patience time.Duration) *grade.Facts {
	t.Helper()
	o := Options{Timeout: patience, HostTimeout: 30*time.Second + 20*patience, HTTPPort: httpPort}
	all, err := New(o).Scan(context.Background(), Target{Host: "127.0.0.1", Port: s.Port, ServerName: "localhost", StartTLS: startTLS})
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	if n := s.Connections(); n > hostileConnections {
		t.Errorf("%d connections", n)
	}
	if n := s.Sent(); n > hostileBytes {
		t.Errorf("%d MB were sent", n>>20)
	}
	f := all[0]
	t.Logf("%d connections, %d KB, %.1f s, unreachable %q, gaps %v", s.Connections(), s.Sent()>>10, f.Seconds, f.Unreachable, f.Gaps)
	return f
}

func TestHostileServersAreBoundedAndReported(t *testing.T) {
	for _, c := range relics.HostileServers() {
		t.Run(c.Name, func(t *testing.T) {
			f := scanHostile(t, c.Start(t), "", 1)
			if f.Unreachable == "" && len(f.Gaps) == 0 {
				t.Error("neither a gap nor a reason why the server cannot be reached")
			}
			for _, p := range f.Protocols {
				if f.Unreachable == "" && p.Offered == grade.No && !c.SaysNo {
					t.Errorf("%s is said not to be offered", p.Name)
				}
			}
			for _, v := range f.Vulnerabilities {
				if v.Verdict == grade.Vulnerable {
					t.Errorf("%+v", v)
				}
			}
		})
	}
}

// These do answer, on a busy machine after a while.
func TestHostileWebServersAreBounded(t *testing.T) {
	t.Run("header bomb", func(t *testing.T) {
		f := scanPatiently(t, relics.HeaderBomb(t), "", 1, 3*time.Second)
		if f.HTTP == nil || f.HTTP.Problem == "" || len(f.HTTP.Headers) > 100 {
			t.Errorf("%+v", f.HTTP)
		}
	})
	t.Run("body without end", func(t *testing.T) {
		f := scanPatiently(t, relics.BodyWithoutEnd(t), "", 1, 3*time.Second)
		if f.HTTP == nil || f.HTTP.Status != 200 {
			t.Errorf("%+v", f.HTTP)
		}
	})
	t.Run("redirect loop", func(t *testing.T) {
		secure, plain := relics.RedirectLoop(t)
		f := scanPatiently(t, secure, "", plain.Port, 3*time.Second)
		if f.HTTP == nil || len(f.HTTP.Redirects) > 20 || plain.Connections() > 30 {
			t.Errorf("%+v, %d connections", f.HTTP, plain.Connections())
		}
	})
}

func TestIntolerantServersAreSeenThrough(t *testing.T) {
	ways := map[string]int{"hangs": relics.Hangs, "closes": relics.Closes, "resets": relics.Resets, "alerts": relics.Alerts}
	kinds := map[string]func(way int) *relics.Script{
		"version":       func(way int) *relics.Script { return relics.VersionIntolerant(way, false) },
		"TLS 1.3 hello": func(way int) *relics.Script { return relics.VersionIntolerant(way, true) },
		"GREASE":        relics.GREASEIntolerant,
		"extension":     relics.ExtensionIntolerant,
		"size":          func(way int) *relics.Script { return relics.SizeIntolerant(way, false) },
		"split":         relics.SplitIntolerant,
		"many suites":   relics.ManySuitesIntolerant,
	}
	for kind, make := range kinds {
		for name, way := range ways {
			if way == relics.Closes && kind != "version" {
				continue // as resets
			}
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				f := scanBounded(t, make(way).Start(t), "", 1, impatient)
				if !isSeenThrough(f) { // on a busy machine not even an answer comes in so short a time
					f = scanBounded(t, make(way).Start(t), "", 1, 5*time.Second)
				}
				if !isSeenThrough(f) {
					t.Errorf("TLS 1.2: %+v", f.Protocol(wire.VersionTLS12))
				}
				for _, v := range f.Vulnerabilities {
					if v.Verdict == grade.Vulnerable {
						t.Errorf("%+v", v)
					}
				}
				var not []string
				for _, tolerance := range f.Features.Tolerance {
					if tolerance.OK == grade.No {
						not = append(not, tolerance.Probe)
					}
				}
				t.Logf("not tolerated: %q", not)
			})
		}
	}
}

// isSeenThrough reports whether what an intolerant server offers was found behind what it does not bear.
func isSeenThrough(f *grade.Facts) bool {
	p := f.Protocol(wire.VersionTLS12)
	return p != nil && p.Offered == grade.Yes && !(p.Complete && len(p.Suites) != len(relics.Sound().Suites))
}

func TestHostileMailServersAreBounded(t *testing.T) {
	for _, c := range relics.HostileMail() {
		t.Run(c.Name, func(t *testing.T) {
			if f := scanHostile(t, c.Start(t), "smtp", 1); f.Unreachable == "" {
				t.Errorf("it was reached: %+v", f.Protocols)
			}
		})
	}
}
