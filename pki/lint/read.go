package lint

import (
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Identifiers as content octets: id-ce is 2.5.29, id-pkix 1.3.6.1.5.5.7.
const (
	idSubjectKeyID      = "\x55\x1d\x0e"
	idKeyUsage          = "\x55\x1d\x0f"
	idSubjectAltName    = "\x55\x1d\x11"
	idBasicConstraints  = "\x55\x1d\x13"
	idNameConstraints   = "\x55\x1d\x1e"
	idCRLDistribution   = "\x55\x1d\x1f"
	idPolicies          = "\x55\x1d\x20"
	idPolicyMappings    = "\x55\x1d\x21"
	idAuthorityKeyID    = "\x55\x1d\x23"
	idPolicyConstraints = "\x55\x1d\x24"
	idExtKeyUsage       = "\x55\x1d\x25"
	idFreshestCRL       = "\x55\x1d\x2e"
	idInhibitAnyPolicy  = "\x55\x1d\x36"
	idNoRevAvail        = "\x55\x1d\x38"
	idPKIX              = "\x2b\x06\x01\x05\x05\x07"
	idAuthorityInfo     = idPKIX + "\x01\x01"
	idTLSFeature        = idPKIX + "\x01\x18"
	idOCSPNoCheck       = idPKIX + "\x30\x01\x05"
	idAccessOCSP        = idPKIX + "\x30\x01"
	idAccessIssuers     = idPKIX + "\x30\x02"
	idAnyPolicy         = "\x55\x1d\x20\x00"
	idCTPoison          = "\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x03"

	purposeAny    = "\x55\x1d\x25\x00"
	purposeServer = idPKIX + "\x03\x01"
	purposeClient = idPKIX + "\x03\x02"
	purposeCode   = idPKIX + "\x03\x03"
	purposeEmail  = idPKIX + "\x03\x04"
	purposeTime   = idPKIX + "\x03\x08"
	purposeOCSP   = idPKIX + "\x03\x09"
)

// dotted shows content octets as people write identifiers.
func dotted(id string) string {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(id)) })
	der, err := b.Bytes()
	in := cryptobyte.String(der)
	var oid asn1.ObjectIdentifier
	if err != nil || !in.ReadASN1ObjectIdentifier(&oid) {
		return fmt.Sprintf("%x", id)
	}
	return oid.String()
}

// sequence opens a value that is one SEQUENCE and nothing else.
func sequence(value []byte) (cryptobyte.String, bool) {
	in := cryptobyte.String(value)
	var s cryptobyte.String
	ok := in.ReadASN1(&s, cbasn1.SEQUENCE) && in.Empty()
	return s, ok
}

// basicConstraints is the extension of RFC 5280, Section 4.2.1.9.
type basicConstraints struct {
	present, critical, readable bool
	ca, explicitFalse           bool
	hasPathLen                  bool
	pathLen                     int64
}

// basicConstraints reads the extension once.
func (c *certificate) basicConstraints() (bc basicConstraints, present bool) {
	if !c.read.constraintsDone {
		c.read.constraintsDone = true
		c.read.constraints = c.readBasicConstraints()
	}
	return c.read.constraints, c.read.constraints.present
}

func (c *certificate) readBasicConstraints() (bc basicConstraints) {
	e, present := c.find(idBasicConstraints)
	if !present {
		return bc
	}
	bc.present, bc.critical = true, e.critical
	s, ok := sequence(e.value)
	if !ok {
		return bc
	}
	if s.PeekASN1Tag(cbasn1.BOOLEAN) {
		if !s.ReadASN1Boolean(&bc.ca) {
			return bc
		}
		bc.explicitFalse = !bc.ca
	}
	if !s.Empty() {
		bc.hasPathLen = true
		if !s.ReadASN1Integer(&bc.pathLen) || !s.Empty() {
			return bc
		}
	}
	bc.readable = true
	return bc
}

// keyUsage returns the bits of RFC 5280, Section 4.2.1.3, bit 0 as 1<<0.
func (c *certificate) keyUsage() (bits uint16, present, readable bool) {
	e, present := c.find(idKeyUsage)
	if !present {
		return 0, false, true
	}
	in := cryptobyte.String(e.value)
	var b asn1.BitString
	if !in.ReadASN1BitString(&b) || !in.Empty() || b.BitLength > 16 {
		return 0, true, false
	}
	for i := range b.BitLength {
		bits |= uint16(b.At(i)) << i
	}
	return bits, true, true
}

// The bits of key usage.
const (
	bitDigitalSignature = 1 << iota
	bitContentCommitment
	bitKeyEncipherment
	bitDataEncipherment
	bitKeyAgreement
	bitKeyCertSign
	bitCRLSign
	bitEncipherOnly
	bitDecipherOnly
)

// usageNames names the bits that are set.
func usageNames(bits uint16) []string {
	var names []string
	for i, name := range []string{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"} {
		if bits&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// purposes returns the extended key usages as content octets; those up to what
// cannot be read.
func (c *certificate) purposes() (list []string, present bool) {
	e, present := c.find(idExtKeyUsage)
	if !present || c.read.purposesDone {
		return c.read.purposes, present
	}
	defer func() { c.read.purposes, c.read.purposesDone = list, true }()
	s, ok := sequence(e.value)
	for ok && !s.Empty() && len(list) < maxNames {
		var id cryptobyte.String
		if ok = s.ReadASN1(&id, cbasn1.OBJECT_IDENTIFIER); ok {
			list = append(list, string(id))
		}
	}
	return list, true
}

// has reports whether the certificate names a purpose.
func (c *certificate) has(purpose string) bool {
	list, _ := c.purposes()
	for _, p := range list {
		if p == purpose {
			return true
		}
	}
	return false
}

// generalName is one GeneralName (RFC 5280, Section 4.2.1.6).
type generalName struct {
	kind  cbasn1.Tag
	value []byte
}

// The kinds of general names that are read.
const (
	nameOther = cbasn1.Tag(0 | 0x80 | 0x20)
	nameEmail = cbasn1.Tag(1 | 0x80)
	nameDNS   = cbasn1.Tag(2 | 0x80)
	nameURI   = cbasn1.Tag(6 | 0x80)
	nameIP    = cbasn1.Tag(7 | 0x80)
)

// altNames returns the subject alternative names, those up to what cannot be read.
func (c *certificate) altNames() ([]generalName, error) {
	if c.read.namesDone {
		return c.read.names, c.read.namesErr
	}
	c.read.namesDone = true
	if e, ok := c.find(idSubjectAltName); ok {
		c.read.names, c.read.namesErr = readGeneralNames(e.value)
	}
	return c.read.names, c.read.namesErr
}

func readGeneralNames(value []byte) (names []generalName, err error) {
	s, ok := sequence(value)
	if !ok {
		return nil, errors.New("not a list of names")
	}
	for !s.Empty() {
		var v cryptobyte.String
		var tag cbasn1.Tag
		if len(names) == maxNames {
			return names, fmt.Errorf("more than %d names", maxNames)
		}
		if !s.ReadAnyASN1(&v, &tag) {
			return names, fmt.Errorf("name %d cannot be read", len(names)+1)
		}
		names = append(names, generalName{tag, v})
	}
	return names, nil
}

// attribute is one part of a distinguished name.
type attribute struct {
	id    string // content octets of the type
	tag   cbasn1.Tag
	value []byte
}

// subjectAttributes returns the parts of the subject, those up to what cannot be
// read.
func (c *certificate) subjectAttributes() ([]attribute, error) {
	if !c.read.subjectDone {
		c.read.subjectDone = true
		c.read.subject, c.read.subjectErr = readName(c.subject)
	}
	return c.read.subject, c.read.subjectErr
}

func readName(der []byte) (list []attribute, err error) {
	s, ok := sequence(der)
	bad := errors.New("not a distinguished name")
	if !ok {
		return nil, bad
	}
	for !s.Empty() {
		var set cryptobyte.String
		if !s.ReadASN1(&set, cbasn1.SET) || set.Empty() {
			return list, bad
		}
		for !set.Empty() {
			var pair, id, value cryptobyte.String
			var tag cbasn1.Tag
			if len(list) == maxNames || !set.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1(&id, cbasn1.OBJECT_IDENTIFIER) || !pair.ReadAnyASN1(&value, &tag) || !pair.Empty() {
				return list, bad
			}
			list = append(list, attribute{string(id), tag, value})
		}
	}
	return list, nil
}
