package monitor

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/watch"
)

// running starts the engine as it is; it ends with the test.
func (l *lab) running(o Options) {
	l.Helper()
	o.History = l.h
	e, err := New(l.c, o)
	if err != nil {
		l.Fatal(err)
	}
	l.e = e
}

// begin runs the engine until the test ends.
func (l *lab) begin() {
	l.Helper()
	ctx, cancel := context.WithCancel(l.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.e.Run(ctx) }()
	l.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			l.Error(err)
		}
	})
}

// blocked is a look that ends when it is let go.
type blocked struct {
	mu    sync.Mutex
	count map[string]int // looks begun, by target
	looks chan string
	gone  chan struct{}
}

func newBlocked() *blocked {
	return &blocked{count: make(map[string]int), looks: make(chan string, 10_000), gone: make(chan struct{})}
}

// see looks at nothing: at hosts of a name that is blocked for as long as the test wants.
func (b *blocked) see(isBlocked func(*spec) bool) func(ctx context.Context, s *spec, _ bool, _ []*watch.Observation) seen {
	return func(ctx context.Context, s *spec, _ bool, _ []*watch.Observation) seen {
		b.mu.Lock()
		b.count[s.Name]++
		b.mu.Unlock()
		b.looks <- s.Name
		if isBlocked(s) {
			select {
			case <-b.gone:
			case <-ctx.Done():
			}
		}
		return seen{}
	}
}

// await waits until so many different targets were looked at that fit.
func (b *blocked) await(t *testing.T, n int, fits func(name string) bool) {
	t.Helper()
	late := time.After(time.Minute)
	got := make(map[string]bool)
	for len(got) < n {
		select {
		case name := <-b.looks:
			if fits(name) {
				got[name] = true
			}
		case <-late:
			t.Fatalf("%d of %d were looked at within a minute", len(got), n)
		}
	}
}

// However many targets one host has, and however slow it is, the others are looked at.
func TestABusyHostStallsNobody(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.c.Parallel = 4
	for i := range 60 {
		l.watched(fmt.Sprintf("busy %d", i), fmt.Sprintf("192.0.2.1:%d", 1000+i))
	}
	for i := range 20 {
		l.watched(fmt.Sprintf("free %d", i), fmt.Sprintf("192.0.2.%d:443", 2+i))
	}
	l.running(Options{})
	b := newBlocked()
	l.e.see = b.see(func(s *spec) bool { return s.host() == "192.0.2.1" })
	l.begin()
	b.await(t, 20, func(name string) bool { return name[0] == 'f' })
	b.mu.Lock()
	atOnce := 0
	for name, n := range b.count {
		if name[0] == 'b' {
			atOnce += n
		}
	}
	b.mu.Unlock()
	if atOnce > 2 {
		t.Errorf("%d looks at one host at once", atOnce)
	}
	close(b.gone)
	b.await(t, 60-atOnce, func(name string) bool { return name[0] == 'b' })
}

// A name server that does not answer keeps nobody waiting whose address is known.
func TestTheDNSStallsNobody(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.c.Parallel = 4
	for i := range 60 {
		l.watched(fmt.Sprintf("name %d", i), fmt.Sprintf("host-%d.example:443", i)).Schedule.Timeout = time.Minute
	}
	address := l.server(l.leaf(pkitest.P256, 60*day)).address
	for i := range 10 {
		l.watched(fmt.Sprintf("address %d", i), address)
	}
	looked := make(chan string, 1000)
	asked := make(chan struct{}, 1000)
	l.running(Options{Looked: func(target string, _ watch.Verdict, _ time.Duration) { looked <- target },
		Look: LookOptions{LookUp: func(ctx context.Context, _ string) ([]netip.Addr, error) {
			asked <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}}})
	l.begin()
	late := time.After(time.Minute)
	for range 60 { // all of them hang in the DNS, though there are four slots
		select {
		case <-asked:
		case <-late:
			t.Fatal("the DNS is not asked for all names at once")
		}
	}
	for range 10 {
		select {
		case name := <-looked:
			if name[0] != 'a' {
				t.Errorf("%s was looked at first", name)
			}
		case <-late:
			t.Fatal("addresses are not looked at")
		}
	}
}

// A message that is on its way when the monitor is asked to end arrives, and is noted.
func TestTheEndWaitsForAMessage(t *testing.T) {
	l := newLab(t)
	arrived, answer := make(chan struct{}, 10), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-answer
	}))
	t.Cleanup(slow.Close)
	hook := newHook(t)
	l.c.Channels = []config.Channel{{Name: "slow", Kind: "webhook", URL: slow.URL}, {Name: "quick", Kind: "webhook", URL: hook.URL}}
	l.watched("nobody", "127.0.0.1:1").Policy.Patience = 1
	l.running(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.e.Run(ctx) }()
	<-arrived
	// Another channel does not wait for this one.
	for deadline := time.Now().Add(time.Minute); hook.said("unreachable") == "" && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	if got := hook.said("unreachable"); got == "" {
		t.Error("the quick channel was told nothing")
	}
	cancel()
	close(answer)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n, err := l.h.Waiting(t.Context()); err != nil || len(n) != 0 || len(arrived) != 0 {
		t.Errorf("waiting: %v, %v; it came %d times more", n, err, len(arrived))
	}
}

// A look that takes longer than a lease is made once.
func TestALongLookKeepsItsLease(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.watched("long", "192.0.2.1:443")
	l.watched("short", "192.0.2.2:443").Schedule = config.Schedule{Every: time.Second, Grade: -1}
	l.running(Options{})
	l.e.leaseFor = 4 * time.Second
	b := newBlocked()
	l.e.see = b.see(func(s *spec) bool { return s.Name == "long" })
	l.begin()
	shorts := 0
	var taken time.Time                // at the latest
	for shorts < 6 || taken.IsZero() { // more than a lease later
		switch name := <-b.looks; name {
		case "short":
			shorts++
		case "long":
			taken = time.Now()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.count["long"] != 1 {
		t.Errorf("it was looked at %d times at once", b.count["long"])
	}
	// Asked at a time when the first lease is over, and not now: on a busy machine the last one might be late.
	over := taken.Add(l.e.leaseFor + time.Millisecond)
	other, err := l.h.Claim(t.Context(), over, over.Add(time.Minute), "another node", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range other {
		if d.Name == "long" {
			t.Error("another node gets a target that is being looked at")
		}
	}
}

// A look leaves its slot while it waits, once for all of its goroutines, and takes none when it is over.
func TestASlotIsNeitherLostNorTakenTwice(t *testing.T) {
	c := &crew{slots: make(chan struct{}, 1), freed: make(chan struct{})}
	c.slots <- struct{}{}
	s := &seat{c: c}
	ctx := withSeat(t.Context(), s)
	taken := func(want int, when string) {
		t.Helper()
		if len(c.slots) != want || c.resting != 1-want {
			t.Errorf("%s: %d slots are taken, %d looks rest", when, len(c.slots), c.resting)
		}
	}
	first, second := offSeat(ctx), offSeat(ctx)
	taken(0, "two wait")
	first()
	taken(0, "one waits")
	second()
	taken(1, "none waits")
	late := offSeat(ctx)
	s.leave()
	late()
	offSeat(ctx)()
	if len(c.slots) != 0 || c.resting != 0 {
		t.Errorf("after the end %d slots are taken, %d looks rest", len(c.slots), c.resting)
	}
	offSeat(t.Context())()
}
