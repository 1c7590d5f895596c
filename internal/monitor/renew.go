package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
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

// renewal is what became of the last one of a certificate. It is kept in the history, for other nodes and later runs: CAs
// limit how often they are asked.
type renewal struct {
	Of      string `json:"of"`                // fingerprint of the certificate that was to be replaced
	Done    bool   `json:"done"`              // there is a new one
	Trouble string `json:"trouble,omitempty"` // why there is none, or why it is not served
}

// renew closes the loop: where a certificate runs out that we can renew, it is renewed, the server made to take it, and
// looked at again. The incident stays open until the new certificate was seen served. One certificate is renewed once: what
// the server has not taken yet is only loaded again.
func (e *Engine) renew(ctx context.Context, s *spec, r *history.Result) {
	if s.Renew.Live == "" || e.o.Renew == nil {
		return
	}
	due, isDue := toRenew(r)
	if !isDue {
		return
	}
	last, err := e.lastRenewal(ctx, s.Renew.Live)
	mayTry := false
	if err == nil {
		mayTry, err = e.o.History.Once(ctx, "renewal of "+s.Renew.Live, r.At, renewEvery)
	}
	if err != nil {
		e.o.Log.Error("what became of renewals cannot be read", "certificate", s.Renew.Live, "error", err.Error())
		return
	}
	if mayTry {
		last = e.tryRenewal(ctx, s, due, last)
		if err := e.keepRenewal(ctx, s.Renew.Live, r.At, last); err != nil {
			e.o.Log.Error("what became of a renewal cannot be kept", "certificate", s.Renew.Live, "error", err.Error())
		}
		if last.Trouble == "" {
			r.Next = r.At.Add(lookAgain)
		}
	}
	if last.Trouble != "" {
		title := "the certificate " + s.Renew.Live + " could not be renewed"
		if last.Done {
			title = "the certificate " + s.Renew.Live + " was renewed, and its server could not be made to take it"
		}
		r.Findings = append(r.Findings, incident.Finding{Key: incident.Key{Kind: KindRenewal, Subject: s.Renew.Live}, Severity: incident.Critical, Gone: 1, Title: title, Text: last.Trouble})
	}
}

// tryRenewal renews what is due, unless that was done, and has the server take it.
func (e *Engine) tryRenewal(ctx context.Context, s *spec, due string, last renewal) renewal {
	now := renewal{Of: due, Done: due == "" || last.Done && last.Of == due}
	if due == "" {
		now.Of = last.Of
	}
	if !now.Done {
		if err := e.o.Renew(ctx, s.Renew.Live); err != nil {
			e.o.Log.Error("a certificate was not renewed", "target", s.Name, "certificate", s.Renew.Live, "error", err.Error())
			now.Trouble = pki.Printable(err.Error())
			return now
		}
		now.Done = true
		e.o.Log.Info("renewed", "target", s.Name, "certificate", s.Renew.Live)
	}
	if err := reload(ctx, s.Renew.Reload); err != nil {
		e.o.Log.Error("a server could not be made to take its certificate", "target", s.Name, "certificate", s.Renew.Live, "error", err.Error())
		now.Trouble = pki.Printable(err.Error())
	}
	return now
}

func renewalFact(name string) string { return "renewal " + name }

func (e *Engine) lastRenewal(ctx context.Context, name string) (last renewal, err error) {
	text, _, err := e.o.History.Fact(ctx, renewalFact(name))
	if err == nil && text != "" {
		err = json.Unmarshal([]byte(text), &last)
	}
	return last, err
}

func (e *Engine) keepRenewal(ctx context.Context, name string, at time.Time, last renewal) error {
	text, err := json.Marshal(last)
	if err != nil {
		return err
	}
	return e.o.History.SetFact(ctx, at, renewalFact(name), string(text))
}

// toRenew reports whether there is something to do, and finds the served leaf that runs out; "": a newer one lies on disk
// already, and is not served. What else lies in the files is none of the server's.
func toRenew(r *history.Result) (due string, isDue bool) {
	served := make(map[string]bool)
	for _, p := range r.Places {
		for i := range p.Observation.Leaves {
			if c := p.Observation.Leaves[i].Leaf(); c != nil && p.Observation.Source == watch.Served {
				served[c.Fingerprint] = true
			}
		}
	}
	for i := range r.Findings {
		switch f := &r.Findings[i]; {
		case f.Kind == watch.KindNotReloaded:
			return "", true
		case (f.Kind == watch.KindExpiry || f.Kind == watch.KindOverdue) && served[f.Subject]:
			due, isDue = f.Subject, true
		}
	}
	return due, isDue
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
