package cert

import (
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The readers below take the value of an extension apart ([Extension.Value]), to be shown. An error is a [*ParseError]; what
// had been read by then comes with it.

// ReadBasicConstraints reads whether the subject is a CA, and how many CAs may follow it; -1: no limit is set
// (RFC 5280, Section 4.2.1.9).
func ReadBasicConstraints(value []byte) (isCA bool, pathLen int, err error) {
	in := cryptobyte.String(value)
	var s cryptobyte.String
	pathLen = -1
	if !in.ReadASN1(&s, cbasn1.SEQUENCE) || !in.Empty() {
		return false, -1, malformed("basicConstraints")
	}
	if s.PeekASN1Tag(cbasn1.BOOLEAN) {
		var b cryptobyte.String
		if !s.ReadASN1(&b, cbasn1.BOOLEAN) || len(b) != 1 {
			return false, -1, malformed("basicConstraints.cA")
		}
		isCA = b[0] != 0
	}
	if s.PeekASN1Tag(cbasn1.INTEGER) && !s.ReadASN1Integer(&pathLen) {
		return isCA, -1, malformed("basicConstraints.pathLenConstraint")
	}
	if !s.Empty() || pathLen < -1 {
		return isCA, pathLen, malformed("basicConstraints")
	}
	return isCA, pathLen, nil
}

// ReadIdentifiers reads a list of object identifiers, dotted: extended key usage (RFC 5280, Section 4.2.1.12).
func ReadIdentifiers(value []byte) ([]string, error) {
	in := cryptobyte.String(value)
	var s cryptobyte.String
	if !in.ReadASN1(&s, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, malformed("extension")
	}
	var ids []string
	for !s.Empty() {
		var oid cryptobyte.String
		if !s.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) {
			return ids, malformed("extension")
		}
		ids = append(ids, dotted(oid))
	}
	return ids, nil
}

// ReadOctets reads an OCTET STRING: the subject key identifier (RFC 5280, Section 4.2.1.2).
func ReadOctets(value []byte) ([]byte, error) {
	in := cryptobyte.String(value)
	var b cryptobyte.String
	if !in.ReadASN1(&b, cbasn1.OCTET_STRING) || !in.Empty() {
		return nil, malformed("extension")
	}
	return b, nil
}

// AuthorityKeyID says which key of the issuer signed.
type AuthorityKeyID struct {
	KeyID  []byte
	Issuer []GeneralName // with Serial, the issuer's certificate
	Serial []byte
}

// ReadAuthorityKeyID reads the authority key identifier (RFC 5280, Section 4.2.1.1).
func ReadAuthorityKeyID(value []byte) (AuthorityKeyID, error) {
	var a AuthorityKeyID
	in := cryptobyte.String(value)
	var s, id, issuer, serial cryptobyte.String
	var hasID, hasIssuer, hasSerial bool
	if !in.ReadASN1(&s, cbasn1.SEQUENCE) || !in.Empty() ||
		!s.ReadOptionalASN1(&id, &hasID, cbasn1.Tag(0).ContextSpecific()) ||
		!s.ReadOptionalASN1(&issuer, &hasIssuer, cbasn1.Tag(1).ContextSpecific().Constructed()) ||
		!s.ReadOptionalASN1(&serial, &hasSerial, cbasn1.Tag(2).ContextSpecific()) || !s.Empty() {
		return a, malformed("authorityKeyIdentifier")
	}
	a.KeyID, a.Serial = id, serial
	var ok bool
	if a.Issuer, ok = readGeneralNames(issuer); !ok {
		return a, malformed("authorityKeyIdentifier.authorityCertIssuer")
	}
	return a, nil
}

// ReadNames reads a list of names: subject and issuer alternative names (RFC 5280, Section 4.2.1.6).
func ReadNames(value []byte) ([]GeneralName, error) {
	in := cryptobyte.String(value)
	var s cryptobyte.String
	if !in.ReadASN1(&s, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, malformed("alternative names")
	}
	names, ok := readGeneralNames(s)
	if !ok {
		return names, malformed("alternative names")
	}
	return names, nil
}

// ReadNameConstraints reads the subtrees of names that a CA may certify, and those it may not
// (RFC 5280, Section 4.2.1.10).
func ReadNameConstraints(value []byte) (permitted, excluded []GeneralName, err error) {
	in := cryptobyte.String(value)
	var s, p, e cryptobyte.String
	var has bool
	if !in.ReadASN1(&s, cbasn1.SEQUENCE) || !in.Empty() ||
		!s.ReadOptionalASN1(&p, &has, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!s.ReadOptionalASN1(&e, &has, cbasn1.Tag(1).ContextSpecific().Constructed()) || !s.Empty() {
		return nil, nil, malformed("nameConstraints")
	}
	var ok bool
	if permitted, ok = readSubtrees(p); !ok {
		return permitted, nil, malformed("nameConstraints.permittedSubtrees")
	}
	if excluded, ok = readSubtrees(e); !ok {
		return permitted, excluded, malformed("nameConstraints.excludedSubtrees")
	}
	return permitted, excluded, nil
}

func readSubtrees(list cryptobyte.String) (names []GeneralName, ok bool) {
	for !list.Empty() {
		var s cryptobyte.String
		if !list.ReadASN1(&s, cbasn1.SEQUENCE) {
			return names, false
		}
		n, ok := readGeneralName(&s)
		if !ok {
			return names, false
		}
		names = append(names, n)
	}
	return names, true
}

// Policy is one certificate policy.
type Policy struct {
	ID      string   // dotted
	CPS     []string // addresses of certification practice statements
	Notices []string // texts for the reader
}

// ReadPolicies reads the certificate policies (RFC 5280, Section 4.2.1.4).
func ReadPolicies(value []byte) ([]Policy, error) {
	in := cryptobyte.String(value)
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, malformed("certificatePolicies")
	}
	var policies []Policy
	for !list.Empty() {
		var s, oid, qualifiers cryptobyte.String
		var has bool
		if !list.ReadASN1(&s, cbasn1.SEQUENCE) || !s.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) || !s.ReadOptionalASN1(&qualifiers, &has, cbasn1.SEQUENCE) {
			return policies, malformed("certificatePolicies")
		}
		p := Policy{ID: dotted(oid)}
		for !qualifiers.Empty() {
			if !p.readQualifier(&qualifiers) {
				return policies, malformed("certificatePolicies.policyQualifiers")
			}
		}
		policies = append(policies, p)
	}
	return policies, nil
}

func (p *Policy) readQualifier(s *cryptobyte.String) bool {
	var q, oid, v cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadASN1(&q, cbasn1.SEQUENCE) || !q.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) || !q.ReadAnyASN1(&v, &tag) {
		return false
	}
	switch dotted(oid) {
	case "1.3.6.1.5.5.7.2.1":
		p.CPS = append(p.CPS, string(v))
	case "1.3.6.1.5.5.7.2.2": // UserNotice: noticeRef, explicitText
		for !v.Empty() {
			var text cryptobyte.String
			if !v.ReadAnyASN1(&text, &tag) {
				return false
			}
			if tag != cbasn1.SEQUENCE {
				p.Notices = append(p.Notices, stringValue(tag, text))
			}
		}
	}
	return true
}

// ReadPolicyMappings reads pairs of policies, of the issuer and of the subject, dotted (RFC 5280, Section 4.2.1.5).
func ReadPolicyMappings(value []byte) ([][2]string, error) {
	in := cryptobyte.String(value)
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, malformed("policyMappings")
	}
	var pairs [][2]string
	for !list.Empty() {
		var s, from, to cryptobyte.String
		if !list.ReadASN1(&s, cbasn1.SEQUENCE) || !s.ReadASN1(&from, cbasn1.OBJECT_IDENTIFIER) || !s.ReadASN1(&to, cbasn1.OBJECT_IDENTIFIER) {
			return pairs, malformed("policyMappings")
		}
		pairs = append(pairs, [2]string{dotted(from), dotted(to)})
	}
	return pairs, nil
}

// ReadPolicyConstraints reads after how many certificates a policy must be explicit, and mapping ends; -1: not said
// (RFC 5280, Section 4.2.1.11).
func ReadPolicyConstraints(value []byte) (requireExplicit, inhibitMapping int, err error) {
	in := cryptobyte.String(value)
	var s cryptobyte.String
	if !in.ReadASN1(&s, cbasn1.SEQUENCE) || !in.Empty() {
		return -1, -1, malformed("policyConstraints")
	}
	numbers := [2]int{-1, -1}
	for i := range numbers {
		tag := cbasn1.Tag(i).ContextSpecific()
		var v int64
		if s.PeekASN1Tag(tag) {
			if !s.ReadASN1Int64WithTag(&v, tag) || v < 0 || v > 1<<20 {
				return numbers[0], numbers[1], malformed("policyConstraints")
			}
			numbers[i] = int(v)
		}
	}
	return numbers[0], numbers[1], nil
}

// ReadNumber reads an INTEGER in decimal: inhibitAnyPolicy (RFC 5280, Section 4.2.1.14).
func ReadNumber(value []byte) (string, error) {
	in := cryptobyte.String(value)
	n := new(big.Int)
	if !in.ReadASN1Integer(n) || !in.Empty() {
		return "", malformed("extension")
	}
	return n.String(), nil
}

// DistributionPoint is where a CRL may be had.
type DistributionPoint struct {
	Names    []GeneralName
	Relative []byte // nameRelativeToCRLIssuer, content octets; nil: absent
	Reasons  []byte // the ReasonFlags, content octets; nil: all reasons
	Issuer   []GeneralName
}

// ReadDistributionPoints reads CRL distribution points (RFC 5280, Section 4.2.1.13), also those of freshestCRL.
func ReadDistributionPoints(value []byte) ([]DistributionPoint, error) {
	in := cryptobyte.String(value)
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, malformed("cRLDistributionPoints")
	}
	var points []DistributionPoint
	for !list.Empty() {
		p, ok := readDistributionPoint(&list)
		if !ok {
			return points, malformed("cRLDistributionPoints")
		}
		points = append(points, p)
	}
	return points, nil
}

func readDistributionPoint(list *cryptobyte.String) (p DistributionPoint, ok bool) {
	tag := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }
	var s, name, full, relative, reasons, issuer cryptobyte.String
	var has, hasRelative, hasReasons bool
	if !list.ReadASN1(&s, cbasn1.SEQUENCE) || !s.ReadOptionalASN1(&name, &has, tag(0).Constructed()) ||
		!s.ReadOptionalASN1(&reasons, &hasReasons, tag(1)) || !s.ReadOptionalASN1(&issuer, &has, tag(2).Constructed()) || !s.Empty() ||
		!name.ReadOptionalASN1(&full, &has, tag(0).Constructed()) || !name.ReadOptionalASN1(&relative, &hasRelative, tag(1).Constructed()) || !name.Empty() {
		return p, false
	}
	if hasRelative {
		p.Relative = relative
	}
	if hasReasons {
		p.Reasons = reasons
	}
	if p.Names, ok = readGeneralNames(full); !ok {
		return p, false
	}
	p.Issuer, ok = readGeneralNames(issuer)
	return p, ok
}

// Access is one way to more information.
type Access struct {
	Method   string // dotted: id-ad-ocsp, id-ad-caIssuers …
	Location GeneralName
}

// ReadAccess reads authority and subject information access (RFC 5280, Section 4.2.2.1).
func ReadAccess(value []byte) ([]Access, error) {
	in := cryptobyte.String(value)
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, malformed("authorityInfoAccess")
	}
	var all []Access
	for !list.Empty() {
		var s, oid cryptobyte.String
		if !list.ReadASN1(&s, cbasn1.SEQUENCE) || !s.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) {
			return all, malformed("authorityInfoAccess")
		}
		location, ok := readGeneralName(&s)
		if !ok {
			return all, malformed("authorityInfoAccess.accessLocation")
		}
		all = append(all, Access{Method: dotted(oid), Location: location})
	}
	return all, nil
}

// ReadFeatures reads the numbers of the TLS features that a certificate demands (RFC 7633, Section 6).
func ReadFeatures(value []byte) ([]int, error) {
	in := cryptobyte.String(value)
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, malformed("tlsfeature")
	}
	var features []int
	for !list.Empty() {
		var n int
		if !list.ReadASN1Integer(&n) {
			return features, malformed("tlsfeature")
		}
		features = append(features, n)
	}
	return features, nil
}

// ReadText reads a value that is one string, of whatever kind: Netscape's extensions are such.
func ReadText(value []byte) (string, error) {
	in := cryptobyte.String(value)
	var v cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadAnyASN1(&v, &tag) || !in.Empty() {
		return "", malformed("extension")
	}
	text := stringValue(tag, v)
	if strings.HasPrefix(text, "#") && tag != cbasn1.UTF8String && tag != cbasn1.IA5String {
		return "", malformed("extension")
	}
	return text, nil
}

// ReadBits reads a BIT STRING and gives the numbers of the bits that are set: reasons, Netscape's certificate type.
func ReadBits(value []byte) ([]int, error) {
	in := cryptobyte.String(value)
	var bits asn1.BitString
	if !in.ReadASN1BitString(&bits) || !in.Empty() || bits.BitLength > 64 {
		return nil, malformed("extension " + hex.EncodeToString(value[:min(len(value), 8)]))
	}
	var set []int
	for i := range bits.BitLength {
		if bits.At(i) == 1 {
			set = append(set, i)
		}
	}
	return set, nil
}
