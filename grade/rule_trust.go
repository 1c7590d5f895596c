package grade

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// trustRules are those behind the letters T and M: no client with its eyes open accepts the certificate.
var trustRules = []rule{
	{id: "T-revoked", severity: Critical, cap: "T", title: "The certificate is revoked", reference: []string{guide, "RFC 5280, Section 5.3"},
		fix:      "Make a new key, have a new certificate issued for it and serve that; find out why the old one was revoked.",
		snippets: fixRenew, check: checkRevoked},
	{id: "T-expired", severity: Critical, cap: "T", title: "The certificate has expired", reference: []string{guide, "RFC 5280, Section 4.1.2.5"}, number: 4,
		fix:      "Renew the certificate now, then let an ACME client do it by itself from now on.",
		snippets: fixRenew, check: checkExpired},
	{id: "T-not-yet-valid", severity: Critical, cap: "T", title: "The certificate is not valid yet", reference: []string{guide, "RFC 5280, Section 4.1.2.5"},
		fix:      "Serve the former certificate until this one is valid, or correct the clock of the CA that issued it.",
		snippets: fixRenew, check: checkNotYetValid},
	{id: "T-self-signed", severity: Critical, cap: "T", title: "The certificate is self-signed", reference: []string{guide, "RFC 5280, Section 3.2"}, number: 3,
		fix:      "Get a certificate from a CA that your clients trust; public ones give them away, a private one is tlswright ca.",
		snippets: fixRenew, check: checkSelfSigned},
	{id: "T-untrusted", severity: Critical, cap: "T", title: "No trust store knows the issuer", reference: []string{guide, "RFC 5280, Section 6.1"},
		fix:      "Serve a certificate of a CA that your clients trust, or add the CA to their trust stores if it is your own.",
		snippets: fixRenew, check: checkUntrusted},
	{id: "T-sha1", severity: Critical, cap: "T", title: "The chain is signed with SHA-1", reference: []string{guide, "RFC 8446, Section 4.4.2.4"},
		fix:      "Have the certificate issued again with SHA-256; browsers have refused SHA-1 since 2017.",
		snippets: fixRenew, check: checkSHA1},
	{id: "T-invalid", severity: Critical, cap: "T", title: "The certificate does not hold for this use", reference: []string{guide, "RFC 5280, Section 6.1.4"},
		fix:      "Have the certificate issued again, with a profile for servers.",
		snippets: fixRenew, check: checkOtherFaults},
	{id: "M-name", severity: Critical, cap: "M", title: "The certificate is for another name", reference: []string{guide, "RFC 9525, Section 6"},
		fix:      "Have the certificate issued again with this name among its subject alternative names.",
		snippets: fixRenew, check: checkName},
	{id: "F4", severity: Critical, cap: "F", title: "The chain is signed with MD5 or MD2", reference: []string{guide, "RFC 8446, Section 4.4.2.4"},
		fix:      "Have the certificate issued again with SHA-256; collisions of MD5 have been used to forge certificates.",
		snippets: fixRenew, check: checkMD5},
	{id: "F9", severity: Critical, cap: "F", title: "The key's public exponent is 1", reference: []string{guide},
		fix:      "Make a new key with a working tool: with exponent 1 encryption and signature do nothing at all.",
		snippets: fixKey, check: checkExponent},
	{id: "weak-key-known", severity: Critical, cap: "F", title: "The private key can be computed", reference: []string{guide, "CVE-2008-0166", "CVE-2017-15361"},
		fix:      "Make a new key on a sound system at once, have a new certificate issued and the old one revoked.",
		snippets: fixKey, check: checkComputable},
}

func checkRevoked(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		staple := c.Staple != nil && c.Staple.Valid && c.Staple.Status == "revoked"
		if c.Revoked != Yes && !staple {
			continue
		}
		lines := c.Revocation
		if staple {
			lines = append(slices.Clip(lines), "the OCSP response in the handshake says: revoked")
		}
		if len(lines) == 0 {
			lines = []string{"revoked"}
		}
		for _, line := range lines {
			evidence = append(evidence, describeChain(c)+": "+line)
		}
	}
	return firedIf("The CA has taken this certificate back; a client that asks will refuse it.", evidence)
}

// describeChain names a chain by its leaf's kind of key and serial number.
func describeChain(c *Chain) string {
	if leaf := c.Leaf(); leaf != nil && leaf.Serial != "" {
		return c.KeyType + " certificate " + leaf.Serial
	}
	return strings.TrimSpace(c.KeyType + " certificate")
}

// day words a date for people.
func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func checkExpired(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		for i := range c.Sent {
			cert := &c.Sent[i]
			if i > 0 && !c.onPath(cert) || cert.NotAfter.IsZero() || !s.now.After(cert.NotAfter) {
				continue
			}
			evidence = append(evidence, fmt.Sprintf("%s: %s expired on %s, %s ago", describeChain(c), subjectOf(cert, i), day(cert.NotAfter), days(s.now.Sub(cert.NotAfter))))
		}
	}
	evidence = s.elseByCheck(evidence, "expired")
	return firedIf("Every client refuses a certificate after its last day.", evidence)
}

func checkNotYetValid(s *subject) *hit {
	var evidence []string
	s.leaves(func(c *Chain, leaf *Certificate) {
		if !leaf.NotBefore.IsZero() && !s.now.IsZero() && s.now.Before(leaf.NotBefore) {
			evidence = append(evidence, fmt.Sprintf("%s: valid from %s, %s from now", describeChain(c), day(leaf.NotBefore), days(leaf.NotBefore.Sub(s.now))))
		}
	})
	evidence = s.elseByCheck(evidence, "not yet valid")
	return firedIf("Every client refuses a certificate before its first day.", evidence)
}

// elseByCheck adds what the explained verification found, where the dates in the facts said nothing.
func (s *subject) elseByCheck(evidence []string, reasons ...string) []string {
	if len(evidence) > 0 {
		return evidence
	}
	for _, c := range s.chains {
		for _, check := range c.Checks {
			if check.Outcome == "failed" && slices.Contains(reasons, check.Reason) {
				evidence = append(evidence, describeChain(c)+": "+check.Text)
			}
		}
	}
	return evidence
}

// onPath reports whether a certificate that was sent belongs to the path that was judged. Without a path nothing sent is
// surplus.
func (c *Chain) onPath(cert *Certificate) bool {
	return len(c.Path) == 0 || slices.Contains(c.Path, cert.SHA256)
}

// subjectOf names a certificate of a chain.
func subjectOf(c *Certificate, depth int) string {
	if depth == 0 {
		return "the certificate"
	}
	return "the CA certificate \"" + c.Subject + "\""
}

// days words a span of time in days, rounded down.
func days(d time.Duration) string { return count(int(d/(24*time.Hour)), "day", "days") }

func checkSelfSigned(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		if c.SelfSigned && c.Trusted != Yes {
			evidence = append(evidence, describeChain(c)+": subject and issuer are both \""+leafSubject(c)+"\"")
		}
	}
	return firedIf("Nobody but the server itself vouches for it, so whoever sits in between can show one of his own making.", evidence)
}

func leafSubject(c *Chain) string {
	if leaf := c.Leaf(); leaf != nil {
		return leaf.Subject
	}
	return ""
}

func checkUntrusted(s *subject) *hit {
	var evidence []string
	headless := false
	for _, c := range s.chains {
		if c.Trusted != No || c.SelfSigned {
			continue
		}
		headless = headless || len(c.Sent) == 1 && len(c.Missing) > 0 && c.Complete != Yes
		line := describeChain(c) + ": no path to a trusted root"
		if leaf := c.Leaf(); leaf != nil && leaf.Issuer != "" {
			line += "; the issuer is \"" + leaf.Issuer + "\""
		}
		for _, t := range c.Trust {
			line += "; " + t.Store + ": " + orElse(t.Reason, "not trusted")
		}
		evidence = append(evidence, line)
	}
	h := firedIf("The chain leads to no root of the trust stores that were asked.", evidence)
	if h != nil && headless {
		h.fix = "The issuer's certificate was not sent and is in no store: if it is an intermediate of a trusted CA, send it along; if not, serve a certificate of a CA that your clients trust, or have them trust yours."
		h.snippets = fixChain
	}
	return h
}

// orElse gives a text, or another where it is empty.
func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// signedWith lists the certificates of the chains, self-signed ones apart, whose signature uses one of some hashes. A
// root's own signature protects nothing.
func (s *subject) signedWith(hashes ...string) []string {
	var evidence []string
	for _, c := range s.chains {
		for i := range c.Sent {
			cert := &c.Sent[i]
			if cert.IsSelfSigned && i > 0 || i > 0 && !c.onPath(cert) {
				continue
			}
			name := strings.ToUpper(cert.Signature)
			if slices.ContainsFunc(hashes, func(h string) bool { return hasWord(name, h) }) {
				evidence = append(evidence, fmt.Sprintf("%s: %s is signed with %s", describeChain(c), subjectOf(cert, i), cert.Signature))
			}
		}
	}
	return evidence
}

// hasWord reports whether a signature's name has a hash in it, as SHA1-RSA, ECDSA-SHA1 and sha1WithRSAEncryption have, but
// not one whose name only begins so.
func hasWord(name, hash string) bool {
	i := strings.Index(name, hash)
	if i < 0 {
		return false
	}
	rest := name[i+len(hash):]
	return rest == "" || rest[0] < '0' || rest[0] > '9'
}

func checkSHA1(s *subject) *hit {
	return firedIf("Collisions of SHA-1 are affordable, so its signatures can be moved to another certificate.", s.signedWith("SHA1", "SHA-1"))
}

func checkMD5(s *subject) *hit {
	return firedIf("Collisions of these hashes take seconds, so such a signature proves nothing.", s.signedWith("MD5", "MD2", "MD4"))
}

// otherFaults are the reasons of the explained verification that no other rule speaks of.
var otherFaults = [...]string{"wrong usage", "constraint", "malformed", "bad signature", "limit"}

func checkOtherFaults(s *subject) *hit {
	evidence := s.elseByCheck(nil, otherFaults[:]...)
	return firedIf("Verification fails for a reason other than dates, name and issuer.", evidence)
}

func checkName(s *subject) *hit {
	var evidence []string
	fix := ""
	for _, c := range s.chains {
		if c.NameMatches != No {
			continue
		}
		line := describeChain(c) + ": "
		switch leaf := c.Leaf(); {
		case c.NameOnlyCN:
			line += "the name stands in the common name only, where no browser looks any more"
		case leaf == nil || len(leaf.Names) == 0:
			line += "it has no subject alternative names at all"
		default:
			line += "it is for " + several(leaf.Names, 6)
		}
		if c.Suggestion != "" {
			fix = "Use the name " + c.Suggestion + ", which the certificate is for, or have it issued again with this name among its subject alternative names."
		}
		evidence = append(evidence, line)
	}
	h := firedIf(fmt.Sprintf("The name asked for, %s, is not among the subject alternative names, and nothing else counts.", s.name()), evidence)
	if h != nil {
		h.fix = fix
	}
	return h
}

// name is the name that the certificate should be for.
func (s *subject) name() string {
	return orElse(s.f.ServerName, s.f.Host)
}

func checkExponent(s *subject) *hit {
	var evidence []string
	s.leaves(func(c *Chain, leaf *Certificate) {
		if leaf.Exponent == "1" || leaf.Exponent == "0x1" || leaf.Exponent == "01" {
			evidence = append(evidence, describeChain(c)+": exponent 1")
		}
	})
	return firedIf("What is encrypted to this key is not encrypted, and its signatures can be made by anybody.", evidence)
}

func checkComputable(s *subject) *hit {
	reason := s.computableKey()
	if reason == "" {
		return nil
	}
	return fired("Whoever wants it can have the server's private key: "+reason+".", reason)
}
