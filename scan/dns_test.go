package scan

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

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
	f = askNames(t, Options{Resolver: serveZone(t, true, `_mta-sts.lab.test. 60 IN TXT "v=STSv1; id=1;"`)}, Target{Host: "mx.lab.test", Port: 25, StartTLS: "smtp"}, leaf, ca)
	if f.DNS == nil || f.DNS.MTASTS != "" { // the domain above is one that nobody can know
		t.Errorf("%+v", f.DNS)
	}
	f = askNames(t, Options{Resolver: serveZone(t, true, `_mta-sts.lab.test. 60 IN TXT "v=STSv1; id=1;"`)}, Target{Host: "lab.test", Port: 25, StartTLS: "smtp"}, leaf, ca)
	if f.DNS == nil || f.DNS.MTASTS != "announced" {
		t.Errorf("%+v", f.DNS)
	}
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
