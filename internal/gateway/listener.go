package gateway

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// listener is one bound address. It outlives reloads in which its address and protocol stay.
type listener struct {
	g        *Gateway
	name     string
	address  string
	protocol config.Protocol
	nl       net.Listener
	settings atomic.Pointer[listenerSettings]

	tls     *tlsnet.Listener            // https and tls
	https   *tlsnet.HTTPServer          // https
	front   atomic.Pointer[relay.Front] // https: HTTP/1.1; plain with an upstream of HTTP
	http    *http.Server                // http
	ctx     context.Context             // ends when no new requests are to be taken
	stop    context.CancelFunc
	running sync.WaitGroup // connections that are not HTTPServer's
	mu      sync.Mutex
	streams map[*conn]func() // what cuts off connections that are not HTTP, under way
}

// listenerSettings are what a reload may change.
type listenerSettings struct {
	limits  config.Limits
	all     int // connections of the whole gateway
	trusted []netip.Prefix
}

// bind listens on an address: host:port, unix:PATH or systemd:NAME.
func (g *Gateway) bind(c *config.Gateway, lc *config.Listener) (*listener, error) {
	nl, err := g.listen(lc.Address)
	if err != nil {
		return nil, &ConfigError{Place: lc.Place, Where: "listener " + listenerName(lc), Err: err}
	}
	l := &listener{g: g, name: listenerName(lc), address: lc.Address, protocol: lc.Protocol, nl: nl, streams: make(map[*conn]func())}
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.set(c, lc)
	if err := l.prepare(); err != nil {
		return nil, errors.Join(&ConfigError{Place: lc.Place, Where: "listener " + l.name, Err: err}, nl.Close())
	}
	return l, nil
}

// listen opens the socket.
func (g *Gateway) listen(address string) (net.Listener, error) {
	if name, ok := strings.CutPrefix(address, "systemd:"); ok {
		return inherited(name)
	}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
			if c, err := net.Dial("unix", path); err == nil {
				_ = c.Close()
				return nil, fmt.Errorf("%s: somebody listens there already", path)
			}
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		}
		return net.Listen("unix", path)
	}
	lc := listenConfig()
	return lc.Listen(context.Background(), "tcp", address)
}

// set takes over the limits of a configuration.
func (l *listener) set(c *config.Gateway, lc *config.Listener) {
	limits := limitsOf(c, lc)
	l.settings.Store(&listenerSettings{limits: limits, all: orDefault(c.Limits.Connections, DefaultConnections), trusted: lc.Trusted})
	l.front.Store(&relay.Front{
		Handler: http.HandlerFunc(l.serveRequest),
		Limits: relay.FrontLimits{HeaderBytes: limits.HeaderBytes, BodyBytes: limits.BodyBytes, HeaderTime: limits.HeaderTime,
			BodyTime: limits.BodyTime, Idle: limits.Idle},
		Refused:  l.requestRefused,
		ErrorLog: log.New(&logWriter{l.g}, "", 0),
	})
}

// prepare makes what speaks on the connections.
func (l *listener) prepare() error {
	limits := l.settings.Load().limits
	quiet := log.New(&logWriter{l.g}, "", 0)
	switch l.protocol {
	case config.ProtocolHTTP:
		l.http = &http.Server{Handler: http.HandlerFunc(l.servePlainHTTP), ReadHeaderTimeout: orDefault(limits.HeaderTime, DefaultHeaderTime),
			ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: orDefault(limits.Idle, DefaultIdle),
			MaxHeaderBytes: orDefault(limits.HeaderBytes, DefaultHeaderBytes), ErrorLog: quiet}
		return nil
	case config.ProtocolPlain:
		return nil
	}
	var err error
	if l.tls, err = tlsnet.NewListener(&gate{l.nl, l}, l.base()); err != nil {
		return err
	}
	if l.protocol == config.ProtocolHTTPS {
		l.https = &tlsnet.HTTPServer{
			Handler: http.HandlerFunc(l.serveRequest), HTTP1: l.serveHTTP1, HandshakeError: l.handshakeFailed, ErrorLog: quiet,
			ReadHeaderTimeout: limits.HeaderTime, IdleTimeout: limits.Idle, MaxHeaderBytes: orDefault(limits.HeaderBytes, DefaultHeaderBytes),
		}
	}
	return nil
}

// base is what connections have until a site is chosen by their ClientHello. Its identity is never shown: see choose.
func (l *listener) base() *tlsnet.Config {
	c := &tlsnet.Config{
		Identities:       []tlsnet.Identity{l.g.standIn},
		ForClient:        func(h *tlsnet.ClientHello) (*tlsnet.Prepared, error) { return l.g.choose(l, h) },
		TicketKeys:       l.g.tickets,
		HandshakeTimeout: l.settings.Load().limits.Handshake,
		Time:             l.g.o.Now,
	}
	if c.HandshakeTimeout == 0 {
		c.HandshakeTimeout = -1
	}
	// HTTPServer asks for early data before the site is chosen; how much of it there may be is the site's to say.
	c.Core.MaxEarlyData = l.earlyData()
	if l.g.o.Tune != nil {
		l.g.o.Tune("", c)
	}
	return c
}

// earlyData is the most that a site of the listener takes.
func (l *listener) earlyData() (most uint32) {
	if r := l.g.state.Load().reach[l.name]; r != nil && l.protocol == config.ProtocolHTTPS {
		for _, d := range r.doors {
			most = max(most, d.site.c.EarlyData)
		}
	}
	return most
}

// gate counts what comes in, and refuses what is too much before anything is read from it.
type gate struct {
	net.Listener
	l *listener
}

// Accept implements net.Listener.
func (a *gate) Accept() (net.Conn, error) {
	for {
		nc, err := a.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := a.l.admit(nc); c != nil {
			return c, nil
		}
	}
}

// admit counts a connection, or closes it.
func (l *listener) admit(nc net.Conn) *conn {
	s := l.settings.Load()
	c := &conn{Conn: nc, g: l.g, l: l, began: l.g.o.Now()}
	if a, ok := addrPort(nc.RemoteAddr()); ok {
		c.remote, c.address = a, a.Addr()
	}
	perAddress := s.limits.PerAddress
	isProxy := l.trusts(s, c.address)
	if isProxy || c.address.IsLoopback() && perAddress == DefaultPerAddress {
		perAddress = 0 // many clients come from there
	}
	if limit := l.g.limits.enter(l, c.address, s.all, s.limits.Connections, perAddress); limit != "" {
		l.g.metrics.limited.WithLabelValues(l.name, limit).Inc()
		l.g.limited(l, c, limit)
		_ = nc.Close()
		return nil
	}
	if isProxy {
		c.Conn = &proxied{Conn: nc, owner: c, limit: s.limits.PerAddress}
	}
	l.g.metrics.accepted(l)
	return c
}

// forget is the end of a connection.
func (l *listener) forget(c *conn) {
	l.g.limits.leave(l, c.address)
	l.g.conns.remove(c)
	l.g.metrics.closed(l)
}

func (l *listener) trusts(s *listenerSettings, a netip.Addr) bool {
	for _, p := range s.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// serve serves until the listener is closed.
func (l *listener) serve() error {
	var err error
	switch l.protocol {
	case config.ProtocolHTTPS:
		err = l.https.Serve(l.tls)
	case config.ProtocolHTTP:
		err = l.http.Serve(&gate{l.nl, l})
	case config.ProtocolTLS:
		err = l.accept(func() (net.Conn, error) { return l.tls.Accept() }, func(ctx context.Context, c net.Conn) { l.serveStream(ctx, c.(*tlsnet.Conn)) })
	case config.ProtocolPlain:
		err = l.accept((&gate{l.nl, l}).Accept, func(ctx context.Context, c net.Conn) { l.servePlain(ctx, c.(*conn)) })
	}
	if errors.Is(err, http.ErrServerClosed) || l.ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("listener %s: %w", l.name, err)
}

// accept takes connections and serves each on its own goroutine. Without file descriptors left it waits for some.
func (l *listener) accept(next func() (net.Conn, error), serve func(context.Context, net.Conn)) error {
	for delay := 5 * time.Millisecond; ; {
		c, err := next()
		if err != nil {
			var te interface{ Temporary() bool }
			if l.ctx.Err() != nil || !errors.As(err, &te) || !te.Temporary() {
				return err
			}
			l.g.warn("", "accept: "+err.Error())
			select {
			case <-time.After(delay):
			case <-l.ctx.Done():
			}
			delay = min(2*delay, time.Second)
			continue
		}
		delay = 5 * time.Millisecond
		l.mu.Lock()
		if l.ctx.Err() != nil {
			l.mu.Unlock()
			_ = c.Close()
			return net.ErrClosed
		}
		l.running.Go(func() { serve(l.ctx, c) })
		l.mu.Unlock()
	}
}

// shutdown stops accepting and lets what is under way finish, until ctx ends: then it is cut off.
func (l *listener) shutdown(ctx context.Context) {
	l.leave()
	cut := func(err error, cut func() error) {
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
			_ = cut()
		}
	}
	switch {
	case l.https != nil:
		cut(l.https.Shutdown(ctx), l.https.Close)
	case l.http != nil:
		cut(l.http.Shutdown(ctx), l.http.Close)
	}
	done := make(chan struct{})
	go func() { l.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		l.cutStreams()
		<-done
	}
}

// leave takes no new connections and requests any more, and lets go of the port.
func (l *listener) leave() {
	l.mu.Lock()
	l.stop()
	l.mu.Unlock()
	_ = l.nl.Close()
}

// logWriter turns what the HTTP servers log into lines of ours.
type logWriter struct{ g *Gateway }

// Write implements io.Writer.
func (w *logWriter) Write(p []byte) (int, error) {
	text := pki.Printable(strings.TrimSpace(string(p)))
	if !strings.Contains(text, "which is not HTTP") { // validations by tls-alpn-01
		w.g.log.Log(context.Background(), slog.LevelDebug, text)
	}
	return len(p), nil
}

// warn tells the operator of something that works less well than it should.
func (g *Gateway) warn(site, text string) {
	g.tell(slog.LevelWarn, Event{Kind: "warning", Site: site, Text: text})
}
