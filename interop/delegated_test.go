package interop

import (
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	ours "github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// TestDelegatedCredentialsWithNSS lets NSS's client judge our server's delegated credential (RFC 9345). Its server cannot be
// given one from the command line, and no other of our peers has them.
func TestDelegatedCredentialsWithNSS(t *testing.T) {
	needProgram(t, "tstclnt")
	p := newPKI(t)
	id := extended(t, p, p.leaves[ecdsaP256], pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 44363, 44}, Value: []byte{5, 0}})
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		kind    ours.KeyType
		life    time.Duration
		offers  bool
		used    bool
		refused bool
	}{
		"P-256":           {kind: ours.P256, life: day, offers: true, used: true},
		"P-384":           {kind: ours.P384, life: 6 * day, offers: true, used: true},
		"not offered":     {kind: ours.P256, life: day},
		"for eight days":  {kind: ours.P256, life: 8 * day, offers: true, refused: true},
		"over in between": {kind: ours.P256, life: -time.Second, offers: true},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := ours.GenerateKey(c.kind)
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			credential, err := tlscore.Delegate(id.chain[0], id.key, tlscore.RoleServer, key.Public(), now.Add(c.life-time.Hour), now.Add(c.life))
			if err != nil {
				t.Fatal(err)
			}
			config := asks{identity: id}.config(p, tlscore.RoleServer)
			config.Identities[0].Delegated = &tlsnet.Delegated{Credential: credential, Key: key}
			addr, told := echoServer(t, config)
			a := asks{name: serverName, versions: one(wire.VersionTLS13)}
			if c.offers {
				a.extra = []string{"-B"}
			}
			ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
			defer cancel()
			theirs := nssGlance(ctx, p, addr, a, "")
			got := <-told
			if c.refused {
				if got.err == nil || theirs.err == nil {
					t.Errorf("it was taken: %v, %v", got.err, theirs.err)
				}
				return
			}
			if used := got.facts.OwnDelegation != nil; used != c.used || !got.facts.HandshakeComplete {
				t.Errorf("used: %v, %v; NSS said %v\n%s", used, got.err, theirs.err, theirs.log)
			}
		})
	}
}
