package grade

import "slices"

// misconfiguration is a row of the lesson's table.
type misconfiguration struct {
	name, fix string
	// known reports whether the facts can tell at all: with a finding of the number it is found, without one absent.
	known func(*subject) bool
}

// misconfigurations12 are the lesson's twelve, in order, each with the lesson's fix.
var misconfigurations12 = [...]misconfiguration{
	{"Legacy TLS versions enabled (TLS 1.0, SSL 3.0)", "Disable SSL 2 and 3, TLS 1.0 and 1.1: the least version is TLS 1.2.", (*subject).fullyAsked},
	{"Weak cipher suites (RC4, 3DES, CBC without AEAD, static RSA)", "Use only AEAD ciphers with ECDHE, and disable all suites without forward secrecy.", (*subject).fullyAsked},
	{"Self-signed certificate in production", "Use a certificate of a CA that clients trust; self-signed ones are for development alone.", (*subject).hasChain},
	{"Expired certificate", "Renew automatically with an ACME client, and watch from outside.", (*subject).hasChain},
	{"Missing intermediate certificate (incomplete chain)", "Always send the full chain: fullchain.pem, not cert.pem.", (*subject).chainKnown},
	{"No HSTS header", "Add Strict-Transport-Security with a long max-age.", (*subject).isHTTP},
	{"HTTP to HTTPS redirect missing", "Use a 301 permanent redirect, and think of the HSTS preload list.", (*subject).plainKnown},
	{"Private key too permissive (world-readable)", "chmod 600 for key files, owned by root or the server's user alone.", (*subject).never},
	{"TLS compression enabled", "Disable it: that prevents CRIME.", func(s *subject) bool { return s.f.Features.Compression == Yes || s.f.Features.Compression == No }},
	{"No OCSP stapling", "Enable OCSP stapling, where the certificate names a responder.", (*subject).stapleKnown},
	{"Wildcard certificate on a public site", "Use subject alternative names with the specific hosts; wildcards only for internal use.", (*subject).hasChain},
	{"Certificate pinning without backup pins", "Always include a backup pin, or rely on certificate transparency instead of pinning.", (*subject).never},
}

// fullyAsked reports whether all versions and suites were asked for.
func (s *subject) fullyAsked() bool {
	if s.f.Quick || !s.judgeable() {
		return false
	}
	return !slices.ContainsFunc(s.f.Protocols, func(p Protocol) bool {
		return p.Offered == Unknown || p.Offered == Unasked || p.Offered == Yes && !p.Complete && p.Version != VersionSSL20
	})
}

func (s *subject) hasChain() bool { return len(s.chains) > 0 && s.chains[0].Leaf() != nil }

func (s *subject) chainKnown() bool {
	return s.hasChain() && !slices.ContainsFunc(s.chains, func(c *Chain) bool { return c.Complete != Yes && c.Complete != No && !c.SelfSigned })
}

func (s *subject) plainKnown() bool {
	return s.f.HTTP != nil && (s.f.HTTP.PlainHTTP == No || s.f.HTTP.PlainHTTP == Yes && s.f.HTTP.RedirectsToHTTPS != Unknown && s.f.HTTP.RedirectsToHTTPS != Unasked)
}

func (s *subject) stapleKnown() bool {
	return s.hasChain() && (s.f.Features.Staple == Yes || s.f.Features.Staple == No || s.chains[0].Staple != nil)
}

func (s *subject) never() bool { return false }

// misconfigurations fills the table from the findings: one that fired with a number means found.
func (s *subject) misconfigurations(r *Result) []Misconfiguration {
	list := make([]Misconfiguration, 0, len(misconfigurations12))
	for i, row := range misconfigurations12 {
		m := Misconfiguration{Number: i + 1, Name: row.name, Fix: row.fix}
		for j := range r.Findings {
			if f := &r.Findings[j]; f.Misconfiguration == m.Number {
				m.Found = Yes
				m.Text = f.Title
				if len(f.Evidence) > 0 {
					m.Text += ": " + f.Evidence[0]
				}
				break // the worst stands first
			}
		}
		switch {
		case m.Found == Yes:
		case row.known(s):
			m.Found = No
		case m.Number == 8 || m.Number == 12:
			m.Text = "only files can tell: tlswright scan --files PATH"
		default:
			m.Found = Unknown
		}
		list = append(list, m)
	}
	return list
}
