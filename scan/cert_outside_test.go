package scan

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ct"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// office answers for a CA on loopback: its certificates, its OCSP responder and its CRLs.
type office struct {
	*pkitest.CA
	t       testing.TB
	url     string
	revoked atomic.Bool
	silent  atomic.Bool // the responder answers tryLater
	asked   atomic.Int64
}

func newOffice(t testing.TB) *office {
	o := &office{CA: pkitest.New(t, pkitest.P256), t: t}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.asked.Add(1)
	switch r.URL.Path {
	case "/inter":
		_, _ = w.Write(o.Intermediate.Raw)
	case "/root":
		_, _ = w.Write(o.Root.Raw)
	case "/ocsp":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		request, err := ocsp.ParseRequest(body)
		if err != nil || o.silent.Load() {
			_, _ = w.Write(ocsp.ErrorResponse(ocsp.TryLater))
			return
		}
		_, _ = w.Write(o.response(request.IDs[0], o.status()))
	case "/crl":
		t := crl.Template{Number: big.NewInt(1), ThisUpdate: o.Now.Add(-time.Hour), NextUpdate: o.Now.Add(time.Hour)}
		if o.revoked.Load() {
			t.Entries = slices.Values([]crl.Entry{{Serial: []byte{0x77}, RevokedAt: o.Now.Add(-time.Minute)}})
		}
		der, err := crl.Create(t, o.Intermediate, o.Key)
		if err == nil {
			_, _ = w.Write(der)
		}
	default:
		http.NotFound(w, r)
	}
}

func (o *office) status() ocsp.CertStatus {
	if o.revoked.Load() {
		return ocsp.Revoked
	}
	return ocsp.Good
}

func (o *office) response(id ocsp.CertID, status ocsp.CertStatus) []byte {
	single := ocsp.Single{ID: id, Status: status, ThisUpdate: o.Now.Add(-time.Hour), NextUpdate: o.Now.Add(time.Hour)}
	if status == ocsp.Revoked {
		single.RevokedAt = o.Now.Add(-time.Minute)
	}
	der, err := ocsp.CreateResponse(ocsp.ResponseTemplate{Singles: []ocsp.Single{single}, ProducedAt: o.Now}, o.Intermediate, o.Key)
	if err != nil {
		o.t.Error(err)
	}
	return der
}

// staple makes what a server would staple to a leaf.
func (o *office) staple(leaf *x509.Certificate, status ocsp.CertStatus) []byte {
	id, err := ocsp.NewCertID(leaf.SerialNumber.Bytes(), o.Intermediate, crypto.SHA1)
	if err != nil {
		o.t.Fatal(err)
	}
	return o.response(id, status)
}

// issue makes a leaf for lab.test with serial number 0x77.
func (o *office) issue(change func(*pki.Request)) *pkitest.Leaf {
	r := pki.Request{Profile: pki.ProfileServer, SANs: []string{"lab.test"}, Serial: big.NewInt(0x77)}
	if change != nil {
		change(&r)
	}
	return o.Issue(pkitest.P256, r)
}

// judge makes a judge that trusts the root and may ask at private addresses.
func (o *office) judge(change func(*Options)) *judge {
	options := Options{AllowPrivate: true, Stores: []Store{{Name: "own CA", Roots: []*x509.Certificate{o.Root}}}}
	if change != nil {
		change(&options)
	}
	options = options.filled()
	return newJudge(&options)
}

func (o *office) ask(j *judge, sent *sentChain) *grade.Chain {
	c := j.chain(o.t.Context(), chainQuestion{sent: sent, name: "lab.test", now: o.Now})
	return &c.facts
}

func TestMissingIssuersAreFetched(t *testing.T) {
	o := newOffice(t)
	leaf := o.issue(func(r *pki.Request) { r.IssuingCertificateURLs = []string{o.url + "/nowhere", o.url + "/inter"} })
	alone := &sentChain{DER: leaf.Chain[:1]}
	if f := o.ask(o.judge(nil), alone); f.Trusted != grade.Yes || f.Complete != grade.No || f.AIARepairs != grade.Yes || len(f.Missing) != 1 || len(f.Path) != 3 {
		t.Errorf("trusted %s, complete %s, repaired %s, missing %q, path %q", f.Trusted, f.Complete, f.AIARepairs, f.Missing, f.Path)
	}
	if f := o.ask(o.judge(func(o *Options) { o.Stores = []Store{{Name: "empty"}} }), alone); f.Trusted != grade.No || f.Complete != grade.No || f.AIARepairs != grade.No {
		t.Errorf("of a stranger: trusted %s, complete %s, repaired %s", f.Trusted, f.Complete, f.AIARepairs)
	}
	// What a store knows stands in where there is nothing to fetch; that is no repair that browsers can make.
	knowing := func(options *Options) { options.Stores[0].Intermediates = []*x509.Certificate{o.Intermediate} }
	if f := o.ask(o.judge(knowing), &sentChain{DER: o.issue(nil).Chain[:1]}); f.Trusted != grade.Yes || f.Complete != grade.No || f.AIARepairs != grade.No {
		t.Errorf("known, without an address: trusted %s, complete %s, repaired %s", f.Trusted, f.Complete, f.AIARepairs)
	}
	whole := func(options *Options) { options.Stores[0].Roots = []*x509.Certificate{o.Intermediate, o.Root} }
	if f := o.ask(o.judge(whole), &sentChain{DER: o.issue(nil).Chain[:1]}); f.Trusted != grade.Yes || f.Complete != grade.No || len(f.Path) != 3 {
		t.Errorf("with the intermediate among the roots: trusted %s, complete %s, path %q", f.Trusted, f.Complete, f.Path)
	}
	lone := func(options *Options) { options.Stores[0].Roots = []*x509.Certificate{o.Intermediate} }
	if f := o.ask(o.judge(lone), &sentChain{DER: o.issue(nil).Chain[:1]}); f.Trusted != grade.Yes || f.Complete != grade.Yes || len(f.Path) != 2 {
		t.Errorf("with the intermediate as the root: trusted %s, complete %s, path %q", f.Trusted, f.Complete, f.Path)
	}
	before := o.asked.Load()
	for name, j := range map[string]*judge{"offline": o.judge(func(o *Options) { o.Offline = true }), "private addresses closed": o.judge(func(o *Options) { o.AllowPrivate = false })} {
		if f := o.ask(j, alone); f.Trusted != grade.No || f.Complete != grade.Unknown || o.asked.Load() != before {
			t.Errorf("%s: trusted %s, complete %s, %d questions", name, f.Trusted, f.Complete, o.asked.Load()-before)
		}
	}
	// What the missing one turns out to be decides: without a root nothing is incomplete.
	if f := o.ask(o.judge(nil), &sentChain{DER: leaf.Chain}); f.Complete != grade.Yes || f.AIARepairs != grade.Unasked || o.asked.Load() != before {
		t.Errorf("a whole chain: complete %s, repaired %s", f.Complete, f.AIARepairs)
	}
}

func TestRevocationIsAskedForByOCSPThenCRL(t *testing.T) {
	o := newOffice(t)
	both := func(r *pki.Request) {
		r.OCSPServers, r.CRLDistributionPoints = []string{o.url + "/ocsp"}, []string{o.url + "/crl"}
	}
	for _, c := range []struct {
		name            string
		change          func(*pki.Request)
		silent, revoked bool
		want            grade.Answer
		source          string
	}{
		{"good by OCSP", both, false, false, grade.No, "(OCSP)"},
		{"revoked by OCSP", both, false, true, grade.Yes, "(OCSP)"},
		{"good by CRL", both, true, false, grade.No, "(CRL)"},
		{"revoked by CRL", both, true, true, grade.Yes, "(CRL)"},
		{"nobody to ask", nil, false, true, grade.Unasked, "names no"},
		{"responder out of order", func(r *pki.Request) { r.OCSPServers = []string{o.url + "/nowhere"} }, false, true, grade.Unknown, "unknown"},
	} {
		leaf := o.issue(c.change)
		o.silent.Store(c.silent)
		o.revoked.Store(c.revoked)
		f := o.ask(o.judge(nil), &sentChain{DER: leaf.Chain})
		if f.Revoked != c.want || len(f.Revocation) == 0 || !strings.Contains(f.Revocation[0], c.source) {
			t.Errorf("%s: %s, %q", c.name, f.Revoked, f.Revocation)
		}
		at := slices.IndexFunc(f.Checks, func(k grade.CertCheck) bool { return k.Check == "revocation" })
		want := map[grade.Answer]string{grade.Yes: "failed", grade.No: "undecided", grade.Unknown: "undecided", grade.Unasked: "not asked"}[c.want] // the intermediate has no status
		if at < 0 || f.Checks[at].Outcome != want {
			t.Errorf("%s: %+v", c.name, f.Checks)
		}
		if f.Trusted != grade.Yes {
			t.Errorf("%s: trusted %s", c.name, f.Trusted)
		}
	}
	before := o.asked.Load()
	leaf := o.issue(both)
	if f := o.ask(o.judge(func(o *Options) { o.Offline = true }), &sentChain{DER: leaf.Chain}); f.Revoked != grade.Unasked || o.asked.Load() != before {
		t.Errorf("offline: %s", f.Revoked)
	}
	if f := o.ask(o.judge(func(o *Options) { o.Quick = true }), &sentChain{DER: leaf.Chain}); f.Revoked != grade.Unasked || o.asked.Load() != before || len(f.Lint) > 0 {
		t.Errorf("quick: %s", f.Revoked)
	}
}

func TestStaplesAreJudged(t *testing.T) {
	o := newOffice(t)
	leaf := o.issue(func(r *pki.Request) { r.MustStaple = true; r.OCSPServers = []string{"http://ocsp.test/"} })
	other := o.issue(func(r *pki.Request) { r.Serial = big.NewInt(0x78) })
	good := o.staple(leaf.Certificate, ocsp.Good)
	bad := slices.Clone(good)
	bad[len(bad)-10] ^= 1
	for _, c := range []struct {
		name    string
		staple  []byte
		status  string
		valid   bool
		revoked grade.Answer
	}{
		{"good", good, "good", true, grade.No},
		{"revoked", o.staple(leaf.Certificate, ocsp.Revoked), "revoked", true, grade.Yes},
		{"unknown", o.staple(leaf.Certificate, ocsp.Unknown), "unknown", false, grade.Unknown},
		{"of another", o.staple(other.Certificate, ocsp.Good), "other certificate", false, grade.Unknown},
		{"bad signature", bad, "good", false, grade.Unknown},
		{"an error", ocsp.ErrorResponse(ocsp.TryLater), "tryLater", false, grade.Unknown},
		{"rubbish", []byte("rubbish"), "malformed", false, grade.Unknown},
	} {
		f := o.ask(o.judge(func(o *Options) { o.Offline = true }), &sentChain{DER: leaf.Chain, Staple: c.staple})
		if f.Staple == nil || f.Staple.Status != c.status || f.Staple.Valid != c.valid || (f.Staple.Reason == "") != c.valid || f.Revoked != c.revoked {
			t.Errorf("%s: %+v, revoked %s %q", c.name, f.Staple, f.Revoked, f.Revocation)
		}
		if !f.Leaf().MustStaple {
			t.Error("the certificate does not demand a staple")
		}
	}
	if f := o.ask(o.judge(nil), &sentChain{DER: leaf.Chain}); f.Staple != nil {
		t.Errorf("a staple out of nothing: %+v", f.Staple)
	}
	if f := o.ask(o.judge(nil), &sentChain{DER: leaf.Chain[:1], Staple: good}); f.Staple == nil || f.Staple.Valid {
		t.Errorf("a staple without the issuer: %+v", f.Staple)
	}
}

// logsOf makes CT logs of different operators, and a list that has them.
func logsOf(t *testing.T, operators ...string) ([]crypto.Signer, *ct.LogList) {
	t.Helper()
	type object = map[string]any
	var keys []crypto.Signer
	var entries []object
	for _, operator := range operators {
		key, err := pki.GenerateKey(pki.P256)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		id := sha256.Sum256(der)
		keys = append(keys, key)
		entries = append(entries, object{"name": operator, "logs": []object{{"description": operator + " log", "log_id": id[:], "key": der, "mmd": 60, "url": "https://log.test/",
			"state": object{"usable": object{"timestamp": time.Unix(0, 0).UTC()}}}}})
	}
	data, err := json.Marshal(object{"version": "1.0", "log_list_timestamp": time.Unix(0, 0).UTC(), "operators": entries})
	if err != nil {
		t.Fatal(err)
	}
	list, err := ct.ParseLogList(data)
	if err != nil {
		t.Fatal(err)
	}
	return keys, list
}

func TestTimestampsAreJudged(t *testing.T) {
	o := newOffice(t)
	leaf := o.issue(nil)
	keys, logs := logsOf(t, "Lab", "Other")
	key := keys[0]
	strangers, _ := logsOf(t, "Strange")
	stranger := strangers[0]
	about := func(c *x509.Certificate) ct.Entry {
		entry, err := ct.EntryOf(c, o.Intermediate, ct.Extension)
		if err != nil {
			t.Fatal(err)
		}
		return entry
	}
	entry := about(leaf.Certificate)
	sign := func(k crypto.Signer) ct.SCT {
		s, err := ct.Sign(entry, o.Now.Add(-time.Minute), nil, k)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	bad := sign(key)
	bad.Timestamp++
	list, err := ct.AppendList(nil, []ct.SCT{sign(key), sign(stranger), bad})
	if err != nil {
		t.Fatal(err)
	}
	sent := &sentChain{DER: leaf.Chain, SCTs: list}
	f := o.ask(o.judge(func(o *Options) { o.CT = logs }), sent)
	if len(f.SCTs) != 3 {
		t.Fatalf("timestamps %+v", f.SCTs)
	}
	for i, want := range []grade.Answer{grade.Yes, grade.Unknown, grade.No} {
		if s := f.SCTs[i]; s.Valid != want || s.Source != "handshake" || (s.Reason == "") != (want == grade.Yes) {
			t.Errorf("timestamp %d: %+v", i, s)
		}
	}
	if f.SCTs[0].Log != "Lab log" || f.CTPolicy != grade.Unasked {
		t.Errorf("log %q, policy %s of a private CA", f.SCTs[0].Log, f.CTPolicy)
	}
	f = o.ask(o.judge(nil), sent)
	if _, err := base64.StdEncoding.DecodeString(f.SCTs[0].Log); err != nil || f.SCTs[0].Valid != grade.Unknown {
		t.Errorf("without a list: %+v", f.SCTs[0])
	}
	// A public CA: a pool of the system, and a policy of the CA/Browser Forum.
	dv, err := x509.ParseOID("2.23.140.1.2.1")
	if err != nil {
		t.Fatal(err)
	}
	public := o.issue(func(r *pki.Request) { r.Policies = []x509.OID{dv} })
	pool := x509.NewCertPool()
	pool.AddCert(o.Root)
	system := func(logs *ct.LogList) *judge {
		return o.judge(func(o *Options) { o.CT, o.Offline, o.Stores = logs, true, []Store{{Name: "system", System: pool}} })
	}
	entry = about(public.Certificate)
	enough, err := ct.AppendList(nil, []ct.SCT{sign(keys[0]), sign(keys[1])})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		leaf *pkitest.Leaf
		scts []byte
		logs *ct.LogList
		want grade.Answer
	}{
		"enough":              {public, enough, logs, grade.Yes},
		"no timestamp":        {public, nil, logs, grade.No},
		"too few":             {public, list, logs, grade.No},
		"no list at hand":     {public, list, nil, grade.Unknown},
		"a CA of one's own":   {leaf, nil, logs, grade.Unasked},
		"nothing and no list": {public, nil, nil, grade.No},
	} {
		f := o.ask(system(c.logs), &sentChain{DER: c.leaf.Chain, SCTs: c.scts})
		if f.CTPolicy != c.want || f.Trusted != grade.Yes || (f.CTReason == "") != (c.want == grade.Unasked || c.want == grade.Yes) {
			t.Errorf("%s: %s, %q", name, f.CTPolicy, f.CTReason)
		}
	}
}

func TestStoresAreAskedOneByOne(t *testing.T) {
	o, other := newOffice(t), newOffice(t)
	leaf := o.issue(nil)
	pool := x509.NewCertPool()
	pool.AddCert(o.Root)
	j := o.judge(func(options *Options) {
		options.Stores = []Store{{Name: "strangers", Roots: []*x509.Certificate{other.Root}}, {Name: "system", System: pool}, {Name: "own CA", Roots: []*x509.Certificate{o.Root}}, {Name: "empty"}}
	})
	f := o.ask(j, &sentChain{DER: leaf.Chain})
	var got []string
	for _, s := range f.Trust {
		if (s.Reason == "") != s.Trusted {
			t.Errorf("%+v", s)
		}
		if s.Trusted {
			got = append(got, s.Store)
		}
	}
	if len(f.Trust) != 4 || !slices.Equal(got, []string{"system", "own CA"}) || f.Trusted != grade.Yes || f.Checks[0].Outcome != "passed" {
		t.Errorf("%+v", f.Trust)
	}
	if f := o.ask(o.judge(func(o *Options) { o.Stores = nil }), &sentChain{DER: leaf.Chain}); f.Trusted != grade.Unknown || len(f.Trust) != 0 {
		t.Errorf("without a store: %s, %+v", f.Trusted, f.Trust)
	}
}

func TestSharedCertificatesAreFound(t *testing.T) {
	o := newOffice(t)
	j := o.judge(nil)
	facts := func(host string, leaf *pkitest.Leaf) *grade.Facts {
		return &grade.Facts{Host: host, Port: 443, Chains: []grade.Chain{*o.ask(j, &sentChain{DER: leaf.Chain})}}
	}
	one, two := o.issue(nil), o.issue(nil)
	again := &pkitest.Leaf{Chain: [][]byte{o.sameKey(one), o.Intermediate.Raw}}
	all := []*grade.Facts{facts("a.test", one), facts("b.test", one), facts("c.test", two), facts("d.test", again), facts("a.test", one)}
	FillSharedWith(all)
	for i, want := range []string{"b.test:443 d.test:443 (the key alone)", "a.test:443 d.test:443 (the key alone)", "", "a.test:443 (the key alone) b.test:443 (the key alone)"} {
		if got := strings.Join(all[i].Chains[0].SharedWith, " "); got != want {
			t.Errorf("%s: %q, want %q", all[i].Host, got, want)
		}
	}
}

func TestDROWNReachesAllHostsWithTheKey(t *testing.T) {
	facts := func(host, pin string, v grade.Verdict) *grade.Facts {
		return &grade.Facts{Host: host, Port: 443, Vulnerabilities: []grade.Vulnerability{drown.is(v, "as found")},
			Chains: []grade.Chain{{KeyType: "RSA", Sent: []grade.Certificate{{SPKI: pin}}}}}
	}
	all := []*grade.Facts{facts("web.test", "one", grade.NotVulnerable), facts("mail.test", "one", grade.Vulnerable), facts("other.test", "two", grade.NotVulnerable)}
	for range 2 { // it may be filled in again
		FillSharedWith(all)
		for i, want := range []grade.Verdict{grade.Vulnerable, grade.Vulnerable, grade.NotVulnerable} {
			if got := all[i].Vulnerability(drown.id); got.Verdict != want || len(all[i].Vulnerabilities) != 1 {
				t.Errorf("%s: %+v", all[i].Host, all[i].Vulnerabilities)
			}
		}
	}
	if got := all[0].Vulnerability(drown.id); !slices.Equal(got.Evidence, []string{"mail.test:443"}) {
		t.Errorf("%+v", got)
	}
	var s Sharing
	for _, f := range all {
		s.Add(f)
	}
	if s.Fill(all[0]) {
		t.Error("what is known already is news")
	}
}

// sameKey issues another certificate for the key of a leaf.
func (o *office) sameKey(l *pkitest.Leaf) []byte {
	c, err := o.Issuer().Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{"lab.test"}, Key: l.Key.Public()}, o.Now)
	if err != nil {
		o.t.Fatal(err)
	}
	return c.Raw
}

func TestRubbishIsNoCertificateAndNoPanic(t *testing.T) {
	o := newOffice(t)
	j := o.judge(func(o *Options) { o.Offline = true })
	leaf := o.issue(nil)
	for name, chain := range map[string][][]byte{
		"nothing": nil, "empty": {{}}, "rubbish": {[]byte("rubbish")}, "cut": {leaf.Chain[0][:100]}, "rubbish above": {leaf.Chain[0], []byte("x")},
		"many": slices.Repeat([][]byte{leaf.Chain[0]}, 500),
	} {
		f := o.ask(j, &sentChain{DER: chain})
		if f.Trusted == grade.Yes || len(f.Sent) > maxSent {
			t.Errorf("%s: trusted %s, %d certificates", name, f.Trusted, len(f.Sent))
		}
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	o := newOffice(t)
	j := o.judge(func(o *Options) { o.Offline, o.Quick = true, true })
	leaf := o.issue(nil)
	for i := range 3 * maxRemembered {
		c := j.chain(t.Context(), chainQuestion{sent: &sentChain{DER: leaf.Chain}, name: "lab.test", now: o.Now.Add(time.Duration(i) * time.Minute)})
		if c.facts.Trusted != grade.Yes {
			t.Fatalf("minute %d: %s", i, c.facts.Trusted)
		}
	}
	if n := len(j.verdicts.new) + len(j.verdicts.old); n > 2*maxRemembered {
		t.Errorf("%d verdicts are kept", n)
	}
	big := bytes.Repeat([]byte{0x30}, maxChainKept+1)
	before := len(j.verdicts.new)
	j.chain(t.Context(), chainQuestion{sent: &sentChain{DER: [][]byte{big}}, name: "lab.test", now: o.Now})
	if len(j.verdicts.new) != before || j.certs.new[sha256.Sum256(big)] != nil {
		t.Error("a chain of unusual size is kept")
	}
	again := j.chain(t.Context(), chainQuestion{sent: &sentChain{DER: leaf.Chain, SNI: true}, name: "lab.test", now: o.Now.Add((3*maxRemembered - 1) * time.Minute)})
	if !again.facts.SNI {
		t.Error("what belongs to one host is remembered for another")
	}
}
