package tlsnet_test

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

func pinOf(t *testing.T, key crypto.Signer) pki.Pin {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pki.Pin{Kind: pki.PinKindSPKI, SHA256: sha256.Sum256(der)}
}

func TestRawKeysAreTrustedByTheirPins(t *testing.T) {
	s := newSite(t)
	server := tlsnet.Identity{Key: s.server.Key, Raw: true}
	client := tlsnet.Identity{Key: s.client.Key, Raw: true}
	known, other := pki.PinSet{pinOf(t, s.server.Key)}, pki.PinSet{pinOf(t, s.client.Key)}
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		ours := &tlsnet.Config{RawKeys: known, Identities: []tlsnet.Identity{client}}
		theirs := &tlsnet.Config{
			Identities: []tlsnet.Identity{server}, RawKeys: other,
			Core:       tlscore.Config{MaxVersion: v, ClientAuth: tlscore.RequireClientCert},
			VerifyPeer: nil,
		}
		facts, err := visits(t, 2, ours, theirs)
		if err != nil || facts[0].PeerType != wire.CertificateTypeRawPublicKey || facts[0].Resumed || !facts[1].Resumed {
			t.Errorf("%v: %v, %+v", v, err, facts)
		}
		ours.RawKeys = other
		if _, err := visits(t, 1, ours, theirs); !errors.Is(err, tlsnet.ErrUnknownKey) {
			t.Errorf("%v: a server with another key: %v", v, err)
		}
		ours.RawKeys, theirs.RawKeys = known, known
		var e *tlscore.Error
		if _, err = visits(t, 1, ours, theirs); v == wire.VersionTLS12 && (!errors.As(err, &e) || !e.Received()) {
			t.Errorf("%v: a client with another key: %v", v, err)
		}
	}
}

// TestPeerTellsTheRawKey also looks at what is kept of a peer.
func TestPeerTellsTheRawKey(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	c, d := ends(t, &tlsnet.Config{RawKeys: pki.PinSet{pinOf(t, s.server.Key)}},
		&tlsnet.Config{Identities: []tlsnet.Identity{{Key: s.server.Key, Raw: true}, identity(s.server)}}, a, b)
	go d.Handshake()
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p := c.Peer()
		if !p.Pinned() || p.Verified() || sha256.Sum256(p.RawKey) != pinOf(t, s.server.Key).SHA256 || p.Root() != nil || p.CommonName() != "" || p.Leaf != nil {
			t.Errorf("%+v", p)
		}
	}
	if _, err := tlsnet.NewDialer(&tlsnet.Config{RawKeys: pki.PinSet{{Kind: pki.PinKindCertificate}}}); err == nil {
		t.Error("the pin of a certificate is taken for one of a key")
	}
}

// TestRawKeysDoNotSpareTheName: where certificates are taken beside raw keys, somebody must say whose.
func TestRawKeysDoNotSpareTheName(t *testing.T) {
	s := newSite(t)
	pins := pki.PinSet{pinOf(t, s.client.Key)}
	for name, c := range map[string]struct {
		config  tlsnet.Config
		unnamed bool
	}{
		"raw keys alone":        {tlsnet.Config{RawKeys: pins}, true},
		"raw keys and roots":    {tlsnet.Config{RawKeys: pins, Roots: s.ca.Roots()}, false},
		"both types by request": {tlsnet.Config{RawKeys: pins, Roots: s.ca.Roots(), Core: tlscore.Config{PeerCertificateTypes: []wire.CertificateType{wire.CertificateTypeX509}}}, false},
		"raw keys by request":   {tlsnet.Config{RawKeys: pins, Roots: s.ca.Roots(), Core: tlscore.Config{PeerCertificateTypes: []wire.CertificateType{wire.CertificateTypeRawPublicKey}}}, true},
	} {
		a, _ := tcpPair(t)
		if _, err := tlsnet.Client(a, &c.config); (err == nil) != c.unnamed {
			t.Errorf("%s: %v", name, err)
		}
	}
}
