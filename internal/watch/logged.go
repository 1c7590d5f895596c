package watch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/incident"
)

// Kinds of findings about logs of Certificate Transparency.
const (
	KindForeign = "unknown-issuance" // a certificate that nobody here knows of
	KindLog     = "ct-log"           // a log that misbehaves or cannot be read
)

// foreignAfter is how long a certificate that nobody knows may be logged until it is told, where no issuers are expected: a
// renewal is logged before it is served.
const foreignAfter = time.Hour

// Logging is where a certificate stands in a log.
type Logging struct {
	At    time.Time `json:"at"` // as the log says
	Index uint64    `json:"index"`
	// Precertificate says that it is the promise of a certificate, with the fingerprint of that promise.
	Precertificate bool `json:"precertificate,omitempty"`
	// Unreadable says that the entry holds the domain, and nobody can read it.
	Unreadable bool `json:"unreadable,omitempty"`
}

// Identity is what a precertificate and its certificate share: issuer and serial number.
func (c *Certificate) Identity() string { return c.Issuer + " " + c.Serial }

// log judges a look at a log: whether it can be read and believed. What is in it is AgreeLogged's business.
func (j *judge) log() {
	f := incident.Finding{Key: incident.Key{Kind: KindLog, Subject: j.o.Place}, Gone: 1, Text: j.o.Error}
	switch j.o.Outcome {
	case Answered:
		j.v.Reason = fmt.Sprintf("%d certificates are known there", len(j.o.Leaves))
		if len(j.o.Leaves) == 1 {
			j.v.Reason = "1 certificate is known there"
		}
		if j.o.Behind > 0 {
			j.v.Reason += fmt.Sprintf(", %d entries are still to be read", j.o.Behind)
		}
	case Caught:
		f.Severity, f.Title = incident.Critical, "the log "+j.o.Place+" misbehaves"
		j.add(Critical, f)
	default:
		f.Severity, f.Seen, f.Title = incident.Warning, j.p.patience(), "the log "+j.o.Place+" cannot be read"
		j.add(Warning, f)
	}
}

// AgreeLogged looks for certificates in logs that nobody here has asked for. known are those that were seen served or in a
// file, or that our own CA has issued, by [Certificate.Identity].
func AgreeLogged(target string, all []*Observation, known map[string]bool, p Policy, now time.Time) []incident.Finding {
	var list []incident.Finding
	told := make(map[string]bool)
	for _, o := range all {
		if o.Source != Logged {
			continue
		}
		for i := range o.Leaves {
			c, logged := o.Leaves[i].Leaf(), o.Leaves[i].Logged
			if c == nil || logged == nil || told[c.Identity()] || !c.NotAfter.After(now) || known[c.Identity()] || isExpected(c, logged, p, now) {
				continue
			}
			told[c.Identity()] = true
			list = append(list, foreign(o, c, logged, target))
		}
	}
	return list
}

// isExpected reports whether a certificate need not be known: it comes from an issuer that is expected or, where none are, it
// was logged just now.
func isExpected(c *Certificate, l *Logging, p Policy, now time.Time) bool {
	if len(p.Issuers) > 0 {
		return !l.Unreadable && slices.ContainsFunc(p.Issuers, func(part string) bool { return strings.Contains(c.Issuer, part) })
	}
	return now.Sub(l.At) < foreignAfter
}

func foreign(o *Observation, c *Certificate, l *Logging, target string) incident.Finding {
	sum := sha256.Sum256([]byte(c.Identity()))
	f := incident.Finding{Key: incident.Key{Kind: KindForeign, Subject: hex.EncodeToString(sum[:16])}, Severity: incident.Critical, Gone: 1}
	if l.Unreadable {
		f.Title = "a certificate that cannot be read was issued for a name of " + target
		f.Text = fmt.Sprintf("entry %d of %s holds the domain, logged %s", l.Index, o.Place, l.At.UTC().Format("2006-01-02 15:04 MST"))
		return f
	}
	what := "certificate"
	if l.Precertificate {
		what = "precertificate"
	}
	f.Title = "a certificate for " + title(c) + " was issued by somebody else: " + c.Issuer
	f.Text = fmt.Sprintf("for %s, serial number %s, logged %s (entry %d of %s, a %s)", strings.Join(c.Names[:min(len(c.Names), 10)], ", "), c.Serial,
		l.At.UTC().Format("2006-01-02 15:04 MST"), l.Index, o.Place, what)
	return f
}
