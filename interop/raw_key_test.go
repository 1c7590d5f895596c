package interop

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"testing"

	tlspki "github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// publicKey is the public key of an identity in a file, and its pin.
func publicKey(t *testing.T, p *pki, key crypto.Signer) (file string, pin tlspki.Pin) {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if file, err = p.keep("public-*.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})); err != nil {
		t.Fatal(err)
	}
	return file, tlspki.Pin{Kind: tlspki.PinKindSPKI, SHA256: sha256.Sum256(der)}
}

// TestRawPublicKeysWithGnuTLS: of Debian's programs GnuTLS alone has them; OpenSSL does from 3.2 on.
func TestRawPublicKeysWithGnuTLS(t *testing.T) {
	p := newPKI(t)
	theirs, ours := p.leaves[ecdsaP256], p.leaves[ed25519K]
	theirFile, theirPin := publicKey(t, p, theirs.key)
	_, ourPin := publicKey(t, p, ours.key)
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		terms := []string{"--rawpkkeyfile", theirs.keyFile, "--rawpkfile", theirFile,
			"--priority", "NORMAL:-VERS-ALL:" + gnutlsVersions[v] + ":+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK"}
		check := func(t *testing.T, got told13) {
			t.Helper()
			if f := got.facts; got.err != nil || f.Version != v || f.PeerType != wire.CertificateTypeRawPublicKey || f.OwnIdentity == nil || f.OwnIdentity.Type != f.PeerType {
				t.Errorf("%v, the peer's type is %v, ours %+v: %v", f.Version, f.PeerType, f.OwnIdentity, got.err)
			}
		}
		config := &tlsnet.Config{RawKeys: tlspki.PinSet{theirPin}, ServerName: serverName,
			Identities: []tlsnet.Identity{{Key: ours.key, Raw: true}}}
		t.Run(v.String()+", we are client", func(t *testing.T) {
			needProgram(t, "gnutls-serv")
			addr, prog := peerServing(t, "gnutls-serv", append(terms, "--echo", "--quiet", "--require-client-cert", "--port", "PORT")...)
			check(t, say(t, addr, config))
			wrong := *config
			wrong.RawKeys = tlspki.PinSet{ourPin}
			if got := say(t, addr, &wrong); got.err == nil {
				t.Error("a key that is not pinned is taken")
			}
			if t.Failed() {
				t.Log(prog.log)
			}
		})
		t.Run(v.String()+", we are server", func(t *testing.T) {
			needProgram(t, "gnutls-cli")
			serving := *config
			serving.Core = tlscore.Config{ClientAuth: tlscore.RequireClientCert}
			addr, told := echoServer(t, &serving)
			check(t, speak(t, told, "gnutls-cli", append(terms, "--insecure", "127.0.0.1", "--port", port(addr))...))
		})
	}
}
