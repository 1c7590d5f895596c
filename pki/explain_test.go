package pki_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// row finds the first result of a check, a failure before others.
func row(e *pki.Explanation, c pki.Check) pki.CheckResult {
	var first *pki.CheckResult
	for i, r := range e.Checks {
		if r.Check == c && (first == nil || r.Outcome == pki.Failed && first.Outcome != pki.Failed) {
			first = &e.Checks[i]
		}
	}
	if first == nil {
		return pki.CheckResult{Text: "no such row"}
	}
	return *first
}

func TestEverydayRefusalsAreExplained(t *testing.T) {
	m := newMint(t)
	good := m.chain(nil, nil, nil)
	shift := func() { m.keys = append(m.keys[1:], m.keys[0]) }
	shift()
	namesake := m.chain(nil, nil, nil)
	back := func() { m.keys = append(m.keys[len(m.keys)-1:], m.keys[:len(m.keys)-1]...) }
	back()
	stray := &chain{m: m, certs: good.heapOf(0), keys: good.keys[:1:1]} // of the right root and name, with another key
	stray.add(m.template(1, 3), namesake.keys[1])
	notCA := func(t *x509.Certificate) { t.IsCA = false }
	limit := func(t *x509.Certificate) { t.MaxPathLenZero, t.MaxPathLen = true, 0 }
	revoked := good.crl(1, crl.Template{Entries: entries(crl.Entry{Serial: good.certs[2].SerialNumber.Bytes(), RevokedAt: mintTime().Add(-5 * day), Reason: crl.KeyCompromise})})
	noRoots := func(q *question) { q.roots, q.o.Roots = nil, nil }
	for _, tt := range []struct {
		name    string
		q       *question
		check   pki.Check
		reason  pki.Reason
		depth   int
		text    string
		section string
	}{
		{"wrong host", good.ask("", false, host("evil.example")), pki.CheckName, pki.ReasonNameMismatch, 0, "is valid for www.example.com, not evil.example", "RFC 9525, Section 6"},
		{"expired", good.ask("", false, at(mintTime().Add(381*day))), pki.CheckDates, pki.ReasonExpired, 0, "the certificate expired on 2027-06-16", "RFC 5280, Section 6.1.3"},
		{"unknown root", good.ask("", false, noRoots), pki.CheckRoot, pki.ReasonUnknownAuthority, 1, `is signed by unknown authority "CN=CA 0, O=Mint"`, "RFC 5280, Section 6.1.1"},
		{"swapped intermediate", good.ask("", false, heap(stray.certs[1].Raw)), pki.CheckSignatures, pki.ReasonSignature, 0, `was not signed by the "CN=CA 1, O=Mint" that is given: that CA has another key`, "RFC 5280, Section 6.1.3"},
		{"CA:FALSE signer", m.chain(nil, notCA, nil).ask("", false), pki.CheckConstraints, pki.ReasonConstraint, 1, `the issuing certificate "CN=CA 1, O=Mint" is not a CA certificate`, "RFC 5280, Section 6.1.4"},
		{"path length", m.chain(nil, limit, nil, nil).ask("", false), pki.CheckConstraints, pki.ReasonConstraint, 2, "allows at most 0 CAs below it, and the chain has 1", "RFC 5280, Section 6.1.4"},
		{"name constraint", m.chain(nil, m.constrained(pki.NameConstraints{PermittedDNS: []string{"corp.example"}}), nil).ask("", false), pki.CheckConstraints, pki.ReasonConstraint, 0,
			`the DNS name "www.example.com" lies outside the permitted "corp.example"`, "RFC 5280, Section 6.1.3"},
		{"revoked", good.ask("", false, revocation(pki.RevocationHard, good.crl(0, crl.Template{}), revoked)), pki.CheckRevocation, pki.ReasonRevoked, 0, "was revoked on 2026-05-27", "RFC 5280, Section 6.3.3"},
		{"no status", good.ask("", false, revocation(pki.RevocationHard)), pki.CheckRevocation, pki.ReasonStatus, 0, "nothing at hand says whether it is revoked", "RFC 5280, Section 6.3.3"},
		{"usage", good.ask("", false, usage(pki.UsageClient)), pki.CheckUsage, pki.ReasonUsage, 0, "may be used for serverAuth only, not to prove a client (clientAuth)", "RFC 5280, Section 4.2.1.12"},
	} {
		e := tt.q.ours()
		wellFormed(t, tt.name, e)
		r := row(e, tt.check)
		if e.Trusted || r.Outcome != pki.Failed || r.Reason != tt.reason || r.Depth != tt.depth || r.Section != tt.section || !strings.Contains(r.Text, tt.text) {
			t.Errorf("%s: %+v", tt.name, r)
			continue
		}
		if e.Err == nil || e.Err.Text != r.Text || e.Err.Reason != r.Reason || e.Err.Depth != r.Depth {
			t.Errorf("%s: error %+v", tt.name, e.Err)
		}
		if tt.name != "unknown root" && len(e.Path) < 3 {
			t.Errorf("%s: a path of %d", tt.name, len(e.Path))
		}
		for _, c := range pki.Checks()[:7] {
			if other := row(e, c); c != tt.check && other.Outcome == pki.Failed {
				t.Errorf("%s: %v fails, too: %s", tt.name, c, other.Text)
			}
		}
	}
}

func TestEveryCertificateAtFaultIsNamed(t *testing.T) {
	m := newMint(t)
	e := m.chain(nil, nil, nil).ask("", false, at(mintTime().Add(4000*day)), host("evil.example")).ours()
	depths := ""
	for _, r := range e.Checks {
		if r.Check == pki.CheckDates {
			depths += fmt.Sprint(r.Depth)
		}
	}
	if depths != "012" || row(e, pki.CheckName).Outcome != pki.Failed || e.Err.Reason != pki.ReasonExpired {
		t.Errorf("dates of %q, error %v", depths, e.Err)
	}
}

func TestPassedChecksSayWhatTheyLookedAt(t *testing.T) {
	m := newMint(t)
	c := m.chain(nil, m.constrained(pki.NameConstraints{PermittedDNS: []string{"example.com"}}), nil)
	e := c.ask("", true, host("www.example.com"), revocation(pki.RevocationSoft, c.crl(1, crl.Template{}))).ours()
	if !e.Trusted || !e.LibraryJudged || e.Library != nil || len(e.Path) != 3 || e.Tried != 1 {
		t.Fatalf("%+v", e)
	}
	for check, want := range map[pki.Check]string{
		pki.CheckSignatures: "all 2 signatures were made by the key", pki.CheckRoot: `ends at the trusted root "CN=CA 0, O=Mint"`,
		pki.CheckDates: `the first to end is "CN=leaf, O=Mint" on 2027-06-16`, pki.CheckName: "is valid for www.example.com",
		pki.CheckUsage: "may be used to prove a server (serverAuth)", pki.CheckConstraints: "name constraints are kept", pki.CheckRevocation: "is not on the CRL",
	} {
		if r := row(e, check); r.Outcome != pki.Passed || !strings.Contains(r.Text, want) {
			t.Errorf("%v: %v, %q", check, r.Outcome, r.Text)
		}
	}
	statuses := 0
	for _, r := range e.Checks {
		if r.Check == pki.CheckPolicies {
			t.Error("policies are shown, which nobody asked for")
		}
		if r.Check == pki.CheckRevocation {
			statuses++
		}
	}
	if statuses != 3 {
		t.Errorf("%d rows on revocation", statuses)
	}
	e = c.ask("", true, anyUsage, func(q *question) { q.o.Policies = new(pki.PolicyOptions) }).ours()
	for _, check := range []pki.Check{pki.CheckName, pki.CheckUsage, pki.CheckRevocation} {
		if r := row(e, check); r.Outcome != pki.NotAsked {
			t.Errorf("%v: %v", check, r.Outcome)
		}
	}
	if r := row(e, pki.CheckPolicies); r.Outcome != pki.Passed {
		t.Errorf("policies: %+v", r)
	}
}

func TestLibraryIsAskedAboutTheRest(t *testing.T) {
	m := newMint(t)
	base := m.dn(m.template(2, 3).Subject)
	both := pki.NameConstraints{PermittedDirNames: [][]byte{base}, PermittedDNS: []string{"example.com"}}
	c := m.chain(nil, m.constrained(both), nil)
	e := c.ask("", true).ours()
	if !e.Trusted || e.LibraryJudged || e.Library == nil {
		t.Errorf("trusted %v, judged %v, library %v", e.Trusted, e.LibraryJudged, e.Library)
	}
	if e := c.ask("", false, at(mintTime().Add(381*day))).ours(); e.Trusted {
		t.Error("an expired leaf is trusted beyond the library")
	}
}

// Where both can judge and differ, the answer is no: the library wants no URI without
// a host below any constraint, and RFC 5280 only where URIs are constrained.
func TestTheLibraryCanRefuseAlone(t *testing.T) {
	m := newMint(t)
	u, err := url.Parse("urn:example:a")
	if err != nil {
		t.Fatal(err)
	}
	c := m.chain(nil, m.constrained(pki.NameConstraints{PermittedDNS: []string{"example.com"}}), func(t *x509.Certificate) { t.URIs = []*url.URL{u} })
	e := c.ask("", false).ours()
	wellFormed(t, "URN", e)
	if r := row(e, pki.CheckConstraints); e.Trusted || !e.LibraryJudged || e.Library == nil || r.Outcome != pki.Failed || !strings.Contains(r.Text, "urn:example:a") {
		t.Errorf("trusted %v, library %v, %+v", e.Trusted, e.Library, r)
	}
}

func TestChecksAndOutcomesHaveNames(t *testing.T) {
	var names []string
	for _, c := range pki.Checks() {
		names = append(names, c.String())
	}
	for o := pki.Passed; o <= pki.Undecided+1; o++ {
		names = append(names, o.String())
	}
	names = append(names, (pki.CheckPolicies + 1).String())
	want := "signature per link, root in store, dates, revocation, name, usage, constraints, policies, passed, failed, not asked, undecided, outcome 4, check 8"
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("%s", got)
	}
}

func TestExplainRefusesWhatItCannotLookAt(t *testing.T) {
	m := newMint(t)
	c := m.chain(nil, nil, nil)
	good := c.ask("", true)
	many := make([][]byte, pki.MaxHeapLength)
	for i := range many {
		many[i] = c.certs[1].Raw
	}
	for name, tt := range map[string]struct {
		leaf   []byte
		o      func(*question)
		reason pki.Reason
	}{
		"no time":         {good.leaf, at(time.Time{}), pki.ReasonMisuse},
		"a large heap":    {good.leaf, heap(many...), pki.ReasonLimit},
		"a heavy heap":    {good.leaf, heap(make([]byte, pki.MaxHeapBytes)), pki.ReasonLimit},
		"no certificate":  {[]byte("junk"), at(mintTime()), pki.ReasonMalformed},
		"nothing":         {nil, at(mintTime()), pki.ReasonMalformed},
		"a huge leaf":     {append(bytes.Clone(good.leaf), make([]byte, 64<<10)...), at(mintTime()), pki.ReasonMalformed},
		"bytes behind it": {append(bytes.Clone(good.leaf), 0), at(mintTime()), pki.ReasonMalformed},
	} {
		q := c.ask("", false, tt.o)
		q.leaf = tt.leaf
		e := q.ours()
		wellFormed(t, name, e)
		if e.Err == nil || e.Err.Reason != tt.reason || e.Path != nil {
			t.Errorf("%s: %+v", name, e.Err)
		}
	}
}

func TestSystemRootsAreFound(t *testing.T) {
	m := newMint(t)
	c := m.chain(nil, nil, nil)
	pool := x509.NewCertPool()
	pool.AddCert(c.root())
	system := func(q *question) { q.roots, q.o.Roots, q.o.SystemRoots = nil, nil, pool }
	e := c.ask("", true, system).ours()
	if !e.Trusted || len(e.Path) != 3 || !e.Path[2].Equal(c.root()) {
		t.Errorf("error %v, path of %d", e.Err, len(e.Path))
	}
	for name, q := range map[string]*question{
		"wrong host":  c.ask("", false, system, host("evil.example")),
		"expired":     c.ask("", false, system, at(mintTime().Add(4000*day))),
		"wrong usage": c.ask("", false, system, usage(pki.UsageClient)),
	} {
		if e := q.ours(); e.Trusted || len(e.Path) != 3 || row(e, pki.CheckRoot).Outcome != pki.Passed {
			t.Errorf("%s: trusted %v, path of %d, root %+v", name, e.Trusted, len(e.Path), row(e, pki.CheckRoot))
		}
	}
}

// A leaf may be made to cost much. None of these takes more than some seconds, even
// where everything is slow; that they end is what is tested.
func TestHostileHeapsEnd(t *testing.T) {
	m := newMint(t)
	var layers [][]byte
	parent, key := m.chain(nil).root(), m.key(0)
	root := parent
	for depth := range 8 {
		for copies := range 12 {
			tm := m.template(1, 3)
			tm.Subject.CommonName = fmt.Sprintf("layer %d", depth)
			step := &chain{m: m, certs: []*x509.Certificate{parent}, keys: nil}
			step.keys = append(step.keys, key)
			step.add(tm, m.key(depth+1))
			layers = append(layers, step.certs[1].Raw)
			if copies == 11 {
				parent = step.certs[1]
			}
		}
		key = m.key(depth + 1)
	}
	leaf := &chain{m: m, certs: []*x509.Certificate{parent}}
	leaf.keys = append(leaf.keys, key)
	leaf.add(m.template(2, 3), newKey(t))
	o := pki.VerifyOptions{Time: mintTime(), Intermediates: layers, Roots: []*x509.Certificate{root}}
	if e := pki.Explain(leaf.leaf(), o); !e.Trusted {
		t.Errorf("12^8 paths, all good: %v", e.Err)
	}
	o.ServerName = "evil.example"
	if e := pki.Explain(leaf.leaf(), o); e.Trusted || row(e, pki.CheckName).Outcome != pki.Failed {
		t.Errorf("12^8 paths, all bad: %v", e.Err)
	}
	o.Roots = m.chain(func(t *x509.Certificate) { t.Subject.CommonName = "another" }).heapOf(0)
	if e := pki.Explain(leaf.leaf(), o); e.Trusted || row(e, pki.CheckRoot).Outcome != pki.Failed {
		t.Errorf("12^8 paths to nowhere: %v", e.Err)
	}
}

func TestNamesTimesConstraintsAreBounded(t *testing.T) {
	m := newMint(t)
	var n pki.NameConstraints
	for i := range 3000 {
		n.ExcludedIP = append(n.ExcludedIP, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32))
	}
	c := m.chain(nil, m.constrained(n), func(t *x509.Certificate) {
		t.DNSNames = nil
		for i := range 3000 {
			t.IPAddresses = append(t.IPAddresses, []byte{192, 0, byte(i >> 8), byte(i)})
		}
	})
	e := c.ask("", false, anyUsage).ours()
	if e.Trusted || e.Err.Reason != pki.ReasonLimit {
		t.Errorf("nine million comparisons: %v", e.Err)
	}
}

func TestLongNamesCountForMore(t *testing.T) {
	m := newMint(t)
	long := pkix.Name{}
	for i := range 1500 {
		long.ExtraNames = append(long.ExtraNames, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 11}, Value: fmt.Sprint("unit ", i)})
	}
	var names []asn1.RawValue
	for i := range 2000 {
		names = append(names, asn1.RawValue{Class: 2, Tag: 4, IsCompound: true, Bytes: m.dn(pkix.Name{CommonName: fmt.Sprint(i)})})
	}
	c := m.chain(nil, m.constrained(pki.NameConstraints{ExcludedDirNames: [][]byte{m.dn(long)}}),
		both(func(t *x509.Certificate) { t.DNSNames = nil }, extension(asn1.ObjectIdentifier{2, 5, 29, 17}, false, m.der(names))))
	if e := c.ask("", false, anyUsage).ours(); e.Trusted || e.Err.Reason != pki.ReasonLimit {
		t.Errorf("two thousand names times a very long one: %v", e.Err)
	}
}

func TestForgeableSignaturesAreNamed(t *testing.T) {
	for _, q := range betterTLSSample(t) {
		if q.name != "pathbuilding 8" {
			continue
		}
		if r := row(q.ours(), pki.CheckSignatures); r.Outcome != pki.Failed || r.Reason != pki.ReasonSignature || !strings.Contains(r.Text, "is signed with ECDSA-SHA1, which can be forged") {
			t.Errorf("%+v", r)
		}
	}
}

func TestCAsThatMayNotSignAreNamed(t *testing.T) {
	m := newMint(t)
	c := m.chain(nil, func(t *x509.Certificate) { t.KeyUsage = x509.KeyUsageCRLSign }, nil)
	if r := row(c.ask("", false).ours(), pki.CheckConstraints); r.Depth != 1 || !strings.Contains(r.Text, "may not sign certificates") {
		t.Errorf("%+v", r)
	}
}

func TestVerifyMatchesMailboxes(t *testing.T) {
	m := newMint(t)
	c := m.chain(nil, nil, func(t *x509.Certificate) {
		t.DNSNames, t.EmailAddresses, t.ExtKeyUsage = nil, []string{"alice@example.com"}, []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
	})
	for name, ok := range map[string]bool{"alice@example.com": true, "alice@EXAMPLE.com": true, "Alice@example.com": false, "bob@example.com": false, "example.com": false, "": true} {
		q := c.ask("", ok, usage(pki.UsageEmail), host(name))
		if _, err := pki.Verify(q.leaf, q.o); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
