package ocsp

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // RFC 5019, Section 2.1.1: clients name certificates with SHA-1
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki/cert"
)

// CertID names a certificate.
//
//	CertID ::= SEQUENCE {
//	    hashAlgorithm           AlgorithmIdentifier,
//	    issuerNameHash          OCTET STRING, -- hash of the issuer's DN
//	    issuerKeyHash           OCTET STRING, -- hash of the issuer's public key
//	    serialNumber            CertificateSerialNumber }
//
// RFC 6960, Section 4.1.1.
type CertID struct {
	Hash           crypto.Hash // 0: one that is not known, so nothing can match
	IssuerNameHash []byte
	IssuerKeyHash  []byte
	Serial         []byte // big endian, unsigned, without zeros in front
	// Raw is the whole CertID where it was parsed: a response repeats it to the letter. Nil: it is made of the other fields.
	Raw []byte
}

// hashAlgorithm is a hash that names certificates, with its AlgorithmIdentifier, DER: the form with NULL as parameters, which
// everybody writes, and the one without.
type hashAlgorithm struct {
	hash           crypto.Hash
	withNull, bare string
}

var hashAlgorithms = [...]hashAlgorithm{
	{crypto.SHA1, "\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00", "\x30\x07\x06\x05\x2b\x0e\x03\x02\x1a"},
	{crypto.SHA256, "\x30\x0d" + shaTwo + "\x01\x05\x00", "\x30\x0b" + shaTwo + "\x01"},
	{crypto.SHA384, "\x30\x0d" + shaTwo + "\x02\x05\x00", "\x30\x0b" + shaTwo + "\x02"},
	{crypto.SHA512, "\x30\x0d" + shaTwo + "\x03\x05\x00", "\x30\x0b" + shaTwo + "\x03"},
}

// shaTwo is the beginning of the identifiers of the SHA-2 family.
const shaTwo = "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02"

func hashOf(identifier []byte) crypto.Hash {
	for i := range hashAlgorithms {
		a := &hashAlgorithms[i]
		if string(identifier) == a.withNull || string(identifier) == a.bare {
			return a.hash
		}
	}
	return 0
}

// Issuer knows how an issuer is named by every hash. It is made once and then names and recognises certificates without
// hashing; it may be used by several goroutines at once.
type Issuer struct {
	names, keys [len(hashAlgorithms)][]byte
}

// NewIssuer takes name and key from a CA certificate. The error says that its key cannot be read.
func NewIssuer(c *x509.Certificate) (*Issuer, error) {
	key, ok := publicKeyBits(c.RawSubjectPublicKeyInfo)
	if !ok {
		return nil, fmt.Errorf("the issuer's public key cannot be read")
	}
	i := new(Issuer)
	for n := range hashAlgorithms {
		i.names[n] = sum(hashAlgorithms[n].hash, c.RawSubject)
		i.keys[n] = sum(hashAlgorithms[n].hash, key)
	}
	return i, nil
}

// ID names the certificate with a serial number (big endian, unsigned). The hash is one of SHA-1, which everybody
// understands, SHA-256, SHA-384 and SHA-512; for others the CertID matches nothing.
func (i *Issuer) ID(serial []byte, h crypto.Hash) CertID {
	id := CertID{Serial: bytes.TrimLeft(serial, "\x00")}
	for n := range hashAlgorithms {
		if hashAlgorithms[n].hash == h {
			id.Hash, id.IssuerNameHash, id.IssuerKeyHash = h, i.names[n], i.keys[n]
		}
	}
	return id
}

// Issued reports whether a CertID names a certificate of this issuer; which one is its serial number's business.
func (i *Issuer) Issued(id *CertID) bool {
	for n := range hashAlgorithms {
		if hashAlgorithms[n].hash == id.Hash {
			return bytes.Equal(id.IssuerNameHash, i.names[n]) && bytes.Equal(id.IssuerKeyHash, i.keys[n])
		}
	}
	return false
}

// NewCertID names one certificate: its serial number (big endian, unsigned) and its issuer. See [Issuer.ID] for the hash.
func NewCertID(serial []byte, issuer *x509.Certificate, h crypto.Hash) (CertID, error) {
	i, err := NewIssuer(issuer)
	if err != nil {
		return CertID{}, err
	}
	id := i.ID(serial, h)
	if id.Hash == 0 {
		return CertID{}, fmt.Errorf("no certificate is named with hash %v", h)
	}
	return id, nil
}

// Match reports whether a CertID names this certificate of this issuer.
func (id *CertID) Match(c, issuer *x509.Certificate) bool {
	if c.SerialNumber.Sign() < 0 || !bytes.Equal(id.Serial, c.SerialNumber.Bytes()) {
		return false
	}
	i, err := NewIssuer(issuer)
	return err == nil && i.Issued(id)
}

// Equal reports whether two CertIDs name the same certificate in the same way.
func (id *CertID) Equal(o *CertID) bool {
	return id.Hash != 0 && id.Hash == o.Hash && bytes.Equal(id.IssuerNameHash, o.IssuerNameHash) && bytes.Equal(id.IssuerKeyHash, o.IssuerKeyHash) && bytes.Equal(id.Serial, o.Serial)
}

// readCertID reads a CertID. Serial numbers are positive: a request for another cannot be about a certificate that we know.
func readCertID(s *cryptobyte.String) (id CertID, ok bool) {
	var whole, in, algorithm, name, key, serial cryptobyte.String
	if !s.ReadASN1Element(&whole, cbasn1.SEQUENCE) {
		return id, false
	}
	id.Raw = whole
	if !whole.ReadASN1(&in, cbasn1.SEQUENCE) || !in.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) || !in.ReadASN1(&name, cbasn1.OCTET_STRING) ||
		!in.ReadASN1(&key, cbasn1.OCTET_STRING) || !in.ReadASN1(&serial, cbasn1.INTEGER) || !in.Empty() || !shortest(serial) {
		return id, false
	}
	id.Hash, id.IssuerNameHash, id.IssuerKeyHash = hashOf(algorithm), name, key
	if serial[0] >= 0x80 {
		id.Hash = 0 // negative: matches nothing
	}
	id.Serial = bytes.TrimLeft(serial, "\x00")
	return id, true
}

// shortest reports whether the content of an INTEGER is in its shortest form.
func shortest(b []byte) bool {
	return len(b) == 1 || len(b) > 1 && !(b[0] == 0 && b[1] < 0x80) && !(b[0] == 0xff && b[1] >= 0x80)
}

// appendCertID writes a CertID.
func appendCertID(dst []byte, id *CertID) ([]byte, error) {
	if id.Raw != nil {
		return append(dst, id.Raw...), nil
	}
	for n := range hashAlgorithms {
		a := &hashAlgorithms[n]
		if a.hash != id.Hash {
			continue
		}
		start := len(dst)
		dst = append(dst, a.withNull...)
		dst = appendElement(dst, tagOctetString, id.IssuerNameHash)
		dst = appendElement(dst, tagOctetString, id.IssuerKeyHash)
		dst = appendElement(dst, tagInteger, integer(id.Serial))
		return wrap(dst, start, tagSequence), nil
	}
	return nil, fmt.Errorf("no certificate is named with hash %d", id.Hash)
}

func sum(h crypto.Hash, b []byte) []byte {
	s := h.New()
	s.Write(b)
	return s.Sum(nil)
}

// publicKeyBits is what issuerKeyHash is about: the value of the BIT STRING subjectPublicKey, without tag, length and number
// of unused bits.
func publicKeyBits(spki []byte) ([]byte, bool) {
	in := cryptobyte.String(spki)
	var s cryptobyte.String
	var key []byte
	ok := in.ReadASN1(&s, cbasn1.SEQUENCE) && s.SkipASN1(cbasn1.SEQUENCE) && s.ReadASN1BitStringAsBytes(&key)
	return key, ok
}

// sameName compares two Names.
func sameName(a, b []byte) bool { return cert.SameName(a, b) }
