package scan

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/pkitest"
)

// respond has openssl answer an OCSP request from the index of a CA. Its own server would listen on every address.
func (p *paper) respond(w http.ResponseWriter, r *http.Request) {
	request, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	dir, err := os.MkdirTemp(p.dir, "ocsp")
	if err != nil {
		p.t.Error(err)
		return
	}
	in, out := filepath.Join(dir, "request"), filepath.Join(dir, "response")
	if err := os.WriteFile(in, request, 0o600); err != nil {
		p.t.Error(err)
		return
	}
	file := func(name string) string { return filepath.Join(p.dir, name) }
	if text, err := pkitest.Run(p.t, p.openssl, "ocsp", "-index", file("index.txt"), "-rsigner", file("inter.pem"), "-rkey", file("inter.key"), "-CA", file("inter.pem"), "-ndays", "2",
		"-reqin", in, "-respout", out); err != nil {
		p.t.Errorf("openssl ocsp: %v\n%s", err, text)
		return
	}
	response, err := os.ReadFile(out)
	if err != nil {
		p.t.Error(err)
		return
	}
	_, _ = w.Write(response)
}

// An answer of openssl's responder and a list of openssl's CA are understood.
func TestOpensslRevokes(t *testing.T) {
	t.Parallel()
	p := newPaper(t)
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ocsp" {
			p.respond(w, r)
			return
		}
		text, err := os.ReadFile(filepath.Join(p.dir, "crl.pem"))
		if block, _ := pem.Decode(text); err == nil && block != nil {
			_, _ = w.Write(block.Bytes)
		}
	}))
	t.Cleanup(outside.Close)
	p.write("ca.cnf", strings.ReplaceAll(`[ca]
default_ca=c
[c]
database=DIR/index.txt
new_certs_dir=DIR
serial=DIR/serial
crlnumber=DIR/number
default_md=sha256
default_days=30
default_crl_days=7
unique_subject=no
policy=p
[p]
commonName=supplied
`, "DIR", p.dir))
	p.write("ocsp.cnf", "[e]\nsubjectAltName=DNS:lab.test\nextendedKeyUsage=serverAuth\nauthorityInfoAccess=OCSP;URI:"+outside.URL+"/ocsp\n")
	p.write("crl.cnf", "[e]\nsubjectAltName=DNS:lab.test\nextendedKeyUsage=serverAuth\ncrlDistributionPoints=URI:"+outside.URL+"/crl\n")
	for name, text := range map[string]string{"index.txt": "", "serial": "1000\n", "number": "01\n"} {
		p.write(name, text)
	}
	ca := func(args ...string) {
		t.Helper()
		p.run(append([]string{"ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "inter.pem", "-keyfile", "inter.key"}, args...)...)
	}
	for _, n := range []string{"good-ocsp", "bad-ocsp", "good-crl", "bad-crl"} {
		p.key(n, "EC", "ec_paramgen_curve:P-256")
		p.run("req", "-new", "-key", n+".key", "-subj", "/CN=lab.test", "-out", n+".csr")
		ca("-in", n+".csr", "-out", n+".pem", "-extfile", n[strings.Index(n, "-")+1:]+".cnf", "-extensions", "e")
	}
	ca("-revoke", filepath.Join(p.dir, "bad-ocsp.pem"), "-crl_reason", "keyCompromise")
	ca("-revoke", filepath.Join(p.dir, "bad-crl.pem"))
	ca("-gencrl", "-out", filepath.Join(p.dir, "crl.pem"))
	root, err := x509.ParseCertificate(p.der("root")[0])
	if err != nil {
		t.Fatal(err)
	}
	o := Options{AllowPrivate: true, Stores: []Store{{Name: "own CA", Roots: []*x509.Certificate{root}}}}.filled()
	j := newJudge(&o)
	for n, want := range map[string]grade.Answer{"good-ocsp": grade.No, "bad-ocsp": grade.Yes, "good-crl": grade.No, "bad-crl": grade.Yes} {
		f := p.ask(j, n, "inter")
		if f.Trusted != grade.Yes || f.Revoked != want {
			t.Errorf("%s: trusted %s, revoked %s: %q", n, f.Trusted, f.Revoked, f.Revocation)
		}
	}
}
