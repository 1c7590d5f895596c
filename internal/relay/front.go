package relay

import (
	"context"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tlswright/tlswright/tlsnet"
)

// Defaults of [FrontLimits].
const (
	DefaultHeaderBytes  = 32 << 10
	DefaultHeaderFields = 128
	DefaultHeaderTime   = 10 * time.Second
	DefaultIdle         = 2 * time.Minute
	DefaultStall        = time.Minute
)

// FrontLimits bound what a client may take. 0 is the default, negative is none.
type FrontLimits struct {
	HeaderBytes  int           // of a request's head, request line included; there always is a bound
	HeaderFields int           // in a head, or in a trailer section; there always is a bound
	BodyBytes    int64         // of a request's content; default: none
	HeaderTime   time.Duration // from the first byte of a request to the end of its head
	BodyTime     time.Duration // for a request's content; default: none
	Stall        time.Duration // while content comes or a response goes, without a byte moving
	Idle         time.Duration // between requests
}

// Front serves HTTP/1.1 on connections, one [Front.ServeConn] each. Its fields must not be changed once it serves.
//
// Handlers get a plain *http.Request (with TLS nil), and an http.ResponseWriter that flushes, hijacks, and knows the
// methods of [http.ResponseController]. It is an [Outcome] too. The header field Early-Data is dealt with as tlsnet's
// EarlyGate does. [Upstream] is at its best when it gets this very ResponseWriter, not one wrapped around it.
type Front struct {
	Handler http.Handler // required
	Limits  FrontLimits

	// Refused, if set, is told of a request that was not understood, and so never reached Handler. err is a *[Error].
	Refused  func(c net.Conn, err error)
	ErrorLog *log.Logger // of panics in handlers; nil: the standard logger

	once    sync.Once
	handler http.Handler
}

// Outcome is what became of a response. The ResponseWriters of [Front] have it.
type Outcome interface {
	Status() int    // 0: nothing was answered
	Written() int64 // bytes of content
}

// ServeConn serves c until it ends, or ctx does: then the request under way is finished and answered, and c closed. It
// returns when c is closed or hijacked.
func (f *Front) ServeConn(ctx context.Context, c net.Conn) {
	f.once.Do(func() { f.handler = tlsnet.EarlyGate(f.Handler) })
	if tc, ok := c.(*tlsnet.Conn); ok {
		ctx = tc.Context(ctx)
	}
	l := &oneConn{c: c, done: make(chan struct{})}
	s := &http.Server{Handler: f.handler, ErrorLog: f.ErrorLog, ReadHeaderTimeout: DefaultHeaderTime, IdleTimeout: DefaultIdle,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnState: func(_ net.Conn, st http.ConnState) {
			if st == http.StateClosed || st == http.StateHijacked {
				l.once.Do(func() { close(l.done) })
			}
		}}
	stop := context.AfterFunc(ctx, func() { s.Shutdown(context.Background()) })
	defer stop()
	s.Serve(l)
	<-l.done
}

type oneConn struct {
	c    net.Conn
	done chan struct{}
	once sync.Once
	gave bool
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.gave {
		<-l.done
		return nil, net.ErrClosed
	}
	l.gave = true
	return l.c, nil
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.c.LocalAddr() }
