package relay

import (
	"context"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
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
	HeaderTime   time.Duration // from the first bytes of a request to the end of its head
	BodyTime     time.Duration // for a request's content; default: none
	Stall        time.Duration // while content comes or a response goes, without a byte moving
	Idle         time.Duration // between requests
}

// orDefaults returns the limits as numbers that count: 0 is none, but for the header's bounds, and its time, where that is
// negative, see readHead.
func (l FrontLimits) orDefaults() FrontLimits {
	if l.HeaderBytes <= 0 {
		l.HeaderBytes = DefaultHeaderBytes
	}
	if l.HeaderFields <= 0 {
		l.HeaderFields = DefaultHeaderFields
	}
	l.BodyBytes = max(l.BodyBytes, 0)
	l.BodyTime = max(l.BodyTime, 0)
	if l.HeaderTime == 0 {
		l.HeaderTime = DefaultHeaderTime
	}
	l.Stall = orDefault(l.Stall, DefaultStall)
	l.Idle = orDefault(l.Idle, DefaultIdle)
	return l
}

// orDefault returns the default for 0, and 0 for what is negative.
func orDefault(d, fallback time.Duration) time.Duration {
	if d == 0 {
		return fallback
	}
	return max(d, 0)
}

// Front serves HTTP/1.1 on connections, one [Front.ServeConn] each. Its fields must not be changed once it serves.
//
// Handlers get a plain *http.Request (with TLS nil), and an http.ResponseWriter that flushes, hijacks, and knows the
// methods of [http.ResponseController]. It is an [Outcome] and a [Defaulter], too. The header field Early-Data is dealt with as tlsnet's
// EarlyGate does. [Upstream] is at its best when it gets this very ResponseWriter, not one wrapped around it.
//
// Where a handler returns before it has read a request's content, the connection is closed behind the response, unless
// the rest of the content had come already.
type Front struct {
	Handler http.Handler // required
	Limits  FrontLimits

	// Refused, if set, is told of a request that was not understood, and so never reached Handler. err is a *[Error].
	Refused  func(c net.Conn, err error)
	ErrorLog *log.Logger // of panics in handlers; nil: the standard logger

	once    sync.Once
	handler http.Handler
	limits  FrontLimits
	pool    buffers
	date    atomic.Pointer[dateLine]
}

// Outcome is what became of a response. The ResponseWriters of [Front] have it.
type Outcome interface {
	Status() int    // 0: nothing was answered
	Written() int64 // bytes of content
}

// Defaulter takes fields of a response's header that are sent unless the handler, or the upstream, sends some of that
// name. The ResponseWriters of [Front] do.
type Defaulter interface {
	// SetDefault is to be called before the head is written. name is in canonical form.
	SetDefault(name, value string)
}

// ServeConn serves c until it ends, or ctx does: then the request under way is finished and answered, and c closed. It
// returns when c is closed or hijacked. The values of ctx are those of the requests' contexts, its end is not.
func (f *Front) ServeConn(ctx context.Context, nc net.Conn) {
	f.once.Do(func() {
		f.handler = tlsnet.EarlyGate(f.Handler)
		f.limits = f.Limits.orDefaults()
	})
	c := &frontConn{front: f, conn: nc, until: ctx, remote: nc.RemoteAddr().String()}
	c.ctx = context.WithoutCancel(ctx)
	if tc, ok := nc.(*tlsnet.Conn); ok {
		c.ctx = tc.Context(c.ctx)
	}
	c.in.init(nc, &f.pool, smallBuffer)
	c.writing.set = nc.SetWriteDeadline
	c.writing.forget()
	stop := context.AfterFunc(ctx, c.stop)
	defer stop()
	c.serve()
}

func (f *Front) logf(format string, args ...any) {
	if f.ErrorLog != nil {
		f.ErrorLog.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}

// dateLine is the Date of one second.
type dateLine struct {
	unix int64
	line string
}

// dateField returns the field line for now, with its line end.
func (f *Front) dateField() string {
	now := time.Now()
	d := f.date.Load()
	if d == nil || d.unix != now.Unix() {
		d = &dateLine{unix: now.Unix(), line: "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		f.date.Store(d)
	}
	return d.line
}
