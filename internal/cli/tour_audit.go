package cli

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/scan"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// tourServer is a website that can be set up wrongly while it runs.
type tourServer struct {
	t      *tour
	l      *tlsnet.Listener
	noHSTS atomic.Bool // the header is forgotten
}

// startServer runs it until the tour ends.
func (t *tour) startServer() (*tourServer, error) {
	s := &tourServer{t: t}
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", s.config(t.server))
	if err != nil {
		return nil, err
	}
	s.l = l
	t.later(t.serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !s.noHSTS.Load() {
			w.Header().Set("Strict-Transport-Security", "max-age=63072000")
		}
		_, _ = fmt.Fprintln(w, "hello")
	})))
	return s, nil
}

func (s *tourServer) config(id keystore.Identity) *tlsnet.Config {
	return &tlsnet.Config{Identities: []tlsnet.Identity{netIdentity(id)}, Core: tlscore.Config{ALPN: tlsnet.HTTPProtocols()}, Time: s.t.app.now}
}

// show puts another certificate into the place of what the server shows.
func (s *tourServer) show(id keystore.Identity) error { return s.l.SetConfig(s.config(id)) }

// audit scans a server, breaks it on purpose, and mends it.
func (t *tour) audit() {
	if !t.check("as it should be", func() (detail string, err error) {
		if t.shown, err = t.startServer(); err != nil {
			return "", err
		}
		r, n, err := t.scan(t.shown)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s; the scanner asked with %s", r.Grade, countOf(n, "connection")), gradeIs(r, "A+")
	}) {
		return
	}
	t.check("two mistakes", func() (string, error) {
		s := t.shown
		leafOnly := keystore.Identity{Chain: t.server.Chain[:1], Key: t.server.Key}
		s.noHSTS.Store(true)
		if err := s.show(leafOnly); err != nil {
			return "", err
		}
		r, _, err := t.scan(s)
		if err != nil {
			return "", err
		}
		missing, header := findingOf(r, "B3"), findingOf(r, "hsts-absent")
		if missing == nil || header == nil {
			return "", fmt.Errorf("the scanner has not found what was broken: %v", r.Missing)
		}
		return fmt.Sprintf("%s. The intermediate is forgotten: %q (rule %s). A header, too: %q (rule %s)",
			r.Grade, missing.Title, missing.Rule, header.Title, header.Rule), gradeIs(r, "B")
	})
	t.check("mended", func() (string, error) {
		s := t.shown
		s.noHSTS.Store(false)
		if err := s.show(t.server); err != nil {
			return "", err
		}
		r, _, err := t.scan(s)
		if err != nil {
			return "", err
		}
		return string(r.Grade) + " again", gradeIs(r, "A+")
	})
}

// scan makes the whole scan of a server, and tells how many connections that took.
func (t *tour) scan(server *tourServer) (*grade.Result, int, error) {
	port, err := strconv.Atoi(portOf(server.l.Addr()))
	if err != nil {
		return nil, 0, err
	}
	store := scan.Store{Name: "own CA", Own: true, Roots: rootsOf(t.ca), Intermediates: []*x509.Certificate{t.ca.Intermediate}}
	s := scan.New(scan.Options{Offline: true, Simulate: true, Now: t.app.now, Stores: []scan.Store{store}})
	found, err := s.Scan(t.ctx, scan.Target{Host: "127.0.0.1", Port: port, ServerName: "localhost"})
	if err != nil {
		return nil, 0, err
	}
	if len(found) != 1 {
		return nil, 0, errors.New("the scanner found no server")
	}
	return grade.Judge(found[0], grade.Options{NoSnippets: true}), found[0].Connections, nil
}

func gradeIs(r *grade.Result, want grade.Letter) error {
	if r.Grade != want {
		return fmt.Errorf("the grade is %s, not %s: %s", r.Grade, want, strings.Join(r.Missing, "; "))
	}
	return nil
}

// findingOf is the finding of a rule; nil: it has not fired.
func findingOf(r *grade.Result, rule string) *grade.Finding {
	for i := range r.Findings {
		if r.Findings[i].Rule == rule {
			return &r.Findings[i]
		}
	}
	return nil
}
