package acme

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// stepCA is Smallstep's CA. It is no package of Debian's, so there is none to demand; whoever has it (CGO_ENABLED=0 go
// install github.com/smallstep/certificates/cmd/step-ca@latest) has it tested.
type stepCA struct {
	directory string
	transport http.RoundTripper
	web, tls  string // where it looks for proofs, "127.0.0.1:N"
}

// certify makes an authority, certified by another or by itself.
func certify(t *testing.T, dir, name string, parent *x509.Certificate, parentKey crypto.Signer) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * 365 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	if parent == nil {
		parent, parentKey = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(keystore.WriteKey(filepath.Join(dir, name+".key"), key), os.WriteFile(filepath.Join(dir, name+".crt"), pki.AppendCertificatePEM(nil, der), 0o600)); err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

// newStepCA starts one with an ACME provisioner, and waits until it answers.
func newStepCA(t *testing.T, names string) *stepCA {
	t.Helper()
	program, err := exec.LookPath("step-ca")
	if err != nil {
		t.Skip("step-ca is not on the PATH")
	}
	dir := t.TempDir()
	root, rootKey := certify(t, dir, "root", nil, nil)
	certify(t, dir, "intermediate", root, rootKey)
	free := freeAddresses(t, 3)
	s := &stepCA{web: free[0], tls: free[1], directory: "https://" + free[2] + "/acme/acme/directory"}
	text, err := json.Marshal(map[string]any{"root": filepath.Join(dir, "root.crt"), "crt": filepath.Join(dir, "intermediate.crt"), "key": filepath.Join(dir, "intermediate.key"),
		"address": free[2], "dnsNames": []string{"127.0.0.1", "localhost"}, "logger": map[string]string{"format": "text"},
		"db":        map[string]string{"type": "badgerv2", "dataSource": filepath.Join(dir, "db")},
		"authority": map[string]any{"provisioners": []any{map[string]any{"type": "ACME", "name": "acme"}}}})
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "ca.json")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, config, "--insecure", "--acme-http-port", portOf(t, s.web), "--acme-tls-port", portOf(t, s.tls), "--resolver", names)
	cmd.Env = append(os.Environ(), "STEPPATH="+dir, "HOME="+dir)
	startServer(t, "step-ca", cmd)
	s.transport = &tlsnet.Transport{Config: &tlsnet.Config{Roots: []*x509.Certificate{root}}}
	awaitAnswer(t, s.transport, s.directory)
	return s
}

// TestOurClientAgainstStepCA has our client obtain by every challenge, renew, revoke and leave. step-ca changes no account
// keys, though its directory says so: that must be told, and leave the account as it was.
func TestOurClientAgainstStepCA(t *testing.T) {
	zone := newZone(t)
	s := newStepCA(t, zone.address)
	tree, err := acmeclient.OpenTree(filepath.Join(t.TempDir(), "acme"))
	if err != nil {
		t.Fatal(err)
	}
	client := acmeclient.New(tree, acmeclient.Options{Server: s.directory, Transport: s.transport})
	web := acmeclient.Request{Contact: []string{"mailto:me@step.test"},
		Renewal: acmeclient.Renewal{Names: []string{"web.step.test"}, Challenge: acmeclient.Challenge{Way: acmeclient.Standalone, Listen: s.web}}}
	first, err := client.Obtain(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	second, err := client.Obtain(t.Context(), web)
	if err != nil || second.Generation != first.Generation+1 || bytes.Equal(second.Chain[0], first.Chain[0]) {
		t.Fatalf("again: %v", err)
	}
	for _, r := range []acmeclient.Renewal{
		{Names: []string{"tls.step.test"}, Challenge: acmeclient.Challenge{Way: acmeclient.TLSALPN, Listen: s.tls}},
		{Names: []string{"127.0.0.1"}, Challenge: acmeclient.Challenge{Way: acmeclient.Standalone, Listen: s.web}},
		{Names: []string{"*.dns.step.test", "dns.step.test"}, Challenge: acmeclient.Challenge{Way: acmeclient.RFC2136, Server: zone.address, Zone: "step.test"}},
	} {
		if _, err := client.Obtain(t.Context(), acmeclient.Request{Renewal: r}); err != nil {
			t.Errorf("%v: %v", r.Names, err)
		}
	}
	results, err := tree.Renew(t.Context(), acmeclient.RenewOptions{Names: []string{"web.step.test"}, Force: true, Client: func(string) (*acmeclient.Client, error) { return client, nil }})
	if err != nil || len(results) != 1 || results[0].Err != nil || results[0].Done == nil {
		t.Errorf("renew: %v %+v", err, results)
	}
	var refused *acmeclient.ServerError
	if err := client.Rollover(t.Context()); err != nil && !errors.As(err, &refused) {
		t.Errorf("rollover: %v", err)
	}
	if err := client.UpdateContact(t.Context(), []string{"mailto:you@step.test"}); err != nil {
		t.Error(err)
	}
	if err := client.Revoke(t.Context(), "web.step.test", 4); err != nil {
		t.Error(err)
	}
	if err := client.Revoke(t.Context(), "web.step.test", 4); !errors.As(err, &refused) || refused.Type != "alreadyRevoked" {
		t.Errorf("revoked twice: %v", err)
	}
	if err := client.Deactivate(t.Context()); err != nil {
		t.Error(err)
	}
}
