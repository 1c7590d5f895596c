package interop

import (
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// TestReservedValuesWithOthers sends reserved values, and extensions in an order of chance, to OpenSSL and GnuTLS, which
// must not mind (RFC 8701): a few times, for the values differ.
func TestReservedValuesWithOthers(t *testing.T) {
	p := newPKI(t)
	a := asks{identity: p.leaves[ecdsaP256]}
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		a.versions = one(v)
		ours := asks{name: serverName, versions: a.versions}.config(p, tlscore.RoleClient)
		ours.Core.Grease, ours.Core.PermuteExtensions = true, true
		talk := func(t *testing.T, addr string) {
			for range 5 {
				if got := say(t, addr, ours); got.err != nil {
					t.Error(got.err)
				}
			}
		}
		t.Run(v.String()+", GnuTLS serves", func(t *testing.T) {
			needProgram(t, "gnutls-serv")
			addr, _ := peerServing(t, "gnutls-serv", append(gnutlsTerms(a), "--echo", "--quiet", "--disable-client-cert", "--port", "PORT")...)
			talk(t, addr)
		})
		t.Run(v.String()+", OpenSSL serves", func(t *testing.T) {
			needProgram(t, "openssl")
			addr, _ := peerServing(t, "openssl", append([]string{"s_server", "-accept", "127.0.0.1:PORT", "-rev"}, opensslTerms(a)...)...)
			talk(t, addr)
		})
		t.Run(v.String()+", OpenSSL dials", func(t *testing.T) {
			needProgram(t, "openssl")
			config := a.config(p, tlscore.RoleServer)
			config.Core.Grease, config.Core.ClientAuth, config.Insecure = true, tlscore.RequestClientCert, true
			addr, told := echoServer(t, config)
			got := speak(t, told, "openssl", append(opensslClient(p, addr, asks{name: serverName, versions: a.versions}), "-ign_eof", "-nocommands")...)
			if got.err != nil || got.facts.Version != v {
				t.Errorf("%v: %v", got.facts.Version, got.err)
			}
		})
	}
}
