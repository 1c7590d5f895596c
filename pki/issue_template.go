package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds on what a certificate lists.
const (
	maxSANs     = 1000
	maxURLs     = 16 // of each kind
	maxPolicies = 64
)

// maxSerialBits keeps a serial number within 20 octets with its sign (RFC 5280,
// Section 4.1.2.2).
const maxSerialBits = 159

// spec returns the profile of the request.
func (req *Request) spec() (*ProfileSpec, error) {
	if req.Spec != nil {
		return req.Spec, req.Spec.Validate()
	}
	s, err := BuiltinProfile(req.Profile)
	return &s, err
}

// Validate tells what of a profile cannot be sound, as a [*RefusedError].
func (s *ProfileSpec) Validate() error {
	name := Printable(string(s.Name))
	switch {
	case s.Lifetime < 0 || s.MaxLifetime < 0 || s.MaxLifetime > 0 && s.Lifetime > s.MaxLifetime:
		return refuse("keep the lifetime above zero and below its maximum", "profile %q: a lifetime of %v with a maximum of %v", name, s.Lifetime, s.MaxLifetime)
	case s.CA && s.PathLen < -1:
		return refuse("-1 means no limit", "profile %q: a path length of %d", name, s.PathLen)
	case s.CA && s.KeyUsage&x509.KeyUsageCertSign == 0:
		// RFC 5280, Section 4.2.1.9 binds the one to the other.
		return refuse("add cert-sign to its key usage", "profile %q: a CA that may not sign certificates", name)
	case !s.CA && s.KeyUsage&x509.KeyUsageCertSign != 0:
		return refuse("make it a CA, or take cert-sign from its key usage", "profile %q: signs certificates, but is not a CA", name)
	case !s.CA && s.NameConstraints != nil:
		return refuse("constrain the CA above it", "profile %q: name constraints, but not a CA", name)
	case s.CA && (s.ShortLived || s.OCSPNoCheck || s.MustStaple):
		return refuse("take them out", "profile %q: short-lived, must-staple and OCSP no-check are for leaves", name)
	case s.ShortLived && (s.MaxLifetime == 0 || s.MaxLifetime > MaxShortLifetime):
		return refuse(fmt.Sprintf("set its maximum to %d days or less", MaxShortLifetime/day), "profile %q: short-lived without a maximum of %d days", name, MaxShortLifetime/day)
	case s.ShortLived && (s.MustStaple || len(s.CRLDistributionPoints)+len(s.OCSPServers) > 0):
		// RFC 9608, Section 3: noRevAvail excludes them.
		return refuse("take out must-staple, CRL and OCSP", "profile %q: short-lived certificates have no CRL and no OCSP server", name)
	case s.OCSPNoCheck && !slices.Contains(s.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return refuse("add ocsp-signing to its purposes, or take it out", "profile %q: OCSP no-check is for those that sign OCSP answers", name)
	case slices.Contains(s.ExtKeyUsage, x509.ExtKeyUsageTimeStamping) && len(s.ExtKeyUsage)+len(s.OtherExtKeyUsage) > 1:
		// RFC 3161, Section 2.3: only one purpose.
		return refuse("make a profile of its own for time stamping", "profile %q: who stamps times must do nothing else", name)
	}
	return nil
}

// newTemplate turns a request into a certificate without issuer, and gives its key
// as a SubjectPublicKeyInfo.
func newTemplate(spec *ProfileSpec, req Request, now time.Time) (*x509.Certificate, []byte, error) {
	if now.IsZero() {
		return nil, nil, errors.New("issuing needs the present time")
	}
	if err := checkKey(req.Key); err != nil {
		return nil, nil, err
	}
	if err := checkSignatureAlgorithm(req.SignatureAlgorithm); err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{
		Subject:               req.Subject,
		PublicKey:             req.Key,
		KeyUsage:              usageOf(spec.KeyUsage, req.Key),
		ExtKeyUsage:           spec.ExtKeyUsage,
		BasicConstraintsValid: true,
		IsCA:                  spec.CA,
		MaxPathLen:            -1,
		SignatureAlgorithm:    req.SignatureAlgorithm,
	}
	if req.CommonName != "" {
		t.Subject.CommonName = req.CommonName
	}
	if spec.CA {
		t.MaxPathLen = spec.PathLen
		if req.PathLen != nil {
			t.MaxPathLen = *req.PathLen
		}
		if t.MaxPathLen < -1 {
			return nil, nil, refuse("-1 means no limit", "a path length of %d", t.MaxPathLen)
		}
		t.MaxPathLenZero = t.MaxPathLen == 0
	}
	if err := setNames(t, spec, req.SANs); err != nil {
		return nil, nil, err
	}
	if err := setValidity(t, spec, req, now); err != nil {
		return nil, nil, err
	}
	if err := setServices(t, spec, req); err != nil {
		return nil, nil, err
	}
	if err := setPurposes(t, spec, req); err != nil {
		return nil, nil, err
	}
	if err := setSerial(t, req.Serial); err != nil {
		return nil, nil, err
	}
	spki, err := encodeKey(req.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode public key: %w", err)
	}
	t.SubjectKeyId, err = keyIDOf(spki)
	return t, spki, err
}

// setNames fills the subject alternative names and checks the subject.
func setNames(t *x509.Certificate, spec *ProfileSpec, sans []string) error {
	if len(sans) > maxSANs {
		return refuse("spread them over several certificates", "%d subject alternative names, more than %d", len(sans), maxSANs)
	}
	for _, s := range sans {
		if err := addSAN(t, s); err != nil {
			return err
		}
	}
	if err := checkSubject(t.Subject); err != nil {
		return err
	}
	cn, kinds := t.Subject.CommonName, sanKinds(t)
	wildcard := slices.IndexFunc(t.DNSNames, func(name string) bool { return strings.HasPrefix(name, "*.") })
	switch {
	case spec.CA && Name(t.Subject) == "":
		// RFC 5280, Section 4.1.2.6: a CA MUST have a non-empty distinguished name.
		return refuse("give it a common name", "a CA certificate needs a name")
	case spec.NeedsSAN && kinds&spec.neededSANs() == 0:
		return refuseNameless(spec, cn)
	case !spec.CA && Name(t.Subject) == "" && len(sans) == 0:
		return refuse("give it a common name or a subject alternative name", "the certificate would name nobody")
	case kinds&^spec.sans() != 0:
		return refuse(fmt.Sprintf("this profile takes: %v", spec.sans()), "profile %q has no names of kind %v", Printable(string(spec.Name)), kinds&^spec.sans())
	case wildcard >= 0 && !spec.serves():
		return refuse("name it in full", "the wildcard %q: only servers are matched by one", Printable(t.DNSNames[wildcard]))
	}
	return nil
}

// refuseNameless explains that a name is missing where it is looked for.
func refuseNameless(spec *ProfileSpec, cn string) error {
	switch {
	case spec.serves() && cn != "":
		return refuse(fmt.Sprintf("add it with --san %s", Printable(cn)),
			"a server certificate with the common name %q and no subject alternative name: clients ignore the common name", Printable(cn))
	case spec.serves():
		return refuse("add the server's DNS names or addresses with --san", "a server certificate needs a subject alternative name")
	case spec.sans() == SANEmail:
		return refuse("add the address with --san", "an e-mail certificate needs an address as subject alternative name")
	}
	return refuse(fmt.Sprintf("add a name with --san, of kind %v", spec.sans()), "a certificate of profile %q needs a subject alternative name", Printable(string(spec.Name)))
}

// sanKinds tells which kinds of names the certificate has.
func sanKinds(t *x509.Certificate) (k SANKinds) {
	if len(t.DNSNames) > 0 {
		k |= SANDNS
	}
	if len(t.IPAddresses) > 0 {
		k |= SANIP
	}
	if len(t.URIs) > 0 {
		k |= SANURI
	}
	if len(t.EmailAddresses) > 0 {
		k |= SANEmail
	}
	return k
}

// maxCommonName is the upper bound of a common name in characters (RFC 5280, Appendix A.1).
const maxCommonName = 64

// checkSubject keeps the upper bounds of RFC 5280, Appendix A.1, in characters.
func checkSubject(n pkix.Name) error {
	if len([]rune(n.CommonName)) > maxCommonName {
		return refuse("put long names into the subject alternative names only", "the common name has more than 64 characters")
	}
	for _, a := range []struct {
		name   string
		values []string
		max    int
	}{
		{"organization", n.Organization, 64}, {"organizational unit", n.OrganizationalUnit, 64},
		{"locality", n.Locality, 128}, {"province", n.Province, 128}, {"street address", n.StreetAddress, 128},
		{"postal code", n.PostalCode, 40}, {"serial number", []string{n.SerialNumber}, 64},
	} {
		for _, v := range a.values {
			if len([]rune(v)) > a.max {
				return refuse("shorten it", "the %s of the subject has more than %d characters", a.name, a.max)
			}
		}
	}
	for _, c := range n.Country {
		// X.520: two letters of ISO 3166, a PrintableString.
		if len(c) != 2 || !isLetter(c[0]) || !isLetter(c[1]) {
			return refuse("write it as in DE or US", "the country %q is not a code of two letters", Printable(c))
		}
	}
	return nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func setValidity(t *x509.Certificate, spec *ProfileSpec, req Request, now time.Time) error {
	lifetime := req.Lifetime
	if lifetime == 0 {
		lifetime = spec.Lifetime
	}
	limit := spec.MaxLifetime
	switch {
	case lifetime < time.Second:
		return refuse("ask for a day or more", "a lifetime of %v is too short", lifetime)
	case spec.ShortLived && lifetime > limit:
		return refuse(fmt.Sprintf("ask for %v at most", limit), "a certificate that cannot be revoked for %v", lifetime)
	case limit > 0 && lifetime > limit && !req.AllowLong:
		if limit == MaxLeafLifetime {
			return refuse("ask for fewer days and renew it in time", "a leaf certificate for %d days: browsers and other clients refuse more than 398", lifetime/day)
		}
		return refuse("ask for fewer days and renew it in time", "a certificate for %s: profile %q allows at most %s",
			daysOf(lifetime), Printable(string(spec.Name)), daysOf(limit))
	}
	t.NotBefore = req.NotBefore
	if t.NotBefore.IsZero() {
		t.NotBefore = now.Add(-min(Backdate, lifetime/maxBackdated))
	}
	t.NotBefore = t.NotBefore.UTC().Truncate(time.Second)
	// Both ends belong to the period (RFC 5280, Section 4.1.2.5).
	t.NotAfter = t.NotBefore.Add(lifetime - time.Second).Truncate(time.Second)
	if t.NotAfter.Year() > 9999 || t.NotBefore.Year() < 1950 {
		return refuse("keep it between the years 1950 and 9999", "the validity cannot be written down")
	}
	return nil
}

// daysOf says a duration in days, or exactly where it is not a number of them.
func daysOf(d time.Duration) string {
	if d%day == 0 {
		return strconv.Itoa(int(d/day)) + " days"
	}
	return d.String()
}

// setServices fills the URLs of the issuer's services.
func setServices(t *x509.Certificate, spec *ProfileSpec, req Request) error {
	pick := func(own, profile []string) []string {
		if len(own) > 0 {
			return own
		}
		return profile
	}
	t.CRLDistributionPoints = pick(req.CRLDistributionPoints, spec.CRLDistributionPoints)
	t.OCSPServer = pick(req.OCSPServers, spec.OCSPServers)
	t.IssuingCertificateURL = pick(req.IssuingCertificateURLs, spec.IssuingCertificateURLs)
	for _, list := range []struct {
		what    string
		urls    []string
		schemes []string
	}{
		{"CRL", t.CRLDistributionPoints, []string{"http", "https", "ldap", "ldaps"}},
		{"OCSP server", t.OCSPServer, []string{"http", "https"}},
		{"issuer certificate", t.IssuingCertificateURL, []string{"http", "https", "ldap", "ldaps"}},
	} {
		if len(list.urls) > maxURLs {
			return refuse("one or two are enough", "%d URLs of the %s, more than %d", len(list.urls), list.what, maxURLs)
		}
		for _, s := range list.urls {
			u, err := url.Parse(s)
			if err != nil || !isASCII(s) || u.Host == "" && !strings.HasPrefix(u.Scheme, "ldap") || !slices.Contains(list.schemes, u.Scheme) {
				return refuse("write it as http://host/path", "%q is not a URL at which clients find the %s", Printable(s), list.what)
			}
		}
	}
	if spec.ShortLived && (req.MustStaple || len(t.CRLDistributionPoints)+len(t.OCSPServer) > 0) {
		// RFC 9608, Section 3.
		return refuse("take another profile", "a short-lived certificate has no CRL and no OCSP server to ask")
	}
	return nil
}

// setPurposes fills policies, unusual purposes and the markers among the
// extensions.
func setPurposes(t *x509.Certificate, spec *ProfileSpec, req Request) error {
	t.Policies = slices.Concat(spec.Policies, req.Policies)
	if len(t.Policies) > maxPolicies {
		return refuse("name those that matter", "%d policies, more than %d", len(t.Policies), maxPolicies)
	}
	for i, p := range t.Policies {
		// RFC 5280, Section 4.2.1.4: a policy MUST NOT appear more than once.
		if slices.ContainsFunc(t.Policies[:i], p.Equal) {
			return refuse("name it once", "policy %v is listed twice", p)
		}
	}
	for _, id := range spec.OtherExtKeyUsage {
		oid, ok := smallOID(id)
		if !ok {
			return refuse("take an identifier whose parts fit in 31 bits", "the purpose %v has a number that is too large", id)
		}
		t.UnknownExtKeyUsage = append(t.UnknownExtKeyUsage, oid)
	}
	staple := spec.MustStaple || req.MustStaple
	if staple && !spec.serves() {
		return refuse("ask for it in certificates of servers", "must-staple: only a server can staple an OCSP answer")
	}
	t.ExtraExtensions = markers(spec, staple)
	if err := errors.Join(addTransparency(t, req), addDelegation(t, req)); err != nil {
		return err
	}
	constraints := spec.NameConstraints
	if req.NameConstraints != nil {
		constraints = req.NameConstraints
	}
	if constraints == nil {
		return nil
	}
	if !spec.CA {
		return refuse("constrain the CA above it", "name constraints are for CAs: a leaf has nothing below it")
	}
	value, err := constraints.Marshal()
	if err != nil {
		return refuse("name what is permitted or excluded below the CA", "%v", err)
	}
	// RFC 5280, Section 4.2.1.10: conforming CAs MUST mark this extension as critical.
	t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 30}, Critical: true, Value: value})
	return nil
}

// addTransparency adds what belongs to Certificate Transparency. Both extensions stand
// in the same place: but for them precertificate and certificate are the same bytes.
func addTransparency(t *x509.Certificate, req Request) error {
	if !req.Precertificate && req.Timestamps == nil {
		return nil
	}
	if t.IsCA || req.Precertificate && req.Timestamps != nil {
		return refuse("ask for one of the two, in a leaf", "precertificates and timestamps of logs are for leaves, and not both in one")
	}
	e := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: req.Timestamps}
	if req.Precertificate {
		e = pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 3}, Critical: true, Value: []byte{5, 0}}
	}
	t.ExtraExtensions = append(t.ExtraExtensions, e)
	return nil
}

// smallOID converts an identifier to the type of encoding/asn1, where it fits.
func smallOID(id x509.OID) (asn1.ObjectIdentifier, bool) {
	var oid asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(id.String(), ".") {
		n, err := strconv.ParseInt(arc, 10, 32)
		if err != nil {
			return nil, false
		}
		oid = append(oid, int(n))
	}
	return oid, len(oid) >= 2
}

func setSerial(t *x509.Certificate, serial *big.Int) (err error) {
	if serial == nil {
		t.SerialNumber, err = NewSerial()
		return err
	}
	if serial.Sign() <= 0 || serial.BitLen() > maxSerialBits {
		return refuse("take 128 random bits", "the serial number must be positive and at most 20 octets long")
	}
	t.SerialNumber = new(big.Int).Set(serial)
	return nil
}

// checkSignatureAlgorithm refuses the broken hashes. Zero is the default.
func checkSignatureAlgorithm(a x509.SignatureAlgorithm) error {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.DSAWithSHA256:
		return refuse("use SHA-256 or larger", "a signature with %v can be forged or is refused everywhere", a)
	}
	return nil
}

// NewSerial draws 128 random bits, not all zero. RFC 5280, Section 4.1.2.2 asks
// for a positive number of at most 20 octets; being random it also tells nothing
// about how many were issued and makes collision attacks on the hash hopeless.
func NewSerial() (*big.Int, error) {
	var b [16]byte
	for {
		if _, err := rand.Read(b[:]); err != nil {
			return nil, fmt.Errorf("draw serial number: %w", err)
		}
		if n := new(big.Int).SetBytes(b[:]); n.Sign() > 0 {
			return n, nil
		}
	}
}

// KeyID is a key identifier of 20 bytes by method 1 of RFC 7093, Section 2: the
// leftmost 160 bits of the SHA-256 of the key's bits.
func KeyID(pub crypto.PublicKey) ([]byte, error) {
	spki, err := encodeKey(pub)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	return keyIDOf(spki)
}

func keyIDOf(spki []byte) ([]byte, error) {
	in := cryptobyte.String(spki)
	var info, alg cryptobyte.String
	var bits asn1.BitString
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1(&alg, cbasn1.SEQUENCE) || !info.ReadASN1BitString(&bits) {
		return nil, errors.New("encode public key: malformed")
	}
	sum := sha256.Sum256(bits.Bytes)
	return sum[:20], nil
}
