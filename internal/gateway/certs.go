package gateway

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/ct"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// source is where a site's certificates come from.
type source interface {
	// load reads what is there. An empty list without an error: nothing yet, and renew will bring it.
	load(ctx context.Context) ([]tlsnet.Identity, error)
	// files are what load reads, watched for changes.
	files() []string
	// due is when renew is to be called; zero: never.
	due(now time.Time) time.Time
	renew(ctx context.Context) error
	close()
}

// newSource picks the source of a site.
func (g *Gateway) newSource(s *site) (source, error) {
	c := s.c.Certificate
	set := 0
	for _, is := range []bool{len(c.Files) > 0, c.Live != "", c.Own, c.ACME != nil} {
		if is {
			set++
		}
	}
	switch {
	case set > 1:
		return nil, errors.New("certificate: files, live, own and acme exclude each other")
	case len(c.Files) > 0:
		return &fileSource{pairs: c.Files}, nil
	case c.Live != "":
		if g.o.Tree == nil {
			return nil, errors.New("certificate: live: there is no folder of ACME certificates")
		}
		dir := g.o.Tree.Live(c.Live)
		return &fileSource{pairs: []config.CertificateFiles{{Chain: filepath.Join(dir, keystore.FullChainFile), Key: filepath.Join(dir, keystore.KeyFile)}}}, nil
	case c.ACME != nil:
		return g.newACMESource(s)
	}
	if s.plainOnly() {
		return noSource{}, nil
	}
	if g.o.OwnCA == nil {
		return nil, errors.New("certificate: none is given, and there is no CA of our own to issue one")
	}
	return &ownSource{g: g, site: s.name, names: g.ownNames(s)}, nil
}

// plainOnly reports whether no TLS listener can lead to a site: one for listeners that take plain connections.
func (s *site) plainOnly() bool {
	for _, l := range s.g.building.Listeners {
		leads := len(l.Sites) == 0 && s.fits(l.Protocol) == nil || slices.Contains(l.Sites, s.name)
		if leads && (l.Protocol == config.ProtocolHTTPS || l.Protocol == config.ProtocolTLS) {
			return false
		}
	}
	return true
}

// noSource is of sites that show no certificate.
type noSource struct{}

func (noSource) load(context.Context) ([]tlsnet.Identity, error) { return nil, nil }
func (noSource) files() []string                                 { return nil }
func (noSource) due(time.Time) time.Time                         { return time.Time{} }
func (noSource) renew(context.Context) error                     { return nil }
func (noSource) close()                                          {}

// fileSource reads pairs of files.
type fileSource struct {
	noSource
	pairs []config.CertificateFiles
}

func (f *fileSource) load(context.Context) ([]tlsnet.Identity, error) {
	var out []tlsnet.Identity
	for _, p := range f.pairs {
		id, err := keystore.LoadIdentity(p.Chain, p.Key)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		scts, err := readSCTs(p.SCTs)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		out = append(out, tlsnet.Identity{Chain: id.Chain, Key: id.Key, SCTs: scts})
	}
	return out, nil
}

// readSCTs reads the timestamps that go along with a certificate; "" has none. They are not checked: clients do, and know
// more logs than we.
func readSCTs(file string) ([][]byte, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	list, err := ct.ParseList(data, ct.Extension)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	out := make([][]byte, 0, len(list))
	for _, s := range list {
		out = append(out, s.Raw)
	}
	return out, nil
}

func (f *fileSource) files() []string {
	var out []string
	for _, p := range f.pairs {
		out = append(out, p.Chain)
		if p.Key != "" && !keystore.IsTokenURI(p.Key) {
			out = append(out, p.Key)
		}
		if p.SCTs != "" {
			out = append(out, p.SCTs)
		}
	}
	return out
}

// ownSource has the estate's own CA issue, and keeps what it got: a restart needs no CA.
type ownSource struct {
	noSource
	g     *Gateway
	site  string
	names []string

	mu   sync.Mutex
	now  *keystore.Identity
	leaf *x509.Certificate
}

// ownNames are the names that a certificate of our own is for: those of the site, or, for one that serves all names,
// those under which this machine is reached.
func (g *Gateway) ownNames(s *site) []string {
	if len(s.c.Hosts) > 0 {
		return s.c.Hosts
	}
	names := []string{"localhost", "127.0.0.1", "::1"}
	add := func(n string) {
		if n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	for _, l := range g.building.Listeners {
		host, ok := hostOf(l.Address)
		if !ok || strings.HasPrefix(l.Address, "unix:") || strings.HasPrefix(l.Address, "systemd:") {
			continue
		}
		if host == "0.0.0.0" || host == "::" {
			if host, _ = os.Hostname(); !isHostName(host) {
				continue
			}
		}
		add(host)
	}
	return names
}

func isHostName(h string) bool {
	return h != "" && len(h) <= 253 && strings.Trim(h, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

func (o *ownSource) dir() string {
	if base := o.g.folder("certificates"); base != "" {
		return filepath.Join(base, fileName(o.site))
	}
	return ""
}

// load gives the certificate that is kept, if it will do for a while, or has one issued.
func (o *ownSource) load(ctx context.Context) ([]tlsnet.Identity, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now == nil {
		if dir := o.dir(); dir != "" {
			id, err := keystore.LoadIdentity(filepath.Join(dir, keystore.FullChainFile), filepath.Join(dir, keystore.KeyFile))
			if err == nil {
				o.take(id)
			}
		}
	}
	if o.leaf == nil || !o.dueLocked().After(o.g.o.Now()) || !o.stillFits() {
		if err := o.renewLocked(ctx); err != nil && (o.leaf == nil || !o.stillFits()) {
			return nil, err
		}
	}
	return []tlsnet.Identity{{Chain: o.now.Chain, Key: o.now.Key}}, nil
}

func (o *ownSource) take(id keystore.Identity) {
	if leaf, err := cert.ParseX509(id.Chain[0]); err == nil {
		o.now, o.leaf = &id, leaf
	}
}

// stillFits reports whether the certificate is of the CA that we have now, valid, and for all names.
func (o *ownSource) stillFits() bool {
	now := o.g.o.Now()
	for _, n := range o.names {
		if !slices.Contains(o.leaf.DNSNames, n) && o.leaf.VerifyHostname(n) != nil {
			return false
		}
	}
	_, err := pki.Verify(o.now.Chain[0], pki.VerifyOptions{Roots: o.g.o.OwnRoots, Intermediates: o.now.Chain[1:], Time: now, Usage: pki.UsageServer})
	return err == nil || len(o.g.o.OwnRoots) == 0 && now.Before(o.leaf.NotAfter)
}

func (o *ownSource) due(time.Time) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dueLocked()
}

func (o *ownSource) dueLocked() time.Time {
	life := o.leaf.NotAfter.Sub(o.leaf.NotBefore)
	return o.leaf.NotBefore.Add(life * 2 / 3)
}

func (o *ownSource) renew(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.renewLocked(ctx)
}

func (o *ownSource) renewLocked(ctx context.Context) error {
	id, err := o.g.o.OwnCA(ctx, o.names, pki.P256)
	if err != nil {
		return fmt.Errorf("certificate: our own CA: %w", err)
	}
	o.take(id)
	if o.leaf == nil {
		return errors.New("certificate: our own CA has issued what cannot be read")
	}
	if dir := o.dir(); dir != "" {
		if err := keystore.WriteLive(dir, id.Chain[0], id.Chain[1:], id.Key); err != nil {
			o.g.warn(o.site, "the certificate cannot be kept, and the next start will need another: "+pki.Printable(err.Error()))
		}
	}
	return nil
}

// fileName is a site's name as that of a folder.
func fileName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '_'
	}, name)
	if strings.Trim(clean, ".") == "" || clean != name {
		sum := fingerprint([]byte(name))
		return fmt.Sprintf("%s-%x", strings.Trim(clean, "."), sum[:4])
	}
	return clean
}

// certificateFacts are what people and metrics want to know of a site's certificate.
type certificateFacts struct {
	Subject   string    `json:"subject"`
	Serial    string    `json:"serial"`
	Key       string    `json:"key"`
	NotAfter  time.Time `json:"not_after"`
	HasStaple bool      `json:"stapled"`
}

// certificates describes what a site shows.
func (s *site) certificates() []certificateFacts {
	var out []certificateFacts
	for _, id := range s.current() {
		if leaf, err := cert.ParseX509(id.Chain[0]); err == nil {
			out = append(out, certificateFacts{Subject: pki.Name(leaf.Subject), Serial: fmt.Sprintf("%x", leaf.SerialNumber), Key: pki.DescribeKey(leaf.PublicKey),
				NotAfter: leaf.NotAfter.UTC(), HasStaple: len(id.Staple) > 0})
		}
	}
	return out
}

// shows reports whether a certificate is in one of the chains that a site shows.
func (s *site) shows(der []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.identities, func(id tlsnet.Identity) bool {
		return slices.ContainsFunc(id.Chain, func(c []byte) bool { return bytes.Equal(c, der) })
	})
}

// staple puts the OCSP answers for a chain into an identity, as far as there are any yet.
func (g *Gateway) staple(id *tlsnet.Identity) {
	id.Staple, id.Above = nil, nil
	for i, der := range g.staples.Staples(id.Chain) {
		switch {
		case i == 0:
			id.Staple = der
		default:
			id.Above = append(id.Above, tlscore.Stapled{Staple: der})
		}
	}
}

// renew gets certificates in time, for as long as ctx lives.
func (g *Gateway) renew(ctx context.Context, st *state) {
	notBefore := make(map[*site]time.Time) // after failures
	fails := make(map[*site]int)
	for {
		now := g.o.Now()
		next := now.Add(time.Hour)
		for _, s := range st.sites {
			due := s.source.due(now)
			if due.IsZero() {
				continue
			}
			if notBefore[s].After(due) {
				due = notBefore[s]
			}
			if due.After(now) {
				next = earlier(next, due)
				continue
			}
			err := s.source.renew(ctx)
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				err = g.reloadSite(ctx, s, "a new certificate is in use")
			}
			if err != nil {
				fails[s]++
				wait := min(time.Minute<<min(fails[s]-1, 6), time.Hour, s.patience(g.o.Now()))
				notBefore[s] = g.o.Now().Add(wait)
				g.warn(s.name, fmt.Sprintf("no new certificate: %s; the next attempt is in %v", pki.Printable(err.Error()), wait))
				next = earlier(next, notBefore[s])
				continue
			}
			fails[s] = 0
			next = earlier(next, now.Add(time.Second))
		}
		// No longer than a minute at a time: timers stand still while a machine sleeps, and certificates run out.
		if !pause(ctx, min(max(next.Sub(g.o.Now()), 100*time.Millisecond), time.Minute)) {
			return
		}
	}
}

// patience is how long a site can wait for the next attempt: a quarter of what its certificates have left. Where they are over
// already, the usual time will do.
func (s *site) patience(now time.Time) time.Duration {
	most := time.Hour
	for _, c := range s.certificates() {
		if left := c.NotAfter.Sub(now); left > 0 {
			most = min(most, max(left/4, time.Second))
		}
	}
	return most
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// reloadSite reads a site's certificates and CAs again.
func (g *Gateway) reloadSite(ctx context.Context, s *site, text string) error {
	before := s.certificates()
	if err := s.reload(ctx); err != nil {
		g.metrics.reloads.WithLabelValues("certificates", "failed").Inc()
		return err
	}
	g.metrics.reloads.WithLabelValues("certificates", "done").Inc()
	for _, c := range s.certificates() {
		if slices.ContainsFunc(before, func(b certificateFacts) bool { return b.Serial == c.Serial }) {
			continue
		}
		g.tell(slog.LevelInfo, Event{Kind: "certificate", Site: s.name, Text: fmt.Sprintf("%s: %s, %s, serial %s, until %s", text, c.Subject, c.Key, c.Serial, c.NotAfter.Format(time.DateOnly))})
	}
	g.retainStaples()
	return nil
}

// retainStaples forgets the OCSP answers of certificates that are not shown any more.
func (g *Gateway) retainStaples() {
	var chains [][][]byte
	for _, s := range g.state.Load().sites {
		for _, id := range s.current() {
			chains = append(chains, id.Chain)
		}
	}
	g.staples.Retain(chains...)
}
