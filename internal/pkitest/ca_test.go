package pkitest

import (
	"errors"
	"testing"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

func verify(ca *CA, l *Leaf, name string, u pki.Usage) error {
	_, err := pki.Verify(l.Chain[0], pki.VerifyOptions{
		Roots: ca.Roots(), Intermediates: l.Chain[1:], Time: ca.Now, ServerName: name, Usage: u,
	})
	return err
}

func TestGoodLeavesOfEveryKeyTypeVerify(t *testing.T) {
	for _, ck := range CAKeyTypes() {
		ca := New(t, ck)
		for _, k := range KeyTypes() {
			server := ca.Server(k)
			for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
				if err := verify(ca, server, name, pki.UsageServer); err != nil {
					t.Errorf("%s CA, %s server for %s: %v", ck, k, name, err)
				}
			}
			if err := verify(ca, ca.Client(k, "alice"), "", pki.UsageClient); err != nil {
				t.Errorf("%s CA, %s client: %v", ck, k, err)
			}
			c, err := cert.Parse(server.Chain[0])
			if err != nil {
				t.Fatal(err)
			}
			if c.PSSOnly != (k == RSAPSS) || !pki.SameKey(c.PublicKey, server.Key.Public()) {
				t.Errorf("%s leaf: PSSOnly %v, key %s", k, c.PSSOnly, pki.DescribeKey(c.PublicKey))
			}
		}
	}
}

func TestBadLeavesAreBadInOneWayEach(t *testing.T) {
	ca := New(t, P256)
	for name, c := range map[string]struct {
		leaf *Leaf
		want pki.Reason
	}{
		"expired":       {ca.Expired(P256), pki.ReasonExpired},
		"not yet valid": {ca.NotYetValid(P256), pki.ReasonNotYetValid},
		"wrong name":    {ca.WrongName(P256), pki.ReasonNameMismatch},
		"wrong usage":   {ca.WrongUsage(P256), pki.ReasonUsage},
		"wrong CA":      {ca.WrongCA(P256), pki.ReasonUnknownAuthority},
		"namesake":      {ca.Namesake().Server(P256), pki.ReasonUnknownAuthority},
		"self-signed":   {ca.SelfSigned(P256), pki.ReasonUnknownAuthority},
	} {
		var verr *pki.VerifyError
		if err := verify(ca, c.leaf, "localhost", pki.UsageServer); !errors.As(err, &verr) || verr.Reason != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
