package gateway

import (
	"fmt"
	"net"
	"strings"

	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/wire"
)

// introduce tells an upstream without HTTP who the client is, where the target asks for that.
func (l *listener) introduce(up net.Conn, c *conn, d *door, s *settled) error {
	if !d.site.target.c.ProxyProtocol {
		return nil
	}
	h := relay.ProxyHeader{Source: c.remote}
	if local, ok := addrPort(c.Conn.LocalAddr()); ok {
		h.Destination = local
	}
	if s != nil {
		f := s.tls.Facts()
		h.ALPN, h.Authority = f.ALPN, f.ServerName
		h.SSL = &relay.ProxySSL{Certificate: s.subject.Present, Resumed: f.Resumed, Verified: true, Version: versionName(f.Version),
			CommonName: s.subject.CommonName, Cipher: f.CipherSuite.String()}
	}
	if _, err := up.Write(relay.AppendProxy(nil, h)); err != nil {
		return fmt.Errorf("the PROXY header: %w", err)
	}
	return nil
}

// versionName is a version as the PROXY protocol writes it.
func versionName(v wire.Version) string { return strings.ReplaceAll(v.String(), "TLS ", "TLSv") }
