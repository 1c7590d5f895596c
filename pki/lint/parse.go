package lint

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds on what is examined.
const (
	maxSize       = 256 << 10 // bytes of one certificate
	maxExtensions = 256
	maxNames      = 20_000
)

// certificate is what the lints look at. Its slices borrow from the input.
type certificate struct {
	kind   Kind
	issuer *x509.Certificate // nil: not known

	version        int64 // as written: 2 is version 3
	serial         []byte
	innerAlgorithm []byte // AlgorithmIdentifier with its header
	outerAlgorithm []byte
	issuerName     []byte // Name with its header
	subject        []byte
	notBefore      moment
	notAfter       moment
	spki           []byte
	uniqueIDs      bool
	hasExtensions  bool // the field is there, be it empty
	extensions     []extension

	read cache
}

// cache holds what several lints need, read once.
type cache struct {
	names     []generalName
	namesDone bool
	namesErr  error

	subject     []attribute
	subjectDone bool
	subjectErr  error

	purposes     []string
	purposesDone bool

	constraints     basicConstraints
	constraintsDone bool

	key *keyInfo
}

// moment is one end of the validity as it is written.
type moment struct {
	tag   cbasn1.Tag
	text  string
	value time.Time // zero: unreadable
}

// extension is one extension as it is written.
type extension struct {
	id       string // content octets
	critical bool
	explicit bool // critical is written out although it is FALSE
	value    []byte
}

// parse reads the outer structure strictly as DER. What is inside extensions,
// names and key is left to the lints.
func parse(der []byte) (*certificate, error) {
	if len(der) > maxSize {
		return nil, fmt.Errorf("%d bytes, more than are examined (%d)", len(der), maxSize)
	}
	in := cryptobyte.String(der)
	var outer, tbs, signature cryptobyte.String
	c := new(certificate)
	switch {
	case !in.ReadASN1(&outer, cbasn1.SEQUENCE):
		return nil, errors.New("not a certificate in DER form")
	case !in.Empty():
		return nil, fmt.Errorf("%d bytes follow the certificate", len(in))
	case !outer.ReadASN1(&tbs, cbasn1.SEQUENCE):
		return nil, errors.New("the part that is signed (TBSCertificate) cannot be read")
	case !readElement(&outer, &c.outerAlgorithm, cbasn1.SEQUENCE):
		return nil, errors.New("the signature algorithm cannot be read")
	case !outer.ReadASN1(&signature, cbasn1.BIT_STRING) || len(signature) == 0 || signature[0] > 7 || !outer.Empty():
		return nil, errors.New("the signature cannot be read")
	}
	return c, c.parseTBS(tbs)
}

func (c *certificate) parseTBS(tbs cryptobyte.String) error {
	var version cryptobyte.String
	var explicit bool
	var serial, validity cryptobyte.String
	fail := func(field string) error { return fmt.Errorf("the field %s cannot be read", field) }
	if !tbs.ReadOptionalASN1(&version, &explicit, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		explicit && (!version.ReadASN1Integer(&c.version) || !version.Empty()) {
		return fail("version")
	}
	if !tbs.ReadASN1(&serial, cbasn1.INTEGER) || serial.Empty() {
		return fail("serialNumber")
	}
	c.serial = serial
	switch {
	case !readElement(&tbs, &c.innerAlgorithm, cbasn1.SEQUENCE):
		return fail("signature")
	case !readElement(&tbs, &c.issuerName, cbasn1.SEQUENCE):
		return fail("issuer")
	case !tbs.ReadASN1(&validity, cbasn1.SEQUENCE) || !readMoment(&validity, &c.notBefore) || !readMoment(&validity, &c.notAfter) || !validity.Empty():
		return fail("validity")
	case !readElement(&tbs, &c.subject, cbasn1.SEQUENCE):
		return fail("subject")
	case !readElement(&tbs, &c.spki, cbasn1.SEQUENCE):
		return fail("subjectPublicKeyInfo")
	}
	for _, n := range []uint8{1, 2} {
		var id cryptobyte.String
		var present bool
		if !tbs.ReadOptionalASN1(&id, &present, cbasn1.Tag(n).ContextSpecific()) {
			return fail("uniqueID")
		}
		c.uniqueIDs = c.uniqueIDs || present
	}
	var extensions, list cryptobyte.String
	if !tbs.ReadOptionalASN1(&extensions, &c.hasExtensions, cbasn1.Tag(3).ContextSpecific().Constructed()) || !tbs.Empty() {
		return fail("extensions")
	}
	if c.hasExtensions && (!extensions.ReadASN1(&list, cbasn1.SEQUENCE) || !extensions.Empty()) {
		return fail("extensions")
	}
	for !list.Empty() {
		if len(c.extensions) == maxExtensions {
			return fmt.Errorf("more than %d extensions", maxExtensions)
		}
		e, ok := readExtension(&list)
		if !ok {
			return fmt.Errorf("extension %d cannot be read", len(c.extensions)+1)
		}
		c.extensions = append(c.extensions, e)
	}
	return nil
}

// readElement reads an element with its header.
func readElement(s *cryptobyte.String, out *[]byte, tag cbasn1.Tag) bool {
	var element cryptobyte.String
	if !s.ReadASN1Element(&element, tag) {
		return false
	}
	*out = element
	return true
}

// readMoment reads a time of either form. Whether the form is right is for a lint
// to say.
func readMoment(s *cryptobyte.String, m *moment) bool {
	var text cryptobyte.String
	if !s.ReadAnyASN1(&text, &m.tag) {
		return false
	}
	m.text = string(text)
	layouts := []string{"20060102150405Z", "200601021504Z", "20060102150405-0700", "20060102150405.999999999Z"}
	switch m.tag {
	case cbasn1.UTCTime:
		layouts = []string{"060102150405Z", "0601021504Z", "060102150405-0700", "0601021504-0700"}
	case cbasn1.GeneralizedTime:
	default:
		return false
	}
	for _, layout := range layouts {
		t, err := time.Parse(layout, m.text)
		if err != nil {
			continue
		}
		// RFC 5280, Section 4.1.2.5.1: years from 50 on belong to the last century. Package
		// time draws the line at 69.
		if m.tag == cbasn1.UTCTime && t.Year() >= 2050 {
			t = t.AddDate(-100, 0, 0)
		}
		m.value = t.UTC()
		return true
	}
	return true
}

func readExtension(list *cryptobyte.String) (e extension, ok bool) {
	var s, id, value cryptobyte.String
	if !list.ReadASN1(&s, cbasn1.SEQUENCE) || !s.ReadASN1(&id, cbasn1.OBJECT_IDENTIFIER) || id.Empty() {
		return e, false
	}
	if s.PeekASN1Tag(cbasn1.BOOLEAN) {
		if !s.ReadASN1Boolean(&e.critical) {
			return e, false
		}
		e.explicit = !e.critical
	}
	if !s.ReadASN1(&value, cbasn1.OCTET_STRING) || !s.Empty() {
		return e, false
	}
	e.id, e.value = string(id), value
	return e, true
}

// find returns the first extension with these content octets as identifier.
func (c *certificate) find(id string) (*extension, bool) {
	for i := range c.extensions {
		if c.extensions[i].id == id {
			return &c.extensions[i], true
		}
	}
	return nil, false
}

// selfIssued reports whether issuer and subject are the same name.
func (c *certificate) selfIssued() bool { return string(c.issuerName) == string(c.subject) }
