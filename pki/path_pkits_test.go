package pki_test

import (
	"archive/tar"
	"compress/gzip"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// pkitsCase is one case of NIST's test suite; certificates and CRLs are named
// without their endings, the trust anchor first.
type pkitsCase struct {
	Name                                 string
	Certs, CRLs, Policies                []string
	Valid                                bool
	Explicit, InhibitMapping, InhibitAny bool
}

// readPKITS unpacks the suite: cases and files by their names.
func readPKITS(t testing.TB) ([]pkitsCase, map[string][]byte) {
	t.Helper()
	f, err := os.Open("testdata/pkits/pkits.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[path.Base(h.Name)], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	var cases []pkitsCase
	if err := json.Unmarshal(files["cases.json"], &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != 249 {
		t.Fatalf("%d cases", len(cases))
	}
	return cases, files
}

func pkitsPolicy(t testing.TB, name string) x509.OID {
	t.Helper()
	text := "2.5.29.32.0"
	if n, ok := strings.CutPrefix(name, "NIST-test-policy-"); ok {
		text = "2.16.840.1.101.3.2.1.48." + n
	}
	oid, err := x509.ParseOID(text)
	if err != nil {
		t.Fatal(err)
	}
	return oid
}

// options are the inputs of a case for Explain.
func (c pkitsCase) options(t testing.TB, files map[string][]byte) (leaf []byte, o pki.VerifyOptions) {
	t.Helper()
	o = pki.VerifyOptions{Time: time.Date(2011, 4, 15, 0, 0, 0, 0, time.UTC), AnyUsage: true,
		Policies: &pki.PolicyOptions{RequireExplicit: c.Explicit, InhibitMapping: c.InhibitMapping, InhibitAny: c.InhibitAny}}
	for _, p := range c.Policies {
		o.Policies.Initial = append(o.Policies.Initial, pkitsPolicy(t, p))
	}
	root, err := x509.ParseCertificate(files[c.Certs[0]+".crt"])
	if err != nil {
		t.Fatal(err)
	}
	o.Roots = []*x509.Certificate{root}
	for _, name := range c.Certs[1 : len(c.Certs)-1] {
		o.Intermediates = append(o.Intermediates, files[name+".crt"])
	}
	o.Revocation = &pki.RevocationOptions{Mode: pki.RevocationHard, WholeChain: true}
	for _, name := range c.CRLs {
		list, err := crl.Parse(files[name+".crl"])
		if err != nil {
			continue // 4.4.4 has a CRL whose signature is no bit string
		}
		o.Revocation.CRLs = append(o.Revocation.CRLs, list)
	}
	return files[c.Certs[len(c.Certs)-1]+".crt"], o
}

// chapter gives the number after "4." of a case's name.
func (c pkitsCase) chapter() int {
	n, err := strconv.Atoi(strings.Split(c.Name, ".")[1])
	if err != nil {
		return 0
	}
	return n
}

// faultOf says which check must have found what is wrong, by the chapter of the suite.
func (c pkitsCase) faultOf() []pki.Check {
	switch c.chapter() {
	case 1:
		return []pki.Check{pki.CheckSignatures}
	case 2:
		return []pki.Check{pki.CheckDates}
	case 3:
		return []pki.Check{pki.CheckRoot}
	case 6, 13, 16:
		return []pki.Check{pki.CheckConstraints}
	case 5, 7:
		return []pki.Check{pki.CheckConstraints, pki.CheckRevocation}
	case 8, 9, 10, 11, 12:
		return []pki.Check{pki.CheckPolicies}
	}
	return []pki.Check{pki.CheckRevocation}
}

// The two cases with sound DSA signatures are refused on purpose: DSA signs nothing
// that is still in use, and crypto/x509 does not check it.
func TestPKITS(t *testing.T) {
	cases, files := readPKITS(t)
	right := 0
	for _, c := range cases {
		leaf, o := c.options(t, files)
		e := pki.Explain(leaf, o)
		switch dsa := strings.HasPrefix(c.Name, "4.1.4 ") || strings.HasPrefix(c.Name, "4.1.5 "); {
		case dsa && !e.Trusted:
			continue
		case e.Trusted != c.Valid:
			t.Errorf("%s: trusted %v, error %v, library %v", c.Name, e.Trusted, e.Err, e.Library)
			continue
		}
		right++
		for _, r := range e.Checks {
			if r.Outcome == pki.Failed && !slices.Contains(c.faultOf(), r.Check) {
				t.Errorf("%s: %v: %s", c.Name, r.Check, r.Text)
			}
		}
	}
	if right != 247 {
		t.Errorf("%d of %d right", right, len(cases))
	}
}
