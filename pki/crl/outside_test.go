package crl_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func pemFile(t *testing.T, lists ...[]byte) string {
	t.Helper()
	var text []byte
	for _, der := range lists {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
	}
	return write(t, "crl.pem", text)
}

func certFile(t *testing.T, certs ...*x509.Certificate) string {
	t.Helper()
	var text []byte
	for _, c := range certs {
		text = pki.AppendCertificatePEM(text, c.Raw)
	}
	return write(t, "certs.pem", text)
}

func TestOpenSSLReadsAndVerifiesOurs(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	for _, k := range pkitest.CAKeyTypes() {
		ca := pkitest.New(t, k)
		tm := template(varied()...)
		tm.IDP = &crl.DistributionPoint{URIs: []string{"http://crl.test/1"}, OnlyUser: true}
		tm.Freshest = []string{"http://crl.test/delta"}
		l := create(t, tm, ca)
		out, err := pkitest.Run(t, openssl, "crl", "-inform", "DER", "-in", write(t, "crl.der", l.Raw), "-noout", "-text", "-CAfile", certFile(t, ca.Intermediate))
		if err != nil || !strings.Contains(out, "verify OK") {
			t.Errorf("%s: %v\n%s", k, err, out)
		}
		for _, want := range []string{"X509v3 CRL Number: \n                7", "http://crl.test/1", "Only User Certificates", "X509v3 Freshest CRL", "Key Compromise", "Privilege Withdrawn", "Invalidity Date", "Next Update: May  5 03:02:01 2026 GMT"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: openssl does not say %q:\n%s", k, want, out)
			}
		}
	}
}

func TestGnuTLSReadsOurs(t *testing.T) {
	certtool := pkitest.Program(t, "certtool")
	ca := pkitest.New(t, pkitest.P256)
	l := create(t, template(varied()...), ca)
	out, err := pkitest.Run(t, certtool, "--crl-info", "--inder", "--infile", write(t, "crl.der", l.Raw))
	if err != nil || !strings.Contains(out, "CRL Number (not critical): 07") || !strings.Contains(out, fmt.Sprintf("Revoked certificates (%d)", len(varied()))) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestWeReadOpenSSLs(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	ca := pkitest.New(t, pkitest.P256)
	key, err := pki.MarshalPrivateKeyPEM(ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	index := write(t, "index.txt", []byte("R\t301231000000Z\t260102030405Z,keyCompromise\t01\tunknown\t/CN=a\nR\t301231000000Z\t260103000000Z\t00F0\tunknown\t/CN=b\n"+
		"R\t301231000000Z\t260104000000Z,holdInstruction,holdInstructionReject\t03\tunknown\t/CN=c\nR\t301231000000Z\t260105000000Z,keyTime,20260101000000Z\t04\tunknown\t/CN=d\nV\t301231000000Z\t\t05\tunknown\t/CN=e\n"))
	number := write(t, "number", []byte("0A\n"))
	config := write(t, "ca.cnf", []byte("[ca]\ndefault_ca=d\n[d]\ndatabase="+index+"\ncrlnumber="+number+"\ndefault_md=sha256\ndefault_crl_days=3\ncrl_extensions=x\n[x]\nauthorityKeyIdentifier=keyid,issuer\nissuingDistributionPoint=critical,@p\n[p]\nfullname=URI:http://crl.test/x\nonlysomereasons=keyCompromise,cessationOfOperation\n"))
	out := filepath.Join(t.TempDir(), "out.pem")
	if text, err := pkitest.Run(t, openssl, "ca", "-gencrl", "-config", config, "-cert", certFile(t, ca.Intermediate), "-keyfile", write(t, "key.pem", key), "-out", out); err != nil {
		t.Fatal(err, text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	l, err := crl.Parse(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.CheckSignature(ca.Intermediate); err != nil {
		t.Error(err)
	}
	if l.Number.Int64() != 10 || l.Count != 4 || l.IDP == nil || l.IDP.URIs[0] != "http://crl.test/x" || l.IDP.OnlySomeReasons != crl.SetOf(crl.KeyCompromise, crl.CessationOfOperation) || len(l.UnknownCritical) > 0 || string(l.AuthorityKeyID) != string(ca.Intermediate.SubjectKeyId) {
		t.Errorf("%+v", l)
	}
	for serial, want := range map[byte]crl.Entry{
		1:    {Reason: crl.KeyCompromise, RevokedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		0xf0: {RevokedAt: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)},
		3:    {Reason: crl.CertificateHold, RevokedAt: time.Date(2026, 1, 4, 0, 0, 0, 0, time.UTC)},
		4:    {Reason: crl.KeyCompromise, RevokedAt: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), InvalidityDate: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		want.Serial, want.Issuer = []byte{serial}, ca.Intermediate.RawSubject
		if e, ok := l.Find([]byte{serial}, nil); !ok || !same(e, want) {
			t.Errorf("%x: %v %+v", serial, ok, e)
		}
	}
	if _, ok := l.Find([]byte{5}, nil); ok {
		t.Error("the valid one is revoked")
	}
}

func TestOpenSSLJudgesByOurs(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	ca := pkitest.New(t, pkitest.P256)
	good, bad, late, back := ca.Server(pkitest.P256), ca.Server(pkitest.P256), ca.Server(pkitest.P256), ca.Server(pkitest.P256)
	serialOf := func(l *pkitest.Leaf) []byte { return l.Certificate.SerialNumber.Bytes() }
	at := ca.Now.Add(-time.Hour)
	base := crl.Template{Number: big.NewInt(1), ThisUpdate: at, NextUpdate: at.Add(24 * time.Hour), Freshest: []string{"http://crl.test/delta"},
		Entries: func(yield func(crl.Entry) bool) {
			_ = yield(crl.Entry{Serial: serialOf(bad), RevokedAt: at, Reason: crl.KeyCompromise}) && yield(crl.Entry{Serial: serialOf(back), RevokedAt: at, Reason: crl.CertificateHold})
		}}
	delta := crl.Template{Number: big.NewInt(2), Base: big.NewInt(1), ThisUpdate: at, NextUpdate: at.Add(24 * time.Hour),
		Entries: func(yield func(crl.Entry) bool) {
			_ = yield(crl.Entry{Serial: serialOf(late), RevokedAt: at}) && yield(crl.Entry{Serial: serialOf(back), RevokedAt: at, Reason: crl.RemoveFromCRL})
		}}
	lists := pemFile(t, create(t, base, ca).Raw, create(t, delta, ca).Raw)
	for label, c := range map[string]struct {
		leaf    *pkitest.Leaf
		deltas  bool
		revoked bool
	}{
		"good": {good, false, false}, "bad": {bad, false, true}, "late, by the base": {late, false, false}, "on hold": {back, false, true},
		"good, delta": {good, true, false}, "bad, delta": {bad, true, true}, "late": {late, true, true}, "back": {back, true, false},
	} {
		f := c.leaf.Files()
		args := []string{"verify", "-x509_strict", "-crl_check", "-CAfile", ca.RootFile(), "-untrusted", f.Chain, "-CRLfile", lists}
		if c.deltas {
			args = append(args, "-extended_crl", "-use_deltas")
		}
		out, err := pkitest.Run(t, openssl, append(args, f.Cert)...)
		if (err != nil) != c.revoked || c.revoked && !strings.Contains(out, "certificate revoked") {
			t.Errorf("%s: %v\n%s", label, err, out)
		}
	}
}

func FuzzParse(f *testing.F) {
	ca := pkitest.New(f, pkitest.Ed25519)
	tm := template(varied()...)
	f.Add(create(f, tm, ca).Raw)
	tm = template(crl.Entry{Serial: []byte{1}, RevokedAt: now(), Issuer: name("A")}, crl.Entry{Serial: []byte{2}, RevokedAt: now()})
	tm.IDP, tm.Base = &crl.DistributionPoint{RelativeName: rdn("x"), Indirect: true, OnlySomeReasons: crl.SetOf(crl.Superseded)}, big.NewInt(1)
	f.Add(create(f, tm, ca).Raw)
	f.Add(usual().der())
	f.Fuzz(func(t *testing.T, der []byte) {
		l, err := crl.Parse(der)
		if err != nil {
			return
		}
		n := 0
		for e, err := range l.All() {
			if err != nil {
				t.Fatal("a list that was read cannot be walked:", err)
			}
			n++
			if found, ok := l.Find(e.Serial, e.Issuer); !e.Negative && (!ok || string(found.Serial) != string(e.Serial)) {
				t.Errorf("%x is in the list, and is not found", e.Serial)
			}
		}
		if n != l.Count {
			t.Errorf("%d entries, not %d", n, l.Count)
		}
		if err := l.CheckSignature(ca.Root); err == nil {
			t.Error("signed by somebody else")
		}
		agrees(t, der, l)
	})
}

// agrees compares with the library where it reads the list, too.
func agrees(t *testing.T, der []byte, l *crl.List) {
	want, err := x509.ParseRevocationList(der)
	if err != nil {
		return
	}
	if len(want.RevokedCertificateEntries) != l.Count || !want.ThisUpdate.Equal(l.ThisUpdate) || !want.NextUpdate.Equal(l.NextUpdate) {
		t.Errorf("%d entries of %v until %v; the library: %d of %v until %v", l.Count, l.ThisUpdate, l.NextUpdate, len(want.RevokedCertificateEntries), want.ThisUpdate, want.NextUpdate)
		return
	}
	i := 0
	for e := range l.All() {
		w := want.RevokedCertificateEntries[i]
		if n := new(big.Int).SetBytes(e.Serial); n.CmpAbs(w.SerialNumber) != 0 || e.Negative != (w.SerialNumber.Sign() < 0) || !w.RevocationTime.Equal(e.RevokedAt) {
			t.Errorf("entry %d: %x at %v; the library: %x at %v", i, e.Serial, e.RevokedAt, w.SerialNumber, w.RevocationTime)
		}
		i++
	}
}
