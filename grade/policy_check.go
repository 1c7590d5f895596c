package grade

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// verdict collects what a policy says about the facts.
type verdict struct {
	s      *subject
	p      *Policy
	result PolicyResult
}

func (v *verdict) fail(format string, args ...any) {
	v.result.Failures = append(v.result.Failures, cutSentence(pki.Printable(fmt.Sprintf(format, args...))))
}

func (v *verdict) unsure(format string, args ...any) {
	v.result.Uncertain = append(v.result.Uncertain, cutSentence(pki.Printable(fmt.Sprintf(format, args...))))
}

// cutSentence bounds a sentence about a policy, which may list a dozen suites.
func cutSentence(s string) string {
	if len(s) <= 4*maxLine {
		return s
	}
	return shorten(s)
}

// policies holds the facts against all policies asked for.
func (s *subject) policies(r *Result) []PolicyResult {
	policies := s.options.Policies
	if policies == nil {
		policies = Policies(s.options.Mozilla)
	}
	results := make([]PolicyResult, 0, len(policies))
	for i := range policies {
		results = append(results, s.hold(policies[i], r))
	}
	return results
}

// hold holds the facts against one policy.
func (s *subject) hold(p Policy, r *Result) PolicyResult {
	v := &verdict{s: s, p: &p, result: PolicyResult{Policy: p.Name}}
	if err := p.compile(); err != nil {
		v.fail("The policy itself is wrong: %v.", err)
	}
	v.versions()
	v.suites()
	v.groups()
	v.certificates()
	v.trust()
	v.transport()
	v.features()
	v.judgement(r)
	switch {
	case len(v.result.Failures) > 0:
		v.result.Complies = No
	case len(v.result.Uncertain) > 0:
		v.result.Complies = Unknown
	default:
		v.result.Complies = Yes
	}
	return v.result
}

func (v *verdict) versions() {
	if len(v.p.Versions) > 0 {
		allowed := make(map[wire.Version]bool)
		for _, name := range v.p.Versions {
			version, _ := versionByName(name)
			allowed[version] = true
		}
		for _, version := range [...]wire.Version{VersionSSL20, wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13} {
			p := v.s.f.Protocol(version)
			switch {
			case allowed[version]:
			case p == nil, p.Offered == Unknown, p.Offered == Unasked:
				v.unsure("Whether %s is offered is not known; it must not be.", versionName(version))
			case p.Offered == Yes:
				v.fail("%s must not be offered.", versionName(version))
			}
		}
	}
	for _, name := range v.p.RequiredVersions {
		version, _ := versionByName(name)
		switch p := v.s.f.Protocol(version); {
		case p == nil, p.Offered == Unknown, p.Offered == Unasked:
			v.unsure("Whether %s is offered is not known; it must be.", versionName(version))
		case p.Offered == No:
			v.fail("%s must be offered.", versionName(version))
		}
	}
}

func (v *verdict) suites() {
	wrong := func(what string, match func(*usedSuite) bool) {
		if list := v.s.suitesThat(match); len(list) > 0 {
			v.fail("%s: %s.", what, several(list, maxEvidence))
		}
	}
	p := v.p
	demands := len(p.suites) > 0 || p.MinCipherBits > 0 || p.ForwardSecrecy || p.AEAD
	if !demands && !p.ServerOrder {
		return
	}
	if len(p.suites) > 0 {
		wrong("These suites must not be taken", func(u *usedSuite) bool { return !slices.Contains(p.suites, u.parts.Suite) })
	}
	if p.MinCipherBits > 0 {
		wrong(fmt.Sprintf("These suites have less than %d bits", p.MinCipherBits), func(u *usedSuite) bool { return u.parts.Bits < p.MinCipherBits })
	}
	if p.ForwardSecrecy {
		wrong("These suites have no forward secrecy", func(u *usedSuite) bool { return !u.parts.HasForwardSecrecy })
	}
	if p.AEAD {
		wrong("These suites have no authenticated encryption", func(u *usedSuite) bool { return u.parts.MAC != "AEAD" })
	}
	for i := range v.s.f.Protocols {
		protocol := &v.s.f.Protocols[i]
		if protocol.Offered != Yes || protocol.Version == VersionSSL20 {
			continue
		}
		if demands && !protocol.Complete {
			v.unsure("Not all suites of %s were asked for.", versionName(protocol.Version))
		}
		if p.ServerOrder && protocol.Version < wire.VersionTLS13 && len(protocol.Suites) > 1 && protocol.Order != Yes {
			if protocol.Order == No {
				v.fail("In %s the server's own order of suites must count.", versionName(protocol.Version))
			} else {
				v.unsure("Whose order of suites counts in %s is not known.", versionName(protocol.Version))
			}
		}
	}
}

// classicalHalf is the group that a hybrid has besides ML-KEM; 0 for what is no hybrid.
func classicalHalf(g wire.Group) wire.Group {
	switch g {
	case wire.GroupX25519MLKEM768, wire.GroupX25519Kyber768Draft:
		return wire.GroupX25519
	case wire.GroupSecp256r1MLKEM768:
		return wire.GroupSecp256r1
	case wire.GroupSecp384r1MLKEM1024:
		return wire.GroupSecp384r1
	case wire.GroupCurveSM2MLKEM768:
		return wire.GroupCurveSM2
	}
	return 0
}

func (v *verdict) groups() {
	p := v.p
	if len(p.groups) > 0 {
		var wrong []string
		for _, g := range v.s.f.Groups {
			half := classicalHalf(g.ID)
			if !slices.Contains(p.groups, g.ID) && (half == 0 || !slices.Contains(p.groups, half)) {
				wrong = append(wrong, g.ID.String())
			}
		}
		if len(wrong) > 0 {
			v.fail("These groups must not be taken: %s.", several(wrong, maxEvidence))
		}
	}
	if len(p.anyGroup) > 0 && len(v.s.f.Groups) > 0 {
		found := slices.ContainsFunc(v.s.f.Groups, func(g Group) bool { return slices.Contains(p.anyGroup, g.ID) })
		if !found {
			v.fail("At least one of these groups must be taken: %s.", strings.Join(p.AnyGroup, ", "))
		}
	}
	if len(p.groups)+len(p.anyGroup) > 0 && len(v.s.f.Groups) == 0 {
		v.unsure("The server's groups are not known.")
	}
	if p.MinDHBits > 0 {
		for _, dh := range v.s.f.DH {
			if dh.Bits < p.MinDHBits {
				v.fail("Diffie-Hellman parameters must have %d bits or more, not %d.", p.MinDHBits, dh.Bits)
			}
		}
	}
}

func (v *verdict) certificates() {
	p := v.p
	if len(p.CertificateTypes)+len(p.CertificateCurves)+len(p.CertificateSignatures)+p.MinRSABits+p.MinECBits+p.MaxLifetimeDays == 0 {
		return
	}
	seen := false
	v.s.leaves(func(c *Chain, leaf *Certificate) {
		seen = true
		v.certificate(c, leaf)
	})
	if !seen {
		v.unsure("No certificate was seen.")
	}
}

func (v *verdict) certificate(c *Chain, leaf *Certificate) {
	p, name := v.p, describeChain(c)
	kind := keyKind(c.KeyType)
	oneOf := func(list []string, same func(string) bool, format string, is string) {
		if len(list) > 0 && is != "" && !slices.ContainsFunc(list, same) {
			v.fail(format, name, strings.Join(list, ", "), is)
		}
	}
	oneOf(p.CertificateTypes, func(t string) bool { return keyKind(t) == kind }, "%s: the key must be %s, not %s.", kind)
	if curve, ok := leafCurve(leaf); ok {
		oneOf(p.CertificateCurves, func(t string) bool { g, _ := groupByName(t); return g == curve }, "%s: the curve must be %s, not %s.", curve.String())
	}
	signature := signatureKind(leaf.Signature)
	oneOf(p.CertificateSignatures, func(t string) bool { return signatureKind(t) == signature }, "%s: the signature must be %s, not %s.", orElse(signature, leaf.Signature))
	if kind == "rsa" && p.MinRSABits > 0 && leaf.KeyBits > 0 && leaf.KeyBits < p.MinRSABits {
		v.fail("%s: an RSA key must have %d bits or more, not %d.", name, p.MinRSABits, leaf.KeyBits)
	}
	if kind != "rsa" && kind != "dsa" && kind != "mldsa" && p.MinECBits > 0 && leaf.KeyBits > 0 && leaf.KeyBits < p.MinECBits {
		v.fail("%s: an elliptic key must have %d bits or more, not %d.", name, p.MinECBits, leaf.KeyBits)
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); p.MaxLifetimeDays > 0 && !leaf.NotBefore.IsZero() && life > time.Duration(p.MaxLifetimeDays)*oneDay+time.Second {
		v.fail("%s: it must be valid for %d days or less, not %s.", name, p.MaxLifetimeDays, days(life))
	}
}

// leafCurve reads the curve from the description of a key, as "ECDSA P-256".
func leafCurve(c *Certificate) (wire.Group, bool) {
	for word := range strings.FieldsSeq(c.Key) {
		if g, ok := groupByName(word); ok {
			return g, true
		}
	}
	return 0, false
}

func (v *verdict) trust() {
	if !v.p.Trusted {
		return
	}
	if len(v.s.chains) == 0 {
		v.unsure("No certificate was seen.")
	}
	for i := range trustRules {
		if r := &trustRules[i]; r.cap == "T" || r.cap == "M" {
			if h := r.check(v.s); h != nil {
				v.fail("%s.", r.title)
			}
		}
	}
	for _, c := range v.s.chains {
		if c.Complete == No && !c.SelfSigned {
			v.fail("%s: the chain must be complete.", describeChain(c))
		}
		if c.Trusted == Unknown || c.Trusted == Unasked {
			v.unsure("%s: whether it is trusted is not known.", describeChain(c))
		}
		if c.NameMatches == Unknown || c.NameMatches == Unasked {
			v.unsure("%s: whether the name fits is not known.", describeChain(c))
		}
	}
}

// transport checks what stands above TLS.
func (v *verdict) transport() {
	p, h := v.p, v.s.f.HTTP
	if p.HSTSMinAge > 0 && v.s.isWeb() {
		switch {
		case !v.s.isHTTP():
			v.unsure("Whether there is HSTS could not be seen.")
		case !h.HSTS.Present || h.HSTS.Invalid != "":
			v.fail("HSTS must be sent, with a max-age of %d seconds or more.", p.HSTSMinAge)
		case h.HSTS.MaxAge < p.HSTSMinAge:
			v.fail("HSTS must last %d seconds or more, not %d.", p.HSTSMinAge, h.HSTS.MaxAge)
		}
	}
	if p.Redirect && v.s.isWeb() {
		switch {
		case h == nil || h.PlainHTTP == Unknown || h.PlainHTTP == Unasked:
			v.unsure("Whether plain HTTP leads to HTTPS could not be seen.")
		case h.PlainHTTP == Yes && h.RedirectsToHTTPS == No:
			v.fail("Plain HTTP must lead to HTTPS.")
		case h.PlainHTTP == Yes && h.RedirectsToHTTPS != Yes:
			v.unsure("Whether plain HTTP leads to HTTPS could not be seen.")
		}
	}
	if p.OCSPStaple {
		if checkNoStaple(v.s) != nil || checkMustStaple(v.s) != nil {
			v.fail("An OCSP response must be sent in the handshake, as the certificate names a responder.")
		}
	}
}

// features checks single answers.
func (v *verdict) features() {
	f := &v.s.f.Features
	ask := func(wanted bool, is, right Answer, fail, unsure string) {
		switch {
		case !wanted || is == right:
		case is == Yes || is == No:
			v.fail("%s", fail)
		default:
			v.unsure("%s", unsure)
		}
	}
	old := v.s.speaksOld()
	ask(v.p.NoCompression && old, f.Compression, No, "TLS compression must be off.", "Whether TLS compression is off is not known.")
	ask(v.p.SecureRenegotiation && old, f.SecureRenegotiation, Yes, "Secure renegotiation (RFC 5746) must be supported.", "Whether secure renegotiation is supported is not known.")
	ask(v.p.ExtendedMasterSecret && old, f.ExtendedMasterSecret, Yes, "The extended master secret (RFC 7627) must be supported.", "Whether the extended master secret is supported is not known.")
	if v.p.NoEarlyData && (f.EarlyData == Yes || f.EarlyDataAccepted == Yes) {
		v.fail("Early data must be off.")
	}
	if !v.p.NoVulnerabilities {
		return
	}
	for i := range v.s.f.Vulnerabilities {
		x := &v.s.f.Vulnerabilities[i]
		switch {
		case x.Verdict == Vulnerable:
			v.fail("The server must not be vulnerable to %s.", x.Name)
		case x.Verdict == Inconclusive && mustBeKnown(x.ID):
			v.unsure("Whether the server is vulnerable to %s is not known.", x.Name)
		}
	}
	if len(v.s.f.Vulnerabilities) == 0 {
		v.unsure("No vulnerability was looked for.")
	}
}

// judgement checks the grade and the findings.
func (v *verdict) judgement(r *Result) {
	if v.p.MinGrade != "" && !r.Grade.AtLeast(v.p.MinGrade) {
		v.fail("The grade must be %s or better, not %s.", v.p.MinGrade, orElse(string(r.Grade), "none"))
	}
	for _, id := range v.p.ForbiddenRules {
		for i := range r.Findings {
			if r.Findings[i].Rule == id {
				v.fail("%s (%s).", r.Findings[i].Title, id)
			}
		}
	}
}
