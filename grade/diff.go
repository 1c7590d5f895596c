package grade

import (
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// comparison collects the changes between two scans.
type comparison struct {
	old, new *Facts
	before   *subject
	after    *subject
	changes  []Change
}

// Diff compares two scans of a server: the grades first, then versions, suites, keys, certificates, vulnerabilities, HTTP and DNS.
// Each change says whether it is for the better or the worse; what only became known or unknown is neutral. Both are judged by
// today's rules. The facts are not changed.
func Diff(old, new *Facts) []Change {
	plain := Options{NoSnippets: true, Policies: []Policy{}}
	old, new = bounded(old), bounded(new)
	c := &comparison{old: old, new: new, before: newSubject(old, plain), after: newSubject(new, plain)}
	a, b := Judge(old, plain), Judge(new, plain)
	c.grades(a, b)
	c.versions()
	c.suites()
	c.groups()
	c.certificates()
	c.vulnerabilities()
	c.features()
	c.http()
	c.findings(a, b)
	return c.changes
}

func (c *comparison) add(area string, d Direction, text, old, new string) {
	c.changes = append(c.changes, Change{Area: area, Direction: d, Text: pki.Printable(text), Old: pki.Printable(old), New: pki.Printable(new)})
}

func (c *comparison) grades(a, b *Result) {
	if a.Grade != b.Grade {
		d := Better
		switch {
		case b.Grade.rank() > a.Grade.rank() && a.Grade != "", b.Grade == "":
			d = Worse
		case a.Grade == "":
			d = Neutral
		}
		c.add("grade", d, fmt.Sprintf("The grade went from %s to %s.", orElse(string(a.Grade), "none"), orElse(string(b.Grade), "none")), string(a.Grade), string(b.Grade))
	}
	if a.Score != b.Score && a.Grade != "" && b.Grade != "" {
		d := Better
		if b.Score < a.Score {
			d = Worse
		}
		c.add("grade", d, fmt.Sprintf("The score went from %.1f to %.1f.", a.Score, b.Score), fmt.Sprintf("%.1f", a.Score), fmt.Sprintf("%.1f", b.Score))
	}
	if c.old.Software != c.new.Software {
		c.add("software", Neutral, "The server calls itself differently.", c.old.Software, c.new.Software)
	}
}

func (c *comparison) versions() {
	for _, v := range [...]wire.Version{VersionSSL20, wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13} {
		was, is := offeredAnswer(c.old, v), offeredAnswer(c.new, v)
		good := v >= wire.VersionTLS12
		switch {
		case was == is:
		case was == No && is == Yes:
			c.add("protocols", directionOf(good), versionName(v)+" is offered now.", string(was), string(is))
		case was == Yes && is == No:
			c.add("protocols", directionOf(!good), versionName(v)+" is not offered any more.", string(was), string(is))
		default:
			c.add("protocols", Neutral, "Something else is known about "+versionName(v)+".", orElse(string(was), "not asked"), orElse(string(is), "not asked"))
		}
	}
}

func offeredAnswer(f *Facts, v wire.Version) Answer {
	if p := f.Protocol(v); p != nil {
		return p.Offered
	}
	return Unasked
}

func directionOf(better bool) Direction {
	if better {
		return Better
	}
	return Worse
}

// suites compares version by version, where both scans know all suites of it.
func (c *comparison) suites() {
	for i := range c.new.Protocols {
		p := &c.new.Protocols[i]
		q := c.old.Protocol(p.Version)
		if q == nil || q.Offered != Yes || p.Offered != Yes || !p.Complete || !q.Complete {
			continue
		}
		name := versionName(p.Version)
		for _, u := range c.after.used {
			if u.version == p.Version && !slices.ContainsFunc(q.Suites, func(s Suite) bool { return s.ID == u.suite.ID }) {
				c.add("suites", directionOf(!isWeak(&u)), name+": "+u.suite.ID.String()+" is taken now.", "", u.suite.ID.String())
			}
		}
		for _, u := range c.before.used {
			if u.version == p.Version && !slices.ContainsFunc(p.Suites, func(s Suite) bool { return s.ID == u.suite.ID }) {
				c.add("suites", directionOf(isWeak(&u)), name+": "+u.suite.ID.String()+" is not taken any more.", u.suite.ID.String(), "")
			}
		}
		if q.Order != p.Order && (p.Order == Yes || p.Order == No) && (q.Order == Yes || q.Order == No) {
			c.add("suites", Neutral, name+": whose order of suites counts has changed.", "server: "+string(q.Order), "server: "+string(p.Order))
		}
	}
}

func (c *comparison) groups() {
	if len(c.old.Groups) == 0 || len(c.new.Groups) == 0 {
		return
	}
	has := func(list []Group, g wire.Group) bool {
		return slices.ContainsFunc(list, func(x Group) bool { return x.ID == g })
	}
	weak := func(g wire.Group) bool { n := groupStrength(g); return n > 0 && n < 2048 }
	for _, g := range c.new.Groups {
		if !has(c.old.Groups, g.ID) {
			c.add("groups", directionOf(!weak(g.ID)), "The group "+g.ID.String()+" is taken now.", "", g.ID.String())
		}
	}
	for _, g := range c.old.Groups {
		if !has(c.new.Groups, g.ID) {
			c.add("groups", directionOf(weak(g.ID)), "The group "+g.ID.String()+" is not taken any more.", g.ID.String(), "")
		}
	}
}

// certificates compares chains by kind of key.
func (c *comparison) certificates() {
	for _, now := range c.after.chains {
		i := slices.IndexFunc(c.before.chains, func(x *Chain) bool { return x.KeyType == now.KeyType })
		if i < 0 {
			if len(c.before.chains) > 0 {
				c.add("certificate", Neutral, "There is a certificate with a key of kind "+now.KeyType+" now.", "", describeChain(now))
			}
			continue
		}
		c.chain(c.before.chains[i], now)
	}
	for _, was := range c.before.chains {
		gone := !slices.ContainsFunc(c.after.chains, func(x *Chain) bool { return x.KeyType == was.KeyType })
		if gone && len(c.after.chains) > 0 {
			c.add("certificate", Neutral, "There is no certificate with a key of kind "+was.KeyType+" any more.", describeChain(was), "")
		}
	}
}

func (c *comparison) chain(was, now *Chain) {
	a, b := was.Leaf(), now.Leaf()
	if a == nil || b == nil {
		return
	}
	if a.SHA256 != b.SHA256 {
		c.add("certificate", Neutral, "The "+now.KeyType+" certificate is another one, valid until "+day(b.NotAfter)+".", a.SHA256, b.SHA256)
		if a.SPKI == b.SPKI && a.SPKI != "" {
			c.add("certificate", Neutral, "Its key is the same.", a.SPKI, b.SPKI)
		}
		if a.Issuer != b.Issuer {
			c.add("certificate", Neutral, "Another CA issued it.", a.Issuer, b.Issuer)
		}
		if x, y := keyStrength(a), keyStrength(b); x != y && x > 0 && y > 0 {
			c.add("certificate", directionOf(y > x), "Its key has another strength.", a.Key, b.Key)
		}
	}
	c.answer("certificate", "The chain is trusted", was.Trusted, now.Trusted, true)
	c.answer("certificate", "The chain is complete", was.Complete, now.Complete, true)
	c.answer("certificate", "The name fits", was.NameMatches, now.NameMatches, true)
	c.answer("certificate", "The certificate is revoked", was.Revoked, now.Revoked, false)
}

// answer compares a yes-or-no question; what is good is Yes for good, No otherwise.
func (c *comparison) answer(area, what string, was, is Answer, good bool) {
	known := func(a Answer) bool { return a == Yes || a == No }
	switch {
	case was == is || !known(is):
	case !known(was):
		c.add(area, Neutral, what+": this is known now.", orElse(string(was), "not asked"), string(is))
	default:
		c.add(area, directionOf((is == Yes) == good), what+": this has changed.", string(was), string(is))
	}
}

func (c *comparison) vulnerabilities() {
	for i := range c.new.Vulnerabilities {
		now := &c.new.Vulnerabilities[i]
		was := c.old.Vulnerability(now.ID)
		switch {
		case was == nil && now.Verdict == Vulnerable:
			c.add("vulnerabilities", Worse, "The server is vulnerable to "+now.Name+"; nobody asked before.", "", string(now.Verdict))
		case was == nil || was.Verdict == now.Verdict:
		case now.Verdict == Vulnerable:
			c.add("vulnerabilities", Worse, "The server is vulnerable to "+now.Name+" now.", string(was.Verdict), string(now.Verdict))
		case was.Verdict == Vulnerable && now.Verdict != Inconclusive:
			c.add("vulnerabilities", Better, "The server is not vulnerable to "+now.Name+" any more.", string(was.Verdict), string(now.Verdict))
		case now.Verdict == Potential && was.Verdict != Inconclusive:
			c.add("vulnerabilities", Worse, "The conditions for "+now.Name+" are there now.", string(was.Verdict), string(now.Verdict))
		case was.Verdict == Potential && now.Verdict != Inconclusive:
			c.add("vulnerabilities", Better, "The conditions for "+now.Name+" are gone.", string(was.Verdict), string(now.Verdict))
		default:
			c.add("vulnerabilities", Neutral, "The verdict on "+now.Name+" has changed.", string(was.Verdict), string(now.Verdict))
		}
	}
}

func (c *comparison) features() {
	a, b := &c.old.Features, &c.new.Features
	for _, row := range []struct {
		what    string
		was, is Answer
		good    bool
	}{
		{"Secure renegotiation", a.SecureRenegotiation, b.SecureRenegotiation, true},
		{"Renegotiation by clients", a.ClientRenegotiation, b.ClientRenegotiation, false},
		{"Insecure renegotiation", a.InsecureRenegotiation, b.InsecureRenegotiation, false},
		{"TLS compression", a.Compression, b.Compression, false},
		{"Extended master secret", a.ExtendedMasterSecret, b.ExtendedMasterSecret, true},
		{"OCSP response in the handshake", a.Staple, b.Staple, true},
		{"Resumption in TLS 1.3", a.Resumption13, b.Resumption13, true},
		{"Session tickets", a.SessionTickets, b.SessionTickets, true},
		{"Unknown names are refused", a.StrictSNI, b.StrictSNI, true},
		{"Unknown protocols are refused", a.StrictALPN, b.StrictALPN, true},
		{"The same ECDH key on two connections", a.ECDHReuse, b.ECDHReuse, false},
	} {
		c.answer("features", row.what, row.was, row.is, row.good)
	}
}

func (c *comparison) http() {
	a, b := c.old.HTTP, c.new.HTTP
	if a == nil || b == nil || a.Problem != "" || b.Problem != "" {
		return
	}
	was, is := effectiveAge(&a.HSTS), effectiveAge(&b.HSTS)
	if was != is {
		c.add("http", directionOf(is > was), "HSTS lasts a different time.", fmt.Sprintf("%d seconds", was), fmt.Sprintf("%d seconds", is))
	}
	if a.HSTS.SubDomains != b.HSTS.SubDomains {
		c.add("http", directionOf(b.HSTS.SubDomains), "Whether HSTS includes subdomains has changed.", fmt.Sprint(a.HSTS.SubDomains), fmt.Sprint(b.HSTS.SubDomains))
	}
	c.answer("http", "Plain HTTP leads to HTTPS", a.RedirectsToHTTPS, b.RedirectsToHTTPS, true)
}

// effectiveAge is how long HSTS really lasts, in seconds: 0 where browsers ignore it.
func effectiveAge(h *HSTS) int64 {
	if !h.Present || h.Invalid != "" {
		return 0
	}
	return max(0, h.MaxAge)
}

// findings adds the rules that fire now and did not before, and the other way round, unless something above says so already:
// those without an area of their own.
func (c *comparison) findings(a, b *Result) {
	fires := func(r *Result, id string) bool {
		return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Rule == id })
	}
	for i := range b.Findings {
		if f := &b.Findings[i]; f.Severity != Good && f.Severity != Info && !fires(a, f.Rule) {
			c.add("findings", Worse, "New: "+f.Title+" ("+f.Rule+").", "", f.Rule)
		}
	}
	for i := range a.Findings {
		// A finding that is gone only because less was asked is no improvement.
		if f := &a.Findings[i]; f.Severity != Good && f.Severity != Info && !fires(b, f.Rule) && b.Grade != "" && len(b.Incomplete) <= len(a.Incomplete) {
			c.add("findings", Better, "Gone: "+f.Title+" ("+f.Rule+").", f.Rule, "")
		}
	}
}
