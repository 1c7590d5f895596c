package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/netip"
	"strings"
	"testing"
)

// refusal is one request that must be refused with reason and hint.
type refusal struct {
	issuer Issuer
	req    Request
	reason string
	hint   string
}

func checkRefusals(t *testing.T, cases map[string]refusal) {
	t.Helper()
	for name, c := range cases {
		_, err := c.issuer.Issue(c.req, testNow)
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.reason) || !strings.Contains(refused.Hint, c.hint) || refused.Hint == "" {
			t.Errorf("%s: %v (%+v)", name, err, refused)
		}
	}
}

// constrainedCA is a root, an intermediate with constraints, and one below it that
// has none of its own.
func constrainedCA(t *testing.T, n *NameConstraints) (upper, lower Issuer) {
	t.Helper()
	root := Issuer{Key: newKey(t, P256)}
	root.Certificate = mustSelfSign(t, Request{Profile: ProfileRoot, CommonName: "Root"}, root.Key)
	one, zero := 1, 0
	upper = Issuer{Key: newKey(t, P256), Chain: []*x509.Certificate{root.Certificate}}
	upper.Certificate = mustIssue(t, root, Request{Profile: ProfileIntermediate, CommonName: "Upper", Subject: pkix.Name{Organization: []string{"Org"}}, Key: upper.Key.Public(), NameConstraints: n, PathLen: &one})
	lower = Issuer{Key: newKey(t, P256), Chain: []*x509.Certificate{upper.Certificate, root.Certificate}}
	lower.Certificate = mustIssue(t, upper, Request{Profile: ProfileIntermediate, CommonName: "Lower", Subject: pkix.Name{Organization: []string{"Org"}}, Key: lower.Key.Public(), PathLen: &zero})
	return upper, lower
}

func TestNameConstraintsOfEveryAncestorAreKeptAtIssuance(t *testing.T) {
	org, err := encodeName(pkix.Name{Organization: []string{"Org"}})
	if err != nil {
		t.Fatal(err)
	}
	upper, lower := constrainedCA(t, &NameConstraints{
		PermittedDNS: []string{"inside.example"}, ExcludedDNS: []string{"secret.inside.example"},
		PermittedIP: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, PermittedEmail: []string{"inside.example"},
		PermittedURI: []string{".inside.example"}, PermittedDirNames: [][]byte{org},
	})
	key := newKey(t, P256).Public()
	var ext pkix.Extension
	for _, e := range upper.Certificate.Extensions {
		if e.Id.String() == "2.5.29.30" {
			ext = e
		}
	}
	if !ext.Critical {
		t.Error("name constraints are missing or not critical")
	}
	subject := pkix.Name{Organization: []string{"Org"}}
	for _, issuer := range []Issuer{upper, lower} {
		for _, san := range []string{"a.inside.example", "*.x.inside.example", "10.1.2.3", "uri:https://x.inside.example/", "email:bob@inside.example"} {
			profile := ProfileServer
			if strings.HasPrefix(san, "email") {
				profile = ProfileEmail
			}
			c, err := issuer.Issue(Request{Profile: profile, Subject: subject, SANs: []string{san}, Key: key}, testNow)
			if err != nil {
				t.Errorf("%s: %v", san, err)
				continue
			}
			roots, inter := x509.NewCertPool(), x509.NewCertPool()
			roots.AddCert(issuer.Chain[len(issuer.Chain)-1])
			for _, ca := range issuer.ancestors() {
				inter.AddCert(ca)
			}
			if _, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: inter, CurrentTime: testNow, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil &&
				!strings.Contains(err.Error(), "unhandled critical extension") {
				t.Errorf("%s: the library: %v", san, err)
			}
		}
		server := func(san string) Request {
			return Request{Profile: ProfileServer, Subject: subject, SANs: []string{san}, Key: key}
		}
		checkRefusals(t, map[string]refusal{
			"DNS outside":      {issuer, server("a.outside.example"), `"a.outside.example" lies outside`, "within the constraints"},
			"DNS excluded":     {issuer, server("a.secret.inside.example"), `by the name constraints of "CN=Upper, O=Org"`, "within the constraints"},
			"DNS look-alike":   {issuer, server("ainside.example"), "outside", "constraints"},
			"address":          {issuer, server("11.1.2.3"), "11.1.2.3", "constraints"},
			"URI":              {issuer, server("uri:https://outside.example/"), "outside", "constraints"},
			"e-mail":           {issuer, Request{Profile: ProfileEmail, Subject: subject, SANs: []string{"bob@outside.example"}, Key: key}, "bob@outside.example", "constraints"},
			"directory":        {issuer, Request{Profile: ProfileServer, CommonName: "x", SANs: []string{"a.inside.example"}, Key: key}, "directory name", "constraints"},
			"common name only": {issuer, Request{Profile: ProfileClient, Subject: subject, CommonName: "a.outside.example", Key: key}, "a.outside.example", "constraints"},
		})
		checkRefusals(t, map[string]refusal{"common name beside an address": {issuer, Request{Profile: ProfileClient, Subject: subject, CommonName: "a.outside.example", SANs: []string{"10.0.0.1"}, Key: key}, "a.outside.example", "constraints"}})
		mustIssue(t, issuer, Request{Profile: ProfileClient, Subject: subject, CommonName: "a.inside.example", Key: key})
	}
}

func TestWhatTheChainAboveForbidsIsRefused(t *testing.T) {
	root, inter := testCA(t, P256)
	key := newKey(t, P256).Public()
	zero, one := 0, 1
	spec, err := BuiltinProfile(ProfileIntermediate)
	if err != nil {
		t.Fatal(err)
	}
	spec.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	serverOnly := Issuer{Key: newKey(t, P256), Chain: []*x509.Certificate{root.Certificate}}
	serverOnly.Certificate = mustIssue(t, root, Request{Spec: &spec, CommonName: "Servers only", Key: serverOnly.Key.Public()})

	// A CA with path length 0 above one that does not mention any.
	limited := Issuer{Key: newKey(t, P256)}
	limited.Certificate = mustSelfSign(t, Request{Profile: ProfileRoot, CommonName: "Limited", PathLen: &one}, limited.Key)
	below := Issuer{Key: newKey(t, P256), Chain: []*x509.Certificate{limited.Certificate}}
	below.Certificate = mustIssue(t, limited, Request{Profile: ProfileIntermediate, CommonName: "Below", Key: below.Key.Public(), PathLen: &zero})
	loose := *below.Certificate
	loose.MaxPathLen, loose.MaxPathLenZero = -1, false
	below.Certificate = &loose

	old := Issuer{Key: newKey(t, P256)}
	old.Certificate = mustSelfSign(t, Request{Profile: ProfileRoot, CommonName: "Old", Lifetime: 10 * day}, old.Key)
	outlives := Issuer{Key: newKey(t, P256), Chain: []*x509.Certificate{old.Certificate}}
	outlives.Certificate = mustIssue(t, old, Request{Profile: ProfileIntermediate, CommonName: "Outlives", Key: outlives.Key.Public()})
	longer := *outlives.Certificate
	longer.NotAfter = testNow.Add(900 * day)
	outlives.Certificate = &longer

	client := Request{Profile: ProfileClient, CommonName: "alice", Key: key}
	week := client
	week.Lifetime = 30 * day
	checkRefusals(t, map[string]refusal{
		"purpose":         {serverOnly, client, "limited to other purposes than clientAuth", "another CA"},
		"path length":     {below, Request{Profile: ProfileIntermediate, CommonName: "Third", Key: key}, `path length of "CN=Limited"`, "nearer to the root"},
		"chain in chaos":  {Issuer{Certificate: inter.Certificate, Key: inter.Key, Chain: []*x509.Certificate{limited.Certificate}}, client, "did not issue", "nearest first"},
		"chain of leaves": {Issuer{Certificate: inter.Certificate, Key: inter.Key, Chain: []*x509.Certificate{notCA(root.Certificate)}}, client, "not a CA", "intermediate"},
		"outlives":        {outlives, week, `after that of the issuer "CN=Old"`, "at most 10 days"},
	})
	if c := mustIssue(t, outlives, client); !c.NotAfter.Equal(old.Certificate.NotAfter) {
		t.Errorf("ends on %v, the CA above on %v", c.NotAfter, old.Certificate.NotAfter)
	}
	mustIssue(t, serverOnly, Request{Profile: ProfileServer, SANs: []string{"a.example"}, Key: key})
	mustIssue(t, serverOnly, Request{Profile: ProfileOCSP, CommonName: "Answers", Key: key})
	if _, err := (Issuer{Certificate: inter.Certificate, Key: inter.Key, Chain: []*x509.Certificate{nil}}).Issue(client, testNow); err == nil {
		t.Error("a chain with a gap")
	}
	if _, err := (Issuer{Certificate: inter.Certificate, Key: inter.Key, Chain: make([]*x509.Certificate, 11)}).Issue(client, testNow); err == nil {
		t.Error("a chain of 12")
	}
}

func notCA(c *x509.Certificate) *x509.Certificate {
	d := *c
	d.IsCA = false
	return &d
}

func TestNewKindsOfUnsoundRequestsAreRefused(t *testing.T) {
	root, inter := testCA(t, P256)
	key := newKey(t, P256)
	server := func(change func(*Request)) Request {
		r := Request{Profile: ProfileServer, SANs: []string{"a.example"}, Key: key.Public()}
		change(&r)
		return r
	}
	withSpec := func(p Profile, change func(*ProfileSpec)) Request {
		s, err := BuiltinProfile(p)
		if err != nil {
			t.Fatal(err)
		}
		s.Name = "own"
		change(&s)
		return Request{Spec: &s, CommonName: "alice", SANs: []string{"a.example"}, Key: key.Public()}
	}
	nc := &NameConstraints{PermittedDNS: []string{"example"}}
	minus := -2
	oid := mustOID(t, "1.2.3")
	checkRefusals(t, map[string]refusal{
		"10-year leaf":           {inter, server(func(r *Request) { r.Lifetime = 3650 * day }), "3650 days", "fewer days"},
		"SHA-1 with RSA":         {inter, server(func(r *Request) { r.SignatureAlgorithm = x509.SHA1WithRSA }), "SHA1-RSA", "SHA-256"},
		"algorithm of another":   {inter, server(func(r *Request) { r.SignatureAlgorithm = x509.PureEd25519 }), "ECDSA P-256", "leave the algorithm out"},
		"wildcard of a TLD":      {inter, server(func(r *Request) { r.SANs = []string{"*.example"} }), "top-level domain", "*.lab.example"},
		"wildcard client":        {inter, server(func(r *Request) { r.Profile, r.SANs = ProfileClient, []string{"*.a.example"} }), "only servers", "in full"},
		"inner wildcard":         {inter, server(func(r *Request) { r.SANs = []string{"a.*.example"} }), "leftmost label", ""},
		"e-mail without address": {inter, server(func(r *Request) { r.Profile, r.SANs, r.CommonName = ProfileEmail, nil, "Bob" }), "needs an address", "--san"},
		"host for e-mail":        {inter, server(func(r *Request) { r.Profile, r.SANs = ProfileEmail, []string{"a.example", "b@c.example"} }), "kind dns", "takes: email"},
		"serial zero":            {inter, server(func(r *Request) { r.Serial = new(big.Int) }), "positive", "random"},
		"serial of 160 bits":     {inter, server(func(r *Request) { r.Serial = new(big.Int).Lsh(big.NewInt(1), 159) }), "20 octets", "random"},
		"staple of a client":     {inter, server(func(r *Request) { r.Profile, r.MustStaple = ProfileClient, true }), "only a server", "servers"},
		"constrained leaf":       {inter, server(func(r *Request) { r.NameConstraints = nc }), "for CAs", "above"},
		"empty constraints":      {root, Request{Profile: ProfileIntermediate, CommonName: "I", Key: key.Public(), NameConstraints: &NameConstraints{}}, "empty", ""},
		"path length -2":         {root, Request{Profile: ProfileIntermediate, CommonName: "I", Key: key.Public(), PathLen: &minus}, "-2", "no limit"},
		"policy twice":           {inter, server(func(r *Request) { r.Policies = []x509.OID{oid, oid} }), "listed twice", "once"},
		"CRL as a file":          {inter, server(func(r *Request) { r.CRLDistributionPoints = []string{"file:///ca.crl"} }), "at which clients find the CRL", "http://"},
		"OCSP over ldap":         {inter, server(func(r *Request) { r.OCSPServers = []string{"ldap://ca.example"} }), "OCSP server", "http://"},
		"relative URL":           {inter, server(func(r *Request) { r.IssuingCertificateURLs = []string{"/ca.der"} }), "issuer certificate", "http://"},
		"URL in Unicode":         {inter, server(func(r *Request) { r.OCSPServers = []string{"http://müller.example"} }), "OCSP server", "http://"},
		"17 URLs":                {inter, server(func(r *Request) { r.OCSPServers = make([]string, 17) }), "more than 16", ""},
		"1001 names":             {inter, server(func(r *Request) { r.SANs = make([]string, 1001) }), "more than 1000", "several"},
		"country":                {inter, server(func(r *Request) { r.Subject.Country = []string{"Germany"} }), "two letters", "DE"},
		"long organization":      {inter, server(func(r *Request) { r.Subject.Organization = []string{strings.Repeat("x", 65)} }), "organization of the subject has more than 64", "shorten"},
		"broken UTF-8":           {inter, server(func(r *Request) { r.CommonName = "\xff" }), "cannot be written", ""},
		"short-lived and long":   {inter, withSpec(ProfileServer, func(s *ProfileSpec) { s.ShortLived = true }), "without a maximum of 7 days", "7 days or less"},
		"short-lived with CRL": {inter, withSpec(ProfileServer, func(s *ProfileSpec) {
			s.ShortLived, s.Lifetime, s.MaxLifetime, s.CRLDistributionPoints = true, day, day, []string{"http://a.example/crl"}
		}), "no CRL and no OCSP", ""},
		"CA that may not sign":  {inter, withSpec(ProfileIntermediate, func(s *ProfileSpec) { s.KeyUsage = x509.KeyUsageCRLSign }), "may not sign", "cert-sign"},
		"leaf that signs":       {inter, withSpec(ProfileServer, func(s *ProfileSpec) { s.KeyUsage |= x509.KeyUsageCertSign }), "not a CA", "make it a CA"},
		"constrained leaf spec": {inter, withSpec(ProfileServer, func(s *ProfileSpec) { s.NameConstraints = nc }), "not a CA", "above"},
		"staple in a CA":        {inter, withSpec(ProfileIntermediate, func(s *ProfileSpec) { s.MustStaple = true }), "for leaves", ""},
		"no-check for a server": {inter, withSpec(ProfileServer, func(s *ProfileSpec) { s.OCSPNoCheck = true }), "OCSP answers", ""},
		"time stamps and more":  {inter, withSpec(ProfileServer, func(s *ProfileSpec) { s.ExtKeyUsage = append(s.ExtKeyUsage, x509.ExtKeyUsageTimeStamping) }), "nothing else", "of its own"},
		"lifetime over maximum": {inter, withSpec(ProfileServer, func(s *ProfileSpec) { s.MaxLifetime = day }), "maximum", ""},
		"profile's own maximum": {inter, func() Request {
			r := withSpec(ProfileServer, func(s *ProfileSpec) { s.Lifetime, s.MaxLifetime = day, 2*day })
			r.Lifetime = 3 * day
			return r
		}(), `profile "own" allows at most 2 days`, "fewer"},
		"path length of profile": {inter, withSpec(ProfileIntermediate, func(s *ProfileSpec) { s.PathLen = -5 }), "-5", "no limit"},
		"huge purpose":           {inter, withSpec(ProfileServer, func(s *ProfileSpec) { s.OtherExtKeyUsage = []x509.OID{mustOID(t, "1.2.99999999999")} }), "too large", ""},
	})
	short := withSpec(ProfileServer, func(s *ProfileSpec) { s.ShortLived, s.Lifetime, s.MaxLifetime = true, day, 2*day })
	c := mustIssue(t, inter, short)
	found := false
	for _, e := range c.Extensions {
		found = found || e.Id.String() == "2.5.29.56" && !e.Critical
	}
	if !found {
		t.Error("a short-lived certificate without noRevAvail")
	}
	short.Lifetime, short.AllowLong = 3*day, true
	checkRefusals(t, map[string]refusal{"short-lived, but long": {inter, short, "cannot be revoked", "48h"}})
	stamps := withSpec(ProfileServer, func(s *ProfileSpec) {
		s.ExtKeyUsage, s.NeedsSAN = []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}, false
	})
	for _, e := range mustIssue(t, inter, stamps).Extensions {
		if e.Id.String() == "2.5.29.37" && !e.Critical {
			t.Error("the purpose of a time stamper is not critical")
		}
	}
}

func TestEveryProfileIssuesWhatItSays(t *testing.T) {
	_, inter := testCA(t, P256)
	for _, p := range Profiles() {
		if again, err := ParseProfile(string(p)); err != nil || again != p {
			t.Errorf("%s: %v", p, err)
		}
		spec, err := BuiltinProfile(p)
		if err != nil || spec.Name != p || spec.Validate() != nil {
			t.Errorf("%s: %v, %v", p, err, spec.Validate())
		}
	}
	for _, k := range []KeyType{RSA2048, P256, Ed25519} {
		key := newKey(t, k).Public()
		for p, want := range map[Profile]x509.ExtKeyUsage{ProfileOCSP: x509.ExtKeyUsageOCSPSigning, ProfileCode: x509.ExtKeyUsageCodeSigning, ProfileEmail: x509.ExtKeyUsageEmailProtection} {
			req := Request{Profile: p, CommonName: "Name", Key: key}
			if p == ProfileEmail {
				req.SANs = []string{"bob@example.org"}
			}
			c := mustIssue(t, inter, req)
			if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != want {
				t.Errorf("%s: %v", p, c.ExtKeyUsage)
			}
			agree, encipher := c.KeyUsage&x509.KeyUsageKeyAgreement != 0, c.KeyUsage&x509.KeyUsageKeyEncipherment != 0
			if agree != (p == ProfileEmail && k == P256) || encipher != (p == ProfileEmail && k == RSA2048) {
				t.Errorf("%s with %s: key usage %b", p, k, c.KeyUsage)
			}
			nocheck := false
			for _, e := range c.Extensions {
				nocheck = nocheck || e.Id.String() == "1.3.6.1.5.5.7.48.1.5"
			}
			if nocheck != (p == ProfileOCSP) {
				t.Errorf("%s: no-check %v", p, nocheck)
			}
		}
	}
	if _, err := ParseProfile("nobody"); err == nil {
		t.Error("a profile of nobody")
	}
	if got := (SANDNS | SANEmail).String(); got != "dns, email" {
		t.Error(got)
	}
	for u := x509.ExtKeyUsageAny; u <= x509.ExtKeyUsageMicrosoftKernelCodeSigning+1; u++ {
		if PurposeName(u) == "" {
			t.Errorf("purpose %d has no name", u)
		}
	}

}
