package tlscore_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func at12(c tlscore.Config) tlscore.Config {
	c.MaxVersion = wire.VersionTLS12
	return c
}

// keyFor returns a key that a TLS 1.2 suite's authentication takes.
func keyFor(t *testing.T, s *suite.Suite) crypto.Signer {
	t.Helper()
	if s.Auth != suite.AuthRSA {
		return p256(t)
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestEvery12SuiteAndGroupCompletes(t *testing.T) {
	for _, id := range suite.All12() {
		s := suite.ByID12(id)
		server := at12(tlscore.Config{CipherSuites: []wire.CipherSuite{id}, Identities: []tlscore.Identity{selfSigned(t, keyFor(t, s), "a.example")}})
		for _, g := range []wire.Group{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1} {
			t.Run(id.String()+"/"+g.String(), func(t *testing.T) {
				server.Groups = []wire.Group{g}
				l := link(t, tlscore.Config{CipherSuites: []wire.CipherSuite{id}}, server)
				if err := l.Handshake(); err != nil {
					t.Fatal(err)
				}
				for _, e := range []*tlstest.End{l.Client, l.Server} {
					f := e.Machine.Facts()
					if f.Version != wire.VersionTLS12 || f.CipherSuite != id || f.Group != g || !f.ExtendedMasterSecret || !f.SecureRenegotiation || !e.Done {
						t.Errorf("%v: %+v", f.Role, f)
					}
				}
				exchange(t, l)
			})
		}
	}
}

func Test12ServesEveryKey(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"P-384": p384, "Ed25519": ed(t)} {
		t.Run(name, func(t *testing.T) {
			l := link(t, tlscore.Config{}, at12(tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, key, "a.example")}}))
			if err := l.Handshake(); err != nil {
				t.Fatal(err)
			}
			exchange(t, l)
		})
	}
}

func Test12ClientCertificates(t *testing.T) {
	own := []tlscore.Identity{selfSigned(t, ed(t))}
	for _, c := range []struct {
		name   string
		policy tlscore.ClientAuth
		own    []tlscore.Identity
		want   tlscore.Code
	}{
		{"required and present", tlscore.RequireClientCert, own, 0},
		{"required and absent", tlscore.RequireClientCert, nil, tlscore.CodeCertificateRequired},
		{"optional and present", tlscore.RequestClientCert, own, 0},
		{"optional and absent", tlscore.RequestClientCert, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := at12(serverConfig(t))
			s.ClientAuth = c.policy
			l := link(t, tlscore.Config{Identities: c.own}, s)
			err := l.Handshake()
			if c.want != 0 {
				if !codeIs(err, c.want) || !codeIs(l.Client.Err, tlscore.CodePeerAlert) {
					t.Fatalf("%v, %v", err, l.Client.Err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := len(l.Server.Machine.Facts().PeerChain) > 0; got != (c.own != nil) {
				t.Errorf("the server saw a certificate: %v", got)
			}
			exchange(t, l)
		})
	}
}

func Test12SessionsAreResumed(t *testing.T) {
	s := newShop(t)
	s.server = at12(s.server)
	s.server.ALPN, s.client.ALPN = []string{"x"}, []string{"x"}
	issued := 0
	visit := func(session *tlscore.Session) *tlstest.Link {
		l := s.visit(session, false, time.Minute)
		l.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
			if q.Kind != tlscore.NeedTicket {
				return s.answer(q)
			}
			issued++
			s.known["the ticket"] = q.Resumed
			return tlscore.Issued{Ticket: []byte("the ticket"), Lifetime: time.Hour}
		}
		return l
	}
	l := visit(nil)
	resumed(t, l, false)
	if len(l.Client.Sessions) != 1 || issued != 1 {
		t.Fatalf("%d sessions, %d issued", len(l.Client.Sessions), issued)
	}
	session := l.Client.Sessions[0]
	b, err := session.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if session, err = tlscore.ParseSession(b); err != nil {
		t.Fatal(err)
	}
	l = visit(session)
	resumed(t, l, true)
	if f := l.Client.Machine.Facts(); f.ALPN != "x" || len(f.PeerChain) == 0 {
		t.Errorf("%+v", f)
	}
	without := s.known["the ticket"] // the server's view of it: no client certificate
	s.known = map[string]*tlscore.Session{}
	resumed(t, visit(session), false)
	s.server.ClientAuth = tlscore.RequireClientCert
	s.client.Identities = []tlscore.Identity{selfSigned(t, ed(t))}
	s.known["the ticket"] = without
	resumed(t, visit(session), false) // without the certificate that is required now
}

func TestDowngradeIsNoticed(t *testing.T) {
	// Somebody in the middle removes TLS 1.3 from the client's offer.
	l := link(t, tlscore.Config{}, serverConfig(t))
	l.Mutate = func(from *tlstest.End, rec []byte) []byte {
		if from == l.Client && len(from.Sent) == len(rec) {
			return bytes.Replace(rec, []byte{0, byte(wire.ExtSupportedVersions), 0, 5, 4, 3, 4, 3, 3}, []byte{0, byte(wire.ExtSupportedVersions), 0, 5, 4, 3, 3, 3, 3}, 1)
		}
		return rec
	}
	if err := l.Handshake(); !codeIs(err, tlscore.CodeDowngraded) {
		t.Errorf("ended with %v", err)
	}
}

func Test12RenegotiationIsRefused(t *testing.T) {
	for _, client := range []bool{true, false} {
		l := link(t, tlscore.Config{}, at12(serverConfig(t)))
		if err := l.Handshake(); err != nil {
			t.Fatal(err)
		}
		// The machine has no way to ask for it, so its own records are borrowed: application data under another type is
		// refused by the MAC, which is what protects a connection here.
		from := l.Client
		if client {
			from = l.Server
		}
		l.Mutate = func(_ *tlstest.End, rec []byte) []byte { rec[0] = byte(wire.ContentHandshake); return rec }
		if err := l.Send(from, []byte{0, 0, 0, 0}); !codeIs(err, tlscore.CodeBadRecordMAC) {
			t.Errorf("ended with %v", err)
		}
	}
}

func Test12CloseNotifyClosesBothWays(t *testing.T) {
	l := link(t, tlscore.Config{}, at12(serverConfig(t)))
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	out, err := l.Client.Machine.CloseWrite(nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Client, out)
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	if !l.Server.Closed || !l.Client.Closed {
		t.Errorf("closed: server %v, client %v", l.Server.Closed, l.Client.Closed)
	}
	if _, _, err := l.Server.Machine.Seal([]byte("x"), nil); !errors.Is(err, tlscore.ErrWriteClosed) {
		t.Errorf("the server may still write: %v", err)
	}
}

func Test12RecordsDoNotAllocate(t *testing.T) {
	l := link(t, tlscore.Config{}, at12(serverConfig(t)))
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, wire.MaxPlaintext)
	out := make([]byte, 0, 20<<10)
	allocs := testing.AllocsPerRun(200, func() {
		_, sealed, err := l.Client.Machine.Seal(data, out)
		if err != nil {
			t.Fatal(err)
		}
		if step, err := l.Server.Machine.Feed(tlstest.Now, sealed, nil); err != nil || len(step.Event.Data) != len(data) {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a record", allocs)
	}
}

// Test12EveryFlippedBitIsNoticed flips one bit in each byte of each record of a TLS 1.2 handshake.
func Test12EveryFlippedBitIsNoticed(t *testing.T) {
	c, s := smallConfigs(t)
	s.MaxVersion = wire.VersionTLS12
	client, server := recordsOf(t, c, s)
	pc, ps := compile(t, c), compile(t, s)
	for side, sizes := range [][]int{client, server} {
		for index, size := range sizes {
			for at := range size {
				l := tlstest.New(pc, ps, tlscore.Options{ServerName: "a.example"}, tlscore.Options{})
				seen := [2]int{}
				ignorable := false
				l.Mutate = func(from *tlstest.End, rec []byte) []byte {
					who := 0
					if from == l.Server {
						who = 1
					}
					if who == side && seen[who] == index && at < len(rec) {
						// legacy_record_version of a record in the clear is authenticated by nothing.
						ignorable = at == 2
						rec[at] ^= 1 << (at % 8)
					}
					seen[who]++
					return rec
				}
				if err := l.Handshake(); err == nil && !ignorable {
					t.Fatalf("side %d, record %d: the flip in byte %d of %d went unnoticed", side, index, at, size)
				}
			}
		}
	}
}
