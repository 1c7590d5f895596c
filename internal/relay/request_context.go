package relay

import (
	"context"
	"sync"
	"time"
)

// requestContext is the context of a request. It ends when the handler returns, or when the client goes away; but the
// connection is watched for that only from the first call of Done on, and once the content is read: most handlers are
// done before anybody wants to know.
type requestContext struct {
	parent context.Context
	x      *exchange

	mu       sync.Mutex
	done     chan struct{} // nil: nobody has asked
	err      error
	reading  bool          // there is content, and it was not read to its end
	over     bool          // nothing is watched any more
	watching chan struct{} // closed when the watcher has returned; nil: there is none
}

func (c *requestContext) init(parent context.Context, x *exchange) { c.parent, c.x = parent, x }

// Deadline returns the connection's.
func (c *requestContext) Deadline() (time.Time, bool) { return c.parent.Deadline() }

// Value returns the connection's.
func (c *requestContext) Value(key any) any { return c.parent.Value(key) }

// Err returns context.Canceled once the context has ended.
func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Done returns a channel that is closed when the context ends, and begins to watch for the client's end.
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	if !c.reading {
		c.watch()
	}
	return c.done
}

// contentRead is called when the request's content was read.
func (c *requestContext) contentRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if c.done != nil {
		c.watch()
	}
}

// watch starts to watch the connection. The lock is held, and nobody else reads from the connection.
func (c *requestContext) watch() {
	in := &c.x.conn.in
	if c.over || c.watching != nil || c.err != nil || in.has || len(in.buffered()) > 0 {
		return
	}
	in.alarm.until(time.Time{})
	returned := make(chan struct{})
	c.watching = returned
	go func() {
		defer close(returned)
		err := in.wake()
		if err == nil || isTimeout(err) {
			return // the next request, or enough is known
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.cancel()
	}()
}

// cancel ends the context. The lock is held.
func (c *requestContext) cancel() {
	if c.err == nil {
		c.err = context.Canceled
		if c.done != nil {
			close(c.done)
		}
	}
}

// unwatch stops watching, for good.
func (c *requestContext) unwatch() {
	c.mu.Lock()
	c.over = true
	watching := c.watching
	c.mu.Unlock()
	if watching == nil {
		return
	}
	c.x.conn.in.alarm.ring()
	<-watching
}

// end is called when the handler has returned.
func (c *requestContext) end() {
	c.unwatch()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel()
}
