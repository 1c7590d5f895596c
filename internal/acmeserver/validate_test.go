package acmeserver_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/challenge"
)

// gate validates everything, once it is open.
type gate struct {
	calls atomic.Int64
	begun chan struct{} // one for each call
	open  chan struct{}
}

func newGate() *gate { return &gate{begun: make(chan struct{}, 100), open: make(chan struct{})} }

func (g *gate) Validate(ctx context.Context, _ challenge.Task) *acme.Problem {
	g.calls.Add(1)
	g.begun <- struct{}{}
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return acme.NewProblem(acme.Connection, "nobody waits any more")
	}
}

// challengesOf gives an authorization's challenges by http-01 and by another way.
func (c *client) challengesOf(url string) (a acme.Authorization, first, second acme.Challenge) {
	c.t.Helper()
	a = decode[acme.Authorization](c.t, c.must(c.post(url, nil), 200))
	i := slices.IndexFunc(a.Challenges, func(ch acme.Challenge) bool { return ch.Type == acme.HTTP01 })
	if i < 0 {
		c.t.Fatalf("%+v", a)
	}
	return a, a.Challenges[i], a.Challenges[(i+1)%len(a.Challenges)]
}

func (c *client) untilValid(url string) {
	c.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		switch a := decode[acme.Authorization](c.t, c.must(c.post(url, nil), 200)); a.Status {
		case acme.StatusValid:
			return
		case acme.StatusPending:
		default:
			c.t.Fatalf("%+v", a)
		}
	}
	c.t.Fatal("it never becomes valid")
}

// TestSlowValidations has a validation take longer than a client waits: then it is kept that it has begun, nobody begins
// another one, and the outcome is kept when it comes.
func TestSlowValidations(t *testing.T) {
	g := newGate()
	w := newWorld(t, func(o *acmeserver.Options) { o.Validator, o.Patience = g, time.Millisecond })
	c := w.register()
	at := c.order("a.test").Authorizations[0]
	_, ch, other := c.challengesOf(at)
	for range 4 {
		a := c.must(c.post(ch.URL, map[string]any{}), 200)
		if got := decode[acme.Challenge](t, a); got.Status != acme.StatusProcessing || a.header.Get("Retry-After") != "1" {
			t.Errorf("%+v, Retry-After %q", got, a.header.Get("Retry-After"))
		}
	}
	if _, now, _ := c.challengesOf(at); now.Status != acme.StatusProcessing {
		t.Errorf("on file it is %s", now.Status)
	}
	if a := c.post(other.URL, map[string]any{}); a.status != 400 || !strings.Contains(a.problem().Detail, "another challenge") {
		t.Errorf("two ways at once: %d %s", a.status, a.body)
	}
	close(g.open)
	c.untilValid(at)
	if n := g.calls.Load(); n != 1 {
		t.Errorf("validated %d times", n)
	}
}

// TestAServerThatIsReplacedFinishes drains a server while it validates: the outcome is kept, and only then is it done. What
// takes too long is not waited for.
func TestAServerThatIsReplacedFinishes(t *testing.T) {
	g := newGate()
	w := newWorld(t, func(o *acmeserver.Options) { o.Validator, o.Patience = g, time.Millisecond })
	c := w.register()
	at := c.order("a.test").Authorizations[0]
	_, ch, _ := c.challengesOf(at)
	c.must(c.post(ch.URL, map[string]any{}), 200)
	<-g.begun
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	w.server.Drain(impatient) // returns, though the validation still runs
	drained := make(chan struct{})
	go func() {
		w.server.Drain(t.Context())
		close(drained)
	}()
	select {
	case <-drained:
		t.Error("drained while a validation runs")
	case <-time.After(50 * time.Millisecond):
	}
	close(g.open)
	<-drained
	if a, _, _ := c.challengesOf(at); a.Status != acme.StatusValid {
		t.Errorf("%+v", a)
	}
}

// TestValidationsThatAServerLeaves ends a server while clients wait for a validation. They are told that it has begun, and
// the next server goes on with it.
func TestValidationsThatAServerLeaves(t *testing.T) {
	g := newGate()
	w := newWorld(t, func(o *acmeserver.Options) { o.Validator, o.Patience = g, time.Minute })
	c := w.register()
	at := c.order("a.test").Authorizations[0]
	_, ch, _ := c.challengesOf(at)
	told := make(chan *answer)
	go func() { told <- c.post(ch.URL, map[string]any{}) }()
	<-g.begun
	if err := w.server.Close(); err != nil {
		t.Error(err)
	}
	if a := <-told; a.status != 200 || decode[acme.Challenge](t, a).Status != acme.StatusProcessing {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.options.Now = func() time.Time { return time.Now().Add(2 * time.Minute) } // the lease has run out
	close(g.open)
	before := w.web.URL
	w.start()
	moved := func(url string) string { return strings.Replace(url, before, w.web.URL, 1) }
	c.nonce, c.base, c.kid = "", moved(c.base), moved(c.kid)
	c.untilValid(moved(at))
	if n := g.calls.Load(); n != 2 {
		t.Errorf("validated %d times", n)
	}
}
