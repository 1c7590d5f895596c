package tlscore_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func TestIdentityIsChosenByNameSchemeAndIssuer(t *testing.T) {
	a, b, wild := selfSigned(t, p256(t), "a.example"), selfSigned(t, ed(t), "b.example"), selfSigned(t, p256(t), "*.w.example")
	onlyEd := []wire.SignatureScheme{wire.SchemeEd25519}
	for _, c := range []struct {
		name    string
		ask     string
		schemes []wire.SignatureScheme
		want    *tlscore.Identity
	}{
		{"first where nothing is asked", "", nil, &a},
		{"by name", "b.example", nil, &b},
		{"by name in capitals, with a dot", "B.EXAMPLE.", nil, &b},
		{"by wildcard", "x.w.example", nil, &wild},
		{"wildcard is one label", "x.y.w.example", nil, &a},
		{"wildcard is not the parent", "w.example", nil, &a},
		{"scheme before name", "a.example", onlyEd, &b},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := compile(t, tlscore.Config{Identities: []tlscore.Identity{a, b, wild}})
			l := tlstest.New(compile(t, tlscore.Config{Schemes: c.schemes}), server, tlscore.Options{ServerName: c.ask}, tlscore.Options{})
			if err := l.Handshake(); err != nil {
				t.Fatal(err)
			}
			if got := l.Client.Machine.Facts().PeerChain[0]; !slices.Equal(got, c.want.Chain[0]) {
				t.Error("another certificate was presented")
			}
		})
	}
}

func TestAddressesAreNotSentAsServerName(t *testing.T) {
	for _, name := range []string{"192.0.2.1", "2001:db8::1", "[2001:db8::1]", ""} {
		l := tlstest.New(compile(t, tlscore.Config{}), compile(t, serverConfig(t)), tlscore.Options{ServerName: name}, tlscore.Options{})
		var asked string
		l.Client.Answer = func(q *tlscore.Question) tlscore.Answer { asked = q.ServerName; return nil }
		if err := l.Handshake(); err != nil {
			t.Fatal(err)
		}
		if got := l.Server.Machine.Facts().ServerName; got != "" {
			t.Errorf("%q was sent for %q", got, name)
		}
		if asked != name {
			t.Errorf("verification was asked for %q, not %q", asked, name)
		}
	}
}

func TestNameThatCannotBeSentIsRefused(t *testing.T) {
	c := tlscore.NewClient(compile(t, tlscore.Config{}), tlscore.Options{ServerName: strings.Repeat("x", 70_000)})
	if _, err := c.Start(tlstest.Now, nil); err == nil {
		t.Error("Start succeeded")
	} else if code, _ := tlscore.CodeOf(err); code != tlscore.CodeTooLongToSend {
		t.Error(err)
	}
}

func TestClientWithholdsACertificateFromAnotherAuthority(t *testing.T) {
	s := serverConfig(t)
	s.ClientAuth = tlscore.RequestClientCert
	s.CertificateAuthorities = [][]byte{{0x30, 0}}
	l := link(t, tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, ed(t))}}, s)
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	if len(l.Server.Machine.Facts().PeerChain) != 0 {
		t.Error("a certificate that no listed authority issued was sent")
	}
}

func TestIdentityMayBeLeftToTheCaller(t *testing.T) {
	late := selfSigned(t, ed(t), "late.example")
	s := tlscore.Config{AskIdentity: true, ClientAuth: tlscore.RequireClientCert}
	c := tlscore.Config{AskIdentity: true}
	l := link(t, c, s)
	var hello *wire.ClientHello
	choose := func(q *tlscore.Question) tlscore.Answer {
		if q.Kind != tlscore.NeedIdentity {
			return nil
		}
		if q.Hello != nil {
			hello = q.Hello
		}
		return tlscore.Chosen{Identity: &late}
	}
	l.Client.Answer, l.Server.Answer = choose, choose
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	if hello == nil || len(hello.CipherSuites) == 0 || len(hello.Extensions) == 0 {
		t.Errorf("the server's question carried %+v", hello)
	}
	exchange(t, l)
}

func TestAnswersThatRefuseEndTheHandshake(t *testing.T) {
	cause := errors.New("because I say so")
	for _, c := range []struct {
		name  string
		at    string // whose answer
		kind  tlscore.EventKind
		with  tlscore.Answer
		code  tlscore.Code
		alert wire.AlertCode
	}{
		{"chain, plainly", "client", tlscore.NeedVerify, tlscore.Verified{Err: cause}, tlscore.CodeCertificateRejected, wire.AlertBadCertificate},
		{"chain, expired", "client", tlscore.NeedVerify, tlscore.Verified{Err: cause, Alert: wire.AlertCertificateExpired}, tlscore.CodeCertificateRejected, wire.AlertCertificateExpired},
		{"client's chain", "server", tlscore.NeedVerify, tlscore.Verified{Err: cause, Alert: wire.AlertUnknownCA}, tlscore.CodeCertificateRejected, wire.AlertUnknownCA},
		{"signature", "server", tlscore.NeedSignature, tlscore.Signed{Err: cause}, tlscore.CodeSigningFailed, wire.AlertInternalError},
		{"empty signature", "server", tlscore.NeedSignature, tlscore.Signed{}, tlscore.CodeSigningFailed, wire.AlertInternalError},
		{"client's signature", "client", tlscore.NeedSignature, tlscore.Signed{Err: cause}, tlscore.CodeSigningFailed, wire.AlertInternalError},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serverConfig(t)
			s.ClientAuth = tlscore.RequireClientCert
			l := link(t, tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, ed(t))}}, s)
			answer := func(q *tlscore.Question) tlscore.Answer {
				if q.Kind == c.kind {
					return c.with
				}
				return nil
			}
			own, other := l.Client, l.Server
			if c.at == "server" {
				own, other = l.Server, l.Client
			}
			own.Answer = answer
			if err := l.Handshake(); err == nil {
				t.Fatal("the handshake completed")
			}
			var e *tlscore.Error
			if !errors.As(own.Err, &e) || e.Code != c.code {
				t.Fatalf("ended with %v", own.Err)
			}
			if e.Err != nil && !errors.Is(own.Err, cause) {
				t.Errorf("%v does not wrap its cause", own.Err)
			}
			if !errors.As(other.Err, &e) || e.Code != tlscore.CodePeerAlert {
				t.Fatalf("the other end saw %v", other.Err)
			}
			if got, _ := e.Alert(); got != c.alert || !strings.Contains(e.Error(), c.alert.String()) {
				t.Errorf("alert %v, want %v: %v", got, c.alert, e)
			}
		})
	}
}

func TestRSAKeysSignWithPSS(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	l := link(t, tlscore.Config{}, tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, key, "a.example")}})
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	if got := l.Client.Machine.Facts().PeerScheme; got != wire.SchemeRSAPSSRSAESHA256 {
		t.Errorf("signed with %v", got)
	}
}

// ledger keeps the derivations of one end.
type ledger struct {
	names []string
	lines string
}

func (l *ledger) Derived(d tlscore.Derivation) {
	l.names = append(l.names, d.Name)
	if line, ok := tlscore.AppendKeyLog(nil, d); ok {
		l.lines += string(line)
	}
}

func TestSecretsReachTheirOwnChannelOnly(t *testing.T) {
	var c, s ledger
	l := tlstest.New(compile(t, tlscore.Config{}), compile(t, serverConfig(t)), tlscore.Options{Secrets: &c}, tlscore.Options{Secrets: &s})
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	sorted := func(lines string) []string {
		out := strings.Split(strings.TrimSpace(lines), "\n")
		slices.Sort(out)
		return out
	}
	if a, b := sorted(c.lines), sorted(s.lines); !slices.Equal(a, b) || len(a) != 5 {
		t.Errorf("key logs differ or are not five lines:\n%s\n%s", c.lines, s.lines)
	}
	for _, name := range []string{"shared_secret", "early_secret", "handshake_secret", "master_secret"} {
		if !slices.Contains(c.names, name) || !slices.Contains(s.names, name) {
			t.Errorf("%s was not reported", name)
		}
	}
}

func TestStaplesAndSCTsTravelWithTheLeaf(t *testing.T) {
	s := serverConfig(t)
	s.Identities[0].Staple, s.Identities[0].SCTs = []byte("an OCSP response"), [][]byte{[]byte("sct 1"), []byte("sct 2")}
	l := link(t, tlscore.Config{}, s)
	var asked *tlscore.Question
	l.Client.Answer = func(q *tlscore.Question) tlscore.Answer { asked = q; return nil }
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	f := l.Client.Machine.Facts()
	if string(f.PeerStaple) != "an OCSP response" || len(f.PeerSCTs) != 2 || string(f.PeerSCTs[1]) != "sct 2" {
		t.Errorf("facts: %q %q", f.PeerStaple, f.PeerSCTs)
	}
	if string(asked.Staple) != "an OCSP response" || len(asked.SCTs) != 2 {
		t.Errorf("question: %q %q", asked.Staple, asked.SCTs)
	}
}

func TestChainThatThePeerCanVerifyIsPreferred(t *testing.T) {
	root, err := x509.ParseCertificate(selfSigned(t, p256(t)).Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	under := func(caKey crypto.Signer, key crypto.Signer) tlscore.Identity {
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"a.example"}, NotBefore: root.NotBefore, NotAfter: root.NotAfter}
		issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "issuer"}, PublicKey: caKey.Public()}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, issuer, key.Public(), caKey)
		if err != nil {
			t.Fatal(err)
		}
		return tlscore.Identity{Chain: [][]byte{der}, Tag: key}
	}
	byEd, byECDSA := under(ed(t), p256(t)), under(p256(t), p256(t))
	for name, want := range map[wire.SignatureScheme]tlscore.Identity{wire.SchemeEd25519: byEd, wire.SchemeECDSASecp256r1SHA256: byECDSA} {
		p := &tlstest.Puppet{Edit: inHello(func(h *wire.ClientHello) {
			h.Extensions.Add(&wire.SignatureAlgorithmsCert{Schemes: []wire.SignatureScheme{name}})
		})}
		m := tlscore.NewServer(compile(t, tlscore.Config{Identities: []tlscore.Identity{byECDSA, byEd}}), tlscore.Options{})
		if o := p.Connect(m); o.Err != nil {
			t.Fatal(o.Err)
		}
		if got := m.Facts().OwnIdentity; !slices.Equal(got.Chain[0], want.Chain[0]) {
			t.Errorf("%v: another chain was presented", name)
		}
	}
}
