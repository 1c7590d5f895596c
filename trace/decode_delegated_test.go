package trace_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// chainStaples configures two ends that send an OCSP response with each certificate.
func chainStaples(t *testing.T) (client, server tlscore.Config) {
	id := stapled(t, 300)
	key := newKey(t, "ecdsa")
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "above"}, NotBefore: tlstest.Now.AddDate(0, -1, 0), NotAfter: tlstest.Now.AddDate(0, 1, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf, err := x509.ParseCertificate(id[0].Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	leaf.SignatureAlgorithm = 0
	id[0].Chain = nil
	for _, c := range []*x509.Certificate{leaf, ca} {
		public := id[0].Tag.(crypto.Signer).Public()
		if c == ca {
			public = key.Public()
		}
		der, err := x509.CreateCertificate(rand.Reader, c, ca, public, key)
		if err != nil {
			t.Fatal(err)
		}
		id[0].Chain = append(id[0].Chain, der)
	}
	id[0].Above = []tlscore.Stapled{{Staple: []byte("no response"), SCTs: [][]byte{[]byte("no timestamp")}}}
	return tlscore.Config{Identities: id}, tlscore.Config{Identities: id, ClientAuth: tlscore.RequireClientCert}
}

// delegating configures two ends that show delegated credentials to each other.
func delegating(t *testing.T) (client, server tlscore.Config) {
	takes := tlscore.DelegatedSchemes()
	return tlscore.Config{Identities: []tlscore.Identity{delegated(t, tlscore.RoleClient)}, DelegatedSchemes: takes},
		tlscore.Config{Identities: []tlscore.Identity{delegated(t, tlscore.RoleServer)}, DelegatedSchemes: takes, ClientAuth: tlscore.RequireClientCert}
}

// delegated is an identity with a delegated credential, whose key is an Ed25519 key.
func delegated(t *testing.T, role tlscore.Role) tlscore.Identity {
	t.Helper()
	owner, key := newKey(t, "ecdsa"), newKey(t, "ed25519")
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"a.example"},
		NotBefore: tlstest.Now.AddDate(0, -1, 0), NotAfter: tlstest.Now.AddDate(0, 1, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 44363, 44}, Value: []byte{5, 0}}},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, owner.Public(), owner)
	if err != nil {
		t.Fatal(err)
	}
	credential, err := tlscore.Delegate(der, owner, role, key.Public(), tlstest.Now, tlstest.Now.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return tlscore.Identity{Chain: [][]byte{der}, Tag: owner, Delegated: &tlscore.Delegated{Credential: credential, Tag: key}}
}

// TestDelegatedCredentialsAreChecked: the right ones pass, and of a wrong one is told what is wrong with it.
func TestDelegatedCredentialsAreChecked(t *testing.T) {
	w := plain(delegating(t))(t)
	right := 0
	for _, c := range decode(t, w.client.Capture()).Checks {
		if strings.HasSuffix(c.Name, "delegated credential") && c.Result == "right" {
			right++
		}
	}
	if right != 2 {
		t.Errorf("%d credentials are right, want both", right)
	}
	id := delegated(t, tlscore.RoleServer)
	owner := id.Tag.(crypto.Signer)
	id.Tag = id.Delegated.Tag
	var dc wire.DelegatedCredential
	if err := dc.Parse(id.Delegated.Credential); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(dc *wire.DelegatedCredential){
		"signature":            func(dc *wire.DelegatedCredential) { dc.ValidTime-- },
		"it is over":           func(dc *wire.DelegatedCredential) { dc.ValidTime = 1; resign(t, owner, id.Chain[0], dc) },
		"more than seven days": func(dc *wire.DelegatedCredential) { dc.ValidTime += 7 * 24 * 3600; resign(t, owner, id.Chain[0], dc) },
	} {
		broken := dc
		change(&broken)
		puppet := tlstest.Puppet{Identity: id, Edit: func(kind wire.HandshakeType, raw []byte) []byte {
			var msg wire.Certificate
			if kind != wire.TypeCertificate || msg.Parse(raw) != nil {
				return raw
			}
			msg.Entries[0].Extensions.Add(&broken)
			return wire.AppendMessage(nil, &msg)
		}}
		r, out := forged(t, true, tlscore.Config{DelegatedSchemes: tlscore.DelegatedSchemes()}, puppet)
		if code, _ := tlscore.CodeOf(out.Err); code != tlscore.CodeBadDelegated {
			t.Errorf("%s: %v", says, out.Err)
		}
		i := slices.IndexFunc(r.Checks, func(c trace.Check) bool { return c.Name == "server delegated credential" })
		if i < 0 || r.Checks[i].Result != "wrong" || !strings.Contains(r.Checks[i].Text, says) {
			t.Errorf("%s: %+v", says, r.Checks)
		}
	}
}

// resign signs a changed credential again.
func resign(t *testing.T, owner crypto.Signer, certificate []byte, dc *wire.DelegatedCredential) {
	t.Helper()
	var err error
	dc.Signature, err = suite.Sign(owner, suite.SchemeByID(dc.Algorithm), verify.DelegatedInput(verify.ServerSigner, certificate, dc))
	if err != nil {
		t.Fatal(err)
	}
}
