package interop

import (
	"context"
	"encoding/base64"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// echKey makes a key and the list, in base64, that tells of it.
func echKey(t *testing.T, id uint8) (key tlscore.ECHKey, list string) {
	t.Helper()
	key, err := tlscore.GenerateECHKey(wire.ECHConfig{ConfigID: id, PublicName: "public.example", MaximumNameLength: 30})
	if err != nil {
		t.Fatal(err)
	}
	published, err := tlscore.ECHConfigList(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, base64.StdEncoding.EncodeToString(published)
}

// TestEncryptedClientHelloWithNSS lets NSS's client encrypt its ClientHello to our server, with a configuration that is known,
// with one that is out of date, and with none (GREASE). NSS's server is not built with it in Debian; crypto/tls, which has both
// ends, is in tlsnet's tests.
func TestEncryptedClientHelloWithNSS(t *testing.T) {
	needProgram(t, "tstclnt")
	p := newPKI(t)
	key, list := echKey(t, 1)
	_, old := echKey(t, 2)
	public := p.ca.Server(pkitest.P256, "public.example")
	for name, c := range map[string]struct {
		args   []string
		group  wire.Group
		status tlscore.ECHStatus
		name   string
	}{
		"accepted":                         {[]string{"-N", list}, 0, tlscore.ECHAccepted, serverName},
		"accepted after HelloRetryRequest": {[]string{"-N", list}, wire.GroupSecp384r1, tlscore.ECHAccepted, serverName},
		"out of date":                      {[]string{"-N", old}, 0, tlscore.ECHRejected, "public.example"},
		"GREASE":                           {[]string{"-i", "100"}, 0, tlscore.ECHRejected, serverName},
	} {
		t.Run(name, func(t *testing.T) {
			config := asks{identity: p.leaves[ecdsaP256]}.config(p, tlscore.RoleServer)
			config.Identities = append(config.Identities, tlsnet.Identity{Chain: public.Chain, Key: public.Key})
			config.Core.ECHKeys = []tlscore.ECHKey{key}
			a := asks{name: serverName, versions: one(wire.VersionTLS13), extra: c.args, groups: []wire.Group{wire.GroupX25519, wire.GroupSecp384r1}}
			if c.group != 0 {
				config.Core.Groups = one(c.group)
			}
			addr, told := echoServer(t, config)
			ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
			defer cancel()
			theirs := nssGlance(ctx, p, addr, a, "")
			got := <-told
			f := got.facts
			if f.ECH.Status != c.status || f.ServerName != c.name || f.HelloRetried != (c.group != 0) || c.name == serverName && !f.HandshakeComplete {
				t.Errorf("we say %+v, %q: %v; NSS says %v\n%s", f.ECH, f.ServerName, got.err, theirs.err, theirs.log)
			}
		})
	}
}
