package tlsnet

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tlswright/tlswright/tlscore"
)

// The names of the HTTP versions in ALPN (RFC 7301, Section 6, and RFC 9113, Section 3.2).
const (
	ProtocolHTTP1 = "http/1.1"
	ProtocolHTTP2 = "h2"
)

// HTTPProtocols returns what an HTTP server or client puts into Config.Core.ALPN, HTTP/2 first.
func HTTPProtocols() []string { return []string{ProtocolHTTP2, ProtocolHTTP1} }

// Defaults of an [HTTPServer].
const (
	DefaultReadHeaderTimeout = 10 * time.Second
	DefaultIdleTimeout       = 2 * time.Minute
)

// HTTPServer serves HTTP/1.1 and HTTP/2 over TLS. Which of them a connection speaks is what ALPN negotiated and nothing
// else: a peer that then speaks the other one is cut off, and so is one that negotiated a third protocol. Without ALPN it
// is HTTP/1.1. Handshakes run beside the loop that accepts, and are bounded by the listener's configuration.
//
// Handlers learn about the connection with [InfoFromContext]; Request.TLS is nil. The fields must not be changed once
// Serve was called.
//
// Where Core.MaxEarlyData allows 0-RTT data, a request that is handled before the client has finished its handshake may
// have been replayed by an attacker. Handlers see such a request only if its method is safe and it has no body, with the
// header "Early-Data: 1"; all others get 425 Too Early (RFC 8470). The same holds for requests with that header from an
// intermediary.
type HTTPServer struct {
	Handler http.Handler // required

	ReadHeaderTimeout time.Duration // for the header of a request; 0: DefaultReadHeaderTimeout, negative: none
	IdleTimeout       time.Duration // between requests; 0: DefaultIdleTimeout, negative: none
	ReadTimeout       time.Duration // for a whole request; 0: none
	WriteTimeout      time.Duration // for a whole response; 0: none
	MaxHeaderBytes    int           // 0: http.DefaultMaxHeaderBytes

	// HandshakeError is told of every handshake that fails; c.Peer() says whom it was about. Nil writes a line to
	// ErrorLog, except for peers that closed without saying anything.
	HandshakeError func(c *Conn, err error)
	ErrorLog       *log.Logger // nil: the standard logger

	// HTTP1 serves a connection that speaks HTTP/1.1, in the place of net/http, and closes it; nil: net/http does, with
	// the settings above. The context ends when the server is shut down: a request under way is then finished, and no other
	// taken. Shutdown waits for it to return, and Close closes the connection under it. The context belongs to c, see
	// [Conn.Context]; where 0-RTT data is allowed, handlers must stand behind [EarlyGate].
	HTTP1 func(ctx context.Context, c *Conn)

	once    sync.Once
	h1, h2  *http.Server
	ctx     context.Context // of handshakes, and of HTTP1; ends with the server
	cancel  context.CancelFunc
	shaking sync.WaitGroup
	hooked  hooked

	mu        sync.Mutex
	closed    bool
	listeners map[*Listener]struct{}
}

// ServeHTTP serves h on the connections of l with the defaults of [HTTPServer], until l is closed.
func ServeHTTP(l *Listener, h http.Handler) error {
	s := &HTTPServer{Handler: h}
	defer s.Close()
	return s.Serve(l)
}

func (s *HTTPServer) init() {
	s.once.Do(func() {
		s.ctx, s.cancel = context.WithCancel(context.Background())
		s.listeners = make(map[*Listener]struct{})
		s.h1 = s.newServer(http.HandlerFunc(s.serveHTTP1))
		s.h1.Protocols.SetHTTP1(true)
		s.h2 = newHTTP2Server(s)
	})
}

// newServer returns one of the two servers, its protocol still to be set.
func (s *HTTPServer) newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           earlyGate(h),
		ReadHeaderTimeout: orDefault(s.ReadHeaderTimeout, DefaultReadHeaderTimeout),
		IdleTimeout:       orDefault(s.IdleTimeout, DefaultIdleTimeout),
		ReadTimeout:       s.ReadTimeout,
		WriteTimeout:      s.WriteTimeout,
		MaxHeaderBytes:    s.MaxHeaderBytes,
		ErrorLog:          s.ErrorLog,
		ConnContext:       connContext,
		Protocols:         new(http.Protocols),
	}
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d == 0 {
		return fallback
	}
	return max(d, 0)
}

// connContext puts what is known of the connection into the context of its requests.
func connContext(ctx context.Context, nc net.Conn) context.Context {
	if c, ok := nc.(*Conn); ok {
		return withConn(ctx, c)
	}
	return ctx
}

// serveHTTP1 cuts off whoever speaks HTTP/2 where HTTP/1.1 was negotiated: net/http hands its preface to handlers.
func (s *HTTPServer) serveHTTP1(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 1 {
		panic(http.ErrAbortHandler) // the way net/http offers to drop a connection
	}
	s.Handler.ServeHTTP(w, r)
}

// Serve accepts connections from l and serves them. It returns http.ErrServerClosed after Shutdown or Close, or else the
// error of l. It may be called for several listeners.
func (s *HTTPServer) Serve(l *Listener) error {
	s.init()
	if !s.track(l, true) {
		return http.ErrServerClosed
	}
	defer s.track(l, false)
	q1, q2 := newConnQueue(l.Addr()), newConnQueue(l.Addr())
	defer q1.Close()
	defer q2.Close()
	go s.h1.Serve(q1) // both return when their queue is closed
	go s.h2.Serve(q2)
	for {
		c, err := s.accept(l)
		if err != nil {
			return err
		}
		if !s.goStart(c, q1, q2) {
			c.Close()
			return http.ErrServerClosed
		}
	}
}

// goStart starts a connection in the background, unless the server is closed.
func (s *HTTPServer) goStart(c *Conn, q1, q2 *connQueue) bool {
	s.mu.Lock() // so that Wait comes before this or after, not beside
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.shaking.Go(func() { s.start(c, q1, q2) })
	return true
}

// accept returns the next connection. When the process has no file descriptors left it waits for some to come back.
func (s *HTTPServer) accept(l *Listener) (*Conn, error) {
	for delay := 5 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		c, err := l.AcceptConn()
		if err == nil {
			return c, nil
		}
		if s.ctx.Err() != nil {
			return nil, http.ErrServerClosed
		}
		var te interface{ Temporary() bool }
		if !errors.As(err, &te) || !te.Temporary() {
			return nil, err
		}
		s.logf("tlsnet: accept: %v; trying again in %v", err, delay)
		select {
		case <-time.After(delay):
		case <-s.ctx.Done():
		}
	}
}

// start makes the handshake and hands the connection to the server of its protocol.
func (s *HTTPServer) start(c *Conn, q1, q2 *connQueue) {
	if err := c.beginHTTP(s.ctx); err != nil {
		s.handshakeFailed(c, err)
		c.Close()
		return
	}
	queue := q1
	switch alpn := c.Facts().ALPN; alpn {
	case "", ProtocolHTTP1:
		if s.HTTP1 != nil {
			s.hooked.serve(s.ctx, c, s.HTTP1)
			return
		}
	case ProtocolHTTP2:
		queue = q2
	default:
		s.logf("tlsnet: %v negotiated %q, which is not HTTP", c.RemoteAddr(), alpn)
		c.Close()
		return
	}
	if !queue.put(c) {
		c.Close()
	}
}

func (s *HTTPServer) handshakeFailed(c *Conn, err error) {
	switch {
	case s.HandshakeError != nil:
		s.HandshakeError(c, err)
	case s.ctx.Err() != nil, !c.in.seen && isClosedEarly(err):
	default:
		who := ""
		if leaf := c.Peer().Leaf; leaf != nil {
			who = fmt.Sprintf(" (certificate of %q, serial %x)", leaf.Subject.String(), leaf.SerialNumber)
		}
		s.logf("tlsnet: handshake with %v%s: %v", c.RemoteAddr(), who, err)
	}
}

func isClosedEarly(err error) bool {
	var te *tlscore.Error
	return errors.As(err, &te) && te.Code == tlscore.CodePeerClosedEarly
}

func (s *HTTPServer) logf(format string, args ...any) {
	if s.ErrorLog != nil {
		s.ErrorLog.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}

func (s *HTTPServer) track(l *Listener, add bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !add {
		delete(s.listeners, l)
		return true
	}
	if s.closed {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

// stopAccepting closes the listeners, breaks off handshakes, and returns what the listeners' connections share.
func (s *HTTPServer) stopAccepting() []*host {
	s.init()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.cancel()
	var hosts []*host
	for l := range s.listeners {
		l.Close()
		hosts = append(hosts, l.host)
	}
	return hosts
}

// Shutdown stops accepting, breaks off handshakes, lets requests under way finish, closes idle connections, and waits
// for all of that until ctx ends; its error is then that of ctx.
func (s *HTTPServer) Shutdown(ctx context.Context) error {
	hosts := s.stopAccepting()
	s.shaking.Wait()
	var wg sync.WaitGroup
	var err2 error
	wg.Go(func() { err2 = s.h2.Shutdown(ctx) })
	err := s.h1.Shutdown(ctx)
	err = errors.Join(err, s.hooked.wait(ctx))
	wg.Wait()
	for _, h := range hosts {
		h.lingers.wait(ctx.Done())
	}
	return errors.Join(err, err2)
}

// Close stops accepting and closes all connections at once. Refused peers keep their moment to read the alert, in the
// background.
func (s *HTTPServer) Close() error {
	s.stopAccepting()
	err := errors.Join(s.h1.Close(), s.h2.Close())
	s.hooked.close()
	s.shaking.Wait()
	return err
}
