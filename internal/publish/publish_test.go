package publish_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/publish"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// office is a CA that is published on loopback.
type office struct {
	*testing.T
	authority *authority.Authority
	publisher *publish.Publisher
	url       string
	root      *x509.Certificate
}

func open(t *testing.T, publication authority.Publication) *office {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	ca, err := keystore.CreateCA(home, keystore.CAOptions{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := authority.WritePublication(home, publication); err != nil {
		t.Fatal(err)
	}
	a, err := authority.OpenHome(t.Context(), home, authority.HomeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	o := &office{T: t, authority: a, root: ca.Root}
	o.publisher, err = publish.New(t.Context(), publish.Options{Issuers: []publish.Issuer{{Name: "main", Authority: a}}, Roots: []*x509.Certificate{ca.Root}, Notice: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.publisher.Close)
	server := httptest.NewServer(o.publisher)
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

func (o *office) issue(name string) *x509.Certificate {
	o.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		o.Fatal(err)
	}
	c, err := o.authority.Issue(o.Context(), pki.Request{Profile: pki.ProfileServer, SANs: []string{name}, Key: key.Public()})
	if err != nil {
		o.Fatal(err)
	}
	return c
}

// ask makes a request and returns status, header and body.
func (o *office) ask(method, path, kind string, body []byte) (int, http.Header, []byte) {
	o.Helper()
	r, err := http.NewRequestWithContext(o.Context(), method, o.url+path, bytes.NewReader(body))
	if err != nil {
		o.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		o.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		o.Fatal(err)
	}
	return response.StatusCode, response.Header, got
}

func (o *office) question(serial *big.Int, nonce []byte) []byte {
	o.Helper()
	id, err := ocsp.NewCertID(serial.Bytes(), o.authority.Issuer.Certificate, crypto.SHA1)
	if err != nil {
		o.Fatal(err)
	}
	q, err := ocsp.CreateRequest([]ocsp.CertID{id}, nonce)
	if err != nil {
		o.Fatal(err)
	}
	return q
}

// status asks for a certificate's status by GET or POST, and checks the answer's signature.
func (o *office) status(c *x509.Certificate, nonce []byte, byGet bool) (ocsp.CertStatus, http.Header) {
	o.Helper()
	q := o.question(c.SerialNumber, nonce)
	var code int
	var header http.Header
	var der []byte
	if byGet {
		code, header, der = o.ask(http.MethodGet, "/ocsp/main/"+url.PathEscape(base64.StdEncoding.EncodeToString(q)), "", nil)
	} else {
		code, header, der = o.ask(http.MethodPost, "/ocsp/main", "application/ocsp-request", q)
	}
	if code != 200 || header.Get("Content-Type") != "application/ocsp-response" {
		o.Fatalf("%d %v", code, header)
	}
	response, err := ocsp.ParseResponse(der)
	if err != nil {
		o.Fatal(err)
	}
	if err := response.Verify(o.authority.Issuer.Certificate, time.Now()); err != nil {
		o.Fatal(err)
	}
	if !bytes.Equal(response.Nonce, nonce) {
		o.Errorf("nonce %x, want %x", response.Nonce, nonce)
	}
	single := response.Find(c, o.authority.Issuer.Certificate)
	if single == nil {
		o.Fatal("the answer is about another certificate")
	}
	return single.Status, header
}

func TestOCSP(t *testing.T) {
	o := open(t, authority.Publication{})
	c := o.issue("a.test")
	nonce := []byte("0123456789abcdef")
	for _, byGet := range []bool{true, false} {
		for _, n := range [][]byte{nil, nonce} {
			got, header := o.status(c, n, byGet)
			if got != ocsp.Good {
				t.Errorf("%v", got)
			}
			kept := strings.Contains(header.Get("Cache-Control"), "max-age=")
			if kept != (byGet && n == nil) {
				t.Errorf("GET %v, nonce %x: Cache-Control %q", byGet, n, header.Get("Cache-Control"))
			}
			if kept && (header.Get("Expires") == "" || header.Get("ETag") == "" || header.Get("Last-Modified") == "") {
				t.Errorf("%v", header)
			}
		}
	}
	// Asked about before it exists, then issued: nothing of the first answer may stick.
	unknown := o.question(big.NewInt(77), nil)
	if _, header, _ := o.ask(http.MethodGet, "/ocsp/main/"+url.PathEscape(base64.StdEncoding.EncodeToString(unknown)), "", nil); header.Get("Cache-Control") != "no-store" {
		t.Errorf("an answer about nothing may be kept: %v", header)
	}
	if err := o.authority.Revoke(t.Context(), c.SerialNumber, crl.KeyCompromise, time.Time{}); err != nil {
		t.Fatal(err)
	}
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for deadline.Err() == nil {
		if got, _ := o.status(c, nil, true); got == ocsp.Revoked {
			break
		}
	}
	if got, _ := o.status(c, nil, true); got != ocsp.Revoked {
		t.Error("a revocation does not reach the answers that are kept")
	}
	if got, _ := o.status(c, nonce, false); got != ocsp.Revoked {
		t.Error("a live answer does not know a revocation")
	}
}

func TestBadQuestions(t *testing.T) {
	o := open(t, authority.Publication{})
	q := base64.StdEncoding.EncodeToString(o.question(big.NewInt(1), nil))
	for _, c := range []struct {
		method, path, kind string
		body               []byte
		want               int
	}{
		{"GET", "/ocsp/main/", "", nil, 400},
		{"GET", "/ocsp/main/%%%", "", nil, 400},
		{"GET", "/ocsp/main/" + strings.Repeat("A", 9000), "", nil, 400},
		{"GET", "/ocsp/other/" + url.PathEscape(q), "", nil, 404},
		{"PUT", "/ocsp/main", "application/ocsp-request", []byte("x"), 405},
		{"POST", "/ocsp/main", "text/plain", []byte("x"), 415},
		{"POST", "/ocsp/main", "application/ocsp-request", make([]byte, 5000), 413},
		{"POST", "/crl/main.crl", "", nil, 405},
		{"GET", "/crl/main", "", nil, 404},
		{"GET", "/crl/main/0.crl", "", nil, 404},
		{"GET", "/crl/other.crl", "", nil, 404},
		{"GET", "/ca/main.key", "", nil, 404},
		{"GET", "/ca/../main.cer", "", nil, 404},
		{"GET", "/sets/other.set", "", nil, 404},
		{"GET", "/x", "", nil, 404},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, o.url, bytes.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Opaque = c.path
		r.Header.Set("Content-Type", c.kind)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != c.want {
			t.Errorf("%s %.60s: %d, want %d", c.method, c.path, response.StatusCode, c.want)
		}
	}
	_, _, der := o.ask("POST", "/ocsp/main", "application/ocsp-request", []byte("no request"))
	if r, err := ocsp.ParseResponse(der); err != nil || r.Status != ocsp.MalformedRequest {
		t.Errorf("%v %v", r, err)
	}
}

func TestCRLsAndCertificates(t *testing.T) {
	o := open(t, authority.Publication{})
	c := o.issue("a.test")
	if err := o.authority.Revoke(t.Context(), c.SerialNumber, crl.Superseded, time.Time{}); err != nil {
		t.Fatal(err)
	}
	_, header, der := o.ask("GET", "/crl/main.crl", "", nil)
	list, err := crl.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignature(o.authority.Issuer.Certificate); err != nil {
		t.Error(err)
	}
	if _, found := list.Find(c.SerialNumber.Bytes(), nil); !found || header.Get("Content-Type") != "application/pkix-crl" {
		t.Errorf("%v %v", found, header)
	}
	if _, _, again := o.ask("GET", "/crl/main.crl", "", nil); !bytes.Equal(again, der) {
		t.Error("a list that nothing has changed is made anew")
	}
	_, _, cer := o.ask("GET", "/ca/main.cer", "", nil)
	if !bytes.Equal(cer, o.authority.Issuer.Certificate.Raw) {
		t.Error("another certificate")
	}
	_, _, roots := o.ask("GET", "/roots.pem", "", nil)
	if block, _ := pem.Decode(roots); block == nil || !bytes.Equal(block.Bytes, o.root.Raw) {
		t.Errorf("%s", roots)
	}
	code, _, set := o.ask("GET", "/sets/main.set", "", nil)
	if code != 200 || !bytes.HasPrefix(set, []byte("TWRS")) {
		t.Errorf("%d %x", code, set)
	}
	_, header, page := o.ask("GET", "/", "", nil)
	for _, want := range []string{"Download roots.pem", o.root.Subject.CommonName, "/crl/main.crl", "update-ca-certificates"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error(header)
	}
	plain := strings.NewReplacer(" ", "", ":", "").Replace
	if !strings.Contains(strings.ToLower(plain(string(page))), strings.ToLower(plain(pki.Fingerprint(o.root.Raw)))) {
		t.Error("the page lacks the fingerprint")
	}
}

func TestPartitions(t *testing.T) {
	o := open(t, authority.Publication{Shards: 4, CRL: []string{"http://ca.test/crl/main/{shard}.crl"}})
	c := o.issue("a.test")
	if err := o.authority.Revoke(t.Context(), c.SerialNumber, crl.Superseded, time.Time{}); err != nil {
		t.Fatal(err)
	}
	found := 0
	for n := range 4 {
		_, _, der := o.ask("GET", "/crl/main/"+string(rune('0'+n))+".crl", "", nil)
		list, err := crl.Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := list.Find(c.SerialNumber.Bytes(), nil); ok {
			found++
		}
	}
	if code, _, _ := o.ask("GET", "/crl/main/4.crl", "", nil); code != 404 || found != 1 {
		t.Errorf("%d, in %d partitions", code, found)
	}
}

// TestOpenSSLAsks has OpenSSL ask by POST and read the CRL.
func TestOpenSSLAsks(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is missing")
		}
		t.Skip("openssl is not installed")
	}
	o := open(t, authority.Publication{})
	c := o.issue("a.test")
	dir := t.TempDir()
	write := func(name string, certificate *x509.Certificate) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pki.AppendCertificatePEM(nil, certificate.Raw), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	issuer, leaf, root := write("issuer.pem", o.authority.Issuer.Certificate), write("leaf.pem", c), write("root.pem", o.root)
	out, err := exec.CommandContext(t.Context(), openssl, "ocsp", "-issuer", issuer, "-cert", leaf, "-CAfile", root, "-VAfile", issuer, "-url", o.url+"/ocsp/main").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("leaf.pem: good")) || bytes.Contains(out, []byte("nonce in response")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func BenchmarkOCSP(b *testing.B) {
	home := filepath.Join(b.TempDir(), "home")
	ca, err := keystore.CreateCA(home, keystore.CAOptions{}, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	a, err := authority.OpenHome(b.Context(), home, authority.HomeOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	p, err := publish.New(b.Context(), publish.Options{Issuers: []publish.Issuer{{Name: "main", Authority: a}}, Roots: []*x509.Certificate{ca.Root}})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		b.Fatal(err)
	}
	c, err := a.Issue(b.Context(), pki.Request{Profile: pki.ProfileServer, SANs: []string{"a.test"}, Key: key.Public()})
	if err != nil {
		b.Fatal(err)
	}
	id, err := ocsp.NewCertID(c.SerialNumber.Bytes(), a.Issuer.Certificate, crypto.SHA1)
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(p)
	defer server.Close()
	for name, nonce := range map[string][]byte{"kept": nil, "live": []byte("0123456789abcdef")} {
		q, err := ocsp.CreateRequest([]ocsp.CertID{id}, nonce)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, err := client.Post(server.URL+"/ocsp/main", "application/ocsp-request", bytes.NewReader(q))
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					_ = r.Body.Close()
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
		})
	}
}
