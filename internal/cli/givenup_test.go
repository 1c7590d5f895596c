package cli

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// countedContext ends when it has been looked at a number of times: a signal that comes at that moment.
type countedContext struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

func newCountedContext(t *testing.T, looks int64) *countedContext {
	c := &countedContext{}
	c.Context, c.cancel = context.WithTimeout(t.Context(), 30*time.Second) // of a test that has gone wrong
	t.Cleanup(c.cancel)
	c.left.Store(looks)
	return c
}

func (c *countedContext) look() {
	if c.left.Add(-1) <= 0 {
		c.cancel()
	}
}

func (c *countedContext) Done() <-chan struct{} { c.look(); return c.Context.Done() }
func (c *countedContext) Err() error            { c.look(); return c.Context.Err() }

// TestServicesThatAreToldToEndAtOnce ends services while they are being opened, at several moments: that is no failure.
func TestServicesThatAreToldToEndAtOnce(t *testing.T) {
	home := t.TempDir()
	run := func(ctx context.Context, args ...string) (said string, err error) {
		a, _, errOut := newTestApp()
		a.now = time.Now
		root := newRoot(a)
		root.SetArgs(append([]string{"--home", home}, args...))
		err = root.ExecuteContext(ctx)
		return errOut.String(), err
	}
	if said, err := run(t.Context(), "ca", "init"); err != nil {
		t.Fatal(said, err)
	}
	file := filepath.Join(t.TempDir(), "tlswright.yaml")
	const text = `
ca: {listen: "127.0.0.1:0", http: "127.0.0.1:0"}
gateway: {listeners: ["127.0.0.1:0"], sites: {app: {hosts: [localhost], target: welcome}}}
monitor: {grade: none, allow-private: true, targets: [{name: none, address: "127.0.0.1:1"}]}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"up", "-c", file}, {"ca", "serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"}, {"monitor", "run", "-c", file},
	} {
		for _, looks := range []int64{1, 5} {
			if said, err := run(newCountedContext(t, looks), args...); err != nil {
				t.Errorf("%q, ended at look %d: %v\n%s", args[:2], looks, err, said)
			}
		}
	}
}
