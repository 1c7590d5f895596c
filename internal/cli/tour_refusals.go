package cli

import (
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// mutualConfig is a server that lets in clients of the tour's CA only.
func (t *tour) mutualConfig() *tlsnet.Config {
	c := t.serverConfig()
	c.Core.ClientAuth = tlscore.RequireClientCert
	c.ClientRoots = rootsOf(t.ca)
	c.Core.CertificateAuthorities = [][]byte{t.ca.Root.RawSubject}
	return c
}

// clientWith is a client that presents a certificate.
func (t *tour) clientWith(id keystore.Identity) *tlsnet.Config {
	c := t.clientConfig()
	c.Identities = []tlsnet.Identity{netIdentity(id)}
	return c
}

func (t *tour) issueClient(ca *keystore.CA, name string) (keystore.Identity, error) {
	return issueFrom(ca, pki.Request{Profile: pki.ProfileClient, CommonName: name}, pki.P256, t.app.now())
}

func (t *tour) acceptClient() {
	for _, name := range []string{"alice", "bob"} {
		t.check(name, func() (string, error) {
			id, err := t.issueClient(t.ca, name)
			if err != nil {
				return "", err
			}
			m, err := t.agree(t.mutualConfig(), t.clientWith(id))
			if err != nil {
				return "", err
			}
			defer m.close()
			if got := m.server.Peer().CommonName(); got != name {
				return "", fmt.Errorf("the server takes the client for %q", got)
			}
			return fmt.Sprintf("let in; the server knows the client as %s", nameOf(m.server.Peer().Leaf)), agreeOnAll(m)
		})
	}
}

// refusal is somebody who must be refused.
type refusal struct {
	what    string
	prepare func() (server, client *tlsnet.Config, err error)
	by      tlscore.Role   // who refuses
	alert   wire.AlertCode // which the other end must receive
}

func (t *tour) refuse() {
	for _, r := range t.refusals() {
		t.check(r.what, func() (string, error) {
			server, client, err := r.prepare()
			if err != nil {
				return "", err
			}
			m, err := t.meet(server, client)
			if err != nil {
				return "", err
			}
			defer m.close()
			return judge(r, m)
		})
	}
}

// judge makes sure that one end refused, that the other received the alert, and tells it in both ends' words.
func judge(r refusal, m *meeting) (string, error) {
	refuser, refused := m.clientErr, m.serverErr
	who, other := "client", "server"
	if r.by == tlscore.RoleServer {
		refuser, refused, who, other = m.serverErr, m.clientErr, "server", "client"
	}
	if refuser == nil || refused == nil {
		return "", fmt.Errorf("was not refused (client: %v, server: %v)", m.clientErr, m.serverErr)
	}
	var told *tlscore.Error
	if !errors.As(refused, &told) || !told.Received() {
		return "", fmt.Errorf("the %s got no alert, but: %w", other, refused)
	}
	if alert, _ := told.Alert(); alert != r.alert {
		return "", fmt.Errorf("the %s got the alert %v, not %v", other, alert, r.alert)
	}
	reason := ""
	var trust *pki.VerifyError
	switch {
	case errors.As(refuser, &trust):
		reason = trust.Text
	default:
		reason, _, _ = refusalText(refuser)
	}
	return fmt.Sprintf("by the %s: %s; the %s is told: %v", who, reason, other, r.alert), nil
}

func (t *tour) refusals() []refusal {
	return []refusal{
		{"no certificate", func() (*tlsnet.Config, *tlsnet.Config, error) {
			return t.mutualConfig(), t.clientConfig(), nil
		}, tlscore.RoleServer, wire.AlertCertificateRequired},
		{"wrong client CA", func() (*tlsnet.Config, *tlsnet.Config, error) {
			other, err := t.otherCA()
			if err != nil {
				return nil, nil, err
			}
			id, err := t.issueClient(other, "mallory")
			// A server that names its CAs is not even shown a certificate of another one. This one does not.
			server := t.mutualConfig()
			server.Core.CertificateAuthorities = nil
			return server, t.clientWith(id), err
		}, tlscore.RoleServer, wire.AlertUnknownCA},
		{"expired client", func() (*tlsnet.Config, *tlsnet.Config, error) {
			id, err := t.issueExpired(pki.Request{Profile: pki.ProfileClient, CommonName: "alice"})
			return t.mutualConfig(), t.clientWith(id), err
		}, tlscore.RoleServer, wire.AlertCertificateExpired},
		{"wrong server CA", func() (*tlsnet.Config, *tlsnet.Config, error) {
			other, err := t.otherCA()
			if err != nil {
				return nil, nil, err
			}
			client := t.clientConfig()
			client.Roots = []*x509.Certificate{other.Root}
			return t.serverConfig(), client, nil
		}, tlscore.RoleClient, wire.AlertUnknownCA},
		{"expired server", func() (*tlsnet.Config, *tlsnet.Config, error) {
			id, err := t.issueExpired(pki.Request{Profile: pki.ProfileServer, CommonName: "localhost", SANs: []string{"localhost"}})
			server := t.serverConfig()
			server.Identities = []tlsnet.Identity{netIdentity(id)}
			return server, t.clientConfig(), err
		}, tlscore.RoleClient, wire.AlertCertificateExpired},
		{"wrong server name", func() (*tlsnet.Config, *tlsnet.Config, error) {
			client := t.clientConfig()
			client.ServerName = "bank.example"
			return t.serverConfig(), client, nil
		}, tlscore.RoleClient, wire.AlertCertificateUnknown},
	}
}

// otherCA is a CA that nobody here trusts.
func (t *tour) otherCA() (*keystore.CA, error) {
	home := filepath.Join(t.home, "elsewhere")
	ca, err := keystore.OpenCA(home)
	if errors.Is(err, keystore.ErrNoCA) {
		return keystore.CreateCA(home, keystore.CAOptions{Name: "Somebody Else"}, t.app.now())
	}
	return ca, err
}

// issueExpired makes a certificate that is over by now: its minute began when the CA did, which is dated back a little.
func (t *tour) issueExpired(req pki.Request) (keystore.Identity, error) {
	req.NotBefore, req.Lifetime = t.ca.Intermediate.NotBefore, time.Minute
	return issueFrom(t.ca, req, pki.P256, t.app.now())
}
