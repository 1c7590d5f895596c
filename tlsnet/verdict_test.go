package tlsnet_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// lastWord ends a context once the alert that refuses its peer is on its way.
type lastWord struct {
	net.Conn
	flights int
	end     context.CancelFunc
}

func (l *lastWord) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	if l.flights++; l.flights == 2 {
		l.end()
	}
	return n, err
}

// TestEndingContextLeavesTheVerdict is about servers that stop just as they refuse somebody: the reason must not be lost.
func TestEndingContextLeavesTheVerdict(t *testing.T) {
	s := newSite(t)
	client, server := tcpPair(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, err := tlsnet.Server(&lastWord{Conn: server, end: cancel}, s.mutual())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		peer := tls.Client(client, s.stdClient()) // without a certificate
		defer peer.Close()
		peer.Read(make([]byte, 1))
	}()
	err = c.HandshakeContext(ctx)
	if ctx.Err() == nil {
		t.Fatal("the context did not end in the middle")
	}
	var te *tlscore.Error
	if !errors.As(err, &te) || te.Code != tlscore.CodeCertificateRequired {
		t.Errorf("the handshake failed with %v, not for the missing certificate", err)
	}
}
