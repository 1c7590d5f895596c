package pki_test

import (
	"compress/gzip"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

// question is one case of any corpus, to be put to several judges.
type question struct {
	corpus, name string
	leaf         []byte
	roots, crls  [][]byte          // DER; o.Roots has those that can be read
	o            pki.VerifyOptions // with roots, intermediates and all else
	accept       bool              // what the corpus expects
}

func (q *question) ours() *pki.Explanation { return pki.Explain(q.leaf, q.o) }

// library asks crypto/x509, which knows nothing of revocation.
func (q *question) library() error {
	leaf, err := x509.ParseCertificate(q.leaf)
	if err != nil {
		return err
	}
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: q.o.Time, DNSName: q.o.ServerName,
		KeyUsages: []x509.ExtKeyUsage{libraryUsage(q.o)}}
	for _, r := range q.o.Roots {
		o.Roots.AddCert(r)
	}
	for _, der := range q.o.Intermediates {
		if c, err := x509.ParseCertificate(der); err == nil {
			o.Intermediates.AddCert(c)
		}
	}
	if q.o.Policies != nil {
		o.CertificatePolicies = q.o.Policies.Initial
	}
	_, err = leaf.Verify(o)
	return err
}

func libraryUsage(o pki.VerifyOptions) x509.ExtKeyUsage {
	if o.AnyUsage {
		return x509.ExtKeyUsageAny
	}
	return map[pki.Usage]x509.ExtKeyUsage{pki.UsageServer: x509.ExtKeyUsageServerAuth, pki.UsageClient: x509.ExtKeyUsageClientAuth, pki.UsageCode: x509.ExtKeyUsageCodeSigning,
		pki.UsageEmail: x509.ExtKeyUsageEmailProtection, pki.UsageTime: x509.ExtKeyUsageTimeStamping, pki.UsageOCSP: x509.ExtKeyUsageOCSPSigning}[o.Usage]
}

// openssl asks "openssl verify"; dir is for its files. It has no answer where it
// has no option: for the usages code and OCSP, and for a soft look at revocation.
func (q *question) openssl(t testing.TB, program, dir string) (yes, asked bool, text string) {
	t.Helper()
	if u := q.o.Usage; u == pki.UsageCode || u == pki.UsageOCSP || q.o.Revocation != nil && q.o.Revocation.Mode == pki.RevocationSoft {
		return false, false, ""
	}
	write := func(name, kind string, list ...[]byte) string {
		var text []byte
		for _, der := range list {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := []string{"verify", "-no-CApath", "-no-CAstore", "-partial_chain", "-policy_check", "-attime", strconv.FormatInt(q.o.Time.Unix(), 10), "-CAfile", write("roots.pem", "CERTIFICATE", q.roots...)}
	if len(q.o.Intermediates) > 0 {
		args = append(args, "-untrusted", write("heap.pem", "CERTIFICATE", q.o.Intermediates...))
	}
	if name := q.o.ServerName; name != "" {
		kind := "-verify_hostname"
		if _, err := netip.ParseAddr(name); err == nil {
			kind = "-verify_ip"
		} else if q.o.Usage == pki.UsageEmail && strings.Contains(name, "@") {
			kind = "-verify_email"
		}
		args = append(args, kind, name)
	}
	if !q.o.AnyUsage {
		args = append(args, "-purpose", map[pki.Usage]string{pki.UsageServer: "sslserver", pki.UsageClient: "sslclient", pki.UsageEmail: "smimesign", pki.UsageTime: "timestampsign"}[q.o.Usage])
	}
	if p := q.o.Policies; p == nil || len(p.Initial) == 0 {
		args = append(args, "-policy", "2.5.29.32.0")
	}
	if p := q.o.Policies; p != nil {
		for _, oid := range p.Initial {
			args = append(args, "-policy", oid.String())
		}
		for flag, on := range map[string]bool{"-explicit_policy": p.RequireExplicit, "-inhibit_map": p.InhibitMapping, "-inhibit_any": p.InhibitAny} {
			if on {
				args = append(args, flag)
			}
		}
	}
	if r := q.o.Revocation; r != nil && r.Mode == pki.RevocationHard {
		args = append(args, "-crl_check", "-extended_crl", "-use_deltas")
		if r.WholeChain {
			args = append(args, "-crl_check_all")
		}
		if len(q.crls) > 0 {
			args = append(args, "-CRLfile", write("crls.pem", "X509 CRL", q.crls...))
		}
	}
	out, err := pkitest.Run(t, program, append(args, write("leaf.pem", "CERTIFICATE", q.leaf))...)
	return err == nil, true, out
}

// addRoot takes a root as DER; one that cannot be read is no root.
func (q *question) addRoot(der []byte) {
	q.roots = append(q.roots, der)
	if c, err := x509.ParseCertificate(der); err == nil {
		q.o.Roots = append(q.o.Roots, c)
	}
}

func pkitsQuestions(t testing.TB) []*question {
	t.Helper()
	cases, files := readPKITS(t)
	var list []*question
	for _, c := range cases {
		q := &question{corpus: "PKITS", name: c.Name, accept: c.Valid, roots: [][]byte{files[c.Certs[0]+".crt"]}}
		q.leaf, q.o = c.options(t, files)
		for _, name := range c.CRLs {
			q.crls = append(q.crls, files[name+".crl"])
		}
		list = append(list, q)
	}
	return list
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(v); err != nil {
		t.Fatal(err)
	}
}

// limboQuestions reads 135 cases of x509-limbo. Its limits on the length of chains
// are not options of ours.
func limboQuestions(t testing.TB) []*question {
	t.Helper()
	var all struct {
		Testcases []struct {
			ID        string    `json:"id"`
			Trusted   []string  `json:"trusted_certs"`
			Untrusted []string  `json:"untrusted_intermediates"`
			Leaf      string    `json:"peer_certificate"`
			At        time.Time `json:"validation_time"`
			Expected  string    `json:"expected_result"`
			Name      struct {
				Value string `json:"value"`
			} `json:"expected_peer_name"`
		} `json:"testcases"`
	}
	readJSON(t, "testdata/limbo/limbo.json.gz", &all)
	der := func(text string) []byte {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			t.Fatal("no PEM")
		}
		return block.Bytes
	}
	var list []*question
	for _, c := range all.Testcases {
		q := &question{corpus: "limbo", name: c.ID, leaf: der(c.Leaf), accept: c.Expected == "SUCCESS"}
		q.o.Time, q.o.ServerName = c.At, c.Name.Value
		if q.o.Time.IsZero() {
			q.o.Time = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		for _, text := range c.Trusted {
			q.addRoot(der(text))
		}
		for _, text := range c.Untrusted {
			q.o.Intermediates = append(q.o.Intermediates, der(text))
		}
		list = append(list, q)
	}
	if len(list) != 135 {
		t.Fatalf("%d cases", len(list))
	}
	return list
}

// betterTLSSample reads the 200 cases that are kept here.
func betterTLSSample(t testing.TB) []*question {
	t.Helper()
	var all struct {
		Root         []byte
		Certificates [][]byte
		Cases        []struct {
			Suite, Hostname string
			ID              int
			Certificates    []int
			Accept          bool
		}
	}
	readJSON(t, "testdata/bettertls/sample.json.gz", &all)
	var list []*question
	for _, c := range all.Cases {
		q := &question{corpus: "BetterTLS", name: fmt.Sprintf("%s %d", c.Suite, c.ID), accept: c.Accept}
		q.addRoot(all.Root)
		q.o.Time, q.o.ServerName = q.o.Roots[0].NotBefore.Add(25*time.Hour), c.Hostname // an hour after they were made
		for i, n := range c.Certificates {
			if i == 0 {
				q.leaf = all.Certificates[n]
			} else {
				q.o.Intermediates = append(q.o.Intermediates, all.Certificates[n])
			}
		}
		list = append(list, q)
	}
	if len(list) != 200 {
		t.Fatalf("%d cases", len(list))
	}
	return list
}

// betterTLSModule has no place in go.mod: only its exporter is run.
const betterTLSModule = "github.com/Netflix/bettertls@v0.0.0-20250909192348-e1e99e353074"

// betterTLSQuestions lets BetterTLS write its cases. Where the module cannot be had
// the test is skipped, or fails if CI=true.
func betterTLSQuestions(t testing.TB) []*question {
	t.Helper()
	unavailable := t.Skipf
	if os.Getenv("CI") == "true" {
		unavailable = t.Fatalf
	}
	run := func(dir string, args ...string) []byte {
		c := exec.CommandContext(t.Context(), "go", args...)
		c.Dir, c.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		out, err := c.Output()
		if err != nil {
			unavailable("BetterTLS cannot be had: go %s: %v", args[0], err)
		}
		return out
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(run(t.TempDir(), "mod", "download", "-json", betterTLSModule), &module); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tests.json")
	run(module.Dir, "run", "./test-suites/cmd/bettertls", "export-tests", "--out", path)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Root   []byte `json:"trustRoot"`
		Suites map[string]struct {
			TestCases []struct {
				ID           int      `json:"id"`
				Certificates [][]byte `json:"certificates"`
				Hostname     string   `json:"hostname"`
				Expected     string   `json:"expected"`
			} `json:"testCases"`
		} `json:"suites"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	var list []*question
	for _, suite := range []string{"pathbuilding", "nameconstraints"} {
		for _, c := range all.Suites[suite].TestCases {
			q := &question{corpus: "BetterTLS", name: fmt.Sprintf("%s %d", suite, c.ID), leaf: c.Certificates[0], accept: c.Expected == "ACCEPT"}
			q.addRoot(all.Root)
			q.o.Time, q.o.ServerName, q.o.Intermediates = now, c.Hostname, c.Certificates[1:]
			list = append(list, q)
		}
	}
	if len(list) != 9572 {
		t.Fatalf("%d cases", len(list))
	}
	return list
}
