package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// peer is a TLS implementation that is not ours.
type peer struct {
	name    string
	version func() (string, error) // an error: it is not here
	groups  func() []wire.Group    // those it shares with us
	kinds   []keyKind              // certificates it can present and verify
	suites  []wire.CipherSuite     // those it shares with us, of TLS 1.3 and 1.2
	serve   func(ctx context.Context, p *pki, a asks) (peerServer, error)
	dial    func(ctx context.Context, p *pki, addr string, a asks) told // nil: it is no client
	http    bool                                                        // its client speaks HTTP, so our end serves HTTP
	alpn    string                                                      // what its client then negotiates
	// httpServe runs its HTTP server, which stores what is PUT and hands it out again; nil: it has none.
	httpServe func(ctx context.Context, p *pki, a asks) (peerServer, error)
	// httpDial posts the payload to our HTTP server and expects ours; nil: it has no HTTP client.
	httpDial func(ctx context.Context, p *pki, addr string, a asks) told
	// alertText is what it prints when it receives an alert, in lower case.
	alertText       map[wire.AlertCode]string
	slow            bool                              // its client writes byte by byte, so that most cases move less
	ownAlert        map[wire.AlertCode]wire.AlertCode // its alert in TLS 1.2, where others send that one
	steerless       bool                              // its client cannot be told which suite to offer
	ownOrder        bool                              // its client has an order of groups of its own
	needsRetryGroup bool                              // its client gives up on a HelloRetryRequest without key_share, which RFC 8446, Section 4.1.4, allows
	namesLate       bool                              // its client checks the name when the handshake is done, and says nothing to the server
	refusesInHTTP   bool                              // its server refuses clients by HTTP status, not by alert
	// returns lets its client make two connections, and resume the session of the first; nil: it cannot.
	returns     func(ctx context.Context, p *pki, addr string, a asks) told
	silentFirst bool // it then says nothing in the first one
	// takesEarly is exchange for a server that takes early data, on a connection that brought some or did not; nil: it
	// takes none.
	takesEarly func(ctx context.Context, s peerServer, c *tlsnet.Conn, early bool) error
	earlyData  string // that its server makes something of
	singleUse  bool   // its server takes early data with a ticket once
	// sendsEarly lets its client make one connection, and then so many with early data from a file; nil: it sends none.
	sendsEarly     func(ctx context.Context, p *pki, addr string, a asks, file string, times int) told
	withoutTickets []string // further arguments with which it uses session ids in TLS 1.2, and no tickets
	onlyIDs        bool     // its client does so by itself
	noRetryEarly   bool     // it cannot cope with early data and HelloRetryRequest together
	replays        bool     // its client can be made to use a ticket again
	// How its client shows what our server stapled; nil: it does not.
	readsOCSP, readsSCT func(ctx context.Context, p *pki, addr string, a asks) told
	mindsDemand         bool // its client wants a staple where the certificate demands one
	sendsSCT            bool // its server can send SCTs
	// How to make it do, in TLS 1.2, what it does not do by itself; nil: it cannot.
	withoutEMS  func(asks) asks                                             // no extended master secret
	fallsBack   func(asks) asks                                             // a client that sends TLS_FALLBACK_SCSV
	renegotiate func(s peerServer, c net.Conn) error                        // a chatty server that asks for renegotiation
	redials     func(ctx context.Context, p *pki, addr string, a asks) told // a client that renegotiates at once

	noALPN       bool // its client has none
	resends      bool // its client sends early data again that was rejected
	ownStaples   bool // its server makes OCSP responses of its own, and only for certificates with RSA keys
	lateForEarly bool // its server takes early data only when it has been up for a while
	// How its server chooses the group in TLS 1.2: by its own order, which has to be told for each case, and
	// perhaps another one than the case has. Nil: by the client's order.
	ownGroup func(tm terms) wire.Group

	speaks wire.Version // what it is limited to: see at
	note   string       // for the page: how the bytes travel
}

// peerServer is a peer's server that is up. It takes one connection after the other.
type peerServer interface {
	addr() string
	// exchange moves at least 1 MB each way over our connection and compares digests.
	exchange(c net.Conn) error
	// mentions waits until the peer has said text, in lower case.
	mentions(ctx context.Context, text string) error
	// log is what the program printed; empty where it runs in this process.
	log() string
	stop()
}

// told is how a peer's client fared.
type told struct {
	err error  // it failed, or what it received is not what we sent
	log string // what it printed
}

var (
	allSuites = []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256,
		wire.TLS_AES_128_CCM_SHA256, wire.TLS_AES_128_CCM_8_SHA256}
	allSuites12 = suite.All12()
	ccmSuites   = []wire.CipherSuite{wire.TLS_AES_128_CCM_SHA256, wire.TLS_AES_128_CCM_8_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8}
	allGroups = []wire.Group{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1,
		wire.GroupX25519MLKEM768, wire.GroupSecp256r1MLKEM768, wire.GroupSecp384r1MLKEM1024}
	ecGroups = allGroups[:4]
)

func allPeers() []peer {
	return []peer{opensslPeer(), gnutlsPeer(), nssPeer(), goPeer(), curlPeer(), nginxPeer()}
}

// at is the peer limited to one version, where a case does not ask for others.
func (pr peer) at(v wire.Version) peer {
	limit := func(a asks) asks {
		if a.versions == nil {
			a.versions = one(v)
		}
		return a
	}
	serveAt := func(serve func(context.Context, *pki, asks) (peerServer, error)) func(context.Context, *pki, asks) (peerServer, error) {
		if serve == nil {
			return nil
		}
		return func(ctx context.Context, p *pki, a asks) (peerServer, error) { return serve(ctx, p, limit(a)) }
	}
	dialAt := func(dial func(context.Context, *pki, string, asks) told) func(context.Context, *pki, string, asks) told {
		if dial == nil {
			return nil
		}
		return func(ctx context.Context, p *pki, addr string, a asks) told { return dial(ctx, p, addr, limit(a)) }
	}
	pr.speaks = v
	pr.serve, pr.httpServe = serveAt(pr.serve), serveAt(pr.httpServe)
	pr.dial, pr.httpDial = dialAt(pr.dial), dialAt(pr.httpDial)
	return pr
}

// need skips the test where the peer is missing.
func (pr peer) need(t testing.TB) {
	t.Helper()
	if _, err := pr.version(); err != nil {
		missing(t, fmt.Sprintf("%s is not here: %v", pr.name, err))
	}
}

// terms is what one case of the table negotiates.
type terms struct {
	suite wire.CipherSuite
	group wire.Group
	kind  keyKind
}

func (t terms) String() string { return fmt.Sprintf("%v/%v/%s", t.suite, t.group, t.kind) }

// isRSASuite says which certificate a suite of TLS 1.2 goes with.
func isRSASuite(id wire.CipherSuite) bool { return strings.Contains(id.String(), "ECDHE_RSA") }

// echoer is a server that cannot move bytes both ways in one connection: in one more it sends back what it gets.
type echoer interface{ echo(c net.Conn) error }

// weConnect runs one case with our client. The peer's server offers all it has; our client asks for one thing only.
func weConnect(ctx context.Context, p *pki, pr peer, s peerServer, a asks, want verdict) error {
	err := weConnectFor(ctx, p, pr, s, a, want, s.exchange)
	if e, ok := s.(echoer); ok && err == nil {
		return weConnectFor(ctx, p, pr, s, a, want, e.echo)
	}
	return err
}

func weConnectFor(ctx context.Context, p *pki, pr peer, s peerServer, a asks, want verdict, exchange func(net.Conn) error) error {
	c, err := a.dial(ctx, p, s.addr())
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if want.version == 0 {
		want.version = pr.speaks
	}
	if err := want.check(c.Facts()); err != nil {
		return err
	}
	var nc net.Conn = c
	if a.updateKeys {
		nc = &updating{Conn: c, keys: c}
	}
	if err := exchange(nc); err != nil {
		return err
	}
	if a.updateKeys {
		// The peer's own KeyUpdate may come after its last data.
		c.CloseWrite()
		io.Copy(io.Discard, c)
	}
	return want.check(c.Facts())
}

// weServe runs one case with our server. Our server offers all it has; the peer's client is steered by theirs.
func weServe(ctx context.Context, p *pki, pr peer, ours, theirs asks, want verdict) error {
	if want.version == 0 {
		want.version = pr.speaks
	}
	theirs.short = theirs.short || pr.slow && !theirs.patient && want.version != wire.VersionTLS13
	ours.short = theirs.short
	addr, result, err := ours.serveOne(ctx, p, pr.http)
	if err != nil {
		return err
	}
	got := pr.dial(ctx, p, addr, theirs)
	if got.err != nil {
		// Our side may wait for a client that never came.
		select {
		case s := <-result:
			return fmt.Errorf("%s: %w; we: %v\n%s", pr.name, got.err, s.err, got.log)
		case <-ctx.Done():
			return fmt.Errorf("%s: %w\n%s", pr.name, got.err, got.log)
		}
	}
	s := <-result
	if s.err != nil {
		return fmt.Errorf("our server: %w\n%s", s.err, got.log)
	}
	return want.check(s.facts)
}

// stream is a peer whose process passes bytes through: what is written to in reaches us, what we send is read from out.
type stream struct {
	in  io.Writer
	out io.Reader
}

func (s stream) Read(b []byte) (int, error)  { return s.out.Read(b) }
func (s stream) Write(b []byte) (int, error) { return s.in.Write(b) }

// pumper is pump or patiently.
type pumper func(c io.ReadWriter, out, want payload, direction string) error

// bothEnds pumps the payloads over our connection and through the peer's process at the same time.
func bothEnds(c net.Conn, s stream, a asks) error {
	far := make(chan error, 1)
	go func() { far <- a.pumper()(s, a.down(), a.up(), "us to server") }()
	near := pump(c, a.up(), a.down(), "server to us")
	if near != nil {
		c.Close()
		return near
	}
	return <-far
}

// alertTextOpenSSL is how OpenSSL, and what is built on it, names the alerts.
func alertTextOpenSSL() map[wire.AlertCode]string {
	return map[wire.AlertCode]string{
		wire.AlertBadCertificate:               "alert bad certificate",
		wire.AlertUnknownCA:                    "alert unknown ca",
		wire.AlertCertificateRequired:          "alert certificate required",
		wire.AlertCertificateUnknown:           "alert certificate unknown",
		wire.AlertNoApplicationProtocol:        "alert no application protocol",
		wire.AlertHandshakeFailure:             "alert handshake failure",
		wire.AlertProtocolVersion:              "alert protocol version",
		wire.AlertInappropriateFallback:        "alert inappropriate fallback",
		wire.AlertNoRenegotiation:              "no renegotiation",
		wire.AlertCertificateRevoked:           "alert certificate revoked",
		wire.AlertBadCertificateStatusResponse: "bad certificate status response",
	}
}

// glance runs a client program that says nothing and ends when the handshake is done. It must print all of want.
func glance(ctx context.Context, name string, args []string, want ...string) told {
	prog, err := start(ctx, false, name, args...)
	if err != nil {
		return told{err: err}
	}
	defer prog.stop()
	prog.stdin.Close()
	<-prog.done
	got := told{err: prog.err, log: prog.log.String()}
	for _, text := range want {
		if got.err == nil && !strings.Contains(strings.ToLower(got.log), text) {
			got.err = fmt.Errorf("it does not print %q", text)
		}
	}
	return got
}

// receivedAlert returns the alert that the peer sent us, if err comes of one.
func receivedAlert(err error) (wire.AlertCode, bool) {
	var e *tlscore.Error
	if errors.As(err, &e) && e.Received() {
		return e.Alert()
	}
	return 0, false
}

func without[T comparable](list []T, drop ...T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(v T) bool { return slices.Contains(drop, v) })
}
