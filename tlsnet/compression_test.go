package tlsnet_test

import (
	"context"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

func TestCertificatesAreCompressedWithEachAlgorithm(t *testing.T) {
	s := newSite(t)
	for _, a := range tlsnet.CertificateCompressions() {
		client, server := s.clientConfig(), s.mutual()
		client.Identities = []tlsnet.Identity{identity(s.client)}
		client.CertificateCompression, server.CertificateCompression = []wire.CompressionAlgorithm{a}, tlsnet.CertificateCompressions()
		server.VerifyPeer = func(_ context.Context, _ tlsnet.Peer, f tlscore.Facts) error {
			if f.PeerCompression != a {
				t.Errorf("the client's certificate came with %v, not %v", f.PeerCompression, a)
			}
			return nil
		}
		facts, err := visits(t, 1, client, server)
		if err != nil || facts[0].PeerCompression != a || facts[0].OwnCompression != a {
			t.Errorf("%v: %v, %+v", a, err, facts)
		}
	}
	bad := s.clientConfig()
	bad.CertificateCompression = []wire.CompressionAlgorithm{9}
	if _, err := tlsnet.NewDialer(bad); err == nil {
		t.Error("an unknown algorithm is taken")
	}
}
