package ocsp_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ocsp"
)

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func certFile(t *testing.T, certs ...*x509.Certificate) string {
	t.Helper()
	var text []byte
	for _, c := range certs {
		text = pki.AppendCertificatePEM(text, c.Raw)
	}
	return write(t, "certs.pem", text)
}

func keyFile(t *testing.T, key crypto.Signer) string {
	t.Helper()
	text, err := pki.MarshalPrivateKeyPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "key.pem", text)
}

// answer is a responder for a CA that knows some revoked certificates, and none but those of the CA.
func answer(t *testing.T, ca *pkitest.CA, request []byte, revoked map[string]bool, c *x509.Certificate, key crypto.Signer) []byte {
	t.Helper()
	r, err := ocsp.ParseRequest(request)
	if err != nil {
		t.Error(err)
		return ocsp.ErrorResponse(ocsp.MalformedRequest)
	}
	issuer, err := ocsp.NewIssuer(ca.Intermediate)
	if err != nil {
		t.Error(err)
		return ocsp.ErrorResponse(ocsp.InternalError)
	}
	tm := ocsp.ResponseTemplate{Nonce: r.Nonce, ProducedAt: ca.Now, ByKey: len(r.IDs) > 1}
	if !c.Equal(ca.Intermediate) {
		tm.Certificates = []*x509.Certificate{c}
	}
	for _, id := range r.IDs {
		s := ocsp.Single{ID: id, Status: ocsp.Unknown, ThisUpdate: ca.Now.Add(-time.Minute), NextUpdate: ca.Now.Add(time.Hour)}
		if issuer.Issued(&id) {
			s.Status = ocsp.Good
			if revoked[string(id.Serial)] {
				s.Status, s.RevokedAt, s.Reason = ocsp.Revoked, ca.Now.Add(-time.Hour), 1
			}
		}
		tm.Singles = append(tm.Singles, s)
	}
	der, err := ocsp.CreateResponse(tm, c, key)
	if err != nil {
		t.Error(err)
	}
	return der
}

func TestOpenSSLAsksUs(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	for _, k := range pkitest.CAKeyTypes() {
		ca := pkitest.New(t, k)
		good, bad := ca.Server(pkitest.P256).Certificate, ca.Server(pkitest.P256).Certificate
		strange := pkitest.New(t, k)
		cert, key := delegate(t, ca, nil)
		for label, signer := range map[string]struct {
			cert *x509.Certificate
			key  crypto.Signer
		}{"issuer": {ca.Intermediate, ca.Key}, "delegate": {cert, key}} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				request, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				w.Header().Set("Content-Type", "application/ocsp-response")
				w.Write(answer(t, ca, request, map[string]bool{string(bad.SerialNumber.Bytes()): true}, signer.cert, signer.key))
			}))
			goodFile, badFile, strangeFile := certFile(t, good), certFile(t, bad), certFile(t, strange.Server(pkitest.P256).Certificate)
			args := []string{"ocsp", "-url", server.URL, "-CAfile", certFile(t, ca.Root), "-verify_other", certFile(t, ca.Intermediate), "-nonce",
				"-issuer", certFile(t, ca.Intermediate), "-cert", goodFile, "-sha256", "-cert", badFile}
			wants := []string{"Response verify OK", goodFile + ": good", badFile + ": revoked", "Reason: keyCompromise"}
			if label == "issuer" { // a delegate may not speak of other CAs at all
				args = append(args, "-no_cert_checks", "-issuer", certFile(t, strange.Intermediate), "-cert", strangeFile)
				wants = append(wants, strangeFile+": unknown")
			}
			out, err := pkitest.Run(t, openssl, args...)
			server.Close()
			for _, want := range wants {
				if !strings.Contains(out, want) {
					t.Errorf("%s, %s: openssl does not say %q: %v\n%s", k, label, want, err, out)
				}
			}
			if strings.Contains(out, "WARNING") {
				t.Errorf("%s, %s: no nonce:\n%s", k, label, out)
			}
		}
	}
}

func TestWeAskOpenSSL(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	for _, k := range pkitest.CAKeyTypes() {
		ca := pkitest.New(t, k)
		leaves := []*x509.Certificate{ca.Server(pkitest.P256).Certificate, ca.Server(pkitest.P256).Certificate, ca.Server(pkitest.P256).Certificate}
		index := fmt.Sprintf("V\t301231000000Z\t\t%X\tunknown\t/CN=a\nR\t301231000000Z\t260102030405Z,superseded\t%X\tunknown\t/CN=b\n", leaves[0].SerialNumber, leaves[1].SerialNumber)
		var ids []ocsp.CertID
		for i, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA512} {
			ids = append(ids, id(t, leaves[i].SerialNumber.Bytes(), ca.Intermediate, h))
		}
		request, err := ocsp.CreateRequest(ids, []byte("sixteen octets!!"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := pkitest.Run(t, openssl, "ocsp", "-reqin", write(t, "request", request), "-req_text", "-noverify")
		if err != nil || strings.Count(text, "Serial Number: ") != 3 || !strings.Contains(text, "OCSP Nonce") {
			t.Errorf("%s: openssl reads the request as %v\n%s", k, err, text)
		}
		cert, key := delegate(t, ca, nil)
		for label, signer := range map[string]struct {
			cert *x509.Certificate
			key  crypto.Signer
		}{"issuer": {ca.Intermediate, ca.Key}, "delegate": {cert, key}} {
			for _, byKey := range []bool{false, true} {
				out := filepath.Join(t.TempDir(), "response")
				args := []string{"ocsp", "-index", write(t, "index.txt", []byte(index)), "-CA", certFile(t, ca.Intermediate), "-rsigner", certFile(t, signer.cert), "-rkey", keyFile(t, signer.key),
					"-reqin", write(t, "request", request), "-respout", out, "-ndays", "1"}
				if byKey {
					args = append(args, "-resp_key_id")
				}
				if text, err := pkitest.Run(t, openssl, args...); err != nil {
					t.Fatal(err, text)
				}
				der, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				r, err := ocsp.ParseResponse(der)
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Verify(ca.Intermediate, ca.Now.Add(time.Minute)); err != nil {
					t.Errorf("%s, %s: %v", k, label, err)
				}
				if len(r.Singles) != 3 || !bytes.Equal(r.Nonce, []byte("sixteen octets!!")) {
					t.Errorf("%s, %s: %+v", k, label, r)
				}
				for i, want := range []ocsp.CertStatus{ocsp.Good, ocsp.Revoked, ocsp.Unknown} {
					s := r.Find(leaves[i], ca.Intermediate)
					if s == nil || s.Status != want || want == ocsp.Revoked && (s.Reason != 4 || !s.RevokedAt.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))) {
						t.Errorf("%s, %s: %d: %+v", k, label, i, s)
					}
				}
			}
		}
	}
}

func FuzzParseResponse(f *testing.F) {
	ca := pkitest.New(f, pkitest.Ed25519)
	cert, key := delegate(f, ca, nil)
	f.Add(respond(f, ocsp.ResponseTemplate{Singles: singles(f, ca), Nonce: []byte("n"), ProducedAt: ca.Now, Certificates: []*x509.Certificate{cert}}, cert, key).Raw)
	f.Add(respond(f, ocsp.ResponseTemplate{Singles: singles(f, ca)[:1], ProducedAt: ca.Now, ByKey: true}, ca.Intermediate, ca.Key).Raw)
	f.Add(ocsp.ErrorResponse(ocsp.TryLater))
	f.Add(respond(f, ocsp.ResponseTemplate{Singles: singles(f, ca)[:1], ProducedAt: ca.Now}, ca.Root, ca.RootKey).Raw)
	stranger := ca.Stranger().Root
	f.Fuzz(func(t *testing.T, der []byte) {
		r, err := ocsp.ParseResponse(der)
		if err != nil {
			return
		}
		if err := r.Verify(stranger, ca.Now); err == nil {
			t.Error("taken as a stranger's")
		}
		r.Find(ca.Intermediate, ca.Root)
	})
}

func FuzzParseRequest(f *testing.F) {
	ca := pkitest.New(f, pkitest.Ed25519)
	var ids []ocsp.CertID
	for _, s := range singles(f, ca) {
		ids = append(ids, s.ID)
	}
	for _, nonce := range [][]byte{nil, []byte("nonce")} {
		der, err := ocsp.CreateRequest(ids, nonce)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		r, err := ocsp.ParseRequest(der)
		if err != nil {
			return
		}
		again, err := ocsp.CreateRequest(r.IDs, r.Nonce)
		if err != nil {
			t.Fatal(err)
		}
		// The names of certificates are repeated to the letter.
		if s, err := ocsp.ParseRequest(again); err != nil || len(s.IDs) != len(r.IDs) || !bytes.Equal(s.IDs[0].Raw, r.IDs[0].Raw) || !bytes.Equal(s.Nonce, r.Nonce) {
			t.Errorf("%v: %+v became %+v", err, r, s)
		}
	})
}
