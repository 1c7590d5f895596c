package tlscore_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func Test12ServerKeyIsOnACurveThatTheClientLists(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	server := at12(tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, key, "a.example")}})
	l := link(t, tlscore.Config{Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp256r1}}, server)
	if err := l.Handshake(); !codeIs(err, tlscore.CodeNoSharedGroup) {
		t.Errorf("ended with %v", err)
	}
}

func Test12ServerSaysThatNoSuiteGoesWithItsKey(t *testing.T) {
	client := tlscore.Config{MaxVersion: wire.VersionTLS12, CipherSuites: []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
	if err := link(t, client, at12(serverConfig(t))).Handshake(); !codeIs(err, tlscore.CodeNoSharedSuite) {
		t.Errorf("ended with %v", err)
	}
}

func Test12AbsentClientCertificateIsAHandshakeFailure(t *testing.T) {
	s := at12(serverConfig(t))
	s.ClientAuth = tlscore.RequireClientCert
	l := link(t, tlscore.Config{}, s)
	if err := l.Handshake(); !codeIs(err, tlscore.CodeCertificateRequired) {
		t.Fatalf("ended with %v", err)
	}
	if e, ok := l.Client.Err.(*tlscore.Error); !ok || alertOf(e) != wire.AlertHandshakeFailure {
		t.Errorf("the client heard %v", l.Client.Err)
	}
}

func alertOf(e *tlscore.Error) wire.AlertCode {
	a, _ := e.Alert()
	return a
}

func Test12StaplesAndSCTsArrive(t *testing.T) {
	s := at12(serverConfig(t))
	s.Identities[0].Staple, s.Identities[0].SCTs = []byte("staple"), [][]byte{[]byte("first"), []byte("second")}
	l := link(t, tlscore.Config{}, s)
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	f := l.Client.Machine.Facts()
	if string(f.PeerStaple) != "staple" || len(f.PeerSCTs) != 2 || string(f.PeerSCTs[1]) != "second" {
		t.Errorf("%q, %q", f.PeerStaple, f.PeerSCTs)
	}
}

func Test12IdentityIsAskedForWithTheHello(t *testing.T) {
	s, c := at12(serverConfig(t)), tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, ed(t))}, AskIdentity: true}
	s.AskIdentity, s.ClientAuth = true, tlscore.RequireClientCert
	l := link(t, c, s)
	asked := 0
	look := func(server bool, own *tlscore.Identity) func(*tlscore.Question) tlscore.Answer {
		return func(q *tlscore.Question) tlscore.Answer {
			if q.Kind != tlscore.NeedIdentity {
				return nil
			}
			asked++
			if q.Version != wire.VersionTLS12 || server == (len(q.KeyTypes) > 0) || server != (q.Hello != nil && len(q.Hello.CipherSuites) > 0) {
				t.Errorf("%+v", q)
			}
			return tlscore.Chosen{Identity: own}
		}
	}
	l.Client.Answer, l.Server.Answer = look(false, &c.Identities[0]), look(true, &s.Identities[0])
	if err := l.Handshake(); err != nil || asked != 2 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}

// rewrite changes the first handshake message of the first record that an end sends.
func rewrite(l *tlstest.Link, end *tlstest.End, f func(raw []byte) []byte) {
	l.Mutate = func(from *tlstest.End, rec []byte) []byte {
		if from != end || len(from.Sent) != len(rec) {
			return rec
		}
		body := rec[wire.RecordHeaderLen:]
		n := 4 + int(body[1])<<16 + int(body[2])<<8 + int(body[3])
		body = append(f(append([]byte{}, body[:n]...)), body[n:]...)
		head := wire.RecordHeader{Type: wire.ContentHandshake, Version: wire.VersionTLS12, Length: len(body)}
		return append(wire.AppendRecordHeader(nil, head), body...)
	}
}

func TestSessionIDOfTheClientIsNoSessionOf12(t *testing.T) {
	l := link(t, tlscore.Config{}, at12(serverConfig(t)))
	rewrite(l, l.Server, func(raw []byte) []byte {
		var first wire.ClientHello
		var hello wire.ServerHello
		if first.Parse(l.Client.Sent[wire.RecordHeaderLen:]) != nil || hello.Parse(raw) != nil {
			t.Fatal("the hellos cannot be read")
		}
		hello.SessionID = first.SessionID
		return wire.AppendMessage(nil, &hello)
	})
	if err := l.Handshake(); !codeIs(l.Client.Err, tlscore.CodeBadSessionID) {
		t.Errorf("ended with %v", err)
	}
}

func Test12ServerNameAckIsEmpty(t *testing.T) {
	l := link(t, tlscore.Config{}, at12(serverConfig(t)))
	rewrite(l, l.Server, func(raw []byte) []byte {
		var hello wire.ServerHello
		if err := hello.Parse(raw); err != nil {
			t.Fatal(err)
		}
		for i := range hello.Extensions {
			if hello.Extensions[i].Type == wire.ExtServerName {
				hello.Extensions[i].Data = []byte{0}
			}
		}
		return wire.AppendMessage(nil, &hello)
	})
	if err := l.Handshake(); !codeIs(l.Client.Err, tlscore.CodeMalformed) {
		t.Errorf("ended with %v", err)
	}
}

func Test12NothingComesInOnePieceWithAHello(t *testing.T) {
	l := link(t, tlscore.Config{}, at12(serverConfig(t)))
	rewrite(l, l.Client, func(raw []byte) []byte { return append(raw, byte(wire.TypeClientKeyExchange)) })
	if err := l.Handshake(); !codeIs(err, tlscore.CodeExcessHandshakeData) {
		t.Errorf("ended with %v", err)
	}
}

func Test12ClientOffersNoHybrids(t *testing.T) {
	l := link(t, at12(tlscore.Config{}), serverConfig(t))
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	var hello wire.ClientHello
	var groups wire.SupportedGroups
	if err := hello.Parse(l.Client.Sent[wire.RecordHeaderLen : wire.RecordHeaderLen+4+int(l.Client.Sent[7])<<8+int(l.Client.Sent[8])]); err != nil {
		t.Fatal(err)
	}
	if _, err := hello.Ext(&groups); err != nil || bytes.Contains([]byte(groupNames(groups.Groups)), []byte("MLKEM")) {
		t.Errorf("%v, %v", groups.Groups, err)
	}
}

func groupNames(groups []wire.Group) (names string) {
	for _, g := range groups {
		names += g.String() + " "
	}
	return names
}

func Test12TicketCountsWithoutASessionID(t *testing.T) {
	s := newShop(t)
	s.server, s.client = at12(s.server), at12(s.client)
	l := s.visit(nil, false, time.Minute)
	l.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
		if q.Kind != tlscore.NeedTicket {
			return s.answer(q)
		}
		s.known["the ticket"] = q.Resumed
		return tlscore.Issued{Ticket: []byte("the ticket"), Lifetime: time.Hour}
	}
	resumed(t, l, false)
	l = s.visit(l.Client.Sessions[0], false, time.Minute)
	rewrite(l, l.Client, func(raw []byte) []byte {
		var hello wire.ClientHello
		if err := hello.Parse(raw); err != nil {
			t.Fatal(err)
		}
		hello.SessionID = nil
		return wire.AppendMessage(nil, &hello)
	})
	_ = l.Handshake() // our client insists on the id that it sent
	if !l.Server.Machine.Facts().Resumed {
		t.Error("the server did not resume")
	}
}

func TestWarningBeforeTheServerHelloIsNoErrorWhereTLS12MayFollow(t *testing.T) {
	warning := []byte{byte(wire.ContentAlert), 3, 3, 0, 2, byte(wire.AlertLevelWarning), byte(wire.AlertUnrecognizedName)}
	for lowest, want := range map[wire.Version]bool{wire.VersionTLS12: true, wire.VersionTLS13: false} {
		l := link(t, tlscore.Config{MinVersion: lowest}, serverConfig(t))
		if err := l.Start(); err != nil {
			t.Fatal(err)
		}
		l.Inject(l.Client, warning)
		if err := l.Run(); (err == nil) != want {
			t.Errorf("%v: %v", lowest, err)
		}
	}
}

func Test12ChosenKeyIsOfATypeThatTheServerTakes(t *testing.T) {
	own := selfSigned(t, p256(t))
	p := tlstest.Puppet{Version: wire.VersionTLS12, Identity: selfSigned(t, p256(t)), Request: true}
	p.Edit = instead(wire.TypeCertificateRequest, &wire.CertificateRequest12{
		Types: []wire.ClientCertificateType{wire.ClientCertificateRSASign}, Schemes: []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256},
	})
	c := compile(t, tlscore.Config{Identities: []tlscore.Identity{own}, AskIdentity: true})
	p.Answer = func(q *tlscore.Question) tlscore.Answer {
		if q.Kind != tlscore.NeedIdentity {
			return nil
		}
		if len(q.KeyTypes) != 1 || q.KeyTypes[0] != wire.ClientCertificateRSASign {
			t.Errorf("the server takes %v", q.KeyTypes)
		}
		return tlscore.Chosen{Identity: c.Identities()[0]}
	}
	if out := p.Serve(tlscore.NewClient(c, tlscore.Options{})); !codeIs(out.Err, tlscore.CodeNoSharedScheme) {
		t.Errorf("%+v", out)
	}
}
