package interop

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func features12() []feature {
	var fs []feature
	for _, k := range allKinds {
		fs = append(fs,
			feature{what: "client certificate " + string(k), role: weAreClient, run: clientCertificate(k)},
			feature{what: "client certificate " + string(k), role: weAreServer, run: clientCertificateChecked(k)})
	}
	return append(fs,
		feature{what: "no client certificate: refused, the client reads the alert", role: weAreClient, run: refusedClient(false)},
		feature{what: "an impostor's client certificate: refused, the client reads the alert", role: weAreClient, run: refusedClient(true)},
		feature{what: "no client certificate: refused, the client reads the alert", role: weAreServer, run: refusedByServer(false)},
		feature{what: "an impostor's client certificate: refused, the client reads the alert", role: weAreServer, run: refusedByServer(true)},
		feature{what: "ALPN agreed", role: weAreClient, run: alpnClient},
		feature{what: "ALPN agreed", role: weAreServer, run: alpnServer},
		feature{what: "ALPN without a common protocol: refused", role: weAreClient, run: alpnRefusedClient},
		feature{what: "ALPN without a common protocol: refused", role: weAreServer, run: alpnRefusedServer},
		feature{what: "HTTP/1.1 under net/http", role: weAreClient, run: httpClient("http/1.1")},
		feature{what: "HTTP/1.1 under net/http", role: weAreServer, run: httpServer("http/1.1")},
		feature{what: "HTTP/2 under net/http", role: weAreClient, run: httpClient("h2")},
		feature{what: "HTTP/2 under net/http", role: weAreServer, run: httpServer("h2")},
		feature{what: "no server_name, the address is verified", role: weAreClient, run: addressClient},
		feature{what: "no server_name, the address is verified", role: weAreServer, run: addressServer},
		feature{what: "wrong name: the client refuses, the server reads the alert", role: weAreClient, run: wrongNameClient},
		feature{what: "wrong name: the client refuses, the server reads the alert", role: weAreServer, run: wrongNameServer},
		feature{what: "unknown CA: the client refuses, the server reads the alert", role: weAreClient, run: unknownCAClient},
		feature{what: "unknown CA: the client refuses, the server reads the alert", role: weAreServer, run: unknownCAServer},
		feature{what: "no extended master secret: `Facts` says so", role: weAreClient, run: noEMSClient},
		feature{what: "no extended master secret: `Facts` says so", role: weAreServer, run: noEMSServer},
		feature{what: "renegotiation: refused, the peer reads the alert", role: weAreClient, run: renegotiatingServer},
		feature{what: "renegotiation: refused, the peer reads the alert", role: weAreServer, run: renegotiatingClient},
		feature{what: "both ends have TLS 1.3 and 1.2: TLS 1.3", role: weAreClient, run: bothClient},
		feature{what: "both ends have TLS 1.3 and 1.2: TLS 1.3", role: weAreServer, run: bothServer},
		feature{what: "the peer stops at TLS 1.2, we do not", role: weAreClient, run: theyStopClient},
		feature{what: "the peer stops at TLS 1.2, we do not: our ServerHello says so", role: weAreServer, run: theyStopServer},
		feature{what: "we stop at TLS 1.2, the peer does not: its ServerHello says so", role: weAreClient, run: weStopClient},
		feature{what: "we stop at TLS 1.2, the peer does not", role: weAreServer, run: weStopServer},
		feature{what: "TLS_FALLBACK_SCSV without need: refused, the client reads the alert", role: weAreServer, run: fallbackRefused},
		feature{what: "TLS_FALLBACK_SCSV where TLS 1.2 is our best", role: weAreServer, run: fallbackTaken},
		feature{what: "nothing above TLS 1.1: refused, the client reads the alert", role: weAreClient, run: oldServer},
		feature{what: "nothing above TLS 1.1: refused, the client reads the alert", role: weAreServer, run: oldClient},
	)
}

// TestFeaturesOfTLS12WithEveryPeer is the same for TLS 1.2, with the ways to get there and not further down.
func TestFeaturesOfTLS12WithEveryPeer(t *testing.T) {
	runFeatures(t, "features12", wire.VersionTLS12, features12())
}

func noEMSClient(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.withoutEMS == nil {
		return "", errNotThere
	}
	theirs := pr.withoutEMS(asks{identity: p.leaves[ecdsaP256]})
	return okIf(withServer(ctx, p, pr, theirs, func(s peerServer) error {
		return weConnect(ctx, p, pr, s, asks{name: serverName}, verdict{noEMS: true})
	}))
}

func noEMSServer(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.withoutEMS == nil {
		return "", errNotThere
	}
	ours, theirs := asks{identity: p.leaves[ecdsaP256]}, pr.withoutEMS(asks{name: serverName})
	return okIf(weServe(ctx, p, pr, ours, theirs, verdict{noEMS: true, name: serverName}))
}

var (
	modern  = []wire.Version{wire.VersionTLS12, wire.VersionTLS13}
	ancient = []wire.Version{wire.VersionTLS10, wire.VersionTLS11}
)

func bothClient(ctx context.Context, p *pki, pr peer) (string, error) {
	theirs := asks{identity: p.leaves[ecdsaP256], versions: modern}
	return okIf(withServer(ctx, p, pr, theirs, func(s peerServer) error {
		return weConnect(ctx, p, pr, s, asks{name: serverName}, verdict{version: wire.VersionTLS13})
	}))
}

func bothServer(ctx context.Context, p *pki, pr peer) (string, error) {
	ours, theirs := asks{identity: p.leaves[ecdsaP256]}, asks{name: serverName, versions: modern}
	return okIf(weServe(ctx, p, pr, ours, theirs, verdict{version: wire.VersionTLS13, name: serverName}))
}

func theyStopClient(ctx context.Context, p *pki, pr peer) (string, error) {
	return okIf(withServer(ctx, p, pr, asks{identity: p.leaves[ecdsaP256]}, func(s peerServer) error {
		return weConnect(ctx, p, pr, s, asks{name: serverName, versions: modern}, verdict{sentinel: noSentinel})
	}))
}

func theyStopServer(ctx context.Context, p *pki, pr peer) (string, error) {
	ours, theirs := asks{identity: p.leaves[ecdsaP256], versions: modern}, asks{name: serverName}
	return okIf(weServe(ctx, p, pr, ours, theirs, verdict{name: serverName, sentinel: sentinel12}))
}

func weStopClient(ctx context.Context, p *pki, pr peer) (string, error) {
	theirs := asks{identity: p.leaves[ecdsaP256], versions: modern}
	return okIf(withServer(ctx, p, pr, theirs, func(s peerServer) error {
		ours := asks{name: serverName, versions: one(wire.VersionTLS12)}
		return weConnect(ctx, p, pr, s, ours, verdict{sentinel: sentinel12})
	}))
}

func weStopServer(ctx context.Context, p *pki, pr peer) (string, error) {
	ours := asks{identity: p.leaves[ecdsaP256], versions: one(wire.VersionTLS12)}
	theirs := asks{name: serverName, versions: modern}
	return okIf(weServe(ctx, p, pr, ours, theirs, verdict{name: serverName, sentinel: noSentinel}))
}

func fallbackRefused(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.fallsBack == nil {
		return "", errNotThere
	}
	ours, theirs := asks{identity: p.leaves[ecdsaP256]}, pr.fallsBack(asks{name: serverName})
	return okIf(weRefuse(ctx, p, pr, ours, theirs, wire.AlertInappropriateFallback))
}

func fallbackTaken(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.fallsBack == nil {
		return "", errNotThere
	}
	ours := asks{identity: p.leaves[ecdsaP256], versions: one(wire.VersionTLS12)}
	return okIf(weServe(ctx, p, pr, ours, pr.fallsBack(asks{name: serverName}), verdict{name: serverName}))
}

func oldServer(ctx context.Context, p *pki, pr peer) (cell string, err error) {
	theirs := asks{identity: p.leaves[ecdsaP256], versions: ancient}
	err = withServer(ctx, p, pr, theirs, func(s peerServer) error {
		c, err := asks{name: serverName}.dial(ctx, p, s.addr())
		if err == nil {
			c.Close()
			return fmt.Errorf("the peer took it, with %v", c.Facts().Version)
		}
		cell, err = pr.alertFor(err, wire.AlertProtocolVersion)
		return err
	})
	return cell, err
}

func oldClient(ctx context.Context, p *pki, pr peer) (string, error) {
	ours, theirs := asks{identity: p.leaves[ecdsaP256]}, asks{name: serverName, versions: ancient}
	return okIf(weRefuse(ctx, p, pr, ours, theirs, wire.AlertProtocolVersion))
}

// renegotiatingServer lets the peer's server ask for renegotiation when the handshake is done.
func renegotiatingServer(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.renegotiate == nil {
		return "", errNotThere
	}
	theirs := asks{identity: p.leaves[ecdsaP256], chatty: true}
	return okIf(withServer(ctx, p, pr, theirs, func(s peerServer) error {
		c, err := asks{name: serverName}.dial(ctx, p, s.addr())
		if err != nil {
			return err
		}
		defer c.Close()
		defer context.AfterFunc(ctx, func() { c.Close() })()
		if err := pr.renegotiate(s, c); err != nil {
			return err
		}
		for err == nil {
			_, err = c.Read(make([]byte, 1<<10))
		}
		if err := weSent(err, wire.AlertNoRenegotiation); err != nil {
			return err
		}
		return s.mentions(ctx, pr.alertText[wire.AlertNoRenegotiation])
	}))
}

// renegotiatingClient lets the peer's client begin another handshake when the first one is done.
func renegotiatingClient(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.redials == nil {
		return "", errNotThere
	}
	pr.dial = pr.redials
	ours, theirs := asks{identity: p.leaves[ecdsaP256], mute: true}, asks{name: serverName, versions: one(pr.speaks)}
	return okIf(weRefuse(ctx, p, pr, ours, theirs, wire.AlertNoRenegotiation))
}

// weSent checks that err is of ours, and that the peer was told by this alert.
func weSent(err error, want wire.AlertCode) error {
	var e *tlscore.Error
	if !errors.As(err, &e) || e.Received() {
		return fmt.Errorf("we sent no alert, but: %w", err)
	}
	if sent, _ := e.Alert(); sent != want {
		return fmt.Errorf("we sent %v: %w", sent, err)
	}
	return nil
}
