package scan

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/resolve"
)

// serveZone answers from lines as in a zone file; vouches sets the AD bit.
func serveZone(t *testing.T, vouches bool, lines ...string) (addr string) {
	t.Helper()
	records := make(map[string][]dns.RR)
	for _, l := range lines {
		rr, err := dns.NewRR(l)
		if err != nil {
			t.Fatal(err)
		}
		key := strings.ToLower(rr.Header().Name) + dns.TypeToString[rr.Header().Rrtype]
		records[key] = append(records[key], rr)
	}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var up sync.WaitGroup
	up.Add(1)
	s := &dns.Server{PacketConn: packets, NotifyStartedFunc: up.Done, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.AuthenticatedData = vouches
		m.Answer = records[strings.ToLower(q.Question[0].Name)+dns.TypeToString[q.Question[0].Qtype]]
		_ = w.WriteMsg(m)
	})}
	go func() { _ = s.ActivateAndServe() }()
	t.Cleanup(func() { _ = s.Shutdown() })
	up.Wait()
	return packets.LocalAddr().String()
}

// askNames runs the probe of names for lab.test with one chain.
func askNames(t *testing.T, o Options, target Target, leaf *pkitest.Leaf, ca *pkitest.CA) *grade.Facts {
	t.Helper()
	o.Stores = []Store{{Name: "own CA", Roots: ca.Roots()}}
	o.LookUp = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}, nil
	}
	h := newHost(New(o), target, netip.MustParseAddr("127.0.0.1"))
	h.chain = []*sentChain{{DER: leaf.Chain, KeyType: "ECDSA", SNI: true}}
	h.judgeChains(t.Context())
	probeNames(t.Context(), h)
	return h.facts()
}

func TestNamesAreHeldAgainstTheCertificate(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256, "lab.test")
	key := sha256.Sum256(leaf.Certificate.RawSubjectPublicKeyInfo)
	whole := sha512.Sum512(leaf.Certificate.Raw)
	inter := sha256.Sum256(ca.Intermediate.Raw)
	lines := []string{
		`lab.test. 60 IN CAA 0 issue "letsencrypt.org"`, `lab.test. 60 IN CAA 128 iodef "mailto:x@lab.test"`,
		"_8443._tcp.lab.test. 60 IN TLSA 3 1 1 " + hex.EncodeToString(key[:]),
		"_8443._tcp.lab.test. 60 IN TLSA 1 0 2 " + hex.EncodeToString(whole[:]),
		"_8443._tcp.lab.test. 60 IN TLSA 2 0 1 " + hex.EncodeToString(inter[:]),
		"_8443._tcp.lab.test. 60 IN TLSA 3 0 0 " + hex.EncodeToString(leaf.Certificate.Raw),
		"_8443._tcp.lab.test. 60 IN TLSA 2 1 1 " + hex.EncodeToString(key[:]), // the leaf is no CA
		"_8443._tcp.lab.test. 60 IN TLSA 3 1 1 " + hex.EncodeToString(inter[:]),
		"_8443._tcp.lab.test. 60 IN TLSA 9 1 1 00",
		`_8443._https.lab.test. 60 IN HTTPS 1 . alpn=h3,h2 ech=AEX+DQ==`,
	}
	for _, vouches := range []bool{true, false} {
		f := askNames(t, Options{Resolver: serveZone(t, vouches, lines...)}, Target{Host: "lab.test", Port: 8443}, leaf, ca)
		d := f.DNS
		if d == nil {
			t.Fatalf("no facts, gaps %+v", f.Gaps)
		}
		var matches []string
		for _, r := range d.TLSA {
			matches = append(matches, string(r.Matches))
		}
		if got := strings.Join(matches, " "); got != "yes yes yes yes no no unknown" {
			t.Errorf("TLSA records match: %s: %+v", got, d.TLSA)
		}
		if d.Authentic != grade.AnswerOf(vouches) || (len(d.Problems) == 0) != vouches {
			t.Errorf("authentic %s, problems %q", d.Authentic, d.Problems)
		}
		if !d.ECH || f.Features.ECH != grade.Yes || fmt.Sprint(d.ALPN) != "[h3 h2]" || len(d.Addresses) != 2 {
			t.Errorf("HTTPS record: %+v", d)
		}
		if len(d.CAA) != 2 || !d.CAA[1].Critical || d.CAAAt != "lab.test" || d.CAAAllows != grade.Unknown {
			t.Errorf("CAA: %+v at %q, allowed %s", d.CAA, d.CAAAt, d.CAAAllows)
		}
	}
}

func TestNamesThatNobodyCanKnowAreNotAsked(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256, "lab.test")
	for _, target := range []Target{{Host: "lab.test", Port: 443}, {Host: "127.0.0.1", Port: 443}, {Host: "localhost", Port: 443}} {
		if f := askNames(t, Options{}, target, leaf, ca); f.DNS != nil || len(f.Gaps) > 0 {
			t.Errorf("%v: %+v, %+v", target, f.DNS, f.Gaps)
		}
	}
	// A server that fails leaves gaps, and no facts out of nothing.
	f := askNames(t, Options{Resolver: "127.0.0.1:1"}, Target{Host: "lab.test", Port: 25, StartTLS: "smtp"}, leaf, ca)
	if len(f.Gaps) != 3 || f.DNS == nil || f.DNS.Authentic != grade.Unknown || f.DNS.CAAAllows != grade.Unasked {
		t.Errorf("%+v, %+v", f.DNS, f.Gaps)
	}
}

func TestTheNamedDNSServerFindsAddresses(t *testing.T) {
	server := serveZone(t, false, `lab.test. 60 IN A 127.0.0.9`)
	for _, quick := range []bool{false, true} {
		s := New(Options{Resolver: server, Quick: quick, Offline: quick})
		list, err := s.addresses(t.Context(), "lab.test")
		if err != nil || len(list) != 1 || list[0].String() != "127.0.0.9" {
			t.Errorf("%v, %v", list, err)
		}
		if list, err := s.addresses(t.Context(), "nowhere.test"); err == nil {
			t.Errorf("a name without an address has %v", list)
		}
	}
}

func TestASilentDNSServerIsLeftAlone(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := New(Options{Resolver: silent.LocalAddr().String(), Timeout: 100 * time.Millisecond, Stores: []Store{{Name: "own CA", Roots: ca.Roots()}},
		LookUp: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}})
	for i, gaps := range []int{3, 1} {
		h := newHost(s, Target{Host: fmt.Sprintf("host%d.lab.test", i), Port: 443}, netip.MustParseAddr("127.0.0.1"))
		probeNames(t.Context(), h)
		if f := h.facts(); len(f.Gaps) != gaps || f.DNS.Authentic != grade.Unknown {
			t.Errorf("host %d: %+v", i, f.Gaps)
		}
	}
}

// policyHost serves an MTA-STS policy by TLS on loopback.
func policyHost(t *testing.T, leaf *pkitest.Leaf, answer string) (addr string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: leaf.Chain, PrivateKey: leaf.Key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				if n, err := c.Read(make([]byte, 4096)); err == nil && n > 0 {
					_, _ = io.WriteString(c, answer)
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestMTASTSPoliciesAreFetchedAndHeldAgainstTheHost(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256, "mx.lab.test")
	host := ca.Server(pkitest.P256, "mta-sts.lab.test")
	const policy = "version: STSv1\r\nmode: enforce\r\nmx: *.lab.test\r\nmax_age: 86400\r\n"
	ok := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
	zone := serveZone(t, true, `_mta-sts.lab.test. 60 IN TXT "v=STSv1; id=1;"`)
	for _, c := range []struct {
		name     string
		leaf     *pkitest.Leaf
		answer   string
		mode     string
		problems int
		gap      string
	}{
		{"good", host, ok + policy, "enforce", 0, ""},
		{"in chunks", host, fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(policy), policy), "enforce", 0, ""},
		{"another host", host, ok + strings.Replace(policy, "*.lab", "mail.lab", 1), "enforce", 1, ""},
		{"none", host, ok + "version: STSv1\nmode: none\nmax_age: 1\n", "none", 0, ""},
		{"a wrong name", leaf, ok + policy, "", 0, "not trusted"},
		{"a stranger", ca.WrongCA(pkitest.P256, "mta-sts.lab.test"), ok + policy, "", 0, "not trusted"},
		{"expired", ca.Expired(pkitest.P256, "mta-sts.lab.test"), ok + policy, "", 0, "not trusted"},
		{"a redirect", host, "HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n", "", 0, "301"},
		{"no policy", host, ok + "hello", "", 0, "STSv1"},
		{"too long", host, ok + strings.Repeat("mx: a.test\n", 10000), "", 0, "64 KiB"},
	} {
		addr := policyHost(t, c.leaf, c.answer)
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			if !strings.HasSuffix(address, ":443") {
				t.Errorf("%s: dialled %s", c.name, address)
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		f := askNames(t, Options{Resolver: zone, Dial: dial, AllowPrivate: true}, Target{Host: "mx.lab.test", Port: 25, StartTLS: "smtp"}, leaf, ca)
		if f.DNS.MTASTS != c.mode || len(f.DNS.Problems) != c.problems {
			t.Errorf("%s: mode %q, problems %q, gaps %+v", c.name, f.DNS.MTASTS, f.DNS.Problems, f.Gaps)
		}
		if (len(f.Gaps) > 0) != (c.gap != "") || c.gap != "" && !strings.Contains(f.Gaps[0].Reason, c.gap) {
			t.Errorf("%s: gaps %+v", c.name, f.Gaps)
		}
	}
	f := askNames(t, Options{Resolver: zone}, Target{Host: "mx.lab.test", Port: 25, StartTLS: "smtp"}, leaf, ca)
	if len(f.Gaps) != 1 || !strings.Contains(f.Gaps[0].Reason, "loopback") {
		t.Errorf("at a private address: %+v", f.Gaps)
	}
}

func FuzzMTASTS(f *testing.F) {
	f.Add("version: STSv1\nmode: enforce\nmx: *.a.test\nmax_age: 1\n")
	f.Add("mode:none\r\nversion:STSv1")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePolicy(text)
		if (p == nil) == (err == nil) {
			t.Errorf("%v, %v", p, err)
		}
		if p != nil {
			p.covers("mx.a.test")
		}
	})
}

func TestCAARecordsAreHeldAgainstTheIssuer(t *testing.T) {
	chain := func(issuer string, wildcards ...string) []grade.Chain {
		return []grade.Chain{{Sent: []grade.Certificate{{Issuer: issuer, Wildcard: wildcards}}}}
	}
	issue := func(tag string, values ...string) (list []resolve.CAA) {
		for _, v := range values {
			list = append(list, resolve.CAA{Tag: tag, Value: v})
		}
		return list
	}
	const le, dc = "CN=R11, O=Let's Encrypt, C=US", "CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1, O=DigiCert Inc, C=US"
	for _, c := range []struct {
		name    string
		records []resolve.CAA
		chains  []grade.Chain
		want    grade.Answer
	}{
		{"no records", nil, chain(le), grade.Unasked},
		{"no certificate", issue("issue", "letsencrypt.org"), nil, grade.Unasked},
		{"allowed", issue("issue", "LetsEncrypt.org; validationmethods=dns-01"), chain(le), grade.Yes},
		{"one of two", issue("issue", "digicert.com", "letsencrypt.org"), chain(le), grade.Yes},
		{"not allowed", issue("issue", "digicert.com"), chain(le), grade.No},
		{"another brand", issue("issue", "digicert.com"), chain("CN=GeoTrust TLS RSA CA G1, O=DigiCert Inc"), grade.Yes},
		{"nobody", issue("issue", ";"), chain(le), grade.No},
		{"only iodef", issue("iodef", "mailto:a@b.test"), chain(le), grade.Yes},
		{"unknown CA", issue("issue", "letsencrypt.org"), chain("CN=Lab Inter"), grade.Unknown},
		{"wildcard allowed", append(issue("issue", "digicert.com"), issue("issuewild", "letsencrypt.org")...), chain(le, "*.a.test"), grade.Yes},
		{"wildcard not allowed", append(issue("issue", "letsencrypt.org"), issue("issuewild", ";")...), chain(le, "*.a.test"), grade.No},
		{"no wildcard", append(issue("issue", "letsencrypt.org"), issue("issuewild", ";")...), chain(le), grade.Yes},
		{"two certificates", issue("issue", "letsencrypt.org"), append(chain(le), chain(dc)...), grade.No},
	} {
		if got := caaAllows(c.records, c.chains); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
