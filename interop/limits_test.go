package interop

import (
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// TestRecordSizeLimitsWithOthers agrees on record_size_limit with GnuTLS, which always offers and answers it, and on
// max_fragment_length with OpenSSL.
func TestRecordSizeLimitsWithOthers(t *testing.T) {
	p := newPKI(t)
	a := asks{identity: p.leaves[ecdsaP256]}
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		a.versions = one(v)
		ours := asks{name: serverName, versions: a.versions}.config(p, tlscore.RoleClient)
		t.Run(v.String()+", GnuTLS serves", func(t *testing.T) {
			needProgram(t, "gnutls-serv")
			ours.Core.RecordSizeLimit = 512
			addr, _ := peerServing(t, "gnutls-serv", append(gnutlsTerms(a), "--echo", "--quiet", "--disable-client-cert", "--port", "PORT")...)
			if got := say(t, addr, ours); got.err != nil || got.facts.RecordLimitRead != 512 || got.facts.RecordLimitWrite < 16384 {
				t.Errorf("we read %d, and write %d: %v", got.facts.RecordLimitRead, got.facts.RecordLimitWrite, got.err)
			}
		})
		t.Run(v.String()+", GnuTLS dials", func(t *testing.T) {
			needProgram(t, "gnutls-cli")
			config := a.config(p, tlscore.RoleServer)
			config.Core.RecordSizeLimit = 600
			addr, told := echoServer(t, config)
			got := speak(t, told, "gnutls-cli", append(gnutlsTerms(asks{versions: a.versions}), "--recordsize", "1000", "--x509cafile", p.rootFile,
				"--sni-hostname", serverName, "--verify-hostname", serverName, "127.0.0.1", "--port", port(addr))...)
			if f := got.facts; f.RecordLimitRead != 600 || f.RecordLimitWrite != 1000 && f.RecordLimitWrite != 1001 {
				t.Errorf("we read %d, and write %d", f.RecordLimitRead, f.RecordLimitWrite)
			}
		})
		t.Run(v.String()+", OpenSSL serves", func(t *testing.T) {
			needProgram(t, "openssl")
			ours.Core.RecordSizeLimit, ours.Core.MaxFragmentLength = 0, 512
			addr, _ := peerServing(t, "openssl", append([]string{"s_server", "-accept", "127.0.0.1:PORT", "-rev"}, opensslTerms(a)...)...)
			if got := say(t, addr, ours); got.err != nil || got.facts.RecordLimitRead&^1 != 512 {
				t.Errorf("we read %d, and write %d: %v", got.facts.RecordLimitRead, got.facts.RecordLimitWrite, got.err)
			}
		})
		t.Run(v.String()+", OpenSSL dials", func(t *testing.T) {
			needProgram(t, "openssl")
			addr, told := echoServer(t, a.config(p, tlscore.RoleServer))
			got := speak(t, told, "openssl", append(opensslClient(p, addr, asks{name: serverName, versions: a.versions}), "-maxfraglen", "1024", "-ign_eof", "-nocommands")...)
			if f := got.facts; f.RecordLimitRead&^1 != 1024 || f.RecordLimitWrite&^1 != 1024 {
				t.Errorf("we read %d, and write %d", f.RecordLimitRead, f.RecordLimitWrite)
			}
		})
	}
}
