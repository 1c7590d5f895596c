package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// connector makes connections as the flags of one `connect` ask for.
type connector struct {
	app     *app
	config  tlsnet.Config
	trust   trust
	timeout time.Duration
	closers []func() error
}

// outcome is what came of one connection, good or bad.
type outcome struct {
	target  target
	name    string // that was verified
	address string // that answered; "" when none did
	facts   tlscore.Facts
	peer    tlsnet.Peer
	sent    []*x509.Certificate // the peer's chain as sent, as far as it can be read
	tcp     time.Duration
	tls     time.Duration
	problem *failure // nil: all is well
}

// isTrusted reports whether the peer's chain and name were verified.
func (o *outcome) isTrusted() bool { return o.peer.Verified() }

// newConnector turns flags into a configuration. close must be called at the end.
func (a *app) newConnector(cmd *cobra.Command, o *connectFlags) (*connector, error) {
	core, err := o.core(cmd)
	if err != nil {
		return nil, err
	}
	c := &connector{app: a, timeout: o.timeout}
	if c.trust, err = a.loadTrust(o.ca); err != nil {
		return nil, err
	}
	c.config = tlsnet.Config{
		Core: core, Roots: c.trust.roots, SystemRoots: c.trust.system, Insecure: o.isInsecure,
		ServerName: o.serverName, HandshakeTimeout: o.timeout, Time: a.now,
	}
	id, ok, err := o.identity.load(cmd)
	if err != nil {
		return nil, err
	}
	if ok {
		c.config.Identities = []tlsnet.Identity{{Chain: id.Chain, Key: id.Key}}
	}
	if o.keyLog != "" {
		f, err := a.openKeyLog(o.keyLog)
		if err != nil {
			return nil, err
		}
		c.config.KeyLog = f
		c.closers = append(c.closers, f.Close)
	}
	if o.isInsecure {
		a.ui.warnf("--insecure: certificates are not verified; anybody in between can read and change everything")
	}
	return c, nil
}

// openKeyLog opens the file of --keylog and says loudly what that means.
func (a *app) openKeyLog(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, cannotRun(err, "--keylog")
	}
	a.ui.warnf("--keylog: the secrets of these connections are written to %s; whoever has them can read the traffic", name)
	return f, nil
}

func (c *connector) close() error {
	var errs []error
	for _, f := range c.closers {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// dial connects to t and makes the handshake. The outcome tells all that is known, also where it failed; the connection
// is nil then.
func (c *connector) dial(ctx context.Context, t target) (*tlsnet.Conn, *outcome) {
	o := &outcome{target: t, name: t.name()}
	config := c.config
	if config.ServerName == "" {
		config.ServerName = o.name
	}
	o.name = config.ServerName

	begin := c.app.now()
	dialer := net.Dialer{Timeout: c.timeout}
	nc, err := dialer.DialContext(ctx, "tcp", t.String())
	if err != nil {
		o.problem = connectionFailure(t.String(), err)
		return nil, o
	}
	o.address = nc.RemoteAddr().String()
	o.tcp = c.app.now().Sub(begin)

	conn, err := tlsnet.Client(nc, &config)
	if err != nil {
		nc.Close()
		o.problem = cannotRun(err, "")
		return nil, o
	}
	begin = c.app.now()
	err = conn.HandshakeContext(ctx)
	o.tls = c.app.now().Sub(begin)
	o.facts, o.peer = conn.Facts(), conn.Peer()
	o.sent = parseChain(o.facts.PeerChain)
	if err != nil {
		o.problem = connectionFailure(t.String(), err)
		if o.problem.kind == kindTimeout {
			o.problem.text = t.String() + ": connected, but the TLS handshake was not done in time"
			o.problem.hint = "does this port speak TLS? a slow server may need a longer --timeout"
		}
		conn.Close()
		return nil, o
	}
	return conn, o
}

// finish ends a connection that carried no data. A server that asked for a certificate judges it only after our side of
// the handshake is done (RFC 8446, Section 4.4.2): its verdict may still be on the way, so it gets the chance to speak.
func (c *connector) finish(conn *tlsnet.Conn, o *outcome) {
	defer conn.Close()
	if !o.facts.CertificateRequested {
		return
	}
	if err := conn.CloseWrite(); err != nil {
		return
	}
	conn.SetReadDeadline(time.Now().Add(min(c.timeout, 2*time.Second)))
	var b [512]byte
	for {
		if _, err := conn.Read(b[:]); err != nil {
			var tls *tlscore.Error
			if errors.As(err, &tls) {
				o.problem = c.afterHandshake(o, err)
			}
			return
		}
	}
}

// afterHandshake explains an error on an established connection. A certificate of --cert that the server's list of CAs
// rules out was not even sent (RFC 8446, Section 4.2.4), and "certificate required" alone would puzzle whoever named it.
func (c *connector) afterHandshake(o *outcome, err error) *failure {
	f := connectionFailure(o.target.String(), err)
	var tls *tlscore.Error
	if !errors.As(err, &tls) || len(c.config.Identities) == 0 || o.facts.OwnIdentity != nil {
		return f
	}
	if alert, _ := tls.Alert(); alert == wire.AlertCertificateRequired {
		f.text += "; that of --cert was not sent, for it is not from a CA that the server accepts"
		f.hint = "use a certificate of the CA that the server knows"
	}
	return f
}
