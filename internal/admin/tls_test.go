package admin

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// TestAdminCertificatesComeFromAnotherIssuer goes through TLS: what the CA itself has issued to a client opens nothing,
// nor does no certificate; one of the admin CA does.
func TestAdminCertificatesComeFromAnotherIssuer(t *testing.T) {
	l := newLab(t)
	key := func() crypto.Signer {
		k, err := pki.GenerateKey(pki.P256)
		l.must(err)
		return k
	}
	certify := func(profile pki.Profile, k crypto.Signer, names ...string) tlsnet.Identity {
		c, err := l.au.Issue(t.Context(), pki.Request{Profile: profile, CommonName: "alice", SANs: names, Key: k.Public()})
		l.must(err)
		return tlsnet.Identity{Chain: [][]byte{c.Raw, l.au.Issuer.Certificate.Raw}, Key: k}
	}
	l.server.o.Client = clientOf
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{certify(pki.ProfileServer, key(), "127.0.0.1")},
		ClientRoots: []*x509.Certificate{l.ca.Root}, Core: tlscore.Config{ALPN: tlsnet.HTTPProtocols(), ClientAuth: tlscore.RequireClientCert, MinVersion: wire.VersionTLS13, NoTickets: true}, Time: l.server.o.Now})
	l.must(err)
	server := &tlsnet.HTTPServer{Handler: l.server, ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(listener)
	defer server.Close()
	aliceKey := key()
	alice, entry, err := l.ca.Issue("alice", []Role{RoleRead}, aliceKey.Public(), 0, nil, l.now)
	l.must(err)
	l.must(l.au.Store.AddAdmin(context.Background(), entry, (&call{s: l.server}).by()))
	get := func(ids ...tlsnet.Identity) (string, error) {
		tr := &tlsnet.Transport{Config: &tlsnet.Config{Identities: ids, Roots: l.au.Issuer.Chain, Time: l.server.o.Now, Core: tlscore.Config{ALPN: tlsnet.HTTPProtocols()}}}
		defer tr.CloseIdleConnections()
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+listener.Addr().String()+"/v1/whoami", nil)
		l.must(err)
		response, err := tr.RoundTrip(r)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return string(body), err
	}
	if body, err := get(tlsnet.Identity{Chain: [][]byte{alice.Raw}, Key: aliceKey}); err != nil || !strings.Contains(body, `"name":"alice"`) {
		t.Errorf("%q %v", body, err)
	}
	for name, ids := range map[string][]tlsnet.Identity{
		"a client certificate of the CA": {certify(pki.ProfileClient, key())}, "a server certificate": {certify(pki.ProfileServer, key(), "alice.test")}, "none": nil,
	} {
		if body, err := get(ids...); err == nil {
			t.Errorf("%s opens the API: %s", name, body)
		}
	}
}

func TestTheAdminCAIsMadeOnce(t *testing.T) {
	l := newLab(t)
	if _, err := InitCA(l.home, CAOptions{}, l.now); !errors.Is(err, ErrCAExists) {
		t.Error(err)
	}
	again, err := ReadCA(l.home)
	if err != nil || !again.Root.Equal(l.ca.Root) || again.Root.MaxPathLen != 0 || !again.Root.MaxPathLenZero {
		t.Errorf("%+v %v", again, err)
	}
	if again.Root.CheckSignatureFrom(l.au.Issuer.Chain[0]) == nil {
		t.Error("the admin CA hangs below the CA")
	}
	empty := t.TempDir()
	if _, err := ReadCA(empty); !errors.Is(err, ErrNoCA) {
		t.Error(err)
	}
	if _, err := InitCA(empty, CAOptions{}, l.now); err == nil {
		t.Error("an admin CA without a CA")
	}
	info, err := os.Stat(filepath.Join(l.ca.Dir, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(l.home, caFolder, tempPrefix+"*")); len(left) != 0 {
		t.Error(left)
	}
}

func TestAnEncryptedAdminCAAsksForItsPassphrase(t *testing.T) {
	l := newLab(t)
	l.must(os.RemoveAll(l.ca.Dir))
	ca, err := InitCA(l.home, CAOptions{Passphrase: []byte("secret")}, l.now)
	l.must(err)
	issue := func(f keystore.PassphraseFunc) error {
		_, _, err := ca.Issue("alice", []Role{RoleRead}, l.key.Public(), 0, f, l.now)
		return err
	}
	if err := issue(func(string) ([]byte, error) { return []byte("wrong"), nil }); !errors.Is(err, pki.ErrWrongPassphrase) {
		t.Error(err)
	}
	l.must(issue(func(string) ([]byte, error) { return []byte("secret"), nil }))
}

func TestNamesAndRolesOfAdminsAreChecked(t *testing.T) {
	for name, ok := range map[string]bool{"alice": true, "ops@corp.example": true, "ci-1_a": true, "": false, "a b": false, "a\x1b[0m": false, "../x": false, "älice": false, strings.Repeat("a", 65): false} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	if r, err := ParseRoles([]string{"read", "read", "issue"}); err != nil || len(r) != 2 {
		t.Errorf("%v %v", r, err)
	}
	for _, bad := range [][]string{nil, {""}, {"root"}, {"read", "READ"}} {
		if r, err := ParseRoles(bad); err == nil {
			t.Errorf("%q: %v", bad, r)
		}
	}
}
