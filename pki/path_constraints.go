package pki

import (
	"crypto/x509"
	"slices"
)

// The identifiers of the extensions that matter to a path (RFC 5280, Section 4.2).
const (
	oidKeyUsage        = "2.5.29.15"
	oidAlternatives    = "2.5.29.17"
	oidBasic           = "2.5.29.19"
	oidNameConstraints = "2.5.29.30"
	oidPolicies        = "2.5.29.32"
	oidExtKeyUsage     = "2.5.29.37"
)

// processed tells which critical extensions are acted upon. A critical subject
// alternative name is one of them if it has a name of a kind that is understood.
func (v *verification) processed(e string, c *x509.Certificate) bool {
	switch e {
	case oidKeyUsage, oidBasic, oidNameConstraints, oidPolicies, "2.5.29.31", "2.5.29.33", "2.5.29.36", oidExtKeyUsage, "2.5.29.54":
		return true
	case oidAlternatives:
		names, err := v.namesOf(c)
		return err == nil && len(names.dns)+len(names.email)+len(names.uri)+len(names.ip)+len(names.dir) > 0
	}
	return false
}

// readNames are the names of a certificate, or why they cannot be read.
type readNames struct {
	names subjectNames
	err   error
}

// namesOf reads the names of a certificate once, however many paths it is on.
func (v *verification) namesOf(c *x509.Certificate) (subjectNames, error) {
	r, ok := v.names[c]
	if !ok {
		r.names, r.err = namesOf(c)
		v.names[c] = r
	}
	return r.names, r.err
}

// extensionOf returns the value of an extension; nil: it is not there.
func extensionOf(c *x509.Certificate, id string) (value []byte, critical, ok bool) {
	for _, e := range c.Extensions {
		if e.Id.String() == id {
			return e.Value, e.Critical, true
		}
	}
	return nil, false, false
}

// judgeConstraints is the part of RFC 5280, Sections 6.1.3 to 6.1.5 on what CAs may
// do: all of them are looked at, also after one has failed.
func (j *judgement) judgeConstraints() {
	for depth, c := range j.path {
		section := "RFC 5280, Section 6.1.4"
		if depth == 0 {
			section = "RFC 5280, Section 6.1.5"
		}
		for _, e := range c.Extensions {
			if e.Critical && !j.v.processed(e.Id.String(), c) {
				j.fail(CheckConstraints, depth, section, ReasonConstraint, "", "carries the critical extension %v, which is not understood", e.Id)
			}
		}
		if depth > 0 {
			j.judgeCA(depth)
		}
	}
	if _, _, ok := extensionOf(j.path[0], oidNameConstraints); ok && !j.path[0].IsCA {
		// RFC 5280, Section 4.2.1.10: the extension MUST be used only in a CA certificate.
		j.fail(CheckConstraints, 0, "RFC 5280, Section 4.2.1.10", ReasonConstraint, "", "constrains names, although it is not a CA certificate")
	}
	j.judgeNameConstraints()
}

// judgeCA asks whether a certificate may have signed the one below it.
func (j *judgement) judgeCA(depth int) {
	c := j.path[depth]
	anchor := j.rooted && depth == len(j.path)-1
	if subject, err := parseDistinguishedName(c.RawSubject); err != nil || len(subject) == 0 {
		j.fail(CheckConstraints, depth, "RFC 5280, Section 4.1.2.6", ReasonConstraint, "", "has no subject, although it is a CA")
	}
	switch {
	case c.Version < 3 && anchor:
		return // RFC 5280, Section 6.1: a trust anchor may be given as a certificate of any version
	case !c.BasicConstraintsValid || !c.IsCA:
		j.fail(CheckConstraints, depth, "RFC 5280, Section 6.1.4", ReasonConstraint, "", "is not a CA certificate, so what it signed counts for nothing")
		return
	}
	if _, _, ok := extensionOf(c, oidKeyUsage); ok && c.KeyUsage&x509.KeyUsageCertSign == 0 {
		j.fail(CheckConstraints, depth, "RFC 5280, Section 6.1.4", ReasonConstraint, "", "signed another one, but may not sign certificates")
	}
	below := 0
	for _, other := range j.path[1:depth] {
		if !selfIssued(other) {
			below++
		}
	}
	if c.MaxPathLen >= 0 && below > c.MaxPathLen {
		j.fail(CheckConstraints, depth, "RFC 5280, Section 6.1.4", ReasonConstraint, "", "allows at most %d CAs below it, and the chain has %d", c.MaxPathLen, below)
	}
}

// judgeNameConstraints holds every certificate against the constraints of all CAs
// above it. RFC 5280, Section 6.1.3: self-issued certificates are exempt, unless
// they are the last of the path.
func (j *judgement) judgeNameConstraints() {
	for depth := len(j.path) - 1; depth >= 0; depth-- {
		ext, critical, ok := extensionOf(j.path[depth], oidNameConstraints)
		if !ok {
			continue
		}
		constraints, err := ParseNameConstraints(ext)
		if err != nil {
			j.fail(CheckConstraints, depth, "RFC 5280, Section 4.2.1.10", ReasonConstraint, "", "is refused: %s", err)
			continue
		}
		j.constrained = true
		if critical && len(constraints.PermittedOther)+len(constraints.ExcludedOther) > 0 {
			j.fail(CheckConstraints, depth, "RFC 5280, Section 4.2.1.10", ReasonConstraint, "", "has critical name constraints of a kind that is not understood")
		}
		for i := depth - 1; i >= 0; i-- {
			if i > 0 && selfIssued(j.path[i]) {
				continue
			}
			names, err := j.v.namesOf(j.path[i])
			if err == nil {
				err = constraints.check(names, &j.v.comparisons)
			}
			if err == errComparisons {
				j.fail(CheckConstraints, i, "RFC 5280, Section 6.1.3", ReasonLimit, "", "has too many names to hold against the name constraints above it")
				return
			}
			if err != nil {
				j.fail(CheckConstraints, i, "RFC 5280, Section 6.1.3", ReasonConstraint, "have it issued by a CA that may certify the name",
					"carries a name that a CA above it (\"%s\") may not certify: %s", describe(j.path[depth]), err)
			}
		}
	}
}

// judgeUsage asks whether every certificate may be used for the purpose. CAs that
// list extended key usages pass them on: what is not in the list, nobody below has
// (not in RFC 5280, but what every implementation does).
func (j *judgement) judgeUsage() {
	if j.v.options.AnyUsage {
		return
	}
	u := j.v.options.Usage
	for depth, c := range j.path {
		listed := len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0
		if listed && !slices.Contains(c.ExtKeyUsage, u.extended()) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) {
			j.fail(CheckUsage, depth, "RFC 5280, Section 4.2.1.12", ReasonUsage, u.profileHint(),
				"may be used for %s only, not %s (%v)", usageNames(c), u.purpose(), u)
		}
	}
	c := j.path[0]
	if _, critical, ok := extensionOf(c, oidExtKeyUsage); u == UsageTime && (!ok || !critical || len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) != 1) {
		j.fail(CheckUsage, 0, "RFC 3161, Section 2.3", ReasonUsage, u.profileHint()+" alone, and critical", "may stamp no times: its extended key usage must be timeStamping alone, and critical")
	}
	if c.PublicKeyAlgorithm == x509.DSA && (u == UsageServer || u == UsageClient) {
		j.fail(CheckUsage, 0, "RFC 8446, Section 4.2.3", ReasonUsage, "issue one with a key p256, ed25519 or rsa2048", "has a DSA key, and TLS has no signatures of that kind")
	}
	if _, _, ok := extensionOf(c, oidKeyUsage); ok && c.KeyUsage&u.keyUsages() == 0 {
		// RFC 5280, Section 4.2.1.12: a certificate MUST only be used for a purpose
		// consistent with both extensions.
		j.fail(CheckUsage, 0, "RFC 5280, Section 4.2.1.3", ReasonUsage, u.profileHint(),
			"has a key for %s only, which is no use %s (%v)", keyUsageNames(c.KeyUsage), u.purpose(), u)
	}
}

// keyUsages are the bits of which a leaf of this usage needs one, if it lists any
// (RFC 5280, Section 4.2.1.12).
func (u Usage) keyUsages() x509.KeyUsage {
	const signs = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	switch u {
	case UsageServer:
		return x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement
	case UsageClient:
		return x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement
	case UsageEmail:
		return signs | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement
	}
	return signs
}

// keyUsageNames gives the names of RFC 5280, Section 4.2.1.3.
func keyUsageNames(k x509.KeyUsage) string {
	all := [...]string{"digitalSignature", "contentCommitment", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"}
	text := ""
	for i, name := range all {
		if k&(1<<i) == 0 {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += name
	}
	if text == "" {
		return "nothing"
	}
	return text
}
