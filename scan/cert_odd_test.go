package scan

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

func TestNegativeSerialNumbersAreJudged(t *testing.T) {
	t.Parallel()
	p := newPaper(t)
	p.key("odd", "EC", "ec_paramgen_curve:P-256")
	p.run("req", "-new", "-key", "odd.key", "-subj", "/CN=lab.test", "-out", "odd.csr")
	p.run("x509", "-req", "-in", "odd.csr", "-CA", "inter.pem", "-CAkey", "inter.key", "-set_serial", "-5", "-days", "90", "-extfile", "ext.cnf", "-extensions", "leaf", "-out", "odd.pem")
	f := p.ask(p.judge(), "odd", "inter")
	if leaf := f.Leaf(); leaf.Serial != "-05" || leaf.Unreadable == "" || leaf.Key != "ECDSA P-256" {
		t.Errorf("%+v", leaf)
	}
	if f.Trusted != grade.Yes || f.NameMatches != grade.Yes || f.Complete != grade.Yes || len(f.Checks) < 7 {
		t.Errorf("trusted %s, name %s, complete %s: %+v", f.Trusted, f.NameMatches, f.Complete, f.Checks)
	}
	if f := p.ask(p.judge(), "odd"); f.Trusted != grade.No || f.Complete != grade.Unknown || len(f.Missing) != 1 {
		t.Errorf("alone: trusted %s, complete %s, missing %q", f.Trusted, f.Complete, f.Missing)
	}
}

func TestGOSTCertificatesGiveFacts(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	dir := t.TempDir()
	conf, out := filepath.Join(dir, "gost.cnf"), filepath.Join(dir, "gost.pem")
	text := "openssl_conf=o\n[o]\nengines=e\n[e]\ngost=g\n[g]\nengine_id=gost\ndefault_algorithms=ALL\n[req]\ndistinguished_name=d\n[d]\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), openssl, "req", "-x509", "-newkey", "gost2012_256", "-pkeyopt", "paramset:A", "-nodes", "-keyout", filepath.Join(dir, "key"),
		"-subj", "/CN=lab.test", "-addext", "subjectAltName=DNS:lab.test", "-days", "30", "-out", out)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+conf)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("this openssl has no GOST: %s", text)
	}
	p := &paper{t: t, dir: dir}
	o := Options{Offline: true, Stores: []Store{{Name: "empty"}}}.filled()
	f := p.ask(newJudge(&o), "gost")
	leaf := f.Leaf()
	if f.KeyType != "GOST" || leaf.Key != "GOST R 34.10-2012 256 bits" || leaf.Signature != "GOST R 34.10-2012 256" || leaf.KeyBits != 256 || !f.SelfSigned || f.Trusted != grade.No || f.NameMatches != grade.Yes {
		t.Errorf("%+v, %+v", leaf, f)
	}
}

func TestManyNamesAreBounded(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(5), NotBefore: ca.Now.Add(-time.Hour), NotAfter: ca.Now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for i := range 1500 {
		template.DNSNames = append(template.DNSNames, fmt.Sprintf("host%d.lab.test", i), fmt.Sprintf("*.w%d.lab.test", i))
	}
	template.DNSNames = append(template.DNSNames, "lab.test")
	template.Subject.CommonName = strings.Repeat("x\x1b", 5000)
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Intermediate, key.Public(), ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Offline: true, Stores: []Store{{Name: "own CA", Roots: ca.Roots()}}}.filled()
	c := newJudge(&o).chain(t.Context(), chainQuestion{sent: &sentChain{DER: [][]byte{der, ca.Intermediate.Raw}}, name: "lab.test", now: ca.Now})
	leaf := c.facts.Leaf()
	if len(leaf.Names) != maxNamesKept || len(leaf.Wildcard) != maxNamesKept || c.facts.NameMatches != grade.Yes {
		t.Errorf("%d names, %d wildcards, matches %s", len(leaf.Names), len(leaf.Wildcard), c.facts.NameMatches)
	}
	if len(leaf.Subject) > 5*maxText || strings.Contains(leaf.Subject, "\x1b") {
		t.Errorf("subject of %d bytes", len(leaf.Subject))
	}
}

func TestWildcardsOfStrangersAreFound(t *testing.T) {
	for name, want := range map[string]bool{"*.co.uk": true, "*.com": true, "*.github.io": false, "*.example.com": false, "*.lab.test": false, "*.a.b.example.co.uk": false, "*.test": false} {
		if got := len(wildcardScope([]string{name})) > 0; got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzChain(f *testing.F) {
	ca := pkitest.New(f, pkitest.P256)
	leaf := ca.Server(pkitest.P256, "lab.test")
	for _, der := range [][]byte{leaf.Chain[0], leaf.Chain[1], ca.Root.Raw, ca.SelfSigned(pkitest.P256, "lab.test").Chain[0], ca.Server(pkitest.RSA2048, "*.lab.test").Chain[0], {}, {0x30, 0}} {
		f.Add(der, []byte{1})
	}
	stores := []Store{{Name: "own CA", Roots: ca.Roots()}}
	full, quick := Options{Offline: true, Stores: stores}.filled(), Options{Quick: true, Stores: stores}.filled()
	f.Fuzz(func(t *testing.T, der, staple []byte) {
		q := chainQuestion{sent: &sentChain{DER: [][]byte{der, ca.Intermediate.Raw, der}, Staple: staple, SCTs: staple}, name: "lab.test", now: ca.Now}
		a := newJudge(&full).judgeAnew(t.Context(), q).facts
		b := newJudge(&quick).judgeAnew(t.Context(), q).facts
		if a.Trusted != b.Trusted || a.NameMatches != b.NameMatches || a.Complete != b.Complete {
			t.Errorf("full: %s, %s, %s; quick: %s, %s, %s", a.Trusted, a.NameMatches, a.Complete, b.Trusted, b.NameMatches, b.Complete)
		}
		if a.Trusted == grade.Yes {
			if _, err := pki.Verify(der, pki.VerifyOptions{Roots: ca.Roots(), Intermediates: [][]byte{ca.Intermediate.Raw}, Time: ca.Now}); err != nil && a.Leaf().Unreadable == "" {
				for _, c := range a.Checks {
					if c.Outcome == "failed" && (c.Check == "dates" || c.Check == "name") {
						return
					}
				}
				t.Errorf("trusted here, and not by the library: %v", err)
			}
		}
		for _, c := range a.Sent {
			if pki.Printable(c.Subject) != c.Subject || pki.Printable(c.Issuer) != c.Issuer {
				t.Errorf("%q, %q cannot be shown", c.Subject, c.Issuer)
			}
		}
	})
}
