package estate

import (
	"context"
	"crypto/x509"
	"errors"
	"log"
	"net"
	"net/http"
	"sync"

	"github.com/tlswright/tlswright/internal/admin"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// door is an address at which the CA listens, for one kind of request.
type door struct {
	key     string // of the section
	address string // as it was asked for
	bound   *boundPort
	tls     *tlsnet.Listener // over bound; nil: plain
	user    *identityUser    // of tls
	stop    context.CancelFunc
}

// boundPort is a listener that tells when it has let go of its port.
type boundPort struct {
	net.Listener
	once   sync.Once
	closed chan struct{}
}

// Close implements net.Listener.
func (b *boundPort) Close() error {
	err := b.Listener.Close()
	b.once.Do(func() { close(b.closed) })
	return err
}

// doorKeys are the keys of the section that name addresses.
func doorKeys() []string { return []string{"http", "admin", "metrics", "listen"} }

func doorAddress(c *config.CA, key string) string {
	return map[string]string{"http": c.HTTP, "admin": c.Admin, "metrics": c.Metrics, "listen": c.Listen}[key]
}

// bindDoor takes an address; nil: none is asked for.
func bindDoor(key, address string) (*door, error) {
	if address == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, listenProblem(key, "", err)
	}
	return &door{key: key, address: address, bound: &boundPort{Listener: l, closed: make(chan struct{})}}, nil
}

// fit makes TLS of a door that is to have it.
func (d *door) fit(own *ownIdentity, b *Base) (err error) {
	config := tlsnet.Config{Core: tlscore.Config{ALPN: tlsnet.HTTPProtocols()}, Time: b.Now}
	switch d.key {
	case "listen":
	case "admin":
		ca, err := admin.ReadCA(b.Home)
		if err != nil {
			return doing(err, "opening the admin CA")
		}
		config.ClientRoots = []*x509.Certificate{ca.Root}
		// TLS 1.3 alone, and no resumption: whoever comes shows the certificate, every time.
		config.Core.ClientAuth, config.Core.MinVersion, config.Core.NoTickets = tlscore.RequireClientCert, wire.VersionTLS13, true
	default:
		return nil
	}
	with, user := own.use(config)
	if d.tls, err = tlsnet.NewListener(d.bound, with); err != nil {
		own.drop(user)
		return err
	}
	d.user = user
	return nil
}

// close gives the address back, if that has not been done.
func (d *door) close() {
	if d != nil {
		_ = d.bound.Close() // at the latest now; most were closed before
	}
}

// serve answers with h until ctx ends, and then lets requests under way finish.
func (d *door) serve(ctx context.Context, h http.Handler, o *CAOptions) error {
	if d.tls == nil {
		return ServePlain(ctx, d.bound, h)
	}
	refused := o.Refused
	if refused == nil {
		refused = func(c *tlsnet.Conn, err error) {
			o.Log.Info("a handshake failed", "with", c.RemoteAddr().String(), "error", pki.Printable(err.Error()))
		}
	}
	server := &tlsnet.HTTPServer{Handler: h, ErrorLog: log.New(&warnings{o.Log}, "", 0), HandshakeError: func(c *tlsnet.Conn, err error) {
		if !errors.Is(err, context.Canceled) {
			refused(c, err)
		}
	}}
	return ServeUntil(ctx, server, func() error { return server.Serve(d.tls) })
}
