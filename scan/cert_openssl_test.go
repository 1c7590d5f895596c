package scan

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/pkitest"
)

// paper is a CA made by openssl in a temporary folder: a root, an intermediate, and leaves of every bad kind.
type paper struct {
	t       *testing.T
	dir     string
	openssl string
}

const paperExtensions = `
[root]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
[inter]
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
[leaf]
basicConstraints=critical,CA:FALSE
extendedKeyUsage=serverAuth
subjectAltName=DNS:lab.test,DNS:*.lab.test,IP:127.0.0.1
[wrong]
extendedKeyUsage=serverAuth
subjectAltName=DNS:www.lab.test,DNS:other.example
[bare]
extendedKeyUsage=serverAuth
[staple]
extendedKeyUsage=serverAuth
subjectAltName=DNS:lab.test
tlsfeature=status_request
authorityInfoAccess=OCSP;URI:http://127.0.0.1:1/ocsp,caIssuers;URI:http://127.0.0.1:1/ca
crlDistributionPoints=URI:http://127.0.0.1:1/crl
`

func newPaper(t *testing.T) *paper {
	t.Helper()
	p := &paper{t: t, dir: t.TempDir(), openssl: pkitest.Program(t, "openssl")}
	p.write("ext.cnf", paperExtensions)
	for _, ca := range []string{"root", "inter"} {
		p.key(ca, "RSA", "rsa_keygen_bits:2048")
	}
	p.run("req", "-new", "-x509", "-key", "root.key", "-sha256", "-days", "3650", "-subj", "/O=Lab/CN=Lab Root", "-out", "root0.pem")
	p.run("req", "-new", "-key", "root.key", "-subj", "/O=Lab/CN=Lab Root", "-out", "root.csr")
	p.run("x509", "-req", "-in", "root.csr", "-signkey", "root.key", "-days", "3650", "-extfile", "ext.cnf", "-extensions", "root", "-out", "root.pem")
	p.run("req", "-new", "-key", "inter.key", "-subj", "/O=Lab/CN=Lab Inter", "-out", "inter.csr")
	p.run("x509", "-req", "-in", "inter.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "1825", "-extfile", "ext.cnf", "-extensions", "inter", "-out", "inter.pem")
	return p
}

func (p *paper) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// run calls openssl; names of files are made absolute.
func (p *paper) run(args ...string) string {
	p.t.Helper()
	return p.runAs(p.openssl, args...)
}

func (p *paper) runAs(program string, args ...string) string {
	p.t.Helper()
	for i, a := range args {
		if slices.Contains([]string{".key", ".pem", ".csr", ".cnf", ".srl"}, filepath.Ext(a)) && !strings.Contains(a, "/") {
			args[i] = filepath.Join(p.dir, a)
		}
	}
	out, err := pkitest.Run(p.t, program, args...)
	if err != nil {
		p.t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return out
}

// key makes name.key.
func (p *paper) key(name, algorithm string, options ...string) {
	p.t.Helper()
	args := []string{"genpkey", "-algorithm", algorithm, "-out", name + ".key"}
	for _, o := range options {
		args = append(args, "-pkeyopt", o)
	}
	p.run(args...)
}

// leaf makes name.pem from name.key, signed by the intermediate.
func (p *paper) leaf(name, section string, more ...string) {
	p.t.Helper()
	p.run("req", "-new", "-key", name+".key", "-subj", "/CN=lab.test", "-out", name+".csr")
	args := []string{"x509", "-req", "-in", name + ".csr", "-CA", "inter.pem", "-CAkey", "inter.key", "-CAcreateserial", "-days", "90",
		"-extfile", "ext.cnf", "-extensions", section, "-out", name + ".pem"}
	p.run(append(args, more...)...)
}

// at makes a leaf as openssl would on another day.
func (p *paper) at(offset, name string, more ...string) {
	p.t.Helper()
	p.run("req", "-new", "-key", name+".key", "-subj", "/CN=lab.test", "-out", name+".csr")
	args := []string{"-f", offset, p.openssl, "x509", "-req", "-in", name + ".csr", "-CA", "inter.pem", "-CAkey", "inter.key", "-CAcreateserial",
		"-extfile", "ext.cnf", "-extensions", "leaf", "-out", name + ".pem"}
	p.runAs(pkitest.Program(p.t, "faketime"), append(args, more...)...)
}

// der reads certificates.
func (p *paper) der(names ...string) [][]byte {
	p.t.Helper()
	var list [][]byte
	for _, n := range names {
		text, err := os.ReadFile(filepath.Join(p.dir, n+".pem"))
		if err != nil {
			p.t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		if block == nil {
			p.t.Fatalf("%s is no PEM", n)
		}
		list = append(list, block.Bytes)
	}
	return list
}

// judge makes a judge that trusts the root.
func (p *paper) judge() *judge {
	p.t.Helper()
	root, err := x509.ParseCertificate(p.der("root")[0])
	if err != nil {
		p.t.Fatal(err)
	}
	o := Options{Offline: true, Stores: []Store{{Name: "own CA", Roots: []*x509.Certificate{root}}}}.filled()
	return newJudge(&o)
}

// ask judges a chain for lab.test, now.
func (p *paper) ask(j *judge, names ...string) *grade.Chain {
	p.t.Helper()
	sent := &sentChain{DER: p.der(names...), SNI: true}
	c := j.chain(p.t.Context(), chainQuestion{sent: sent, name: "lab.test", now: time.Now()})
	return &c.facts
}

func TestLeavesOfEveryBadKindGiveFacts(t *testing.T) {
	t.Parallel()
	p := newPaper(t)
	j := p.judge()
	p.key("good", "EC", "ec_paramgen_curve:P-256")
	for name, make := range map[string]func(name string){
		"rsa512":  func(n string) { p.key(n, "RSA", "rsa_keygen_bits:512") },
		"rsa1024": func(n string) { p.key(n, "RSA", "rsa_keygen_bits:1024") },
		"rsa4096": func(n string) { p.key(n, "RSA", "rsa_keygen_bits:4096") },
		"p192":    func(n string) { p.key(n, "EC", "ec_paramgen_curve:prime192v1") },
		"k256":    func(n string) { p.key(n, "EC", "ec_paramgen_curve:secp256k1") },
		"ed25519": func(n string) { p.key(n, "ED25519") },
		"ed448":   func(n string) { p.key(n, "ED448") },
		"pss":     func(n string) { p.key(n, "RSA-PSS", "rsa_keygen_bits:2048") },
	} {
		make(name)
		p.leaf(name, "leaf")
	}
	p.run("dsaparam", "-genkey", "-noout", "-out", "dsa.key", "1024")
	p.leaf("dsa", "leaf")
	for name, hash := range map[string]string{"good": "-sha256", "sha1": "-sha1", "md5": "-md5"} {
		p.key(name, "EC", "ec_paramgen_curve:P-256")
		p.leaf(name, "leaf", hash)
	}
	for _, c := range []struct {
		name, keyType, key string
		bits, strength     int
		signature          string
		trusted            grade.Answer
		readable           bool
	}{
		{"good", "ECDSA", "ECDSA P-256", 256, 3072, "SHA256-RSA", grade.Yes, true},
		{"rsa512", "RSA", "RSA 512 bits", 512, 512, "SHA256-RSA", grade.Yes, true},
		{"rsa1024", "RSA", "RSA 1024 bits", 1024, 1024, "SHA256-RSA", grade.Yes, true},
		{"rsa4096", "RSA", "RSA 4096 bits", 4096, 4096, "SHA256-RSA", grade.Yes, true},
		{"p192", "ECDSA", "ECDSA P-192", 192, 1536, "SHA256-RSA", grade.Yes, false},
		{"k256", "ECDSA", "ECDSA secp256k1", 256, 3072, "SHA256-RSA", grade.Yes, false},
		{"ed25519", "Ed25519", "Ed25519", 256, 3072, "SHA256-RSA", grade.Yes, true},
		{"ed448", "Ed448", "Ed448", 456, 7680, "SHA256-RSA", grade.Yes, true},
		{"pss", "RSA-PSS", "RSA-PSS 2048 bits", 2048, 2048, "SHA256-RSA", grade.Yes, true},
		{"dsa", "DSS", "DSA 1024 bits", 1024, 1024, "SHA256-RSA", grade.No, true},
		{"sha1", "ECDSA", "ECDSA P-256", 256, 3072, "SHA1-RSA", grade.No, true},
		{"md5", "ECDSA", "ECDSA P-256", 256, 3072, "MD5-RSA", grade.No, true},
	} {
		f := p.ask(j, c.name, "inter")
		leaf := f.Leaf()
		if f.KeyType != c.keyType || leaf.Key != c.key || leaf.KeyBits != c.bits || leaf.KeyStrength != c.strength || leaf.Signature != c.signature {
			t.Errorf("%s: %s, %q of %d bits, strength %d, signed with %s", c.name, f.KeyType, leaf.Key, leaf.KeyBits, leaf.KeyStrength, leaf.Signature)
		}
		if f.Trusted != c.trusted || f.NameMatches != grade.Yes || f.Complete != grade.Yes || f.OutOfOrder || len(f.Surplus) > 0 || len(f.Missing) > 0 {
			t.Errorf("%s: trusted %s, name %s, complete %s, out of order %v, surplus %q, missing %q: %+v", c.name, f.Trusted, f.NameMatches, f.Complete, f.OutOfOrder, f.Surplus, f.Missing, f.Trust)
		}
		if (leaf.Unreadable == "") != c.readable {
			t.Errorf("%s: unreadable: %q", c.name, leaf.Unreadable)
		}
		if leaf.Subject != "CN=lab.test" || leaf.Issuer != "CN=Lab Inter, O=Lab" || len(leaf.Names) != 3 || leaf.IsSelfSigned || leaf.WeakKey != "" || len(f.Checks) == 0 {
			t.Errorf("%s: %+v", c.name, leaf)
		}
	}
}

func TestNamesDatesAndSelfSignature(t *testing.T) {
	t.Parallel()
	p := newPaper(t)
	j := p.judge()
	for _, n := range []string{"expired", "early", "long", "self", "wrong", "bare", "staple"} {
		p.key(n, "EC", "ec_paramgen_curve:P-256")
	}
	p.at("-400d", "expired", "-days", "30")
	p.at("+30d", "early", "-days", "90")
	p.at("-1d", "long", "-days", "3650")
	for _, n := range []string{"wrong", "bare", "staple"} {
		p.leaf(n, n)
	}
	p.run("req", "-new", "-x509", "-key", "self.key", "-days", "90", "-subj", "/CN=lab.test", "-addext", "subjectAltName=DNS:lab.test", "-out", "self.pem")
	reasons := func(f *grade.Chain) string {
		var list []string
		for _, c := range f.Checks {
			if c.Outcome == "failed" {
				list = append(list, c.Reason)
			}
		}
		return strings.Join(list, ", ")
	}
	for _, c := range []struct {
		name    string
		chain   []string
		trusted grade.Answer
		reasons string
	}{
		{"expired", []string{"expired", "inter"}, grade.Yes, "expired"},
		{"early", []string{"early", "inter"}, grade.Yes, "not yet valid"},
		{"wrong", []string{"wrong", "inter"}, grade.Yes, "name mismatch"},
		{"bare", []string{"bare", "inter"}, grade.Yes, "name mismatch"},
		{"self", []string{"self"}, grade.No, "unknown authority"},
		{"long", []string{"long", "inter"}, grade.Yes, ""},
		{"staple", []string{"staple", "inter"}, grade.Yes, ""},
	} {
		f := p.ask(j, c.chain...)
		if f.Trusted != c.trusted || reasons(f) != c.reasons {
			t.Errorf("%s: trusted %s, reasons %q: %+v", c.name, f.Trusted, reasons(f), f.Checks)
		}
		if f.SelfSigned != (c.name == "self") || f.Complete != grade.Yes {
			t.Errorf("%s: self-signed %v, complete %s", c.name, f.SelfSigned, f.Complete)
		}
	}
	if f := p.ask(j, "wrong", "inter"); f.NameMatches != grade.No || !f.NameOnlyCN || f.Suggestion != "www.lab.test" {
		t.Errorf("wrong host: %s, by the common name alone %v, suggestion %q", f.NameMatches, f.NameOnlyCN, f.Suggestion)
	}
	if f := p.ask(j, "bare", "inter"); f.NameMatches != grade.No || !f.NameOnlyCN || f.Suggestion != "" {
		t.Errorf("no names: %s, by the common name alone %v, suggestion %q", f.NameMatches, f.NameOnlyCN, f.Suggestion)
	}
	if leaf := p.ask(j, "staple", "inter").Leaf(); !leaf.MustStaple || fmt.Sprint(leaf.OCSP, leaf.CRL) != "[http://127.0.0.1:1/ocsp] [http://127.0.0.1:1/crl]" {
		t.Errorf("must-staple: %v, %v, %v", leaf.MustStaple, leaf.OCSP, leaf.CRL)
	}
	if f := p.ask(j, "long", "inter"); !slices.ContainsFunc(f.Lint, func(l grade.Lint) bool { return l.Name == "lifetime_server" }) {
		t.Errorf("ten years: %+v", f.Lint)
	}
}

func TestChainsAreHeldAgainstWhatIsNeeded(t *testing.T) {
	t.Parallel()
	p := newPaper(t)
	j := p.judge()
	for _, n := range []string{"leaf", "stranger"} {
		p.key(n, "EC", "ec_paramgen_curve:P-256")
		p.leaf(n, "leaf")
	}
	p.key("sha1", "RSA", "rsa_keygen_bits:2048")
	p.leaf("sha1", "leaf", "-sha1")
	for _, c := range []struct {
		chain    string
		complete grade.Answer
		disorder bool
		root     bool
		surplus  int
		missing  int
	}{
		{"leaf inter", grade.Yes, false, false, 0, 0},
		{"leaf", grade.Unknown, false, false, 0, 1},
		{"leaf inter root", grade.Yes, false, true, 0, 0},
		{"leaf root inter", grade.Yes, true, true, 0, 0},
		{"leaf stranger inter", grade.Yes, false, false, 1, 0},
		{"leaf inter inter", grade.Yes, false, false, 1, 0},
		{"sha1 inter root", grade.Yes, false, true, 0, 0},
		{"sha1 root inter", grade.Yes, true, true, 0, 0},
		{"inter leaf", grade.Yes, false, false, 1, 0}, // judged as a leaf, which it is not
	} {
		f := p.ask(j, strings.Fields(c.chain)...)
		if f.Complete != c.complete || f.OutOfOrder != c.disorder || f.RootSent != c.root || len(f.Surplus) != c.surplus || len(f.Missing) != c.missing {
			t.Errorf("%s: complete %s, out of order %v, root sent %v, surplus %q, missing %q", c.chain, f.Complete, f.OutOfOrder, f.RootSent, f.Surplus, f.Missing)
		}
	}
	// A store that knows the intermediate stands in for it; the chain stays incomplete.
	inter, err := x509.ParseCertificate(p.der("inter")[0])
	if err != nil {
		t.Fatal(err)
	}
	wise := p.judge()
	wise.stores[0].Intermediates = []*x509.Certificate{inter}
	if f := p.ask(wise, "leaf"); f.Trusted != grade.Yes || f.Complete != grade.No || f.AIARepairs != grade.Unasked || len(f.Path) != 3 {
		t.Errorf("with a known intermediate: trusted %s, complete %s, repaired %s", f.Trusted, f.Complete, f.AIARepairs)
	}
	// Nobody trusts the root: what was sent is complete all the same if the root is there.
	o := Options{Offline: true, Stores: []Store{{Name: "empty"}}}.filled()
	if f := p.ask(newJudge(&o), "leaf", "inter", "root"); f.Trusted != grade.No || f.Complete != grade.Yes || !f.RootSent {
		t.Errorf("of a stranger: trusted %s, complete %s, root sent %v", f.Trusted, f.Complete, f.RootSent)
	}
	if f := p.ask(newJudge(&o), "leaf", "inter"); f.Trusted != grade.No || f.Complete != grade.Unknown {
		t.Errorf("of a stranger: trusted %s, complete %s", f.Trusted, f.Complete)
	}
}
