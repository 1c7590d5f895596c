package monitor

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
)

// KindRenewal is the kind of incident that a renewal which fails is.
const KindRenewal = "renewal"

// How often a renewal is tried, how long a command may take that makes a server take a new certificate, and how soon
// after that the server is looked at again.
const (
	renewEvery   = time.Hour
	reloadWithin = time.Minute
	lookAgain    = 15 * time.Second
)

// renewals remembers when each was tried.
type renewals struct {
	mu    sync.Mutex
	tried map[string]time.Time
}

// mayTry reports whether a renewal is to be tried, and notes that it is.
func (r *renewals) mayTry(name string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tried == nil {
		r.tried = make(map[string]time.Time)
	}
	if last, ok := r.tried[name]; ok && now.Sub(last) < renewEvery {
		return false
	}
	r.tried[name] = now
	return true
}

// renew closes the loop: where a certificate runs out that we can renew, it is renewed, the server made to take it, and
// looked at again. The incident stays open until the new certificate was seen served.
func (e *Engine) renew(ctx context.Context, s *spec, r *history.Result) {
	if s.Renew.Live == "" || e.o.Renew == nil || !isDue(r.Findings) || !e.renewals.mayTry(s.Renew.Live, r.At) {
		return
	}
	err := e.o.Renew(ctx, s.Renew.Live)
	if err == nil {
		e.o.Log.Info("renewed", "target", s.Name, "certificate", s.Renew.Live)
		err = reload(ctx, s.Renew.Reload)
	}
	if err != nil {
		e.o.Log.Error("a certificate was not renewed", "target", s.Name, "certificate", s.Renew.Live, "error", err.Error())
		r.Findings = append(r.Findings, incident.Finding{Key: incident.Key{Kind: KindRenewal, Subject: s.Renew.Live}, Severity: incident.Critical, Gone: 1,
			Title: "the certificate " + s.Renew.Live + " could not be renewed", Text: pki.Printable(err.Error())})
		return
	}
	r.Next = r.At.Add(lookAgain)
}

// isDue reports whether a leaf runs out, or lies renewed on disk and is not served.
func isDue(findings []incident.Finding) bool {
	for i := range findings {
		switch findings[i].Kind {
		case watch.KindExpiry, watch.KindOverdue, watch.KindNotReloaded:
			return true
		}
	}
	return false
}

// reload runs the command that makes a server take a new certificate.
func reload(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reloadWithin)
	defer cancel()
	out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
	if err != nil {
		text := strings.TrimSpace(string(out[max(0, len(out)-500):]))
		return errors.New(words[0] + ": " + err.Error() + ": " + text)
	}
	return nil
}
