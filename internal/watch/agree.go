package watch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/incident"
)

// Kinds of findings of [Agree].
const (
	KindNotReloaded   = "not-reloaded"
	KindNotEverywhere = "not-everywhere"
	KindStranger      = "unknown-certificate"
)

// DefaultReload is how long what lies on disk may be newer than what is served.
const DefaultReload = 10 * time.Minute

// Agree compares what is known of one target: what its addresses serve, what lies in its files, and what our CA has issued
// or logs have shown for its names. known are the fingerprints of certificates that are ours wherever they lie; nil: we
// cannot know, and nothing is called a stranger.
//
// changed is when a file was last seen to change, by place; the time of the look where it is not in there.
func Agree(target string, all []*Observation, known map[string]bool, changed map[string]time.Time, p Policy, now time.Time) []incident.Finding {
	var list []incident.Finding
	for _, k := range kindsOf(all...) {
		disk := bySource(all, Disk, k)
		served := bySource(all, Served, k)
		list = append(list, notReloaded(target, k, disk, served, changed, p, now)...)
		list = append(list, notEverywhere(target, k, served)...)
		list = append(list, strangers(served, disk, known)...)
	}
	return list
}

// seen is a leaf at a place.
type seen struct {
	o *Observation
	c *Certificate
}

func bySource(all []*Observation, source Source, k string) []seen {
	var list []seen
	for _, o := range all {
		if l := leafOf(o, k); o.Source == source && o.Outcome == Answered && l != nil {
			list = append(list, seen{o, l.Leaf()})
		}
	}
	return list
}

// successor is the certificate in a file that takes the place of a served one: the newest of those for one of its names. In
// a folder there may lie those of other sites, and of CAs.
func successor(served *Certificate, disk []seen) *seen {
	var best *seen
	for _, s := range disk {
		if !s.c.IsCA && sharesName(s.c, served) && (best == nil || s.c.NotBefore.After(best.c.NotBefore)) {
			best = &s
		}
	}
	return best
}

// sharesName reports whether two certificates can serve the same name.
func sharesName(a, b *Certificate) bool {
	if len(a.Names) == 0 && len(b.Names) == 0 {
		return a.Subject == b.Subject
	}
	return slices.ContainsFunc(a.Names, func(x string) bool {
		return slices.ContainsFunc(b.Names, func(y string) bool { return covers(x, y) || covers(y, x) })
	})
}

// covers reports whether a name is another one, or its wildcard: * is one label (RFC 9525, Section 6.3).
func covers(x, y string) bool {
	x, y = strings.ToLower(x), strings.ToLower(y)
	if parent, ok := strings.CutPrefix(x, "*."); ok {
		_, rest, _ := strings.Cut(y, ".")
		return x == y || rest == parent
	}
	return x == y
}

// notReloaded finds servers that go on with an older certificate than lies on disk.
func notReloaded(target, k string, disk, served []seen, changed map[string]time.Time, p Policy, now time.Time) []incident.Finding {
	patience := p.Reload
	if patience <= 0 {
		patience = DefaultReload
	}
	var newer *seen
	var places []string
	for _, s := range served {
		d := successor(s.c, disk)
		if d == nil || s.c.Fingerprint == d.c.Fingerprint || !s.c.NotBefore.Before(d.c.NotBefore) {
			continue
		}
		since, ok := changed[d.o.Place]
		if !ok {
			since = d.c.NotBefore
		}
		if now.Sub(since) >= patience {
			newer, places = d, append(places, s.o.Place)
		}
	}
	if newer == nil {
		return nil
	}
	return []incident.Finding{{Key: incident.Key{Kind: KindNotReloaded, Subject: target + " " + k}, Severity: incident.Critical, Gone: 1,
		Title: target + " was not reloaded: a newer certificate lies on disk",
		Text:  fmt.Sprintf("%s has one from %s, and %s still serves an older one", newer.o.Place, newer.c.NotBefore.UTC().Format(time.DateOnly), strings.Join(places, ", "))}}
}

// notEverywhere finds addresses of one target that serve different certificates of one kind.
func notEverywhere(target, k string, served []seen) []incident.Finding {
	places := make(map[string][]string)
	for _, s := range served {
		places[s.c.Fingerprint] = append(places[s.c.Fingerprint], s.o.Place)
	}
	if len(places) < 2 {
		return nil
	}
	var texts []string
	for print, list := range places {
		slices.Sort(list)
		texts = append(texts, print[:min(16, len(print))]+" at "+strings.Join(list, ", "))
	}
	slices.Sort(texts)
	// A change-over takes a while: it must be seen three times.
	return []incident.Finding{{Key: incident.Key{Kind: KindNotEverywhere, Subject: target + " " + k}, Severity: incident.Warning, Seen: 3, Gone: 1,
		Title: "the addresses of " + target + " serve different certificates", Text: strings.Join(texts, "; ")}}
}

// strangers finds certificates that are served and that nobody here knows of.
func strangers(served, disk []seen, known map[string]bool) []incident.Finding {
	if known == nil {
		return nil
	}
	var list []incident.Finding
	told := make(map[string]bool)
	for _, s := range served {
		if known[s.c.Fingerprint] || told[s.c.Fingerprint] || slices.ContainsFunc(disk, func(d seen) bool { return d.c.Fingerprint == s.c.Fingerprint }) {
			continue
		}
		told[s.c.Fingerprint] = true
		list = append(list, incident.Finding{Key: incident.Key{Kind: KindStranger, Subject: s.c.Fingerprint}, Severity: incident.Critical, Gone: 2,
			Title: "a certificate of " + title(s.c) + " is served that is not known here", Text: "at " + s.o.Place + ", issued by " + s.c.Issuer})
	}
	return list
}
