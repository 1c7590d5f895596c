package dashboard

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/notify"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// Time-outs of a site.
const (
	headerTimeout = 10 * time.Second
	requestTime   = 30 * time.Second
	answerTime    = time.Minute
	idleTime      = 2 * time.Minute
	maxHeader     = 32 << 10
	reloadEvery   = 10 * time.Second // the certificate's files are looked at so often, when somebody connects
)

// Site is an address where a dashboard is served: over plain HTTP on loopback, over TLS elsewhere.
type Site struct {
	Names []string // by which it may be called

	c      config.Dashboard
	token  string
	plain  net.Listener
	secure *tlsnet.Listener
	own    *ownIdentity
	now    func() time.Time
}

// Listen binds the address of a dashboard's settings, and reads the files that they name. An address that others can reach is
// refused without TLS.
func Listen(c config.Dashboard, now func() time.Time) (*Site, error) {
	s := &Site{c: c, now: now}
	if c.Token != "" {
		var err error
		if s.token, err = notify.Secret(c.Token); err != nil {
			return nil, fmt.Errorf("token-file: %w", err)
		}
		if err := CheckToken(s.token); err != nil {
			return nil, fmt.Errorf("token-file: %w", err)
		}
	}
	if c.Certificate == "" && !config.IsLoopback(c.Listen) {
		return nil, &PlainError{Address: c.Listen}
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, err
	}
	s.Names = slices.Clone(c.Names)
	if c.Certificate != "" {
		err = s.listenTLS() // with the names of the certificate
	} else {
		s.plain, err = net.Listen("tcp", c.Listen)
	}
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
		s.Names = append(s.Names, host)
	}
	if config.IsLoopback(c.Listen) {
		s.Names = append(s.Names, "localhost", "127.0.0.1", "::1")
	}
	if len(s.Names) == 0 {
		s.Close()
		return nil, errors.New("the dashboard has no name: its certificate names no host, and names: is empty")
	}
	return s, nil
}

// PlainError says that an address which others can reach would be served without TLS.
type PlainError struct{ Address string }

// Error implements error.
func (e *PlainError) Error() string {
	return e.Address + " can be reached by others, and there is no TLS"
}

// Hint says what to do.
func (e *PlainError) Hint() string {
	return "name certificate: and key: in the section dashboard, or take an address on loopback, such as 127.0.0.1:" + config.DashboardPort
}

// listenTLS binds the address for TLS.
func (s *Site) listenTLS() error {
	s.own = &ownIdentity{c: s.c, now: s.now, config: tlsnet.Config{Core: tlscore.Config{ALPN: tlsnet.HTTPProtocols()}, Time: s.now}}
	if s.c.ClientCA != "" {
		roots, err := keystore.ReadCertificates(s.c.ClientCA)
		if err != nil {
			return fmt.Errorf("client-ca: %w", err)
		}
		s.own.config.ClientRoots, s.own.config.Core.ClientAuth = roots, tlscore.RequestClientCert
	}
	leaf, err := s.own.load()
	if err != nil {
		return err
	}
	for _, name := range leaf.DNSNames {
		if !strings.HasPrefix(name, "*") {
			s.Names = append(s.Names, name)
		}
	}
	for _, ip := range leaf.IPAddresses {
		s.Names = append(s.Names, ip.String())
	}
	c := s.own.config
	c.ForClient = func(*tlsnet.ClientHello) (*tlsnet.Prepared, error) { return s.own.current(), nil }
	s.secure, err = tlsnet.Listen("tcp", s.c.Listen, &c)
	return err
}

// ownIdentity is the certificate of a site, which is read again when its files have changed.
type ownIdentity struct {
	c      config.Dashboard
	now    func() time.Time
	config tlsnet.Config

	mu       sync.Mutex
	prepared *tlsnet.Prepared
	looked   time.Time // at the files
	changed  time.Time // that one of them was
}

// load reads the files, and makes them the configuration's.
func (o *ownIdentity) load() (*x509.Certificate, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.loadLocked()
}

func (o *ownIdentity) loadLocked() (*x509.Certificate, error) {
	changed := o.modified()
	id, err := keystore.LoadIdentity(o.c.Certificate, o.c.Key)
	if err != nil {
		return nil, err
	}
	leaf, err := cert.ParseX509(id.Chain[0])
	if err != nil {
		return nil, fmt.Errorf("the dashboard's certificate: %w", err)
	}
	c := o.config
	c.Identities = []tlsnet.Identity{{Chain: id.Chain, Key: id.Key}}
	prepared, err := tlsnet.Prepare(&c, nil)
	if err != nil {
		return nil, err
	}
	o.config, o.prepared, o.changed = c, prepared, changed
	return leaf, nil
}

// modified is when one of the files was changed last.
func (o *ownIdentity) modified() (last time.Time) {
	for _, name := range []string{o.c.Certificate, o.c.Key} {
		if info, err := os.Stat(name); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// current is the configuration for the next connection. Files that do not fit together, as in the middle of a renewal, leave the old
// one in force.
func (o *ownIdentity) current() *tlsnet.Prepared {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := o.now(); now.Sub(o.looked) >= reloadEvery {
		o.looked = now
		if !o.modified().Equal(o.changed) {
			_, _ = o.loadLocked() // tried again at the next change, or the next connection after a while
		}
	}
	return o.prepared
}

// IsTLS reports whether it is served over TLS.
func (s *Site) IsTLS() bool { return s.secure != nil }

// Addr is where it listens.
func (s *Site) Addr() net.Addr {
	if s.secure != nil {
		return s.secure.Addr()
	}
	return s.plain.Addr()
}

// URL is where browsers find it: under a name that was given, or that the certificate has, where there is one.
func (s *Site) URL() string {
	_, port, _ := net.SplitHostPort(s.Addr().String())
	host := s.Names[0]
	if !s.IsTLS() && len(s.c.Names) == 0 {
		host, _, _ = net.SplitHostPort(s.Addr().String())
	}
	if s.IsTLS() {
		return "https://" + net.JoinHostPort(host, port)
	}
	return "http://" + net.JoinHostPort(host, port)
}

// IncidentURL is the address of an incident's page.
func (s *Site) IncidentURL(id string) string { return s.URL() + link("/incident", "id", id) }

// IncidentURL gives the addresses of incidents' pages at a dashboard that another process serves; nil where the settings do not
// say how it is called.
func IncidentURL(c *config.Dashboard) func(id string) string {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || port == "0" {
		return nil
	}
	if len(c.Names) > 0 {
		host = c.Names[0]
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return nil
	}
	base := "http://" + net.JoinHostPort(host, port)
	if c.Certificate != "" {
		base = "https://" + net.JoinHostPort(host, port)
	}
	return func(id string) string { return base + link("/incident", "id", id) }
}

// Options fills in what the site knows for the options of a dashboard.
func (s *Site) Options(o Options) Options {
	o.Names, o.Token, o.IsTLS, o.HasClients = s.Names, s.token, s.IsTLS(), s.c.ClientCA != ""
	if o.HasClients {
		o.Client = func(r *http.Request) string {
			info, ok := tlsnet.InfoFromContext(r.Context())
			if !ok || !info.Peer.Verified() || len(info.Peer.Chain) == 0 {
				return ""
			}
			leaf := info.Peer.Chain[0]
			if leaf.Subject.CommonName != "" {
				return pki.Printable(leaf.Subject.CommonName)
			}
			return pki.Printable(leaf.Subject.String())
		}
	}
	return o
}

// Stopper ends a server: Shutdown lets requests under way finish.
type Stopper interface {
	Shutdown(context.Context) error
	Close() error
}

// Server makes the server of the site. serve serves until it is stopped; what goes wrong beneath requests is told to trouble.
func (s *Site) Server(h http.Handler, trouble *log.Logger) (web Stopper, serve func() error) {
	if s.secure != nil {
		over := &tlsnet.HTTPServer{Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTime, WriteTimeout: answerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader, ErrorLog: trouble,
			HandshakeError: func(*tlsnet.Conn, error) {}} // strangers knock; nobody needs to know
		return over, func() error { return over.Serve(s.secure) }
	}
	plain := &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTime, WriteTimeout: answerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader, ErrorLog: trouble}
	return plain, func() error { return plain.Serve(s.plain) }
}

// Close ends listening, at the latest now. A nil Site has nothing to close.
func (s *Site) Close() {
	switch {
	case s == nil:
	case s.secure != nil:
		_ = s.secure.Close() // it may have ended with Serve
	case s.plain != nil:
		_ = s.plain.Close()
	}
}
