package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/challenge"
	gate "github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/tlsnet"
)

// obtainOverACME has our ACME client get a certificate from our ACME server, which looks for the proof at this machine.
func (t *tour) obtainOverACME() {
	var directory string
	if !t.check("ACME server", func() (string, error) {
		var err error
		directory, err = t.startACME()
		return "at " + directory, err
	}) {
		return
	}
	t.check("ACME client", func() (string, error) {
		tree, err := acmeclient.OpenTree(filepath.Join(t.home, "acme"))
		if err != nil {
			return "", err
		}
		tr := t.httpTransport(tlsnet.ProtocolHTTP2)
		defer tr.CloseIdleConnections()
		client := acmeclient.New(tree, acmeclient.Options{Server: directory, Transport: tr, Now: t.app.now, Timeout: 20 * time.Second})
		got, err := client.Obtain(t.ctx, acmeclient.Request{Renewal: acmeclient.Renewal{Names: []string{"127.0.0.1"},
			Challenge: acmeclient.Challenge{Way: acmeclient.Standalone, Listen: net.JoinHostPort("127.0.0.1", t.proofPort)}}})
		if err != nil {
			return "", err
		}
		id, err := keystore.LoadIdentity(filepath.Join(tree.Live(got.Name), keystore.FullChainFile), filepath.Join(tree.Live(got.Name), keystore.KeyFile))
		if err != nil {
			return "", err
		}
		c := t.clientConfig()
		c.ServerName = "127.0.0.1"
		m, err := t.agree(&tlsnet.Config{Identities: []tlsnet.Identity{netIdentity(id)}, Time: t.app.now}, c)
		if err != nil {
			return "", err
		}
		defer m.close()
		return "proved 127.0.0.1 by " + acme.HTTP01 + ", got a certificate, and a server used it", nil
	})
}

// startACME runs the ACME server until the tour ends, and returns its directory.
func (t *tour) startACME() (string, error) {
	port, err := freeAddress()
	if err != nil {
		return "", err
	}
	if _, t.proofPort, err = net.SplitHostPort(port); err != nil {
		return "", err
	}
	number, err := strconv.Atoi(t.proofPort)
	if err != nil {
		return "", err
	}
	validator, err := challenge.New(challenge.Options{HTTPPort: number, Now: t.app.now,
		Gate: gate.Gate{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}})
	if err != nil {
		return "", err
	}
	au, err := authority.OpenHome(t.ctx, t.home, authority.HomeOptions{Now: t.app.now, Actor: "tour"})
	if err != nil {
		return "", err
	}
	server, err := acmeserver.New(t.ctx, acmeserver.Options{Store: au.Store, Validator: validator, Now: t.app.now, Directories: []acmeserver.Directory{{Authority: au}}})
	if err != nil {
		return "", errors.Join(err, au.Close())
	}
	config := t.serverConfig()
	config.Core.ALPN = tlsnet.HTTPProtocols()
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return "", errors.Join(err, server.Close(), au.Close())
	}
	stop := t.serve(l, server)
	t.later(func() error {
		err := stop()
		validator.Close()
		return errors.Join(err, server.Close(), au.Close())
	})
	return "https://localhost:" + portOf(l.Addr()) + "/acme/directory", nil
}

// serve answers HTTP requests quietly until stop.
func (t *tour) serve(l *tlsnet.Listener, h http.Handler) (stop func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.ctx))
	done := make(chan error, 1)
	go func() { done <- serveHTTP(ctx, l, h, &serveLog{app: t.quiet(), isQuiet: true}) }()
	return func() error { cancel(); return <-done }
}
