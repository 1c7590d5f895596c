package cli

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// classroom is where the connections of a lesson go.
type classroom struct {
	app     *app
	target  target
	name    string // that is asked for
	isOwn   bool
	secrets bool // may be shown
	timeout time.Duration
	options pki.VerifyOptions // what its chain is judged by, but for the intermediates

	listener *tlsnet.Listener
	ended    chan struct{}
}

// visit is one connection of a lesson. A refused one has a recording, too.
type visit struct {
	*trace.Recording
	facts   tlscore.Facts
	refused error // nil: the handshake was completed
}

// liveName is the name of the own server.
const liveName = "localhost"

// liveGreeting is what is said to the own server, which says it back. Other hosts hear nothing.
const liveGreeting = "hello, who can read this?"

func (a *app) newClassroom(cmd *cobra.Command, o *liveFlags, args []string) (*classroom, error) {
	c := &classroom{app: a, timeout: o.timeout, secrets: o.secrets, name: o.serverName}
	if len(args) == 0 {
		if len(o.ca) > 0 || o.serverName != "" {
			return nil, usagef(cmd, "--ca and --servername belong to a HOST")
		}
		return c, c.open()
	}
	var err error
	if c.target, err = parseTarget(cmd, args[0], ""); err != nil {
		return nil, err
	}
	if c.name == "" {
		c.name = c.target.name()
	}
	t, err := a.loadTrust(o.ca)
	if err != nil {
		return nil, err
	}
	c.options = pki.VerifyOptions{Roots: t.roots, Time: a.now(), ServerName: c.name}
	if t.system {
		// Where the system's roots cannot be read, the own CA still counts.
		c.options.SystemRoots, _ = x509.SystemCertPool()
	}
	return c, nil
}

// open makes the own server: a root, an intermediate, a certificate, and a listener on loopback.
func (c *classroom) open() error {
	now := c.app.now()
	root, identity, err := liveCertificates(now)
	if err != nil {
		return refusedRequest(err, "making the certificates of the lesson")
	}
	c.listener, err = tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{identity}, Time: c.app.now})
	if err != nil {
		return cannotRun(err, "listening on loopback")
	}
	c.isOwn, c.secrets, c.name = true, true, liveName
	c.target.host, c.target.port, _ = net.SplitHostPort(c.listener.Addr().String())
	c.options = pki.VerifyOptions{Roots: []*x509.Certificate{root}, Time: now, ServerName: liveName}
	c.ended = make(chan struct{})
	go c.serve()
	return nil
}

// liveCertificates makes a root, and a server's certificate from an intermediate below it.
func liveCertificates(now time.Time) (*x509.Certificate, tlsnet.Identity, error) {
	var id tlsnet.Identity
	rootKey, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return nil, id, err
	}
	caKey, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return nil, id, err
	}
	if id.Key, err = pki.GenerateKey(pki.P256); err != nil {
		return nil, id, err
	}
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Lesson Root CA"}, rootKey, now)
	if err != nil {
		return nil, id, err
	}
	ca, err := pki.Issuer{Certificate: root, Key: rootKey}.Issue(pki.Request{
		Profile: pki.ProfileIntermediate, CommonName: "Lesson Intermediate CA", Key: caKey.Public(),
	}, now)
	if err != nil {
		return nil, id, err
	}
	leaf, err := pki.Issuer{Certificate: ca, Key: caKey}.Issue(pki.Request{
		Profile: pki.ProfileServer, CommonName: liveName, SANs: []string{liveName, "127.0.0.1"}, Key: id.Key.Public(),
	}, now)
	if err != nil {
		return nil, id, err
	}
	id.Chain = [][]byte{leaf.Raw, ca.Raw}
	return root, id, nil
}

// serve answers one connection after another, until the listener is closed.
func (c *classroom) serve() {
	defer close(c.ended)
	for {
		conn, err := c.listener.AcceptConn()
		if err != nil {
			return
		}
		conn.SetDeadline(time.Now().Add(c.timeout))
		// What a client is refused for is told by the client.
		if conn.HandshakeContext(context.Background()) == nil {
			_, _ = io.Copy(conn, io.LimitReader(conn, 1<<10))
		}
		conn.Close()
	}
}

func (c *classroom) close() {
	if c.listener != nil {
		c.listener.Close()
		<-c.ended
	}
}

// commands are the command lines to try next.
func (c *classroom) commands(lines []string) []string {
	host := c.target.String()
	if c.isOwn {
		host = "example.com"
	}
	var all []string
	for _, l := range lines {
		all = append(all, strings.ReplaceAll(l, "HOST", host))
	}
	return all
}

// visit connects once and records it. A host that cannot be reached is an error; one that refuses, in words or by
// breaking off, is not.
func (c *classroom) visit(ctx context.Context, core tlscore.Config) (*visit, error) {
	nc, err := (&net.Dialer{Timeout: c.timeout}).DialContext(ctx, "tcp", c.target.String())
	if err != nil {
		return nil, connectionFailure(c.target.String(), err)
	}
	r := trace.NewRecorder(trace.Client, trace.Endpoint{Address: nc.LocalAddr().String()},
		trace.Endpoint{Name: c.name, Address: nc.RemoteAddr().String()}, c.app.now)
	conn, err := tlsnet.Client(nc, &tlsnet.Config{
		Core: core, ServerName: c.name, HandshakeTimeout: c.timeout, Time: c.app.now,
		Insecure: true, // nothing is said to a stranger, and the lessons judge the chain themselves
		Observer: func() tlscore.Observer { return r },
		Secrets:  func() tlscore.Secrets { return r },
	})
	if err != nil {
		nc.Close()
		return nil, cannotRun(err, "")
	}
	defer conn.Close()
	v := &visit{}
	if v.refused = conn.HandshakeContext(ctx); v.refused != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.Fail(v.refused)
	} else if err := c.talk(conn); err != nil {
		return nil, connectionFailure(c.target.String(), err)
	}
	v.facts = conn.Facts()
	if v.Recording, err = trace.Decode(r.Capture()); err != nil {
		return nil, cannotRun(err, "reading the recording")
	}
	return v, nil
}

// talk greets the own server, and waits a moment for what others still have to say, such as tickets.
func (c *classroom) talk(conn *tlsnet.Conn) error {
	if c.isOwn {
		conn.SetDeadline(time.Now().Add(c.timeout))
		if _, err := conn.Write([]byte(liveGreeting)); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, make([]byte, len(liveGreeting)))
		return err
	}
	if conn.CloseWrite() != nil {
		return nil
	}
	conn.SetReadDeadline(time.Now().Add(min(c.timeout, time.Second)))
	// Whatever comes is in the recording, and how it ends does not matter.
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, 1<<16))
	return nil
}

// welcome is a visit that must succeed.
func (c *classroom) welcome(ctx context.Context, core tlscore.Config) (*visit, error) {
	v, err := c.visit(ctx, core)
	if err != nil {
		return nil, err
	}
	if v.refused != nil {
		return nil, connectionFailure(c.target.String(), v.refused)
	}
	return v, nil
}

// welcome13 is a visit that must succeed with TLS 1.3.
func (c *classroom) welcome13(ctx context.Context) (*visit, error) {
	v, err := c.welcome(ctx, tlscore.Config{NoTickets: true})
	if err != nil {
		return nil, err
	}
	if v.facts.Version != wire.VersionTLS13 {
		return nil, &failure{kind: kindFinding, text: c.target.String() + " speaks " + v.facts.Version.String() + ", and this lesson is about TLS 1.3",
			hint: "take the lesson with the server of its own: leave the host out"}
	}
	return v, nil
}
