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
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Request says what a certificate shall contain.
type Request struct {
	Profile Profile
	Subject pkix.Name
	// CommonName replaces Subject.CommonName where it is not "".
	CommonName string
	// SANs are the subject alternative names: IP addresses, URIs, e-mail addresses
	// and DNS names, told apart by their form, or by a prefix ip:, uri:, email:, dns:.
	SANs []string
	// Key is the subject's public key. SelfSign takes it from its signer if nil.
	Key crypto.PublicKey
	// NotBefore is when validity starts; zero: [Backdate] before now.
	NotBefore time.Time
	// Lifetime is the time from NotBefore to NotAfter, both included (RFC 5280,
	// Section 4.1.2.5). Zero: the profile's own (root 10 years, intermediate 5 years,
	// leaf 90 days), cut to what the issuer has left.
	Lifetime time.Duration
	// PathLen limits how many intermediates may follow a CA certificate. Nil: the
	// profile's own (root: no limit, intermediate: 0).
	PathLen *int
	// AllowLong permits a leaf to live longer than [MaxLeafLifetime].
	AllowLong bool
	// SignatureAlgorithm; zero: the issuer key's usual one.
	SignatureAlgorithm x509.SignatureAlgorithm
}

// Issuer is a CA certificate with its key, which may live elsewhere (an HSM).
type Issuer struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// RefusedError is a request that will not be fulfilled as it stands.
type RefusedError struct {
	Reason string
	Hint   string // what to do instead; may be ""
}

// Error implements error.
func (e *RefusedError) Error() string { return e.Reason }

func refuse(hint, format string, args ...any) error {
	return &RefusedError{Reason: fmt.Sprintf(format, args...), Hint: hint}
}

// SelfSign makes a certificate signed by its own key: a root, or a leaf that
// stands alone. What cannot be sound is refused with a [*RefusedError].
func SelfSign(req Request, key crypto.Signer, now time.Time) (*x509.Certificate, error) {
	if key == nil {
		return nil, errors.New("no key to sign with")
	}
	if req.Key == nil {
		req.Key = key.Public()
	}
	if !SameKey(req.Key, key.Public()) {
		return nil, errors.New("the requested key is not the one that signs")
	}
	if req.Profile == ProfileIntermediate {
		return nil, refuse("make it with an issuer, or ask for a root", "an intermediate cannot be signed by itself")
	}
	t, err := newTemplate(req, now)
	if err != nil {
		return nil, err
	}
	return sign(t, t, req, key)
}

// Issue makes a certificate signed by this CA. What cannot be sound is refused
// with a [*RefusedError]: the issuer's own limits are kept (RFC 5280, Section 6.1
// would make the certificate useless otherwise).
func (i Issuer) Issue(req Request, now time.Time) (*x509.Certificate, error) {
	if req.Profile == ProfileRoot {
		return nil, refuse("ask for an intermediate", "a root is signed by its own key, not by an issuer")
	}
	if req.Key == nil {
		return nil, errors.New("no public key to certify")
	}
	t, err := newTemplate(req, now)
	if err != nil {
		return nil, err
	}
	if err := i.checkIssuer(now); err != nil {
		return nil, err
	}
	if err := i.fit(t, req); err != nil {
		return nil, err
	}
	return sign(t, i.Certificate, req, i.Key)
}

// checkIssuer refuses to sign with what is not a CA at this time.
func (i Issuer) checkIssuer(now time.Time) error {
	c := i.Certificate
	if c == nil || i.Key == nil {
		return errors.New("the issuer lacks its certificate or key")
	}
	if !SameKey(c.PublicKey, i.Key.Public()) {
		return refuse("", "the issuer's key does not belong to its certificate %q", describe(c))
	}
	switch {
	case !c.BasicConstraintsValid || !c.IsCA:
		return refuse("sign with a root or an intermediate", "%q is not a CA certificate", describe(c))
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return refuse("", "%q may not sign certificates by its key usage", describe(c))
	case now.Before(c.NotBefore):
		return refuse("check the clock of this machine", "the issuer %q is not valid before %s", describe(c), stamp(c.NotBefore))
	case now.After(c.NotAfter):
		return refuse("renew the issuer first", "the issuer %q expired on %s", describe(c), stamp(c.NotAfter))
	case len(c.RawSubject) <= 2:
		return refuse("", "the issuer has an empty name")
	}
	return nil
}

// fit cuts the default validity to the issuer's and refuses what the issuer may
// not sign.
func (i Issuer) fit(t *x509.Certificate, req Request) error {
	c := i.Certificate
	if t.NotBefore.Before(c.NotBefore) {
		if !req.NotBefore.IsZero() {
			return refuse("", "validity would start on %s, before that of the issuer %q (%s)", stamp(t.NotBefore), describe(c), stamp(c.NotBefore))
		}
		t.NotBefore = c.NotBefore
	}
	if t.NotAfter.After(c.NotAfter) {
		if req.Lifetime != 0 {
			days := int(c.NotAfter.Sub(t.NotBefore) / day)
			return refuse(fmt.Sprintf("ask for at most %d days or renew the issuer", days),
				"validity would end on %s, after that of the issuer %q (%s)", stamp(t.NotAfter), describe(c), stamp(c.NotAfter))
		}
		t.NotAfter = c.NotAfter
	}
	if !t.NotAfter.After(t.NotBefore) {
		return refuse("", "nothing is left of the issuer's validity (%s)", stamp(c.NotAfter))
	}
	if t.IsCA && (c.MaxPathLen > 0 || c.MaxPathLenZero) {
		if c.MaxPathLen == 0 {
			return refuse("", "the path length of %q allows no further CA below it", describe(c))
		}
		if t.MaxPathLen < 0 || t.MaxPathLen >= c.MaxPathLen {
			return refuse("", "a path length below %d is needed under %q", c.MaxPathLen, describe(c))
		}
	}
	if !t.IsCA && SameKey(t.PublicKey, c.PublicKey) {
		return refuse("make a key of its own for the certificate", "the key to certify is the issuer's own key")
	}
	return nil
}

// newTemplate turns a request into a certificate without issuer.
func newTemplate(req Request, now time.Time) (*x509.Certificate, error) {
	if now.IsZero() {
		return nil, errors.New("issuing needs the present time")
	}
	r, err := rulesOf(req.Profile)
	if err != nil {
		return nil, err
	}
	if err := checkKey(req.Key); err != nil {
		return nil, err
	}
	if err := checkSignatureAlgorithm(req.SignatureAlgorithm); err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		Subject:               req.Subject,
		PublicKey:             req.Key,
		KeyUsage:              r.usage,
		ExtKeyUsage:           r.extended,
		BasicConstraintsValid: true,
		IsCA:                  r.ca,
		MaxPathLen:            -1,
		SignatureAlgorithm:    req.SignatureAlgorithm,
	}
	if req.CommonName != "" {
		t.Subject.CommonName = req.CommonName
	}
	if r.ca {
		t.MaxPathLen = r.pathLen
		if req.PathLen != nil {
			t.MaxPathLen = *req.PathLen
		}
		t.MaxPathLenZero = t.MaxPathLen == 0
	}
	if err := setNames(t, r, req.SANs); err != nil {
		return nil, err
	}
	if err := setValidity(t, r, req, now); err != nil {
		return nil, err
	}
	if t.SubjectKeyId, err = KeyID(req.Key); err != nil {
		return nil, err
	}
	t.SerialNumber, err = newSerial()
	return t, err
}

// setNames fills the subject alternative names and checks the subject.
func setNames(t *x509.Certificate, r rules, sans []string) error {
	for _, s := range sans {
		if err := addSAN(t, s); err != nil {
			return err
		}
	}
	cn := t.Subject.CommonName
	switch {
	case len([]rune(cn)) > 64:
		// RFC 5280, Appendix A.1: ub-common-name is 64.
		return refuse("put long names into the subject alternative names only", "the common name has more than 64 characters")
	case r.ca && Name(t.Subject) == "":
		// RFC 5280, Section 4.1.2.6: a CA MUST have a non-empty distinguished name.
		return refuse("give it a common name", "a CA certificate needs a name")
	case r.needsSAN && len(t.DNSNames)+len(t.IPAddresses)+len(t.URIs) == 0:
		if cn != "" {
			return refuse(fmt.Sprintf("add it with --san %s", Printable(cn)),
				"a server certificate with the common name %q and no subject alternative name: clients ignore the common name", Printable(cn))
		}
		return refuse("add the server's DNS names or addresses with --san", "a server certificate needs a subject alternative name")
	case !r.ca && Name(t.Subject) == "" && len(sans) == 0:
		return refuse("give it a common name or a subject alternative name", "the certificate would name nobody")
	}
	return nil
}

func setValidity(t *x509.Certificate, r rules, req Request, now time.Time) error {
	lifetime := req.Lifetime
	if lifetime == 0 {
		lifetime = r.lifetime
	}
	if lifetime < time.Second {
		return refuse("", "a lifetime of %v is too short", lifetime)
	}
	if !r.ca && lifetime > MaxLeafLifetime && !req.AllowLong {
		return refuse("ask for fewer days and renew it in time", "a leaf certificate for %d days: browsers and other clients refuse more than 398", lifetime/day)
	}
	t.NotBefore = req.NotBefore
	if t.NotBefore.IsZero() {
		t.NotBefore = now.Add(-Backdate)
	}
	t.NotBefore = t.NotBefore.UTC().Truncate(time.Second)
	// Both ends belong to the period (RFC 5280, Section 4.1.2.5).
	t.NotAfter = t.NotBefore.Add(lifetime - time.Second).Truncate(time.Second)
	if t.NotAfter.Year() > 9999 || t.NotBefore.Year() < 1950 {
		return refuse("", "the validity cannot be written down")
	}
	return nil
}

// sign completes the template and has it signed by the parent's key.
func sign(t, parent *x509.Certificate, req Request, key crypto.Signer) (*x509.Certificate, error) {
	if _, ok := key.(*PSSKey); ok && t.SignatureAlgorithm == 0 {
		t.SignatureAlgorithm = x509.SHA256WithRSAPSS
	}
	if t != parent {
		if t.AuthorityKeyId = parent.SubjectKeyId; len(t.AuthorityKeyId) == 0 {
			id, err := KeyID(parent.PublicKey)
			if err != nil {
				return nil, err
			}
			t.AuthorityKeyId = id
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, req.Key, key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read back certificate: %w", err)
	}
	if t != parent && string(c.RawSubject) == string(c.RawIssuer) {
		return nil, refuse("choose another common name", "the certificate would carry its issuer's name %q and look self-signed", describe(c))
	}
	return c, nil
}

// checkSignatureAlgorithm refuses the broken hashes. Zero is the default.
func checkSignatureAlgorithm(a x509.SignatureAlgorithm) error {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.DSAWithSHA256:
		return refuse("use SHA-256 or larger", "a signature with %v can be forged or is refused everywhere", a)
	}
	return nil
}

// newSerial draws 128 random bits, not all zero. RFC 5280, Section 4.1.2.2 asks
// for a positive number of at most 20 octets; being random it also tells nothing
// about how many were issued and makes collision attacks on the hash hopeless.
func newSerial() (*big.Int, error) {
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
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	in := cryptobyte.String(spki)
	var info, alg cryptobyte.String
	var bits asn1.BitString
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1(&alg, cbasn1.SEQUENCE) || !info.ReadASN1BitString(&bits) {
		return nil, errors.New("encode public key: malformed")
	}
	sum := sha256.Sum256(bits.Bytes)
	return sum[:20], nil
}
