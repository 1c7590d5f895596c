package tlsnet_test

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"runtime"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// mustStaple issues a certificate for localhost that demands a staple.
func mustStaple(t *testing.T, ca *pkitest.CA) *pkitest.Leaf {
	t.Helper()
	like := ca.Server(pkitest.P256)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: like.Certificate.Subject, DNSNames: like.Certificate.DNSNames,
		NotBefore: like.Certificate.NotBefore, NotAfter: like.Certificate.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}}},
	}, ca.Intermediate, like.Key.Public(), ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &pkitest.Leaf{Certificate: cert, Chain: [][]byte{der, ca.Intermediate.Raw}, Key: like.Key}
}

func staple(t *testing.T, ca *pkitest.CA, leaf *pkitest.Leaf, status int, until time.Time) []byte {
	t.Helper()
	der, err := ocsp.CreateResponse(ca.Intermediate, ca.Intermediate, ocsp.Response{
		Status: status, SerialNumber: leaf.Certificate.SerialNumber, ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: until, RevokedAt: time.Now().Add(-time.Hour),
	}, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestStaplesAreDemandedAndJudged(t *testing.T) {
	s := newSite(t)
	must, plain := mustStaple(t, s.ca), s.server
	hour, past := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	for name, c := range map[string]struct {
		leaf   *pkitest.Leaf
		staple []byte
		reason pki.Reason // 0: accepted
		alert  string
	}{
		"none, and none demanded": {plain, nil, 0, ""},
		"good":                    {plain, staple(t, s.ca, plain, ocsp.Good, hour), 0, ""},
		"nonsense, none demanded": {plain, []byte("nonsense"), 0, ""},
		"revoked":                 {plain, staple(t, s.ca, plain, ocsp.Revoked, hour), pki.ReasonRevoked, "revoked certificate"},
		"good as demanded":        {must, staple(t, s.ca, must, ocsp.Good, hour), 0, ""},
		"none although demanded":  {must, nil, pki.ReasonStaple, "bad certificate status response"},
		"nonsense":                {must, []byte("nonsense"), pki.ReasonStaple, "bad certificate status response"},
		"another's":               {must, staple(t, s.ca, plain, ocsp.Good, hour), pki.ReasonStaple, "bad certificate status response"},
		"out of date":             {must, staple(t, s.ca, must, ocsp.Good, past), pki.ReasonStaple, "bad certificate status response"},
		"revoked although there":  {must, staple(t, s.ca, must, ocsp.Revoked, hour), pki.ReasonRevoked, "revoked certificate"},
	} {
		for version, v := range versions() {
			t.Run(version+" "+name, func(t *testing.T) {
				a, b := tcpPair(t)
				cert := stdCertificate(c.leaf)
				cert.OCSPStaple, cert.SignedCertificateTimestamps = c.staple, [][]byte{[]byte("timestamp")}
				sc := s.stdServer()
				sc.Certificates, sc.MaxVersion = []tls.Certificate{cert}, uint16(v)
				sv := tls.Server(b, sc)
				theirs := make(chan error, 1)
				go func() {
					err := sv.Handshake()
					if err == nil {
						_, err = sv.Read(make([]byte, 1))
					}
					sv.Close()
					theirs <- err
				}()
				conn, err := tlsnet.Client(a, s.clientConfig())
				if err != nil {
					t.Fatal(err)
				}
				err = conn.Handshake()
				var verr *pki.VerifyError
				switch {
				case c.reason == 0 && err != nil:
					t.Fatal(err)
				case c.reason != 0 && (!errors.As(err, &verr) || verr.Reason != c.reason || conn.Peer().Verified()):
					t.Fatalf("got %v", err)
				}
				p := conn.Peer()
				runtime.GC() // what is not kept must be found again
				again := conn.Peer()
				if !bytes.Equal(p.Staple, c.staple) || !bytes.Equal(again.Staple, c.staple) || len(again.SCTs) != 1 || string(again.SCTs[0]) != "timestamp" {
					t.Errorf("staple %d bytes, SCTs %q", len(again.Staple), again.SCTs)
				}
				if good := c.reason == 0 && len(c.staple) > 100; good != (again.Status != nil) {
					t.Errorf("status: %+v", again.Status)
				}
				conn.Close()
				if err := <-theirs; c.alert != "" && (err == nil || !bytes.Contains([]byte(err.Error()), []byte(c.alert))) {
					t.Errorf("the server learned %v, want %q", err, c.alert)
				}
			})
		}
	}
}

// TestSessionsLiveNoLongerThanTheStaple: a session of a certificate that demands a staple rests on that staple.
func TestSessionsLiveNoLongerThanTheStaple(t *testing.T) {
	s := newSite(t)
	must := mustStaple(t, s.ca)
	sc := s.serverConfig()
	sc.Identities = []tlsnet.Identity{identity(must)}
	sc.Identities[0].Staple = staple(t, s.ca, must, ocsp.Good, time.Now().Add(time.Hour))
	sc.Identities[0].SCTs = [][]byte{[]byte("timestamp")}
	l := listen(t, sc)
	go echo(l)
	now := time.Now()
	cc := s.clientConfig()
	cc.Time = func() time.Time { return now }
	who := newVisitor(t, cc)
	for i, want := range []bool{false, true, true} {
		if f := who.visit(l.Addr().String()); f.Resumed != want || !f.Resumed && len(f.PeerSCTs) != 1 {
			t.Errorf("%d: resumed %v", i, f.Resumed)
		}
	}
	renewed := *sc
	renewed.Identities = []tlsnet.Identity{sc.Identities[0]}
	renewed.Identities[0].Staple = staple(t, s.ca, must, ocsp.Good, time.Now().Add(24*time.Hour))
	if err := l.SetConfig(&renewed); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Hour)
	if f := who.visit(l.Addr().String()); f.Resumed {
		t.Error("resumed when the staple was out of date")
	}
	if f := who.visit(l.Addr().String()); !f.Resumed {
		t.Error("not resumed with the new one")
	}
}
