package pki_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

// The judges that ours is compared with.
const (
	byCorpus  = "the corpus"
	byLibrary = "crypto/x509"
	byOpenSSL = "openssl verify"
)

// divergence is a kind of case on which a judge differs from us. Each is explained
// under its name in docs/divergences.md, and no other is allowed.
type divergence struct {
	name, judge string
	ours        bool // what we say
	fits        func(q *question, e *pki.Explanation, said string) bool
}

// fault fits what we refuse by a check, in a text with certain words.
func fault(check pki.Check, words string) func(*question, *pki.Explanation, string) bool {
	return func(_ *question, e *pki.Explanation, _ string) bool {
		return slices.ContainsFunc(e.Checks, func(r pki.CheckResult) bool {
			return r.Check == check && r.Outcome == pki.Failed && strings.Contains(r.Text, words)
		})
	}
}

// said fits what the judge refuses with certain words.
func said(words string) func(*question, *pki.Explanation, string) bool {
	return func(_ *question, _ *pki.Explanation, text string) bool { return strings.Contains(text, words) }
}

// beyond is said of a path that the library cannot judge.
func beyond(words string) func(*question, *pki.Explanation, string) bool {
	return func(_ *question, e *pki.Explanation, text string) bool {
		return !e.LibraryJudged && strings.Contains(text, words)
	}
}

// cases fits cases of a corpus by parts of their names.
func cases(corpus string, parts ...string) func(*question, *pki.Explanation, string) bool {
	return func(q *question, _ *pki.Explanation, _ string) bool {
		return q.corpus == corpus && slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(q.name, p) })
	}
}

func divergences() []divergence {
	return slices.Concat([]divergence{
		{"sound DSA signatures", byCorpus, false, cases("PKITS", "4.1.4 ", "4.1.5 ")},
		{"a subject without alternative names", byCorpus, false, cases("limbo", "permitted-dn-match")},
		{"key usage of the leaf", byCorpus, false, cases("limbo", "validation-ignores-pathlen-in-leaf")},
		{"a limit on the path", byCorpus, true, cases("limbo", "max-chain-depth")},
		{"duties of CAs", byCorpus, true, cases("limbo", "rfc5280::aki::", "rfc5280::ski::", "rfc5280::serial::", "rfc5280::san::noncritical",
			"rfc5280::ee-empty-issuer", "root-non-critical-basic-constraints", "leaf-ku-keycertsign", "permitted-dns-match-noncritical")},
		{"rules of the Web", byCorpus, true, cases("limbo", "webpki::")},
	}, libraryDivergences(), opensslDivergences())
}

func libraryDivergences() []divergence {
	return []divergence{
		{"critical names of directories", byLibrary, true, beyond("unhandled critical extension")},
		{"names of other writing", byLibrary, true, beyond("signed by unknown authority")},
		{"self-issued CAs", byLibrary, true, beyond("too many intermediates")},
		{"self-issued CAs", byLibrary, true, beyond("not authorized to sign for this name: DNS name")},
		{"constraints that name a host", byLibrary, true, beyond("not authorized to sign for this name: email address")},
		{"constraints that name a host", byLibrary, true, beyond("not authorized to sign for this name: URI")},
		{"constraints that name a host", byLibrary, false, fault(pki.CheckConstraints, "the e-mail address")},
		{"constraints that name a host", byLibrary, false, fault(pki.CheckConstraints, "the URI")},
		{"unreadable by the library", byLibrary, true, beyond("invalid CRL distribution point")},
		{"unreadable by the library", byLibrary, true, beyond("negative serial number")},
		{"mailboxes as names", byLibrary, true, func(q *question, _ *pki.Explanation, _ string) bool { return strings.Contains(q.o.ServerName, "@") }},
		{"revocation", byLibrary, false, fault(pki.CheckRevocation, "")},
		{"inputs of policies", byLibrary, false, fault(pki.CheckPolicies, "")},
		{"key usage of the leaf", byLibrary, false, fault(pki.CheckUsage, "has a key for")},
		{"DSA keys", byLibrary, false, fault(pki.CheckUsage, "has a DSA key")},
		{"time stamping", byLibrary, false, fault(pki.CheckUsage, "may stamp no times")},
		{"a limit on the path", byLibrary, false, fault(pki.CheckRoot, "10 certificates at most")},
		{"CAs without a name", byLibrary, false, fault(pki.CheckConstraints, "has no subject")},
		{"a key usage of nothing", byLibrary, false, fault(pki.CheckConstraints, "may not sign certificates")},
		{"constraints in a leaf", byLibrary, false, fault(pki.CheckConstraints, "although it is not a CA")},
	}
}

func opensslDivergences() []divergence {
	return []divergence{
		{"one way up only", byOpenSSL, true, cases("BetterTLS", "pathbuilding")},
		{"a common name under constraints", byOpenSSL, true, said("subtree violation")},
		{"issuers of indirect CRLs", byOpenSSL, true, said("CRL path validation error")},
		{"any usage", byOpenSSL, true, said("unsuitable certificate purpose")},
		{"the last second", byOpenSSL, true, said("certificate has expired")},
		{"names of hosts", byOpenSSL, true, said("hostname mismatch")},
		{"names of hosts", byOpenSSL, false, fault(pki.CheckName, "*")},
		{"a subject without alternative names", byOpenSSL, false, fault(pki.CheckName, "its common name")},
		{"a subject without alternative names", byOpenSSL, false, fault(pki.CheckName, "is valid for")},
		{"SHA-1", byOpenSSL, false, fault(pki.CheckSignatures, "ECDSA-SHA1")},
		{"sound DSA signatures", byOpenSSL, false, fault(pki.CheckSignatures, "DSA-SHA")},
		{"unreadable certificates", byOpenSSL, false, fault(pki.CheckSignatures, "cannot be read")},
		{"unreadable certificates", byOpenSSL, false, fault(pki.CheckRoot, "cannot be read")},
		{"unreadable certificates", byOpenSSL, false, cases("limbo", "serial::negative")}, // the root
		{"DSA keys", byOpenSSL, false, fault(pki.CheckUsage, "has a DSA key")},
		{"a limit on the path", byOpenSSL, false, fault(pki.CheckRoot, "10 certificates at most")},
		{"CAs without a name", byOpenSSL, false, fault(pki.CheckConstraints, "has no subject")},
		{"roots without basic constraints", byOpenSSL, false, cases("limbo", "root-missing-basic-constraints")},
		{"constraints in a leaf", byOpenSSL, false, fault(pki.CheckConstraints, "although it is not a CA")},
		{"wildcards over what is excluded", byOpenSSL, false, fault(pki.CheckConstraints, `the DNS name "*.`)},
		{"names that cannot be compared", byOpenSSL, false, fault(pki.CheckConstraints, "cannot be told apart")},
		{"names that cannot be compared", byOpenSSL, false, fault(pki.CheckConstraints, `the DNS name "."`)},
		{"names that cannot be compared", byOpenSSL, false, fault(pki.CheckConstraints, `the DNS name ".`)},
		{"constraints of unknown kinds", byOpenSSL, false, fault(pki.CheckConstraints, "of a kind that is not understood")},
	}
}

// agreement puts questions to all judges and counts; openssl is asked about share of
// them.
func agreement(t *testing.T, list []*question, share float64) {
	t.Helper()
	program := pkitest.Program(t, "openssl")
	dir, random := t.TempDir(), rand.New(rand.NewPCG(5280, 1))
	known := divergences()
	asked, same := make(map[string]int), make(map[string]int)
	kinds := make(map[string]int)
	for _, q := range list {
		e := q.ours()
		hold := func(judge string, yes bool, text string) {
			row := q.corpus + " by " + judge
			asked[row]++
			if yes == e.Trusted {
				same[row]++
				return
			}
			i := slices.IndexFunc(known, func(d divergence) bool { return d.judge == judge && d.ours == e.Trusted && d.fits(q, e, text) })
			if i < 0 {
				t.Errorf("%s: %s: we say %v (%v), %s says %v: %s", q.corpus, q.name, e.Trusted, e.Err, judge, yes, text)
				return
			}
			kinds[fmt.Sprintf("%s: we say %v: %s", judge, e.Trusted, known[i].name)]++
		}
		hold(byCorpus, q.accept, "")
		text := ""
		err := q.library()
		if err != nil {
			text = err.Error()
		}
		hold(byLibrary, err == nil, text)
		if random.Float64() < share {
			if yes, ok, text := q.openssl(t, program, dir); ok {
				hold(byOpenSSL, yes, text)
			}
		}
	}
	for _, counts := range []map[string]int{asked, kinds} {
		for _, row := range slices.Sorted(keysOf(counts)) {
			if n, ok := same[row]; ok {
				t.Logf("%s: %d of %d", row, n, counts[row])
			} else {
				t.Logf("%s: %d", row, counts[row])
			}
		}
	}
}

func keysOf(m map[string]int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// A sample: openssl is asked about one case in four.
func TestJudgesAgree(t *testing.T) {
	agreement(t, slices.Concat(pkitsQuestions(t), limboQuestions(t), betterTLSSample(t), generatedQuestions(t)), 0.25)
}

func TestAcceptJudgesAgree(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip(`10,000 paths, judged three times: "make accept" runs it (TLSWRIGHT_ACCEPT=1)`)
	}
	agreement(t, slices.Concat(pkitsQuestions(t), limboQuestions(t), betterTLSQuestions(t), generatedQuestions(t)), 1)
}

// BetterTLS and our own cases are answered as they expect, each for the right reason
// where the name of the case begins with it.
func TestPathsAreJudgedAsExpected(t *testing.T) {
	reasons := map[string][]pki.Check{
		"wrong host": {pki.CheckName}, "expired": {pki.CheckDates}, "unknown root": {pki.CheckRoot}, "swapped intermediate": {pki.CheckSignatures},
		"CA:FALSE": {pki.CheckConstraints}, "path length": {pki.CheckConstraints}, "leaf revoked": {pki.CheckRevocation}, "CA revoked": {pki.CheckRevocation},
		"usage": {pki.CheckUsage}, "key usage": {pki.CheckUsage}, "policies": {pki.CheckPolicies}, "DNS": {pki.CheckConstraints}, "IP": {pki.CheckConstraints},
		"e-mail": {pki.CheckConstraints}, "URI": {pki.CheckConstraints}, "directory name": {pki.CheckConstraints}, "broken signature": {pki.CheckSignatures},
	}
	for _, q := range append(betterTLSSample(t), generatedQuestions(t)...) {
		e := q.ours()
		if e.Trusted != q.accept {
			t.Errorf("%s %s: trusted %v, error %v, library %v", q.corpus, q.name, e.Trusted, e.Err, e.Library)
		}
		for prefix, checks := range reasons {
			if !q.accept && strings.HasPrefix(q.name, prefix) {
				for _, r := range e.Checks {
					if r.Outcome == pki.Failed && !slices.Contains(checks, r.Check) {
						t.Errorf("%s: %v: %s", q.name, r.Check, r.Text)
					}
				}
			}
		}
		wellFormed(t, q.name, e)
	}
}

// wellFormed checks what every explanation promises.
func wellFormed(t *testing.T, name string, e *pki.Explanation) {
	t.Helper()
	failed := false
	for _, c := range pki.Checks()[:7] {
		if !slices.ContainsFunc(e.Checks, func(r pki.CheckResult) bool { return r.Check == c }) {
			t.Errorf("%s: no row for %v", name, c)
		}
	}
	for _, r := range e.Checks {
		failed = failed || r.Outcome == pki.Failed
		if r.Text == "" || r.Section == "" || pki.Printable(r.Text) != r.Text || strings.HasSuffix(r.Text, ".") || r.Depth < -1 || r.Depth >= max(len(e.Path), 1) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if failed == e.Trusted || failed != (e.Err != nil) {
		t.Errorf("%s: trusted %v, error %v", name, e.Trusted, e.Err)
	}
}

func TestDivergencesAreExplained(t *testing.T) {
	text, err := os.ReadFile("../docs/divergences.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range divergences() {
		if !strings.Contains(string(text), "| "+d.name+" |") {
			t.Errorf("docs/divergences.md does not explain %q of %s", d.name, d.judge)
		}
	}
}
