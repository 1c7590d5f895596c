package cli

import (
	"crypto"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// publication is a CA that answers at the addresses in its certificates.
type publication struct {
	*httptest.Server
	ca       *pkitest.CA
	dir      string
	revoked  bool
	hasOCSP  bool
	requests int
}

func newPublication(t *testing.T) *publication {
	p := &publication{ca: pkitest.New(t, pkitest.P256), dir: t.TempDir()}
	mux := http.NewServeMux()
	mux.HandleFunc("/ca.crt", func(w http.ResponseWriter, _ *http.Request) { w.Write(p.ca.Intermediate.Raw) })
	mux.HandleFunc("/ca.crl", func(w http.ResponseWriter, _ *http.Request) { w.Write(p.crl(t)) })
	mux.HandleFunc("/ocsp", func(w http.ResponseWriter, r *http.Request) { w.Write(p.ocsp(t, r)) })
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// issue makes a leaf that names the addresses, and writes it with the root into files.
func (p *publication) issue(t *testing.T) (leaf, root string) {
	t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	req := pki.Request{
		Profile: pki.ProfileServer, CommonName: "app.test", SANs: []string{"app.test"}, Key: key.Public(), Serial: big.NewInt(77),
		IssuingCertificateURLs: []string{p.URL + "/ca.crt"}, CRLDistributionPoints: []string{p.URL + "/ca.crl"},
	}
	if p.hasOCSP {
		req.OCSPServers = []string{p.URL + "/ocsp"}
	}
	c, err := p.ca.Issuer().Issue(req, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	leaf, root = filepath.Join(p.dir, "leaf.pem"), filepath.Join(p.dir, "root.pem")
	for file, cert := range map[string]*x509.Certificate{leaf: c, root: p.ca.Root} {
		if err := os.WriteFile(file, pki.AppendCertificatePEM(nil, cert.Raw), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return leaf, root
}

func (p *publication) crl(t *testing.T) []byte {
	p.requests++
	entries := []crl.Entry{}
	if p.revoked {
		entries = append(entries, crl.Entry{Serial: []byte{77}, RevokedAt: time.Now().Add(-time.Hour)})
	}
	der, err := crl.Create(crl.Template{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour),
		Entries: slices.Values(entries)}, p.ca.Intermediate, p.ca.Key)
	if err != nil {
		t.Error(err)
	}
	return der
}

func (p *publication) ocsp(t *testing.T, r *http.Request) []byte {
	p.requests++
	id, err := ocsp.NewCertID([]byte{77}, p.ca.Intermediate, crypto.SHA1)
	if err != nil {
		t.Error(err)
	}
	s := ocsp.Single{ID: id, Status: ocsp.Good, ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
	if p.revoked {
		s.Status, s.RevokedAt = ocsp.Revoked, time.Now().Add(-time.Hour)
	}
	der, err := ocsp.CreateResponse(ocsp.ResponseTemplate{Singles: []ocsp.Single{s}, ProducedAt: time.Now()}, p.ca.Intermediate, p.ca.Key)
	if err != nil {
		t.Error(err)
	}
	return der
}

// runCert runs a command of this program and gives its output and exit code.
func runCert(t *testing.T, args ...string) (out, errOut string, code int) {
	t.Helper()
	t.Setenv("SSL_CERT_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("SSL_CERT_DIR", t.TempDir())
	a, o, e := newTestApp()
	a.now = time.Now
	root := newRoot(a)
	root.SetArgs(append([]string{"--home", t.TempDir()}, args...))
	err := root.ExecuteContext(t.Context())
	if err != nil {
		f := asFailure(err)
		a.ui.fail(f)
		code = f.kind.exitCode()
	}
	return o.String(), e.String(), code
}

func TestWhatIsMissingIsFetched(t *testing.T) {
	p := newPublication(t)
	leaf, root := p.issue(t)
	full := filepath.Join(p.dir, "full.pem")
	if out, _, code := runCert(t, "cert", "chain", "--ca", root, leaf, "-o", full); code != exitFailed || !strings.Contains(out, "missing") {
		t.Errorf("without --fetch: %d\n%s", code, out)
	}
	if out, errOut, code := runCert(t, "cert", "chain", "--ca", root, "--fetch", leaf); code != exitFailed || !strings.Contains(out, "fetching an issuer") {
		t.Errorf("a private address was asked: %d\n%s%s", code, out, errOut)
	}
	out, errOut, code := runCert(t, "cert", "chain", "--ca", root, "--fetch", "--allow-private", leaf, "-o", full)
	if code != exitDone || !strings.Contains(out, "fetched from "+p.URL) {
		t.Fatalf("%d\n%s%s", code, out, errOut)
	}
	text, err := os.ReadFile(full)
	if certs, parseErr := pki.ParseCertificatesPEM(text); err != nil || parseErr != nil || len(certs) != 2 {
		t.Errorf("%v %v, %d certificates", err, parseErr, len(certs))
	}
	if out, _, code := runCert(t, "cert", "verify", "--ca", root, leaf); code != exitFailed {
		t.Errorf("%d\n%s", code, out)
	}
	if out, errOut, code := runCert(t, "cert", "verify", "--ca", root, "--fetch", "--allow-private", "--host", "app.test", "--hard", leaf); code != exitDone {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
}

func TestRevocationIsAskedFor(t *testing.T) {
	for _, tc := range []struct {
		name             string
		hasOCSP, revoked bool
		want             int
	}{{"CRL, good", false, false, exitDone}, {"CRL, revoked", false, true, exitFailed}, {"OCSP, good", true, false, exitDone}, {"OCSP, revoked", true, true, exitFailed}} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPublication(t)
			p.hasOCSP, p.revoked = tc.hasOCSP, tc.revoked
			leaf, root := p.issue(t)
			out, errOut, code := runCert(t, "cert", "verify", "--ca", root, "--fetch", "--allow-private", "--hard", leaf)
			if code != tc.want || p.requests != 1 {
				t.Errorf("%d, %d questions\n%s%s", code, p.requests, out, errOut)
			}
			if tc.revoked && !strings.Contains(out, "revocation          FAILED") {
				t.Errorf("the reason is not said:\n%s", out)
			}
		})
	}
	p := newPublication(t)
	p.revoked = true
	leaf, root := p.issue(t)
	inter := filepath.Join(p.dir, "ca.pem")
	if err := os.WriteFile(inter, pki.AppendCertificatePEM(nil, p.ca.Intermediate.Raw), 0o644); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(p.dir, "ca.crl")
	if err := os.WriteFile(list, p.crl(t), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{{"--crl", list}, {"--ocsp", p.URL + "/ocsp", "--allow-private"}} {
		out, errOut, code := runCert(t, append([]string{"cert", "verify", "--ca", root, leaf, inter}, flags...)...)
		if code != exitFailed || !strings.Contains(errOut, "revoked") {
			t.Errorf("%q: %d\n%s%s", flags, code, out, errOut)
		}
	}
}
