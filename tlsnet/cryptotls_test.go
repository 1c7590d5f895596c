package tlsnet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// exchange sends n bytes from a to b and back, and checks the digest of both ways.
func exchange(t *testing.T, a, b io.ReadWriter, n int) {
	t.Helper()
	data := bytes.Repeat([]byte("0123456789abcdef"), n/16)
	for _, e := range [][2]io.ReadWriter{{a, b}, {b, a}} {
		done := make(chan error, 1)
		go func() { _, err := e[0].Write(data); done <- err }()
		got := make([]byte, len(data))
		if _, err := io.ReadFull(e[1], got); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read: %v", err)
		}
		if err := <-done; err != nil {
			t.Fatalf("write: %v", err)
		}
	}
}

func TestOurClientTalksToCryptoTLS(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	cc, sc := s.clientConfig(), s.stdServer()
	sc.ClientAuth = tls.RequireAndVerifyClientCert
	sc.NextProtos = []string{"b"}
	cc.Core.ALPN = []string{"a", "b"}
	cc.Identities = []tlsnet.Identity{identity(s.client)}
	c, err := tlsnet.Client(a, cc)
	if err != nil {
		t.Fatal(err)
	}
	sv := tls.Server(b, sc)
	go sv.Handshake()
	exchange(t, c, sv, 1<<20)
	if f := c.Facts(); f.ALPN != "b" || f.Group != wire.GroupX25519MLKEM768 || !c.Peer().Verified() {
		t.Errorf("facts: %+v", f)
	}
	if cn := sv.ConnectionState().PeerCertificates[0].Subject.CommonName; cn != "alice" {
		t.Errorf("the server knows us as %q", cn)
	}
	sv.CloseWrite()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after close_notify: %v", err)
	}
	c.CloseWrite()
	if _, err := sv.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("crypto/tls after our close_notify: %v", err)
	}
}

func TestCryptoTLSTalksToOurServer(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	cc, sc := s.stdClient(), s.mutual()
	cc.Certificates = []tls.Certificate{stdCertificate(s.client)}
	cc.NextProtos, sc.Core.ALPN = []string{"a", "b"}, []string{"b"}
	sv, err := tlsnet.Server(b, sc)
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(a, cc)
	go sv.Handshake()
	exchange(t, c, sv, 1<<20)
	if cs := c.ConnectionState(); cs.NegotiatedProtocol != "b" || cs.Version != tls.VersionTLS13 {
		t.Errorf("state: %+v", cs)
	}
	if cn := sv.Peer().CommonName(); cn != "alice" {
		t.Errorf("we know the client as %q", cn)
	}
	sv.Close()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("crypto/tls after our close_notify: %v", err)
	}
}

// TestEachRefusalOfAServerSendsItsAlert lets crypto/tls servers show certificates that our client must refuse.
func TestEachRefusalOfAServerSendsItsAlert(t *testing.T) {
	s := newSite(t)
	for name, c := range map[string]struct {
		leaf  *pkitest.Leaf
		alert string
	}{
		"unknown CA":    {s.ca.WrongCA(pkitest.P256), "unknown certificate authority"},
		"self-signed":   {s.ca.SelfSigned(pkitest.P256), "unknown certificate authority"},
		"expired":       {s.ca.Expired(pkitest.P256), "expired certificate"},
		"not yet valid": {s.ca.NotYetValid(pkitest.P256), "expired certificate"},
		"wrong name":    {s.ca.WrongName(pkitest.P256), "unknown certificate"},
		"wrong usage":   {s.ca.WrongUsage(pkitest.P256), "bad certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := tcpPair(t)
			sc := s.stdServer()
			sc.Certificates = []tls.Certificate{stdCertificate(c.leaf)}
			client, err := tlsnet.Client(a, s.clientConfig())
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				err := client.Handshake()
				client.Close()
				done <- err
			}()
			err = tls.Server(b, sc).Handshake()
			b.Close()
			if err == nil || err.Error() != "remote error: tls: "+c.alert {
				t.Errorf("the server saw %v", err)
			}
			if err := <-done; codeOf(err) != tlscore.CodeCertificateRejected {
				t.Errorf("the client saw %v", err)
			}
			p := client.Peer()
			if p.Verified() || p.Problem == nil || p.Leaf == nil {
				t.Errorf("peer: %+v", p)
			}
		})
	}
}

func TestInsecureClientStillLearnsTheProblem(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	sc := s.serverConfig()
	sc.Identities = []tlsnet.Identity{identity(s.ca.Expired(pkitest.P256))}
	c, _ := connected(t, &tlsnet.Config{Insecure: true}, sc, a, b)
	if p := c.Peer(); p.Verified() || p.Problem == nil || p.Leaf == nil || p.CommonName() != "" {
		t.Errorf("peer: %+v", p)
	}
}

func TestKeyLogNamesBothEndsSecretsAlike(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	var ours, theirs bytes.Buffer
	cc, sc := s.clientConfig(), s.stdServer()
	cc.KeyLog, sc.KeyLogWriter = &ours, &theirs
	c, err := tlsnet.Client(a, cc)
	if err != nil {
		t.Fatal(err)
	}
	sv := tls.Server(b, sc)
	go sv.Handshake()
	exchange(t, c, sv, 16)
	lines := bytes.Split(bytes.TrimSpace(theirs.Bytes()), []byte("\n"))
	if len(lines) < 4 {
		t.Fatalf("crypto/tls wrote %q", theirs.String())
	}
	for _, line := range lines {
		if !bytes.Contains(ours.Bytes(), append(line, '\n')) {
			t.Errorf("our key log lacks %q; it is\n%s", line, ours.String())
		}
	}
}

func TestConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	s := newSite(t)
	a, _ := tcpPair(t)
	other := s.ca.Server(pkitest.P256)
	for name, err := range map[string]error{
		"server without certificate": second(tlsnet.Server(a, &tlsnet.Config{})),
		"client without name":        second(tlsnet.Client(a, &tlsnet.Config{Roots: s.ca.Roots()})),
		"client CA missing": second(tlsnet.Server(a, &tlsnet.Config{
			Identities: []tlsnet.Identity{identity(s.server)}, Core: tlscore.Config{ClientAuth: tlscore.RequireClientCert},
		})),
		"key of another certificate": second(tlsnet.Server(a, &tlsnet.Config{
			Identities: []tlsnet.Identity{{Chain: s.server.Chain, Key: other.Key}},
		})),
		"no key": second(tlsnet.Server(a, &tlsnet.Config{Identities: []tlsnet.Identity{{Chain: s.server.Chain}}})),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func second(_ *tlsnet.Conn, err error) error { return err }

func TestVerifyPeerRefusesWithAccessDenied(t *testing.T) {
	s := newSite(t)
	denied := errors.New("not on the list")
	for _, c := range []struct {
		err  error
		want wire.AlertCode
	}{
		{denied, wire.AlertAccessDenied},
		{&tlsnet.RefusalError{Alert: wire.AlertCertificateRevoked, Err: denied}, wire.AlertCertificateRevoked},
	} {
		a, b := tcpPair(t)
		cc, sc := s.clientConfig(), s.mutual()
		cc.Identities = []tlsnet.Identity{identity(s.client)}
		sc.VerifyPeer = refuse(c.err)
		client, sv := ends(t, cc, sc, a, b)
		done := make(chan error, 1)
		go func() { done <- sv.Handshake() }()
		_, err := client.Read(make([]byte, 1))
		var te *tlscore.Error
		if !errors.As(err, &te) || !te.Received() {
			t.Fatalf("the client saw %v", err)
		}
		if got, _ := te.Alert(); got != c.want {
			t.Errorf("alert %v, want %v", got, c.want)
		}
		if err := <-done; !errors.Is(err, denied) {
			t.Errorf("the server says %v", err)
		}
	}
}

func refuse(err error) func(context.Context, tlsnet.Peer, tlscore.Facts) error {
	return func(context.Context, tlsnet.Peer, tlscore.Facts) error { return err }
}
