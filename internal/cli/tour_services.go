package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/challenge"
	gate "github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/scan"
	"github.com/tlswright/tlswright/tlscore"
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
		client := acmeclient.New(tree, acmeclient.Options{Server: directory, Transport: t.httpTransport(tlsnet.ProtocolHTTP2), Now: t.app.now, Timeout: 20 * time.Second})
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

// revoke takes a certificate back, and shows that whoever asks for the list refuses it.
func (t *tour) revoke() {
	var au *authority.Authority
	var leaf *x509.Certificate
	if !t.check("revoked", func() (string, error) {
		var err error
		if au, err = authority.OpenHome(t.ctx, t.home, authority.HomeOptions{Now: t.app.now, Actor: "tour"}); err != nil {
			return "", err
		}
		t.later(au.Close)
		key, err := pki.GenerateKey(pki.P256)
		if err != nil {
			return "", err
		}
		if leaf, err = au.Issue(t.ctx, pki.Request{Profile: pki.ProfileServer, SANs: []string{"lost.test"}, Key: key.Public()}); err != nil {
			return "", err
		}
		return "a certificate for lost.test, because its key was lost", au.Revoke(t.ctx, leaf.SerialNumber, crl.KeyCompromise, time.Time{})
	}) {
		return
	}
	t.check("who asks the CRL", func() (string, error) {
		der, err := au.CRL(t.ctx, authority.CRLOptions{})
		if err != nil {
			return "", err
		}
		list, err := crl.Parse(der)
		if err != nil {
			return "", err
		}
		o := pki.VerifyOptions{Roots: rootsOf(t.ca), Intermediates: [][]byte{t.ca.Intermediate.Raw}, Time: t.app.now(), ServerName: "lost.test"}
		if e := pki.Explain(leaf.Raw, o); !e.Trusted {
			return "", fmt.Errorf("without a list: %w", e.Err)
		}
		o.Revocation = &pki.RevocationOptions{Mode: pki.RevocationHard, CRLs: []*crl.List{list}}
		e := pki.Explain(leaf.Raw, o)
		if e.Trusted {
			return "", errors.New("the certificate is still trusted")
		}
		return "refuses it: " + e.Err.Error(), nil
	})
	t.check("the log of the CA", func() (string, error) {
		head, err := au.VerifyAudit(t.ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d entries, an unbroken chain", head.Seq), nil
	})
}

// audit scans two servers: a good one, and one whose certificate has run out.
func (t *tour) audit() {
	expired, err := t.issueExpired(pki.Request{Profile: pki.ProfileServer, CommonName: "localhost", SANs: []string{"localhost", "127.0.0.1"}})
	if err != nil {
		t.fail("servers", err)
		return
	}
	for _, s := range []struct {
		what string
		id   keystore.Identity
		want grade.Letter
	}{{"a good server", t.server, "A+"}, {"an expired one", expired, "T"}} {
		t.check(s.what, func() (string, error) {
			l, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{netIdentity(s.id)}, Core: tlscore.Config{ALPN: tlsnet.HTTPProtocols()}})
			if err != nil {
				return "", err
			}
			stop := t.serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Strict-Transport-Security", "max-age=63072000")
				_, _ = fmt.Fprintln(w, "hello")
			}))
			detail, err := t.scanOne(l.Addr(), s.want)
			return detail, errors.Join(err, stop())
		})
	}
}

func (t *tour) scanOne(addr net.Addr, want grade.Letter) (string, error) {
	port, err := strconv.Atoi(portOf(addr))
	if err != nil {
		return "", err
	}
	s := scan.New(scan.Options{Offline: true, Simulate: true, Now: t.app.now, Stores: []scan.Store{{Name: "own CA", Roots: rootsOf(t.ca)}}})
	found, err := s.Scan(t.ctx, scan.Target{Host: "127.0.0.1", Port: port, ServerName: "localhost"})
	if err != nil {
		return "", err
	}
	f := found[0]
	r := grade.Judge(f, grade.Options{NoSnippets: true})
	if r.Grade != want {
		return "", fmt.Errorf("the grade is %s, not %s: %v", r.Grade, want, r.Missing)
	}
	text := fmt.Sprintf("%s, asked by %s", r.Grade, countOf(f.Connections, "connection"))
	if r.Grade != r.GradeIgnoringTrust {
		text += fmt.Sprintf("; %s if trust is ignored", r.GradeIgnoringTrust)
	}
	return text, nil
}
