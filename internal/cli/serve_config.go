package cli

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
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
	config = &tlsnet.Config{Core: n.core, HandshakeTimeout: o.timeout, Time: a.now, DynamicRecords: o.records.dynamic, KernelTLS: o.kernelTLS}
	if config.CertificateCompression, err = o.compressions(cmd); err != nil {
		return nil, close, err
	}
	if config.Core.PSKs, err = o.psk.load(cmd, tlscore.RoleServer); err != nil {
		return nil, close, err
	}
	var hidden []string // behind which names others are
	if config.Core.ECHKeys, hidden, err = o.ech.load(cmd); err != nil {
		return nil, close, err
	}
	a.noteECH(config.Core.ECHKeys)
	id, ok, err := o.identity.load(cmd)
	if err == nil && !ok && len(config.Core.PSKs) > 0 {
		config.KeyLog, close, err = a.serveKeyLog(o)
		return config, close, err
	}
	if err == nil && !ok {
		id, err = a.identityFor(cmd.Context(), append(estate.LocalNames(o.listen), hidden...))
	}
	if err != nil {
		return nil, close, err
	}
	config.Identities = []tlsnet.Identity{{Chain: id.Chain, Key: id.Key}}
	if len(o.staples) > 0 {
		if !ok {
			return nil, close, usagef(cmd, "--staple without --cert: an OCSP answer is about one certificate")
		}
		if err = a.staplesOf(o.staples, id, &config.Identities[0]); err != nil {
			return nil, close, err
		}
	}
	if err := o.delegated.configure(cmd, config, tlscore.RoleServer, a.now()); err != nil {
		return nil, close, err
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
	o.takeLate(config)
	if err := a.showRawKeys(cmd, o, config); err != nil {
		return nil, close, err
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

// identityFor issues a certificate of the estate's own CA for this run. Its key never touches the disk. A CA is made where
// there is none.
func (a *app) identityFor(ctx context.Context, sans []string) (keystore.Identity, error) {
	var id keystore.Identity
	ca, err := a.openOrMakeCA()
	if err != nil {
		return id, err
	}
	req := pki.Request{Profile: pki.ProfileServer, CommonName: "localhost", SANs: sans}
	id, err = a.issueOnRecord(ctx, req, pki.P256)
	if err != nil && len(sans) > len(estate.LoopbackNames()) {
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

// openOrMakeCA opens the CA of the estate, or makes it.
func (a *app) openOrMakeCA() (*keystore.CA, error) {
	b, err := a.base(nil)
	if err != nil {
		return nil, err
	}
	ca, err := b.OpenOrMakeCA()
	if err != nil {
		return nil, cannotRun(err, "")
	}
	return ca, nil
}
