package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/starttls"
	"github.com/tlswright/tlswright/pki"
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

	way        *route
	starttls   starttls.Protocol // 0: TLS begins with the first byte
	offersHTTP bool              // offer h2 and http/1.1, but to mail servers and the like
	unspoken   *probe            // not nil: send this, and look at the answer
	resumes    bool              // connect twice
	early      []byte            // to send as early data
	revocation *revocationCheck  // nil: only a staple counts
	pins       pki.PinSet        // one of them must match; none: no matter
	trace      *tracer           // nil: nothing is recorded
	ech        *echFlags
}

// outcome is what came of one connection, good or bad.
type outcome struct {
	target  target
	name    string // that was verified
	address string // that answered; "" when none did
	facts   tlscore.Facts
	kernel  tlsnet.KernelTLS
	peer    tlsnet.Peer
	sent    []*x509.Certificate // the peer's chain as sent, as far as it can be read
	tcp     time.Duration
	tls     time.Duration
	problem *failure // nil: all is well

	upgrade    *starttls.Upgrade // nil: TLS began with the first byte
	answer     *answer           // to a probe
	resumption *resumption       // of the second connection of two
	pinned     *pinOutcome       // nil: nothing was pinned
	revocation *revocationOutcome
	before     *tlscore.ECHFacts // of a connection whose encrypted hello was rejected; nil: there was none
	again      *tlsnet.ECHPlan   // how to connect once more; nil: not at all
}

// isTrusted reports whether the peer's chain and name were verified.
func (o *outcome) isTrusted() bool { return o.peer.Verified() }

// newConnector turns flags into a configuration. close must be called at the end.
func (a *app) newConnector(cmd *cobra.Command, o *connectFlags) (*connector, error) {
	n, err := o.negotiation(cmd)
	if err != nil {
		return nil, err
	}
	c := &connector{app: a, timeout: o.timeout, unspoken: n.unspoken, offersHTTP: o.offersHTTP}
	n.note(a.ui)
	if c.way, err = o.routeFlags.route(cmd, o.timeout); err != nil {
		return nil, err
	}
	if c.starttls, err = o.protocol(cmd); err != nil {
		return nil, err
	}
	if err := c.readEarly(cmd, o); err != nil {
		return nil, err
	}
	if c.unspoken != nil && o.tracer != nil {
		return nil, usagef(cmd, "--trace and --observer need a version and a cipher suite that are spoken here")
	}
	if c.trust, err = a.loadTrust(o.ca); err != nil {
		return nil, err
	}
	if c.pins, err = a.readPins(cmd, "--pin", o.pins); err != nil {
		return nil, err
	}
	if c.revocation, err = a.readRevocationCheck(cmd, o); err != nil {
		return nil, err
	}
	c.config = tlsnet.Config{
		Core: n.core, Roots: c.trust.roots, SystemRoots: c.trust.system, Insecure: o.isInsecure,
		ServerName: o.serverName, HandshakeTimeout: o.timeout, Time: a.now,
		DynamicRecords: o.records.dynamic, KernelTLS: o.kernelTLS,
		Pins: c.pins, PinsAlone: isAlone(c.pins), // who types one pin means it, for this once
	}
	if err := c.configureAuthentication(cmd, o); err != nil {
		return nil, err
	}
	if c.trace = o.tracer; c.trace != nil {
		c.trace.trust, c.trace.proxy = c.trust, c.way.proxy
		c.trace.watch(&c.config)
	}
	id, ok, err := o.identity.load(cmd)
	if err != nil {
		return nil, err
	}
	if ok {
		c.config.Identities = []tlsnet.Identity{{Chain: id.Chain, Key: id.Key}}
	}
	if err := o.delegated.configure(cmd, &c.config, tlscore.RoleClient, a.now()); err != nil {
		return nil, err
	}
	if err := a.takeRawKeys(cmd, o, &c.config); err != nil {
		return nil, err
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

// configureAuthentication is about what beside plain certificates the ends may prove themselves by.
func (c *connector) configureAuthentication(cmd *cobra.Command, o *connectFlags) (err error) {
	if c.config.CertificateCompression, err = o.compressions(cmd); err != nil {
		return err
	}
	c.ech = &o.ech
	if err = o.ech.configure(cmd, &c.config); err != nil {
		return err
	}
	c.config.Core.PostHandshakeAuth = o.late
	if c.config.Core.PSKs, err = o.psk.load(cmd, tlscore.RoleClient); err != nil || len(c.config.Core.PSKs) == 0 {
		return err
	}
	if o.min == "" {
		c.config.Core.MinVersion = wire.VersionTLS13
	}
	if len(c.pins) > 0 {
		return usagef(cmd, "--pin is about certificates, and with --psk none is taken")
	}
	return nil
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

// dial connects to t and makes the handshake; with --resume it does so twice, and returns the second connection. The
// outcome tells all that is known, also where it failed; the connection is nil then.
func (c *connector) dial(ctx context.Context, t target) (*tlsnet.Conn, *outcome) {
	if c.resumes && c.unspoken == nil {
		return c.dialTwice(ctx, t)
	}
	return c.dialOnce(ctx, t, nil, nil)
}

// dialOnce connects with the sessions of a store, which may be nil, and early data, which may be none; once more if the
// server wants another configuration for Encrypted ClientHello.
func (c *connector) dialOnce(ctx context.Context, t target, sessions tlsnet.SessionStore, early []byte) (*tlsnet.Conn, *outcome) {
	conn, o := c.dialBy(ctx, t, sessions, early, nil)
	for o.again != nil {
		conn, o = c.dialBy(ctx, t, sessions, early, o.again)
	}
	return conn, o
}

// dialBy connects once.
func (c *connector) dialBy(ctx context.Context, t target, sessions tlsnet.SessionStore, early []byte, plan *tlsnet.ECHPlan) (*tlsnet.Conn, *outcome) {
	o := &outcome{target: t, name: t.name()}
	config := c.config
	config.Sessions = sessions
	if config.ServerName == "" {
		config.ServerName = o.name
	}
	if config.LookUpECH != nil {
		config.LookUpECH = c.ech.lookUp(t.port)
	}
	o.name = config.ServerName
	if c.revocation != nil {
		o.revocation = &revocationOutcome{}
		config.VerifyPeer = c.refuseRevoked(o.revocation)
	}
	if _, isMail := starttls.ByTLSPort(t.port); c.offersHTTP && c.starttls == 0 && !isMail {
		config.Core.ALPN = tlsnet.HTTPProtocols()
	}
	begin := c.app.now()
	nc, err := c.way.dial(ctx, t)
	if err != nil {
		o.problem = connectionFailure(t.String(), err)
		return nil, o
	}
	if c.way.proxy == nil {
		o.address = nc.RemoteAddr().String()
	}
	o.tcp = c.app.now().Sub(begin)
	if err := c.goOverToTLS(ctx, nc, o); err != nil {
		nc.Close()
		o.problem = connectionFailure(t.String(), err)
		return nil, o
	}
	if c.unspoken != nil {
		c.probe(ctx, nc, o)
		return nil, o
	}
	c.trace.dialed(nc, o)
	conn, err := tlsnet.Client(nc, &config)
	if err == nil {
		conn.FollowECH(plan)
	}
	if err == nil && len(early) > 0 {
		_, err = conn.WriteEarly(early)
	}
	if err != nil {
		nc.Close()
		o.problem = cannotRun(err, "")
		return nil, o
	}
	return c.shake(ctx, conn, o)
}

// shake makes the handshake.
func (c *connector) shake(ctx context.Context, conn *tlsnet.Conn, o *outcome) (*tlsnet.Conn, *outcome) {
	begin := c.app.now()
	err := conn.HandshakeContext(ctx)
	o.tls = c.app.now().Sub(begin)
	o.facts, o.peer, o.kernel = conn.Facts(), conn.Peer(), conn.KernelTLS()
	o.sent = parseChain(o.facts.PeerChain)
	o.before = conn.ECHRejected()
	if err == nil {
		c.checkPins(o)
		if o.problem == nil {
			return conn, o
		}
		conn.Close()
		return nil, o
	}
	o.again = conn.NextECH(err)
	c.trace.fail(err)
	o.problem = connectionFailure(o.target.String(), err)
	var trust *pki.VerifyError
	if errors.As(err, &trust) && trust.Reason == pki.ReasonPin {
		c.checkPins(o) // which says the same, and fills in the report
	}
	if o.problem.kind == kindTimeout {
		o.problem.text = o.target.String() + ": connected, but the TLS handshake was not done in time"
		o.problem.hint = "does this port speak TLS? a slow server may need a longer --timeout"
	}
	if hint := plainTextHint(o.target.port); hint != "" && c.starttls == 0 && o.facts.Version == 0 {
		o.problem.hint = hint
	}
	conn.Close()
	return nil, o
}

// ticketPatience is how long a recording waits for tickets: a server sends them behind its handshake, or never.
const ticketPatience = 2 * time.Second

// finish ends a connection that carried no data. A server that asked for a certificate judges it only after our side of
// the handshake is done (RFC 8446, Section 4.4.2): its verdict may still be on the way, so it gets the chance to speak.
func (c *connector) finish(conn *tlsnet.Conn, o *outcome) {
	defer conn.Close()
	if !o.facts.CertificateRequested && c.trace == nil { // a recording is to hold tickets, too
		return
	}
	if err := conn.CloseWrite(); err != nil {
		return
	}
	patience := min(c.timeout, ticketPatience)
	if o.facts.CertificateRequested { // without the verdict all would seem to be well
		patience = c.timeout
	}
	conn.SetReadDeadline(time.Now().Add(patience))
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
	c.trace.fail(err)
	f := connectionFailure(o.target.String(), err)
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		f.text = o.target.String() + ": the peer broke the connection off: what it sent last may be lost"
		f.hint = ""
	}
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
