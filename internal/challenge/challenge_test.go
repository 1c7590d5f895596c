package challenge_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/resolve"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// zone is a DNS server on loopback with a few records.
type zone struct {
	mu      sync.Mutex
	records map[string][]string // "name TYPE" to the texts of records
	broken  map[string]bool     // names that get SERVFAIL
}

func (z *zone) set(key string, values ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records[key] = values
}

func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	m := new(dns.Msg)
	m.SetReply(q)
	name, kind := q.Question[0].Name, dns.TypeToString[q.Question[0].Qtype]
	if z.broken[name] {
		m.Rcode = dns.RcodeServerFailure
	}
	for _, text := range z.records[name+" "+kind] {
		rr, err := dns.NewRR(fmt.Sprintf("%s 60 IN %s %s", name, kind, text))
		if err == nil {
			m.Answer = append(m.Answer, rr)
		}
	}
	_ = w.WriteMsg(m)
}

func newZone(t *testing.T) (*zone, *resolve.Resolver) {
	t.Helper()
	z := &zone{records: map[string][]string{"a.example. A": {"127.0.0.1"}, "inner.example. A": {"10.1.2.3"}}, broken: make(map[string]bool)}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	s := &dns.Server{PacketConn: pc, Handler: z, NotifyStartedFunc: func() { close(ready) }}
	go func() { _ = s.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { _ = s.Shutdown() })
	return z, resolve.New(resolve.Options{Server: pc.LocalAddr().String(), Timeout: 20 * time.Second})
}

func port(t *testing.T, address string) int {
	t.Helper()
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return int(ap.Port())
}

var thumbprint = []byte("0123456789abcdef0123456789abcdef")

func task(kind, name string) challenge.Task {
	id := acme.Identifier{Type: acme.TypeDNS, Value: name}
	if _, err := netip.ParseAddr(name); err == nil {
		id.Type = acme.TypeIP
	}
	return challenge.Task{Identifier: id, Type: kind, Token: "token-1", Thumbprint: thumbprint, AccountURI: "https://ca.example/acct/1"}
}

func loopback() fetch.Gate {
	return fetch.Gate{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
}

func validator(t *testing.T, o challenge.Options, resolvers ...*resolve.Resolver) *challenge.Validator {
	t.Helper()
	for i, r := range resolvers {
		o.Perspectives = append(o.Perspectives, challenge.Perspective{Name: fmt.Sprint("place ", i+1), Resolver: r})
	}
	o.Timeout = time.Minute
	v, err := challenge.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func check(t *testing.T, what string, p *acme.Problem, want acme.ProblemType, words string) {
	t.Helper()
	switch {
	case want == "" && p != nil:
		t.Errorf("%s: %v", what, p)
	case want != "" && (p == nil || p.Kind() != want || !strings.Contains(p.Detail, words)):
		t.Errorf("%s: %v, want %s with %q", what, p, want, words)
	}
}

func TestHTTP01(t *testing.T) {
	_, r := newZone(t)
	var mu sync.Mutex
	answer := func(http.ResponseWriter, *http.Request) {}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		answer(w, q)
	}))
	defer server.Close()
	v := validator(t, challenge.Options{Gate: loopback(), HTTPPort: port(t, server.Listener.Addr().String())}, r)
	tk := task(acme.HTTP01, "a.example")
	proof := acme.KeyAuthorization(tk.Token, thumbprint)
	redirect := func(to string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, to, http.StatusFound) }
	}
	for _, c := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		want   acme.ProblemType
		words  string
	}{
		{"the proof", func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Path != "/.well-known/acme-challenge/token-1" || q.Host != "a.example" {
				t.Errorf("asked for %s of %s", q.URL, q.Host)
			}
			_, _ = fmt.Fprintln(w, proof)
		}, "", ""},
		{"a redirect", func(w http.ResponseWriter, q *http.Request) {
			if strings.HasPrefix(q.URL.Path, "/.well") {
				http.Redirect(w, q, "/elsewhere", http.StatusMovedPermanently)
				return
			}
			_, _ = fmt.Fprint(w, proof)
		}, "", ""},
		{"another proof", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, proof+"x") }, acme.IncorrectResponse, "not with the key authorization"},
		{"escapes", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "\x1b[31mred") }, acme.IncorrectResponse, "red"},
		{"no such file", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, acme.Unauthorized, "status 404"},
		{"a long answer", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, strings.Repeat("x", 9000)) }, acme.Unauthorized, "more than"},
		{"a loop", redirect("/.well-known/again"), acme.Connection, "redirects more than"},
		{"a file", redirect("file:///etc/passwd"), acme.Connection, "nobody can follow"},
		{"another port", redirect("http://a.example:8080/"), acme.Connection, "port 8080"},
		{"a private address", redirect("http://10.0.0.1/"), acme.Connection, "private address"},
		{"a private name", redirect("http://inner.example/"), acme.Connection, "private address"},
		{"metadata", redirect("http://169.254.169.254/latest"), acme.Connection, "link-local"},
	} {
		mu.Lock()
		answer = c.answer
		mu.Unlock()
		check(t, c.name, v.Validate(t.Context(), tk), c.want, c.words)
	}
	answer = func(w http.ResponseWriter, q *http.Request) {
		if name, _, _ := strings.Cut(q.Host, ":"); name != "127.0.0.1" && name != "a.example" { // RFC 8738, Section 5
			t.Errorf("asked the address for %s", q.Host)
		}
		_, _ = fmt.Fprint(w, proof)
	}
	check(t, "an address", v.Validate(t.Context(), task(acme.HTTP01, "127.0.0.1")), "", "")
	closed := validator(t, challenge.Options{HTTPPort: port(t, server.Listener.Addr().String())}, r)
	check(t, "a closed gate", closed.Validate(t.Context(), tk), acme.Connection, "loopback")
	check(t, "no address", v.Validate(t.Context(), task(acme.HTTP01, "nobody.example")), acme.DNS, "nobody.example")
}

func TestDNS01(t *testing.T) {
	z, r := newZone(t)
	v := validator(t, challenge.Options{}, r)
	tk := task(acme.DNS01, "a.example")
	check(t, "no record", v.Validate(t.Context(), tk), acme.Unauthorized, "no TXT record")
	z.set("_acme-challenge.a.example. TXT", `"wrong"`)
	check(t, "another text", v.Validate(t.Context(), tk), acme.IncorrectResponse, "wrong")
	proof := acme.DNS01Value(acme.KeyAuthorization(tk.Token, thumbprint))
	z.set("_acme-challenge.a.example. TXT", `"wrong"`, `"`+proof+`"`)
	check(t, "the proof", v.Validate(t.Context(), tk), "", "")
	account := task(acme.DNSAccount01, "a.example")
	check(t, "another place", v.Validate(t.Context(), account), acme.Unauthorized, "no TXT record")
	z.set(acme.DNSAccount01Name(account.AccountURI, "a.example")+". TXT", `"`+proof+`"`)
	check(t, "the account's place", v.Validate(t.Context(), account), "", "")
	z.mu.Lock()
	z.broken["_acme-challenge.b.example."] = true
	z.mu.Unlock()
	check(t, "a broken zone", v.Validate(t.Context(), task(acme.DNS01, "b.example")), acme.DNS, "SERVFAIL")
}

func TestDNSPersist01(t *testing.T) {
	z, r := newZone(t)
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	v := validator(t, challenge.Options{Identities: []string{"ca.example"}, Now: func() time.Time { return now }}, r)
	const good = "ca.example; accounturi=https://ca.example/acct/1"
	wildcard := task(acme.DNSPersist01, "a.example")
	wildcard.Wildcard = true
	for _, c := range []struct {
		name, at, text string
		task           challenge.Task
		words          string // "": proven
	}{
		{"good", "a.example", good, task(acme.DNSPersist01, "a.example"), ""},
		{"another CA", "a.example", "other.example; accounturi=https://ca.example/acct/1", task(acme.DNSPersist01, "a.example"), "another CA"},
		{"another account", "a.example", good + "2", task(acme.DNSPersist01, "a.example"), "another account"},
		{"ended", "a.example", good + "; persistUntil=1700000000", task(acme.DNSPersist01, "a.example"), "has ended"},
		{"not ended", "a.example", good + "; persistUntil=1900000000", task(acme.DNSPersist01, "a.example"), ""},
		{"wildcard without policy", "a.example", good, wildcard, "policy=wildcard"},
		{"wildcard", "a.example", good + "; policy=wildcard", wildcard, ""},
		{"from above", "a.example", good + "; policy=wildcard", task(acme.DNSPersist01, "x.y.a.example"), ""},
		{"from above without policy", "a.example", good, task(acme.DNSPersist01, "x.a.example"), "policy=wildcard"},
		{"garbage", "a.example", "; ;", task(acme.DNSPersist01, "a.example"), "cannot be understood"},
		{"none", "other.example", good, task(acme.DNSPersist01, "a.example"), "no TXT record"},
	} {
		z.mu.Lock()
		clear(z.records)
		z.mu.Unlock()
		z.set("_validation-persist."+c.at+". TXT", `"`+strings.ReplaceAll(c.text, ";", `\;`)+`"`)
		want := acme.Unauthorized
		if c.words == "" {
			want = ""
		}
		check(t, c.name, v.Validate(t.Context(), c.task), want, c.words)
	}
}

// proofCertificate is what a server shows for acme-tls/1; change damages it.
func proofCertificate(t *testing.T, tk challenge.Task, change func(*x509.Certificate)) tlsnet.Identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: acme.ACMEIdentifierOID(), Critical: true, Value: acme.ACMEIdentifierValue(acme.KeyAuthorization(tk.Token, tk.Thumbprint))}}}
	if tk.Identifier.Type == acme.TypeIP {
		c.IPAddresses = []net.IP{net.ParseIP(tk.Identifier.Value)}
	} else {
		c.DNSNames = []string{tk.Identifier.Value}
	}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tlsnet.Identity{Chain: [][]byte{der}, Key: key}
}

// answerTLS serves handshakes with one certificate and returns its port.
func answerTLS(t *testing.T, identity tlsnet.Identity, alpn ...string) int {
	t.Helper()
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{identity}, Core: tlscore.Config{ALPN: alpn}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = c.Read(make([]byte, 1))
				_ = c.Close()
			}()
		}
	}()
	return port(t, l.Addr().String())
}

func TestTLSALPN01(t *testing.T) {
	_, r := newZone(t)
	for _, c := range []struct {
		name, host string
		alpn       string
		change     func(*x509.Certificate)
		want       acme.ProblemType
		words      string
	}{
		{"the proof", "a.example", acme.ALPNProtocol, nil, "", ""},
		{"an address", "127.0.0.1", acme.ALPNProtocol, nil, "", ""},
		{"another protocol", "a.example", "h2", nil, acme.TLS, ""},
		{"another name", "a.example", acme.ALPNProtocol, func(c *x509.Certificate) { c.DNSNames = []string{"b.example"} }, acme.IncorrectResponse, "not for this name alone"},
		{"one name more", "a.example", acme.ALPNProtocol, func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "b.example") }, acme.IncorrectResponse, "not for this name alone"},
		{"another spelling", "a.example", acme.ALPNProtocol, func(c *x509.Certificate) { c.DNSNames = []string{"A.Example"} }, "", ""},
		{"an entry of another kind", "a.example", acme.ALPNProtocol, addRegisteredID, acme.IncorrectResponse, "not for this name alone"},
		{"no name at all", "a.example", acme.ALPNProtocol, func(c *x509.Certificate) { c.DNSNames = nil }, acme.IncorrectResponse, "not for this name alone"},
		{"a name for an address", "127.0.0.1", acme.ALPNProtocol, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"127.0.0.1"} }, acme.IncorrectResponse, "not for this name alone"},
		{"not critical", "a.example", acme.ALPNProtocol, func(c *x509.Certificate) { c.ExtraExtensions[0].Critical = false }, acme.IncorrectResponse, "not critical"},
		{"another proof", "a.example", acme.ALPNProtocol, func(c *x509.Certificate) { c.ExtraExtensions[0].Value[5] ^= 1 }, acme.IncorrectResponse, "another proof"},
		{"no proof", "a.example", acme.ALPNProtocol, func(c *x509.Certificate) { c.ExtraExtensions = nil }, acme.IncorrectResponse, "no proof"},
	} {
		tk := task(acme.TLSALPN01, c.host)
		v := validator(t, challenge.Options{Gate: loopback(), TLSPort: answerTLS(t, proofCertificate(t, tk, c.change), c.alpn)}, r)
		check(t, c.name, v.Validate(t.Context(), tk), c.want, c.words)
	}
}

// TestProofsMayHaveAnyKeyUsage holds against crypto/tls a certificate as lego makes it: its key may not sign, by its usage.
func TestProofsMayHaveAnyKeyUsage(t *testing.T) {
	_, r := newZone(t)
	tk := task(acme.TLSALPN01, "a.example")
	id := proofCertificate(t, tk, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{NextProtos: []string{acme.ALPNProtocol}, Certificates: []tls.Certificate{{Certificate: id.Chain, PrivateKey: id.Key}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = c.Read(make([]byte, 1))
			_ = c.Close()
		}
	}()
	v := validator(t, challenge.Options{Gate: loopback(), TLSPort: port(t, l.Addr().String())}, r)
	check(t, "key encipherment", v.Validate(t.Context(), tk), "", "")
}

func TestCAA(t *testing.T) {
	z, r := newZone(t)
	proof := acme.DNS01Value(acme.KeyAuthorization("token-1", thumbprint))
	z.set("_acme-challenge.a.example. TXT", `"`+proof+`"`)
	v := validator(t, challenge.Options{Identities: []string{"ca.example"}}, r)
	for _, c := range []struct {
		name     string
		records  []string
		wildcard bool
		words    string // "": allowed
	}{
		{"none", nil, false, ""},
		{"ours", []string{`0 issue "ca.example"`}, false, ""},
		{"others", []string{`0 issue "other.example"`}, false, "other CAs"},
		{"both", []string{`0 issue "other.example"`, `0 issue "CA.example; x=y"`}, false, ""},
		{"nobody", []string{`0 issue ";"`}, false, "other CAs"},
		{"only contact", []string{`0 iodef "mailto:a@a.example"`}, false, ""},
		{"wildcards apart", []string{`0 issue "ca.example"`, `0 issuewild ";"`}, true, "other CAs"},
		{"wildcards apart, a name", []string{`0 issue "ca.example"`, `0 issuewild ";"`}, false, ""},
		{"wildcards as names", []string{`0 issue "ca.example"`}, true, ""},
		{"critical", []string{`128 future "x"`}, false, "critical"},
		{"not critical", []string{`0 future "x"`}, false, ""},
		{"this account", []string{`0 issue "ca.example; accounturi=https://ca.example/acct/1"`}, false, ""},
		{"another account", []string{`0 issue "ca.example; accounturi=https://ca.example/acct/2"`}, false, "another account"},
		{"this way", []string{`0 issue "ca.example; validationmethods=http-01,dns-01"`}, false, ""},
		{"another way", []string{`0 issue "ca.example; validationmethods=http-01"`}, false, "after a validation by dns-01"},
		{"garbage", []string{`0 issue "ca.example; accounturi"`}, false, "other CAs"},
		{"said twice", []string{`0 issue "ca.example; accounturi=a; accounturi=https://ca.example/acct/1"`}, false, "other CAs"},
	} {
		z.set("a.example. CAA", c.records...)
		tk := task(acme.DNS01, "a.example")
		tk.Wildcard = c.wildcard
		want := acme.CAA
		if c.words == "" {
			want = ""
		}
		check(t, c.name, v.Validate(t.Context(), tk), want, c.words)
	}
	z.mu.Lock()
	z.broken["a.example."] = true
	z.mu.Unlock()
	check(t, "a broken zone", v.Validate(t.Context(), task(acme.DNS01, "a.example")), acme.DNS, "CAA")
}

func TestPerspectives(t *testing.T) {
	tk := task(acme.DNS01, "a.example")
	proof := `"` + acme.DNS01Value(acme.KeyAuthorization(tk.Token, thumbprint)) + `"`
	var zones []*zone
	var resolvers []*resolve.Resolver
	for range 3 {
		z, r := newZone(t)
		zones, resolvers = append(zones, z), append(resolvers, r)
	}
	v := validator(t, challenge.Options{}, resolvers...)
	zones[0].set("_acme-challenge.a.example. TXT", proof)
	check(t, "one of three", v.Validate(t.Context(), tk), acme.Unauthorized, "1 of 3 places agree, 2 must")
	zones[2].set("_acme-challenge.a.example. TXT", proof)
	check(t, "two of three", v.Validate(t.Context(), tk), "", "")
	all := validator(t, challenge.Options{Quorum: 3}, resolvers...)
	check(t, "two where three must", all.Validate(t.Context(), tk), acme.Unauthorized, "seen from place 2")
	if _, err := challenge.New(challenge.Options{Quorum: 2}); err == nil {
		t.Error("a quorum of two from one place")
	}
}

// deadline is a context whose time is up when the test says so.
type deadline struct {
	context.Context
	up chan struct{}
}

func (d deadline) Done() <-chan struct{} { return d.up }

func (d deadline) Err() error {
	select {
	case <-d.up:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestValidationEnds lets the time run out when the server has been asked, and not while the name is looked up.
func TestValidationEnds(t *testing.T) {
	_, r := newZone(t)
	for kind, want := range map[string]acme.ProblemType{acme.HTTP01: acme.Connection, acme.TLSALPN01: acme.TLS} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		v := validator(t, challenge.Options{Gate: loopback(), HTTPPort: port(t, l.Addr().String()), TLSPort: port(t, l.Addr().String())}, r)
		ctx, asked := deadline{context.Background(), make(chan struct{})}, make(chan net.Conn, 1)
		go func() {
			defer close(ctx.up)
			c, err := l.Accept()
			if err == nil {
				_, err = c.Read(make([]byte, 1))
			}
			if err != nil {
				t.Error(err)
			}
			asked <- c
		}()
		check(t, kind, v.Validate(ctx, task(kind, "a.example")), want, "no answer in time")
		_ = l.Close()
		if c := <-asked; c != nil {
			_ = c.Close()
		}
	}
}
