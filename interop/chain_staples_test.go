package interop

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// chainStaples makes an OCSP response for the leaf and one for the intermediate above it.
func (p *pki) chainStaples(t *testing.T, id *identity) (leaf, above []byte) {
	t.Helper()
	st, err := p.ocspSays(id, ocsp.Good)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	r := ocsp.Response{Status: ocsp.Good, SerialNumber: p.ca.Intermediate.SerialNumber, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
	above, err = ocsp.CreateResponse(p.ca.Root, p.ca.Root, r, p.ca.RootKey)
	if err != nil {
		t.Fatal(err)
	}
	return st.der, above
}

// TestStaplesOfEachCertificateWithGnuTLS sends and reads an OCSP response with each certificate of a chain. GnuTLS is the
// one of our peers that can; it has no such thing for a client's certificate.
func TestStaplesOfEachCertificateWithGnuTLS(t *testing.T) {
	p := newPKI(t)
	a := asks{identity: p.leaves[ecdsaP256], versions: one(wire.VersionTLS13)}
	t.Run("GnuTLS serves", func(t *testing.T) {
		needProgram(t, "gnutls-serv")
		leaf, above := p.chainStaples(t, a.identity)
		var files []string
		for _, der := range [][]byte{leaf, above} {
			file, err := p.keep("ocsp-*.der", der)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, "--ocsp-response", file)
		}
		addr, _ := peerServing(t, "gnutls-serv", append(append(gnutlsTerms(a), "--echo", "--quiet", "--disable-client-cert", "--port", "PORT"), files...)...)
		got := say(t, addr, asks{name: serverName, versions: a.versions}.config(p, tlscore.RoleClient))
		if got.err != nil {
			t.Fatal(got.err)
		}
		peer := got.conn.Peer()
		if len(peer.Above) != 1 || !bytes.Equal(peer.Above[0].Staple, above) || peer.Status == nil || len(peer.AboveStatus) == 0 || peer.AboveStatus[0] == nil {
			t.Errorf("above the leaf came %d, status %+v and %+v", len(peer.Above), peer.Status, peer.AboveStatus)
		}
	})
	t.Run("GnuTLS dials", func(t *testing.T) {
		needProgram(t, "gnutls-cli")
		leaf, above := p.chainStaples(t, a.identity)
		config := a.config(p, tlscore.RoleServer)
		config.Identities[0].Staple, config.Identities[0].Above = leaf, []tlscore.Stapled{{Staple: above}}
		addr, told := echoServer(t, config)
		file := filepath.Join(t.TempDir(), "saved.pem")
		speak(t, told, "gnutls-cli", append(gnutlsTerms(asks{versions: a.versions}), "--save-ocsp-multi", file, "--x509cafile", p.rootFile,
			"--sni-hostname", serverName, "--verify-hostname", serverName, "127.0.0.1", "--port", port(addr))...)
		saved, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got [][]byte
		for block, rest := pem.Decode(saved); block != nil; block, rest = pem.Decode(rest) {
			got = append(got, block.Bytes)
		}
		if len(got) != 2 || !bytes.Equal(got[0], leaf) || !bytes.Equal(got[1], above) {
			t.Errorf("the peer read %d responses, not both", len(got))
		}
	})
}
