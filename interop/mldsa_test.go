package interop

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	certs "github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// TestMLDSAWithPeersThatDoNotKnowIt: Debian 12's OpenSSL 3.0 and GnuTLS 3.7 have no ML-DSA. They and we must part with a reason, and they go on
// where there is another certificate. BoGo is the peer that has it.
func TestMLDSAWithPeersThatDoNotKnowIt(t *testing.T) {
	p := newPKI(t)
	files := p.ca.Issue(pkitest.MLDSA44, certs.Request{Profile: certs.ProfilePeer, CommonName: "interop", SANs: []string{serverName, "127.0.0.1"}})
	only := tlsnet.Identity{Chain: files.Chain, Key: files.Key}
	clients := map[string][]string{
		"openssl":    {"s_client", "-CAfile", p.rootFile, "-verify_return_error", "-quiet", "-connect", "ADDR"},
		"gnutls-cli": {"--x509cafile", p.rootFile, "--verify-hostname", serverName, "--sni-hostname", serverName, "127.0.0.1", "--port", "PORT"},
	}
	for name, args := range clients {
		terms := func(addr string) []string {
			out := make([]string, len(args))
			for i, a := range args {
				out[i] = strings.NewReplacer("ADDR", addr, "PORT", port(addr)).Replace(a)
			}
			return out
		}
		t.Run(name, func(t *testing.T) {
			needProgram(t, name)
			addr, told := echoServer(t, &tlsnet.Config{Identities: []tlsnet.Identity{only}})
			ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
			defer cancel()
			out, err := exec.CommandContext(ctx, name, terms(addr)...).CombinedOutput()
			if err == nil || !strings.Contains(strings.ToLower(string(out)), "handshake fail") {
				t.Errorf("%v: %s", err, out)
			}
			var refused *tlscore.Error
			if got := <-told; !errors.As(got.err, &refused) || refused.Code != tlscore.CodeNoSharedScheme {
				t.Errorf("we say: %v", got.err)
			}
		})
		t.Run(name+", with another certificate", func(t *testing.T) {
			needProgram(t, name)
			other := p.leaves[ecdsaP256]
			addr, told := echoServer(t, &tlsnet.Config{Identities: []tlsnet.Identity{only, {Chain: other.chain, Key: other.key}}})
			speak(t, told, name, terms(addr)...)
		})
	}
	t.Run("openssl reads the certificate", func(t *testing.T) {
		needProgram(t, "openssl")
		file := filepath.Join(t.TempDir(), "leaf.pem")
		if err := os.WriteFile(file, certs.AppendCertificatePEM(nil, files.Chain[0]), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "openssl", "x509", "-in", file, "-noout", "-text").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "2.16.840.1.101.3.4.3.17") && !strings.Contains(string(out), "ML-DSA-44") {
			t.Errorf("%v: %s", err, out)
		}
	})
}
