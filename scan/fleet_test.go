package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/relics"
	"github.com/tlswright/tlswright/wire"
)

// gather collects targets and the text of errors.
func gather(list iter.Seq2[Target, error]) (targets []string, bad []string) {
	for t, err := range list {
		if err != nil {
			bad = append(bad, err.Error())
			continue
		}
		s := t.String()
		if t.ServerName != "" {
			s += " as " + t.ServerName
		}
		targets = append(targets, s)
	}
	return targets, bad
}

func TestListsOfTargetsAreRead(t *testing.T) {
	list := "# hosts\n\nexample.com\n  example.org:8443  # two\r\n192.0.2.0/30:8443\nmail.example:25/smtp\n127.0.0.1:1 App.Test.\n" +
		"one two three\nno host\n[2001:db8::]/127\nhttps://example.net/path\n" + strings.Repeat("x", 10000) + "\n192.0.2.0/30/smtp\nlast\nhttps://bücher.example:8443/x\nb\u200d.example\n127.0.0.1:1 BÜCHER.example"
	got, bad := gather(Targets(strings.NewReader(list)))
	want := []string{
		"example.com:443", "example.org:8443", "192.0.2.0:8443", "192.0.2.1:8443", "192.0.2.2:8443", "192.0.2.3:8443", "mail.example:25/smtp",
		"127.0.0.1:1 as app.test", "no:443 as host", "[2001:db8::]:443", "[2001:db8::1]:443", "example.net:443",
		"192.0.2.0:25/smtp", "192.0.2.1:25/smtp", "192.0.2.2:25/smtp", "192.0.2.3:25/smtp", "last:443",
		"xn--bcher-kva.example:8443", "127.0.0.1:1 as xn--bcher-kva.example",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if len(bad) != 3 || !strings.HasPrefix(bad[0], "line 8: ") || !strings.HasPrefix(bad[1], "line 12: ") {
		t.Errorf("%q", bad)
	}
}

func TestABrokenListSaysSo(t *testing.T) {
	broken := errors.New("the disk is gone")
	got, bad := gather(Targets(io.MultiReader(strings.NewReader("a.test\n"), iotestErr{broken})))
	if len(got) != 1 || len(bad) != 1 || !strings.Contains(bad[0], broken.Error()) {
		t.Errorf("%q, %q", got, bad)
	}
}

type iotestErr struct{ err error }

func (r iotestErr) Read([]byte) (int, error) { return 0, r.err }

func TestBlocksAreBounded(t *testing.T) {
	for word, want := range map[string]int{
		"192.0.2.7/32": 1, "192.0.2.7/31:8443": 2, "10.0.0.0/16": 1 << 16, "2001:db8::/112": 1 << 16, "255.255.255.254/31": 2,
	} {
		got, bad := gather(TargetsOf([]string{word}))
		if len(got) != want || len(bad) != 0 {
			t.Errorf("%s: %d targets, %q", word, len(got), bad)
		}
	}
	for _, word := range []string{"10.0.0.0/15", "::/0", "0.0.0.0/0", "10.0.0.0/8:443", "10.0.0.0/30:0", "10.0.0.0/30:99999", "10.0.0.0/30/nonsense"} {
		if got, bad := gather(TargetsOf([]string{word})); len(got) != 0 || len(bad) != 1 {
			t.Errorf("%s: %d targets, %q", word, len(got), bad)
		}
	}
}

func FuzzTargets(f *testing.F) {
	f.Add("example.com\n192.0.2.0/30:8443 name.test # x\n[::1]:443/smtp")
	f.Add("https://a/b?c#d\n10.0.0.0/33\nimaps://x")
	f.Fuzz(func(t *testing.T, list string) {
		count := 0
		for target, err := range Targets(strings.NewReader(list)) {
			if count++; count > 1000 {
				return
			}
			if err != nil {
				continue
			}
			// What was read can be written and read again.
			again, err := ParseTarget(target.String())
			target.ServerName, target.InBlock = "", false
			if err != nil || again != target {
				t.Errorf("%+v is written as %q and read as %+v, %v", target, target.String(), again, err)
			}
		}
	})
}

// refusing is a network in which nobody listens.
func refusing(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }

func TestAFleetGoesOnPastBadTargets(t *testing.T) {
	list := "127.0.0.1:1\nnot a target at all\n127.0.0.2:1\n127.0.0.3:1\n127.0.0.4:1"
	s := New(Options{Dial: refusing, Offline: true, Quick: true})
	var refused, wrong, skipped int
	sum, err := s.Fleet(t.Context(), Targets(strings.NewReader(list)), FleetOptions{
		Parallel: 2, Rate: 1e6, Skip: func(t Target) bool { return t.Host == "127.0.0.3" },
	}, func(r FleetResult) error {
		switch {
		case r.Skipped:
			skipped++
		case errors.Is(r.Err, ErrTarget):
			wrong++
		case r.Err == nil && len(r.Facts) == 1 && r.Facts[0].Schema == grade.FactsSchema:
			refused++
		}
		return nil
	})
	if err != nil || refused != 3 || wrong != 1 || skipped != 1 {
		t.Errorf("%d refused, %d wrong, %d skipped, %v", refused, wrong, skipped, err)
	}
	if sum.Targets != 4 || sum.Skipped != 1 || sum.Addresses != 3 {
		t.Errorf("%+v", sum)
	}
}

func TestAFleetEndsWhenItsResultsCannotBeKept(t *testing.T) {
	full := errors.New("the disk is full")
	s := New(Options{Dial: refusing, Offline: true, Quick: true})
	count := 0
	_, err := s.Fleet(t.Context(), TargetsOf([]string{"10.0.0.0/16:1"}), FleetOptions{Parallel: 4}, func(FleetResult) error {
		count++
		if count == 3 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || count != 3 {
		t.Errorf("%v after %d", err, count)
	}
}

func TestAFleetEndsWithItsContext(t *testing.T) {
	s := New(Options{Dial: refusing, Offline: true, Quick: true})
	ctx, stop := context.WithCancel(t.Context())
	_, err := s.Fleet(ctx, TargetsOf([]string{"10.0.0.0/16:1"}), FleetOptions{Parallel: 4}, func(FleetResult) error {
		stop()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// patientWith dials, and gives one server time where a busy machine needs it: those that say nothing are not to hold up a
// test, but what says that this one is slow would be the machine.
func patientWith(addr string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, to string) (net.Conn, error) {
		if to != addr {
			return new(net.Dialer).DialContext(ctx, network, to)
		}
		nc, err := new(net.Dialer).DialContext(context.WithoutCancel(ctx), network, to)
		return patientConn{nc}, err
	}
}

// patientConn takes no deadline within the next seconds.
type patientConn struct{ net.Conn }

func (c patientConn) SetDeadline(at time.Time) error {
	const least = 5 * time.Second
	if soonest := time.Now().Add(least); !at.IsZero() && at.Before(soonest) {
		at = soonest
	}
	return c.Conn.SetDeadline(at)
}

func TestHostileServersDoNotStopAFleet(t *testing.T) {
	good := relics.Modern(t)
	var list []string
	for _, h := range relics.HostileServers() {
		list = append(list, h.Start(t).Addr)
	}
	list = append(list, good.Addr, "nowhere.invalid:443")
	for _, quick := range []bool{true, false} {
		s := New(Options{Quick: quick, Offline: true, Simulate: true, Timeout: 150 * time.Millisecond, HostTimeout: 30 * time.Second, Dial: patientWith(good.Addr),
			LookUp: func(context.Context, string) ([]netip.Addr, error) {
				return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
			}})
		results := make(map[string]FleetResult)
		_, err := s.Fleet(t.Context(), Targets(strings.NewReader(strings.Join(list, "\n"))), FleetOptions{}, func(r FleetResult) error {
			results[r.Target.String()] = r
			return nil
		})
		if err != nil || len(results) != len(list) {
			t.Fatalf("quick %v: %d of %d results, %v", quick, len(results), len(list), err)
		}
		found := results[good.Addr]
		if found.Err != nil || len(found.Facts) != 1 || found.Facts[0].Unreachable != "" {
			t.Fatalf("quick %v: the good one: %+v", quick, found)
		}
		if p := found.Facts[0].Protocol(wire.VersionTLS13); p == nil || p.Offered != grade.Yes {
			t.Errorf("quick %v: TLS 1.3 of the good one: %+v", quick, p)
		}
		if lost := results["nowhere.invalid:443"]; lost.Err == nil {
			t.Errorf("quick %v: a name without an address gives no error", quick)
		}
	}
}

func TestAMistakeOfOursAtOneTargetIsAGap(t *testing.T) {
	s := New(Options{Offline: true})
	h := newHost(s, Target{Host: "127.0.0.1", Port: 1}, netip.MustParseAddr("127.0.0.1"))
	h.run(t.Context(), []probe{
		{name: "wrong", phase: phaseVersions, run: func(context.Context, *host) { panic("index out of range") }},
		{name: "right", phase: phaseVersions, run: func(_ context.Context, h *host) { h.record(func(f *grade.Facts) { f.Software = "asked" }) }},
	})
	f := h.finished()
	if len(f.Gaps) != 1 || f.Gaps[0].Probe != "wrong" || !strings.Contains(f.Gaps[0].Reason, "the scanner itself failed") || f.Software != "asked" {
		t.Errorf("%+v", f)
	}
}

func TestNamesOfOneServerShareItsConnections(t *testing.T) {
	for _, quick := range []bool{true, false} {
		var open, most atomic.Int64
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			defer open.Add(-1)
			for now := open.Add(1); ; {
				if was := most.Load(); now <= was || most.CompareAndSwap(was, now) {
					break
				}
			}
			runtime.Gosched() // let the others come
			return nil, syscall.ECONNREFUSED
		}
		s := New(Options{Dial: dial, Offline: true, Quick: quick, Concurrency: 1,
			LookUp: func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
			}})
		var words []string
		for i := range 50 {
			words = append(words, fmt.Sprintf("name%d.test", i))
		}
		sum, err := s.Fleet(t.Context(), TargetsOf(words), FleetOptions{Parallel: 20}, func(FleetResult) error { return nil })
		if err != nil || sum.Addresses != 50 || most.Load() > 4 || !quick && most.Load() > 1 {
			t.Errorf("quick %v: %d connections at once, %+v, %v", quick, most.Load(), sum, err)
		}
		if len(s.queue.places) != 0 {
			t.Errorf("%d places are left", len(s.queue.places))
		}
	}
}
