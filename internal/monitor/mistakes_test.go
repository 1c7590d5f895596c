package monitor

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/jks"
	"github.com/tlswright/tlswright/pki/ocsp"
	"github.com/tlswright/tlswright/pki/pkcs12"
	"github.com/tlswright/tlswright/scan"
)

// What monitors commonly get wrong, each with a server that makes it happen.
func TestMistakesOfMonitors(t *testing.T) {
	for _, m := range []struct {
		name string
		test func(*lab)
	}{
		{"1 only the leaf is looked at", anIntermediateEnds},
		{"1 a root that nobody sends is not looked at", aRootEnds},
		{"2 every certificate that is sent counts", anUnusedOneEnds},
		{"3 one address of many", oneAddressOfMany},
		{"4 the wrong name is asked for", theNameIsAskedFor},
		{"6 an incomplete chain that browsers repair", anIncompleteChain},
		{"7 one trust store of several", oneStoreOfSeveral},
		{"8 fixed days for short lives", shortLives},
		{"9 a change-over flaps, one certificate is many alarms", aChangeOver},
		{"11 a monitor that sees nothing gives signs of life", signsOfLife},
		{"12 an outage hides an expiry", anOutageHidesNoExpiry},
		{"14 odd certificates are not shown", oddCertificates},
		{"16 servers that allow one connection", oneConnectionAtATime},
		{"17 certificates in other places", otherPlaces},
	} {
		t.Run(m.name, func(t *testing.T) { m.test(newLab(t)) })
	}
	// 5 is TestServedAndDiskAreCompared, 10 TestPeopleAreToldOnce, 13 and 15 are in TestServersAreJudged.
}

// issued is a certificate of this file's own making, with its key.
type issued struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// make issues one below another, or signs it by itself.
func (l *lab) make(name string, left time.Duration, isCA bool, by *issued, change func(*x509.Certificate)) *issued {
	l.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		l.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: l.now.Add(left - 90*day), NotAfter: l.now.Add(left),
		BasicConstraintsValid: true, IsCA: isCA, KeyUsage: x509.KeyUsageDigitalSignature}
	if isCA {
		c.KeyUsage, c.NotBefore = x509.KeyUsageCertSign, l.now.Add(left-3650*day)
	} else {
		c.DNSNames, c.ExtKeyUsage = []string{"localhost"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if change != nil {
		change(c)
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.Certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		l.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		l.Fatal(err)
	}
	return &issued{made, key}
}

// present starts a server with a chain.
func (l *lab) present(leaf *issued, more ...*issued) *server {
	chain := [][]byte{leaf.Raw}
	for _, c := range more {
		chain = append(chain, c.Raw)
	}
	return l.server(&pkitest.Leaf{Chain: chain, Key: leaf.key})
}

// trust has the engine trust a root.
func (l *lab) trust(o LookOptions, roots ...*issued) {
	l.Helper()
	if len(roots) > 0 {
		store := scan.Store{Name: "lab", Own: true}
		for _, r := range roots {
			store.Roots = append(store.Roots, r.Certificate)
		}
		o.Stores = append(o.Stores, store)
	}
	e, err := New(l.c, Options{History: l.h, Now: func() time.Time { return l.now }, Look: o})
	if err != nil {
		l.Fatal(err)
	}
	l.e = e
}

func anIntermediateEnds(l *lab) {
	root := l.make("Root", 3000*day, true, nil, nil)
	middle := l.make("Intermediate", 20*day, true, root, nil)
	l.watched("web", l.present(l.make("localhost", 60*day, false, middle, nil), middle).address)
	l.trust(LookOptions{}, root)
	l.state(l.check(0), "web", watch.Warning, "the CA certificate CN=Intermediate runs out")
}

func anUnusedOneEnds(l *lab) {
	root, old := l.make("Root", 3000*day, true, nil, nil), l.make("Old root", 10*day, true, nil, nil)
	middle := l.make("Intermediate", 1000*day, true, root, nil)
	cross := l.make("Root", -5*day, true, old, nil)
	l.watched("web", l.present(l.make("localhost", 60*day, false, middle, nil), middle, cross).address)
	l.trust(LookOptions{}, root)
	v := l.check(0)["web"].Verdict
	if v.State != watch.Warning || !strings.Contains(v.Reason, "not needed") {
		l.Errorf("%v: %s", v.State, v.Reason)
	}
	if v.Leaf.Sub(l.now) < 59*day || v.Path.Sub(l.now) < 59*day || v.Sent.After(l.now) {
		l.Errorf("the three ends are %v, %v and %v", v.Leaf, v.Path, v.Sent)
	}
}

func oneAddressOfMany(l *lab) {
	good, bad := l.leaf(pkitest.P256, 60*day), l.ca.Expired(pkitest.P256)
	s := l.server(good)
	_, port, _ := net.SplitHostPort(s.address)
	other, err := tls.Listen("tcp", "127.0.0.2:"+port, &tls.Config{Certificates: []tls.Certificate{pair(bad)}})
	if err != nil {
		l.Skip("there is no second address on loopback:", err)
	}
	l.Cleanup(func() { other.Close() })
	go func() {
		for {
			c, err := other.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); c.(*tls.Conn).Handshake() }()
		}
	}()
	l.watched("web", "localhost:"+port)
	l.trust(LookOptions{Stores: []scan.Store{{Name: "lab", Own: true, Roots: l.ca.Roots()}}, LookUp: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}, nil
	}})
	all := l.check(0)
	l.state(all, "web", watch.Expired, "has expired")
	if len(all["web"].Places) != 2 || all["web"].Places[0].State != watch.OK {
		l.Errorf("places: %+v", all["web"].Places)
	}
}

func theNameIsAskedFor(l *lab) {
	named, fallback := l.leaf(pkitest.P256, 60*day), l.ca.Expired(pkitest.P256)
	byAddress := l.ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileServer, CommonName: "x", SANs: []string{"127.0.0.1"}})
	s := l.server(fallback)
	var sni atomic.Value
	s.set(func(c *tls.Config) {
		c.Certificates = nil // else crypto/tls does not ask where no name was sent
		c.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			sni.Store(h.ServerName)
			leaf := map[string]*pkitest.Leaf{"localhost": named, "": byAddress}[h.ServerName]
			if leaf == nil {
				leaf = fallback
			}
			p := pair(leaf)
			return &p, nil
		}
	})
	l.watched("by name", s.address)
	l.state(l.check(0), "by name", watch.OK, "")
	l.c.Targets = nil
	l.watched("by address", s.address).ServerName = ""
	l.e = nil
	l.state(l.check(0), "by address", watch.OK, "")
	if sni.Load() != "" {
		l.Errorf("an address was sent as a name: %q", sni.Load())
	}
}

// aRootEnds: nobody sends roots, and they end all the same.
func aRootEnds(l *lab) {
	root := l.make("Root", 20*day, true, nil, nil)
	middle := l.make("Intermediate", 1000*day, true, root, nil)
	l.watched("web", l.present(l.make("localhost", 60*day, false, middle, nil), middle).address)
	l.trust(LookOptions{}, root)
	all := l.check(0)
	l.state(all, "web", watch.Warning, "the CA certificate CN=Root runs out")
	if v := all["web"].Verdict; !v.Path.Equal(root.NotAfter) || !v.Sent.After(v.Path) {
		l.Errorf("the path ends %v, the root %v", v.Path, root.NotAfter)
	}
}

func anIncompleteChain(l *lab) {
	root := l.make("Root", 3000*day, true, nil, nil)
	middle := l.make("Intermediate", 1000*day, true, root, nil)
	aia := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(middle.Raw) }))
	defer aia.Close()
	leaf := l.make("localhost", 60*day, false, middle, func(c *x509.Certificate) { c.IssuingCertificateURL = []string{aia.URL + "/ca.cer"} })
	l.watched("web", l.present(leaf).address).Schedule.Grade = 0 // the full scan asks
	l.trust(LookOptions{AllowPrivate: true}, root)
	l.state(l.check(0), "web", watch.Critical, "browsers repair it")
	l.state(l.check(time.Minute), "web", watch.Critical, "browsers repair it") // and the short look remembers
}

func oneStoreOfSeveral(l *lab) {
	root, stranger := l.make("Root", 3000*day, true, nil, nil), l.make("Other root", 3000*day, true, nil, nil)
	middle := l.make("Intermediate", 1000*day, true, root, nil)
	l.watched("web", l.present(l.make("localhost", 60*day, false, middle, nil), middle).address)
	l.trust(LookOptions{Stores: []scan.Store{{Name: "new", Roots: []*x509.Certificate{root.Certificate}}, {Name: "old machines", Roots: []*x509.Certificate{stranger.Certificate}}}})
	l.state(l.check(0), "web", watch.Warning, "not by old machines")
}

func shortLives(l *lab) {
	root := l.make("Root", 3000*day, true, nil, nil)
	six := func(left time.Duration) string {
		return l.present(l.make("localhost", left, false, root, func(c *x509.Certificate) { c.NotBefore = c.NotAfter.Add(-6 * day) })).address
	}
	l.watched("half", six(3*day))
	l.watched("late", six(36*time.Hour))
	l.trust(LookOptions{}, root)
	all := l.check(0)
	l.state(all, "half", watch.OK, "")
	l.state(all, "late", watch.Warning, "runs out")
}

func aChangeOver(l *lab) {
	older, newer := l.leaf(pkitest.P256, 20*day), l.leaf(pkitest.P256, 89*day)
	s := l.server(older)
	var n atomic.Int64
	s.set(func(c *tls.Config) {
		c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			p := pair([]*pkitest.Leaf{older, newer}[n.Add(1)/20%2])
			return &p, nil
		}
	})
	h := newHook(l.T)
	l.c.Channels = []config.Channel{{Name: "hook", Kind: "webhook", URL: h.URL}}
	for i := range 10 {
		l.watched(fmt.Sprint("web ", i), s.address).Policy.Patience = 1
	}
	for range 12 {
		l.check(time.Minute)
		l.deliver()
	}
	if got := h.said("expiry"); strings.Count(got, "opened") > 2 || strings.Count(got, ",") > 4 {
		l.Errorf("ten addresses that flap between two certificates are told as %q", got)
	}
}

func signsOfLife(l *lab) {
	beats := make(chan struct{}, 10)
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { beats <- struct{}{} }))
	defer s.Close()
	l.watched("web", l.server(l.leaf(pkitest.P256, 60*day)).address)
	l.check(0)
	l.e.beat(l.Context(), s.URL)
	if len(beats) != 1 {
		l.Error("no sign of life while all is well")
	}
	l.now = l.now.Add(30 * day) // nobody has looked for a month
	l.e.beat(l.Context(), s.URL)
	if len(beats) != 1 {
		l.Error("a monitor that does not look gives a sign of life")
	}
}

func anOutageHidesNoExpiry(l *lab) {
	s := l.server(l.leaf(pkitest.P256, 2*day))
	l.watched("web", s.address).Policy.Patience = 1
	l.check(0)
	s.set(func(c *tls.Config) {
		c.Certificates, c.MinVersion, c.MaxVersion = nil, tls.VersionTLS13, tls.VersionTLS10
	})
	l.state(l.check(5*day), "web", watch.Expired, "could not be looked at")
}

func oddCertificates(l *lab) {
	var leaf *pkitest.Leaf
	var serial []byte
	for leaf == nil || serial[0] >= 0x80 { // one whose first bit is free
		leaf = l.leaf(pkitest.P256, 3*day)
		parsed, err := x509.ParseCertificate(leaf.Chain[0])
		if err != nil {
			l.Fatal(err)
		}
		serial = parsed.SerialNumber.Bytes()
	}
	der := []byte(strings.Replace(string(leaf.Chain[0]), string(serial), string(append([]byte{serial[0] | 0x80}, serial[1:]...)), 1))
	if _, err := x509.ParseCertificate(der); err == nil {
		l.Fatal("the library reads a negative serial number: take something else")
	}
	l.watched("web", l.server(&pkitest.Leaf{Chain: [][]byte{der, leaf.Chain[1]}, Key: leaf.Key}).address)
	all := l.check(0)
	l.state(all, "web", watch.Critical, "")
	if o := all["web"].Places[0].Observation; len(o.Leaves) != 1 || o.Leaves[0].Leaf().NotAfter.IsZero() {
		l.Errorf("a certificate that the library refuses is not shown: %+v", o)
	}
}

func oneConnectionAtATime(l *lab) {
	leaf := l.leaf(pkitest.P256, 60*day)
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { nl.Close() })
	var refused atomic.Int64
	alone := make(chan struct{}, 1)
	go func() {
		for {
			c, err := nl.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				select {
				case alone <- struct{}{}:
					defer func() { <-alone }()
					smtp(c, leaf)
				case <-time.After(10 * time.Second): // in less time it is noticed that the one before is gone
					refused.Add(1)
					fmt.Fprint(c, "421 too many connections\r\n")
				}
			}()
		}
	}()
	for i := range 5 {
		w := l.watched(fmt.Sprint("mail ", i), nl.Addr().String())
		w.StartTLS = "smtp"
	}
	l.c.PerHost = 1
	all := l.check(0)
	for i := range 5 {
		l.state(all, fmt.Sprint("mail ", i), watch.OK, "")
	}
	if n := refused.Load(); n > 0 {
		l.Errorf("%d connections were made while another one was open", n)
	}
}

// smtp speaks as much SMTP as leads to TLS.
func smtp(c net.Conn, leaf *pkitest.Leaf) {
	r := bufio.NewReader(c)
	fmt.Fprint(c, "220 test\r\n")
	for {
		line, err := r.ReadString('\n')
		switch {
		case err != nil:
			return
		case strings.HasPrefix(line, "EHLO"):
			fmt.Fprint(c, "250-test\r\n250 STARTTLS\r\n")
		case strings.HasPrefix(line, "STARTTLS"):
			fmt.Fprint(c, "220 go on\r\n")
			t := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair(leaf)}})
			_ = t.Handshake() // the client goes when it has seen enough
			_, _ = t.Read(make([]byte, 100))
			return
		default:
			fmt.Fprint(c, "250 ok\r\n")
		}
	}
}

func otherPlaces(l *lab) {
	root := l.make("Root", 3000*day, true, nil, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign })
	leaf := l.make("localhost", 3*day, false, root, nil)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	store, err := pkcs12.Encode(pkcs12.Bundle{Key: leaf.key, Chain: []*x509.Certificate{leaf.Certificate, root.Certificate}}, []byte("secret"), pkcs12.Modern)
	if err != nil {
		l.Fatal(err)
	}
	javaStore, err := jks.Encode([]jks.Entry{{Alias: "x", Key: leaf.key, Chain: []*x509.Certificate{leaf.Certificate, root.Certificate}}}, []byte("changeit"))
	if err != nil {
		l.Fatal(err)
	}
	list, err := crl.Create(crl.Template{Number: big.NewInt(7), ThisUpdate: l.now.Add(-8 * day), NextUpdate: l.now.Add(-day)}, root.Certificate, root.key)
	if err != nil {
		l.Fatal(err)
	}
	staple := func(leaf *issued, left time.Duration, status ocsp.CertStatus) []byte {
		id, err := ocsp.NewCertID(leaf.SerialNumber.Bytes(), root.Certificate, crypto.SHA1)
		if err != nil {
			l.Fatal(err)
		}
		one := ocsp.Single{ID: id, Status: status, ThisUpdate: l.now.Add(-time.Hour), NextUpdate: l.now.Add(left)}
		if status == ocsp.Revoked {
			one.RevokedAt = l.now.Add(-time.Hour)
		}
		der, err := ocsp.CreateResponse(ocsp.ResponseTemplate{Singles: []ocsp.Single{one}, ProducedAt: l.now.Add(-time.Hour)}, root.Certificate, root.key)
		if err != nil {
			l.Fatal(err)
		}
		return der
	}
	dir := l.TempDir()
	for name, data := range map[string][]byte{
		"h.ocsp": staple(leaf, 3*day, ocsp.Good), "i.ocsp": staple(leaf, -time.Minute, ocsp.Good), "j.ocsp": staple(leaf, 3*day, ocsp.Revoked),
		"a.pem": text, "b.der": leaf.Raw, "c.p12": store, "d.jks": javaStore, "e.crl": list, "passwords": []byte("wrong\nsecret\n"),
		"f.kube": []byte("users:\n- user:\n    client-certificate-data: " + base64.StdEncoding.EncodeToString(text) + "\n"), "g.txt": []byte("nothing"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			l.Fatal(err)
		}
	}
	for name, want := range map[string]watch.State{"a.pem": watch.Critical, "b.der": watch.Critical, "c.p12": watch.Critical, "d.jks": watch.Critical, "e.crl": watch.Expired, "f.kube": watch.Critical,
		"g.txt": watch.Error, "missing": watch.Error, "h.ocsp": watch.OK, "i.ocsp": watch.Expired, "j.ocsp": watch.Critical} {
		l.c.Targets = append(l.c.Targets, config.Watched{Name: name, Files: []string{filepath.Join(dir, name)}, Passwords: filepath.Join(dir, "passwords")})
		defer func() { l.state(l.results, name, want, "") }()
	}
	l.results = l.check(0)
}
