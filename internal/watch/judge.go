package watch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/incident"
)

// Kinds of findings.
const (
	KindExpiry      = "expiry"      // the leaf, by certificate
	KindPath        = "path-expiry" // an intermediate or root of the best path, by certificate
	KindSent        = "sent-expiry" // a certificate that is sent and not needed
	KindEarly       = "not-yet-valid"
	KindOverdue     = "renewal-overdue"
	KindUnreachable = "unreachable"
	KindName        = "name"
	KindChain       = "incomplete-chain"
	KindTrust       = "untrusted"
	KindRevoked     = "revoked"
	KindStaple      = "staple"
	KindWeak        = "weak"
	KindIssuer      = "unexpected-issuer"
	KindList        = "crl"
	KindFile        = "unreadable"
	KindClient      = "client-certificate" // a server refuses ours
)

// Verdict is what one look amounts to.
type Verdict struct {
	State  State  `json:"state"`
	Reason string `json:"reason"` // one sentence about the worst of it, fit to print

	Leaf time.Time `json:"leaf_ends"`          // the earliest end of a leaf; zero: there is none
	Path time.Time `json:"path_ends,omitzero"` // of a certificate in the best verified path
	Sent time.Time `json:"sent_ends,omitzero"` // of any certificate that was sent

	Findings []incident.Finding `json:"-"`
}

// judge collects findings.
type judge struct {
	o   *Observation
	p   Policy
	now time.Time
	v   Verdict
}

// Judge says how an observation looks at a time. last is the last observation of the same place that was answered, or nil:
// a certificate that was there and runs out goes on running out while its server is down.
func Judge(o *Observation, last *Observation, p Policy, now time.Time) Verdict {
	j := &judge{o: o, p: p, now: now}
	switch {
	case o.Source == Logged:
		j.log()
	case o.Source == Issued && o.Outcome == Answered:
		// Certificates that nobody serves may end: that they should be served is Agree's business.
		j.v.Reason = fmt.Sprintf("%d were issued", len(o.Leaves))
	case o.Outcome == Answered:
		j.leaves(o.Leaves)
		j.lists(o.Lists)
		j.client()
	case o.Outcome == Unreadable:
		j.remembered(last)
		j.add(Error, incident.Finding{Key: incident.Key{Kind: KindFile, Subject: o.Place}, Severity: incident.Critical, Title: o.Place + " cannot be read", Text: o.Error})
	default:
		j.unreachable(last)
	}
	if j.v.Reason == "" {
		j.v.Reason = j.fine()
	}
	return j.v
}

// add notes a finding; the first one of the worst state is the reason.
func (j *judge) add(s State, f incident.Finding) {
	if f.Gone == 0 {
		f.Gone = 2 // while servers of one name are being changed over, looks alternate
	}
	j.v.Findings = append(j.v.Findings, f)
	if s > j.v.State {
		j.v.State = s
		j.v.Reason = f.Title
		if f.Text != "" && f.Text != f.Title {
			j.v.Reason += ": " + f.Text
		}
	}
}

// remembered judges what a place showed when it was last looked at. Of OCSP answers nobody knows what is sent now.
func (j *judge) remembered(last *Observation) {
	if last == nil || last.Outcome != Answered {
		return
	}
	leaves := slices.Clone(last.Leaves)
	for i := range leaves {
		leaves[i].Staple, leaves[i].MustStaple = nil, false
	}
	j.leaves(leaves)
	j.lists(last.Lists)
	const now = "; it could not be looked at now"
	for i := range j.v.Findings {
		j.v.Findings[i].Text = strings.TrimPrefix(j.v.Findings[i].Text+now, "; ")
	}
	if j.v.Reason != "" {
		j.v.Reason += now
	}
}

// unreachable judges a look that brought no certificate.
func (j *judge) unreachable(last *Observation) {
	j.remembered(last)
	word := map[Outcome]string{Unresolved: "its name has no address", Refused: "nobody listens there", TimedOut: "no answer in time", NotTLS: "it does not speak TLS"}[j.o.Outcome]
	text := j.o.Error
	if text == "" {
		text = word
	}
	if j.o.Place != j.o.Target {
		text = j.o.Place + ": " + text
	}
	j.add(Error, incident.Finding{Key: incident.Key{Kind: KindUnreachable, Subject: j.o.Target}, Severity: incident.Critical, Seen: j.p.patience(), Gone: 1,
		Title: j.o.Target + unreached, Text: text})
}

const unreached = " cannot be looked at"

// OneOfMany corrects what is said of an address that cannot be looked at, where others of its target can.
func (v *Verdict) OneOfMany(target string) {
	v.Reason = strings.Replace(v.Reason, target+unreached, "an address of "+target+unreached, 1)
	for i := range v.Findings {
		if f := &v.Findings[i]; f.Kind == KindUnreachable {
			f.Title = "an address of " + target + unreached
		}
	}
}

// leaves judges all certificates that were presented.
func (j *judge) leaves(leaves []Leaf) {
	for i := range leaves {
		l := &leaves[i]
		if l.Leaf() == nil {
			continue
		}
		j.ends(l)
		j.validity(l)
		j.identity(l)
		j.chain(l)
		j.revocation(l)
	}
}

// ends notes the three ends.
func (j *judge) ends(l *Leaf) {
	j.v.Leaf = earlier(j.v.Leaf, l.Leaf().NotAfter)
	for _, c := range l.Path {
		j.v.Path = earlier(j.v.Path, c.NotAfter)
	}
	for _, c := range l.Chain {
		j.v.Sent = earlier(j.v.Sent, c.NotAfter)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// validity judges the times of the leaf, of the best path, and of what else was sent.
func (j *judge) validity(l *Leaf) {
	leaf := l.Leaf()
	j.expiry(KindExpiry, leaf, "the certificate of "+title(leaf))
	if leaf.NotBefore.After(j.now) {
		j.add(Critical, incident.Finding{Key: key(KindEarly, leaf), Severity: incident.Critical, Title: "the certificate of " + title(leaf) + " is not valid yet",
			Text: "it begins in " + left(leaf.NotBefore.Sub(j.now)) + "; is a clock wrong?"})
	}
	b := j.p.RenewBefore
	if life := leaf.Lifetime(); b >= life {
		b = life / 3 // nobody renews before the beginning: it is meant for certificates that live longer
	}
	if b > 0 && leaf.NotAfter.After(j.now) && leaf.NotAfter.Sub(j.now) < b-b/10 {
		j.add(Warning, incident.Finding{Key: key(KindOverdue, leaf), Severity: incident.Warning, Title: "the certificate of " + title(leaf) + " should have been renewed",
			Text: "renewal was due " + short(b) + " before its end, " + left(leaf.NotAfter.Sub(j.now)) + " are left"})
	}
	used := map[string]bool{leaf.Fingerprint: true}
	for i := range l.Path {
		if c := &l.Path[i]; !used[c.Fingerprint] {
			used[c.Fingerprint] = true
			j.expiry(KindPath, c, "the CA certificate "+title(c))
		}
	}
	for i := range l.Chain {
		c := &l.Chain[i]
		_, critical := j.spans(KindPath, c)
		if used[c.Fingerprint] || len(l.Path) == 0 || c.NotAfter.Sub(j.now) > max(critical, 0) {
			continue
		}
		// Clients that build a path of their own never look at it; old ones may stumble.
		f := incident.Finding{Key: key(KindSent, c), Severity: incident.Warning, Title: "a certificate that is sent along and not needed runs out: " + title(c),
			Text: "until " + c.NotAfter.UTC().Format(time.DateOnly)}
		if !c.NotAfter.After(j.now) {
			f.Title, f.Text = "a certificate that is sent along and not needed has expired: "+title(c), "since "+c.NotAfter.UTC().Format(time.DateOnly)
		}
		j.add(Warning, f)
	}
}

// expiry judges the end of a certificate that is needed.
func (j *judge) expiry(kind string, c *Certificate, what string) {
	rest := c.NotAfter.Sub(j.now)
	f := incident.Finding{Key: key(kind, c), Title: what + " runs out", Text: left(max(rest, 0)) + " are left, until " + c.NotAfter.UTC().Format("2006-01-02 15:04 MST")}
	if j.o.Source == Disk && c.IsCA && c.SelfSigned {
		// Bundles of roots hold old ones for years; who needs one of them learns it where it is served.
		if rest <= 0 {
			f.Severity, f.Step, f.Title, f.Text = incident.Warning, "0", what+" has expired", "since "+c.NotAfter.UTC().Format("2006-01-02 15:04 MST")
			j.add(Warning, f)
		}
		return
	}
	warning, critical := j.spans(kind, c)
	switch {
	case rest <= 0:
		f.Severity, f.Step = incident.Emergency, "0"
		f.Title, f.Text = what+" has expired", "since "+c.NotAfter.UTC().Format("2006-01-02 15:04 MST")
		j.add(Expired, f)
	case rest <= critical:
		f.Severity, f.Step = incident.Critical, "critical"
		j.add(Critical, f)
	case rest <= warning:
		f.Severity, f.Step = incident.Warning, "warning"
		j.add(Warning, f)
	}
}

// spans are how long before a certificate's end it is a warning, and critical. A share is meant for leaves: of a CA's ten
// years it would be years, so the default's days bound it there.
func (j *judge) spans(kind string, c *Certificate) (warning, critical time.Duration) {
	before := func(s, bound Span) time.Duration {
		if kind == KindPath && s.Time == 0 {
			s.Time = bound.Time
		}
		return s.Before(c.Lifetime())
	}
	warning, critical = before(j.p.warning(), DefaultWarning()), before(j.p.critical(), DefaultCritical())
	if j.p.Critical == (Span{}) && warning > 0 {
		critical = min(critical, warning/4) // who wants to be warned late does not want an alarm before
	}
	return warning, critical
}

// identity judges name, strength and issuer.
func (j *judge) identity(l *Leaf) {
	leaf := l.Leaf()
	if l.Name != "" {
		j.add(Critical, incident.Finding{Key: incident.Key{Kind: KindName, Subject: j.o.Target}, Severity: incident.Critical, Title: "the certificate of " + j.o.Target + " is for another name", Text: l.Name})
	}
	for i := range l.Chain {
		if c := &l.Chain[i]; c.Weak != "" && !(c.IsCA && c.SelfSigned) { // nobody checks a root's own signature
			j.add(Warning, incident.Finding{Key: key(KindWeak, c), Severity: incident.Warning, Title: "the certificate " + title(c) + " is weak", Text: c.Weak})
		}
	}
	if len(j.p.Issuers) > 0 && !slices.ContainsFunc(j.p.Issuers, func(part string) bool { return strings.Contains(leaf.Issuer, part) }) {
		j.add(Critical, incident.Finding{Key: key(KindIssuer, leaf), Severity: incident.Critical, Title: "the certificate of " + title(leaf) + " comes from an issuer that is not expected", Text: leaf.Issuer})
	}
}

// chain judges completeness and trust.
func (j *judge) chain(l *Leaf) {
	if l.Incomplete {
		text := "the certificate does not say where they can be had: no client can connect that does not happen to know them"
		if l.Repairable {
			text = "browsers repair it by fetching what is missing; curl, Java and most programs cannot connect"
		}
		j.add(Critical, incident.Finding{Key: incident.Key{Kind: KindChain, Subject: l.Leaf().Fingerprint}, Severity: incident.Critical, Title: "intermediate certificates are missing behind that of " + title(l.Leaf()), Text: text})
	}
	if l.Leaf().NotAfter.Before(j.now) || l.Leaf().NotBefore.After(j.now) || l.Incomplete {
		return // every store refuses what is expired, to come or broken off: that has been said
	}
	isOwn := slices.ContainsFunc(l.Trust, func(t Trust) bool { return t.Own && t.Trusted })
	var refused []string
	trusted := 0
	for _, t := range l.Trust {
		switch {
		case len(j.p.Stores) > 0 && !slices.Contains(j.p.Stores, t.Store), len(j.p.Stores) == 0 && isOwn && !t.Own:
		case t.Trusted:
			trusted++
		default:
			refused = append(refused, t.Store+" ("+t.Problem+")")
		}
	}
	for _, name := range j.p.Stores {
		if len(l.Trust) > 0 && !slices.ContainsFunc(l.Trust, func(t Trust) bool { return t.Store == name }) {
			refused = append(refused, name+" (there is no such trust store here)")
		}
	}
	switch {
	case len(refused) == 0:
	case trusted == 0:
		j.add(Critical, incident.Finding{Key: key(KindTrust, l.Leaf()), Severity: incident.Critical, Title: "the certificate of " + title(l.Leaf()) + " is not trusted", Text: "by " + strings.Join(refused, ", ")})
	default:
		j.add(Warning, incident.Finding{Key: key(KindTrust, l.Leaf()), Severity: incident.Warning, Title: "the certificate of " + title(l.Leaf()) + " is not trusted everywhere", Text: "not by " + strings.Join(refused, ", ")})
	}
}

// revocation judges status and staple.
func (j *judge) revocation(l *Leaf) {
	leaf := l.Leaf()
	s, why := l.Staple, l.Revoked
	if said := s != nil && s.Problem == "" && s.Status == "revoked"; said || l.Revocation == "revoked" {
		if why == "" && said {
			why = "the server itself sends the OCSP answer that says so"
		}
		j.add(Critical, incident.Finding{Key: key(KindRevoked, leaf), Severity: incident.Emergency, Title: "the certificate of " + title(leaf) + " is revoked", Text: why})
	}
	problem := ""
	switch {
	case s == nil && l.MustStaple:
		problem = "the certificate demands one, and none is sent: clients that heed it refuse"
	case s == nil:
	case s.Problem != "":
		problem = s.Problem
	case !s.NextUpdate.IsZero() && !j.now.Before(s.NextUpdate):
		problem = "it was good until " + s.NextUpdate.UTC().Format("2006-01-02 15:04 MST")
	case !s.NextUpdate.IsZero() && s.NextUpdate.Sub(j.now) < s.NextUpdate.Sub(s.ThisUpdate)/10:
		problem = "it is good for " + left(s.NextUpdate.Sub(j.now)) + " more: the server should have fetched another"
	}
	if problem != "" {
		state, severity := Warning, incident.Warning
		if l.MustStaple {
			state, severity = Critical, incident.Critical
		}
		j.add(state, incident.Finding{Key: incident.Key{Kind: KindStaple, Subject: j.o.Target}, Severity: severity, Seen: 2, Title: "the OCSP answer that " + j.o.Target + " sends will not do", Text: problem})
	}
}

// client judges whether our own client certificate was taken.
func (j *judge) client() {
	if j.o.ClientRefused != "" {
		j.add(Warning, incident.Finding{Key: incident.Key{Kind: KindClient, Subject: j.o.Target}, Severity: incident.Warning, Seen: 2,
			Title: j.o.Target + " refuses the client certificate that it is shown", Text: j.o.ClientRefused})
	}
}

// lists judges CRLs.
func (j *judge) lists(lists []List) {
	for _, l := range lists {
		rest := l.NextUpdate.Sub(j.now)
		what := "the CRL of " + l.Issuer
		if l.Answer != "" {
			what = "the OCSP answer about " + l.Issuer
		}
		f := incident.Finding{Key: incident.Key{Kind: KindList, Subject: j.o.Place}, Title: what + " runs out", Text: left(max(rest, 0)) + " are left"}
		if l.Answer == "revoked" || l.Answer == "unknown" {
			j.add(Critical, incident.Finding{Key: incident.Key{Kind: KindStaple, Subject: j.o.Place}, Severity: incident.Critical, Title: what + " says " + l.Answer, Text: "in " + j.o.Place})
		}
		switch {
		case l.NextUpdate.IsZero():
		case rest <= 0:
			f.Severity, f.Step, f.Title, f.Text = incident.Emergency, "0", what+" has run out", "since "+l.NextUpdate.UTC().Format("2006-01-02 15:04 MST")
			j.add(Expired, f)
		case rest < l.NextUpdate.Sub(l.ThisUpdate)/10:
			f.Severity, f.Step = incident.Critical, "critical"
			j.add(Critical, f)
		}
		if !l.NextUpdate.IsZero() {
			j.v.Leaf = earlier(j.v.Leaf, l.NextUpdate)
		}
	}
}

// fine is the reason of a state that is all right.
func (j *judge) fine() string {
	switch {
	case !j.v.Leaf.IsZero():
		return left(j.v.Leaf.Sub(j.now)) + " are left"
	case j.o.AsksClient:
		return "it answers"
	case len(j.o.Lists) > 0:
		return "a CRL that names no end"
	}
	j.v.State = Unknown
	return fmt.Sprintf("nothing was found at %s", j.o.Place)
}

// title names a certificate for people.
func title(c *Certificate) string {
	if len(c.Names) > 0 && !c.IsCA {
		if len(c.Names) > 1 {
			return fmt.Sprintf("%s and %d more", c.Names[0], len(c.Names)-1)
		}
		return c.Names[0]
	}
	return c.Subject
}

func key(kind string, c *Certificate) incident.Key {
	return incident.Key{Kind: kind, Subject: c.Fingerprint}
}
