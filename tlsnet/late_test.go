package tlsnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// late are configurations of a client that may be asked for a certificate after the handshake, and of a server.
func (s *site) late() (client, server *tlsnet.Config) {
	client, server = s.clientConfig(), s.serverConfig()
	client.Identities = []tlsnet.Identity{identity(s.client)}
	client.Core.PostHandshakeAuth, server.Core.PostHandshakeAuth = true, true
	return client, server
}

// reading reads what comes to a connection until its end.
func reading(c io.Reader) <-chan string {
	got := make(chan string, 1)
	go func() {
		b, err := io.ReadAll(c)
		if err != nil {
			b = fmt.Appendf(b, " and then %v", err)
		}
		got <- string(b)
	}()
	return got
}

func TestServerAsksForACertificateAfterTheHandshake(t *testing.T) {
	s := newSite(t)
	client, server := s.late()
	a, b := tcpPair(t)
	c, d := connected(t, client, server, a, b)
	got := reading(c)
	if p := d.Peer(); p.Leaf != nil {
		t.Fatal("the client is known before it was asked")
	}
	for i := range 3 {
		mustWrite(t, c, "ahead") // and nobody reads it
		p, err := d.RequestClientCertificate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if p == nil || !p.Verified() || p.CommonName() != "alice" || d.Peer().CommonName() != "alice" {
			t.Fatalf("%d: %+v", i, p)
		}
		if f := d.Facts(); f.LateRequests != i+1 || len(f.PeerChain) == 0 {
			t.Errorf("%d: %d answers, chain of %d", i, f.LateRequests, len(f.PeerChain))
		}
		if err := c.KeyUpdate(i == 1); err != nil {
			t.Fatal(err)
		}
	}
	mustWrite(t, c, "!")
	mustRead(t, d, "aheadaheadahead!")
	mustWrite(t, d, "bye")
	d.CloseWrite()
	if r := <-got; r != "bye" {
		t.Errorf("the client read %q", r)
	}
	if f := c.Facts(); f.LateRequests != 3 || f.OwnIdentity == nil {
		t.Errorf("the client answered %d times", f.LateRequests)
	}
}

// TestDataFlowsWhileACertificateIsAskedFor has all four directions busy, and keys changed, while requests come and go. The
// clock is one that nobody's slowness moves: a request does not wait for ever for who reads what came before its answer.
func TestDataFlowsWhileACertificateIsAskedFor(t *testing.T) { synctest.Test(t, dataFlows) }

func dataFlows(t *testing.T) {
	s := newSite(t)
	client, server := s.late()
	a, b := net.Pipe()
	defer a.Close()
	c, d := connected(t, client, server, a, b)
	const n = 200
	chunk := strings.Repeat("0123456789", 1000)
	var all sync.WaitGroup
	for _, from := range []*tlsnet.Conn{c, d} {
		all.Go(func() {
			for i := range n {
				if i%20 == 0 {
					from.KeyUpdate(i%40 == 0)
				}
				if _, err := io.WriteString(from, chunk); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Go(func() {
		if got, err := io.CopyN(io.Discard, d, n*int64(len(chunk))); err != nil {
			t.Errorf("after %d bytes: %v", got, err)
		}
	})
	got := reading(c)
	for i := range 10 {
		p, err := d.RequestClientCertificate(t.Context())
		if err != nil || p.CommonName() != "alice" {
			t.Fatalf("%d: %+v, %v", i, p, err)
		}
	}
	all.Wait()
	d.CloseWrite()
	if b := <-got; len(b) != n*len(chunk) {
		t.Errorf("the client read %d bytes", len(b))
	}
}

func TestClientMayHaveNoCertificateToShowLater(t *testing.T) {
	s := newSite(t)
	client, server := s.late()
	client.Identities = nil
	a, b := tcpPair(t)
	c, d := connected(t, client, server, a, b)
	reading(c)
	if p, err := d.RequestClientCertificate(t.Context()); p != nil || err != nil {
		t.Fatalf("%+v, %v", p, err)
	}
	if d.Facts().LateRequests != 1 || d.Peer().Leaf != nil {
		t.Errorf("%+v", d.Facts())
	}
}

func TestLateRequestFailsWithAReason(t *testing.T) {
	s := newSite(t)
	for name, c := range map[string]struct {
		change func(client, server *tlsnet.Config)
		check  func(error) bool
	}{
		"not offered": {func(c, _ *tlsnet.Config) { c.Core.PostHandshakeAuth = false }, func(err error) bool { return errors.Is(err, tlscore.ErrNoLateRequest) }},
		"HTTP/2": {func(c, s *tlsnet.Config) { c.Core.ALPN, s.Core.ALPN = []string{"h2"}, []string{"h2"} },
			func(err error) bool { return errors.Is(err, tlscore.ErrLateOverHTTP2) }},
		"not trusted": {func(_, c *tlsnet.Config) { c.ClientRoots = newSite(t).ca.Roots() }, func(err error) bool { return codeOf(err) == tlscore.CodeCertificateRejected }},
		"not admitted": {func(_, c *tlsnet.Config) {
			c.VerifyPeer = func(context.Context, tlsnet.Peer, tlscore.Facts) error { return errors.New("not you") }
		}, func(err error) bool { return codeOf(err) == tlscore.CodeCertificateRejected }},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := s.late()
			c.change(client, server)
			a, b := tcpPair(t)
			c1, d := connected(t, client, server, a, b)
			got := reading(c1)
			if p, err := d.RequestClientCertificate(t.Context()); p != nil || !c.check(err) {
				t.Errorf("%+v, %v", p, err)
			}
			if d.Peer().Verified() {
				t.Error("the client is believed all the same")
			}
			d.Close()
			<-got
		})
	}
}

// TestLateRequestEndsWithItsContext: a client that never answers keeps nobody waiting, and the bound on open requests
// holds.
func TestLateRequestEndsWithItsContext(t *testing.T) {
	s := newSite(t)
	client, server := s.late()
	a, b := tcpPair(t)
	c, d := connected(t, client, server, a, b) // and c does not read
	for range tlscore.MaxOpenRequests {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("enough")
		time.AfterFunc(time.Millisecond, func() { cancel(why) })
		if _, err := d.RequestClientCertificate(ctx); !errors.Is(err, why) {
			t.Fatal(err)
		}
	}
	if _, err := d.RequestClientCertificate(t.Context()); !errors.Is(err, tlscore.ErrTooManyRequests) {
		t.Error(err)
	}
	got := reading(c) // which answers all of them
	mustWrite(t, c, "x")
	mustRead(t, d, "x")
	for d.Facts().LateRequests < tlscore.MaxOpenRequests {
		mustWrite(t, c, "x")
		mustRead(t, d, "x")
	}
	if p, err := d.RequestClientCertificate(t.Context()); err != nil || p.CommonName() != "alice" {
		t.Errorf("%+v, %v", p, err)
	}
	d.Close()
	<-got
}

func TestUnreadDataDoesNotPileUpBeforeALateAnswer(t *testing.T) {
	s := newSite(t)
	client, server := s.late()
	a, b := tcpPair(t)
	c, d := connected(t, client, server, a, b)
	go c.Write(make([]byte, 8<<20)) // and does not read
	if _, err := d.RequestClientCertificate(t.Context()); !errors.Is(err, tlsnet.ErrDataFirst) {
		t.Fatal(err)
	}
	reading(c)
	if n, err := io.CopyN(io.Discard, d, 8<<20); err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if p, err := d.RequestClientCertificate(t.Context()); err != nil || p.CommonName() != "alice" {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestClosingBreaksOffALateRequest at either end, and what the client's caller takes so long for.
func TestClosingBreaksOffALateRequest(t *testing.T) {
	s := newSite(t)
	for _, who := range []string{"server", "client"} {
		t.Run(who, func(t *testing.T) {
			client, server := s.late()
			asked, left := make(chan struct{}), make(chan struct{})
			client.ChooseIdentity = func(ctx context.Context, q *tlscore.Question, _ []*tlscore.Identity) (*tlscore.Identity, error) {
				close(asked)
				<-ctx.Done()
				close(left)
				return nil, ctx.Err()
			}
			a, b := tcpPair(t)
			c, d := connected(t, client, server, a, b)
			got := reading(c)
			failed := make(chan error, 1)
			go func() {
				_, err := d.RequestClientCertificate(context.Background())
				failed <- err
			}()
			<-asked
			if who == "server" {
				d.Close()
			} else {
				c.Close()
				<-left
			}
			if err := <-failed; err == nil {
				t.Error("the request was answered")
			}
			c.Close()
			<-left
			<-got
		})
	}
}

// TestHandlerAsksOnOnePathOnly is what an HTTP server does, with a body that nobody has read, and without.
func TestHandlerAsksOnOnePathOnly(t *testing.T) {
	s := newSite(t)
	client, server := s.late()
	server.Core.ALPN = []string{tlsnet.ProtocolHTTP1}
	l := listen(t, server)
	h := &tlsnet.HTTPServer{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/private" {
			c, _ := tlsnet.ConnFromContext(r.Context())
			p, err := c.RequestClientCertificate(r.Context())
			if err != nil {
				http.Error(w, err.Error(), http.StatusForbidden)
				return
			}
			fmt.Fprint(w, p.CommonName(), " ")
		}
		io.Copy(w, r.Body)
	})}
	go h.Serve(l)
	defer h.Close()
	web := &http.Client{Transport: &tlsnet.Transport{Config: client}}
	defer web.CloseIdleConnections()
	for _, r := range [][3]string{{"/", "", ""}, {"/private", "", "alice "}, {"/private", "body", "alice body"}, {"/", "body", "body"}} {
		resp, err := web.Post("https://"+l.Addr().String()+r[0], "text/plain", strings.NewReader(r[1]))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || string(b) != r[2] {
			t.Errorf("%s: %d %q, %v", r[0], resp.StatusCode, b, err)
		}
	}
}

func TestServerThatAsksLaterNeedsRoots(t *testing.T) {
	s := newSite(t)
	_, server := s.late()
	server.ClientRoots = nil
	a, _ := tcpPair(t)
	if _, err := tlsnet.Server(a, server); err == nil {
		t.Error("nothing says whom to trust")
	}
}
