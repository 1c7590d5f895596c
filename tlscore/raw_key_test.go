package tlscore_test

import (
	"bytes"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

var bothTypes = []wire.CertificateType{wire.CertificateTypeRawPublicKey, wire.CertificateTypeX509}

// rawKey is an identity without a certificate.
func rawKey(t testing.TB) tlscore.Identity {
	t.Helper()
	key := p256(t)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return tlscore.Identity{Chain: [][]byte{der}, Type: wire.CertificateTypeRawPublicKey, Tag: key}
}

// TestRawPublicKeysStandForCertificates tries each direction, in both versions, with the resumption of what came of it.
func TestRawPublicKeysStandForCertificates(t *testing.T) {
	raw, client := rawKey(t), rawKey(t)
	cert, own := selfSigned(t, p256(t), "a.example"), selfSigned(t, ed(t), "client")
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		for name, c := range map[string]struct {
			takes, gets              []wire.CertificateType // of the client, and of the server
			server, client           []tlscore.Identity
			serverShows, clientShows *tlscore.Identity
		}{
			"the server":          {takes: bothTypes, server: []tlscore.Identity{raw}, serverShows: &raw},
			"the server's order":  {takes: bothTypes, server: []tlscore.Identity{cert, raw}, serverShows: &cert},
			"not the client's":    {server: []tlscore.Identity{raw, cert}, serverShows: &cert},
			"both":                {takes: bothTypes[:1], gets: bothTypes, server: []tlscore.Identity{raw}, client: []tlscore.Identity{own, client}, serverShows: &raw, clientShows: &client},
			"the client":          {gets: bothTypes, server: []tlscore.Identity{cert}, client: []tlscore.Identity{client}, serverShows: &cert, clientShows: &client},
			"the client need not": {gets: bothTypes, server: []tlscore.Identity{cert}, client: []tlscore.Identity{own}, serverShows: &cert, clientShows: &own},
		} {
			t.Run(v.String()+"/"+name, func(t *testing.T) {
				s := newShop(t)
				s.client = tlscore.Config{PeerCertificateTypes: c.takes, Identities: c.client}
				s.server = tlscore.Config{PeerCertificateTypes: c.gets, Identities: c.server, AskSession: true, MaxVersion: v}
				if c.gets != nil {
					s.server.ClientAuth = tlscore.RequireClientCert
				}
				check := func(l *tlstest.Link, again bool) {
					t.Helper()
					if err := l.Handshake(); err != nil {
						t.Fatal(err)
					}
					shown(t, l.Client.Machine.Facts(), c.serverShows)
					shown(t, l.Server.Machine.Facts(), c.clientShows)
					if f := l.Client.Machine.Facts(); f.Resumed != again {
						t.Errorf("resumed %v", f.Resumed)
					}
					exchange(t, l)
				}
				l := s.visit(nil, false, 0)
				if v == wire.VersionTLS12 {
					l.Server.Answer = s.answer12
					check(l, false)
					l2 := s.visit(l.Client.Sessions[0], false, 0)
					l2.Server.Answer = s.answer12
					check(l2, true)
					return
				}
				check(l, false)
				check(s.visit(s.ticket(l), false, 0), true)
			})
		}
	}
}

// answer12 answers as answer does, for TLS 1.2.
func (s *shop) answer12(q *tlscore.Question) tlscore.Answer {
	if q.Kind == tlscore.NeedTicket {
		encoded, err := q.Resumed.AppendBinary(nil)
		if err != nil {
			s.t.Fatal(err)
		}
		s.known["a ticket"], _ = tlscore.ParseSession(encoded)
		return tlscore.Issued{Ticket: []byte("a ticket"), Lifetime: time.Hour}
	}
	return s.answer(q)
}

// shown checks what one end knows of the other; nil: nothing.
func shown(t *testing.T, f tlscore.Facts, want *tlscore.Identity) {
	t.Helper()
	if want == nil {
		want = &tlscore.Identity{}
	}
	if f.PeerType != want.Type || len(f.PeerChain) != len(want.Chain) || len(want.Chain) > 0 && !bytes.Equal(f.PeerChain[0], want.Chain[0]) {
		t.Errorf("the %v was shown %d of type %v, want %d of %v", f.Role, len(f.PeerChain), f.PeerType, len(want.Chain), want.Type)
	}
}

func TestTypesOfCertificatesAreHeldToTheRules(t *testing.T) {
	raw, cert := rawKey(t), selfSigned(t, p256(t), "a.example")
	onlyX509 := func(e wire.ExtensionView) func(kind wire.HandshakeType, b []byte) []byte {
		return inHello(func(h *wire.ClientHello) { h.Extensions.Add(e) })
	}
	for name, c := range map[string]struct {
		code           tlscore.Code
		client, server tlscore.Config
		edit           func(wire.HandshakeType, []byte) []byte
		identity       *tlscore.Identity // of a puppet that plays the server; nil: it plays the client
	}{
		"a client that takes raw keys, a server without":  {code: tlscore.CodeNoSharedCertificateType, client: tlscore.Config{PeerCertificateTypes: bothTypes[:1]}, server: tlscore.Config{Identities: []tlscore.Identity{cert}}},
		"a server that wants a raw key, a client without": {code: tlscore.CodeNoSharedCertificateType, server: tlscore.Config{Identities: []tlscore.Identity{cert}, ClientAuth: tlscore.RequireClientCert, PeerCertificateTypes: bothTypes[:1]}},
		"X.509 alone, of the server":                      {code: tlscore.CodeBadCertificateTypes, server: tlscore.Config{Identities: []tlscore.Identity{cert}}, edit: onlyX509(&wire.ServerCertificateTypes{Types: bothTypes[1:]})},
		"X.509 alone, of the client":                      {code: tlscore.CodeBadCertificateTypes, server: tlscore.Config{Identities: []tlscore.Identity{cert}}, edit: onlyX509(&wire.ClientCertificateTypes{Types: bothTypes[1:]})},
		"a type not offered": {
			code: tlscore.CodeNoSharedCertificateType, client: tlscore.Config{PeerCertificateTypes: bothTypes[:1]}, identity: &cert,
			edit: inEE(&wire.SelectedServerCertificateType{Type: wire.CertificateTypeX509}),
		},
		"no type, but one is needed": {code: tlscore.CodeNoSharedCertificateType, client: tlscore.Config{PeerCertificateTypes: bothTypes[:1]}, identity: &cert},
		"a type of ours that we do not have": {
			code: tlscore.CodeNoSharedCertificateType, client: tlscore.Config{OwnCertificateTypes: bothTypes[:1]}, identity: &cert,
			edit: inEE(&wire.SelectedClientCertificateType{Type: wire.CertificateTypeX509}),
		},
		"a certificate in the place of a key": {
			code: tlscore.CodeBadRawKey, client: tlscore.Config{PeerCertificateTypes: bothTypes}, identity: &cert,
			edit: inEE(&wire.SelectedServerCertificateType{Type: wire.CertificateTypeRawPublicKey}),
		},
		"a key in the place of a certificate": {code: tlscore.CodeBadCertificate, client: tlscore.Config{PeerCertificateTypes: bothTypes}, identity: &raw},
		"a type that nobody asked for": {
			code: tlscore.CodeUnsupportedExtension, identity: &cert,
			edit: inEE(&wire.SelectedServerCertificateType{Type: wire.CertificateTypeX509}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			switch p := (&tlstest.Puppet{Edit: c.edit}); {
			case c.identity != nil:
				p.Identity = tlscore.Identity{Chain: c.identity.Chain} // it has no need to sign
				err = p.Serve(tlscore.NewClient(compile(t, c.client), tlscore.Options{})).Err
			case c.edit != nil:
				err = p.Connect(tlscore.NewServer(compile(t, c.server), tlscore.Options{})).Err
			default:
				err = link(t, c.client, c.server).Handshake()
			}
			if !codeIs(err, c.code) {
				t.Errorf("ended with %v, want %v", err, c.code)
			}
		})
	}
}

// inEE adds an extension to EncryptedExtensions.
func inEE(e wire.ExtensionView) func(wire.HandshakeType, []byte) []byte {
	return func(kind wire.HandshakeType, raw []byte) []byte {
		if kind != wire.TypeEncryptedExtensions {
			return raw
		}
		var ee wire.EncryptedExtensions
		if err := ee.Parse(raw); err != nil {
			panic(err)
		}
		ee.Extensions.Add(e)
		return wire.AppendMessage(nil, &ee)
	}
}

func TestUnfitRawKeysDoNotCompile(t *testing.T) {
	for name, c := range map[string]tlscore.Config{
		"raw public key":    {Identities: []tlscore.Identity{{Chain: [][]byte{[]byte("no key")}, Type: wire.CertificateTypeRawPublicKey}}},
		"certificate types": {PeerCertificateTypes: []wire.CertificateType{7}},
		"appears twice":     {OwnCertificateTypes: []wire.CertificateType{0, 0}},
	} {
		if _, err := tlscore.Compile(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSessionsOfATypeNoLongerTakenAreNotResumed: resuming grants nothing that a full handshake would not.
func TestSessionsOfATypeNoLongerTakenAreNotResumed(t *testing.T) {
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		for _, role := range []tlscore.Role{tlscore.RoleClient, tlscore.RoleServer} {
			s := newShop(t)
			raw, cert := rawKey(t), selfSigned(t, p256(t), "a.example")
			s.client = tlscore.Config{PeerCertificateTypes: bothTypes, Identities: []tlscore.Identity{rawKey(t), cert}}
			s.server = tlscore.Config{
				PeerCertificateTypes: bothTypes, Identities: []tlscore.Identity{raw, cert}, ClientAuth: tlscore.RequireClientCert,
				AskSession: true, MaxVersion: v,
			}
			l := s.visit(nil, false, 0)
			l.Server.Answer = s.answer12
			if err := l.Handshake(); err != nil {
				t.Fatal(err)
			}
			var session *tlscore.Session
			if v == wire.VersionTLS12 {
				session = l.Client.Sessions[0]
			} else {
				session = s.ticket(l)
			}
			if role == tlscore.RoleClient {
				s.client.PeerCertificateTypes = bothTypes[1:]
			} else {
				s.server.PeerCertificateTypes = bothTypes[1:]
			}
			l = s.visit(session, false, 0)
			l.Server.Answer = s.answer12
			resumed(t, l, false)
			f := l.Client.Machine.Facts()
			if role == tlscore.RoleServer {
				f = l.Server.Machine.Facts()
			}
			shown(t, f, &cert)
		}
	}
}
