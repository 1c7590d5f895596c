package cli

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ocsp"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// serverConfig turns the flags of `serve` into a configuration. close must be called at the end.
func (a *app) serverConfig(cmd *cobra.Command, o *serveFlags) (config *tlsnet.Config, close func() error, err error) {
	close = func() error { return nil }
	n, err := o.serverNegotiation(cmd)
	if err != nil {
		return nil, close, err
	}
	n.note(a.ui)
	config = &tlsnet.Config{Core: n.core, HandshakeTimeout: o.timeout, Time: a.now}
	id, ok, err := o.identity.load(cmd)
	if err == nil && !ok {
		id, err = a.ownIdentity(cmd.Context(), o.listen)
	}
	if err != nil {
		return nil, close, err
	}
	config.Identities = []tlsnet.Identity{{Chain: id.Chain, Key: id.Key}}
	if o.staple != "" {
		if !ok {
			return nil, close, usagef(cmd, "--staple without --cert: an OCSP answer is about one certificate")
		}
		if config.Identities[0].Staple, err = a.readStaple(o.staple, id); err != nil {
			return nil, close, err
		}
	}
	if o.clientCA != "" {
		if config.ClientRoots, err = keystore.ReadCertificates(o.clientCA); err != nil {
			return nil, close, cannotRun(err, "--client-ca")
		}
		config.Core.ClientAuth = tlscore.RequireClientCert
		for _, c := range config.ClientRoots {
			config.Core.CertificateAuthorities = append(config.Core.CertificateAuthorities, c.RawSubject)
		}
	}
	config.KeyLog, close, err = a.serveKeyLog(o)
	return config, close, err
}

// serveKeyLog opens the file of --keylog; nil: there is none.
func (a *app) serveKeyLog(o *serveFlags) (w io.Writer, close func() error, err error) {
	if o.keyLog == "" {
		return nil, func() error { return nil }, nil
	}
	f, err := a.openKeyLog(o.keyLog)
	if err != nil {
		return nil, func() error { return nil }, err
	}
	return f, f.Close, nil
}

// serverNegotiation turns the flags about negotiation into a server's configuration. What a server is asked to speak, it
// must be able to speak.
func (o *serveFlags) serverNegotiation(cmd *cobra.Command) (negotiation, error) {
	n, err := o.negotiation(cmd)
	switch {
	case err != nil:
		return n, err
	case n.unspoken != nil && n.unspoken.highest < wire.VersionTLS12:
		f := usagef(cmd, "--max %s leaves no version: TLS 1.2 and TLS 1.3 are spoken here", o.max)
		f.hint = "leave --max out, or raise it to 1.2 or 1.3"
		return n, f
	case n.unspoken != nil:
		f := usagef(cmd, "--ciphers: of the %s that this means, none is spoken here", countOf(len(n.unspoken.suites), "suite"))
		f.hint = "see: tlswright ciphers --here ALL"
		return n, f
	case o.prefer != "server" && o.prefer != "client":
		return n, usagef(cmd, "--prefer %q is neither server nor client", o.prefer)
	}
	n.core.PreferClient = o.prefer == "client"
	n.core.MaxEarlyData = o.earlyData
	return n, nil
}

// ownIdentity issues a certificate of the estate's own CA for this run: for localhost, and for the address that is
// listened on. A CA is made where there is none.
func (a *app) ownIdentity(ctx context.Context, listen string) (keystore.Identity, error) {
	return a.identityFor(ctx, localNames(listen))
}

// identityFor issues a certificate of the estate's own CA for this run. Its key never touches the disk.
func (a *app) identityFor(ctx context.Context, sans []string) (keystore.Identity, error) {
	var id keystore.Identity
	ca, err := a.openOrMakeCA()
	if err != nil {
		return id, err
	}
	req := pki.Request{Profile: pki.ProfileServer, CommonName: "localhost", SANs: sans}
	id, err = a.issueOnRecord(ctx, req, pki.P256)
	if err != nil && len(sans) > len(loopbackNames()) {
		// A machine may be called what no certificate can say.
		sans = slices.DeleteFunc(slices.Clone(sans), func(n string) bool { h, _ := os.Hostname(); return n == h })
		req.SANs = sans
		id, err = a.issueOnRecord(ctx, req, pki.P256)
	}
	if err != nil {
		return id, err
	}
	a.ui.notef("no --cert: using a certificate for %s from the own CA", strings.Join(sans, ", "))
	a.ui.notef("clients need its root: %s", ca.RootPath())
	return id, nil
}

// openOrMakeCA opens the CA of the estate, or makes it. When another tlswright is just making one, as two servers that
// are started together do, it waits for that one.
func (a *app) openOrMakeCA() (*keystore.CA, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		ca, err := keystore.ReadCA(home)
		if errors.Is(err, keystore.ErrNoCA) {
			if ca, err = keystore.CreateCA(home, keystore.CAOptions{}, a.now()); err == nil {
				a.ui.notef("there was no CA yet: made one in %s", ca.Dir)
			}
		}
		var locked *keystore.LockedError
		isBusy := errors.As(err, &locked) || errors.Is(err, keystore.ErrCAExists)
		if isBusy && attempt < 50 {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if err != nil {
			return nil, cannotRun(err, "")
		}
		return ca, nil
	}
}

// readStaple reads the OCSP answer that goes along with a certificate, and refuses one that no client would take.
func (a *app) readStaple(file string, id keystore.Identity) ([]byte, error) {
	data, origin, err := a.readBytes(file)
	if err != nil {
		return nil, err
	}
	response, err := ocsp.ParseResponse(data)
	if err != nil {
		return nil, &failure{kind: kindLocal, text: origin + " is no OCSP answer: " + pki.Printable(err.Error()), err: err, hint: "make one: tlswright ca ocsp --for SERIAL -o FILE"}
	}
	chain := parseChain(id.Chain)
	if len(chain) < 2 {
		return data, nil // without the issuer nobody can tell whom it is about
	}
	switch single := response.Find(chain[0], chain[1]); {
	case single == nil:
		return nil, &failure{kind: kindLocal, text: origin + " says nothing about " + nameOf(chain[0]), hint: "make another: tlswright ca ocsp --for SERIAL -o FILE"}
	case single.Status != ocsp.Good:
		a.ui.warnf("%s says that the certificate is %s: clients will refuse it", origin, single.Status)
	case !single.NextUpdate.IsZero() && a.now().After(single.NextUpdate):
		a.ui.warnf("%s is good until %s only: clients will not take it", origin, timeOf(single.NextUpdate))
	}
	return data, nil
}

// localNames are the names under which a server that listens on addr is reached from this machine, and the address
// itself. One that listens everywhere is also reached by the machine's name.
func localNames(addr string) []string {
	names := loopbackNames()
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return names
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host, _ = os.Hostname() // without one there is nothing to add
	}
	if host != "" && !slices.Contains(names, host) {
		names = append(names, host)
	}
	return names
}

func loopbackNames() []string { return []string{"localhost", "127.0.0.1", "::1"} }
