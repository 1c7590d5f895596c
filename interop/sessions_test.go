package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// early is what travels as 0-RTT data: a line for those that echo lines, a request for those that speak HTTP.
const (
	earlyLine    = "this was sent early, before the handshake was done\n"
	earlyRequest = "GET /moved HTTP/1.1\r\nHost: " + serverName + "\r\n\r\n"
	maxEarly     = 4096
)

func sessionFeatures() []feature {
	var fs []feature
	add := func(v wire.Version, what string, r role, run func(context.Context, *pki, peer) (string, error)) {
		fs = append(fs, feature{what: fmt.Sprintf("%v: %s", v, what), role: r, run: run, version: v})
	}
	for _, v := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
		add(v, "resumed with a ticket", weAreClient, resumedClient(asks{}))
		add(v, "resumed with a ticket", weAreServer, resumedServer(asks{}))
		add(v, "a client with a certificate resumes", weAreClient, resumedClient(asks{requireClient: true}))
		add(v, "a client with a certificate resumes", weAreServer, resumedServer(asks{requireClient: true}))
		add(v, "the server knows the session no more: a full handshake", weAreClient, forgottenClient)
		add(v, "the server knows the session no more: a full handshake", weAreServer, forgottenServer)
	}
	add(wire.VersionTLS12, "resumed by session id", weAreClient, resumedClient(asks{byID: true}))
	add(wire.VersionTLS12, "resumed by session id", weAreServer, resumedServer(asks{byID: true}))
	v := wire.VersionTLS13
	retry := asks{groups: one(wire.GroupSecp384r1)}
	add(v, "resumed behind a HelloRetryRequest", weAreClient, resumedClient(retry))
	add(v, "resumed behind a HelloRetryRequest", weAreServer, resumedServer(retry))
	add(v, "0-RTT data accepted", weAreClient, earlyClient)
	add(v, "0-RTT data accepted", weAreServer, earlyServer)
	add(v, "0-RTT data, but HelloRetryRequest: refused, and skipped", weAreClient, earlyRetriedClient)
	add(v, "0-RTT data, but HelloRetryRequest: refused, and skipped", weAreServer, earlyRetriedServer)
	add(v, "0-RTT data with a ticket that was used before: refused", weAreClient, earlyTwiceClient)
	add(v, "0-RTT data with a ticket that was used before: refused", weAreServer, earlyTwiceServer)
	add(v, "0-RTT request over HTTP", weAreClient, earlyHTTPClient)
	return fs
}

// TestSessionsWithEveryPeer resumes sessions and sends early data.
func TestSessionsWithEveryPeer(t *testing.T) {
	runFeatures(t, "sessions", wire.VersionTLS13, sessionFeatures())
}

// sameSession is a store that hands out the first session it got, time and again, as no client should.
type sameSession struct {
	mu    sync.Mutex
	first *tlscore.Session
}

func (s *sameSession) Put(_ string, session *tlscore.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = session
	}
}

func (s *sameSession) Take(string) *tlscore.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

func (s *sameSession) Remove(string, *tlscore.Session) {}

// wantResumed checks a connection's verdict and whether it was resumed.
func wantResumed(f tlscore.Facts, v wire.Version, resumed bool) error {
	switch {
	case !f.HandshakeComplete || f.Version != v:
		return fmt.Errorf("negotiated %v, complete: %v", f.Version, f.HandshakeComplete)
	case f.Resumed != resumed:
		return fmt.Errorf("resumed: %v", f.Resumed)
	}
	return nil
}

// resumedClient makes two connections with one Dialer; both move the payload.
func resumedClient(with asks) func(context.Context, *pki, peer) (string, error) {
	return func(ctx context.Context, p *pki, pr peer) (string, error) {
		theirs, ours := with, asks{name: serverName}
		if with.byID && pr.withoutTickets == nil {
			return "", errNotThere
		}
		if with.byID {
			theirs.extra = pr.withoutTickets
		}
		theirs.identity = p.leaves[ecdsaP256]
		if with.requireClient {
			ours.identity = p.leaves[ecdsaP256]
		}
		if with.groups != nil {
			ours.groups, ours.shares = []wire.Group{wire.GroupX25519, with.groups[0]}, one(wire.GroupX25519)
		}
		d, err := tlsnet.NewDialer(ours.config(p, tlscore.RoleClient))
		if err != nil {
			return "", err
		}
		return okIf(withServer(ctx, p, pr, theirs, func(s peerServer) error {
			for _, resumed := range []bool{false, true} {
				if err := dialAndMove(ctx, d, s, pr.speaks, resumed, with.groups != nil); err != nil {
					return fmt.Errorf("resumed %v: %w", resumed, err)
				}
			}
			return nil
		}))
	}
}

func dialAndMove(ctx context.Context, d *tlsnet.Dialer, s peerServer, v wire.Version, resumed, retried bool) error {
	c, err := d.Dial(ctx, "tcp", s.addr())
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if err := wantResumed(c.Facts(), v, resumed); err != nil {
		return err
	}
	if f := c.Facts(); f.HelloRetried != retried {
		return fmt.Errorf("HelloRetryRequest: %v", f.HelloRetried)
	}
	if c.Peer().Leaf == nil {
		return errors.New("nobody is known at the other end")
	}
	return s.exchange(c)
}

// forgottenClient restarts the server at another port, and takes the session along.
func forgottenClient(ctx context.Context, p *pki, pr peer) (string, error) {
	ours := asks{name: serverName, sessions: &sameSession{}}
	d, err := tlsnet.NewDialer(ours.config(p, tlscore.RoleClient))
	if err != nil {
		return "", err
	}
	for range 2 {
		err = errors.Join(err, withServer(ctx, p, pr, asks{identity: p.leaves[ecdsaP256]}, func(s peerServer) error {
			return dialAndMove(ctx, d, s, pr.speaks, false, false)
		}))
	}
	return okIf(err)
}

// serveAll runs our server for any number of connections, one after the other. The results arrive in the channel, in
// the order of the connections, until stop is called.
func (a asks) serveAll(ctx context.Context, p *pki, inHTTP bool) (addr string, results <-chan served, stop func(), err error) {
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", a.config(p, tlscore.RoleServer))
	if err != nil {
		return "", nil, nil, err
	}
	ch := make(chan served, 16)
	if inHTTP {
		s := &tlsnet.HTTPServer{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Connection", "close")
				ch <- answer(w, r, a.down(), a.up())
			}),
			HandshakeError: func(c *tlsnet.Conn, err error) { ch <- served{facts: c.Facts(), err: err} },
		}
		go s.Serve(l)
		return l.Addr().String(), ch, func() { s.Close() }, nil
	}
	go func() {
		for n := 0; ; n++ {
			one := a
			one.mute = a.mute || a.muteFirst && n == 0
			nc, err := l.Accept()
			if err != nil {
				return
			}
			var s served
			c := nc.(*tlsnet.Conn)
			s.early, s.err = one.readEarly(c)
			if s.err == nil && a.resent && c.Facts().EarlyData == tlscore.EarlyDataRejected {
				s.err = readResent(c)
			}
			if s.err == nil {
				s.err = one.serveOnce(ctx, c)
			}
			s.facts = c.Facts()
			c.Close()
			ch <- s
		}
	}()
	return l.Addr().String(), ch, func() { l.Close() }, nil
}

// readEarly reads what comes as early data, if any is to be taken.
func (a asks) readEarly(c *tlsnet.Conn) (string, error) {
	if !a.early {
		return "", nil
	}
	var got strings.Builder
	b := make([]byte, 1<<10)
	for {
		n, err := c.ReadEarly(b)
		got.Write(b[:n])
		if err == io.EOF {
			return got.String(), nil
		}
		if err != nil {
			return got.String(), fmt.Errorf("early data: %w", err)
		}
	}
}

// readResent reads rejected early data that came again, ahead of the payload.
func readResent(c *tlsnet.Conn) error {
	got := make([]byte, len(earlyLine))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != earlyLine {
		return fmt.Errorf("early data came again as %q: %w", got, err)
	}
	return nil
}

// resumedServer lets the peer's client come twice.
func resumedServer(with asks) func(context.Context, *pki, peer) (string, error) {
	return func(ctx context.Context, p *pki, pr peer) (string, error) {
		ours, theirs := with, asks{name: serverName, versions: one(pr.speaks)}
		switch ticketless := pr.onlyIDs && pr.speaks == wire.VersionTLS12; {
		case with.byID && !ticketless && pr.withoutTickets == nil || ticketless && !with.byID:
			return "", errNotThere
		case with.byID:
			theirs.extra = pr.withoutTickets
		}
		ours.identity = p.leaves[ecdsaP256]
		if with.requireClient {
			theirs.identity = p.leaves[ecdsaP256]
		}
		if with.groups != nil {
			other, err := otherGroup(pr, with.groups[0])
			if err != nil {
				return "", err
			}
			theirs.groups, theirs.shares = []wire.Group{other, with.groups[0]}, one(other)
		}
		return okIf(theyReturn(ctx, p, pr, ours, theirs, func(n int, s served) error {
			if s.facts.HelloRetried != (with.groups != nil) {
				return fmt.Errorf("HelloRetryRequest: %v", s.facts.HelloRetried)
			}
			if with.requireClient && len(s.facts.PeerChain) == 0 {
				return errors.New("the client's certificate is not known")
			}
			return wantResumed(s.facts, pr.speaks, n > 0)
		}))
	}
}

// theyReturn runs our server and the peer's client, which makes two connections, and judges each of them.
func theyReturn(ctx context.Context, p *pki, pr peer, ours, theirs asks, judge func(n int, s served) error) error {
	if pr.returns == nil {
		return errNotThere
	}
	theirs.short = pr.slow
	ours.short, ours.muteFirst = theirs.short, pr.silentFirst
	addr, results, stop, err := ours.serveAll(ctx, p, pr.http)
	if err != nil {
		return err
	}
	defer stop()
	got := pr.returns(ctx, p, addr, theirs)
	for n := range 2 {
		select {
		case s := <-results:
			if err := errors.Join(s.err, got.err); err != nil {
				return fmt.Errorf("connection %d: %w\n%s", n, err, got.log)
			}
			if err := judge(n, s); err != nil {
				return fmt.Errorf("connection %d: %w\n%s", n, err, got.log)
			}
		case <-ctx.Done():
			return fmt.Errorf("connection %d: %w; %w\n%s", n, ctx.Err(), got.err, got.log)
		}
	}
	return nil
}

// forgetful keeps no session that it is given.
type forgetful struct{}

func (forgetful) Put(_, _ []byte, _ time.Time) error    { return nil }
func (forgetful) Take(time.Time, []byte) ([]byte, bool) { return nil, false }

// forgottenServer lets our server forget its sessions between the two connections.
func forgottenServer(ctx context.Context, p *pki, pr peer) (string, error) {
	ours := asks{identity: p.leaves[ecdsaP256], forgets: true}
	theirs := asks{name: serverName, versions: one(pr.speaks)}
	return okIf(theyReturn(ctx, p, pr, ours, theirs, func(_ int, s served) error {
		return wantResumed(s.facts, pr.speaks, false)
	}))
}

// earlyClient makes a connection for the ticket, and one with early data.
func earlyClient(ctx context.Context, p *pki, pr peer) (string, error) {
	return okIf(weSendEarly(ctx, p, pr, asks{}, asks{name: serverName}, tlscore.EarlyDataAccepted))
}

func earlyRetriedClient(ctx context.Context, p *pki, pr peer) (string, error) {
	g := wire.GroupSecp384r1
	ours := asks{name: serverName, groups: []wire.Group{wire.GroupX25519, g}, shares: one(wire.GroupX25519)}
	err := weSendEarly(ctx, p, pr, asks{groups: one(g)}, ours, tlscore.EarlyDataRejected)
	if pr.noRetryEarly {
		return wire.AlertBadRecordMAC.String(), wantAlert(err, wire.AlertBadRecordMAC)
	}
	return okIf(err)
}

// earlyTwiceClient sends early data with the same ticket twice.
func earlyTwiceClient(ctx context.Context, p *pki, pr peer) (string, error) {
	if !pr.singleUse {
		return "", errNotThere
	}
	ours := asks{name: serverName, sessions: &sameSession{}}
	return okIf(weSendEarly(ctx, p, pr, asks{}, ours, tlscore.EarlyDataAccepted, tlscore.EarlyDataRejected))
}

// weSendEarly gets a ticket and then makes a connection with early data for each of the fates.
func weSendEarly(ctx context.Context, p *pki, pr peer, theirs, ours asks, fates ...tlscore.EarlyData) error {
	if pr.takesEarly == nil {
		return errNotThere
	}
	theirs.identity, theirs.early = p.leaves[ecdsaP256], true
	d, err := tlsnet.NewDialer(ours.config(p, tlscore.RoleClient))
	if err != nil {
		return err
	}
	return withServer(ctx, p, pr, theirs, func(s peerServer) error {
		c, err := d.Dial(ctx, "tcp", s.addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := pr.takesEarly(ctx, s, c, false); err != nil {
			return fmt.Errorf("for the ticket: %w", err)
		}
		c.Close()
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for n, fate := range fates {
			got, err := pr.earlyOnce(ctx, d, s)
			for pr.lateForEarly && err == nil && got != fate && got == tlscore.EarlyDataRejected {
				select {
				case <-tick.C:
					got, err = pr.earlyOnce(ctx, d, s)
				case <-ctx.Done():
					err = ctx.Err()
				}
			}
			if err != nil {
				return fmt.Errorf("early data %d: %w", n, err)
			}
			if got != fate {
				return fmt.Errorf("early data %d was %v", n, got)
			}
		}
		return nil
	})
}

// earlyOnce makes one connection with early data and says what became of that.
func (pr peer) earlyOnce(ctx context.Context, d *tlsnet.Dialer, s peerServer) (tlscore.EarlyData, error) {
	c, err := d.DialEarly(ctx, "tcp", s.addr(), []byte(pr.earlyData))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	got := c.Facts().EarlyData
	if got == tlscore.EarlyDataNone {
		return got, nil
	}
	accepted := got == tlscore.EarlyDataAccepted
	if err := sentEarly(c, accepted); err != nil {
		return got, err
	}
	return got, pr.takesEarly(ctx, s, c, accepted)
}

// sentEarly checks that rejected early data cannot be overlooked.
func sentEarly(c *tlsnet.Conn, accepted bool) error {
	if accepted {
		return nil
	}
	if _, err := c.Write(nil); !errors.Is(err, tlsnet.ErrEarlyDataRejected) {
		return fmt.Errorf("writing behind rejected early data: %w", err)
	}
	c.ForgetEarly()
	return nil
}

// earlyServer lets the peer's client come back with early data.
func earlyServer(ctx context.Context, p *pki, pr peer) (string, error) {
	return okIf(theySendEarly(ctx, p, pr, asks{}, asks{}, tlscore.EarlyDataAccepted))
}

func earlyRetriedServer(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.noRetryEarly {
		return "", errNotThere
	}
	g := wire.GroupSecp384r1
	theirs := asks{groups: []wire.Group{wire.GroupX25519, g}, shares: one(wire.GroupX25519)}
	return okIf(theySendEarly(ctx, p, pr, asks{groups: one(g)}, theirs, tlscore.EarlyDataRejected))
}

func earlyTwiceServer(ctx context.Context, p *pki, pr peer) (string, error) {
	if !pr.replays {
		return "", errNotThere
	}
	return okIf(theySendEarly(ctx, p, pr, asks{}, asks{}, tlscore.EarlyDataAccepted, tlscore.EarlyDataRejected))
}

func theySendEarly(ctx context.Context, p *pki, pr peer, ours, theirs asks, fates ...tlscore.EarlyData) error {
	if pr.sendsEarly == nil {
		return errNotThere
	}
	file, err := p.keep("early-*", []byte(earlyLine))
	if err != nil {
		return err
	}
	theirs.name, theirs.versions, theirs.short = serverName, one(pr.speaks), pr.slow
	ours.identity, ours.early, ours.short, ours.muteFirst = p.leaves[ecdsaP256], true, pr.slow, pr.silentFirst
	ours.resent = pr.resends
	addr, results, stop, err := ours.serveAll(ctx, p, false)
	if err != nil {
		return err
	}
	defer stop()
	got := pr.sendsEarly(ctx, p, addr, theirs, file, len(fates))
	for n, fate := range append([]tlscore.EarlyData{tlscore.EarlyDataNone}, fates...) {
		select {
		case s := <-results:
			if err := errors.Join(s.err, got.err); err != nil {
				return fmt.Errorf("connection %d: %w\n%s", n, err, got.log)
			}
			want := ""
			if fate == tlscore.EarlyDataAccepted {
				want = earlyLine
			}
			if s.facts.EarlyData != fate || s.early != want {
				return fmt.Errorf("connection %d: early data was %v: %q\n%s", n, s.facts.EarlyData, s.early, got.log)
			}
		case <-ctx.Done():
			return fmt.Errorf("connection %d: %w; %w\n%s", n, ctx.Err(), got.err, got.log)
		}
	}
	return nil
}

// earlyHTTPClient lets our Transport send a request early.
func earlyHTTPClient(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.httpServe == nil || pr.takesEarly == nil {
		return "", errNotThere
	}
	pr.serve = pr.httpServe
	theirs := asks{identity: p.leaves[ecdsaP256], early: true, versions: one(pr.speaks)}
	return okIf(withServer(ctx, p, pr, theirs, func(s peerServer) error {
		t := &tlsnet.Transport{Config: asks{name: serverName, alpn: one("http/1.1")}.config(p, tlscore.RoleClient), EarlyData: true}
		defer t.CloseIdleConnections()
		for _, want := range []tlscore.EarlyData{tlscore.EarlyDataNone, tlscore.EarlyDataAccepted} {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.addr()+"/", nil)
			if err != nil {
				return err
			}
			resp, err := t.RoundTrip(req)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, resp.Body)
			if err := errors.Join(err, resp.Body.Close()); err != nil {
				return err
			}
			info, _ := tlsnet.InfoFromResponse(resp)
			if info.Facts.EarlyData != want {
				return fmt.Errorf("early data was %v; resumed: %v", info.Facts.EarlyData, info.Facts.Resumed)
			}
			t.CloseIdleConnections()
		}
		return nil
	}))
}
