package watch

import (
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/incident"
)

// KindNotDeployed is the kind of finding that a certificate is which was issued and never came into use.
const KindNotDeployed = "not-deployed"

// DefaultDeploy is how long a certificate may be issued before somebody serves it.
const DefaultDeploy = 24 * time.Hour

// Record is what the records of our own CAs say of a certificate.
type Record struct {
	CA      string
	State   string // "issued", "revoked", "on hold"
	At      time.Time
	Revoked time.Time
	Seen    bool // it was seen served somewhere, ever
}

// AgreeIssued compares what the addresses of a target serve with what our CAs have issued for its names, which is among all
// as observations of the source [Issued]. records are by fingerprint.
func AgreeIssued(target string, all []*Observation, records map[string]Record, p Policy, now time.Time) []incident.Finding {
	var list []incident.Finding
	for _, k := range kindsOf(all...) {
		served := bySource(all, Served, k)
		list = append(list, revokedHere(served, records)...)
		list = append(list, notDeployed(target, k, served, bySource(all, Disk, k), leavesOf(all, Issued, k), records, p, now)...)
	}
	return list
}

// leavesOf lists all certificates with a kind of key that a source has, where bySource gives one of each place.
func leavesOf(all []*Observation, source Source, k string) []seen {
	var list []seen
	for _, o := range all {
		if o.Source != source || o.Outcome != Answered {
			continue
		}
		for i := range o.Leaves {
			if l := &o.Leaves[i]; kind(l) == k {
				list = append(list, seen{o, l.Leaf()})
			}
		}
	}
	return list
}

// revokedHere finds certificates that are served and that our own CA has revoked: whether lists and responders say so by
// now does not matter.
func revokedHere(served []seen, records map[string]Record) []incident.Finding {
	var list []incident.Finding
	told := make(map[string]bool)
	for _, s := range served {
		r := records[s.c.Fingerprint]
		if r.State != "revoked" && r.State != "on hold" || told[s.c.Fingerprint] {
			continue
		}
		told[s.c.Fingerprint] = true
		text := "its CA, " + r.CA + ", has revoked it"
		if r.State == "on hold" {
			text = "its CA, " + r.CA + ", has put it on hold"
		}
		if !r.Revoked.IsZero() {
			text += " on " + r.Revoked.UTC().Format("2006-01-02 15:04 MST")
		}
		list = append(list, incident.Finding{Key: key(KindRevoked, s.c), Severity: incident.Emergency, Gone: 2, Title: "the certificate of " + title(s.c) + " is revoked", Text: text})
	}
	return list
}

// notDeployed finds certificates that were issued to take the place of one that is served, and that nobody has seen since.
func notDeployed(target, k string, served, disk, issued []seen, records map[string]Record, p Policy, now time.Time) []incident.Finding {
	patience := p.Deploy
	if patience <= 0 {
		patience = DefaultDeploy
	}
	var newer *seen
	var places []string
	for _, s := range served {
		if records[s.c.Fingerprint].State == "" {
			continue // somebody else issues for this one
		}
		next := heir(s.c, issued, disk, records)
		if next == nil || now.Sub(records[next.c.Fingerprint].At) < patience {
			continue
		}
		newer, places = next, append(places, s.o.Place)
	}
	if newer == nil {
		return nil
	}
	return []incident.Finding{{Key: incident.Key{Kind: KindNotDeployed, Subject: target + " " + k}, Severity: incident.Warning, Gone: 1,
		Title: "a newer certificate for " + target + " was issued and is not served anywhere",
		Text: records[newer.c.Fingerprint].CA + " issued " + newer.c.Fingerprint[:min(16, len(newer.c.Fingerprint))] + " on " + records[newer.c.Fingerprint].At.UTC().Format(time.DateOnly) +
			", and " + strings.Join(places, ", ") + " still serves an older one"}}
}

// heir is the newest certificate that was issued for all names of a served one, later, and that nobody serves. One that lies in
// a file of the target is told of as not reloaded.
func heir(served *Certificate, issued, disk []seen, records map[string]Record) *seen {
	var best *seen
	for _, i := range issued {
		r := records[i.c.Fingerprint]
		switch {
		case r.State != "issued" || r.Seen || !i.c.NotBefore.After(served.NotBefore) || !coversAll(i.c, served):
		case slices.ContainsFunc(disk, func(d seen) bool { return d.c.Fingerprint == i.c.Fingerprint }):
		case best == nil || i.c.NotBefore.After(best.c.NotBefore):
			best = &i
		}
	}
	return best
}

// coversAll reports whether a certificate can stand in for another one: it has all its names.
func coversAll(c, other *Certificate) bool {
	if len(other.Names) == 0 {
		return c.Subject == other.Subject
	}
	for _, want := range other.Names {
		if !slices.ContainsFunc(c.Names, func(have string) bool { return covers(have, want) }) {
			return false
		}
	}
	return true
}
