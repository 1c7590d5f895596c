package acme

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/acmecheck"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// pebble is Let's Encrypt's small server for tests. It is no package of Debian's, so there is none to demand; whoever has
// it (go install github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1) has it tested.
type pebble struct {
	directory string
	transport http.RoundTripper
	port      string // of http-01, "127.0.0.1:N"
}

// freeAddresses gives several that are not the same.
func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	var all []string
	for range n {
		address, err := freeport.Address()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, address)
	}
	return all
}

// newPebble starts one, with variables of the environment that say how it behaves, and waits until it answers.
func newPebble(t *testing.T, config map[string]any, environment ...string) *pebble {
	t.Helper()
	program, err := exec.LookPath("pebble")
	if err != nil {
		t.Skip("pebble is not on the PATH")
	}
	dir := t.TempDir()
	root := pebbleIdentity(t, dir)
	free := freeAddresses(t, 4)
	p := &pebble{port: free[0]}
	listen := free[1]
	full := map[string]any{"listenAddress": listen, "managementListenAddress": free[2], "certificate": filepath.Join(dir, "cert.pem"), "privateKey": filepath.Join(dir, "key.pem"),
		"httpPort": netip.MustParseAddrPort(p.port).Port(), "tlsPort": netip.MustParseAddrPort(free[3]).Port(), "keyAlgorithm": "ecdsa",
		"retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles":   map[string]any{"default": map[string]any{"description": "ninety days", "validityPeriod": 7776000}}}
	for k, v := range config {
		full[k] = v
	}
	text, err := json.Marshal(map[string]any{"pebble": full})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-config", path)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environment...)
	startServer(t, "pebble", cmd)
	p.transport = &tlsnet.Transport{Config: &tlsnet.Config{Roots: []*x509.Certificate{root}}}
	p.directory = "https://" + listen + "/dir"
	awaitAnswer(t, p.transport, p.directory)
	return p
}

// pebbleIdentity makes the certificate that Pebble serves with.
func pebbleIdentity(t *testing.T, dir string) *x509.Certificate {
	t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(keystore.WriteKey(filepath.Join(dir, "key.pem"), key), os.WriteFile(filepath.Join(dir, "cert.pem"), pki.AppendCertificatePEM(nil, der), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestOurClientAgainstPebble has our client obtain, renew and revoke, while Pebble refuses a third of all good nonces and
// dawdles over each validation.
func TestOurClientAgainstPebble(t *testing.T) {
	p := newPebble(t, nil, "PEBBLE_WFE_NONCEREJECT=33", "PEBBLE_VA_SLEEPTIME=1", "PEBBLE_AUTHZREUSE=0")
	tree, err := acmeclient.OpenTree(filepath.Join(t.TempDir(), "acme"))
	if err != nil {
		t.Fatal(err)
	}
	client := acmeclient.New(tree, acmeclient.Options{Server: p.directory, Transport: p.transport})
	wish := acmeclient.Request{Contact: []string{"mailto:me@selftest.example.com"},
		Renewal: acmeclient.Renewal{Names: []string{"localhost"}, Challenge: acmeclient.Challenge{Way: acmeclient.Standalone, Listen: p.port}}}
	first, err := client.Obtain(t.Context(), wish)
	if err != nil {
		t.Fatal(err)
	}
	second, err := client.Obtain(t.Context(), wish)
	if err != nil {
		t.Fatal(err)
	}
	if second.Generation != first.Generation+1 || bytes.Equal(second.Chain[0], first.Chain[0]) {
		t.Errorf("generation %d after %d", second.Generation, first.Generation)
	}
	if err := client.UpdateContact(t.Context(), []string{"mailto:you@selftest.example.com"}); err != nil {
		t.Error(err)
	}
	if err := client.Rollover(t.Context()); err != nil {
		t.Error(err)
	}
	if err := client.Revoke(t.Context(), "localhost", 1); err != nil {
		t.Error(err)
	}
	var refused *acmeclient.ServerError
	if err := client.Revoke(t.Context(), "localhost", 1); !errors.As(err, &refused) || refused.Type != "alreadyRevoked" {
		t.Errorf("revoked twice: %v", err)
	}
	if err := client.Deactivate(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSelfTestAgainstPebble notes where Pebble departs from RFC 8555. It is no test of Pebble: what must hold is that the
// run comes to its end, cleans up, and finds nothing beyond what was looked at by hand and is so.
func TestSelfTestAgainstPebble(t *testing.T) {
	known := []string{
		"HEAD of newNonce gives one", "GET of newNonce gives one", // Cache-Control has no-cache in the place of no-store
		"alg none is refused", "an alg with a MAC is refused", // the problem document has no algorithms
		"an unencoded payload",                                     // taken, when it is empty
		"the url of another resource", "a url of another spelling", // malformed, not unauthorized
		"a label xn-- that is no punycode",
		"the key of another account cannot be taken", // answered with 200, though nothing changes
		"a deactivated account says so",              // 403, not 401
	}
	p := newPebble(t, nil, "PEBBLE_VA_NOSLEEP=1")
	r, err := acmecheck.Run(t.Context(), acmecheck.Options{Directory: p.directory, Transport: p.transport, UserAgent: "tlswright", Name: "localhost", Listen: p.port, Patience: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Results {
		if c.Outcome != acmecheck.Failed {
			continue
		}
		isKnown := false
		for _, k := range known {
			isKnown = isKnown || strings.Contains(c.Check, k)
		}
		if !isKnown {
			t.Errorf("%s, %s: %s", c.Section, c.Check, c.Detail)
		}
	}
	if len(r.Left) > 0 {
		t.Errorf("left: %q", r.Left)
	}
	t.Logf("%d passed, %d failed, %d do not apply, %d requests", r.Passed, r.Failed, r.NotApplicable, r.Requests)
	for _, c := range r.Results {
		if c.Outcome == acmecheck.NotApplicable {
			t.Logf("does not apply: %s, %s: %s", c.Section, c.Check, c.Detail)
		}
	}
}
