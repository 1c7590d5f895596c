package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/starttls"
	"github.com/tlswright/tlswright/tlsnet"
)

// peerFlags are the flags of commands that may take their certificates from a server.
type peerFlags struct {
	routeFlags
	serverName string
	starttls   string
	timeout    time.Duration
}

func (p *peerFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.serverName, "servername", "", "of a server: the `NAME` to ask for (SNI; default: the host)")
	f.StringVar(&p.starttls, "starttls", "", "of a server: begin in plain text and go over to TLS, in `PROTOCOL`: "+strings.Join(names(starttls.Protocols()), ", "))
	f.DurationVar(&p.timeout, "timeout", 10*time.Second, "how long a server may take, as a `TIME` such as 10s")
	p.routeFlags.register(cmd)
	complete(cmd, "starttls", names(starttls.Protocols()))
}

// target reads an argument that names a server.
func (p *peerFlags) target(cmd *cobra.Command, arg string) (target, error) {
	protocol, err := (&connectFlags{starttls: p.starttls}).protocol(cmd)
	if err != nil {
		return target{}, err
	}
	return parseTarget(cmd, arg, protocol.Port())
}

// readServer takes the chain of a server as it is sent. Nothing is verified, for it is to be looked at; the connection is
// closed at once.
func (a *app) readServer(cmd *cobra.Command, arg string, p *peerFlags) (*contents, error) {
	o, err := a.dialPeer(cmd, arg, p)
	if err != nil {
		return nil, err
	}
	c := &contents{origin: o.target.String(), format: formatPeer, certs: o.facts.PeerChain, staple: o.facts.PeerStaple, scts: o.facts.PeerSCTs}
	if len(c.certs) > 0 {
		if o.problem != nil {
			a.ui.warnf("the handshake failed after the certificates: %s", o.problem.text)
		}
		return c, nil
	}
	if o.problem != nil {
		return nil, o.problem
	}
	return nil, &failure{kind: kindTLS, text: fmt.Sprintf("%v sent no certificate", o.target)}
}

// dialPeer makes a handshake for the sake of the certificates.
func (a *app) dialPeer(cmd *cobra.Command, arg string, p *peerFlags) (*outcome, error) {
	if p.timeout <= 0 {
		return nil, usagef(cmd, "--timeout %v is not a time to wait", p.timeout)
	}
	t, err := p.target(cmd, arg)
	if err != nil {
		return nil, err
	}
	settings := negotiationFlags{timeout: p.timeout}
	n, err := settings.negotiation(cmd)
	if err != nil {
		return nil, err
	}
	c := &connector{app: a, timeout: p.timeout, offersHTTP: true}
	if c.way, err = p.route(cmd, p.timeout); err != nil {
		return nil, err
	}
	if c.starttls, err = (&connectFlags{starttls: p.starttls}).protocol(cmd); err != nil {
		return nil, err
	}
	c.config = tlsnet.Config{Core: n.core, Insecure: true, ServerName: p.serverName, HandshakeTimeout: p.timeout, Time: a.now}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	conn, o := c.dial(ctx, t)
	if conn != nil {
		conn.Close()
	}
	return o, nil
}
