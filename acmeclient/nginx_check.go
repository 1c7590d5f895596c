package acmeclient

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/tlswright/tlswright/tlsnet"
)

// nginxPatience is how long nginx may take to begin with a new certificate, and sightings how often in a row that must be
// seen, one look every lookEvery: for a moment old workers still answer, on a busy machine for a quarter of a second.
const (
	nginxPatience = 20 * time.Second
	lookEvery     = 25 * time.Millisecond
	sightings     = 12
)

// address is where to connect, from this machine.
func (l nginxListen) address() (network, address string) {
	switch {
	case l.isUnix:
		return "unix", strings.TrimPrefix(l.host, "unix:")
	case l.host == "" || l.host == "*" || l.host == "0.0.0.0":
		return "tcp", net.JoinHostPort("127.0.0.1", l.port)
	case l.host == "[::]":
		return "tcp", net.JoinHostPort("::1", l.port)
	}
	return "tcp", net.JoinHostPort(strings.Trim(l.host, "[]"), l.port)
}

// wait looks until the certificate is seen, and returns where it was.
func (c nginxCheck) wait(ctx context.Context, leaf *x509.Certificate, patience time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, address := c.listen.address()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for good := 0; ; {
		shown, err := c.look(ctx)
		switch {
		case err != nil:
			good = 0
		case !bytes.Equal(shown, leaf.Raw):
			good, err = 0, errors.New("it shows another certificate")
		default:
			if good++; good == sightings {
				return fmt.Sprintf("%s at %s", c.name, address), nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if err == nil {
				err = ctx.Err()
			}
			return "", &InstallError{Text: fmt.Sprintf("nginx does not serve the certificate for %s at %s", c.name, address), Err: err}
		}
	}
}

// look makes a handshake and returns the certificate that is shown. Whether it is trusted does not matter here: it is
// compared with ours.
func (c nginxCheck) look(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	network, address := c.listen.address()
	raw, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = raw.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := raw.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	if c.listen.isProxy {
		if _, err := raw.Write([]byte("PROXY UNKNOWN\r\n")); err != nil {
			return nil, err
		}
	}
	conn, err := tlsnet.Client(raw, &tlsnet.Config{ServerName: c.name, Insecure: true})
	if err != nil {
		return nil, err
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	peer := conn.Peer()
	_ = conn.CloseWrite()
	if len(peer.Raw) == 0 {
		return nil, errors.New("it shows no certificate")
	}
	return peer.Raw[0], nil
}
